/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All instances of the node: in which order they start and stop, how one finds another. */
#include "config.h"

#include "life/instance-private.h"

#include "base/node-part.h"
#include "trust/trust-revoked.h"

#include <farwatch/thread.h>

typedef struct {
  GPtrArray *list;    /* of FarInstance, in the order of starting */
  GPtrArray *retired; /* of FarInstance */
  gboolean advancing, again;
  void (*on_up) (void);
} Instances;

static void
instances_clear (gpointer part)
{
  far_instances_stop ();
}

static Instances *
instances (void)
{
  static const FarNodePart part = { FAR_PART_INSTANCES, sizeof (Instances), NULL, instances_clear };

  return far_node_part (&part);
}

GPtrArray *
far_instances_all (void)
{
  if (instances ()->list == NULL)
    instances ()->list = g_ptr_array_new_with_free_func ((GDestroyNotify) far_instance_unref);
  return instances ()->list;
}

FarInstance *
far_instances_by_path (const char *path)
{
  GPtrArray *all = far_instances_all ();

  for (guint i = 0; i < all->len; i++) {
    FarInstance *at = all->pdata[i];

    if (g_str_equal (at->head.path, path))
      return at;
  }
  return NULL;
}

void
far_instances_replace (GPtrArray *list)
{
  GPtrArray *old = g_steal_pointer (&instances ()->list);

  instances ()->list = list;
  g_clear_pointer (&old, g_ptr_array_unref);
}

/* What it refers to has been tried: whether that runs or not, it is this instance's turn. */
static gboolean
may_start (const FarInstance *at)
{
  for (guint i = 0; i < at->configured->refs->len; i++) {
    const FarConfigured *target = at->configured->refs->pdata[i];
    const FarInstance *other = far_instances_by_path (target->path);

    if (other != NULL && !other->tried)
      return FALSE;
  }
  return TRUE;
}

static void
advance_once (void)
{
  GPtrArray *all = far_instances_all ();

  for (guint i = 0; i < all->len; i++) {
    FarInstance *at = all->pdata[i];

    if (at->state == FAR_STATE_WAITING && may_start (at))
      far_instance_try (at);
  }
}

static gboolean
all_tried (void)
{
  GPtrArray *all = far_instances_all ();

  for (guint i = 0; i < all->len; i++)
    if (!((FarInstance *) all->pdata[i])->tried)
      return FALSE;
  return TRUE;
}

/* Instances that start at once call this from inside: one loop at a time. */
void
far_instances_advance (void)
{
  instances ()->again = TRUE;
  if (instances ()->advancing)
    return;
  instances ()->advancing = TRUE;
  while (instances ()->again) {
    instances ()->again = FALSE;
    advance_once ();
  }
  instances ()->advancing = FALSE;
  if (instances ()->on_up != NULL && all_tried ()) {
    void (*func) (void) = g_steal_pointer (&instances ()->on_up);

    func ();
  }
}

gboolean
far_instances_starting (void)
{
  return instances ()->on_up != NULL;
}

void
far_instances_on_up (void (*func) (void))
{
  instances ()->on_up = func;
  far_instances_advance ();
}

/* From before the first connection on. */
void
far_instances_expect (const FarProfile *profile)
{
  gboolean needed = FALSE;

  for (guint i = 0; i < profile->instances->len; i++) {
    const FarConfigured *configured = profile->instances->pdata[i];

    needed = needed || (configured->kind == FAR_KIND_SERVICE && configured->type != NULL &&
                        ((const FarServiceType *) configured->type)->needs_revoked);
  }
  far_trust_revoked_set_needed (needed);
}

void
far_instances_start (FarProfile *profile)
{
  GPtrArray *all = far_instances_all ();

  far_instances_expect (profile);
  for (guint i = 0; i < profile->instances->len; i++)
    g_ptr_array_add (all, far_instance_new (profile, profile->instances->pdata[i]));
  far_instances_advance ();
}

void
far_instances_keep_retired (FarInstance *at)
{
  if (instances ()->retired == NULL)
    instances ()->retired = g_ptr_array_new_with_free_func ((GDestroyNotify) far_instance_unref);
  g_ptr_array_add (instances ()->retired, far_instance_ref (at));
}

void
far_instances_drop_retired (FarInstance *at)
{
  g_ptr_array_remove (instances ()->retired, at);
}

FarInstance *
far_instance_find_retired (FarKind kind, const char *name, guint index)
{
  FAR_ON_MAIN ();
  for (guint i = 0; instances ()->retired != NULL && i < instances ()->retired->len; i++) {
    FarInstance *at = instances ()->retired->pdata[i];

    if (at->kind == kind && g_str_equal (at->name, name) && index-- == 0)
      return at;
  }
  return NULL;
}

static void
stop_retired (void)
{
  for (guint i = 0; instances ()->retired != NULL && i < instances ()->retired->len; i++)
    far_instance_end (instances ()->retired->pdata[i]);
  g_clear_pointer (&instances ()->retired, g_ptr_array_unref);
}

void
far_instances_stop (void)
{
  GPtrArray *all = far_instances_all ();

  instances ()->advancing = TRUE; /* nothing starts any more */
  for (guint i = all->len; i > 0; i--)
    far_instance_end (all->pdata[i - 1]);
  stop_retired ();
  g_clear_pointer (&instances ()->list, g_ptr_array_unref);
  instances ()->advancing = FALSE;
}

/* One that will not be tried again gives its cause, with the next step, instead of "later". */
void
far_instance_why_not (const FarInstance *at, GError **error)
{
  if (at->state == FAR_STATE_MISSING)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "%s: %s", at->head.path, at->configured->missing);
  else if (at->state == FAR_STATE_FAILED && at->error != NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("%s does not run: %s"), at->head.path,
                 at->error->message);
  else
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("%s does not run (%s%s%s); try again later"),
                 at->head.path, far_state_name (at->state), at->error != NULL ? ": " : "",
                 at->error != NULL ? at->error->message : "");
}

FarInstance *
far_instance_find (FarKind kind, const char *name, GError **error)
{
  FAR_ON_MAIN ();
  g_autofree char *path = g_strconcat (far_kind_plural (kind), ".", name != NULL ? name : "", NULL);
  FarInstance *at = far_instances_by_path (path);

  if (at == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("the profile has no %s '%s'; add it, or name one that is there"), far_kind_name (kind),
                 name != NULL ? name : "");
  else if (at->state == FAR_STATE_RESTING)
    far_instance_wake (at);
  if (at != NULL && at->state == FAR_STATE_RUNNING)
    return at;
  if (at != NULL)
    far_instance_why_not (at, error);
  return NULL;
}

GPtrArray *
far_instance_list (FarKind kind)
{
  FAR_ON_MAIN ();
  GPtrArray *all = far_instances_all (), *found = g_ptr_array_new ();

  for (guint i = 0; i < all->len; i++) {
    FarInstance *at = all->pdata[i];

    if (at->kind == kind && at->state == FAR_STATE_RUNNING)
      g_ptr_array_add (found, at);
  }
  return found;
}
