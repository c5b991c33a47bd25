/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TLS 1.2 and 1.3 as a stream over any other byte stream, by GnuTLS.
 *
 * FarTls is one side's settings: what it shows (certificate, key), what it demands of the other side
 * (authority, purpose, name) and, on a server, the key of its session tickets. It is counted; connections
 * keep the certificate that they began with while files are read again.
 *
 * far_stream_tls_new() makes the stream. The handshake runs by itself as bytes come; far_tls_shake() tells
 * its end. Until then the stream shows nothing and takes nothing. Every chain that the other side shows is
 * judged by far_trust_check_der(), in full and in resumed handshakes; who is refused gets the alert that
 * fits, and on a server one line in the log and one count ("certificates") say who and why. Handshakes of a
 * server that fail otherwise are told ("TLS handshakes"), all peers of a listener together ever more rarely.
 *
 * A record is decrypted once and shown where it lies: peek() has no copy. The memory that peek() shows
 * belongs to the stream's user until it is consumed and may be changed there. An idle stream owns no buffer.
 * (security.md; RFC 8446, RFC 5246)
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once
#include <farwatch/clearance.h>
#include <farwatch/instance.h>
#include <farwatch/stream.h>
#include <farwatch/trust.h>

G_BEGIN_DECLS

#define FAR_TLS_SHAKE_SECONDS 10        /* a handshake's limit, from its turn on */
#define FAR_TLS_SHAKE_BYTES (48 * 1024) /* and of what the other side sends in it */

typedef struct _FarTls FarTls;

typedef struct {
  FarInstance *at; /* for log lines; NULL: a tool */
  gboolean server;
  const char *cert, *key; /* PEM files, leaf first; NULL: shows none */
  gboolean cert_optional; /* client: goes without while cert is missing or out of its time */
  /* whom to believe: a PEM file or "sha256:HEX" as far_trust_check() takes it. Server, NULL: asks for no
   * certificate */
  const char *ca;
  FarPurpose purpose; /* what the other side's certificate must be for */
  const char *name;   /* client: the name that must stand in the server's certificate */
  const char *alpn;   /* names with commas, at most 4, the best first; NULL: none */
} FarTlsSpec;

/* Copies spec. Reads the files: FAR_ERROR_UNAVAILABLE when one is not there yet, FAR_ERROR_CONFIG when it is
 * no good. [any thread] */
FarTls *far_tls_new (const FarTlsSpec *spec, GError **error);
FarTls *far_tls_ref (FarTls *tls); /* [any thread] */
void far_tls_unref (FarTls *tls);  /* [any thread] */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarTls, far_tls_unref)
/* Reads the files again when they have changed. FALSE: the new ones are no good and the old ones stay in use
 * (told once a change). A server's ticket key is thrown away once a day here. Blocks for file reads. [any
 * thread] */
gboolean far_tls_refresh (FarTls *tls, gboolean *changed, GError **error);
/* "sha256:HEX" of the public key in the certificate that is shown from now on, as far_trust_key_hash() has
 * it, whatever is in the files meanwhile; NULL: none is shown. Caller frees. [any thread] */
char *far_tls_own_key (FarTls *tls);
/* From now on other files; far_tls_refresh() reads them. NULL: as before. [any thread] */
void far_tls_set_files (FarTls *tls, const char *cert, const char *key, const char *ca);

/* Takes below, which must have no user, and lives at its loop. from: the other side's address for log lines,
 * copied. [loop] of below */
FarStream *far_stream_tls_new (FarTls *tls, FarStream *below, const char *from);
/* Tells the end of the handshake once: error NULL when it is good, else why not (FAR_ERROR_DENIED: a
 * certificate is refused by one of the sides) and the stream is dead. Not from inside this call. NULL func:
 * nobody is told any more. The time limit is the caller's. [loop] */
typedef void (*FarTlsShaken) (FarStream *stream, const GError *error, gpointer user);
void far_tls_shake (FarStream *stream, FarTlsShaken func, gpointer user);
/* The node that the other side's certificate names; NULL: it showed none; "": a people's server without a
 * node id. Valid while the stream lives. [loop] */
const char *far_tls_peer (FarStream *stream);
/* "sha256:HEX" of the public key in the other side's certificate, as far_trust_key_hash() has it; NULL: it
 * showed none. Caller frees. [loop] */
char *far_tls_peer_key (FarStream *stream);
/* What its certificate is known by where certificates are revoked, for far_clearance_new(), also after a
 * resumed handshake; NULL: it showed none, or one that names no node. Caller unrefs. [loop] */
FarPresented *far_tls_presented (FarStream *stream);
/* TRUE: the handshake took up a session from before (which is judged like a new one). [loop] */
gboolean far_tls_resumed (FarStream *stream);
/* Client: the server has asked for a certificate, in this handshake or in the one that it takes up. [loop] */
gboolean far_tls_asked (FarStream *stream);
/* TRUE: after the handshake the other side ended the stream with an alert that says it will not have this
 * node, as a server of TLS 1.3 does with a client's certificate. May be asked of a closed stream. [loop] */
gboolean far_tls_refused (FarStream *stream);
/* Bytes that both sides know and nobody else: RFC 8446 section 7.5, RFC 5705. FALSE before the handshake's
 * end. [loop] */
gboolean far_tls_export (FarStream *stream, const char *label, guint8 *to, gsize size);

/* A server's handshakes run on a thread of their own that yields to the I/O threads. A connection is looked
 * at when its first byte is there; at most FAR_TLS_SHAKES_MAX handshakes are under way, further ones wait in
 * the order of their first bytes, and the time limit begins with the turn. Silence ends after
 * FAR_TLS_SHAKE_SECONDS. done(stream, cause) runs once: the stream at loop, or NULL and a static cause. fd is
 * taken. */
#define FAR_TLS_SHAKES_MAX 256
typedef struct _FarTlsAccept FarTlsAccept;
typedef struct {
  /* the first byte is there: at the handshakes' thread; may be NULL */
  void (*heard) (gpointer user);
  void (*done) (FarStream *stream /* takes */, const char *cause, gpointer user); /* [loop] */
} FarTlsAcceptFuncs;
/* [any thread] loop: the I/O thread where the stream shall live. The result is good until done() runs. */
FarTlsAccept *far_tls_accept (FarTls *tls, FarLoop *loop, int fd, const char *from,
                              const FarTlsAcceptFuncs *funcs, gpointer user);
/* [loop] Ends it: done() still comes, with this cause (static). */
void far_tls_accept_cancel (FarTlsAccept *accept, const char *cause);

G_END_DECLS
