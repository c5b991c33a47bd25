/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pumps as seen from outside: where they run, what they are told, what they report. */
#include "config.h"

#include "loop/loop-private.h"
#include "stream/leg-private.h"
#include "stream/memory-trim.h"

static gint pumps; /* atomic: those that have not told their end */

guint
far_pumps_alive (void)
{
  return (guint) g_atomic_int_get (&pumps);
}

FarPump *
far_pump_ref (FarPump *pump)
{
  g_atomic_int_inc (&pump->refs);
  return pump;
}

void
far_pump_unref (FarPump *pump)
{
  if (!g_atomic_int_dec_and_test (&pump->refs))
    return;
  far_leg_unref (pump->leg);
  g_free (pump);
}

void
far_pump_set_cause (FarPump *pump, const char *cause)
{
  const char *none = NULL;
  __atomic_compare_exchange_n (&pump->cause, &none, g_intern_string (cause), FALSE, __ATOMIC_SEQ_CST,
                               __ATOMIC_SEQ_CST);
}

/* ---- reports, on main ---- */

static FarPumpCounters
counters_now (FarPump *pump)
{
  return (FarPumpCounters){ .bytes_ab = __atomic_load_n (&pump->bytes[0], __ATOMIC_RELAXED),
                            .bytes_ba = __atomic_load_n (&pump->bytes[1], __ATOMIC_RELAXED),
                            .frames_ab = __atomic_load_n (&pump->frames[0], __ATOMIC_RELAXED),
                            .frames_ba = __atomic_load_n (&pump->frames[1], __ATOMIC_RELAXED),
                            .dropped_ab = __atomic_load_n (&pump->dropped[0], __ATOMIC_RELAXED),
                            .dropped_ba = __atomic_load_n (&pump->dropped[1], __ATOMIC_RELAXED) };
}

static void
tell_counters (gpointer data)
{
  FarPump *pump = data;
  FarPumpCounters now = counters_now (pump);
  g_atomic_int_set (&pump->counters_wait, 0);
  pump->spec.counters (pump, &now, pump->spec.user);
  far_pump_unref (pump);
}

void
far_pump_report (FarPump *pump)
{
  if (g_atomic_int_compare_and_exchange (&pump->counters_wait, 0, 1))
    far_loop_post (far_loop_main (), tell_counters, far_pump_ref (pump));
}

static void
tell_closed (gpointer data)
{
  FarPump *pump = data;
  FarPumpCounters total = counters_now (pump);
  if (pump->spec.closed != NULL)
    pump->spec.closed (pump, &total, pump->cause, pump->spec.user);
  if (g_atomic_int_dec_and_test (&pumps))
    far_memory_trim_soon ();
  far_pump_unref (pump);
}

void
far_pump_half_over (FarPump *pump)
{
  if (!g_atomic_int_dec_and_test (&pump->alive))
    return;
  far_legs_over (pump->legs, pump);
  far_loop_post (far_loop_main (), tell_closed, pump);
}

/* ---- start ---- */

static void
start_half (gpointer data)
{
  FarPumpHalf *half = data;
  far_pump_half_start (half);
  far_pump_unref (half->pump);
}

static void
move_end (gpointer data)
{
  FarPumpHalf *half = data;
  for (guint i = 0; i < 2; i++)
    if (half->end[i]->loop != half->loop)
      half->end[i]->klass->move (half->end[i], half->loop);
  far_loop_post (half->loop, start_half, half);
}

static gboolean
can_come (const FarStream *stream, const FarLoop *loop)
{
  return stream->loop == loop || (stream->klass->movable && loop->sort == FAR_LOOP_WORKER);
}

static FarPumpHalf *
add_half (FarPump *pump, FarLoop *loop, FarStream *towards_a, FarStream *towards_b)
{
  FarPumpHalf *half = &pump->half[pump->n_halves++];
  half->pump = pump;
  half->loop = half->from = loop;
  half->end[0] = towards_a;
  half->end[1] = towards_b;
  half->deadline_us = pump->spec.deadline_us;
  return half;
}

/* One half at loop; the end that lives elsewhere comes over first. */
static void
join_at (FarPump *pump, FarLoop *loop, FarStream *a, FarStream *b)
{
  FarPumpHalf *half = add_half (pump, loop, a, b);
  half->from = a->loop != loop ? a->loop : b->loop;
  half->counts[0] = half->counts[1] = TRUE;
}

static void
join_by_rings (FarPump *pump, FarStream *a, FarStream *b)
{
  FarStream *ring_a, *ring_b;
  FarLoop *loop_a = a->loop, *loop_b = b->loop;
  (pump->datagrams ? far_ring_pair_datagrams : far_ring_pair) (loop_a, loop_b, &ring_a, &ring_b);
  FarPumpHalf *first = add_half (pump, loop_a, a, ring_a), *second = add_half (pump, loop_b, ring_b, b);
  second->counts[0] = first->counts[1] = TRUE; /* a byte counts, and is shown, when it reaches its real end */
}

static void
join_ends (FarPump *pump, FarStream *a, FarStream *b)
{
  if (can_come (a, b->loop))
    join_at (pump, b->loop, a, b);
  else if (can_come (b, a->loop))
    join_at (pump, a->loop, a, b);
  else
    join_by_rings (pump, a, b);
}

static FarPump *
pump_new (const FarPumpSpec *spec, gboolean datagrams)
{
  FarPump *pump = g_new0 (FarPump, 1);
  g_atomic_int_inc (&pumps);
  pump->refs = 1; /* until closed() was told */
  pump->spec = *spec;
  pump->active_us = far_clock_boottime_us ();
  pump->leg = far_leg_new (spec, datagrams, pump->active_us);
  pump->legs = far_legs_here ();
  pump->spec.session = pump->leg->session;
  pump->datagrams = datagrams;
  return pump;
}

