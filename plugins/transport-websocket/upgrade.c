/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client's connection until it is a WebSocket (RFC 6455 section 4.1). [loop] but for its begin. */
#include "config.h"

#include "upgrade.h"

#include <string.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/message.h>

#include "http.h"

#define HEAD_MAX 8192
#define BODY_MAX 4096 /* of a refusal, for its text */

struct _WsUpgrade {
  gint refs;     /* the work's, and who may cancel it */
  gboolean over; /* done has run */
  FarTls *tls;
  FarLoop *loop;
  int fd; /* -1: the stream's */
  char *host_header, *host, *path, *protocol, *key;
  FarStream *stream;
  FarLoopTimer *timer;
  GByteArray *in; /* what came of the answer */
  gsize looked;   /* bytes of it that hold no end of a head */
  char *node;
  gint64 asked_us; /* boottime */
  gint64 told_us;  /* wall time of the server, as it was when the answer came; 0: not told */
  WsUpgraded done;
  gpointer user;
};

typedef WsUpgrade Upgrade;

void
ws_upgrade_unref (WsUpgrade *self)
{
  if (self == NULL || !g_atomic_int_dec_and_test (&self->refs))
    return;
  far_tls_unref (self->tls);
  g_byte_array_unref (self->in);
  g_free (self->host_header);
  g_free (self->host);
  g_free (self->path);
  g_free (self->protocol);
  g_free (self->key);
  g_free (self->node);
  g_free (self);
}

static void
upgrade_over (Upgrade *self)
{
  self->over = TRUE;
  g_clear_pointer (&self->timer, far_loop_timer_free);
  if (self->stream != NULL) {
    far_stream_take (self->stream, NULL, NULL);
    far_stream_free (g_steal_pointer (&self->stream));
  }
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
  ws_upgrade_unref (self);
}

static void
upgrade_fail (Upgrade *self, FarErrorCode code, const char *text)
{
  g_autoptr (GError) error = g_error_new_literal (FAR_ERROR, (int) code, text);

  self->done (NULL, NULL, 0, error, self->user);
  upgrade_over (self);
}

static void
upgrade_late (gpointer data)
{
  upgrade_fail (data, FAR_ERROR_UNAVAILABLE,
                _ ("no answer within 30 s; is it the right port, and is the service there well?"));
}

/* ---- the answer ---- */

/* The other side's own words, when it is one of ours. */
static char *
refusal_text (guint status, const guint8 *body, gsize size)
{
  json_t *json = json_loadb ((const char *) body, size, 0, NULL);
  const char *text = json_string_value (json_object_get (json, "message"));
  char *whole;

  if (text != NULL)
    whole = g_strdup_printf (_ ("the server says %u: %s"), status, text);
  else if (status == 404 || status == 426)
    whole = g_strdup_printf (
        _ ("the server says %u: there is no WebSocket of Farwatch here; is it the right port?"), status);
  else
    whole = g_strdup_printf (_ ("the server says %u to the request for WebSocket; its log, or that of a "
                                "proxy before it, tells more"),
                             status);
  json_decref (json);
  return whole;
}

static void
upgrade_refused (Upgrade *self, guint status, const guint8 *body, gsize size)
{
  g_autofree char *text = refusal_text (status, body, size);

  upgrade_fail (self, status == 401 || status == 403 ? FAR_ERROR_DENIED : FAR_ERROR_UNAVAILABLE, text);
}

static gboolean
ws_upgrade_is_ours (const Upgrade *self, const WsHead *head)
{
  g_autofree char *wanted = ws_http_accept_key (self->key);
  const char *protocol = ws_head_field (head, "sec-websocket-protocol");

  return g_strcmp0 (ws_head_field (head, "sec-websocket-accept"), wanted) == 0 &&
         ws_head_has_token (head, "upgrade", "websocket") &&
         ws_head_has_token (head, "connection", "upgrade") &&
         ws_head_field (head, "sec-websocket-extensions") == NULL &&
         (protocol == NULL || strcmp (protocol, self->protocol) == 0);
}

static void
upgrade_succeed (Upgrade *self)
{
  FarStream *stream = g_steal_pointer (&self->stream);

  far_stream_take (stream, NULL, NULL);
  self->done (stream, self->node, self->told_us, NULL, self->user);
  upgrade_over (self);
}

/* The answer was half the time on its way that question and answer took. */
static gint64
upgrade_time (const Upgrade *self, const WsHead *head)
{
  const char *text = ws_head_field (head, "farwatch-time");
  gint64 us = text != NULL ? g_ascii_strtoll (text, NULL, 10) : 0;

  return us > 0 && us < G_MAXINT64 / 2 ? us + (far_clock_boottime_us () - self->asked_us) / 2 : 0;
}

/* TRUE: this was the end of it. used: how much of the bytes so far is the head. */
static gboolean
upgrade_judge (Upgrade *self, const WsHead *head, guint status, gsize used)
{
  gsize body = self->in->len - used;

  if (status != 101 && head->length > body && head->length <= BODY_MAX)
    return FALSE;
  if (status != 101)
    upgrade_refused (self, status, self->in->data + used, MIN (body, head->length));
  else if (!ws_upgrade_is_ours (self, head))
    upgrade_fail (self, FAR_ERROR_PROTOCOL,
                  _ ("the answer is not that of a WebSocket server; is it the right port, or a proxy that "
                     "does not pass WebSocket on?"));
  else {
    self->told_us = upgrade_time (self, head);
    upgrade_succeed (self);
  }
  return TRUE;
}

