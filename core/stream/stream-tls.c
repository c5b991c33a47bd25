/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TLS as a stream over another stream.
 *
 * Reading: GnuTLS pulls from one peek of the stream below (64 KiB of a socket: four records, one system
 * call), and each record is shown in the memory it was decrypted to. Writing: what is given is cut into
 * records, these are gathered in a flight, and the flight is written below, at once when it is short, else
 * when this turn of the loop is over; what does not fit is kept, and nothing more is taken before it is gone.
 * So GnuTLS itself never waits on the way out. */
#include "config.h"

#include "loop/loop-private.h"
#include "stream/stream-tls-private.h"
#include "trust/trust-private.h"

#include <errno.h>
#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/thread.h>

#define STEPS 32               /* records without content in one turn; then others of the loop have theirs */
#define LAST_WORDS_MS 60000    /* for what was taken and is not below yet */
#define ALERT_MS 1000          /* for the alert that ends a handshake to be read */
#define NOISE_MAX (128 * 1024) /* bytes that came and carried nothing; then the other side is cut */
#define NOISE_PER_SECOND (16 * 1024)
#define NOISE_PER_RECORD 64 /* what a record may cost beside its content */
#define EMPTY_MAX                                                                                            \
  64 /* records without content in a row: GnuTLS keeps 16 KiB of memory for each handshake record of nothing \
      */

static void below_ready (FarStream *below, guint ready, gpointer user);

/* ---- what GnuTLS calls ---- */

static gssize
stream_tls_try_again (FarTlsStream *self)
{
  self->starved = TRUE;
  gnutls_transport_set_errno (self->session, EAGAIN);
  return -1;
}

/* What one look below has shown is worked off, and its records used, before there is another look: so a read
 * serves as many records as it can, and what waits to be used stays in the socket. */
static ssize_t
tls_pull (gnutls_transport_ptr_t data, void *to, size_t size)
{
  FarTlsStream *self = data;
  FarBurst burst;
  gsize n = 0;

  if (self->below == NULL || self->below->closed || self->starved || (self->n > 0 && self->view == 0))
    return stream_tls_try_again (self);
  self->below->klass->peek (self->below, &burst);
  if (burst.n == 0)
    return burst.eof ? 0 : stream_tls_try_again (self);
  for (guint i = 0; i < burst.n && n < size; i++) {
    gsize part = MIN (size - n, burst.frames[i].size);

    memcpy ((guint8 *) to + n, burst.frames[i].data, part);
    n += part;
  }
  self->below->klass->consume (self->below, n);
  self->view = burst.bytes - n;
  self->pulled += n;
  if (self->state == FAR_TLS_SHAKING && self->pulled > FAR_TLS_SHAKE_BYTES) {
    gnutls_transport_set_errno (self->session, EMSGSIZE);
    return -1;
  }
  return (ssize_t) n;
}

/* The stream never makes GnuTLS wait, neither for what comes nor for what goes. */
static int
tls_pull_timeout (gnutls_transport_ptr_t data, unsigned ms)
{
  return 1;
}

static ssize_t
tls_push (gnutls_transport_ptr_t data, const void *from, size_t size)
{
  FarTlsStream *self = data;

  if (self->flight == NULL)
    self->flight = g_byte_array_new ();
  g_byte_array_append (self->flight, from, (guint) size);
  return (ssize_t) size;
}

static gboolean
judge_peer (FarTlsStream *self)
{
  const FarTlsSpec *spec = far_tls_spec (self->tls);
  g_autofree char *ca = far_tls_ca (self->tls);
  unsigned n = 0;
  const gnutls_datum_t *chain = gnutls_certificate_get_peers (self->session, &n);

  self->peer_known = TRUE;
  g_clear_pointer (&self->node, g_free);
  if (chain == NULL && spec->server)
    return TRUE;
  if (ca == NULL)
    return TRUE;
  return far_trust_check_raw (chain, n, ca, spec->purpose, spec->name, &self->node, &self->alert,
                              &self->clock, &self->refusal);
}

