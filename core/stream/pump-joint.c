/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A joint moves bursts between two streams of one loop. */
#include "config.h"

#include "stream/pump-private.h"

/* Batches in one turn; then others of the loop have theirs. */
#define TURN 16

static gboolean
can_move (const FarJoint *joint, guint d)
{
  return !joint->over && !joint->held && !joint->done[d] && joint->readable[d] && joint->writable[!d];
}

static void
free_all (FarJoint *joint)
{
  joint->over = TRUE;
  g_clear_pointer (&joint->deadline, far_loop_timer_free);
  g_clear_pointer (&joint->idle, far_loop_timer_free);
  g_clear_pointer (&joint->first, far_loop_timer_free);
  g_clear_pointer (&joint->report, far_loop_timer_free);
  g_clear_pointer (&joint->turn, far_deferred_free);
  for (guint i = 0; i < 2; i++) {
    far_stream_take (joint->end[i], NULL, NULL);
    g_clear_pointer (&joint->end[i], far_stream_free);
  }
  far_pump_joint_over (joint->pump);
}

static void
end_aborted (FarJoint *joint, const char *cause)
{
  far_pump_set_cause (joint->pump, cause);
  for (guint i = 0; i < 2; i++)
    if (!joint->end[i]->closed)
      joint->end[i]->klass->abort (joint->end[i], cause);
  free_all (joint);
}

/* An end that dies after its end of input was passed on has said all it had to say. */
static void
end_dead (FarJoint *joint, guint i)
{
  if (joint->done[i])
    free_all (joint);
  else
    end_aborted (joint, joint->end[i]->cause != NULL ? joint->end[i]->cause : "closed");
}

static void
check (FarJoint *joint)
{
  joint->now_us = far_clock_boottime_us ();
  if (joint->over)
    return;
  if (joint->wanted != NULL)
    end_aborted (joint, joint->wanted);
  else if (joint->deadline_us != 0 && joint->now_us >= joint->deadline_us)
    end_aborted (joint, "deadline");
  else if (joint->done[0] && joint->done[1])
    free_all (joint);
  else if (joint->dead[0] || joint->dead[1])
    end_dead (joint, joint->dead[0] ? 0 : 1);
}

static void
report_due (gpointer data)
{
  FarJoint *joint = data;
  g_clear_pointer (&joint->report, far_loop_timer_free);
  far_pump_report (joint->pump);
}

static void
count (FarJoint *joint, guint d, gsize bytes)
{
  FarPump *pump = joint->pump;
  __atomic_store_n (&pump->active_us, joint->now_us, __ATOMIC_RELAXED);
  if (!joint->counts[d])
    return;
  __atomic_add_fetch (&pump->bytes[d], bytes, __ATOMIC_RELAXED);
  if (pump->spec.counters != NULL && joint->report == NULL)
    joint->report = far_loop_timer (joint->loop, joint->now_us + G_USEC_PER_SEC, report_due, joint);
}

static void
show_tap (FarJoint *joint, guint d, const FarBurst *burst, gsize taken)
{
  const FarPumpSpec *spec = &joint->pump->spec;
  if (!joint->taps || spec->tap->bytes == NULL)
    return;
  for (guint i = 0; i < burst->n && taken > 0; i++) {
    gsize n = MIN (taken, burst->frames[i].size);
    spec->tap->bytes (spec->tap_data, d == 0, burst->frames[i].data, n, joint->now_us);
    taken -= n;
  }
}

static void
pass_end (FarJoint *joint, guint d)
{
  joint->done[d] = TRUE;
  far_pump_set_cause (joint->pump, d == 0 ? "end of a" : "end of b");
  joint->end[!d]->klass->shutdown (joint->end[!d], FAR_DIRECTION_WRITE);
}

