/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Core's inside of rights. [main] */
#pragma once
#include <farwatch/right.h>

/* Replaces all rights that stand in the profile by this list (array of rights, each checked); keeps the old ones on error. */
gboolean far_right_set_profile (json_t *list, GError **error);
/* Is it a right of the profile? */
gboolean far_right_is_profile (const char *id);
gboolean far_right_exists (const char *id);
/* Those that are for this principal. */
json_t *far_right_list_of (const FarPrincipal *principal);
void far_right_clear (void);
/* What this person's logins up to now gave is over, also where a session still holds it: the person was removed, or is in other groups now. */
void far_right_end_person (const char *name);

/* All names of an object, each cut into its parts (GStrv): the object's own first, then those of far_right_also(). Caller unrefs. */
GPtrArray *far_right_names (const char *object);
