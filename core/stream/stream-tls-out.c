/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way out of a TLS stream: what is written is cut into records, these are gathered in a flight, the
 * flight goes below at once or at the end of the turn, and what does not fit there is kept. */
#include "config.h"

#include "stream/stream-tls-private.h"

#include <string.h>

#define FLIGHT_SIZE (120 * 1024) /* of records that are gathered, then they are written */

/* What GnuTLS still has to say behind our close_notify (an alert, the answer to a key update) is thrown away:
 * RFC 8446 section 6.1. */
static gsize
write_below (FarTlsStream *self, const guint8 *data, gsize size)
{
  FarBurst burst = { .n = 1, .bytes = size };

  burst.frames[0] = (FarFrame){ .data = data, .size = size };
  return self->below != NULL && !self->below->closed && !self->mute
             ? self->below->klass->write (self->below, &burst)
             : size;
}

void
far_stream_tls_out_end (FarTlsStream *self)
{
  if (self->below == NULL)
    return;
  self->mute = TRUE;
  self->below->klass->shutdown (self->below, FAR_DIRECTION_WRITE);
}

/* TRUE: all is below. */
gboolean
far_stream_tls_out_flight (FarTlsStream *self)
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
void
far_stream_tls_out_drop (FarTlsStream *self)
{
  far_stream_tls_out_flight (self);
  g_clear_pointer (&self->flight, g_byte_array_unref);
}

static void
take_off_now (gpointer data)
{
  far_stream_tls_out_drop (data);
}

/* Whole records are likely to be followed by others before this turn of the loop is over: written together
 * they cost one system call, and wake the other side once. What is short goes at once, as somebody waits for
 * it. */
static void
end_flight (FarTlsStream *self, gboolean whole_records)
{
  if (!whole_records || self->pending != NULL || self->flight == NULL) {
    far_stream_tls_out_drop (self);
    return;
  }
  if (self->take_off == NULL)
    self->take_off = far_deferred_new (self->head.loop, take_off_now, self);
  far_deferred_ask (self->take_off);
}

gboolean
far_stream_tls_out_pending (FarTlsStream *self)
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
    far_stream_tls_out_end (self);
  return TRUE;
}

typedef struct {
  FarTlsStream *self;
  guint8 part[FAR_TLS_RECORD]; /* small frames share a record */
  gsize size;
  gboolean full; /* the stream below takes no more, or TLS has failed */
} Cut;

/* As many records as it takes: the other side may have asked for smaller ones (RFC 8449, RFC 6066 section 4),
 * and GnuTLS then takes only one of those. */
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
    if (cut->self->flight != NULL && cut->self->flight->len >= FLIGHT_SIZE &&
        !far_stream_tls_out_flight (cut->self))
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
    gsize n = MIN (size - at, FAR_TLS_RECORD - cut->size);

    if (cut->size == 0 && n == FAR_TLS_RECORD) {
      cut_send (cut, data + at, n);
    } else {
      memcpy (cut->part + cut->size, data + at, n);
      cut->size += n;
      if (cut->size == FAR_TLS_RECORD)
        cut_rest (cut);
    }
    at += n;
  }
  return at;
}

gsize
far_stream_tls_out_write (FarStream *stream, const FarBurst *burst)
{
  FarTlsStream *self = (FarTlsStream *) stream;
  Cut cut;
  gsize taken = 0;

  if (stream->closed)
    return 0;
  far_stream_tls_wake (self);
  if (self->state != FAR_TLS_OPEN || self->eof_out || self->ending != NULL ||
      !far_stream_tls_out_pending (self))
    return 0;
  cut.self = self;
  cut.size = 0;
  cut.full = FALSE;
  for (guint i = 0; i < burst->n && !cut.full; i++)
    taken += cut_frame (&cut, burst->frames[i].data, burst->frames[i].size);
  cut_rest (&cut);
  end_flight (self, taken >= FAR_TLS_RECORD);
  return taken;
}
