/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file watches one descriptor wherever its user lives: on an I/O thread by epoll, on the main context by
 * a GSource. It exists so that acceptor and dialler need no two versions. */
#include "config.h"

#include "loop/fd-watch.h"

#include "base/node-part.h"

#include <glib-unix.h>

struct _FarFdWatch {
  FarWatch *io; /* one of these two */
  GSource *main;
  FarWatchFunc func;
  gpointer data;
  FarNode *node; /* of who watches on main */
};

static gboolean
main_ready (int fd, GIOCondition condition, gpointer data)
{
  FarFdWatch *watch = data;
  gboolean over = (condition & (G_IO_HUP | G_IO_ERR | G_IO_NVAL)) != 0;
  guint ready = (condition & G_IO_IN || over ? FAR_READY_READ : 0) |
                (condition & G_IO_OUT || over ? FAR_READY_WRITE : 0) | (over ? FAR_READY_CLOSED : 0);
  FarNode *before = far_node_enter (watch->node);
  watch->func (fd, ready, watch->data);
  far_node_enter (before);
  return G_SOURCE_CONTINUE;
}

FarFdWatch *
far_fd_watch_new (FarLoop *loop, int fd, guint ready, FarWatchFunc func, gpointer data)
{
  FarFdWatch *watch = g_new0 (FarFdWatch, 1);
  watch->func = func;
  watch->data = data;
  watch->node = far_node_entered ();
  if (loop != far_loop_main ()) {
    watch->io = far_loop_watch (loop, fd, ready, func, data);
    if (watch->io == NULL)
      g_clear_pointer (&watch, g_free);
    return watch;
  }
  watch->main = g_unix_fd_source_new (fd, (ready & FAR_READY_READ ? G_IO_IN : 0) |
                                              (ready & FAR_READY_WRITE ? G_IO_OUT : 0));
  g_source_set_callback (watch->main, G_SOURCE_FUNC (main_ready), watch, NULL);
  g_source_attach (watch->main, NULL);
  return watch;
}

void
far_fd_watch_free (FarFdWatch *watch)
{
  if (watch == NULL)
    return;
  g_clear_pointer (&watch->io, far_watch_free);
  if (watch->main != NULL)
    g_source_destroy (watch->main);
  g_clear_pointer (&watch->main, g_source_unref);
  g_free (watch);
}
