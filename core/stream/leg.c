/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of live legs, and the taps that stand. One lock covers both, so that a leg that begins meets each
 * tap once, and a tap each leg. */
#include "config.h"

#include "base/node-part.h"
#include "stream/leg-private.h"

#include <string.h>

struct _FarLegs {
  GMutex lock;
  GPtrArray *legs; /* FarPump*; [lock] */
  GPtrArray *taps; /* FarTap*; [lock] */
  guint64 last_id; /* [lock] */
};

static void
legs_init (gpointer part)
{
  FarLegs *self = part;
  g_mutex_init (&self->lock);
  self->legs = g_ptr_array_new ();
  self->taps = g_ptr_array_new ();
}

FarLegs *
far_legs_here (void)
{
  static const FarNodePart part = { FAR_PART_LEGS, sizeof (FarLegs), legs_init, NULL };

  return far_node_part (&part);
}

/* ---- one leg ---- */

static void
leg_clear (gpointer data)
{
  FarLeg *leg = data;
  g_free ((gpointer) leg->session);
  g_free ((gpointer) leg->target);
  g_free ((gpointer) leg->inner);
  g_free ((gpointer) leg->destination);
}

static char *
leg_text (const char *text)
{
  return g_strdup (text != NULL ? text : "");
}

FarLeg *
far_leg_new (const FarPumpSpec *spec, gboolean datagrams, gint64 began_us)
{
  FarLeg *leg = g_atomic_rc_box_new0 (FarLeg);
  *leg = (FarLeg){ .session = leg_text (spec->session),
                   .target = leg_text (spec->target),
                   .inner = leg_text (spec->inner),
                   .destination = leg_text (spec->destination),
                   .datagrams = datagrams,
                   .began_us = began_us };
  return leg;
}

FarLeg *
far_leg_ref (FarLeg *leg)
{
  return g_atomic_rc_box_acquire (leg);
}

void
far_leg_unref (FarLeg *leg)
{
  g_atomic_rc_box_release_full (leg, leg_clear);
}

static gboolean
text_matches (const char *wanted, const char *text)
{
  return wanted == NULL || strcmp (wanted, text) == 0;
}

gboolean
far_leg_matches (const FarLeg *leg, const FarLegMatch *match)
{
  return match == NULL ||
         ((match->id == 0 || match->id == leg->id) && text_matches (match->session, leg->session) &&
          text_matches (match->target, leg->target) && text_matches (match->inner, leg->inner));
}

/* ---- the list ---- */

GPtrArray *
far_legs (const FarLegMatch *match)
{
  FarLegs *self = far_legs_here ();
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) far_leg_unref);
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->legs->len; i++) {
    FarLeg *leg = ((FarPump *) g_ptr_array_index (self->legs, i))->leg;
    if (far_leg_matches (leg, match))
      g_ptr_array_add (found, far_leg_ref (leg));
  }
  g_mutex_unlock (&self->lock);
  return found;
}

/* running: its halves may have begun already. */
static void
leg_meets_tap (FarPump *pump, FarTap *tap, gboolean running)
{
  FarTapPort *port[2];
  if (!far_tap_wants (tap, pump->leg) || !far_tap_arrive (tap, pump->leg, port))
    return;
  for (guint d = 0; d < 2; d++)
    far_pump_add_port (pump, d, port[d], running);
}

void
far_legs_began (FarLegs *self, FarPump *pump)
{
  g_mutex_lock (&self->lock);
  pump->leg->id = ++self->last_id;
  g_ptr_array_add (self->legs, pump);
  for (guint i = 0; i < self->taps->len; i++)
    leg_meets_tap (pump, g_ptr_array_index (self->taps, i), FALSE);
  g_mutex_unlock (&self->lock);
}

void
far_legs_over (FarLegs *self, FarPump *pump)
{
  g_mutex_lock (&self->lock);
  g_ptr_array_remove (self->legs, pump);
  g_mutex_unlock (&self->lock);
}

void
far_legs_tap (FarLegs *self, FarTap *tap)
{
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->taps, tap);
  for (guint i = 0; i < self->legs->len; i++)
    leg_meets_tap (g_ptr_array_index (self->legs, i), tap, TRUE);
  g_mutex_unlock (&self->lock);
}

void
far_legs_untap (FarLegs *self, FarTap *tap)
{
  g_mutex_lock (&self->lock);
  g_ptr_array_remove (self->taps, tap);
  for (guint i = 0; i < self->legs->len; i++)
    far_pump_remove_ports (g_ptr_array_index (self->legs, i), tap);
  g_mutex_unlock (&self->lock);
}
