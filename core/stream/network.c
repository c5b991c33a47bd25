/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file asks the kernel by rtnetlink whether the machine's network has changed and tells it once they
 * have been quiet for a while. What lies beyond the next router it cannot know. */
#include "config.h"

#include <farwatch/network.h>

#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/thread.h>

#include "loop/fd-watch.h"

#define READS 64 /* messages taken in one turn; the rest is told by the next */

struct _FarNetworkWatch {
  int fd;
  FarFdWatch *watch;
  FarLoopTimer *timer;
  gboolean due;
  FarLoopFunc func;
  gpointer data;
};

static void
network_changed (gpointer data)
{
  FarNetworkWatch *watch = data;

  watch->due = FALSE;
  watch->func (watch->data);
}

/* What the messages say is not read: the kernel loses some when many come at once (ENOBUFS), and that
 * something changed is enough. */
static void
network_ready (int fd, guint ready, gpointer data)
{
  FarNetworkWatch *watch = data;
  gint64 at = far_clock_boottime_us () + FAR_NETWORK_QUIET_US;
  char message[4096];

  for (guint i = 0; i < READS && recv (fd, message, sizeof message, MSG_DONTWAIT) > 0; i++)
    ;
  if (watch->due)
    return;
  watch->due = TRUE;
  if (watch->timer == NULL)
    watch->timer = far_loop_timer (far_loop_main (), at, network_changed, watch);
  else
    far_loop_timer_set (watch->timer, at);
}

static int
network_open (void)
{
  struct sockaddr_nl at = { .nl_family = AF_NETLINK,
                            .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
                                         RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE };
  int fd = socket (AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

  if (fd < 0 || bind (fd, (const struct sockaddr *) &at, sizeof at) == 0)
    return fd;
  close (fd);
  return -1;
}

FarNetworkWatch *
far_network_watch_new (FarLoopFunc func, gpointer data)
{
  FAR_ON_MAIN ();
  FarNetworkWatch *watch = g_new0 (FarNetworkWatch, 1);

  watch->func = func;
  watch->data = data;
  watch->fd = network_open ();
  if (watch->fd >= 0)
    watch->watch = far_fd_watch_new (far_loop_main (), watch->fd, FAR_READY_READ, network_ready, watch);
  return watch;
}

void
far_network_watch_free (FarNetworkWatch *watch)
{
  FAR_ON_MAIN ();
  if (watch == NULL)
    return;
  g_clear_pointer (&watch->watch, far_fd_watch_free);
  g_clear_pointer (&watch->timer, far_loop_timer_free);
  if (watch->fd >= 0)
    close (watch->fd);
  g_free (watch);
}
