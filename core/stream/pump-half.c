/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A half moves bursts between two streams of one loop. */
#include "config.h"

#include "stream/pump-private.h"

/* Batches in one turn; then others of the loop have theirs. */
#define TURN 16

static gboolean
can_move (const FarPumpHalf *half, guint d)
{
  return !half->over && !half->held && !half->done[d] && half->readable[d] && half->writable[!d];
}

/* ---- ports of taps ---- */

/* The other half may be setting it, at its own loop. */
static const char *
pump_half_cause (FarPumpHalf *half)
{
  return g_atomic_pointer_get (&half->pump->cause);
}

static void
end_ports (FarPumpHalf *half)
{
  for (guint d = 0; d < 2; d++) {
    for (guint i = 0; half->ports[d] != NULL && i < half->ports[d]->len; i++)
      far_tap_port_end (g_ptr_array_index (half->ports[d], i), pump_half_cause (half));
    g_clear_pointer (&half->ports[d], g_ptr_array_unref);
  }
}

void
far_pump_half_add_port (FarPumpHalf *half, guint d, FarTapPort *port)
{
  if (half->over) {
    far_tap_port_end (port, pump_half_cause (half));
    return;
  }
  if (half->ports[d] == NULL)
    half->ports[d] = g_ptr_array_new ();
  g_ptr_array_add (half->ports[d], port);
}

void
far_pump_half_remove_ports (FarPumpHalf *half, const FarTap *tap)
{
  for (guint d = 0; d < 2; d++)
    for (guint i = half->ports[d] != NULL ? half->ports[d]->len : 0; i-- > 0;)
      if (far_tap_port_tap (g_ptr_array_index (half->ports[d], i)) == tap)
        far_tap_port_unref (g_ptr_array_remove_index (half->ports[d], i));
}

/* One frame, or of bytes that part of it which was taken. at: bytes of this direction before it. */
static void
show_to_ports (GPtrArray *ports, const FarFrame *frame, guint64 at, gint64 now_us)
{
  for (guint i = 0; i < ports->len; i++)
    far_tap_port_put (g_ptr_array_index (ports, i), frame, at, now_us);
}

static void
show_taps (FarPumpHalf *half, guint d, const FarBurst *burst, gsize taken)
{
  guint64 at = __atomic_load_n (&half->pump->bytes[d], __ATOMIC_RELAXED);
  for (guint i = 0; i < burst->n && taken > 0; i++) {
    FarFrame frame = burst->frames[i];
    if (!half->pump->datagrams)
      frame.size = MIN (taken, frame.size);
    show_to_ports (half->ports[d], &frame, at, half->now_us);
    at += frame.size;
    taken -= half->pump->datagrams ? 1 : frame.size;
  }
}

/* ---- the ends ---- */

static void
free_all (FarPumpHalf *half)
{
  half->over = TRUE;
  end_ports (half);
  g_clear_pointer (&half->deadline, far_loop_timer_free);
  g_clear_pointer (&half->idle, far_loop_timer_free);
  g_clear_pointer (&half->first, far_loop_timer_free);
  g_clear_pointer (&half->report, far_loop_timer_free);
  g_clear_pointer (&half->turn, far_deferred_free);
  for (guint i = 0; i < 2; i++) {
    far_stream_take (half->end[i], NULL, NULL);
    g_clear_pointer (&half->end[i], far_stream_free);
  }
  far_pump_half_over (half->pump);
}

static void
end_aborted (FarPumpHalf *half, const char *cause)
{
  far_pump_set_cause (half->pump, cause);
  for (guint i = 0; i < 2; i++)
    if (!half->end[i]->closed)
      half->end[i]->klass->abort (half->end[i], cause);
  if (half->pump->split) /* the other direction's ends do not see it */
    far_pump_close (half->pump, cause);
  free_all (half);
}

