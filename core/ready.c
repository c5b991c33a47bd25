/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sd_notify(3) protocol: one datagram. */
#include "config.h"

#include "ready.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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
  if (sendto (fd, text, strlen (text), MSG_NOSIGNAL, (struct sockaddr *) &to, (socklen_t) (offsetof (struct sockaddr_un, sun_path) + length)) < 0)
    g_warning ("the service manager did not take \"%s\"", text);
  close (fd);
}
