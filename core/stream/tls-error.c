/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is wrong with a TLS connection, in words for people. */
#include "config.h"

#include "stream/tls-private.h"

#include <farwatch/i18n.h>

const char *
far_tls_alert_text (gnutls_session_t session)
{
  switch (gnutls_alert_get (session)) {
  case GNUTLS_A_CERTIFICATE_REVOKED:
    return _ ("the other side refuses this node's certificate: it is revoked");
  case GNUTLS_A_CERTIFICATE_EXPIRED:
    return _ ("the other side refuses this node's certificate: out of its time; is the clock right?");
  case GNUTLS_A_UNKNOWN_CA:
    return _ ("the other side refuses this node's certificate: not from its authority");
  case GNUTLS_A_BAD_CERTIFICATE:
  case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
  case GNUTLS_A_CERTIFICATE_UNKNOWN:
    return _ ("the other side refuses this node's certificate");
  case GNUTLS_A_NO_APPLICATION_PROTOCOL:
    return _ ("the other side does not speak HTTP/1.1");
  case GNUTLS_A_PROTOCOL_VERSION:
    return _ ("the other side speaks neither TLS 1.2 nor TLS 1.3");
  default:
    return NULL;
  }
}

GError *
far_tls_shake_error (gnutls_session_t session, const GError *refusal, gboolean server, gsize bytes, int rc)
{
  const char *alert = rc == GNUTLS_E_FATAL_ALERT_RECEIVED ? far_tls_alert_text (session) : NULL;

  if (refusal != NULL)
    return g_error_copy (refusal);
  if (bytes > FAR_TLS_SHAKE_BYTES)
    return g_error_new (FAR_ERROR, FAR_ERROR_LIMIT,
                        _ ("TLS: too many bytes in the handshake (the limit is %d KiB)"),
                        FAR_TLS_SHAKE_BYTES / 1024);
  if (alert != NULL)
    return g_error_new_literal (FAR_ERROR, FAR_ERROR_DENIED, alert);
  if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED)
    return g_error_new (FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("TLS: the other side ends the handshake: %s"),
                        gnutls_alert_get_name (gnutls_alert_get (session)));
  if (rc == GNUTLS_E_PREMATURE_TERMINATION)
    return g_error_new_literal (
        FAR_ERROR, FAR_ERROR_UNAVAILABLE,
        server ? _ ("closed during the TLS handshake")
               : _ ("closed during the TLS handshake: is the port right, and is this machine let in?"));
  if (rc == GNUTLS_E_UNEXPECTED_PACKET || rc == GNUTLS_E_UNEXPECTED_PACKET_LENGTH ||
      rc == GNUTLS_E_UNSUPPORTED_VERSION_PACKET || rc == GNUTLS_E_RECORD_OVERFLOW)
    return g_error_new_literal (FAR_ERROR, FAR_ERROR_PROTOCOL,
                                server ? _ ("it does not speak TLS; is the port right, or is it a proxy that "
                                            "proxy-protocol does not name?")
                                       : _ ("the other side does not speak TLS here: is the port right?"));
  return g_error_new (FAR_ERROR, FAR_ERROR_PROTOCOL, "TLS: %s", gnutls_strerror (rc));
}
