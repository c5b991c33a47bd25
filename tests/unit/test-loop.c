/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This test covers loops: the order of posts, timers on the fake and the real clock, descriptors that are
 * freed while their event waits, and the end of an I/O thread. */
#include "unit/stream-help.h"
#include <stdlib.h>
#include <unistd.h>

typedef struct {
  FarLoop *loop;
  gint done;
  guint next[3];
  guint wrong;
  gboolean here;
} Order;

typedef struct {
  Order *order;
  guint from, n;
} Item;

static void
take_item (gpointer data)
{
  Item *item = data;
  Order *order = item->order;
  order->wrong += item->n != order->next[item->from]++ || !far_loop_is_here (order->loop);
  if (order->next[0] + order->next[1] + order->next[2] == 30000)
    g_atomic_int_set (&order->done, 1);
  g_free (item);
}

typedef struct {
  Order *order;
  guint from;
} Sender;

static gpointer
send_items (gpointer data)
{
  Sender *sender = data;
  for (guint n = 0; n < 10000; n++) {
    Item *item = g_new0 (Item, 1);
    *item = (Item){ sender->order, sender->from, n };
    far_loop_post (sender->order->loop, take_item, item);
  }
  return NULL;
}

static void
posts_keep_order (FarLoop *loop)
{
  Order order = { .loop = loop };
  Sender senders[3] = { { &order, 0 }, { &order, 1 }, { &order, 2 } };
  GThread *threads[2] = { g_thread_new ("s0", send_items, &senders[0]),
                          g_thread_new ("s1", send_items, &senders[1]) };
  send_items (&senders[2]);
  help_wait (&order.done);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  ck_assert_uint_eq (order.wrong, 0);
}

START_TEST (post_main)
{
  posts_keep_order (far_loop_main ());
}
END_TEST

START_TEST (post_worker)
{
  FarLoop *loop = far_loop_io_new ("w");
  posts_keep_order (loop);
  far_loop_io_free (loop);
}
END_TEST

static void
note_here (gpointer data)
{
  Order *order = data;
  order->here = far_loop_is_here (order->loop);
}

START_TEST (post_is_later)
{
  Order order = { .loop = far_loop_main () };
  far_loop_post (order.loop, note_here, &order);
  ck_assert (!order.here);
  help_spin (3);
  ck_assert (order.here);
}
END_TEST

START_TEST (call_waits)
{
  Order order = { .loop = far_loop_io_new ("w") };
  far_loop_call (order.loop, note_here, &order);
  ck_assert (order.here);
  ck_assert (!far_loop_is_here (order.loop));
  ck_assert_str_eq (far_loop_name (order.loop), "w");
  far_loop_io_free (order.loop);
}
END_TEST

static void
count_up (gpointer data)
{
  g_atomic_int_inc ((gint *) data);
}

START_TEST (freed_worker_runs_what_was_posted)
{
  FarLoop *loop = far_loop_io_new ("w");
  gint n = 0;
  for (int i = 0; i < 1000; i++)
    far_loop_post (loop, count_up, &n);
  far_loop_io_free (loop);
  ck_assert_int_eq (n, 1000);
}
END_TEST

START_TEST (later_runs_once_and_can_be_cancelled)
{
  gint n = 0;
  FarDeferred *later = far_deferred_new (far_loop_main (), count_up, &n);
  far_deferred_ask (later);
  far_deferred_ask (later);
  help_spin (3);
  ck_assert_int_eq (n, 1);
  far_deferred_ask (later);
  help_spin (3);
  ck_assert_int_eq (n, 2);
  far_deferred_ask (later);
  far_deferred_free (later);
  help_spin (3);
  ck_assert_int_eq (n, 2);
}
END_TEST

/* ---- timers ---- */

#define TIMERS 200
typedef struct {
  FarLoop *loop;
  FarLoopTimer *timer[TIMERS];
  gint64 at[TIMERS], last;
  guint fired, wrong;
} Heap;
typedef struct {
  Heap *heap;
  guint i;
} HeapItem;

static void
heap_fires (gpointer data)
{
  HeapItem *item = data;
  Heap *heap = item->heap;
  heap->wrong += heap->at[item->i] < heap->last || heap->at[item->i] > far_clock_boottime_us ();
  heap->last = heap->at[item->i];
  heap->fired++;
  g_clear_pointer (&heap->timer[item->i], far_loop_timer_free);
  if (item->i % 3 == 0 && item->i + 1 < TIMERS) /* frees another, which may be due in the same turn */
    g_clear_pointer (&heap->timer[item->i + 1], far_loop_timer_free);
}

