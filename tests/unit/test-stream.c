/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Joins each pair of kinds of end and drives them from outside. */
#include "unit/stream-pair.h"
#include <stdlib.h>

#define AMOUNT (1536 * 1024)

typedef struct {
  int fd;
  guint32 seed;
  gsize amount, done;
  gboolean good, slow, end_after;
} Flow;

static guint8
nth_byte (guint32 seed, gsize i)
{
  guint32 x = (guint32) (i * 2654435761u) ^ seed ^ (guint32) (i >> 13);
  return (guint8) (x >> 11);
}

static gsize
random_size (GRand *random)
{
  return g_rand_boolean (random) ? g_rand_int_range (random, 1, 200) : g_rand_int_range (random, 1, 60000);
}

static gpointer
send_flow (gpointer data)
{
  Flow *flow = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (flow->seed);
  g_autofree guint8 *part = g_malloc (60000);
  while (flow->done < flow->amount) {
    gsize wish = random_size (random), n = MIN (wish, flow->amount - flow->done);
    for (gsize i = 0; i < n; i++)
      part[i] = nth_byte (flow->seed, flow->done + i);
    for (gsize at = 0; at < n;) {
      gssize sent = send (flow->fd, part + at, n - at, MSG_NOSIGNAL);
      if (sent <= 0)
        return NULL;
      at += sent;
    }
    flow->done += n;
    if (flow->slow && g_rand_int_range (random, 0, 20) == 0)
      g_usleep (300);
  }
  if (flow->end_after)
    shutdown (flow->fd, SHUT_WR);
  return NULL;
}

static gpointer
receive_flow (gpointer data)
{
  Flow *flow = data;
  g_autoptr (GRand) random = g_rand_new_with_seed (flow->seed + 1);
  g_autofree guint8 *part = g_malloc (60000);
  flow->good = TRUE;
  for (;;) {
    gssize got = recv (flow->fd, part, random_size (random), 0);
    if (got <= 0) {
      flow->good &= got == 0 && flow->done == flow->amount;
      return NULL;
    }
    for (gssize i = 0; i < got; i++)
      flow->good &= part[i] == nth_byte (flow->seed, flow->done + i);
    flow->done += got;
    if (flow->slow && g_rand_int_range (random, 0, 20) == 0)
      g_usleep (300);
  }
}

typedef struct {
  Loops loops;
  int a, b;
  Report report;
  FarPump *pump;
} Joined;

static void
join (Joined *joined, Kind kind_a, Kind kind_b, gint64 deadline_us)
{
  FarPumpSpec spec = { .session = "s",
                       .deadline_us = deadline_us,
                       .counters = report_counters,
                       .closed = report_closed,
                       .user = &joined->report };
  loops_start (&joined->loops);
  FarStream *a = end_make (&joined->loops, kind_a, &joined->a),
            *b = end_make (&joined->loops, kind_b, &joined->b);
  joined->pump = far_pump_start (a, b, &spec);
}

static void
part (Joined *joined)
{
  close (joined->a);
  close (joined->b);
  report_wait (&joined->report);
  loops_stop (&joined->loops);
}

static void
pair_of (int i, Kind *a, Kind *b)
{
  *a = i / N_KINDS;
  *b = i % N_KINDS;
}