/* The bytes behind the head of a 101 are frames already: they stay in the stream. */
static gboolean
upgrade_take_bytes (Upgrade *self, const guint8 *data, gsize size)
{
  static const WsHeadLimits limits = { HEAD_MAX, 4096, 64 };
  g_autoptr (WsHead) head = NULL;
  gsize before = self->in->len, used = 0;
  guint status = 0;
  const char *text = NULL;
  g_autofree char *wrong = NULL;
  WsHeadResult result;

  g_byte_array_append (self->in, data, (guint) size);
  result = ws_answer_read (self->in->data, self->in->len, self->looked, &limits, &status, &head, &used,
                           &text);
  if (result == WS_HEAD_DONE && status == 101 && used >= before)
    size = used - before;
  self->stream->klass->consume (self->stream, size);
  if (result == WS_HEAD_MORE) {
    self->looked = self->in->len;
    return FALSE;
  }
  if (result == WS_HEAD_DONE)
    return upgrade_judge (self, head, status, used);
  wrong = g_strdup_printf (_ ("the answer is no good HTTP (%s); is it the right port?"), text);
  upgrade_fail (self, FAR_ERROR_PROTOCOL, wrong);
  return TRUE;
}

static void
upgrade_ready (FarStream *stream, guint ready, gpointer user)
{
  Upgrade *self = user;
  FarBurst batch;

  if ((ready & FAR_READY_CLOSED) != 0) {
    upgrade_fail (self, far_tls_refused (stream) ? FAR_ERROR_DENIED : FAR_ERROR_UNAVAILABLE, stream->cause);
    return;
  }
  while (TRUE) {
    stream->klass->peek (stream, &batch);
    if (batch.n == 0)
      break;
    if (upgrade_take_bytes (self, batch.frames[0].data, batch.frames[0].size))
      return;
  }
  if (batch.eof)
    upgrade_fail (self, FAR_ERROR_UNAVAILABLE,
                  _ ("closed before the answer came; the server's log says why"));
}

/* ---- the request ---- */

static void
put_request (Upgrade *self)
{
  g_autofree char *text = g_strdup_printf ("GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: "
                                           "Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                           "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: %s\r\n\r\n",
                                           self->path, self->host_header, self->key, self->protocol);
  FarBurst batch = { .n = 1, .bytes = strlen (text) };

  batch.frames[0] = (FarFrame){ .data = (const guint8 *) text, .size = batch.bytes };
  self->asked_us = far_clock_boottime_us ();
  self->stream->klass->write (self->stream, &batch); /* a fresh stream takes a record */
}

static void
upgrade_shaken (FarStream *stream, const GError *error, gpointer user)
{
  Upgrade *self = user;

  if (error != NULL) {
    upgrade_fail (self, (FarErrorCode) error->code, error->message);
    return;
  }
  self->node = g_strdup (far_tls_peer (stream));
  far_stream_take (stream, upgrade_ready, self);
  put_request (self);
}

static void
upgrade_begin (gpointer data)
{
  Upgrade *self = data;

  if (!self->over) {
    self->timer = far_loop_timer (self->loop,
                                  far_clock_boottime_us () + WS_UPGRADE_SECONDS * (gint64) G_USEC_PER_SEC,
                                  upgrade_late, self);
    self->stream = far_stream_tls_new (self->tls, far_stream_fd_new (self->loop, self->fd), self->host);
    self->fd = -1;
    far_tls_shake (self->stream, upgrade_shaken, self);
  }
  ws_upgrade_unref (self);
}

static void
upgrade_cancelled (gpointer data)
{
  Upgrade *self = data;

  if (!self->over)
    upgrade_fail (self, FAR_ERROR_UNAVAILABLE, _ ("cancelled"));
  ws_upgrade_unref (self);
}

void
ws_upgrade_cancel (WsUpgrade *self)
{
  g_atomic_int_inc (&self->refs);
  far_loop_post (self->loop, upgrade_cancelled, self);
}

WsUpgrade *
ws_upgrade (FarTls *tls, FarLoop *loop, int fd, const WsUrl *url, const char *protocol, WsUpgraded done,
            gpointer user)
{
  Upgrade *self = g_new0 (Upgrade, 1);
  guint32 word[4];

  for (guint i = 0; i < G_N_ELEMENTS (word); i++)
    word[i] = far_random_u32 (G_MAXUINT32);
  self->refs = 3; /* the work's, its beginning's and the caller's */
  self->tls = far_tls_ref (tls);
  self->loop = loop;
  self->fd = fd;
  self->host = g_strdup (url->host);
  self->host_header = ws_url_host_header (url);
  self->path = g_strdup (url->path);
  self->protocol = g_strdup (protocol);
  self->key = g_base64_encode ((const guchar *) word, sizeof word);
  self->in = g_byte_array_new ();
  self->done = done;
  self->user = user;
  far_loop_post (loop, upgrade_begin, self);
  return self;
}