/* In full handshakes, before anything of ours depends on it. In TLS 1.2 the other side has not proved to have
 * the key yet. */
static int
tls_verify (gnutls_session_t session)
{
  return judge_peer (gnutls_session_get_ptr (session)) ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

/* ---- the handshake ---- */

static void
tell_shaken (FarTlsStream *self, const GError *error)
{
  FarTlsShaken shaken = self->shaken;

  self->shaken = NULL;
  if (shaken != NULL)
    shaken (&self->head, error, self->shaken_user);
}

/* The alert goes out and is given a moment to be read; the stream itself is dead at once. */
static void
tls_let_go (FarTlsStream *self)
{
  FarStream *below = g_steal_pointer (&self->below);
  GByteArray *rest = g_steal_pointer (&self->pending);

  if (self->flight != NULL && rest == NULL)
    rest = g_steal_pointer (&self->flight);
  else if (self->flight != NULL && self->flight->len > 0)
    g_byte_array_append (rest, self->flight->data, self->flight->len);
  g_clear_pointer (&self->flight, g_byte_array_unref);
  if (below == NULL)
    return;
  far_stream_take (below, NULL, NULL);
  if (rest != NULL && rest->len == 0)
    g_clear_pointer (&rest, g_byte_array_unref);
  far_stream_linger (below, rest, self->refusal != NULL || rest != NULL ? ALERT_MS : 0, NULL);
}

/* Who just goes away in the middle says nothing about the listener. */
static void
say_failed (FarTlsStream *self, int rc, const GError *error)
{
  const FarTlsSpec *spec = far_tls_spec (self->tls);
  g_autofree char *key = NULL;

  if (!spec->server || rc == GNUTLS_E_PREMATURE_TERMINATION)
    return;
  if (self->refusal == NULL) {
    far_count ("TLS handshakes", 1);
    /* One key for all, as anybody can fail. */
    far_log_limited (spec->at, "handshake", _ ("TLS handshake of %s failed: %s"), self->from, error->message);
    return;
  }
  /* Who is certified by the fleet has a line of its own; what strangers can make up shares one. */
  key = g_strconcat ("certificate ",
                     self->alert == GNUTLS_A_UNKNOWN_CA || self->alert == GNUTLS_A_BAD_CERTIFICATE
                         ? ""
                         : self->refusal->message,
                     NULL);
  far_count ("certificates", 1);
  far_log_limited (spec->at, key, _ ("certificate refused, %s: %s"), self->from, self->refusal->message);
}

static void
shake_failed (FarTlsStream *self, int rc)
{
  g_autoptr (GError) error = far_tls_shake_error (self->session, self->refusal,
                                                  far_tls_spec (self->tls)->server, self->pulled, rc);

  say_failed (self, rc, error);
  if (self->refusal != NULL)
    gnutls_alert_send (self->session, GNUTLS_AL_FATAL, (gnutls_alert_description_t) self->alert);
  else if (rc != GNUTLS_E_FATAL_ALERT_RECEIVED && rc != GNUTLS_E_PREMATURE_TERMINATION)
    gnutls_alert_send_appropriate (self->session, rc);
  far_stream_tls_out_drop (self); /* at once: without a refusal nobody waits below */
  tls_let_go (self);
  if (self->shaken == NULL) {
    far_stream_die (&self->head, error->message);
    return;
  }
  self->head.closed = TRUE;
  self->head.cause = far_cause (error->message);
  tell_shaken (self, error);
}

static void
shake_done (FarTlsStream *self)
{
  self->state = FAR_TLS_OPEN;
  far_trust_clock_take (&self->clock);
  self->pulled = 0;
  self->noise_us = far_clock_boottime_us ();
  if (far_tls_spec (self->tls)->server)
    gnutls_session_ticket_send (self->session, 1, 0);
  far_stream_tls_out_drop (self);
  if (self->shaken != NULL)
    tell_shaken (self, NULL);
  else
    far_stream_tell (&self->head, FAR_READY_READ | FAR_READY_WRITE);
}

static void
shake (FarTlsStream *self)
{
  int rc;

  do {
    self->starved = FALSE;
    rc = gnutls_handshake (self->session);
  } while (rc < 0 && !gnutls_error_is_fatal (rc) && !self->starved);
  if (rc < 0 && !gnutls_error_is_fatal (rc)) {
    far_stream_tls_out_drop (self);
    return;
  }
  /* A resumed handshake shows no chain: the one of the ticket is judged. */
  if (rc >= 0 && !self->peer_known && !judge_peer (self))
    rc = GNUTLS_E_CERTIFICATE_ERROR;
  if (rc < 0)
    shake_failed (self, rc);
  else
    shake_done (self);
}

/* ---- in ---- */

static void
drop_packets (FarTlsStream *self)
{
  for (guint i = self->first; i < self->n; i++)
    gnutls_packet_deinit (self->packet[i]);
  self->first = self->n = 0;
  self->at = 0;
}

/* FALSE: the other side keeps us busy for nothing. */
static gboolean
count_noise (FarTlsStream *self, gsize content, guint records)
{
  gint64 now;

  self->noise += (gint64) self->pulled - (gint64) content - records * NOISE_PER_RECORD;
  self->pulled = 0;
  if (self->noise <= 0) {
    self->noise = 0;
    return TRUE;
  }
  if (self->noise <= NOISE_MAX)
    return TRUE;
  now = far_clock_boottime_us ();
  self->noise -= (now - self->noise_us) * NOISE_PER_SECOND / G_USEC_PER_SEC;
  self->noise_us = now;
  return self->noise <= NOISE_MAX;
}

static const char *
read_cause (FarTlsStream *self, int rc)
{
  const char *alert = rc == GNUTLS_E_FATAL_ALERT_RECEIVED ? far_tls_alert_text (self->session) : NULL;

  self->refused = alert != NULL;
  if (self->refused)
    return alert;
  if (rc == GNUTLS_E_PREMATURE_TERMINATION || rc == GNUTLS_E_UNEXPECTED_PACKET_LENGTH)
    return "connection lost";
  if (rc == GNUTLS_E_REHANDSHAKE)
    return "TLS renegotiation is not done here";
  return gnutls_strerror (rc);
}

static void
read_failed (FarTlsStream *self, int rc)
{
  if (rc != GNUTLS_E_FATAL_ALERT_RECEIVED && rc != GNUTLS_E_PREMATURE_TERMINATION) {
    if (rc == GNUTLS_E_REHANDSHAKE)
      gnutls_alert_send (self->session, GNUTLS_AL_FATAL, GNUTLS_A_NO_RENEGOTIATION);
    else
      gnutls_alert_send_appropriate (self->session, rc);
    far_stream_tls_out_flight (self);
  }
  self->ending = far_cause (read_cause (self, rc));
}

/* One record, or nothing. FALSE: no more now. */
static gboolean
read_record (FarTlsStream *self, gsize *content)
{
  gnutls_packet_t packet = NULL;
  gnutls_datum_t data = { NULL, 0 };
  ssize_t rc;

  /* What GnuTLS still holds here is the rest of a record that began with a handshake message. It would refuse
   * it, too, but lose its 16 KiB (3.7). */
  rc = gnutls_record_check_pending (self->session) > 0 ? GNUTLS_E_UNEXPECTED_PACKET
                                                       : gnutls_record_recv_packet (self->session, &packet);
  if (rc == 0) {
    self->eof_in = TRUE;
    return FALSE;
  }
  if (rc < 0) {
    if (!gnutls_error_is_fatal ((int) rc) && rc != GNUTLS_E_REHANDSHAKE) {
      self->empty += !self->starved;
      return !self->starved && self->empty <= EMPTY_MAX;
    }
    read_failed (self, (int) rc);
    return FALSE;
  }
  gnutls_packet_get (packet, &data, NULL);
  *content += data.size;
  self->empty = data.size > 0 ? 0 : self->empty + 1;
  self->packet[self->n++] = packet;
  return TRUE;
}

static void
read_records (FarTlsStream *self)
{
  gboolean more = TRUE;
  gsize content = 0;

  self->starved = FALSE;
  for (guint step = 0; more && step < STEPS && self->n < FAR_TLS_PACKETS; step++)
    more = read_record (self, &content);
  if (!count_noise (self, content, self->n) || self->empty > EMPTY_MAX)
    self->ending = "too many TLS records without content";
  far_stream_tls_out_drop (self); /* answers to key updates, alerts */
  if (more && self->n == 0 && !self->eof_in && self->ending == NULL)
    far_stream_tell_soon (&self->head, FAR_READY_READ);
}

void
far_stream_tls_wake (FarTlsStream *self)
{
  if (!self->away)
    return;
  self->away = FALSE;
  if (self->below != NULL)
    far_stream_take (self->below, below_ready, self);
}

static void
tls_peek (FarStream *stream, FarBurst *burst)
{
  FarTlsStream *self = (FarTlsStream *) stream;

  burst->n = 0;
  burst->bytes = 0;
  burst->eof = FALSE;
  if (stream->closed)
    return;
  far_stream_tls_wake (self);
  if (self->state != FAR_TLS_OPEN)
    return;
  if (self->n == 0 && !self->eof_in && self->ending == NULL)
    read_records (self);
  for (guint i = self->first; i < self->n; i++) {
    gnutls_datum_t data = { NULL, 0 };
    gsize skip = i == self->first ? self->at : 0;

    gnutls_packet_get (self->packet[i], &data, NULL);
    burst->frames[burst->n++] = (FarFrame){ .data = data.data + skip, .size = data.size - skip };
    burst->bytes += data.size - skip;
  }
  burst->eof = self->eof_in;
  if (burst->n == 0 && self->ending != NULL)
    far_stream_die_soon (stream, self->ending);
}

static void
tls_consume (FarStream *stream, gsize bytes)
{
  FarTlsStream *self = (FarTlsStream *) stream;

  while (bytes > 0 && self->first < self->n) {
    gnutls_datum_t data = { NULL, 0 };
    gsize part;

    gnutls_packet_get (self->packet[self->first], &data, NULL);
    part = MIN (bytes, data.size - self->at);
    self->at += part;
    bytes -= part;
    if (self->at < data.size)
      return;
    gnutls_packet_deinit (self->packet[self->first++]);
    self->at = 0;
  }
  if (self->first == self->n)
    self->first = self->n = 0;
}

/* ---- the end of output ---- */

static void
tls_shutdown (FarStream *stream, FarDirection what)
{
  FarTlsStream *self = (FarTlsStream *) stream;

  if ((what & FAR_DIRECTION_WRITE) == 0 || self->eof_out || stream->closed || self->state != FAR_TLS_OPEN)
    return;
  self->eof_out = TRUE;
  gnutls_bye (self->session, GNUTLS_SHUT_WR);
  far_stream_tls_out_drop (self);
  if (self->pending == NULL)
    far_stream_tls_out_end (self);
}

/* ---- what the stream below tells ---- */

static void
below_closed (FarTlsStream *self)
{
  const char *cause = self->below != NULL && self->below->cause != NULL ? self->below->cause : "closed";

  if (self->state == FAR_TLS_SHAKING) {
    g_autoptr (GError) error = g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                                            _ ("closed during the TLS handshake: %s"), cause);

    self->head.closed = self->shaken != NULL;
    self->head.cause = self->head.closed ? far_cause (cause) : NULL;
    if (self->shaken != NULL)
      tell_shaken (self, error);
    else
      far_stream_die (&self->head, cause);
    return;
  }
  far_stream_die (&self->head, cause);
}