START_TEST (timers_fire_in_order)
{
  Heap heap = { .loop = far_loop_main () };
  HeapItem items[TIMERS];
  gint64 base = far_clock_boottime_us () + SECONDS (3600);
  srand (7);
  for (guint i = 0; i < TIMERS; i++) {
    items[i] = (HeapItem){ &heap, i };
    heap.at[i] = base + rand () % 1000000;
    heap.timer[i] = far_loop_timer (heap.loop, base + rand () % 1000000, heap_fires, &items[i]);
    far_loop_timer_set (heap.timer[i], heap.at[i]);
  }
  help_spin (5);
  ck_assert_uint_eq (heap.fired, 0);
  ck_assert (far_clock_advance (SECONDS (3602)));
  help_spin (5);
  ck_assert_uint_eq (heap.wrong, 0);
  ck_assert_uint_ge (heap.fired, TIMERS / 2);
  for (guint i = 0; i < TIMERS; i++)
    ck_assert_ptr_null (heap.timer[i]);
}
END_TEST

typedef struct {
  FarLoop *loop;
  FarLoopTimer *timer;
  gint n;
  gint64 when;
} Ticker;

static void
tick (gpointer data)
{
  Ticker *ticker = data;
  g_atomic_int_inc (&ticker->n);
  far_loop_timer_set (ticker->timer, ticker->when); /* past: must not hold the loop in a loop */
}

static void
ticker_start (gpointer data)
{
  Ticker *ticker = data;
  ticker->timer = far_loop_timer (ticker->loop, ticker->when, tick, ticker);
}

static void
ticker_stop (gpointer data)
{
  far_loop_timer_free (((Ticker *) data)->timer);
}

START_TEST (timer_set_in_its_callback)
{
  Ticker ticker = { .loop = far_loop_io_new ("w"), .when = far_clock_boottime_us () - 5 };
  gint64 end = g_get_monotonic_time () + SECONDS (10);
  far_loop_call (ticker.loop, ticker_start, &ticker);
  while (g_atomic_int_get (&ticker.n) < 10 && g_get_monotonic_time () < end)
    g_usleep (100);
  far_loop_call (ticker.loop, ticker_stop, &ticker);
  ck_assert_int_ge (ticker.n, 10);
  far_loop_io_free (ticker.loop);
}
END_TEST

static void
one_shot (gpointer data)
{
  g_atomic_int_inc (&((Ticker *) data)->n);
}

static void
one_shot_start (gpointer data)
{
  Ticker *ticker = data;
  ticker->timer = far_loop_timer (ticker->loop, ticker->when, one_shot, ticker);
}

START_TEST (clock_jump_wakes_a_sleeping_worker)
{
  Ticker ticker = { .loop = far_loop_io_new ("w"), .when = far_clock_boottime_us () + SECONDS (3600) };
  far_loop_call (ticker.loop, one_shot_start, &ticker);
  help_settle (ticker.loop);
  ck_assert_int_eq (g_atomic_int_get (&ticker.n), 0);
  ck_assert (far_clock_advance (SECONDS (3601)));
  help_wait (&ticker.n);
  far_loop_call (ticker.loop, ticker_stop, &ticker);
  far_loop_io_free (ticker.loop);
}
END_TEST

START_TEST (real_time_fires_too)
{
  Ticker ticker = { .loop = far_loop_main (), .when = far_clock_boottime_us () + 20000 };
  gint64 start = g_get_monotonic_time ();
  one_shot_start (&ticker);
  help_wait (&ticker.n);
  ck_assert_int_ge (g_get_monotonic_time () - start, 15000);
  far_loop_timer_free (ticker.timer);
}
END_TEST

/* ---- descriptors ---- */

typedef struct {
  FarLoop *loop;
  int fd[2], other[2];
  FarWatch *watch, *other_watch;
  gint n;
  guint ready;
} Watched;

static void
first_frees_both (int fd, guint ready, gpointer data)
{
  Watched *watched = data;
  g_atomic_int_inc (&watched->n);
  watched->ready = ready;
  g_clear_pointer (&watched->watch, far_watch_free);
  g_clear_pointer (&watched->other_watch, far_watch_free);
}

