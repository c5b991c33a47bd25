/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First all that can fail: the file, init of what is new, reload() of what can take it, the rights. Then the
 * hand-over, which cannot. */
#include "config.h"

#include "life/reload.h"

#include "life/instance-hooks.h"
#include "life/node.h"
#include "life/reload-plan.h"
#include "auth/right.h"
#include "stream/memory-trim.h"

/* ---- what can fail ---- */

static gboolean
reload_check_node (const FarProfile *profile, GError **error)
{
  const FarNodeOptions *old = far_node_profile ()->node, *new = profile->node;

  if (g_strcmp0 (old->id, new->id) == 0 && g_strcmp0 (old->state, new->state) == 0 &&
      g_strcmp0 (old->control, new->control) == 0)
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG,
                       _ ("id, state and control of the node change only by a restart"));
  return FALSE;
}

static FarProfile *
read_profile (const char *state, GPtrArray *faults, GError **error)
{
  const char *path = far_node_profile ()->path;
  g_autoptr (FarProfile) profile = NULL;

  far_loader_scan ();
  profile = far_profile_load (path, state, faults);
  if (profile == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("%s has %u faults; the old profile stays in force"),
                 path, far_faults_errors (faults));
    return NULL;
  }
  return reload_check_node (profile, error) ? g_steal_pointer (&profile) : NULL;
}

static gboolean
check_fixed (GPtrArray *changes, GError **error)
{
  for (guint i = 0; i < changes->len; i++) {
    const FarChange *change = changes->pdata[i];
    const char *key = far_change_fixed (change);

    if (key == NULL)
      continue;
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("%s: '%s' changes only by a restart"),
                 change->wanted->path, key);
    return FALSE;
  }
  return TRUE;
}

/* What is missing or rests has nothing to initialise. */
static gboolean
make_fresh (FarChange *change, FarProfile *profile, GError **error)
{
  if (change->kind != FAR_CHANGE_ADDED && change->kind != FAR_CHANGE_REPLACED)
    return TRUE;
  change->fresh = far_instance_new (profile, change->wanted);
  if (change->fresh->state != FAR_STATE_WAITING || far_instance_init (change->fresh, error))
    return TRUE;
  g_prefix_error (error, "%s: ", change->wanted->path);
  return FALSE;
}

static gboolean
tell_reload (FarChange *change, GError **error)
{
  FarInstance *at = change->old;

  if (change->kind != FAR_CHANGE_RELOADED || at->type->reload == NULL)
    return TRUE;
  change->told = TRUE;
  if (far_instance_reload (at, change->wanted->options, error))
    return TRUE;
  g_prefix_error (error, "%s: ", at->head.path);
  return FALSE;
}

static gboolean
prepare (GPtrArray *changes, FarProfile *profile, GError **error)
{
  if (!check_fixed (changes, error))
    return FALSE;
  for (guint i = 0; i < changes->len; i++)
    if (!make_fresh (changes->pdata[i], profile, error))
      return FALSE;
  for (guint i = 0; i < changes->len; i++)
    if (!tell_reload (changes->pdata[i], error))
      return FALSE;
  return far_right_set_profile (profile->rights, error);
}

static void
take_back (GPtrArray *changes)
{
  for (guint i = 0; i < changes->len; i++) {
    FarChange *change = changes->pdata[i];
    g_autoptr (GError) error = NULL;

    if (change->fresh != NULL)
      far_instance_end (change->fresh);
    if (change->told && !far_instance_reload (change->old, change->old->options, &error))
      far_log (change->old, G_LOG_LEVEL_WARNING, _ ("does not take its old options back: %s"),
               error->message);
  }
}

/* ---- the hand-over ---- */

static void
swap_options (FarInstance *at, const FarConfigured *wanted)
{
  gconstpointer old = at->options;

  at->options = wanted->options != NULL ? far_options_ref (wanted->options) : NULL;
  if (old != NULL)
    far_options_unref (old);
}

static void
reload_keep (FarInstance *at, FarProfile *profile, const FarConfigured *wanted)
{
  FarProfile *old = at->profile;

  at->configured = wanted;
  if (at->state == FAR_STATE_RESTING) { /* its options are taken when it wakes */
    at->type = wanted->type;
    far_options_unref (at->options);
    at->options = wanted->options != NULL ? far_options_ref (wanted->options) : NULL;
  }
  at->profile = far_profile_ref (profile);
  far_profile_unref (old);
}

/* Sockets first, so that nobody who connects meanwhile is refused. One that nobody takes is closed: people
 * would come in and wait for nobody, and who is to listen there next would find it taken, as long as somebody
 * holds the old instance. */
static void
reload_let_go (FarChange *change)
{
  if (change->kind != FAR_CHANGE_REPLACED && change->kind != FAR_CHANGE_REMOVED)
    return;
  if (change->fresh != NULL)
    far_listens_move (change->old, change->fresh);
  far_instance_retire (change->old);
  far_listens_free (change->old);
}

static void
carry_over (FarChange *change, FarProfile *profile, GPtrArray *list)
{
  FarInstance *at = change->fresh != NULL ? change->fresh : change->old;

  if (change->kind == FAR_CHANGE_REMOVED)
    return;
  g_ptr_array_add (list, far_instance_ref (at));
  if (change->fresh != NULL)
    return;
  reload_keep (at, profile, change->wanted);
  if (change->kind == FAR_CHANGE_RELOADED) {
    swap_options (at, change->wanted);
    far_instance_hooks_changed (at);
  }
}

static void
hand_over (GPtrArray *changes, FarProfile *profile)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) far_instance_unref);

  for (guint i = changes->len; i > 0; i--)
    reload_let_go (changes->pdata[i - 1]);
  for (guint i = 0; i < changes->len; i++)
    carry_over (changes->pdata[i], profile, list);
  far_instances_replace (list);
  far_node_set_profile (profile);
  far_instances_expect (profile);
  far_profile_hooks_in_force (profile);
  for (guint i = 0; i < changes->len; i++) {
    FarChange *change = changes->pdata[i];

    if (change->kind == FAR_CHANGE_RETRIED)
      far_instance_retry (change->old);
  }
  far_instances_advance ();
  far_profile_hooks_settled ();
}

static json_t *
changes_json (GPtrArray *changes)
{
  json_t *list = json_array ();

  for (guint i = 0; i < changes->len; i++) {
    const FarChange *change = changes->pdata[i];

    if (change->kind != FAR_CHANGE_NONE)
      json_array_append_new (list, json_pack ("{s:s, s:s}", "path",
                                              change->wanted != NULL ? change->wanted->path
                                                                     : change->old->head.path,
                                              "action", far_change_name (change->kind)));
  }
  return list;
}

gboolean
far_reload (const char *state, json_t **changes_out, GPtrArray *faults, GError **error)
{
  g_autoptr (FarProfile) profile = read_profile (state, faults, error);
  g_autoptr (GPtrArray) changes = NULL;

  if (profile == NULL)
    return FALSE;
  changes = far_reload_plan (profile);
  if (!prepare (changes, profile, error)) {
    take_back (changes);
    g_prefix_error (error, "%s", _ ("the old profile stays in force: "));
    return FALSE;
  }
  if (changes_out != NULL)
    *changes_out = changes_json (changes);
  hand_over (changes, profile);
  far_memory_trim_watch (profile->node->trim);
  return TRUE;
}
