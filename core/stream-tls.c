/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TLS as a stream over another stream.
 *
 * Reading: GnuTLS pulls from one peek of the stream below (64 KiB of a socket: four records, one system call), and each record is shown in the memory it was decrypted
 * to. Writing: what is given is cut into records, these are gathered in a flight, and the flight is written below at once; what does not fit is kept, and
 * nothing more is taken before it is gone. So GnuTLS itself never waits on the way out. */
#include "config.h"

#include "home-private.h"
#include "tls-private.h"
#include "trust-private.h"

#include <errno.h>
#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>

#define RECORD 16384
#define FLIGHT_RECORDS 4          /* gathered before they are written */
#define PACKETS 8                 /* records shown at once */
#define STEPS 32                  /* records without content in one turn; then others of the home have theirs */
#define LAST_WORDS_MS 60000       /* for what was taken and is not below yet */
#define ALERT_MS 1000             /* for the alert that ends a handshake to be read */
#define NOISE_MAX (128 * 1024)    /* bytes that came and carried nothing; then the other side is cut */
#define NOISE_PER_SECOND (16 * 1024)
#define NOISE_PER_RECORD 64       /* what a record may cost beside its content */
#define EMPTY_MAX 64              /* records without content in a row: GnuTLS keeps 16 KiB of memory for each handshake record of nothing */

typedef enum { SHAKING, OPEN } State;

typedef struct {
  FarStream head;
  FarStream *below;        /* NULL: aborted, or given away */
  FarTls *tls;
  FarTlsKeys *keys;
  gnutls_session_t session;
  State state;
  char *from, *node;
  GError *refusal;         /* of the other side's certificate */
  int alert;               /* that tells it */
  FarTlsShaken shaken;
  gpointer shaken_user;
  GByteArray *pending;     /* records that the stream below has not taken; NULL: none */
  GByteArray *flight;      /* records being gathered; NULL outside of a call */
  gnutls_packet_t packet[PACKETS];
  guint first, n;          /* of packet */
  gsize at;                /* consumed of the first */
  gsize view;              /* of the last look below, not pulled yet */
  gsize pulled;            /* in the handshake, or since the last turn */
  gint64 noise, noise_us;
  guint empty;             /* records without content since the last one that had some */
  const char *ending;      /* dies with this when all packets are consumed */
  gboolean away;           /* moved: the stream below must be taken again */
  gboolean starved;        /* there was nothing below */
  gboolean eof_in, eof_out, peer_known;
  gboolean refused;        /* by an alert of the other side, after the handshake */
  gboolean mute;           /* the stream below has been told our end: nothing may follow it */
} TlsStream;

static void below_ready (FarStream *below, guint ready, gpointer user);

/* ---- what GnuTLS calls ---- */

static gssize
try_again (TlsStream *self)
{
  self->starved = TRUE;
  gnutls_transport_set_errno (self->session, EAGAIN);
  return -1;
}

/* What one look below has shown is worked off, and its records used, before there is another look: so a read serves as many records as it can, and what
 * waits to be used stays in the socket. */
static ssize_t
tls_pull (gnutls_transport_ptr_t data, void *to, size_t size)
{
  TlsStream *self = data;
  FarBatch batch;
  gsize n = 0;

  if (self->below == NULL || self->below->closed || self->starved || (self->n > 0 && self->view == 0))
    return try_again (self);
  self->below->klass->peek (self->below, &batch);
  if (batch.n == 0)
    return batch.eof ? 0 : try_again (self);
  for (guint i = 0; i < batch.n && n < size; i++) {
    gsize part = MIN (size - n, batch.frames[i].size);

    memcpy ((guint8 *) to + n, batch.frames[i].data, part);
    n += part;
  }
  self->below->klass->consume (self->below, n);
  self->view = batch.bytes - n;
  self->pulled += n;
  if (self->state == SHAKING && self->pulled > FAR_TLS_SHAKE_BYTES) {
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
  TlsStream *self = data;

  if (self->flight == NULL)
    self->flight = g_byte_array_new ();
  g_byte_array_append (self->flight, from, (guint) size);
  return (ssize_t) size;
}

static gboolean
judge_peer (TlsStream *self)
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
  return far_trust_check_raw (chain, n, ca, spec->purpose, spec->name, &self->node, &self->alert, &self->refusal);
}

