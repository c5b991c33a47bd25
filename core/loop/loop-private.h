/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of loops; see farwatch/loop.h for what they are. */
#pragma once
#include <farwatch/clock.h>
#include <farwatch/loop.h>

#include "base/clock-private.h"
#include "base/node-part.h"
#include <pthread.h>

G_BEGIN_DECLS

/* ---- timers: a binary heap over one timerfd ---- */

typedef struct {
  FarLoop *loop;
  GPtrArray *heap; /* FarLoopTimer*, earliest first */
  int fd;
  gint64 armed_us; /* real instant the timerfd is set to; 0: off */
} FarTimers;

void far_timers_init (FarTimers *timers, FarLoop *loop);
void far_timers_clear (FarTimers *timers);
/* Sets the timerfd to the earliest timer; cheap when nothing changed. TRUE when one is due already. */
gboolean far_timers_arm (FarTimers *timers);
/* The earliest instant; FALSE: no timer is set. */
gboolean far_timers_first (FarTimers *timers, gint64 *when_us);
/* Runs what is due; a timer set again in its own callback waits for the next turn. */
void far_timers_run (FarTimers *timers);

/* ---- posted work ---- */

typedef struct {
  FarLoopFunc func;
  gpointer data;
  FarNode *node; /* of who posted it */
} FarPost;

typedef enum { FAR_LOOP_MAIN, FAR_LOOP_WORKER, FAR_LOOP_FOREIGN } FarLoopKind;

struct _FarLoop {
  FarLoopKind sort;
  char *name;
  gint bound; /* atomic: thread is set */
  pthread_t thread;

  GMutex lock;
  GArray *posts;  /* FarPost; under lock */
  GArray *spare;  /* emptied array of the last turn; [loop] */
  gboolean woken; /* a wake is on its way; under lock */
  void (*wake) (gpointer data);
  gpointer wake_data;

  FarTimers timers;
  FarDeferred *clock_later; /* foreign: asks its clock loop to watch the earliest timer */

  guint8 *scratch;
  FarScratchSave scratch_save;
  gpointer scratch_owner;

  /* I/O threads */
  int epoll, event;
  gboolean quit;
  GPtrArray *dead_watches;
  GThread *runner;
};

void far_loop_init (FarLoop *loop, FarLoopKind sort, const char *name);
void far_loop_clear (FarLoop *loop);
/* Is this the process's first thread, and does main run at the caller's? Neither makes the main loop. [any
 * thread] */
gboolean far_thread_is_first (void);
gboolean far_loop_main_is_here (void);
void far_loop_bind (FarLoop *loop);          /* the calling thread is the loop's */
gboolean far_loop_has_posts (FarLoop *loop); /* [any thread] */
/* [loop] one turn: what was posted before it; TRUE: there was something */
gboolean far_loop_run_posts (FarLoop *loop);

/* Runs main until no pump is alive and no stream has last words to say, at most so long: before a program
 * ends that dialled. [main] */
void far_streams_settle (guint timeout_ms);

G_END_DECLS
