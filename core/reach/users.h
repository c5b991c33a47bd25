/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares what core asks the authenticators about people: lists, one person, changes. [main] */
#pragma once
#include <farwatch/request.h>
#include <jansson.h>

/* Result: json_t* array of {name, groups, has_password, keys, authenticators}, by name; of who is kept by
 * several, groups are those of all together, and groups_by says which one gives which. A login has those of
 * the one that let the person in. Free with far_json_free. Fails when one authenticator cannot say whom it
 * keeps, with its error: half a list is no list. */
void far_users_list (FarRequest *req);
/* Does an authenticator run that can list people? Else nobody can say that a name is none. */
gboolean far_users_listed (void);
/* May it be done to this person, as they are now (borrowed; NULL: nobody is called so)? In the turn of the
 * change, so that it still holds when it is made. */
typedef gboolean (*FarUsersJudge) (json_t *person, gpointer user, GError **error);
/* Makes or changes a person, if judge (NULL: nobody) lets it: password, groups and key go to the first
 * authenticator that takes them, those that keep the person before others (fails like far_users_list() when
 * that is not known); groups to all that keep the person. secret, groups, key NULL: kept. */
void far_users_put (const char *name, const char *secret, const char *const *groups, const char *key,
                    FarUsersJudge judge, gpointer user, FarRequest *req);
/* The password of somebody who is there: FAR_ERROR_NOT_FOUND when authenticators say whom they keep and none
 * keeps the name. */
void far_users_password (const char *name, const char *secret, FarUsersJudge judge, gpointer user,
                         FarRequest *req);
/* Removes from all; FAR_ERROR_NOT_FOUND when none knew the name. */
void far_users_remove (const char *name, FarRequest *req);

/* ---- one change of a person after the other (users-change.c) ---- */

typedef void (*FarUsersChange) (gpointer user);
/* `go` is called when the changes of this person before it have ended, at once if there are none.
 * far_users_change_end() once for each. */
void far_users_change_begin (const char *name, FarUsersChange go, gpointer user);
void far_users_change_end (const char *name);
/* Is a password or a removal being dealt with, or was one since (boottime)? What was judged by then does not
 * count any more. */
gboolean far_users_changed_since (const char *name, gint64 since_us);
void far_users_change_clear (void);

void far_json_free (gpointer json); /* GDestroyNotify for json_t */
