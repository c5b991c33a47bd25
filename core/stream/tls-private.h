/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of TLS: what the settings (tls.c) give to a session (stream-tls.c). */
#pragma once
#include <farwatch/tls.h>
#include <gnutls/gnutls.h>

G_BEGIN_DECLS

/* What one state of the files became; connections hold it as long as they live. Counted, never changed. */
typedef struct {
  gint refs;
  gnutls_certificate_credentials_t certificates;
  gnutls_datum_t ticket_key; /* server */
} FarTlsKeys;

FarTlsKeys *far_tls_keys_get (FarTls *tls); /* a new reference; [any thread] */
void far_tls_keys_unref (FarTlsKeys *keys);

const FarTlsSpec *far_tls_spec (const FarTls *tls); /* without the files, which may change */
char *far_tls_ca (FarTls *tls);                     /* a copy; NULL: none */
/* A session with everything set but its transport; data: its gnutls_session_get_ptr(). NULL: out of memory.
 */
gnutls_session_t far_tls_session (FarTls *tls, FarTlsKeys *keys, gpointer data);
/* Client: what resumes the last session with this server. keep takes a copy of what session has, when it
 * began with the keys that are still in use: a ticket names its holder by the certificate of its time. [any
 * thread] */
void far_tls_resume (FarTls *tls, gnutls_session_t session);
void far_tls_keep (FarTls *tls, const FarTlsKeys *keys, gnutls_session_t session);

/* What the alert that came last means to an admin; NULL: nothing more than its name. */
const char *far_tls_alert_text (gnutls_session_t session);
/* Why a handshake ended with this code of GnuTLS; refusal: of the other side's certificate, NULL: it was not
 * refused; bytes: that came. Caller frees. */
GError *
far_tls_shake_error (gnutls_session_t session, const GError *refusal, gboolean server, gsize bytes, int rc);

G_END_DECLS