/* Both directions at once, then each end of input goes through on its own. */
START_TEST (all_bytes_both_ways)
{
  Joined joined = { .a = -1 };
  Kind a, b;
  pair_of (_i, &a, &b);
  join (&joined, a, b, 0);
  Flow flows[4] = {
    { .fd = joined.a, .seed = 11, .amount = AMOUNT, .end_after = TRUE },
    { .fd = joined.b, .seed = 11, .amount = AMOUNT, .slow = TRUE },
    { .fd = joined.b, .seed = 99, .amount = AMOUNT / 2, .slow = TRUE, .end_after = TRUE },
    { .fd = joined.a, .seed = 99, .amount = AMOUNT / 2 },
  };
  GThread *threads[4];
  for (int i = 0; i < 4; i++)
    threads[i] = g_thread_new ("flow", i % 2 ? receive_flow : send_flow, &flows[i]);
  report_wait (&joined.report);
  for (int i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  ck_assert_msg (flows[1].good, "%s -> %s: %zu bytes", kind_names[a], kind_names[b], flows[1].done);
  ck_assert_msg (flows[3].good, "%s <- %s: %zu bytes", kind_names[a], kind_names[b], flows[3].done);
  ck_assert_uint_eq (joined.report.total.bytes_ab, AMOUNT);
  ck_assert_uint_eq (joined.report.total.bytes_ba, AMOUNT / 2);
  ck_assert_msg (g_str_has_prefix (joined.report.cause, "end of "), "%s", joined.report.cause);
  part (&joined);
}
END_TEST

/* A half-closed connection still answers. */
START_TEST (half_close)
{
  Joined joined = { .a = -1 };
  Kind a, b;
  char text[64];
  pair_of (_i, &a, &b);
  join (&joined, a, b, 0);
  ck_assert_int_eq (send (joined.a, "question", 8, 0), 8);
  shutdown (joined.a, SHUT_WR);
  gssize got = recv (joined.b, text, sizeof text, MSG_WAITALL); /* returns at the end of input */
  ck_assert_int_eq (got, 8);
  help_spin (5);
  ck_assert_int_eq (joined.report.closed, 0);
  ck_assert_int_eq (send (joined.b, "answer", 6, 0), 6);
  shutdown (joined.b, SHUT_WR);
  got = recv (joined.a, text, sizeof text, MSG_WAITALL);
  ck_assert_int_eq (got, 6);
  report_wait (&joined.report);
  ck_assert_str_eq (joined.report.cause, "end of a");
  part (&joined);
}
END_TEST

/* Fills the way until nothing moves any more; the amount. */
static gsize
fill (int fd)
{
  g_autofree char *part_ = g_malloc0 (65536);
  gsize total = 0;
  for (int still = 0; still < 10;) {
    gssize sent = send (fd, part_, 65536, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      total += sent;
      still = 0;
    } else {
      still++;
      g_usleep (3000);
    }
  }
  return total;
}

static gsize
drain (int fd, int *code)
{
  g_autofree char *part_ = g_malloc (65536);
  gsize total = 0;
  gssize got;
  while ((got = recv (fd, part_, 65536, 0)) > 0)
    total += got;
  *code = got < 0 ? errno : 0;
  return total;
}

static gboolean
is_tls (Kind kind)
{
  return kind == KIND_TLS_ONE || kind == KIND_TLS_CLIENT;
}

/* At the deadline data waits in every buffer on the way: what the reader has not yet got, it never gets. */
START_TEST (deadline_while_blocked)
{
  Joined joined = { .a = -1 };
  Kind a, b;
  int waiting = 0, code;
  pair_of (_i, &a, &b);
  join (&joined, a, b, far_clock_boottime_us () + SECONDS (600));
  gsize sent = fill (joined.a);
  ck_assert (far_clock_advance (SECONDS (601)));
  help_wait (&joined.report.closed);
  ck_assert_str_eq (joined.report.cause, "deadline");
  /* what the other side's own program has got already is out of our hands; what waited on our side is not
   * delivered */
  if (is_tls (b)) {
    ck_assert_uint_lt (drain (joined.b, &code), sent);
    report_wait (&joined.report);
    part (&joined);
    return;
  }
  if (!is_tls (a))
    report_wait (&joined.report);
  ck_assert_int_eq (ioctl (joined.b, FIONREAD, &waiting), 0);
  gsize got = drain (joined.b, &code);
  ck_assert_uint_eq (got, waiting);
  ck_assert_uint_lt (got, sent);
  ck_assert_int_eq (code, b == KIND_TCP_ONE ? ECONNRESET : 0);
  report_wait (&joined.report);
  part (&joined);
}
END_TEST

/* Held: nothing moves; the deadline still does. */
START_TEST (hold_then_deadline)
{
  Joined joined = { .a = -1 };
  Kind a, b;
  char text[8];
  pair_of (_i, &a, &b);
  join (&joined, a, b, far_clock_boottime_us () + SECONDS (600));
  ck_assert_int_eq (send (joined.a, "x", 1, 0), 1);
  ck_assert_int_eq (recv (joined.b, text, 1, 0), 1);
  far_pump_hold (joined.pump, TRUE);
  for (int i = 0; i < 3; i++) {
    help_settle (joined.loops.one);
    help_settle (joined.loops.two);
    help_settle (joined.loops.library.loop);
  }
  ck_assert_int_eq (send (joined.a, "y", 1, 0), 1);
  g_usleep (5000);
  ck_assert_int_eq (recv (joined.b, text, 1, MSG_DONTWAIT), -1);
  far_pump_hold (joined.pump, FALSE);
  ck_assert_int_eq (recv (joined.b, text, 1, 0), 1);
  far_pump_hold (joined.pump, TRUE);
  ck_assert (far_clock_advance (SECONDS (601)));
  report_wait (&joined.report);
  ck_assert_str_eq (joined.report.cause, "deadline");
  part (&joined);
}
END_TEST

/* Where all that was sent has been read already, a close is an orderly one, and who is behind it cannot tell
 * it from the end of one direction until it writes. */
static void
talk_until_closed (int fd, const Report *report)
{
  gint64 end = g_get_monotonic_time () + SECONDS (20);

  while (!g_atomic_int_get (&report->closed) && g_get_monotonic_time () < end) {
    send (fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  }
  ck_assert (g_atomic_int_get (&report->closed));
}

/* One side dies while the other has filled the way and goes on, in both orders. The helper pumps are waited
 * for when both descriptors outside are closed. */
START_TEST (death_of_an_end)
{
  Joined joined = { .a = -1 };
  Kind a, b;
  struct linger at_once = { 1, 0 };
  pair_of (_i, &a, &b);
  for (int first = 0; first < 2; first++) {
    joined.report = (Report){ 0 };
    join (&joined, a, b, 0);
    fill (first == 0 ? joined.a : joined.b);
    int *dies = first == 0 ? &joined.b : &joined.a;
    setsockopt (*dies, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close (*dies);
    *dies = -1;
    talk_until_closed (first == 0 ? joined.a : joined.b, &joined.report);
    ck_assert_ptr_nonnull (joined.report.cause);
    part (&joined);
  }
}
END_TEST

/* Texts that peers make up do not fill the memory. */
START_TEST (causes_are_bounded)
{
  guint own = 0;
  for (guint i = 0; i < 5000; i++) {
    g_autofree char *text = g_strdup_printf ("peer's text %u", i);
    const char *cause = far_cause (text);
    own += strcmp (cause, text) == 0;
    ck_assert (strcmp (cause, text) == 0 || strcmp (cause, "closed") == 0);
  }
  ck_assert_uint_gt (own, 100);
  ck_assert_uint_le (own, 1024);
  ck_assert_str_eq (far_cause ("peer's text 0"), "peer's text 0"); /* known */
}
END_TEST

START_TEST (close_reaches_both)
{
  Joined joined = { .a = -1 };
  Kind a, b;
  char text[8];
  pair_of (_i, &a, &b);
  join (&joined, a, b, 0);
  far_pump_close (joined.pump, "asked"); /* may come before the pump began */
  ck_assert_int_le (recv (joined.a, text, 1, 0), 0);
  ck_assert_int_le (recv (joined.b, text, 1, 0), 0);
  report_wait (&joined.report);
  ck_assert_str_eq (joined.report.cause, "asked");
  part (&joined);
}
END_TEST

/* ---- the fd stream by itself ---- */

typedef struct {
  FarLoop *loop;
  FarStream *first, *second;
  char *seen;
  int outside;
} Lone;

static void
peek_two (gpointer data)
{
  Lone *lone = data;
  FarBurst batch;
  lone->first->klass->peek (lone->first, &batch);
  ck_assert_uint_eq (batch.bytes, 5);
  lone->first->klass->consume (lone->first, 2);
  /* takes the scratch: the rest of the first must survive */
  lone->second->klass->peek (lone->second, &batch);
  ck_assert_uint_eq (batch.bytes, 5);
  lone->second->klass->consume (lone->second, 5);
  memset (far_loop_scratch (lone->loop), 'z', FAR_SCRATCH_SIZE);
  lone->first->klass->peek (lone->first, &batch);
  lone->seen = g_strndup ((const char *) batch.frames[0].data, batch.bytes);
  lone->first->klass->consume (lone->first, batch.bytes);
  far_stream_free (lone->first);
  far_stream_free (lone->second);
}

START_TEST (unconsumed_bytes_survive)
{
  Lone lone = { .loop = far_loop_io_new ("w") };
  int one[2], two[2];
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, one) | socketpair (AF_UNIX, SOCK_STREAM, 0, two), 0);
  lone.first = far_stream_fd_new (lone.loop, one[0]);
  lone.second = far_stream_fd_new (lone.loop, two[0]);
  ck_assert_int_eq (write (one[1], "hello", 5), 5);
  ck_assert_int_eq (write (two[1], "world", 5), 5);
  far_loop_call (lone.loop, peek_two, &lone);
  ck_assert_str_eq (lone.seen, "llo");
  g_free (lone.seen);
  close (one[1]);
  close (two[1]);
  far_loop_io_free (lone.loop);
}
END_TEST

/* ---- a descriptor that the kernel does not watch (here: it is watched already) ---- */

typedef struct {
  FarLoop *loop;
  int fd;
  FarWatch *watch;
  FarStream *stream;
  gint dead;
} Deaf;

static void
deaf_ignores (int fd, guint ready, gpointer data)
{
}

static void
deaf_ready (FarStream *stream, guint ready, gpointer user)
{
  if (ready & FAR_READY_CLOSED)
    g_atomic_int_set (&((Deaf *) user)->dead, 1);
}

static void
deaf_begin (gpointer data)
{
  Deaf *deaf = data;
  FarBurst batch;
  deaf->watch = far_loop_watch (deaf->loop, deaf->fd, 0, deaf_ignores, deaf);
  deaf->stream = far_stream_fd_new (deaf->loop, deaf->fd);
  far_stream_take (deaf->stream, deaf_ready, deaf);
  deaf->stream->klass->peek (deaf->stream, &batch);
}

static void
deaf_end (gpointer data)
{
  Deaf *deaf = data;
  far_watch_free (deaf->watch);
  far_stream_free (deaf->stream);
}

START_TEST (an_unwatched_stream_dies_with_a_cause)
{
  Deaf deaf = { .loop = far_loop_io_new ("w") };
  int pair[2];
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, pair), 0);
  deaf.fd = pair[0];
  far_loop_call (deaf.loop, deaf_begin, &deaf);
  help_wait (&deaf.dead);
  ck_assert_str_eq (deaf.stream->cause, "the system does not watch its descriptor");
  far_loop_call (deaf.loop, deaf_end, &deaf);
  far_loop_io_free (deaf.loop);
  close (pair[1]);
}
END_TEST