/* An end that dies after its end of input was passed on has said all it had to say. */
static void
end_dead (FarPumpHalf *half, guint i)
{
  if (half->done[half->one_way ? half->way : i])
    free_all (half);
  else
    end_aborted (half, half->end[i]->cause != NULL ? half->end[i]->cause : "closed");
}

/* The end that a one-way half writes to is never read here, and would not tell of its death by that. */
static const char *
one_way_broken (const FarPumpHalf *half)
{
  return half->one_way ? half->end[!half->way]->broken : NULL;
}

static void
check (FarPumpHalf *half)
{
  half->now_us = far_clock_boottime_us ();
  if (half->over)
    return;
  if (half->wanted != NULL)
    end_aborted (half, half->wanted);
  else if (half->deadline_us != 0 && half->now_us >= half->deadline_us)
    end_aborted (half, "deadline");
  else if (half->done[0] && half->done[1])
    free_all (half);
  else if (half->dead[0] || half->dead[1])
    end_dead (half, half->dead[0] ? 0 : 1);
  else if (one_way_broken (half) != NULL)
    end_aborted (half, one_way_broken (half));
}

static void
report_due (gpointer data)
{
  FarPumpHalf *half = data;
  g_clear_pointer (&half->report, far_loop_timer_free);
  far_pump_report (half->pump);
}

static void
count (FarPumpHalf *half, guint d, gsize bytes, gsize frames)
{
  FarPump *pump = half->pump;
  __atomic_store_n (&pump->active_us, half->now_us, __ATOMIC_RELAXED);
  if (!half->counts[d])
    return;
  __atomic_add_fetch (&pump->bytes[d], bytes, __ATOMIC_RELAXED);
  if (pump->datagrams)
    __atomic_add_fetch (&pump->frames[d], frames, __ATOMIC_RELAXED);
  if (pump->spec.counters != NULL && half->report == NULL)
    half->report = far_loop_timer (half->loop, half->now_us + G_USEC_PER_SEC, report_due, half);
}

static void
pass_end (FarPumpHalf *half, guint d)
{
  half->done[d] = TRUE;
  far_pump_set_cause (half->pump, d == 0 ? "end of a" : "end of b");
  half->end[!d]->klass->shutdown (half->end[!d], FAR_DIRECTION_WRITE);
}

static gsize
bytes_of (const FarPump *pump, const FarBurst *burst, gsize taken)
{
  gsize bytes = 0;
  if (!pump->datagrams)
    return taken;
  for (gsize i = 0; i < taken; i++)
    bytes += burst->frames[i].size;
  return bytes;
}

/* What write took: it is shown and counts. */
static void
moved (FarPumpHalf *half, guint d, const FarBurst *burst, gsize taken)
{
  if (half->ports[d] != NULL)
    show_taps (half, d, burst, taken);
  count (half, d, bytes_of (half->pump, burst, taken), taken);
}

/* FALSE: there was nothing to move. */
static gboolean
move_burst (FarPumpHalf *half, guint d, FarBurst *burst)
{
  FarStream *from = half->end[d], *to = half->end[!d];
  from->klass->peek (from, burst);
  gsize amount = far_stream_amount (from, burst);
  if (amount == 0)
    return FALSE;
  gsize taken = to->klass->write (to, burst);
  if (taken < amount)
    half->writable[!d] = FALSE;
  if (taken > 0)
    moved (half, d, burst, taken);
  from->klass->consume (from, taken);
  return TRUE;
}

static void
pump_half_move (FarPumpHalf *half, guint d)
{
  FarBurst burst;
  guint64 dropped = half->end[0]->dropped + half->end[1]->dropped;
  if (!move_burst (half, d, &burst)) {
    half->readable[d] = FALSE;
    if (burst.eof)
      pass_end (half, d);
  }
  dropped = half->end[0]->dropped + half->end[1]->dropped - dropped;
  if (dropped > 0)
    __atomic_add_fetch (&half->pump->dropped[d], dropped, __ATOMIC_RELAXED);
}

