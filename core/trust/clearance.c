/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one place that looks at what is up when the list of the revoked changes. Transports know what ends with
 * a connection, and nothing of when; services know what is revoked, and no connection; so both meet here. */
#include "config.h"

#include "base/node-part.h"
#include "trust/trust-revoked.h"

#include <farwatch/clearance.h>
#include <farwatch/clock.h>
#include <farwatch/loop.h>
#include <farwatch/thread.h>

struct _FarClearance {
  gint refs; /* its owner's, and that of a walk that is under way */
  FarPresented *presented;
  FarClearanceState state;
  FarClearanceFunc changed; /* NULL: its owner has let it go */
  gpointer user;
  FarLoopTimer *timer; /* while it waits; NULL: it does not */
  GList link;
};

/* Touched on main only. */
typedef struct {
  GQueue all;
  guint waiting;
  FarDeferred *walk; /* NULL: nothing has been admitted so far */
} Clearances;

static void
clearances_clear (gpointer part)
{
  Clearances *self = part;

  far_trust_revoked_tell (NULL);
  g_clear_pointer (&self->walk, far_deferred_free);
}

static Clearances *
clearances (void)
{
  static const FarNodePart part = { FAR_PART_CLEARANCE, sizeof (Clearances), NULL, clearances_clear };

  return far_node_part (&part);
}

/* ---- what was presented ---- */

FarPresented *
far_presented_new (const char *node, const char *serial, const char *key)
{
  FarPresented *presented = g_new (FarPresented, 1);

  *presented = (FarPresented){ 1, g_strdup (node), g_strdup (serial), g_strdup (key) };
  return presented;
}

FarPresented *
far_presented_ref (FarPresented *presented)
{
  if (presented != NULL)
    g_atomic_int_inc (&presented->refs);
  return presented;
}

void
far_presented_unref (FarPresented *presented)
{
  if (presented == NULL || !g_atomic_int_dec_and_test (&presented->refs))
    return;
  g_free (presented->node);
  g_free (presented->serial);
  g_free (presented->key);
  g_free (presented);
}

gboolean
far_trust_revoked_any (const FarPresented *presented)
{
  return far_trust_revoked (presented->serial, presented->node) ||
         (presented->key != NULL && far_trust_revoked_key (presented->key));
}

/* ---- judging ---- */

static void
clearance_set (FarClearance *clearance, FarClearanceState state)
{
  clearance->state = state;
  if (clearance->timer == NULL || state == FAR_CLEARANCE_WAITS)
    return;
  g_clear_pointer (&clearance->timer, far_loop_timer_free);
  clearances ()->waiting--;
}

/* Who is in stays in until something of it is revoked, also where the list is needed only from now on and is
 * still to be read: its messages wait for that (node/api.c). */
static gboolean
clearance_judge (FarClearance *clearance)
{
  FarClearanceState before = clearance->state;

  if (before == FAR_CLEARANCE_REVOKED || before == FAR_CLEARANCE_LATE)
    return FALSE;
  if (far_trust_revoked_any (clearance->presented))
    clearance_set (clearance, FAR_CLEARANCE_REVOKED);
  else if (before == FAR_CLEARANCE_WAITS && far_trust_revoked_known ())
    clearance_set (clearance, FAR_CLEARANCE_IN);
  return clearance->state != before;
}

static void
clearance_unref (gpointer data)
{
  FarClearance *clearance = data;

  if (--clearance->refs > 0)
    return;
  far_presented_unref (clearance->presented);
  g_free (clearance);
}

/* Who is told may let go of this one and of others. */
static void
clearances_walk (gpointer data)
{
  g_autoptr (GPtrArray) other = g_ptr_array_new_with_free_func (clearance_unref);

  for (GList *at = clearances ()->all.head; at != NULL; at = at->next)
    if (clearance_judge (at->data)) {
      ((FarClearance *) at->data)->refs++;
      g_ptr_array_add (other, at->data);
    }
  for (guint i = 0; i < other->len; i++) {
    FarClearance *clearance = other->pdata[i];

    if (clearance->changed != NULL)
      clearance->changed (clearance->user);
  }
}

static void
clearance_late (gpointer data)
{
  FarClearance *clearance = data;

  clearance_set (clearance, FAR_CLEARANCE_LATE);
  clearance->changed (clearance->user);
}

static void
clearance_wait (FarClearance *clearance)
{
  if (clearances ()->waiting >= FAR_CLEARANCES_WAITING) {
    clearance->state = FAR_CLEARANCE_LATE;
    return;
  }
  clearances ()->waiting++;
  clearance->state = FAR_CLEARANCE_WAITS;
  clearance->timer = far_loop_timer (far_loop_main (),
                                     far_clock_boottime_us () +
                                         FAR_CLEARANCE_SECONDS * (gint64) G_USEC_PER_SEC,
                                     clearance_late, clearance);
}

/* ---- for transports ---- */

FarClearance *
far_clearance_new (FarPresented *presented, gboolean incoming, FarClearanceFunc changed, gpointer user)
{
  FAR_ON_MAIN ();
  FarClearance *clearance = g_new0 (FarClearance, 1);

  if (clearances ()->walk == NULL) {
    clearances ()->walk = far_deferred_new (far_loop_main (), clearances_walk, NULL);
    far_trust_revoked_tell (clearances ()->walk);
  }
  *clearance = (FarClearance){ .refs = 1,
                               .presented = far_presented_ref (presented),
                               .changed = changed,
                               .user = user };
  clearance->link.data = clearance;
  g_queue_push_tail_link (&clearances ()->all, &clearance->link);
  if (!clearance_judge (clearance) && incoming && !far_trust_revoked_known ())
    clearance_wait (clearance);
  return clearance;
}

FarClearanceState
far_clearance_state (const FarClearance *clearance)
{
  FAR_ON_MAIN ();
  return clearance->state;
}

void
far_clearance_tell (FarClearance *clearance, FarClearanceFunc changed, gpointer user)
{
  FAR_ON_MAIN ();
  clearance->changed = changed;
  clearance->user = user;
}

void
far_clearance_free (FarClearance *clearance)
{
  FAR_ON_MAIN ();
  if (clearance == NULL)
    return;
  clearance->changed = NULL;
  if (clearance->timer != NULL)
    clearance_set (clearance, FAR_CLEARANCE_LATE);
  g_queue_unlink (&clearances ()->all, &clearance->link);
  clearance_unref (clearance);
}