static void
watch_both (gpointer data)
{
  Watched *watched = data;
  watched->watch = far_loop_watch (watched->loop, watched->fd[0], FAR_READY_READ, first_frees_both, watched);
  watched->other_watch = far_loop_watch (watched->loop, watched->other[0], FAR_READY_READ, first_frees_both,
                                         watched);
  ck_assert_int_eq (write (watched->fd[1], "x", 1), 1); /* both are ready in one turn */
  ck_assert_int_eq (write (watched->other[1], "x", 1), 1);
}

START_TEST (watch_freed_while_its_event_waits)
{
  Watched watched = { .loop = far_loop_io_new ("w") };
  ck_assert_int_eq (pipe (watched.fd) | pipe (watched.other), 0);
  far_loop_call (watched.loop, watch_both, &watched);
  help_wait (&watched.n);
  help_settle (watched.loop);
  ck_assert_int_eq (watched.n, 1);
  ck_assert_uint_eq (watched.ready, FAR_READY_READ);
  far_loop_io_free (watched.loop);
  for (int i = 0; i < 2; i++) {
    close (watched.fd[i]);
    close (watched.other[i]);
  }
}
END_TEST

static void
on_edge (int fd, guint ready, gpointer data)
{
  Watched *watched = data;
  watched->ready |= ready;
  g_atomic_int_inc (&watched->n);
}

static void
watch_edge (gpointer data)
{
  Watched *watched = data;
  watched->watch = far_loop_watch (watched->loop, watched->fd[0], FAR_READY_READ | FAR_READY_EDGE, on_edge,
                                   watched);
}

static void
unwatch (gpointer data)
{
  far_watch_free (((Watched *) data)->watch);
}

START_TEST (edge_tells_once_and_hang_up_too)
{
  Watched watched = { .loop = far_loop_io_new ("w") };
  ck_assert_int_eq (pipe (watched.fd), 0);
  far_loop_call (watched.loop, watch_edge, &watched);
  ck_assert_int_eq (write (watched.fd[1], "x", 1), 1);
  help_wait (&watched.n);
  for (int i = 0; i < 20; i++)
    help_settle (watched.loop);
  ck_assert_int_eq (g_atomic_int_get (&watched.n), 1);
  close (watched.fd[1]);
  gint64 end = g_get_monotonic_time () + SECONDS (10);
  while (g_atomic_int_get (&watched.n) < 2 && g_get_monotonic_time () < end)
    g_usleep (100);
  far_loop_call (watched.loop, unwatch, &watched);
  ck_assert (watched.ready & FAR_READY_CLOSED);
  far_loop_io_free (watched.loop);
  close (watched.fd[0]);
}
END_TEST

/* ---- a watch that the kernel refuses: the descriptor is watched already ---- */

typedef struct {
  FarLoop *loop;
  int fd[2];
  FarWatch *first, *second;
  guint told;
  gint done;
} Refused;

static void
refused_told (int fd, guint ready, gpointer data)
{
  Refused *refused = data;
  refused->told = ready;
  g_atomic_int_set (&refused->done, 1);
}

static void
first_told (int fd, guint ready, gpointer data)
{
}

static void
refused_begin (gpointer data)
{
  Refused *refused = data;
  refused->first = far_loop_watch (refused->loop, refused->fd[0], FAR_READY_READ, first_told, refused);
  refused->second = far_loop_watch (refused->loop, refused->fd[0], FAR_READY_READ, refused_told, refused);
}

static void
refused_begin_and_end (gpointer data)
{
  Refused *refused = data;
  refused_begin (refused);
  g_clear_pointer (&refused->second, far_watch_free);
}

static void
refused_end (gpointer data)
{
  Refused *refused = data;
  far_watch_free (refused->second);
  far_watch_free (refused->first);
}

START_TEST (a_refused_watch_is_told_as_closed)
{
  Refused refused = { .loop = far_loop_io_new ("w") };
  ck_assert_int_eq (pipe (refused.fd), 0);
  far_loop_call (refused.loop, refused_begin, &refused);
  help_wait (&refused.done);
  ck_assert_uint_eq (refused.told, FAR_READY_CLOSED);
  far_loop_call (refused.loop, refused_end, &refused);
  refused.done = 0;
  far_loop_call (refused.loop, refused_begin_and_end, &refused);
  help_settle (refused.loop);
  help_settle (refused.loop);
  ck_assert_int_eq (refused.done, 0); /* freed before: not told */
  far_loop_call (refused.loop, refused_end, &refused);
  far_loop_io_free (refused.loop);
  close (refused.fd[0]);
  close (refused.fd[1]);
}
END_TEST