/* Frames of one kind would become frames of another: such ends are closed before anything moves. */
static void
refuse_mismatch (FarPump *pump)
{
  for (guint i = 0; i < pump->n_halves; i++)
    for (guint end = 0; end < 2; end++)
      if (pump->half[i].end[end]->klass->datagrams != pump->datagrams)
        for (guint all = 0; all < pump->n_halves; all++)
          pump->half[all].wanted = "datagrams and bytes cannot be joined";
}

/* From the first post on, halves may end. */
static FarPump *
pump_begin (FarPump *pump)
{
  guint n = pump->n_halves;
  refuse_mismatch (pump);
  pump->alive = (gint) n;
  pump->refs += (gint) n;
  far_legs_began (pump->legs, pump);
  for (guint i = 0; i < n; i++) {
    FarPumpHalf *half = &pump->half[i];
    far_loop_post (half->from, half->from == half->loop ? start_half : move_end, half);
  }
  return pump;
}

FarPump *
far_pump_start (FarStream *a, FarStream *b, const FarPumpSpec *spec)
{
  FarPump *pump = pump_new (spec, a->klass->datagrams);
  join_ends (pump, a, b);
  return pump_begin (pump);
}

FarPump *
far_pump_start_split (FarStream *a_in, FarStream *a_out, FarStream *b_in, FarStream *b_out,
                      const FarPumpSpec *spec)
{
  FarPump *pump = pump_new (spec, a_in->klass->datagrams);
  pump->split = TRUE;
  join_ends (pump, a_in, b_out);
  guint forth = pump->n_halves;
  join_ends (pump, a_out, b_in);
  for (guint i = 0; i < pump->n_halves; i++) {
    FarPumpHalf *half = &pump->half[i];
    half->one_way = TRUE;
    half->way = i < forth ? 0 : 1;
    half->done[!half->way] = TRUE;
  }
  return pump_begin (pump);
}

/* ---- commands ---- */

typedef struct {
  FarPumpHalf *half;
  void (*run) (FarPumpHalf *half, gint64 value, const char *cause);
  gint64 value;
  const char *cause;
} PumpCommand;

static void
run_command (gpointer data)
{
  PumpCommand *command = data;
  if (!command->half->over)
    command->run (command->half, command->value, command->cause);
  far_pump_unref (command->half->pump);
  g_free (command);
}

static void
command_all (FarPump *pump, void (*run) (FarPumpHalf *, gint64, const char *), gint64 value,
             const char *cause)
{
  for (guint i = 0; i < pump->n_halves; i++) {
    PumpCommand *command = g_new (PumpCommand, 1);
    *command = (PumpCommand){ &pump->half[i], run, value, cause };
    far_pump_ref (pump);
    far_loop_post (pump->half[i].loop, run_command, command);
  }
}

static void
pump_do_hold (FarPumpHalf *half, gint64 value, const char *cause)
{
  far_pump_half_hold (half, value != 0);
}

static void
do_deadline (FarPumpHalf *half, gint64 value, const char *cause)
{
  far_pump_half_deadline (half, value);
}

static void
do_close (FarPumpHalf *half, gint64 value, const char *cause)
{
  far_pump_half_close (half, cause);
}

void
far_pump_hold (FarPump *pump, gboolean hold)
{
  command_all (pump, pump_do_hold, hold, NULL);
}

void
far_pump_set_deadline (FarPump *pump, gint64 deadline_us)
{
  command_all (pump, do_deadline, deadline_us, NULL);
}

void
far_pump_close (FarPump *pump, const char *cause)
{
  command_all (pump, do_close, 0, far_cause (cause));
}

/* ---- taps ---- */

typedef struct {
  FarPumpHalf *half;
  guint d;
  FarTapPort *port; /* NULL: those of tap go */
  FarTap *tap;
} PortCommand;

static void
run_port_command (gpointer data)
{
  PortCommand *command = data;
  if (command->port != NULL) {
    far_pump_half_add_port (command->half, command->d, command->port);
  } else {
    far_pump_half_remove_ports (command->half, command->tap);
    far_tap_unref (command->tap);
  }
  far_pump_unref (command->half->pump);
  g_free (command);
}

static void
post_port_command (FarPumpHalf *half, guint d, FarTapPort *port, FarTap *tap)
{
  PortCommand *command = g_new (PortCommand, 1);
  *command = (PortCommand){ half, d, port, tap };
  far_pump_ref (half->pump);
  far_loop_post (half->loop, run_port_command, command);
}

/* One half counts a direction; with the two directions apart it moves no other. */
static gboolean
is_real_end (const FarPumpHalf *half, guint d)
{
  return half->counts[d] && (!half->one_way || half->way == d);
}

void
far_pump_add_port (FarPump *pump, guint d, FarTapPort *port, gboolean running)
{
  for (guint i = 0; i < pump->n_halves; i++)
    if (is_real_end (&pump->half[i], d)) {
      if (running)
        post_port_command (&pump->half[i], d, port, NULL);
      else
        far_pump_half_add_port (&pump->half[i], d, port);
      return;
    }
}

void
far_pump_remove_ports (FarPump *pump, FarTap *tap)
{
  for (guint i = 0; i < pump->n_halves; i++)
    post_port_command (&pump->half[i], 0, NULL, far_tap_ref (tap));
}