/* In full handshakes, before anything of ours depends on it. */
static int
tls_verify (gnutls_session_t session)
{
  return judge_peer (gnutls_session_get_ptr (session)) ? 0 : GNUTLS_E_CERTIFICATE_ERROR;
}

/* ---- out ---- */

/* What GnuTLS still has to say behind our close_notify (an alert, the answer to a key update) is thrown away: RFC 8446 section 6.1. */
static gsize
write_below (TlsStream *self, const guint8 *data, gsize size)
{
  FarBatch batch = { .n = 1, .bytes = size };

  batch.frames[0] = (FarFrame){ .data = data, .size = size };
  return self->below != NULL && !self->below->closed && !self->mute ? self->below->klass->write (self->below, &batch) : size;
}

static void
end_below (TlsStream *self)
{
  if (self->below == NULL)
    return;
  self->mute = TRUE;
  self->below->klass->shutdown (self->below, FAR_DIRECTION_WRITE);
}

/* TRUE: all is below. */
static gboolean
flush_flight (TlsStream *self)
{
  GByteArray *flight = self->flight;
  gsize sent;

  if (flight == NULL || flight->len == 0)
    return self->pending == NULL;
  sent = self->pending == NULL ? write_below (self, flight->data, flight->len) : 0;
  if (sent < flight->len) {
    if (self->pending == NULL)
      self->pending = g_byte_array_new ();
    g_byte_array_append (self->pending, flight->data + sent, flight->len - (guint) sent);
  }
  g_byte_array_set_size (flight, 0);
  return self->pending == NULL;
}

/* An idle stream owns no buffer. */
static void
drop_flight (TlsStream *self)
{
  flush_flight (self);
  g_clear_pointer (&self->flight, g_byte_array_unref);
}

static gboolean
flush_pending (TlsStream *self)
{
  gsize sent;

  if (self->pending == NULL)
    return TRUE;
  sent = write_below (self, self->pending->data, self->pending->len);
  if (sent < self->pending->len) {
    if (sent > 0)
      g_byte_array_remove_range (self->pending, 0, (guint) sent);
    return FALSE;
  }
  g_clear_pointer (&self->pending, g_byte_array_unref);
  if (self->eof_out)
    end_below (self);
  return TRUE;
}

/* ---- the handshake ---- */

static void
tell_shaken (TlsStream *self, const GError *error)
{
  FarTlsShaken shaken = self->shaken;

  self->shaken = NULL;
  if (shaken != NULL)
    shaken (&self->head, error, self->shaken_user);
}

/* The alert goes out and is given a moment to be read; the stream itself is dead at once. */
static void
tls_let_go (TlsStream *self)
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
say_failed (TlsStream *self, int rc, const GError *error)
{
  const FarTlsSpec *spec = far_tls_spec (self->tls);
  g_autofree char *key = NULL;

  if (!spec->server || rc == GNUTLS_E_PREMATURE_TERMINATION)
    return;
  if (self->refusal == NULL) {
    far_count ("TLS handshakes", 1);
    far_complain (spec->at, "handshake", _("TLS handshake of %s failed: %s"), self->from, error->message); /* one key for all, as anybody can fail */
    return;
  }
  /* who is certified by the fleet has a line of its own; what strangers can make up shares one */
  key = g_strconcat ("certificate ", self->alert == GNUTLS_A_UNKNOWN_CA || self->alert == GNUTLS_A_BAD_CERTIFICATE ? "" : self->refusal->message, NULL);
  far_count ("certificates", 1);
  far_complain (spec->at, key, _("certificate refused, %s: %s"), self->from, self->refusal->message);
}

