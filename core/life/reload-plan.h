/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header describes the plan of a reload: for each instance what becomes of it. Planning changes
 * nothing (reload-plan.c); reload.c carries the plan out. [main] */
#pragma once
#include "life/instance-private.h"

typedef enum {
  FAR_CHANGE_NONE,
  FAR_CHANGE_RELOADED,
  FAR_CHANGE_RETRIED,
  FAR_CHANGE_REPLACED,
  FAR_CHANGE_ADDED,
  FAR_CHANGE_REMOVED
} FarChangeKind;

/* What becomes of one instance. */
typedef struct {
  FarChangeKind kind;
  FarInstance *old;            /* NULL: added */
  FarInstance *fresh;          /* replaced, added: initialised, not started */
  const FarConfigured *wanted; /* NULL: removed */
  gboolean told;               /* reload() has been called */
} FarChange;

/* What of it changes only by a restart: the key, or "type"; NULL: nothing. */
const char *far_change_fixed (const FarChange *change);
/* In the order of the new profile, the removed ones last. */
GPtrArray *far_reload_plan (FarProfile *profile);
const char *far_change_name (FarChangeKind kind);
