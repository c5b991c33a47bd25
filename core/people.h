/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* People, as the authenticators know them. [main] */
#pragma once
#include <farwatch/request.h>
#include <jansson.h>

/* Result: json_t* array of {name, groups, has_password, keys, authenticators}, by name; free with far_json_free. Fails when one
 * authenticator cannot say whom it keeps, with its error: half a list is no list. */
void far_people_list (FarRequest *req);
/* Does an authenticator run that can list people? Else nobody can say that a name is none. */
gboolean far_people_listed (void);
/* Makes or changes a person: password and groups go to the first authenticator that takes them, those that know the
 * person before others (fails like far_people_list() when that is not known); the key to the first that takes it. secret, groups, key NULL: kept. */
void far_people_put (const char *name, const char *secret, const char *const *groups, const char *key, FarRequest *req);
/* The password of somebody who is there: FAR_ERROR_NOT_FOUND when authenticators say whom they keep and none keeps the name. */
void far_people_password (const char *name, const char *secret, FarRequest *req);
/* Removes from all; FAR_ERROR_NOT_FOUND when none knew the name. */
void far_people_remove (const char *name, FarRequest *req);

/* ---- one change of a person after the other (people-change.c) ---- */

typedef void (*FarPeopleChange) (gpointer user);
/* `go` is called when the changes of this person before it have ended, at once if there are none. far_people_change_end() once for each. */
void far_people_change_begin (const char *name, FarPeopleChange go, gpointer user);
void far_people_change_end (const char *name);
/* Is a password or a removal being dealt with, or was one since (boottime)? What was judged by then does not count any more. */
gboolean far_people_changed_since (const char *name, gint64 since_us);
void far_people_change_clear (void);

void far_json_free (gpointer json); /* GDestroyNotify for json_t */
