/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is taps as their owners know them. Of each leg that it sees, a tap has a channel with two ports,
 * one for each direction; its loop looks through the channels when a port has woken it, some pieces at a
 * time, and raises a flag before it sleeps, so that writers wake it once and not for each piece. */
#include "config.h"

#include "stream/leg-private.h"

/* Pieces of one look; then others of the loop have theirs. */
#define PIECES 64

typedef struct {
  FarLeg *leg;
  FarTapPort *port[2]; /* 0: from a */
  gboolean began;
} TapChannel;

struct _FarTap {
  gint refs;
  FarTapSpec spec;
  FarLegs *legs;
  char *session, *target, *inner;
  gint over;      /* atomic: it was ended */
  gint sleeps;    /* atomic: a writer has to wake it */
  gsize unseen;   /* atomic: bytes of rings of ended directions */
  guint64 missed; /* atomic: legs that were left out and not told of yet */
  GMutex lock;
  gboolean gone;       /* its loop may be: nothing is posted there; [lock] */
  GPtrArray *arrivals; /* TapChannel* that the loop has not seen; [lock] */
  GPtrArray *channels; /* TapChannel*; [loop] */
};

FarTap *
far_tap_ref (FarTap *tap)
{
  g_atomic_int_inc (&tap->refs);
  return tap;
}

void
far_tap_unref (FarTap *tap)
{
  if (!g_atomic_int_dec_and_test (&tap->refs))
    return;
  g_ptr_array_unref (tap->arrivals);
  g_ptr_array_unref (tap->channels);
  g_mutex_clear (&tap->lock);
  g_free (tap->session);
  g_free (tap->target);
  g_free (tap->inner);
  g_free (tap);
}

static void
channel_free (gpointer data)
{
  TapChannel *channel = data;
  for (guint i = 0; i < 2; i++)
    far_tap_port_unref (channel->port[i]);
  far_leg_unref (channel->leg);
  g_free (channel);
}

/* ---- the loop's side ---- */

static void tap_look (gpointer data);

static void
tap_post (FarTap *tap)
{
  g_mutex_lock (&tap->lock);
  if (!tap->gone) {
    far_loop_post (tap->spec.loop, tap_look, far_tap_ref (tap));
  }
  g_mutex_unlock (&tap->lock);
}

/* It is called for each piece: most of the time the tap is awake. */
void
far_tap_wake (FarTap *tap)
{
  if (__atomic_load_n (&tap->sleeps, __ATOMIC_SEQ_CST) &&
      __atomic_exchange_n (&tap->sleeps, 0, __ATOMIC_SEQ_CST))
    tap_post (tap);
}

void
far_tap_unseen_add (FarTap *tap, gsize bytes)
{
  __atomic_add_fetch (&tap->unseen, bytes, __ATOMIC_SEQ_CST);
}

void
far_tap_unseen_drop (FarTap *tap, gsize bytes)
{
  __atomic_sub_fetch (&tap->unseen, bytes, __ATOMIC_SEQ_CST);
}

static gboolean
tap_is_over (FarTap *tap)
{
  return g_atomic_int_get (&tap->over) != 0;
}

static void
show_gap (FarTap *tap, const TapChannel *channel, guint d, FarTapGap *gap)
{
  gap->from_a = d == 0;
  if (tap->spec.funcs->gap != NULL)
    tap->spec.funcs->gap (tap->spec.data, channel->leg, gap);
}

static void
show_next (FarTap *tap, const TapChannel *channel, guint d)
{
  FarTapPiece piece;
  FarTapGap gap;
  if (!far_tap_port_show (channel->port[d], &piece, &gap)) {
    show_gap (tap, channel, d, &gap);
  } else if (tap->spec.funcs->piece != NULL) {
    piece.from_a = d == 0;
    tap->spec.funcs->piece (tap->spec.data, channel->leg, &piece);
  }
  far_tap_port_drop (channel->port[d]);
}

static void
show_begin (FarTap *tap, TapChannel *channel)
{
  if (!channel->began && tap->spec.funcs->began != NULL)
    tap->spec.funcs->began (tap->spec.data, channel->leg);
  channel->began = TRUE;
}

static void
show_end (FarTap *tap, const TapChannel *channel, const char *cause)
{
  FarTapGap gap;
  for (guint d = 0; d < 2 && !tap_is_over (tap); d++)
    if (far_tap_port_last_gap (channel->port[d], &gap))
      show_gap (tap, channel, d, &gap);
  if (!tap_is_over (tap) && tap->spec.funcs->ended != NULL)
    tap->spec.funcs->ended (tap->spec.data, channel->leg, cause);
}

typedef enum { CHANNEL_MORE, CHANNEL_EMPTY, CHANNEL_OVER } ChannelState;