START_TEST (main_watches_no_descriptors)
{
  ck_assert_ptr_null (far_loop_watch (far_loop_main (), 0, FAR_READY_READ, on_edge, NULL));
}
END_TEST

/* ---- foreign ---- */

typedef struct {
  FarLoop *loop;
  GMutex lock;
  GCond cond;
  gboolean woken, quit;
} Library;

static void
wake_library (gpointer data)
{
  Library *library = data;
  g_mutex_lock (&library->lock);
  library->woken = TRUE;
  g_cond_signal (&library->cond);
  g_mutex_unlock (&library->lock);
}

static gpointer
run_library (gpointer data)
{
  Library *library = data;
  far_loop_external_bind (library->loop);
  while (!library->quit) {
    g_mutex_lock (&library->lock);
    while (!library->woken)
      g_cond_wait (&library->cond, &library->lock);
    library->woken = FALSE;
    g_mutex_unlock (&library->lock);
    far_loop_run_posted (library->loop);
  }
  return NULL;
}

static void
quit_library (gpointer data)
{
  ((Library *) data)->quit = TRUE;
}

START_TEST (foreign_loop)
{
  Library library = { .quit = FALSE };
  library.loop = far_loop_external_new ("lws", wake_library, &library);
  GThread *thread = g_thread_new ("lws", run_library, &library);
  posts_keep_order (library.loop);
  Ticker ticker = { .loop = library.loop, .when = far_clock_boottime_us () + SECONDS (3600) };
  far_loop_call (library.loop, one_shot_start, &ticker);
  ck_assert (far_clock_advance (SECONDS (3601)));
  help_wait (&ticker.n);
  far_loop_call (library.loop, ticker_stop, &ticker);
  far_loop_post (library.loop, quit_library, &library);
  g_thread_join (thread);
  far_loop_external_free (library.loop);
}
END_TEST

static void
wake_nobody (gpointer data)
{
}

START_TEST (foreign_loop_ends_with_posts_undone)
{
  FarLoop *loop = far_loop_external_new ("lws", wake_nobody, NULL);
  ck_assert (far_clock_advance (SECONDS (1))); /* posts "look again", which asks the later */
  far_loop_external_free (loop);
}
END_TEST

START_TEST (clock_only_grows)
{
  gint64 before = far_clock_boottime_us (), wall = far_clock_wall_us ();
  ck_assert (!far_clock_advance (-1));
  ck_assert (far_clock_advance (SECONDS (10)));
  ck_assert_int_ge (far_clock_boottime_us () - before, SECONDS (10));
  ck_assert_int_ge (far_clock_wall_us () - wall, SECONDS (10));
  ck_assert_uint_eq (strlen (far_clock_boot_id ()), 36);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *loops = tcase_create ("homes");
  tcase_set_timeout (loops, 60);
  tcase_add_test (loops, post_main);
  tcase_add_test (loops, post_worker);
  tcase_add_test (loops, post_is_later);
  tcase_add_test (loops, call_waits);
  tcase_add_test (loops, freed_worker_runs_what_was_posted);
  tcase_add_test (loops, later_runs_once_and_can_be_cancelled);
  tcase_add_test (loops, timers_fire_in_order);
  tcase_add_test (loops, timer_set_in_its_callback);
  tcase_add_test (loops, clock_jump_wakes_a_sleeping_worker);
  tcase_add_test (loops, real_time_fires_too);
  tcase_add_test (loops, watch_freed_while_its_event_waits);
  tcase_add_test (loops, edge_tells_once_and_hang_up_too);
  tcase_add_test (loops, a_refused_watch_is_told_as_closed);
  tcase_add_test (loops, main_watches_no_descriptors);
  tcase_add_test (loops, foreign_loop);
  tcase_add_test (loops, foreign_loop_ends_with_posts_undone);
  tcase_add_test (loops, clock_only_grows);
  Suite *suite = suite_create ("home");
  suite_add_tcase (suite, loops);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
