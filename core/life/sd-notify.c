/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file speaks the protocol of sd_notify(3), one datagram a word, without libsystemd, which would be
 * its only use. */
#include "config.h"

#include "life/sd-notify.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/loop.h>

static struct {
  FarLoopTimer *timer;
  gint64 every_us;
} watchdog; /* on main only */

void
far_notify (const char *text)
{
  const char *path = g_getenv ("NOTIFY_SOCKET");
  struct sockaddr_un to = { .sun_family = AF_UNIX };
  gsize length = path != NULL ? strlen (path) : 0;
  int fd;

  if (length < 2 || length >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
    return;
  memcpy (to.sun_path, path, length);
  if (path[0] == '@')
    to.sun_path[0] = '\0'; /* abstract */
  fd = socket (AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return;
  if (sendto (fd, text, strlen (text), MSG_NOSIGNAL, (struct sockaddr *) &to,
              (socklen_t) (offsetof (struct sockaddr_un, sun_path) + length)) < 0)
    g_warning ("the service manager did not take \"%s\"", text);
  close (fd);
}

/* What the manager wants, us; 0: nothing, or it is not meant for this process. */
static gint64
watchdog_wanted_us (void)
{
  const char *every = g_getenv ("WATCHDOG_USEC"), *pid = g_getenv ("WATCHDOG_PID");
  guint64 us = 0, who = (guint64) getpid ();

  if (every == NULL || !g_ascii_string_to_unsigned (every, 10, 1000, G_MAXINT64, &us, NULL))
    return 0;
  if (pid != NULL &&
      (!g_ascii_string_to_unsigned (pid, 10, 1, G_MAXINT32, &who, NULL) || who != (guint64) getpid ()))
    return 0;
  return (gint64) us;
}

static void
watchdog_due (gpointer data)
{
  far_notify ("WATCHDOG=1");
  far_loop_timer_set (watchdog.timer, far_clock_boottime_us () + watchdog.every_us);
}

gboolean
far_notify_watchdog_start (void)
{
  watchdog.every_us = watchdog_wanted_us () / 2;
  if (watchdog.every_us > 0 && watchdog.timer == NULL)
    watchdog.timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + watchdog.every_us,
                                     watchdog_due, NULL);
  return watchdog.every_us > 0;
}

void
far_notify_watchdog_stop (void)
{
  g_clear_pointer (&watchdog.timer, far_loop_timer_free);
}
