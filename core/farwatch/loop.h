/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A loop is the one thread that may touch a stream, and the way to hand work to that thread.
 *
 * Three sorts: the main context; an I/O thread (own epoll loop: descriptors, timers on one timerfd, scratch
 * memory), where all streams live; an external loop, whose thread belongs to a library and which offers only
 * post() and timers. No part has one today: it is kept for the messages of a SIP stack, whose library brings
 * its own thread. Work posted runs in order, on the loop's thread, never inside far_loop_post().
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct _FarLoop FarLoop;
typedef struct _FarWatch FarWatch;
typedef struct _FarLoopTimer FarLoopTimer;
typedef void (*FarLoopFunc) (gpointer data);

/* EDGE (only for far_loop_watch): tell each change once, not as long as it lasts. */
enum {
  FAR_READY_READ = 1 << 0,
  FAR_READY_WRITE = 1 << 1,
  FAR_READY_CLOSED = 1 << 2,
  FAR_READY_EDGE = 1 << 3,
  FAR_READY_END = 1 << 4
};
typedef void (*FarWatchFunc) (int fd, guint ready, gpointer data);

/* [any thread] TRUE when the caller runs on the loop's thread. */
gboolean far_loop_is_here (FarLoop *loop);
const char *far_loop_name (FarLoop *loop);
/* [any thread] TRUE: it can watch descriptors. */
gboolean far_loop_is_io (FarLoop *loop);
/* [any thread] Runs func(data) on the loop, soon. */
void far_loop_post (FarLoop *loop, FarLoopFunc func, gpointer data);
/* [any thread] but the loop's own: runs func(data) on the loop and waits: for tests and shutdown only. */
void far_loop_call (FarLoop *loop, FarLoopFunc func, gpointer data);

/* One piece of work that may be asked for often and runs once: far_deferred_ask() posts it unless it waits
 * already. [any thread] far_deferred_free() cancels it: [loop]. */
typedef struct _FarDeferred FarDeferred;
FarDeferred *far_deferred_new (FarLoop *loop, FarLoopFunc func, gpointer data);
void far_deferred_ask (FarDeferred *later);
void far_deferred_free (FarDeferred *later);

/* Descriptors: I/O threads only (NULL on other loops). [loop] ready is a mask of FAR_READY_READ|WRITE to wait
 * for (0: only errors and hang-up, told as FAR_READY_CLOSED together with READ and WRITE). With READ comes
 * FAR_READY_END when the other side has ended its input, or (with EDGE) sent urgent data, before which a read
 * stops short. CLOSED alone, soon after far_loop_watch(): the kernel refused to watch it (memory,
 * max_user_watches), and nothing else will be told. The fd stays the caller's, who keeps it open until the
 * watch is freed. far_watch_free() is safe at any time, also inside any watch's callback. */
FarWatch *far_loop_watch (FarLoop *loop, int fd, guint ready, FarWatchFunc func, gpointer data);
void far_watch_set (FarWatch *watch, guint ready);
void far_watch_free (FarWatch *watch);

/* One-shot timer at a CLOCK_BOOTTIME instant (us), test clock honoured. [loop] Free it inside or outside its
 * callback; it does not free itself; far_instance_timer() makes one that ends with an instance. (A foreign
 * loop's timers are kept by an I/O thread, which posts.) */
FarLoopTimer *far_loop_timer (FarLoop *loop, gint64 boottime_us, FarLoopFunc func, gpointer data);
void far_loop_timer_set (FarLoopTimer *timer, gint64 boottime_us);
void far_loop_timer_free (FarLoopTimer *timer);

/* 64 KiB shared by all streams of this loop, valid until the callback returns. [loop] I/O threads and foreign
 * loops. */
guint8 *far_loop_scratch (FarLoop *loop);
#define FAR_SCRATCH_SIZE (64 * 1024)
/* The same for an owner that may not need all of it copied: whoever takes the scratch next asks it first, by
 * save(), to keep what it still needs. leave: the owner needs it no more (no-op when somebody else has it).
 * [loop] */
typedef void (*FarScratchSave) (gpointer owner);
guint8 *far_loop_scratch_take (FarLoop *loop, FarScratchSave save, gpointer owner);
void far_loop_scratch_leave (FarLoop *loop, gpointer owner);

/* An I/O thread of one's own (a handshake thread, say). [any thread] */
FarLoop *far_loop_io_new (const char *name);
/* Ends it and waits for its thread: no stream may live there any more. [main] */
void far_loop_io_free (FarLoop *loop);
/* A loop whose thread a library owns. wake: [any thread] make the thread call far_loop_run_posted() soon. */
FarLoop *far_loop_external_new (const char *name, void (*wake) (gpointer data), gpointer data);
void far_loop_external_bind (FarLoop *loop); /* called once by that thread */
void far_loop_run_posted (FarLoop *loop);    /* [loop] */
void far_loop_external_free (FarLoop *loop);

/* Every thread of the program is made by this: signals are for the main thread alone. [any thread] */
GThread *far_thread_new (const char *name, GThreadFunc func, gpointer data);

/* A thread for work that may hang (a dead disk). free_data runs when both the thread and far_thread_end() are
 * through with it, on whichever was last: all that the thread touches belongs to data. */
typedef struct _FarThread FarThread;
FarThread *far_thread_begin (const char *name, GThreadFunc func, gpointer data, GDestroyNotify free_data);
/* Waits for its end, which the caller has asked for: a second at most, less when the process is ending
 * (FAR_END_US for all together). FALSE: it hangs and is left to itself, with a line in the log. Frees thread.
 * [main] */
gboolean far_thread_end (FarThread *thread);
#define FAR_END_US (G_USEC_PER_SEC + G_USEC_PER_SEC / 2)
/* The process ends from now on. How many threads were left to themselves so far. [main] */
void far_threads_ending (void);
guint far_threads_left (void);

/* The loop of the main context, and the data-plane pool: one I/O thread a core, picked round robin. [any
 * thread]
 */
FarLoop *far_loop_main (void);
FarLoop *far_loop_pick (void);

G_END_DECLS
