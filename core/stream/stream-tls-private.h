/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a TLS stream (stream-tls.c) and its way out (stream-tls-out.c) share. */
#pragma once
#include "stream/tls-private.h"
#include "trust/trust-private.h"

#include <gnutls/gnutls.h>

#define FAR_TLS_RECORD 16384
#define FAR_TLS_PACKETS 8 /* records shown at once */

typedef enum { FAR_TLS_SHAKING, FAR_TLS_OPEN } FarTlsState;

typedef struct {
  FarStream head;
  FarStream *below; /* NULL: aborted, or given away */
  FarTls *tls;
  FarTlsKeys *keys;
  gnutls_session_t session;
  FarTlsState state;
  char *from, *node;
  /* what the other side's certificate says, to be taken when the handshake is over */
  FarTrustClock clock;
  GError *refusal; /* of the other side's certificate */
  int alert;       /* that tells it */
  FarTlsShaken shaken;
  gpointer shaken_user;
  GByteArray *pending; /* records that the stream below has not taken; NULL: none */
  /* records being gathered; NULL outside of a call, but for those that wait for more in this turn of the loop
   */
  GByteArray *flight;
  FarDeferred *take_off; /* writes these; NULL: never asked for at this loop */
  gnutls_packet_t packet[FAR_TLS_PACKETS];
  guint first, n; /* of packet */
  gsize at;       /* consumed of the first */
  gsize view;     /* of the last look below, not pulled yet */
  gsize pulled;   /* in the handshake, or since the last turn */
  gint64 noise, noise_us;
  guint empty;        /* records without content since the last one that had some */
  const char *ending; /* dies with this when all packets are consumed */
  gboolean away;      /* moved: the stream below must be taken again */
  gboolean starved;   /* there was nothing below */
  gboolean eof_in, eof_out, peer_known;
  gboolean refused; /* by an alert of the other side, after the handshake */
  gboolean mute;    /* the stream below has been told our end: nothing may follow it */
} FarTlsStream;

/* stream-tls.c: what follows a move. */
void far_stream_tls_wake (FarTlsStream *self);

/* stream-tls-out.c. TRUE: all that was gathered, or had waited, is below. */
gboolean far_stream_tls_out_flight (FarTlsStream *self);
gboolean far_stream_tls_out_pending (FarTlsStream *self);
/* The flight goes and its memory too: an idle stream owns no buffer. */
void far_stream_tls_out_drop (FarTlsStream *self);
/* The stream below is told that nothing follows. */
void far_stream_tls_out_end (FarTlsStream *self);
/* FarStreamClass.write */
gsize far_stream_tls_out_write (FarStream *stream, const FarBurst *burst);