/* After the other side's close_notify nothing is shown any more, but the stream below must be looked at to
 * tell that it has ended altogether. */
static void
forget_rest (FarTlsStream *self)
{
  FarBurst burst;

  for (guint turn = 0; turn < STEPS && self->below != NULL && !self->below->closed; turn++) {
    self->below->klass->peek (self->below, &burst);
    if (burst.n == 0)
      return;
    self->below->klass->consume (self->below, burst.bytes);
  }
}

static void
below_ready (FarStream *below, guint ready, gpointer user)
{
  FarTlsStream *self = user;

  if (self->head.closed)
    return;
  if ((ready & FAR_READY_CLOSED) != 0) {
    below_closed (self);
    return;
  }
  if (!far_stream_tls_out_pending (self))
    ready &= ~(guint) FAR_READY_WRITE;
  if (self->eof_in)
    forget_rest (self);
  if (self->state == FAR_TLS_SHAKING)
    shake (self);
  else if ((ready & (FAR_READY_READ | FAR_READY_WRITE)) != 0)
    far_stream_tell (&self->head, ready & (FAR_READY_READ | FAR_READY_WRITE));
}

/* ---- life ---- */

static void
tls_abort (FarStream *stream, const char *cause)
{
  FarTlsStream *self = (FarTlsStream *) stream;

  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = far_cause (cause);
  drop_packets (self);
  g_clear_pointer (&self->pending, g_byte_array_unref);
  g_clear_pointer (&self->flight, g_byte_array_unref);
  if (self->below != NULL && !self->below->closed)
    self->below->klass->abort (self->below, cause);
}

