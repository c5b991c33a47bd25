/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is told of instances that come, change and go, and of a profile that comes into force. */
#include "config.h"

#include "life/instance-hooks.h"

#include "life/instance-private.h"

#define HOOKS_EACH 8

typedef struct {
  gconstpointer of[HOOKS_EACH];
  guint n;
} HookList;

static struct {
  HookList kinds[FAR_N_KINDS], profile;
} hooks;

static void
hook_add (HookList *list, gconstpointer one)
{
  for (guint i = 0; i < list->n; i++)
    if (list->of[i] == one)
      return;
  g_return_if_fail (list->n < HOOKS_EACH); /* a constant of the program: no input comes here */
  list->of[list->n++] = one;
}

void
far_instance_hooks_add (FarKind kind, const FarInstanceHooks *one)
{
  hook_add (&hooks.kinds[kind], one);
}

gboolean
far_instance_hooks_may_start (FarInstance *at, GError **error)
{
  const HookList *list = &hooks.kinds[at->kind];

  for (guint i = 0; i < list->n; i++) {
    const FarInstanceHooks *one = list->of[i];

    if (one->may_start != NULL && !one->may_start (at, error))
      return FALSE;
  }
  return TRUE;
}

/* offset: of the function among the hooks. */
static void
hooks_call (FarInstance *at, gsize offset)
{
  const HookList *list = &hooks.kinds[at->kind];

  for (guint i = 0; i < list->n; i++) {
    void (*func) (FarInstance *) = G_STRUCT_MEMBER (gpointer, list->of[i], offset);

    if (func != NULL)
      func (at);
  }
}

void
far_instance_hooks_came (FarInstance *at)
{
  hooks_call (at, G_STRUCT_OFFSET (FarInstanceHooks, came));
}

void
far_instance_hooks_changed (FarInstance *at)
{
  hooks_call (at, G_STRUCT_OFFSET (FarInstanceHooks, changed));
}

void
far_instance_hooks_goes (FarInstance *at)
{
  hooks_call (at, G_STRUCT_OFFSET (FarInstanceHooks, goes));
}

/* ---- the profile ---- */

void
far_profile_hooks_add (const FarProfileHooks *one)
{
  hook_add (&hooks.profile, one);
}

void
far_profile_hooks_in_force (FarProfile *profile)
{
  for (guint i = 0; i < hooks.profile.n; i++) {
    const FarProfileHooks *one = hooks.profile.of[i];

    if (one->in_force != NULL)
      one->in_force (profile);
  }
}

void
far_profile_hooks_settled (void)
{
  for (guint i = 0; i < hooks.profile.n; i++) {
    const FarProfileHooks *one = hooks.profile.of[i];

    if (one->settled != NULL)
      one->settled ();
  }
}
