/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "loop.h"

#include <ev.h>
#include <openssl/crypto.h>

struct _WsLoop {
  struct ev_loop *ev;
  ev_async wake;
  FarHome *home;
  char *name;
  GThread *thread;
  FarHomeFunc end;
  gpointer end_data;
  gboolean alone; /* nobody joins: the thread frees the loop */
};

static void
woken (struct ev_loop *ev, ev_async *wake, int events)
{
  WsLoop *loop = wake->data;

  far_home_run_posted (loop->home);
}

static void
wake_up (gpointer data)
{
  WsLoop *loop = data;

  ev_async_send (loop->ev, &loop->wake);
}

WsLoop *
ws_loop_new (const char *name)
{
  WsLoop *loop = g_new0 (WsLoop, 1);

  loop->name = g_strdup (name);
  loop->ev = ev_loop_new (EVFLAG_NOENV | EVBACKEND_EPOLL);
  if (loop->ev == NULL)
    g_error ("%s: no epoll", name);
  ev_async_init (&loop->wake, woken);
  loop->wake.data = loop;
  ev_async_start (loop->ev, &loop->wake);
  loop->home = far_home_foreign_new (name, wake_up, loop);
  return loop;
}

struct ev_loop *
ws_loop_ev (WsLoop *loop)
{
  return loop->ev;
}

FarHome *
ws_loop_home (WsLoop *loop)
{
  return loop->home;
}

static void
loop_free (WsLoop *loop)
{
  far_home_foreign_free (loop->home);
  ev_async_stop (loop->ev, &loop->wake);
  ev_loop_destroy (loop->ev);
  g_free (loop->name);
  g_free (loop);
}

static gpointer
loop_thread (gpointer data)
{
  WsLoop *loop = data;

  far_home_foreign_bind (loop->home);
  far_home_run_posted (loop->home); /* what came before the thread */
  ev_run (loop->ev, 0);
  if (loop->end != NULL)
    loop->end (loop->end_data);
  far_home_run_posted (loop->home);
  if (loop->alone) {
    OPENSSL_thread_stop (); /* what its library keeps for this thread: the program may end before it has */
    loop_free (loop);
  }
  return NULL;
}

void
ws_loop_run (WsLoop *loop)
{
  loop->thread = far_thread_new (loop->name, loop_thread, loop);
}

static void
stop_running (gpointer data)
{
  WsLoop *loop = data;

  ev_break (loop->ev, EVBREAK_ALL);
}

void
ws_loop_end (WsLoop *loop, FarHomeFunc end, gpointer data)
{
  loop->end = end;
  loop->end_data = data;
  if (loop->thread != NULL) {
    far_home_post (loop->home, stop_running, loop);
    g_thread_join (loop->thread);
  } else if (end != NULL) {
    end (data);
  }
  loop_free (loop);
}

void
ws_loop_end_here (WsLoop *loop, FarHomeFunc end, gpointer data)
{
  loop->end = end;
  loop->end_data = data;
  loop->alone = TRUE;
  g_thread_unref (loop->thread);
  ev_break (loop->ev, EVBREAK_ALL);
}