/* The stream below is taken again when this one is used at its new loop: told from there it could come before
 * this one is ready. */
static void
tls_move (FarStream *stream, FarLoop *loop)
{
  FarTlsStream *self = (FarTlsStream *) stream;

  far_stream_tls_out_drop (self);
  g_clear_pointer (&self->take_off, far_deferred_free);
  if (self->below != NULL) {
    far_stream_take (self->below, NULL, NULL);
    self->below->klass->move (self->below, loop);
    self->away = TRUE;
  }
  far_stream_moved (stream, loop);
}

/* Who leaves an open stream has said all; what is not below yet is brought there by somebody else. */
static void
tls_free (FarStream *stream)
{
  FarTlsStream *self = (FarTlsStream *) stream;
  FarStream *below = NULL;

  if (!stream->closed)
    far_stream_tls_out_drop (self);
  g_clear_pointer (&self->take_off, far_deferred_free);
  below = g_steal_pointer (&self->below);
  far_tls_keep (self->tls, self->keys, self->session);
  if (below != NULL && !stream->closed && !below->closed && self->state == FAR_TLS_OPEN) {
    self->below = below;
    tls_shutdown (stream, FAR_DIRECTION_WRITE);
    self->below = NULL;
  }
  if (below != NULL)
    far_stream_take (below, NULL, NULL);
  if (below != NULL && self->pending != NULL && !below->closed && !stream->closed &&
      self->state == FAR_TLS_OPEN)
    far_stream_linger (below, g_steal_pointer (&self->pending), LAST_WORDS_MS, NULL);
  else
    far_stream_free (below);
  drop_packets (self);
  g_clear_pointer (&self->pending, g_byte_array_unref);
  g_clear_pointer (&self->flight, g_byte_array_unref);
  gnutls_deinit (self->session);
  far_tls_keys_unref (self->keys);
  far_tls_unref (self->tls);
  g_clear_error (&self->refusal);
  g_free (self->from);
  g_free (self->node);
  g_free (self);
}

