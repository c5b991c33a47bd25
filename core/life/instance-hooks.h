/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the rooms above do when an instance of a kind comes, changes or goes: they say so here, and instances
 * know none of them. [main] */
#pragma once
#include <farwatch/plugin.h>

#include "profile/profile.h"

/* Each may be NULL. */
typedef struct {
  /* before start(); FALSE: it fails with that error */
  gboolean (*may_start) (FarInstance *at, GError **error);
  void (*came) (FarInstance *at);    /* it runs */
  void (*changed) (FarInstance *at); /* it runs on with other options */
  void (*goes) (FarInstance *at);    /* before stop(); also of one that has not come */
} FarInstanceHooks;

/* hooks: borrowed for ever. They are called in the order in which they were added; the same ones count once.
 */
void far_instance_hooks_add (FarKind kind, const FarInstanceHooks *hooks);
gboolean far_instance_hooks_may_start (FarInstance *at, GError **error);
void far_instance_hooks_came (FarInstance *at);
void far_instance_hooks_changed (FarInstance *at);
void far_instance_hooks_goes (FarInstance *at);

/* The same for the profile: in_force before the instances of a new profile are tried, settled when all have
 * been told. */
typedef struct {
  void (*in_force) (FarProfile *profile);
  void (*settled) (void);
} FarProfileHooks;

void far_profile_hooks_add (const FarProfileHooks *hooks);
void far_profile_hooks_in_force (FarProfile *profile);
void far_profile_hooks_settled (void);