static void
pump_joint_move (FarJoint *joint, guint d)
{
  FarStream *from = joint->end[d], *to = joint->end[!d];
  FarBurst burst;
  from->klass->peek (from, &burst);
  if (burst.n == 0) {
    joint->readable[d] = FALSE;
    if (burst.eof)
      pass_end (joint, d);
    return;
  }
  gsize taken = to->klass->write (to, &burst);
  if (taken < burst.bytes)
    joint->writable[!d] = FALSE;
  if (taken > 0) {
    show_tap (joint, d, &burst, taken);
    count (joint, d, taken);
  }
  from->klass->consume (from, taken);
}

void
far_joint_run (FarJoint *joint)
{
  if (joint->busy || !joint->started || joint->over)
    return;
  /* main may be told the end, and free the pump, before this turn is over */
  FarPump *pump = far_pump_ref (joint->pump);
  joint->busy = TRUE;
  check (joint);
  for (guint left = TURN; left > 0 && (can_move (joint, 0) || can_move (joint, 1)); left--) {
    if (can_move (joint, 0))
      pump_joint_move (joint, 0);
    if (can_move (joint, 1))
      pump_joint_move (joint, 1);
    check (joint);
  }
  joint->busy = FALSE;
  if (can_move (joint, 0) || can_move (joint, 1))
    far_deferred_ask (joint->turn);
  far_pump_unref (pump);
}

static void
run_turn (gpointer data)
{
  far_joint_run (data);
}

static void
end_ready (FarStream *stream, guint ready, gpointer user)
{
  FarJoint *joint = user;
  guint i = stream == joint->end[1];
  joint->readable[i] |= (ready & FAR_READY_READ) != 0;
  joint->writable[i] |= (ready & FAR_READY_WRITE) != 0;
  joint->dead[i] |= (ready & FAR_READY_CLOSED) != 0;
  if (joint->busy) /* told from inside a library that we called: the turn goes on with it */
    far_deferred_ask (joint->turn);
  else
    far_joint_run (joint);
}

static void
idle_due (gpointer data)
{
  FarJoint *joint = data;
  gint64 end = __atomic_load_n (&joint->pump->active_us, __ATOMIC_RELAXED) + joint->pump->spec.idle_us;
  if (far_clock_boottime_us () >= end)
    far_joint_close (joint, "idle");
  else
    far_loop_timer_set (joint->idle, end);
}

static void
first_due (gpointer data)
{
  FarJoint *joint = data;
  g_clear_pointer (&joint->first, far_loop_timer_free);
  if (__atomic_load_n (&joint->pump->bytes[0], __ATOMIC_RELAXED) == 0)
    far_joint_close (joint, "silent");
}

void
far_joint_start (FarJoint *joint)
{
  const FarPumpSpec *spec = &joint->pump->spec;
  joint->started = TRUE;
  joint->turn = far_deferred_new (joint->loop, run_turn, joint);
  for (guint i = 0; i < 2; i++) {
    joint->readable[i] = joint->writable[i] = TRUE;
    joint->dead[i] = joint->end[i]->closed;
    far_stream_take (joint->end[i], end_ready, joint);
  }
  far_joint_deadline (joint, joint->deadline_us);
  if (!joint->over && spec->idle_us > 0 && joint == &joint->pump->joint[0])
    joint->idle = far_loop_timer (joint->loop, far_clock_boottime_us () + spec->idle_us, idle_due, joint);
  if (!joint->over && spec->first_us > 0 && joint == &joint->pump->joint[0])
    joint->first = far_loop_timer (joint->loop, far_clock_boottime_us () + spec->first_us, first_due, joint);
  far_joint_run (joint);
}

void
far_joint_hold (FarJoint *joint, gboolean hold)
{
  joint->held = hold;
  far_joint_run (joint);
}

void
far_joint_deadline (FarJoint *joint, gint64 deadline_us)
{
  joint->deadline_us = deadline_us;
  if (!joint->started || joint->over)
    return;
  g_clear_pointer (&joint->deadline, far_loop_timer_free);
  if (deadline_us != 0)
    joint->deadline = far_loop_timer (joint->loop, deadline_us, run_turn, joint);
  far_joint_run (joint);
}

void
far_joint_close (FarJoint *joint, const char *cause)
{
  joint->wanted = g_intern_string (cause);
  far_joint_run (joint);
}