static gsize
tls_waiting (FarStream *stream)
{
  const FarTlsStream *self = (const FarTlsStream *) stream;

  return (self->pending != NULL ? self->pending->len : 0) + (self->flight != NULL ? self->flight->len : 0);
}

static const FarStreamClass tls_class = {
  .name = "tls",
  .movable = TRUE,
  .peek = tls_peek,
  .consume = tls_consume,
  .write = far_stream_tls_out_write,
  .shutdown = tls_shutdown,
  .abort = tls_abort,
  .move = tls_move,
  .free = tls_free,
  .waiting = tls_waiting,
};

FarStream *
far_stream_tls_new (FarTls *tls, FarStream *below, const char *from)
{
  FarTlsStream *self = g_new0 (FarTlsStream, 1);

  far_stream_init (&self->head, &tls_class, below->loop);
  self->below = below;
  self->tls = far_tls_ref (tls);
  self->keys = far_tls_keys_get (tls);
  self->from = g_strdup (from);
  self->session = far_tls_session (tls, self->keys, self);
  if (self->session == NULL)
    g_error ("TLS: out of memory");
  gnutls_transport_set_ptr (self->session, self);
  gnutls_transport_set_pull_function (self->session, tls_pull);
  gnutls_transport_set_pull_timeout_function (self->session, tls_pull_timeout);
  gnutls_transport_set_push_function (self->session, tls_push);
  gnutls_session_set_verify_function (self->session, tls_verify);
  if (!far_tls_spec (tls)->server)
    far_tls_resume (tls, self->session);
  far_stream_take (below, below_ready, self);
  return &self->head;
}