void
far_pump_half_run (FarPumpHalf *half)
{
  if (half->busy || !half->started || half->over)
    return;
  /* Main may be told the end, and free the pump, before this turn is over. */
  FarPump *pump = far_pump_ref (half->pump);
  half->busy = TRUE;
  check (half);
  for (guint left = TURN; left > 0 && (can_move (half, 0) || can_move (half, 1)); left--) {
    if (can_move (half, 0))
      pump_half_move (half, 0);
    if (can_move (half, 1))
      pump_half_move (half, 1);
    check (half);
  }
  half->busy = FALSE;
  if (can_move (half, 0) || can_move (half, 1))
    far_deferred_ask (half->turn);
  far_pump_unref (pump);
}

static void
run_turn (gpointer data)
{
  far_pump_half_run (data);
}

static void
end_ready (FarStream *stream, guint ready, gpointer user)
{
  FarPumpHalf *half = user;
  guint i = stream == half->end[1];
  half->readable[i] |= (ready & FAR_READY_READ) != 0;
  half->writable[i] |= (ready & FAR_READY_WRITE) != 0;
  half->dead[i] |= (ready & FAR_READY_CLOSED) != 0;
  if (half->busy) /* told from inside a library that we called: the turn goes on with it */
    far_deferred_ask (half->turn);
  else
    far_pump_half_run (half);
}

static void
idle_due (gpointer data)
{
  FarPumpHalf *half = data;
  gint64 end = __atomic_load_n (&half->pump->active_us, __ATOMIC_RELAXED) + half->pump->spec.idle_us;
  if (far_clock_boottime_us () >= end)
    far_pump_half_close (half, "idle");
  else
    far_loop_timer_set (half->idle, end);
}

static void
first_due (gpointer data)
{
  FarPumpHalf *half = data;
  g_clear_pointer (&half->first, far_loop_timer_free);
  if (__atomic_load_n (&half->pump->bytes[0], __ATOMIC_RELAXED) == 0 &&
      __atomic_load_n (&half->pump->frames[0], __ATOMIC_RELAXED) == 0)
    far_pump_half_close (half, "silent");
}

void
far_pump_half_start (FarPumpHalf *half)
{
  const FarPumpSpec *spec = &half->pump->spec;
  half->started = TRUE;
  half->turn = far_deferred_new (half->loop, run_turn, half);
  for (guint i = 0; i < 2; i++) {
    half->readable[i] = half->writable[i] = TRUE;
    half->dead[i] = half->end[i]->closed;
    far_stream_take (half->end[i], end_ready, half);
  }
  far_pump_half_deadline (half, half->deadline_us);
  if (!half->over && spec->idle_us > 0 && (half == &half->pump->half[0] || half->pump->split))
    half->idle = far_loop_timer (half->loop, far_clock_boottime_us () + spec->idle_us, idle_due, half);
  if (!half->over && spec->first_us > 0 && half == &half->pump->half[0])
    half->first = far_loop_timer (half->loop, far_clock_boottime_us () + spec->first_us, first_due, half);
  far_pump_half_run (half);
}

void
far_pump_half_hold (FarPumpHalf *half, gboolean hold)
{
  half->held = hold;
  far_pump_half_run (half);
}

void
far_pump_half_deadline (FarPumpHalf *half, gint64 deadline_us)
{
  half->deadline_us = deadline_us;
  if (!half->started || half->over)
    return;
  g_clear_pointer (&half->deadline, far_loop_timer_free);
  if (deadline_us != 0)
    half->deadline = far_loop_timer (half->loop, deadline_us, run_turn, half);
  far_pump_half_run (half);
}

void
far_pump_half_close (FarPumpHalf *half, const char *cause)
{
  half->wanted = g_intern_string (cause);
  far_pump_half_run (half);
}
