/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file listens at a path: it judges the path, removes a socket that nobody answers any more, and
 * binds with the rights that are wanted. It stands apart from life/listen.c, which keeps sockets across
 * reloads and binds TCP too. */
#include "config.h"

#include "stream/unix-socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <farwatch/i18n.h>

gboolean
far_unix_path_ok (const char *path, GError **error)
{
  struct sockaddr_un address;

  if (path[0] == '/' && strlen (path) < sizeof address.sun_path)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("'%s' is no place for a socket: an absolute path of at most %d bytes is meant"), path,
               (int) sizeof address.sun_path - 1);
  return FALSE;
}

/* A full queue is an answer too: somebody listens. Only a refusal says that nobody does. */
static gboolean
unix_is_answered (const struct sockaddr_un *address)
{
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  gboolean refused = fd >= 0 && connect (fd, (const struct sockaddr *) address, sizeof *address) != 0 &&
                     errno == ECONNREFUSED;

  if (fd >= 0)
    close (fd);
  return !refused;
}

static gboolean
unix_remove_old (const struct sockaddr_un *address, const char *option, GError **error)
{
  const char *path = address->sun_path;
  struct stat info;

  if (lstat (path, &info) != 0)
    return TRUE;
  if (!S_ISSOCK (info.st_mode)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("socket %s: something else is there: move it away, or change %s"), path, option);
    return FALSE;
  }
  if (unix_is_answered (address)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
                 _ ("socket %s: another program answers there: stop it, or change %s"), path, option);
    return FALSE;
  }
  unlink (path); /* if it cannot be: bind() will tell */
  return TRUE;
}

/* The mode is on the socket before it has a name, so that nobody else's connection comes in between. */
static gboolean
unix_bind (int fd, const struct sockaddr_un *address, int backlog)
{
  return fd >= 0 && fchmod (fd, 0600) == 0 &&
         bind (fd, (const struct sockaddr *) address, sizeof *address) == 0 && listen (fd, backlog) == 0;
}

int
far_unix_listen (const char *path, const char *option, int backlog, GError **error)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd;

  if (g_strlcpy (address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("socket %s: the path is over %d bytes: set a shorter %s"), path,
                 (int) sizeof address.sun_path - 1, option);
    return -1;
  }
  if (!unix_remove_old (&address, option, error))
    return -1;
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (unix_bind (fd, &address, backlog))
    return fd;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("socket %s: %s: does the directory exist, and may it be written? (%s)"), path,
               g_strerror (errno), option);
  if (fd >= 0)
    close (fd);
  return -1;
}