void
far_tls_shake (FarStream *stream, FarTlsShaken func, gpointer user)
{
  FAR_ON_LOOP (stream->loop);
  FarTlsStream *self = (FarTlsStream *) stream;

  self->shaken = func;
  self->shaken_user = user;
}

const char *
far_tls_peer (FarStream *stream)
{
  FAR_ON_LOOP (stream->loop);
  return ((const FarTlsStream *) stream)->node;
}

/* FALSE: it showed none. certs: empty before. */
static gboolean
peer_cert (FarStream *stream, FarCerts *certs)
{
  const FarTlsStream *self = (const FarTlsStream *) stream;
  unsigned n = 0;
  const gnutls_datum_t *chain = gnutls_certificate_get_peers (self->session, &n);

  if (chain == NULL || n == 0 || gnutls_x509_crt_init (&certs->at[0]) < 0)
    return FALSE;
  certs->n = 1;
  return gnutls_x509_crt_import (certs->at[0], &chain[0], GNUTLS_X509_FMT_DER) >= 0;
}

char *
far_tls_peer_key (FarStream *stream)
{
  FAR_ON_LOOP (stream->loop);
  g_auto (FarCerts) certs = { .n = 0 };

  return peer_cert (stream, &certs) ? far_cert_key_hash (certs.at[0], NULL) : NULL;
}

FarPresented *
far_tls_presented (FarStream *stream)
{
  FAR_ON_LOOP (stream->loop);
  const char *node = ((const FarTlsStream *) stream)->node;
  g_auto (FarCerts) certs = { .n = 0 };
  g_autofree char *serial = NULL, *key = NULL;

  if (node == NULL || *node == '\0' || !peer_cert (stream, &certs))
    return NULL;
  serial = far_cert_serial (certs.at[0]);
  key = far_cert_key_hash (certs.at[0], NULL);
  return far_presented_new (node, serial, key);
}

gboolean
far_tls_refused (FarStream *stream)
{
  FAR_ON_LOOP (stream->loop);
  return ((const FarTlsStream *) stream)->refused;
}

gboolean
far_tls_resumed (FarStream *stream)
{
  FAR_ON_LOOP (stream->loop);
  return gnutls_session_is_resumed (((const FarTlsStream *) stream)->session) != 0;
}

gboolean
far_tls_asked (FarStream *stream)
{
  FAR_ON_LOOP (stream->loop);
  return far_tls_resumed (stream) ||
         gnutls_certificate_client_get_request_status (((const FarTlsStream *) stream)->session) != 0;
}

gboolean
far_tls_export (FarStream *stream, const char *label, guint8 *to, gsize size)
{
  FAR_ON_LOOP (stream->loop);
  const FarTlsStream *self = (const FarTlsStream *) stream;

  return self->state == FAR_TLS_OPEN &&
         gnutls_prf_rfc5705 (self->session, strlen (label), label, 0, NULL, size, (char *) to) >= 0;
}
