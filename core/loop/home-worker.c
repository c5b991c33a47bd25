/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A worker: one thread, one epoll set, one timerfd, one eventfd for posted work. */
#include "config.h"

#include "loop/home-private.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <farwatch/instance.h>

#define EVENTS 64

struct _FarWatch {
  FarHome *home;
  int fd;
  guint ready;
  FarWatchFunc func; /* NULL: freed during this turn */
  gpointer data;
  FarLater *failed; /* tells that it cannot be watched */
};

static guint32
epoll_mask (guint ready)
{
  return (ready & FAR_READY_READ ? EPOLLIN | EPOLLRDHUP : 0) | (ready & FAR_READY_WRITE ? EPOLLOUT : 0) |
         (ready & FAR_READY_EDGE ? EPOLLET | EPOLLPRI : 0);
}

static guint
ready_mask (guint32 events)
{
  return (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? FAR_READY_READ : 0) |
         (events & (EPOLLOUT | EPOLLHUP | EPOLLERR) ? FAR_READY_WRITE : 0) |
         (events & (EPOLLHUP | EPOLLERR) ? FAR_READY_CLOSED : 0) |
         (events & (EPOLLRDHUP | EPOLLPRI) ? FAR_READY_END : 0);
}

static void
tell_failed (gpointer data)
{
  FarWatch *watch = data;
  watch->func (watch->fd, FAR_READY_CLOSED, watch->data);
}

FarWatch *
far_home_watch (FarHome *home, int fd, guint ready, FarWatchFunc func, gpointer data)
{
  if (home->sort != FAR_HOME_WORKER)
    return NULL;
  FarWatch *watch = g_new0 (FarWatch, 1);
  struct epoll_event event = { .events = epoll_mask (ready), .data.ptr = watch };
  *watch = (FarWatch){ home, fd, ready, func, data, NULL };
  if (epoll_ctl (home->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
    return watch;
  far_complain (NULL, "watch", "%s: a descriptor cannot be watched: %s", home->name, g_strerror (errno));
  watch->failed = far_later_new (home, tell_failed, watch);
  far_later_ask (watch->failed);
  return watch;
}

void
far_watch_set (FarWatch *watch, guint ready)
{
  struct epoll_event event = { .events = epoll_mask (ready), .data.ptr = watch };
  if (ready == watch->ready || watch->failed != NULL)
    return;
  watch->ready = ready;
  epoll_ctl (watch->home->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void
far_watch_free (FarWatch *watch)
{
  if (watch == NULL)
    return;
  if (watch->failed == NULL) /* else the descriptor may stand there for somebody else */
    epoll_ctl (watch->home->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
  g_clear_pointer (&watch->failed, far_later_free);
  watch->func = NULL; /* an event of this turn may still point here */
  g_ptr_array_add (watch->home->dead_watches, watch);
}

static void
wake_worker (gpointer data)
{
  FarHome *home = data;
  guint64 one = 1;
  while (write (home->event, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

static void
home_worker_drain (int fd)
{
  guint64 count;
  if (read (fd, &count, sizeof count) < 0)
    return;
}

static void
one_event (FarHome *home, const struct epoll_event *event)
{
  FarWatch *watch = event->data.ptr;
  if (event->data.ptr == &home->event)
    home_worker_drain (home->event);
  else if (event->data.ptr == &home->timers) {
    home_worker_drain (home->timers.fd);
    home->timers.armed_us = 0;
  } else if (watch->func != NULL)
    watch->func (watch->fd, ready_mask (event->events), watch->data);
}

static void
one_turn (FarHome *home)
{
  struct epoll_event events[EVENTS];
  gboolean due = far_timers_arm (&home->timers);
  int n = epoll_wait (home->epoll, events, EVENTS, due || far_home_has_posts (home) ? 0 : -1);
  for (int i = 0; i < n; i++)
    one_event (home, &events[i]);
  far_timers_run (&home->timers);
  far_home_run_posts (home);
  g_ptr_array_set_size (home->dead_watches, 0);
}

static gpointer
run_worker (gpointer data)
{
  FarHome *home = data;
  far_home_bind (home);
  while (!home->quit)
    one_turn (home);
  return NULL;
}

static void
add_own (FarHome *home, int fd, gpointer mark)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = mark };
  epoll_ctl (home->epoll, EPOLL_CTL_ADD, fd, &event);
}

FarHome *
far_home_worker_new (const char *name)
{
  FarHome *home = g_new0 (FarHome, 1);
  far_home_init (home, FAR_HOME_WORKER, name);
  home->epoll = epoll_create1 (EPOLL_CLOEXEC);
  home->event = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (home->epoll < 0 || home->event < 0 || home->timers.fd < 0)
    g_error ("%s: no descriptors left: raise the limit of open files", name);
  home->wake = wake_worker;
  home->wake_data = home;
  home->dead_watches = g_ptr_array_new_with_free_func (g_free);
  add_own (home, home->event, &home->event);
  add_own (home, home->timers.fd, &home->timers);
  home->runner = far_thread_new (name, run_worker, home);
  return home;
}

static void
quit_worker (gpointer data)
{
  ((FarHome *) data)->quit = TRUE;
}

void
far_home_worker_free (FarHome *home)
{
  if (home == NULL)
    return;
  far_home_post (home, quit_worker, home);
  g_thread_join (home->runner);
  /* what is left runs here, and shall not be sent on to a thread that has ended */
  home->thread = pthread_self ();
  while (far_home_run_posts (home)) /* work that frees what it was given must not be lost */
    ;
  g_ptr_array_free (home->dead_watches, TRUE);
  close (home->epoll);
  close (home->event);
  far_home_clear (home);
  g_free (home);
}
