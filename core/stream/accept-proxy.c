/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PROXY protocol, version 2 (haproxy, proxy-protocol.txt section 2.2): who the peer of a proxy's
 * connection is. Exactly the header is read, so that what comes behind it stays in the kernel for the
 * connection's owner. */
#include "config.h"

#include "stream/acceptor-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/clock.h>

#define WAITING_MAX 1024

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { FAMILY_UNSPEC = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21, FAMILY_UNIX = 0x31 };
enum { SIZE_TCP4 = 12, SIZE_TCP6 = 36, SIZE_UNIX = 216 };

static const guint8 signature[12] = {
  0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
};

/* ---- the bytes ---- */

gsize
far_proxy_size (const guint8 *head)
{
  gsize size = FAR_PROXY_HEAD + (head[14] << 8 | head[15]);
  gboolean good = memcmp (head, signature, sizeof signature) == 0 &&
                  (head[12] == COMMAND_LOCAL || head[12] == COMMAND_PROXY);
  return good && size <= FAR_PROXY_MAX ? size : 0;
}

static FarProxyVerdict
told_v4 (const guint8 *body, struct sockaddr_in *address)
{
  address->sin_family = AF_INET;
  memcpy (&address->sin_addr, body, 4);
  memcpy (&address->sin_port, body + 8, 2);
  return FAR_PROXY_TOLD;
}

static FarProxyVerdict
told_v6 (const guint8 *body, struct sockaddr_in6 *address)
{
  address->sin6_family = AF_INET6;
  memcpy (&address->sin6_addr, body, 16);
  memcpy (&address->sin6_port, body + 32, 2);
  return FAR_PROXY_TOLD;
}

FarProxyVerdict
far_proxy_read (const guint8 *header, gsize size, struct sockaddr_storage *address)
{
  const guint8 *body = header + FAR_PROXY_HEAD;
  gsize length = size - FAR_PROXY_HEAD;
  guint8 family = header[13];
  memset (address, 0, sizeof *address);
  if (header[12] == COMMAND_LOCAL || family == FAMILY_UNSPEC)
    return FAR_PROXY_REAL;
  if (family == FAMILY_TCP4 && length >= SIZE_TCP4)
    return told_v4 (body, (struct sockaddr_in *) address);
  if (family == FAMILY_TCP6 && length >= SIZE_TCP6)
    return told_v6 (body, (struct sockaddr_in6 *) address);
  if (family != FAMILY_UNIX || length < SIZE_UNIX)
    return FAR_PROXY_BAD;
  address->ss_family = AF_UNIX;
  return FAR_PROXY_TOLD;
}

/* ---- those who still send it ---- */

typedef struct {
  FarProxyWait *wait;
  int fd;
  FarFdWatch *watch;
  struct sockaddr_storage peer;
  gint64 deadline_us;
  gsize got, size; /* size: of the part that is read now */
  GList link;
  guint8 header[FAR_PROXY_MAX];
} Sender;

struct _FarProxyWait {
  FarLoop *loop;
  FarProxyDone done;
  FarProxyRefused refused;
  gpointer user;
  GQueue senders; /* the oldest first */
  FarLoopTimer *timer;
};

static void
sender_free (Sender *sender)
{
  far_fd_watch_free (sender->watch);
  if (sender->fd >= 0)
    close (sender->fd);
  g_queue_unlink (&sender->wait->senders, &sender->link);
  g_free (sender);
}

static void
sender_refuse (Sender *sender)
{
  sender->wait->refused (&sender->peer, sender->wait->user);
  sender_free (sender);
}

static void
proxy_late (gpointer data)
{
  FarProxyWait *wait = data;
  gint64 now = far_clock_boottime_us ();
  Sender *first;
  while ((first = g_queue_peek_head (&wait->senders)) != NULL && first->deadline_us <= now)
    sender_refuse (first);
  if (first != NULL)
    far_loop_timer_set (wait->timer, first->deadline_us);
}

static void
sender_done (Sender *sender)
{
  FarProxyWait *wait = sender->wait;
  struct sockaddr_storage told, peer = sender->peer;
  FarProxyVerdict verdict = far_proxy_read (sender->header, sender->size, &told);
  int fd = sender->fd;
  if (verdict == FAR_PROXY_BAD) {
    sender_refuse (sender);
    return;
  }
  sender->fd = -1;
  sender_free (sender);
  wait->done (fd, verdict == FAR_PROXY_TOLD ? &told : &peer, wait->user);
}

/* A connection that ends before it said anything is a look whether we are there. FALSE: wait for more. */
static gboolean
sender_read (Sender *sender)
{
  gssize n;
  do
    n = recv (sender->fd, sender->header + sender->got, sender->size - sender->got, 0);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN)
    return FALSE;
  if (n <= 0 && sender->got == 0)
    sender_free (sender);
  else if (n <= 0)
    sender_refuse (sender);
  if (n <= 0)
    return TRUE;
  sender->got += (gsize) n;
  if (sender->got < sender->size)
    return FALSE;
  if (sender->got == FAR_PROXY_HEAD)
    sender->size = far_proxy_size (sender->header);
  if (sender->size == 0)
    sender_refuse (sender);
  else if (sender->got == sender->size)
    sender_done (sender);
  else
    return sender_read (sender);
  return TRUE;
}

static void
sender_ready (int fd, guint ready, gpointer data)
{
  Sender *sender = data;
  if (ready == FAR_READY_CLOSED) /* it cannot be watched */
    sender_free (sender);
  else
    sender_read (sender);
}

static void
accept_proxy_wait_for_more (FarProxyWait *wait, Sender *sender)
{
  sender->watch = far_fd_watch_new (wait->loop, sender->fd, FAR_READY_READ, sender_ready, sender);
  if (wait->timer == NULL)
    wait->timer = far_loop_timer (wait->loop, sender->deadline_us, proxy_late, wait);
  else if (wait->senders.length == 1)
    far_loop_timer_set (wait->timer, sender->deadline_us);
}

void
far_proxy_wait_add (FarProxyWait *wait, int fd, const struct sockaddr_storage *peer)
{
  Sender *sender = g_new0 (Sender, 1);
  if (wait->senders.length >= WAITING_MAX)
    sender_free (g_queue_peek_head (&wait->senders));
  sender->wait = wait;
  sender->fd = fd;
  sender->peer = *peer;
  sender->size = FAR_PROXY_HEAD;
  sender->deadline_us = far_clock_boottime_us () + FAR_PROXY_SECONDS * (gint64) G_USEC_PER_SEC;
  sender->link.data = sender;
  g_queue_push_tail_link (&wait->senders, &sender->link);
  if (!sender_read (sender))
    accept_proxy_wait_for_more (wait, sender);
}

FarProxyWait *
far_proxy_wait_new (FarLoop *loop, FarProxyDone done, FarProxyRefused refused, gpointer user)
{
  FarProxyWait *wait = g_new0 (FarProxyWait, 1);
  wait->loop = loop;
  wait->done = done;
  wait->refused = refused;
  wait->user = user;
  return wait;
}

void
far_proxy_wait_free (FarProxyWait *wait)
{
  if (wait == NULL)
    return;
  while (wait->senders.length > 0)
    sender_free (g_queue_peek_head (&wait->senders));
  far_loop_timer_free (wait->timer);
  g_free (wait);
}