static void
shake_failed (TlsStream *self, int rc)
{
  g_autoptr (GError) error = far_tls_shake_error (self->session, self->refusal, far_tls_spec (self->tls)->server, self->pulled, rc);

  say_failed (self, rc, error);
  if (self->refusal != NULL)
    gnutls_alert_send (self->session, GNUTLS_AL_FATAL, (gnutls_alert_description_t) self->alert);
  else if (rc != GNUTLS_E_FATAL_ALERT_RECEIVED && rc != GNUTLS_E_PREMATURE_TERMINATION)
    gnutls_alert_send_appropriate (self->session, rc);
  drop_flight (self); /* at once: without a refusal nobody waits below */
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
shake_done (TlsStream *self)
{
  self->state = OPEN;
  self->pulled = 0;
  self->noise_us = far_clock_boottime_us ();
  if (far_tls_spec (self->tls)->server)
    gnutls_session_ticket_send (self->session, 1, 0);
  drop_flight (self);
  if (self->shaken != NULL)
    tell_shaken (self, NULL);
  else
    far_stream_tell (&self->head, FAR_READY_READ | FAR_READY_WRITE);
}

static void
shake (TlsStream *self)
{
  int rc;

  do {
    self->starved = FALSE;
    rc = gnutls_handshake (self->session);
  } while (rc < 0 && !gnutls_error_is_fatal (rc) && !self->starved);
  if (rc < 0 && !gnutls_error_is_fatal (rc)) {
    drop_flight (self);
    return;
  }
  /* a resumed handshake shows no chain: the one of the ticket is judged */
  if (rc >= 0 && !self->peer_known && !judge_peer (self))
    rc = GNUTLS_E_CERTIFICATE_ERROR;
  if (rc < 0)
    shake_failed (self, rc);
  else
    shake_done (self);
}

/* ---- in ---- */

static void
drop_packets (TlsStream *self)
{
  for (guint i = self->first; i < self->n; i++)
    gnutls_packet_deinit (self->packet[i]);
  self->first = self->n = 0;
  self->at = 0;
}

/* FALSE: the other side keeps us busy for nothing. */
static gboolean
count_noise (TlsStream *self, gsize content, guint records)
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
read_cause (TlsStream *self, int rc)
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
read_failed (TlsStream *self, int rc)
{
  if (rc != GNUTLS_E_FATAL_ALERT_RECEIVED && rc != GNUTLS_E_PREMATURE_TERMINATION) {
    if (rc == GNUTLS_E_REHANDSHAKE)
      gnutls_alert_send (self->session, GNUTLS_AL_FATAL, GNUTLS_A_NO_RENEGOTIATION);
    else
      gnutls_alert_send_appropriate (self->session, rc);
    flush_flight (self);
  }
  self->ending = far_cause (read_cause (self, rc));
}

/* One record, or nothing. FALSE: no more now. */
static gboolean
read_record (TlsStream *self, gsize *content)
{
  gnutls_packet_t packet = NULL;
  gnutls_datum_t data = { NULL, 0 };
  ssize_t rc;

  /* What GnuTLS still holds here is the rest of a record that began with a handshake message. It would refuse it, too, but lose its 16 KiB (3.7). */
  rc = gnutls_record_check_pending (self->session) > 0 ? GNUTLS_E_UNEXPECTED_PACKET : gnutls_record_recv_packet (self->session, &packet);
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
read_records (TlsStream *self)
{
  gboolean more = TRUE;
  gsize content = 0;

  self->starved = FALSE;
  for (guint step = 0; more && step < STEPS && self->n < PACKETS; step++)
    more = read_record (self, &content);
  if (!count_noise (self, content, self->n) || self->empty > EMPTY_MAX)
    self->ending = "too many TLS records without content";
  drop_flight (self); /* answers to key updates, alerts */
  if (more && self->n == 0 && !self->eof_in && self->ending == NULL)
    far_stream_tell_soon (&self->head, FAR_READY_READ);
}

static void
take_below_again (TlsStream *self)
{
  if (!self->away)
    return;
  self->away = FALSE;
  if (self->below != NULL)
    far_stream_take (self->below, below_ready, self);
}

static void
tls_peek (FarStream *stream, FarBatch *batch)
{
  TlsStream *self = (TlsStream *) stream;

  batch->n = 0;
  batch->bytes = 0;
  batch->eof = FALSE;
  if (stream->closed)
    return;
  take_below_again (self);
  if (self->state != OPEN)
    return;
  if (self->n == 0 && !self->eof_in && self->ending == NULL)
    read_records (self);
  for (guint i = self->first; i < self->n; i++) {
    gnutls_datum_t data = { NULL, 0 };
    gsize skip = i == self->first ? self->at : 0;

    gnutls_packet_get (self->packet[i], &data, NULL);
    batch->frames[batch->n++] = (FarFrame){ .data = data.data + skip, .size = data.size - skip };
    batch->bytes += data.size - skip;
  }
  batch->eof = self->eof_in;
  if (batch->n == 0 && self->ending != NULL)
    far_stream_die_soon (stream, self->ending);
}

static void
tls_consume (FarStream *stream, gsize bytes)
{
  TlsStream *self = (TlsStream *) stream;

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

/* ---- writing ---- */

typedef struct {
  TlsStream *self;
  guint8 part[RECORD]; /* small frames share a record */
  gsize size;
  guint records;
  gboolean full;       /* the stream below takes no more, or TLS has failed */
} Cut;

/* As many records as it takes: the other side may have asked for smaller ones (RFC 8449, RFC 6066 section 4), and GnuTLS then takes only one of those. */
static void
cut_send (Cut *cut, const guint8 *data, gsize size)
{
  gsize at = 0;

  while (at < size) {
    gssize rc = gnutls_record_send (cut->self->session, data + at, size - at);

    if (rc <= 0) {
      cut->self->ending = far_cause (gnutls_strerror ((int) rc));
      far_stream_die_soon (&cut->self->head, cut->self->ending);
      cut->full = TRUE;
      return;
    }
    at += (gsize) rc;
    if (++cut->records % FLIGHT_RECORDS == 0 && !flush_flight (cut->self))
      cut->full = TRUE;
  }
}

static void
cut_rest (Cut *cut)
{
  if (cut->size > 0)
    cut_send (cut, cut->part, cut->size);
  cut->size = 0;
}

/* Bytes taken of a frame. A whole record's worth goes as it lies. */
static gsize
cut_frame (Cut *cut, const guint8 *data, gsize size)
{
  gsize at = 0;

  while (at < size && !cut->full) {
    gsize n = MIN (size - at, RECORD - cut->size);

    if (cut->size == 0 && n == RECORD) {
      cut_send (cut, data + at, n);
    } else {
      memcpy (cut->part + cut->size, data + at, n);
      cut->size += n;
      if (cut->size == RECORD)
        cut_rest (cut);
    }
    at += n;
  }
  return at;
}

static gsize
tls_write (FarStream *stream, const FarBatch *batch)
{
  TlsStream *self = (TlsStream *) stream;
  Cut cut;
  gsize taken = 0;

  if (stream->closed)
    return 0;
  take_below_again (self);
  if (self->state != OPEN || self->eof_out || self->ending != NULL || !flush_pending (self))
    return 0;
  cut.self = self;
  cut.size = cut.records = 0;
  cut.full = FALSE;
  for (guint i = 0; i < batch->n && !cut.full; i++)
    taken += cut_frame (&cut, batch->frames[i].data, batch->frames[i].size);
  cut_rest (&cut);
  drop_flight (self);
  return taken;
}

static void
tls_shutdown (FarStream *stream, FarDirection what)
{
  TlsStream *self = (TlsStream *) stream;

  if ((what & FAR_DIRECTION_WRITE) == 0 || self->eof_out || stream->closed || self->state != OPEN)
    return;
  self->eof_out = TRUE;
  gnutls_bye (self->session, GNUTLS_SHUT_WR);
  drop_flight (self);
  if (self->pending == NULL)
    end_below (self);
}

/* ---- what the stream below tells ---- */

static void
below_closed (TlsStream *self)
{
  const char *cause = self->below != NULL && self->below->cause != NULL ? self->below->cause : "closed";

  if (self->state == SHAKING) {
    g_autoptr (GError) error = g_error_new (FAR_ERROR, FAR_ERROR_UNAVAILABLE, _("closed during the TLS handshake: %s"), cause);

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

/* After the other side's close_notify nothing is shown any more, but the stream below must be looked at to tell that it has ended altogether. */
static void
forget_rest (TlsStream *self)
{
  FarBatch batch;

  for (guint turn = 0; turn < STEPS && self->below != NULL && !self->below->closed; turn++) {
    self->below->klass->peek (self->below, &batch);
    if (batch.n == 0)
      return;
    self->below->klass->consume (self->below, batch.bytes);
  }
}

static void
below_ready (FarStream *below, guint ready, gpointer user)
{
  TlsStream *self = user;

  if (self->head.closed)
    return;
  if ((ready & FAR_READY_CLOSED) != 0) {
    below_closed (self);
    return;
  }
  if (!flush_pending (self))
    ready &= ~(guint) FAR_READY_WRITE;
  if (self->eof_in)
    forget_rest (self);
  if (self->state == SHAKING)
    shake (self);
  else if ((ready & (FAR_READY_READ | FAR_READY_WRITE)) != 0)
    far_stream_tell (&self->head, ready & (FAR_READY_READ | FAR_READY_WRITE));
}

/* ---- life ---- */

static void
tls_abort (FarStream *stream, const char *cause)
{
  TlsStream *self = (TlsStream *) stream;

  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = far_cause (cause);
  drop_packets (self);
  g_clear_pointer (&self->pending, g_byte_array_unref);
  if (self->below != NULL && !self->below->closed)
    self->below->klass->abort (self->below, cause);
}

/* The stream below is taken again when this one is used at its new home: told from there it could come before this one is ready. */
static void
tls_move (FarStream *stream, FarHome *home)
{
  TlsStream *self = (TlsStream *) stream;

  if (self->below != NULL) {
    far_stream_take (self->below, NULL, NULL);
    self->below->klass->move (self->below, home);
    self->away = TRUE;
  }
  far_stream_moved (stream, home);
}

/* Who leaves an open stream has said all; what is not below yet is brought there by somebody else. */
static void
tls_free (FarStream *stream)
{
  TlsStream *self = (TlsStream *) stream;
  FarStream *below = g_steal_pointer (&self->below);

  far_tls_keep (self->tls, self->keys, self->session);
  if (below != NULL && !stream->closed && !below->closed && self->state == OPEN) {
    self->below = below;
    tls_shutdown (stream, FAR_DIRECTION_WRITE);
    self->below = NULL;
  }
  if (below != NULL)
    far_stream_take (below, NULL, NULL);
  if (below != NULL && self->pending != NULL && !below->closed && !stream->closed && self->state == OPEN)
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
  const TlsStream *self = (const TlsStream *) stream;

  return self->pending != NULL ? self->pending->len : 0;
}

static const FarStreamClass tls_class = {
  .name = "tls",
  .movable = TRUE,
  .peek = tls_peek,
  .consume = tls_consume,
  .write = tls_write,
  .shutdown = tls_shutdown,
  .abort = tls_abort,
  .move = tls_move,
  .free = tls_free,
  .waiting = tls_waiting,
};

FarStream *
far_stream_tls_new (FarTls *tls, FarStream *below, const char *from)
{
  TlsStream *self = g_new0 (TlsStream, 1);

  far_stream_init (&self->head, &tls_class, below->home);
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
  TlsStream *self = (TlsStream *) stream;

  self->shaken = func;
  self->shaken_user = user;
}

const char *
far_tls_peer (FarStream *stream)
{
  return ((const TlsStream *) stream)->node;
}

gboolean
far_tls_refused (FarStream *stream)
{
  return ((const TlsStream *) stream)->refused;
}

gboolean
far_tls_resumed (FarStream *stream)
{
  return gnutls_session_is_resumed (((const TlsStream *) stream)->session) != 0;
}

gboolean
far_tls_asked (FarStream *stream)
{
  return far_tls_resumed (stream) || gnutls_certificate_client_get_request_status (((const TlsStream *) stream)->session) != 0;
}

gboolean
far_tls_export (FarStream *stream, const char *label, guint8 *to, gsize size)
{
  const TlsStream *self = (const TlsStream *) stream;

  return self->state == OPEN && gnutls_prf_rfc5705 (self->session, strlen (label), label, 0, NULL, size, (char *) to) >= 0;
}
