/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An I/O thread: one thread, one epoll set, one timerfd, one eventfd for posted work. */
#include "config.h"

#include "loop/loop-private.h"
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <farwatch/instance.h>
#include <farwatch/thread.h>

#define EVENTS 64

struct _FarWatch {
  FarLoop *loop;
  int fd;
  guint ready;
  FarWatchFunc func; /* NULL: freed during this turn */
  gpointer data;
  FarDeferred *failed; /* tells that it cannot be watched */
  FarNode *node;       /* of who watches */
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
far_loop_watch (FarLoop *loop, int fd, guint ready, FarWatchFunc func, gpointer data)
{
  if (loop->sort != FAR_LOOP_WORKER)
    return NULL;
  FarWatch *watch = g_new0 (FarWatch, 1);
  struct epoll_event event = { .events = epoll_mask (ready), .data.ptr = watch };
  *watch = (FarWatch){ loop, fd, ready, func, data, NULL, far_node_entered () };
  if (epoll_ctl (loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
    return watch;
  far_log_limited (NULL, "watch", "%s: a descriptor cannot be watched: %s", loop->name, g_strerror (errno));
  watch->failed = far_deferred_new (loop, tell_failed, watch);
  far_deferred_ask (watch->failed);
  return watch;
}

void
far_watch_set (FarWatch *watch, guint ready)
{
  struct epoll_event event = { .events = epoll_mask (ready), .data.ptr = watch };
  if (ready == watch->ready || watch->failed != NULL)
    return;
  watch->ready = ready;
  epoll_ctl (watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
}

void
far_watch_free (FarWatch *watch)
{
  if (watch == NULL)
    return;
  if (watch->failed == NULL) /* else the descriptor may stand there for somebody else */
    epoll_ctl (watch->loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
  g_clear_pointer (&watch->failed, far_deferred_free);
  watch->func = NULL; /* an event of this turn may still point here */
  g_ptr_array_add (watch->loop->dead_watches, watch);
}

static void
io_wake (gpointer data)
{
  FarLoop *loop = data;
  guint64 one = 1;
  while (write (loop->event, &one, sizeof one) < 0 && errno == EINTR)
    ;
}

static void
loop_io_drain (int fd)
{
  guint64 count;
  if (read (fd, &count, sizeof count) < 0)
    return;
}

static void
one_event (FarLoop *loop, const struct epoll_event *event)
{
  FarWatch *watch = event->data.ptr;
  if (event->data.ptr == &loop->event)
    loop_io_drain (loop->event);
  else if (event->data.ptr == &loop->timers) {
    loop_io_drain (loop->timers.fd);
    loop->timers.armed_us = 0;
  } else if (watch->func != NULL) {
    FarNode *before = far_node_enter (watch->node);
    watch->func (watch->fd, ready_mask (event->events), watch->data);
    far_node_enter (before);
  }
}

static void
one_turn (FarLoop *loop)
{
  struct epoll_event events[EVENTS];
  gboolean due = far_timers_arm (&loop->timers);
  int n = epoll_wait (loop->epoll, events, EVENTS, due || far_loop_has_posts (loop) ? 0 : -1);
  for (int i = 0; i < n; i++)
    one_event (loop, &events[i]);
  far_timers_run (&loop->timers);
  far_loop_run_posts (loop);
  g_ptr_array_set_size (loop->dead_watches, 0);
}

static gpointer
io_run (gpointer data)
{
  FarLoop *loop = data;
  far_loop_bind (loop);
  far_node_enter (NULL); /* of all nodes, not of the first that wanted an I/O thread */
  while (!loop->quit)
    one_turn (loop);
  return NULL;
}

static void
add_own (FarLoop *loop, int fd, gpointer mark)
{
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = mark };
  epoll_ctl (loop->epoll, EPOLL_CTL_ADD, fd, &event);
}

FarLoop *
far_loop_io_new (const char *name)
{
  FarLoop *loop = g_new0 (FarLoop, 1);
  far_loop_init (loop, FAR_LOOP_WORKER, name);
  loop->epoll = epoll_create1 (EPOLL_CLOEXEC);
  loop->event = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (loop->epoll < 0 || loop->event < 0 || loop->timers.fd < 0)
    g_error ("%s: no descriptors left: raise the limit of open files", name);
  loop->wake = io_wake;
  loop->wake_data = loop;
  loop->dead_watches = g_ptr_array_new_with_free_func (g_free);
  add_own (loop, loop->event, &loop->event);
  add_own (loop, loop->timers.fd, &loop->timers);
  loop->runner = far_thread_new (name, io_run, loop);
  return loop;
}

static void
io_quit (gpointer data)
{
  ((FarLoop *) data)->quit = TRUE;
}

void
far_loop_io_free (FarLoop *loop)
{
  FAR_ON_MAIN ();
  if (loop == NULL)
    return;
  far_loop_post (loop, io_quit, loop);
  g_thread_join (loop->runner);
  /* What is left runs here, and shall not be sent on to a thread that has ended. */
  loop->thread = pthread_self ();
  while (far_loop_run_posts (loop)) /* work that frees what it was given must not be lost */
    ;
  g_ptr_array_free (loop->dead_watches, TRUE);
  close (loop->epoll);
  close (loop->event);
  far_loop_clear (loop);
  g_free (loop);
}
