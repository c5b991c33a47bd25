/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file runs the link of one simulated terminal of many: TLS, the upgrade, frames, polls, and coming
 * back as the real client does. The command itself is terminals.c. */
#include "terminals.h"
#include <arpa/inet.h>
#include <errno.h>
#include <farwatch/message.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define STEADY_US                                                                                            \
  (10 * G_USEC_PER_SEC) /* as transport-websocket's client has it: a link that held so long was a good one   \
                         */
#define LOOK_US (20 * 1000)
enum { GROWS_TO = 15, SOURCES_EACH = 8 }; /* terminals of one address */
enum { WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10, IN_MAX = 1 << 20 };

/* The match of certificate and key is not checked again: they share one key, and it would take half of the
 * time of a storm. */
static gboolean
terminal_credentials (Crowd *crowd, Terminal *terminal)
{
  g_autofree char *key = g_build_filename (crowd->keys, "node.key", NULL);
  g_autofree char *certificate = g_strdup_printf ("%s/%s-%u.crt", crowd->keys, crowd->prefix,
                                                  terminal->number);
  gnutls_certificate_allocate_credentials (&terminal->credentials);
  gnutls_certificate_set_flags (terminal->credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
  return gnutls_certificate_set_x509_key_file (terminal->credentials, certificate, key,
                                               GNUTLS_X509_FMT_PEM) == GNUTLS_E_SUCCESS;
}

gboolean
crowd_prepare (Crowd *crowd)
{
  gboolean good = TRUE;
  for (guint i = 0; good && i < crowd->count; i++) {
    crowd->terminals[i] = (Terminal){ .number = i + 1, .fd = -1, .cap_us = crowd->reconnect_us };
    good = terminal_credentials (crowd, &crowd->terminals[i]);
  }
  return good;
}

/* Full jitter as the product's client has it: up to `reconnect`, after a try in vain up to twice as long. */
static void
terminal_wait (Crowd *crowd, Terminal *terminal)
{
  gint64 now = g_get_monotonic_time ();
  gboolean steady = terminal->state == TERMINAL_OPEN && now - terminal->up_us >= STEADY_US;
  if (steady)
    terminal->cap_us = crowd->reconnect_us;
  terminal->due_us = now + terminal->cap_us / 10 +
                     (gint64) (g_random_double () * 0.9 * (double) terminal->cap_us);
  if (!steady)
    terminal->cap_us = MIN (terminal->cap_us * 2, crowd->reconnect_us * GROWS_TO);
  terminal->state = TERMINAL_WAITING;
  crowd->waiting++;
}

static void
terminal_lose (Crowd *crowd, Terminal *terminal, const char *why)
{
  gboolean open = terminal->state == TERMINAL_OPEN;
  crowd->broken += !open;
  crowd->ended += open;
  crowd->open -= open;
  if (crowd->broken + crowd->ended <= 5)
    fprintf (stderr, "terminals: %s-%u: %s\n", crowd->prefix, terminal->number, why);
  close (terminal->fd);
  gnutls_deinit (terminal->tls);
  g_byte_array_unref (terminal->in);
  g_byte_array_unref (terminal->out);
  if (crowd->reconnect_us > 0)
    terminal_wait (crowd, terminal);
  else {
    crowd->lost++;
    terminal->state = TERMINAL_LOST;
  }
}

void
crowd_cut (Crowd *crowd)
{
  const struct linger now = { .l_onoff = 1, .l_linger = 0 };
  for (guint i = 0; i < crowd->count; i++) {
    Terminal *terminal = &crowd->terminals[i];
    if (terminal->state == TERMINAL_LOST || terminal->state == TERMINAL_WAITING ||
        terminal->state == TERMINAL_IDLE)
      continue;
    setsockopt (terminal->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    terminal_lose (crowd, terminal, "cut");
  }
}

int
crowd_come_back (Crowd *crowd)
{
  gint64 now = g_get_monotonic_time ();
  if (crowd->waiting == 0)
    return G_MAXINT;
  if (now - crowd->looked_us < LOOK_US)
    return LOOK_US / 1000;
  crowd->looked_us = now;
  for (guint i = 0; i < crowd->count; i++)
    if (crowd->terminals[i].state == TERMINAL_WAITING && crowd->terminals[i].due_us <= now) {
      crowd->waiting--;
      terminal_start (crowd, i);
    }
  return LOOK_US / 1000;
}

/* Bytes that TLS does not take now stay in out and wait for EPOLLOUT. */
static void
terminal_flush (Crowd *crowd, Terminal *terminal)
{
  while (terminal->out->len > 0) {
    gssize n = gnutls_record_send (terminal->tls, terminal->out->data, terminal->out->len);
    if (n > 0)
      g_byte_array_remove_range (terminal->out, 0, (guint) n);
    else if (n != GNUTLS_E_INTERRUPTED)
      break;
  }
  struct epoll_event wanted = { .events = EPOLLIN | (terminal->out->len > 0 ? EPOLLOUT : 0),
                                .data.ptr = terminal };
  epoll_ctl (crowd->poll, EPOLL_CTL_MOD, terminal->fd, &wanted);
}

/* A masked frame, as a client's must be. */
static void
terminal_send (Crowd *crowd, Terminal *terminal, guint8 kind, const guint8 *data, gsize size)
{
  const guint8 mask[4] = { 0x11, 0x22, 0x33, 0x44 };
  guint8 head[4] = { 0x80 | kind, 0x80 | (guint8) (size < 126 ? size : 126), (guint8) (size >> 8),
                     (guint8) size };
  g_byte_array_append (terminal->out, head, size < 126 ? 2 : 4);
  g_byte_array_append (terminal->out, mask, 4);
  for (gsize i = 0; i < size; i++) {
    guint8 byte = data[i] ^ mask[i % 4];
    g_byte_array_append (terminal->out, &byte, 1);
  }
  terminal_flush (crowd, terminal);
}

void
terminal_poll (Crowd *crowd, guint index)
{
  Terminal *terminal = &crowd->terminals[index];
  if (terminal->state != TERMINAL_OPEN)
    return;
  g_autofree char *nonce = g_strdup_printf ("nonce-%u-%lu-0123456789", index, crowd->polls);
  g_autoptr (FarMessage)
      request = far_message_request ("POST", "poll", json_pack ("{s:s, s:[]}", "nonce", nonce, "sessions"));
  g_autoptr (GBytes) frame = far_message_encode (request);
  gsize size;
  const guint8 *data = g_bytes_get_data (frame, &size);
  terminal_send (crowd, terminal, WS_BINARY, data, size);
  crowd->polls++;
}

static void
terminal_frame (Crowd *crowd, Terminal *terminal, guint8 kind, const guint8 *data, gsize size)
{
  if (kind == WS_PING) {
    crowd->pings++;
    terminal_send (crowd, terminal, WS_PONG, data, size);
  } else if (kind == WS_BINARY) {
    g_autoptr (FarMessage) answer = far_message_decode (data, size, NULL);
    crowd->answers += answer && !answer->method && answer->status < 300;
  }
}

/* Whole frames at the front of what came; FALSE: the server closed. */
static gboolean
terminal_frames (Crowd *crowd, Terminal *terminal)
{
  GByteArray *in = terminal->in;
  while (in->len >= 2) {
    gsize size = in->data[1] & 127, head = size == 126 ? 4 : size == 127 ? 10 : 2;
    if (in->len < head)
      return TRUE;
    if (head > 2)
      size = 0;
    for (gsize i = 2; i < head; i++)
      size = size << 8 | in->data[i];
    if (in->len < head + size)
      return TRUE;
    if ((in->data[0] & 15) == WS_CLOSE)
      return FALSE;
    terminal_frame (crowd, terminal, in->data[0] & 15, in->data + head, size);
    g_byte_array_remove_range (in, 0, (guint) (head + size));
  }
  return TRUE;
}

static void
terminal_upgrade (Crowd *crowd, Terminal *terminal)
{
  g_autofree char *text =
      g_strdup_printf ("GET /link HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: "
                       "13\r\nSec-WebSocket-Protocol: farwatch\r\n\r\n",
                       crowd->host, crowd->port);
  g_byte_array_append (terminal->out, (guint8 *) text, (guint) strlen (text));
  terminal->state = TERMINAL_UPGRADING;
  terminal_flush (crowd, terminal);
}

/* FALSE: refused. */
static gboolean
terminal_upgraded (Crowd *crowd, Terminal *terminal)
{
  g_autofree char *text = g_strndup ((char *) terminal->in->data, terminal->in->len);
  char *end = strstr (text, "\r\n\r\n");
  if (!end)
    return TRUE;
  if (!g_str_has_prefix (text, "HTTP/1.1 101")) {
    *strchr (text, '\r') = '\0';
    fprintf (stderr, "terminals: %s\n", text);
    return FALSE;
  }
  g_byte_array_remove_range (terminal->in, 0, (guint) (end + 4 - text));
  terminal->state = TERMINAL_OPEN;
  terminal->up_us = g_get_monotonic_time ();
  crowd->open++;
  if (crowd->reconnect_us > 0)
    terminal_poll (crowd, terminal->number - 1);
  return TRUE;
}

static void
terminal_read (Crowd *crowd, Terminal *terminal)
{
  guint8 buffer[16384];
  gssize n;
  while ((n = gnutls_record_recv (terminal->tls, buffer, sizeof buffer)) > 0 && terminal->in->len < IN_MAX) {
    g_byte_array_append (terminal->in, buffer, (guint) n);
    if (terminal->state == TERMINAL_UPGRADING && !terminal_upgraded (crowd, terminal))
      n = 0;
    if (n == 0 || (terminal->state == TERMINAL_OPEN && !terminal_frames (crowd, terminal)))
      break;
  }
  if (n != GNUTLS_E_AGAIN && n != GNUTLS_E_INTERRUPTED)
    terminal_lose (crowd, terminal, n < 0 ? gnutls_strerror ((int) n) : "closed by the cloud");
}

static void
terminal_shake (Crowd *crowd, Terminal *terminal)
{
  int result = gnutls_handshake (terminal->tls);
  if (result == GNUTLS_E_SUCCESS)
    terminal_upgrade (crowd, terminal);
  else if (gnutls_error_is_fatal (result))
    terminal_lose (crowd, terminal, gnutls_strerror (result));
  else {
    struct epoll_event wanted = { .events = gnutls_record_get_direction (terminal->tls) ? EPOLLOUT : EPOLLIN,
                                  .data.ptr = terminal };
    epoll_ctl (crowd->poll, EPOLL_CTL_MOD, terminal->fd, &wanted);
  }
}

void
terminal_ready (Crowd *crowd, Terminal *terminal)
{
  if (terminal->state == TERMINAL_CONNECTING)
    terminal->state = TERMINAL_SHAKING;
  if (terminal->state == TERMINAL_SHAKING)
    terminal_shake (crowd, terminal);
  else if (terminal->state == TERMINAL_UPGRADING || terminal->state == TERMINAL_OPEN) {
    terminal_flush (crowd, terminal);
    terminal_read (crowd, terminal);
  }
}

/* Many that come back would all be one address to the cloud, as no fleet is. */
static void
terminal_source (const Terminal *terminal)
{
  struct sockaddr_in source = { .sin_family = AF_INET,
                                .sin_addr = { htonl (0x7f010001 + (terminal->number - 1) / SOURCES_EACH) } };
  int one = 1;
  setsockopt (terminal->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  bind (terminal->fd, (struct sockaddr *) &source, sizeof source);
}

static void
terminal_socket (Crowd *crowd, Terminal *terminal)
{
  int one = 1;
  terminal->fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt (terminal->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (crowd->reconnect_us > 0)
    terminal_source (terminal);
}

void
terminal_start (Crowd *crowd, guint index)
{
  Terminal *terminal = &crowd->terminals[index];
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) crowd->port) };
  struct epoll_event wanted = { .events = EPOLLOUT, .data.ptr = terminal };
  inet_pton (AF_INET, crowd->host, &address.sin_addr);
  terminal->state = TERMINAL_CONNECTING;
  terminal->in = g_byte_array_new ();
  terminal->out = g_byte_array_new ();
  terminal_socket (crowd, terminal);
  gnutls_init (&terminal->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK);
  gnutls_set_default_priority (terminal->tls);
  gnutls_credentials_set (terminal->tls, GNUTLS_CRD_CERTIFICATE, terminal->credentials);
  gnutls_transport_set_int (terminal->tls, terminal->fd);
  epoll_ctl (crowd->poll, EPOLL_CTL_ADD, terminal->fd, &wanted);
  if (connect (terminal->fd, (struct sockaddr *) &address, sizeof address) != 0 && errno != EINPROGRESS)
    terminal_lose (crowd, terminal, g_strerror (errno));
}
