/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A map of the profile against an option table: every fault is told, and the options struct is filled. */
#pragma once
#include <farwatch/option.h>

#include "profile/fault.h"
#include "profile/tree.h"

/* A reference that stands in an option; resolved when all instances are known. */
typedef struct {
  const FarOption *option;
  const FarYaml *node; /* the name; borrowed from the tree, NULL text of a fallback is owned by `name` */
  char *name;
} FarRef;

typedef struct {
  const char *what;          /* "sensor 'boiler' (type modbus)" */
  const FarYaml *where;      /* place of faults about the whole */
  const char *const *common; /* keys that core itself reads; NULL-terminated or NULL */
  const char *state_dir;     /* base of relative paths */
  GPtrArray *refs;           /* FarRef *, added to; NULL: not wanted */
  GPtrArray *faults;
} FarCheck;

void far_ref_free (FarRef *ref);

/* The filled struct (for far_options_unref()); faults went to check->faults. map NULL: no key at all. */
gconstpointer
far_options_check (const FarOption *table, gsize size, const FarYaml *map, const FarCheck *check);
/* One value into its place. FAR_ERROR_INVALID without the key's name. */
gboolean far_option_fill (const FarOption *option, const FarYaml *value, const char *state_dir,
                          gpointer options, GError **error);

/* Zeroed struct of a table, one reference. */
gpointer far_options_new (const FarOption *table, gsize size);

/* Is it a name of an instance, device, node, credential? [A-Za-z0-9][A-Za-z0-9_.-]{0,63}, dots only if asked
 * for. */
gboolean far_label_ok (const char *name, gboolean dots);
/* Unknown key: told with the nearest or all of the known ones. */
void far_fault_unknown_key (GPtrArray *faults, const FarYaml *key, const char *what, GPtrArray *known);