/* A peer that answers and resets: the answer is read, then the end, then the death. */
START_TEST (answer_before_reset)
{
  Joined joined = { .a = -1 };
  struct linger at_once = { 1, 0 };
  char text[16];
  join (&joined, KIND_UNIX_ONE, KIND_TCP_ONE, 0);
  far_pump_hold (joined.pump, TRUE);
  help_settle (joined.loops.one);
  help_settle (joined.loops.one);
  ck_assert_int_eq (send (joined.b, "answer", 6, 0), 6);
  ck_assert_int_eq (send (joined.a, "more", 4, 0), 4);
  setsockopt (joined.b, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close (joined.b);
  joined.b = -1;
  far_pump_hold (joined.pump, FALSE);
  ck_assert_int_eq (recv (joined.a, text, sizeof text, MSG_WAITALL), 6);
  report_wait (&joined.report);
  part (&joined);
}
END_TEST

/* An end that comes with the last bytes, just before or just after they are read, is seen: it is told once.
 */
START_TEST (end_beside_short_reads)
{
  char text[16];
  for (guint round = 0; round < 100; round++) {
    Joined joined = { .a = -1 };
    join (&joined, KIND_UNIX_ONE, KIND_TCP_ONE, 0);
    for (guint i = 0; i < 3; i++) { /* the descriptor is watched from here on */
      ck_assert_int_eq (send (joined.b, "ask", 3, 0), 3);
      ck_assert_int_eq (recv (joined.a, text, 3, MSG_WAITALL), 3);
    }
    ck_assert_int_eq (send (joined.b, "last", 4, 0), 4);
    for (guint spin = (round % 10) * 200; spin > 0; spin--)
      __asm__ volatile("" : : : "memory");
    shutdown (joined.b, SHUT_WR);
    ck_assert_int_eq (recv (joined.a, text, 4, MSG_WAITALL), 4);
    ck_assert_int_eq (recv (joined.a, text, 1, 0), 0);
    shutdown (joined.a, SHUT_WR);
    report_wait (&joined.report);
    part (&joined);
  }
}
END_TEST

/* A device that sends urgent data (the Synch of Telnet): a read stops before it, and what came behind must
 * not wait for the next packet. */
START_TEST (bytes_behind_urgent_ones)
{
  char text[16] = "";
  for (guint round = 0; round < 50; round++) {
    Joined joined = { .a = -1 };
    join (&joined, KIND_UNIX_ONE, KIND_TCP_ONE, 0);
    ck_assert_int_eq (send (joined.b, "ask", 3, 0), 3);
    ck_assert_int_eq (recv (joined.a, text, 3, MSG_WAITALL), 3);
    far_pump_hold (joined.pump, round % 2 == 0);
    help_settle (joined.loops.one);
    ck_assert_int_eq (send (joined.b, "abc", 3, 0), 3);
    ck_assert_int_eq (send (joined.b, "\xf2", 1, MSG_OOB), 1);
    ck_assert_int_eq (send (joined.b, "prompt> ", 8, 0), 8);
    far_pump_hold (joined.pump, FALSE);
    ck_assert_int_eq (recv (joined.a, text, 11, MSG_WAITALL), 11);
    ck_assert_int_eq (memcmp (text, "abcprompt> ", 11), 0);
    shutdown (joined.a, SHUT_WR);
    shutdown (joined.b, SHUT_WR);
    report_wait (&joined.report);
    part (&joined);
  }
}
END_TEST

/* FIRST=n LAST=m in the environment: only these pairs. */
static int
limit (const char *name, int fallback)
{
  const char *text = g_getenv (name);
  return text != NULL ? atoi (text) : fallback;
}

static void
add (Suite *suite, const char *name, const TTest *test, int n)
{
  TCase *group = tcase_create (name);
  tcase_set_timeout (group, 60);
  tcase_add_loop_test (group, test, limit ("FIRST", 0), limit ("LAST", n));
  suite_add_tcase (suite, group);
}

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("stream");
  add (suite, "bytes", all_bytes_both_ways, N_KINDS * N_KINDS);
  add (suite, "half close", half_close, N_KINDS * N_KINDS);
  add (suite, "deadline", deadline_while_blocked, N_KINDS * N_KINDS);
  add (suite, "hold", hold_then_deadline, N_KINDS * N_KINDS);
  add (suite, "death", death_of_an_end, N_KINDS * N_KINDS);
  add (suite, "close", close_reaches_both, N_KINDS * N_KINDS);
  add (suite, "causes", causes_are_bounded, 1);
  add (suite, "end", end_beside_short_reads, 1);
  add (suite, "urgent", bytes_behind_urgent_ones, 1);
  add (suite, "lone", unconsumed_bytes_survive, 1);
  add (suite, "reset", answer_before_reset, 1);
  add (suite, "deaf", an_unwatched_stream_dies_with_a_cause, 1);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
