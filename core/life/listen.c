/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening sockets belong to core: an instance that is tried again or replaced finds its sockets still open,
 * so nobody who connects in between is refused. */
#include "config.h"

#include "life/instance-private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <farwatch/dial.h>
#include <farwatch/thread.h>

#include "stream/unix-socket.h"

#define BACKLOG 512

struct _FarListen {
  char *address, *bound;
  int fd;
  gboolean wanted;
  dev_t device; /* of a unix socket's name: only our own is taken away */
  ino_t inode;
};

#define UNIX_PREFIX "unix:"

static const char *
unix_path (const char *address)
{
  return g_str_has_prefix (address, UNIX_PREFIX) ? address + strlen (UNIX_PREFIX) : NULL;
}

static void
unix_unlink (const FarListen *listen)
{
  const char *path = unix_path (listen->address);
  struct stat info;

  if (path != NULL && lstat (path, &info) == 0 && info.st_dev == listen->device &&
      info.st_ino == listen->inode)
    unlink (path);
}

static void
listen_free (FarListen *listen)
{
  if (listen->fd >= 0) {
    unix_unlink (listen);
    close (listen->fd);
  }
  g_free (listen->address);
  g_free (listen->bound);
  g_free (listen);
}

void
far_listens_free (FarInstance *at)
{
  for (guint i = 0; i < at->listens->len; i++)
    listen_free (at->listens->pdata[i]);
  g_ptr_array_set_size (at->listens, 0);
}

void
far_listens_move (FarInstance *from, FarInstance *to)
{
  for (guint i = 0; i < from->listens->len; i++)
    g_ptr_array_add (to->listens, from->listens->pdata[i]);
  g_ptr_array_set_size (from->listens, 0);
}

void
far_listens_rest (FarInstance *at)
{
  for (guint i = 0; i < at->listens->len; i++)
    ((FarListen *) at->listens->pdata[i])->wanted = FALSE;
}

void
far_listens_prune (FarInstance *at)
{
  for (guint i = at->listens->len; i > 0; i--) {
    FarListen *listen = at->listens->pdata[i - 1];

    if (!listen->wanted) {
      g_ptr_array_remove_index (at->listens, i - 1);
      listen_free (listen);
    }
  }
}

/* Names are not looked up: that would block, and a listener wants an address of this machine. */
static gboolean
in_numbers (const char *address, struct sockaddr_storage *to, socklen_t *size, GError **error)
{
  g_autofree char *host = NULL;
  guint16 port;

  if (!far_parse_address (address, &host, &port, error))
    return FALSE;
  if (far_address_number (g_str_equal (host, "localhost") ? "127.0.0.1" : host, port, to, size))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("'%s' is no address to listen at; write it in numbers, as in 127.0.0.1:8443"), address);
  return FALSE;
}

static const char *
bind_hint (int why)
{
  switch (why) {
  case EACCES:
  case EPERM:
    return _ ("; a port below 1024 needs the capability CAP_NET_BIND_SERVICE");
  case EADDRINUSE:
    return _ ("; `ss -ltnp` shows who has it");
  case EADDRNOTAVAIL:
    return _ ("; this machine does not have that address, or not yet");
  default:
    return "";
  }
}

/* An address that is not there may come: a VPN, or the network at boot. */
static gboolean
bind_error (const char *address, const char *what, GError **error)
{
  int why = errno;
  gboolean config = why == EACCES || why == EPERM || why == EAFNOSUPPORT;

  g_set_error (error, FAR_ERROR, config ? FAR_ERROR_CONFIG : FAR_ERROR_UNAVAILABLE,
               _ ("cannot %s at %s: %s%s"), what, address, g_strerror (why), bind_hint (why));
  return FALSE;
}

static gboolean
open_socket (FarListen *self, const struct sockaddr_storage *to, socklen_t size, GError **error)
{
  int on = 1;

  self->fd = socket (to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (self->fd < 0)
    return bind_error (self->address, _ ("open a socket"), error);
  setsockopt (self->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind (self->fd, (const struct sockaddr *) to, size) != 0 || listen (self->fd, BACKLOG) != 0)
    return bind_error (self->address, _ ("listen"), error);
  return TRUE;
}

static char *
bound_text (int fd)
{
  struct sockaddr_storage address = { 0 };
  socklen_t size = sizeof address;
  char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";

  if (getsockname (fd, (struct sockaddr *) &address, &size) != 0 ||
      getnameinfo ((struct sockaddr *) &address, size, host, sizeof host, port, sizeof port,
                   NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return g_strdup ("");
  return g_strdup_printf (address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

/* One that a former life of the instance has left open. */
static FarListen *
find_left (FarInstance *at, const char *address)
{
  for (guint i = 0; i < at->listens->len; i++) {
    FarListen *listen = at->listens->pdata[i];

    if (!listen->wanted && g_str_equal (listen->address, address))
      return listen;
  }
  return NULL;
}

static gboolean
open_unix (FarListen *self, const char *path, GError **error)
{
  struct stat info;

  self->fd = far_unix_path_ok (path, error) ? far_unix_listen (path, "listen", BACKLOG, error) : -1;
  if (self->fd < 0)
    return FALSE;
  if (chmod (path, 0660) != 0 || lstat (path, &info) != 0)
    return bind_error (self->address, _ ("listen"), error);
  self->device = info.st_dev;
  self->inode = info.st_ino;
  self->bound = g_strdup (self->address);
  return TRUE;
}

static gboolean
open_ip (FarListen *self, GError **error)
{
  struct sockaddr_storage to;
  socklen_t size;
  gboolean good = in_numbers (self->address, &to, &size, error) && open_socket (self, &to, size, error);

  if (good)
    self->bound = bound_text (self->fd);
  return good;
}

static FarListen *
listen_new (FarInstance *at, const char *address, GError **error)
{
  const char *path = unix_path (address);
  FarListen *listen = g_new0 (FarListen, 1);

  listen->address = g_strdup (address);
  listen->fd = -1;
  if (!(path != NULL ? open_unix (listen, path, error) : open_ip (listen, error))) {
    listen_free (listen);
    return NULL;
  }
  g_ptr_array_add (at->listens, listen);
  far_log (at, G_LOG_LEVEL_INFO, _ ("listens at %s"), listen->bound);
  return listen;
}

int
far_instance_listen (FarInstance *at, const char *address, char **bound, GError **error)
{
  FAR_ON_MAIN ();
  FarListen *listen = find_left (at, address);

  if (listen == NULL)
    listen = listen_new (at, address, error);
  if (listen == NULL)
    return -1;
  listen->wanted = TRUE;
  if (bound != NULL)
    *bound = g_strdup (listen->bound);
  return listen->fd;
}
