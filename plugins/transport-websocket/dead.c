/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections whose other side is gone and that are not read any more.
 *
 * The library has states in which it watches a socket and does not read it. Once the other side has hung up, such a socket is ready for ever: the
 * loop turns without a pause, and the library's timeouts, which run when nothing else is ready, never do. So they are looked for from here. */
#include "config.h"

#include "context.h"

#include <poll.h>

/* A half close of one who waits for an answer, or whom we keep waiting, is in order. */
static gboolean
is_gone (const WsConn *conn, short events)
{
  if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0)
    return TRUE;
  return (events & POLLRDHUP) != 0 && conn->holds == 0 && conn->calls == 0;
}

static void
judge (WsConn *conn, short events)
{
  gboolean before = conn->hung_up;

  conn->hung_up = is_gone (conn, events);
  if (!before || !conn->hung_up)
    return;
  conn->cause = conn->cause != NULL ? conn->cause : "connection lost";
  ws_conn_end_now (conn);
}

void
ws_dead_sweep (WsContext *context)
{
  g_autofree struct pollfd *fds = g_new (struct pollfd, context->served.length + 1);
  g_autoptr (GPtrArray) conns = g_ptr_array_new_with_free_func ((GDestroyNotify) ws_conn_unref);

  for (const GList *link = context->served.head; link != NULL; link = link->next) {
    WsConn *conn = link->data;

    if (conn->wsi == NULL || conn->gone)
      continue;
    fds[conns->len] = (struct pollfd){ .fd = lws_get_socket_fd (conn->wsi), .events = POLLRDHUP };
    g_ptr_array_add (conns, ws_conn_ref (conn));
  }
  if (conns->len == 0 || poll (fds, conns->len, 0) <= 0)
    return;
  for (guint i = 0; i < conns->len; i++)
    judge (g_ptr_array_index (conns, i), fds[i].revents);
}
