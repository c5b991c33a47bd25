/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection of front-load: TCP, TLS, GET, the whole answer, and the end or the next request. */
#include "config.h"

#include "front-load.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TOLD = 5, ANSWER_MAX = 65536 };

static void
slot_close (Slot *slot)
{
  g_clear_pointer (&slot->tls, gnutls_deinit);
  close (slot->fd);
  slot->fd = -1;
  slot->state = SLOT_IDLE;
}

void
front_slot_clear (Slot *slot)
{
  if (slot->fd >= 0)
    slot_close (slot);
  g_clear_pointer (&slot->ticket.data, gnutls_free);
  g_string_free (slot->answer, TRUE);
}

static gboolean
slot_fail (Slot *slot, const char *what, const char *why)
{
  Front *front = slot->front;
  if (front->failed++ < TOLD)
    fprintf (stderr, "front-load: %s: %s\n", what, why);
  front->busy--;
  slot_close (slot);
  return FALSE;
}

static void
slot_tls (Slot *slot)
{
  Front *front = slot->front;
  const gnutls_datum_t alpn = { (guint8 *) "http/1.1", 8 };
  gnutls_init (&slot->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
  gnutls_priority_set_direct (slot->tls, front->priority, NULL);
  gnutls_credentials_set (slot->tls, GNUTLS_CRD_CERTIFICATE, front->credentials);
  gnutls_alpn_set_protocols (slot->tls, &alpn, 1, 0);
  gnutls_transport_set_int (slot->tls, slot->fd);
  if (slot->ticket.data)
    gnutls_session_set_data (slot->tls, slot->ticket.data, slot->ticket.size);
}

/* Levels, not edges: GnuTLS says "again" also after a record of its own (a ticket), while the socket has
 * more. FALSE, for who stops here. */
static gboolean
slot_wait (Slot *slot)
{
  guint32 events = gnutls_record_get_direction (slot->tls) ? EPOLLOUT : EPOLLIN;
  struct epoll_event wanted = { .events = events, .data.ptr = slot };
  if (slot->events != events)
    epoll_ctl (slot->front->poll, EPOLL_CTL_MOD, slot->fd, &wanted);
  slot->events = events;
  return FALSE;
}

static void
slot_connect (Slot *slot)
{
  Front *front = slot->front;
  struct epoll_event wanted = { .events = EPOLLOUT, .data.ptr = slot };
  int one = 1;
  slot->events = EPOLLOUT;
  slot->fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt (slot->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  slot_tls (slot);
  slot->state = SLOT_SHAKING;
  if (connect (slot->fd, (struct sockaddr *) &front->address, sizeof front->address) != 0 &&
      errno != EINPROGRESS)
    slot_fail (slot, "connect", g_strerror (errno));
  else
    epoll_ctl (front->poll, EPOLL_CTL_ADD, slot->fd, &wanted);
}

void
front_slot_next (Slot *slot)
{
  Front *front = slot->front;
  if (front->running && slot->number >= front->quota)
    return;
  front->busy++;
  slot->number += front->running;
  g_string_truncate (slot->answer, 0);
  if (slot->state == SLOT_HELD) {
    slot->state = SLOT_SENDING;
    front_slot_ready (slot);
  } else
    slot_connect (slot);
}

/* Counts an exchange; while the slots are prepared each does one. TRUE: there is a next one on the same
 * connection. */
static gboolean
slot_done (Slot *slot)
{
  Front *front = slot->front;
  front->done++;
  front->busy--;
  if (front->mode == FRONT_KEEP)
    slot->state = SLOT_HELD;
  else
    slot_close (slot);
  if (!front->running || slot->number >= front->quota)
    return FALSE;
  if (front->mode != FRONT_KEEP) {
    front_slot_next (slot);
    return FALSE;
  }
  front->busy++;
  slot->number++;
  slot->state = SLOT_SENDING;
  g_string_truncate (slot->answer, 0);
  return TRUE;
}

static gboolean
slot_shake (Slot *slot)
{
  int result = gnutls_handshake (slot->tls);
  if (result == GNUTLS_E_AGAIN)
    return slot_wait (slot);
  if (result < 0 && gnutls_error_is_fatal (result))
    return slot_fail (slot, "handshake", gnutls_strerror (result));
  if (result == GNUTLS_E_SUCCESS) {
    slot->front->resumed += gnutls_session_is_resumed (slot->tls) != 0;
    slot->state = SLOT_SENDING;
  }
  return TRUE;
}

static gboolean
slot_send (Slot *slot)
{
  const char *request = slot->front->request;
  /* one record: it is taken whole or not at all */
  gssize n = gnutls_record_send (slot->tls, request, strlen (request));
  if (n == GNUTLS_E_AGAIN)
    return slot_wait (slot);
  if (n < 0 && gnutls_error_is_fatal ((int) n))
    return slot_fail (slot, "request", gnutls_strerror ((int) n));
  if (n > 0)
    slot->state = SLOT_READING;
  return TRUE;
}

/* 1: whole and good; 0: more must come; -1: no answer of 200 with a length. */
static int
slot_answered (const GString *answer)
{
  const char *end = strstr (answer->str, "\r\n\r\n"),
             *field = strcasestr (answer->str, "\r\ncontent-length:");
  if (!end)
    return answer->len > ANSWER_MAX ? -1 : 0;
  if (!g_str_has_prefix (answer->str, "HTTP/1.1 200 ") || !field || field > end)
    return -1;
  gsize whole = (gsize) (end + 4 - answer->str) + strtoul (field + strlen ("\r\ncontent-length:"), NULL, 10);
  return answer->len == whole ? 1 : answer->len < whole ? 0 : -1;
}

/* The last ticket is the next connection's. */
static void
slot_keep_ticket (Slot *slot)
{
  if (slot->front->mode != FRONT_RESUME ||
      !(gnutls_session_get_flags (slot->tls) & GNUTLS_SFLAGS_SESSION_TICKET))
    return;
  g_clear_pointer (&slot->ticket.data, gnutls_free);
  if (gnutls_session_get_data2 (slot->tls, &slot->ticket) != GNUTLS_E_SUCCESS)
    slot->ticket = (gnutls_datum_t){ NULL, 0 };
}

static gboolean
slot_read (Slot *slot)
{
  char buffer[16384];
  gssize n = gnutls_record_recv (slot->tls, buffer, sizeof buffer);
  if (n == GNUTLS_E_AGAIN)
    return slot_wait (slot);
  if (n == 0 || (n < 0 && gnutls_error_is_fatal ((int) n)))
    return slot_fail (slot, "answer", n == 0 ? "the server closed" : gnutls_strerror ((int) n));
  if (n < 0)
    return TRUE;
  g_string_append_len (slot->answer, buffer, n);
  int whole = slot_answered (slot->answer);
  if (whole < 0)
    return slot_fail (slot, "answer", slot->answer->str);
  if (whole > 0 && slot->front->mode == FRONT_KEEP)
    return slot_done (slot);
  if (whole > 0) {
    slot_keep_ticket (slot);
    slot->state = SLOT_ENDING;
  }
  return TRUE;
}

/* However the server closes: it has answered, and what it does to close is its work as well. */
static gboolean
slot_end (Slot *slot)
{
  char byte;
  gssize n = gnutls_record_recv (slot->tls, &byte, 1);
  if (n == GNUTLS_E_AGAIN)
    return slot_wait (slot);
  if (n > 0)
    return slot_fail (slot, "answer", "more than its length says");
  return n < 0 && !gnutls_error_is_fatal ((int) n) ? TRUE : slot_done (slot);
}

void
front_slot_ready (Slot *slot)
{
  gboolean more = TRUE;
  while (more)
    switch (slot->state) {
    case SLOT_SHAKING:
      more = slot_shake (slot);
      break;
    case SLOT_SENDING:
      more = slot_send (slot);
      break;
    case SLOT_READING:
      more = slot_read (slot);
      break;
    case SLOT_ENDING:
      more = slot_end (slot);
      break;
    case SLOT_IDLE:
    case SLOT_HELD:
      more = FALSE;
      break;
    }
}
