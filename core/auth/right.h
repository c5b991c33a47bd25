/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares what core does with the set of rights: replacing those of the profile, listing,
 * finding what is odd about one, and ending a person's logins. The question that plugins ask is public
 * (farwatch/right.h). [main] */
#pragma once
#include <farwatch/message.h>

/* Replaces all rights that stand in the profile by this list (array of rights, each checked); keeps the old
 * ones on error. */
gboolean far_right_set_profile (json_t *list, GError **error);
/* Is it a right of the profile? */
gboolean far_right_is_profile (const char *id);
gboolean far_right_exists (const char *id);
/* Has the node been given any right that is not over? Without one it speaks for nobody. [main] */
gboolean far_right_node_has_any (const char *node);
/* Those that are for this principal. */
json_t *far_right_list_of (const FarPrincipal *principal);
void far_right_clear (void);
/* The right of this id, as written, borrowed; NULL: none. */
json_t *far_right_get (const char *id);

/* The words of the actions that rights can give, with this between them. Caller frees. */
char *far_right_actions (const char *between);

/* ---- right-family.c ---- */

/* Objects of these handlers may stand in rights, too. */
void far_right_family_learn (const FarHandler *handlers);
/* The first parts of objects that rights can be for, with this between them: core's, the shipped services'
 * and those learned. Caller frees. */
char *far_right_families (const char *between);
/* FAR_ERROR_INVALID for an object of which the first part names nothing that a right could be for. right: one
 * that far_right_check() takes. */
gboolean far_right_family_ok (const json_t *right, GError **error);
/* Appended to odd when the right's date is past: a text that says so. */
void far_right_warnings_date (json_t *odd, const json_t *right);

/* ---- right-odd.c ---- */

/* What is strange about such a right, as an array of texts: names that nothing has now, a date that is past.
 * people: list of far_users_list(); locals: of far_local_names_odd(); NULL: not known. */
json_t *far_right_warnings (const json_t *right, json_t *people, json_t *locals);
/* The same of whom it is for alone. */
json_t *far_right_warnings_who (const char *who, json_t *people, json_t *locals);
/* What this person's logins up to now gave is over, also where a session still holds it: the person was
 * removed, or is in other groups now. */
void far_right_end_person (const char *name);
/* Has the person been ended since this login? */
gboolean far_right_login_ended (const FarPrincipal *principal);

/* May the principal put somebody into this group of people? By `manage` on groups/GROUP, or by having all
 * that the group has; what power it has (manage, approve) the principal must have in any case. */
gboolean far_right_may_give (const FarPrincipal *principal, const char *group);
/* May the principal set a password or key of this person, and so be them? Not if they have power that the
 * principal has not. */
gboolean far_right_may_be (const FarPrincipal *principal, const char *name, const char *const *groups);

/* All names of an object, each cut into its parts (GStrv): the object's own first, then those of
 * far_right_alias(). Caller unrefs. */
GPtrArray *far_right_names (const char *object);
