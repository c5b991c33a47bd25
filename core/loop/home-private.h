/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of homes; see farwatch/home.h for what they are. */
#pragma once
#include <farwatch/clock.h>
#include <farwatch/home.h>

#include "base/clock-private.h"
#include <pthread.h>

G_BEGIN_DECLS

/* ---- timers: a binary heap over one timerfd ---- */

typedef struct {
  FarHome *home;
  GPtrArray *heap; /* FarHomeTimer*, earliest first */
  int fd;
  gint64 armed_us; /* real instant the timerfd is set to; 0: off */
} FarTimers;

void far_timers_init (FarTimers *timers, FarHome *home);
void far_timers_clear (FarTimers *timers);
/* Sets the timerfd to the earliest timer; cheap when nothing changed. TRUE when one is due already. */
gboolean far_timers_arm (FarTimers *timers);
/* The earliest instant; FALSE: no timer is set. */
gboolean far_timers_first (FarTimers *timers, gint64 *when_us);
/* Runs what is due; a timer set again in its own callback waits for the next turn. */
void far_timers_run (FarTimers *timers);

/* ---- posted work ---- */

typedef struct {
  FarHomeFunc func;
  gpointer data;
} FarPost;

typedef enum { FAR_HOME_MAIN, FAR_HOME_WORKER, FAR_HOME_FOREIGN } FarHomeSort;

struct _FarHome {
  FarHomeSort sort;
  char *name;
  gint bound; /* atomic: thread is set */
  pthread_t thread;

  GMutex lock;
  GArray *posts;  /* FarPost; under lock */
  GArray *spare;  /* emptied array of the last turn; [home] */
  gboolean woken; /* a wake is on its way; under lock */
  void (*wake) (gpointer data);
  gpointer wake_data;

  FarTimers timers;
  FarLater *clock_later; /* foreign: asks its clock home to watch the earliest timer */

  guint8 *scratch;
  FarScratchSave scratch_save;
  gpointer scratch_owner;

  /* workers */
  int epoll, event;
  gboolean quit;
  GPtrArray *dead_watches;
  GThread *runner;
};

void far_home_init (FarHome *home, FarHomeSort sort, const char *name);
void far_home_clear (FarHome *home);
void far_home_bind (FarHome *home);          /* the calling thread is the home's */
gboolean far_home_has_posts (FarHome *home); /* [any thread] */
/* [home] one turn: what was posted before it; TRUE: there was something */
gboolean far_home_run_posts (FarHome *home);

/* Runs main until no pump is alive and no stream has last words to say, at most so long: before a program
 * ends that dialled. [main] */
void far_streams_settle (guint timeout_ms);

G_END_DECLS