static ChannelState
channel_look (FarTap *tap, TapChannel *channel)
{
  /* Asked before the rings: what was put before the end is seen. */
  const char *ended[2] = { far_tap_port_ended (channel->port[0]), far_tap_port_ended (channel->port[1]) };
  show_begin (tap, channel);
  for (guint n = 0; n < PIECES && !tap_is_over (tap); n++) {
    gint64 time[2] = { far_tap_port_time (channel->port[0]), far_tap_port_time (channel->port[1]) };
    if (time[0] == G_MAXINT64 && time[1] == G_MAXINT64) {
      if (ended[0] == NULL || ended[1] == NULL)
        return CHANNEL_EMPTY;
      show_end (tap, channel, ended[0]);
      return CHANNEL_OVER;
    }
    show_next (tap, channel, time[0] <= time[1] ? 0 : 1);
  }
  return CHANNEL_MORE;
}

static void
take_arrivals (FarTap *tap)
{
  g_mutex_lock (&tap->lock);
  while (tap->arrivals->len > 0)
    g_ptr_array_add (tap->channels, g_ptr_array_steal_index (tap->arrivals, 0));
  g_mutex_unlock (&tap->lock);
}

static void
show_missed (FarTap *tap)
{
  guint64 legs = __atomic_exchange_n (&tap->missed, 0, __ATOMIC_SEQ_CST);
  if (legs > 0 && tap->spec.funcs->missed != NULL && !tap_is_over (tap))
    tap->spec.funcs->missed (tap->spec.data, legs);
}

static gboolean
look_once (FarTap *tap)
{
  gboolean more = FALSE;
  take_arrivals (tap);
  show_missed (tap);
  for (guint i = 0; i < tap->channels->len && !tap_is_over (tap);) {
    ChannelState state = channel_look (tap, g_ptr_array_index (tap->channels, i));
    more |= state == CHANNEL_MORE;
    if (state == CHANNEL_OVER)
      g_ptr_array_remove_index (tap->channels, i);
    else
      i++;
  }
  return more;
}

static void
tap_look (gpointer data)
{
  FarTap *tap = data;
  if (look_once (tap)) {
    tap_post (tap);
  } else {
    __atomic_store_n (&tap->sleeps, 1, __ATOMIC_SEQ_CST);
    if (look_once (tap)) /* a writer may have woken it already */
      far_tap_wake (tap);
  }
  far_tap_unref (tap);
}

static void
tap_end (gpointer data)
{
  FarTap *tap = data;
  g_mutex_lock (&tap->lock);
  tap->gone = TRUE;
  g_mutex_unlock (&tap->lock);
  take_arrivals (tap);
  g_ptr_array_set_size (tap->channels, 0);
  if (tap->spec.free_data != NULL)
    tap->spec.free_data (tap->spec.data);
  far_tap_unref (tap);
}

/* ---- for legs ---- */

gboolean
far_tap_wants (FarTap *tap, const FarLeg *leg)
{
  return far_leg_matches (leg, &tap->spec.match);
}

static void
tap_miss (FarTap *tap)
{
  __atomic_add_fetch (&tap->missed, 1, __ATOMIC_SEQ_CST);
  far_tap_wake (tap);
}

gboolean
far_tap_arrive (FarTap *tap, FarLeg *leg, FarTapPort *port[2])
{
  if (__atomic_load_n (&tap->unseen, __ATOMIC_SEQ_CST) >= FAR_TAP_UNSEEN) {
    tap_miss (tap);
    return FALSE;
  }
  TapChannel *channel = g_new0 (TapChannel, 1);
  channel->leg = far_leg_ref (leg);
  for (guint d = 0; d < 2; d++)
    channel->port[d] = port[d] = far_tap_port_new (tap->spec.ring, tap, leg->datagrams);
  g_mutex_lock (&tap->lock);
  g_ptr_array_add (tap->arrivals, channel);
  g_mutex_unlock (&tap->lock);
  far_tap_wake (tap);
  return TRUE;
}

/* ---- for owners ---- */

FarTap *
far_leg_tap (const FarTapSpec *spec)
{
  FarTap *tap = g_new0 (FarTap, 1);
  tap->refs = 1;
  tap->spec = *spec;
  tap->spec.match.session = tap->session = g_strdup (spec->match.session);
  tap->spec.match.target = tap->target = g_strdup (spec->match.target);
  tap->spec.match.inner = tap->inner = g_strdup (spec->match.inner);
  tap->spec.ring = spec->ring == 0 ? FAR_TAP_RING : MAX (spec->ring, FAR_TAP_RING_LEAST);
  tap->sleeps = 1;
  g_mutex_init (&tap->lock);
  tap->arrivals = g_ptr_array_new_with_free_func (channel_free);
  tap->channels = g_ptr_array_new_with_free_func (channel_free);
  tap->legs = far_legs_here ();
  far_legs_tap (tap->legs, tap);
  return tap;
}

void
far_leg_untap (FarTap *tap)
{
  if (tap == NULL)
    return;
  g_atomic_int_set (&tap->over, 1);
  far_legs_untap (tap->legs, tap);
  far_loop_post (tap->spec.loop, tap_end, tap);
}
