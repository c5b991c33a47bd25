/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes: each local connection gets a stream of the session. */
#include "config.h"

#include "connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/loop.h>
#include <farwatch/pump.h>

int
connect_listen (int port, int *bound, GError **error)
{
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_port = htons ((guint16) port),
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

  if (fd >= 0)
    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (fd < 0 || bind (fd, (const struct sockaddr *) &address, size) != 0 || listen (fd, 512) != 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("cannot listen on 127.0.0.1:%d: %s; --listen names another port, 0 any"), port,
                 g_strerror (errno));
    if (fd >= 0)
      close (fd);
    return -1;
  }
  getsockname (fd, (struct sockaddr *) &address, &size);
  *bound = ntohs (address.sin_port);
  return fd;
}

FarStream *
connect_open_stream (Ctl *ctl, const char *session, GError **error)
{
  g_autofree char *resource = ctl_path (error, "sessions", session, "stream", NULL);
  json_t *answer = ctl_call (ctl, "POST", resource, NULL, error);
  g_autofree char *ticket = g_strdup (json_string_value (json_object_get (answer, "ticket")));

  json_decref (answer);
  if (ticket == NULL) {
    if (error != NULL && *error == NULL)
      g_set_error_literal (error, FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("the daemon gave no ticket"));
    return NULL;
  }
  return ctl_stream (ctl, ticket, error);
}

int
connect_open_fd (Ctl *ctl, const char *session, GError **error)
{
  FarStream *stream = connect_open_stream (ctl, session, error);

  return stream != NULL ? ctl_stream_fd (stream, error) : -1;
}

/* Not an end of data: a refusal. */
static void
connect_reset (int fd)
{
  struct linger now = { .l_onoff = 1 };

  setsockopt (fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close (fd);
}

/* What passes here stands under the login of who started this: other users of the machine are turned away.
 * Told once. */
static gboolean
connect_may_come (Connect *connect, int near, GError **error)
{
  gboolean mine = TRUE;
  uid_t uid = 0;

  if (!connect->all_users && !connect_peer_is_mine (near, &mine, &uid, error))
    return FALSE;
  if (mine || connect->others_said || uid == (uid_t) -1)
    return mine;
  connect->others_said = TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
               _ ("a connection of another user of this machine (uid %u) was turned away; --listen-all-users "
                  "lets them in"),
               (unsigned) uid);
  return FALSE;
}

gboolean
connect_accept (Connect *connect, int listener, GError **error)
{
  static const FarPumpSpec spec = { .session = "farctl" };
  int near = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
  FarStream *far;

  if (near < 0)
    return TRUE; /* gone before it was taken */
  if (!connect_may_come (connect, near, error)) {
    connect_reset (near);
    return error == NULL || *error == NULL;
  }
  far = connect_open_stream (connect->ctl, connect->session, error);
  if (far == NULL) {
    connect_reset (near);
    return FALSE;
  }
  far_pump_start (far_stream_fd_new (far->loop, near), far, &spec);
  return TRUE;
}

/* ---- stdin and stdout ---- */

typedef struct {
  int from, to;
  gboolean done, moved;
} ConnectJoinWay;

/* One piece; blocking writes: whoever is slow slows the other. */
static void
join_piece (ConnectJoinWay *way)
{
  guint8 buffer[32768];
  gssize n = read (way->from, buffer, sizeof buffer), at = 0;

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  while (at < n) {
    gssize put = write (way->to, buffer + at, (gsize) (n - at));
    struct pollfd ready = { .fd = way->to, .events = POLLOUT };

    if (put < 0 && errno == EAGAIN)
      poll (&ready, 1, -1);
    else if (put < 0 && errno != EINTR)
      break;
    else if (put > 0)
      at += put;
  }
  way->moved |= at > 0;
  if (n <= 0 || at < n)
    way->done = TRUE;
}

JoinEnd
connect_join (int fd, int signals)
{
  ConnectJoinWay up = { STDIN_FILENO, fd, FALSE, FALSE }, down = { fd, STDOUT_FILENO, FALSE, FALSE };

  while (!down.done) {
    struct pollfd ready[3] = {
      { .fd = up.done ? -1 : up.from, .events = POLLIN },
      { .fd = fd, .events = POLLIN },
      { .fd = signals, .events = POLLIN },
    };

    if (poll (ready, 3, -1) < 0 && errno != EINTR)
      return JOIN_CUT;
    if (ready[2].revents != 0)
      return JOIN_INTERRUPTED;
    if (ready[0].revents != 0) {
      join_piece (&up);
      if (up.done)
        shutdown (fd, SHUT_WR);
    }
    if (ready[1].revents != 0)
      join_piece (&down);
  }
  return up.done && down.moved ? JOIN_DONE : JOIN_CUT;
}

/* For ProxyCommand: the session is another farctl's, or opened by the console. */
int
ctl_stream_command (Ctl *ctl, int argc, char **argv)
{
  GError *error = NULL;
  int fd;

  if (!ctl_words (ctl, &argc, &argv, 1, 1))
    return ctl->status;
  fd = connect_open_fd (ctl, argv[1], &error);
  if (fd < 0)
    return ctl_fail (ctl, error);
  connect_join (fd, -1);
  close (fd);
  return CTL_OK;
}
