/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings of TLS: the files of one side, read again when they change, and what a session is made from. */
#include "config.h"

#include "base/clock-private.h"
#include "loop/instance-head.h"
#include "stream/tls-private.h"
#include "trust/trust-private.h"

#include <string.h>
#include <sys/stat.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>

/* AEAD with forward secrecy; in TLS 1.3 and 1.2 alike. AES-128 first: it is the fastest where the processor
 * has AES. */
#define PRIORITY                                                                                             \
  "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-GCM:+CHACHA20-POLY1305:+AES-256-GCM:-"    \
  "MAC-ALL:+AEAD:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"                                                           \
  "-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_"      \
  "PRECEDENCE"
#define ALPN_MAX 4
#define TICKET_SECONDS (24 * 3600)

struct _FarTls {
  gint refs;
  FarTlsSpec spec; /* cert, key and ca are NULL here */
  char *name, *alpn;
  gnutls_priority_t priority;
  GMutex lock; /* of what follows */
  char *cert, *key, *ca;
  FarTlsKeys *keys;
  guint64 stamp;          /* of the files that keys come from, or that were refused last */
  gboolean without;       /* keys have no certificate */
  gint64 ticket_us;       /* when the ticket key was made */
  gnutls_datum_t session; /* client: what resumes the last one */
};

/* ---- what the files say ---- */

void
far_tls_keys_unref (FarTlsKeys *keys)
{
  if (keys == NULL || !g_atomic_int_dec_and_test (&keys->refs))
    return;
  gnutls_certificate_free_credentials (keys->certificates);
  if (keys->ticket_key.data != NULL)
    gnutls_memset (keys->ticket_key.data, 0, keys->ticket_key.size);
  gnutls_free (keys->ticket_key.data);
  g_free (keys);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarTlsKeys, far_tls_keys_unref)

/* what: names the file. */
static gboolean
file_bad (const char *path, const char *what, GError **error)
{
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                 _ ("%s is not there yet: `farctl ca init --profile FILE` makes the certificate of a cloud, "
                    "`farctl enroll --profile FILE --server HOST:PORT` gets one for other nodes"),
                 path);
  else
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("%s; put a good PEM file there, which this user may read"), what);
  return FALSE;
}

/* A client without a certificate of its own, or with one out of its time, comes without: it can only enroll
 * then. */
static gboolean
goes_without (const FarTls *tls)
{
  g_autofree char *pem = NULL;

  if (tls->cert == NULL)
    return TRUE;
  if (!tls->spec.cert_optional)
    return FALSE;
  if (!g_file_get_contents (tls->cert, &pem, NULL, NULL) || tls->ca == NULL)
    return TRUE;
  far_clock_own_certificate (pem, tls->ca);
  return !far_trust_check (pem, tls->ca, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL);
}

/* A server of nodes shows the authority too, so that who enrolls can compare its hash with the token's.
 * Without it every node would be refused. */
static gboolean
add_authority (const FarTls *tls, FarCerts *chain, GError **error)
{
  g_auto (FarCerts) authorities = { .n = 0 };
  g_autoptr (GError) why = NULL;

  if (!tls->spec.server || tls->ca == NULL)
    return TRUE;
  if (!far_certs_load_file (&authorities, tls->ca, &why))
    return file_bad (tls->ca, why->message, error);
  for (guint i = 0; i < authorities.n; i++) {
    gboolean there = chain->n == FAR_TRUST_CHAIN_MAX;

    for (guint j = 0; j < chain->n && !there; j++)
      there = gnutls_x509_crt_equals (chain->at[j], authorities.at[i]);
    if (there)
      gnutls_x509_crt_deinit (authorities.at[i]);
    else
      chain->at[chain->n++] = authorities.at[i];
  }
  authorities.n = 0;
  return TRUE;
}

static gboolean
pair_bad (const FarTls *tls, int rc, GError **error)
{
  if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("%s: this key does not belong to the certificate in %s; put the two there that were made "
                    "together"),
                 tls->key, tls->cert);
  else
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("%s: %s; put a certificate there that TLS can use, with its key in %s"), tls->cert,
                 gnutls_strerror (rc), tls->key);
  return FALSE;
}

static gboolean
load_pair (const FarTls *tls, FarTlsKeys *keys, GError **error)
{
  g_auto (FarCerts) chain = { .n = 0 };
  g_auto (gnutls_x509_privkey_t) key = NULL;
  g_autoptr (GError) why = NULL;
  int rc;

  if (!far_certs_load_file (&chain, tls->cert, &why))
    return file_bad (tls->cert, why->message, error);
  key = far_trust_key_load (tls->key, &why);
  if (key == NULL)
    return file_bad (tls->key, why->message, error);
  if (!add_authority (tls, &chain, error))
    return FALSE;
  rc = gnutls_certificate_set_x509_key (keys->certificates, chain.at, (int) chain.n, key);
  return rc >= 0 ? TRUE : pair_bad (tls, rc, error);
}

static FarTlsKeys *
tls_load_keys (const FarTls *tls, GError **error)
{
  g_autoptr (FarTlsKeys) keys = g_new0 (FarTlsKeys, 1);

  keys->refs = 1;
  if (gnutls_certificate_allocate_credentials (&keys->certificates) < 0)
    g_error ("TLS: out of memory");
  if (!goes_without (tls) && !load_pair (tls, keys, error))
    return NULL;
  if (tls->spec.server && gnutls_session_ticket_key_generate (&keys->ticket_key) < 0) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INTERNAL, _ ("no random bytes for TLS session tickets"));
    return NULL;
  }
  return g_steal_pointer (&keys);
}

static guint64
stamp_of (const char *path)
{
  struct stat st;

  if (path == NULL || stat (path, &st) != 0)
    return 0;
  return (guint64) st.st_mtim.tv_sec * 1000000000u + (guint64) st.st_mtim.tv_nsec + (guint64) st.st_ino +
         (guint64) st.st_size;
}

static guint64
stamp_now (const FarTls *tls)
{
  return (stamp_of (tls->cert) ^ (stamp_of (tls->key) << 1) ^ (stamp_of (tls->ca) << 2)) | 1;
}

/* ---- life ---- */

static void
forget_session (FarTls *tls)
{
  if (tls->session.data != NULL)
    gnutls_memset (tls->session.data, 0, tls->session.size);
  gnutls_free (tls->session.data);
  tls->session = (gnutls_datum_t){ NULL, 0 };
}

static gboolean
take_keys (FarTls *tls, guint64 stamp, GError **error)
{
  FarTlsKeys *keys;

  tls->stamp = stamp; /* bad files are not looked at again before they change */
  keys = tls_load_keys (tls, error);
  if (keys == NULL)
    return FALSE;
  g_clear_pointer (&tls->keys, far_tls_keys_unref);
  tls->keys = keys;
  tls->without = goes_without (tls);
  tls->ticket_us = far_clock_boottime_us ();
  forget_session (tls);
  return TRUE;
}

/* A handshake may be under way at an I/O thread when the program ends. GnuTLS frees its tables by then,
 * unless somebody holds it. */
static void
hold_library (void)
{
  static gsize held;

  if (g_once_init_enter (&held)) {
    gnutls_global_init ();
    g_once_init_leave (&held, 1);
  }
}

FarTls *
far_tls_new (const FarTlsSpec *spec, GError **error)
{
  g_autoptr (FarTls) tls = g_new0 (FarTls, 1);

  hold_library ();
  tls->refs = 1;
  g_mutex_init (&tls->lock);
  tls->spec = *spec;
  if (spec->at != NULL) /* a handshake under way outlives the listener, and its complaint is the instance's */
    far_instance_ref (spec->at);
  tls->spec.name = tls->name = g_strdup (spec->name);
  tls->spec.alpn = tls->alpn = g_strdup (spec->alpn);
  tls->spec.cert = tls->spec.key = tls->spec.ca = NULL;
  far_tls_set_files (tls, spec->cert, spec->key, spec->ca);
  if (!far_trust_ok (gnutls_priority_init (&tls->priority, PRIORITY, NULL), FAR_ERROR_INTERNAL, "TLS",
                     error) ||
      !take_keys (tls, stamp_now (tls), error))
    return NULL;
  return g_steal_pointer (&tls);
}

FarTls *
far_tls_ref (FarTls *tls)
{
  g_atomic_int_inc (&tls->refs);
  return tls;
}

/* [main] */
static void
drop_instance (gpointer at)
{
  far_instance_unref (at);
}

void
far_tls_unref (FarTls *tls)
{
  if (tls == NULL || !g_atomic_int_dec_and_test (&tls->refs))
    return;
  if (tls->spec.at != NULL)
    far_loop_post (far_loop_main (), drop_instance, tls->spec.at);
  g_clear_pointer (&tls->keys, far_tls_keys_unref);
  forget_session (tls);
  if (tls->priority != NULL)
    gnutls_priority_deinit (tls->priority);
  g_mutex_clear (&tls->lock);
  g_free (tls->name);
  g_free (tls->alpn);
  g_free (tls->cert);
  g_free (tls->key);
  g_free (tls->ca);
  g_free (tls);
}

static void
replace_text (char **text, const char *with)
{
  char *copy;

  if (with == NULL)
    return;
  copy = g_strdup (with);
  g_free (*text);
  *text = copy;
}

void
far_tls_set_files (FarTls *tls, const char *cert, const char *key, const char *ca)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&tls->lock);

  replace_text (&tls->cert, cert);
  replace_text (&tls->key, key);
  replace_text (&tls->ca, ca);
  tls->stamp = 0;
}

/* Tickets that were given under a key that is gone open nothing: who has one shakes hands in full. */
static void
renew_ticket_key (FarTls *tls)
{
  FarTlsKeys *keys;

  if (!tls->spec.server ||
      far_clock_boottime_us () - tls->ticket_us < TICKET_SECONDS * (gint64) G_USEC_PER_SEC)
    return;
  keys = tls_load_keys (tls, NULL);
  if (keys == NULL)
    return;
  far_tls_keys_unref (tls->keys);
  tls->keys = keys;
  tls->ticket_us = far_clock_boottime_us ();
}

gboolean
far_tls_refresh (FarTls *tls, gboolean *changed, GError **error)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&tls->lock);
  guint64 stamp = stamp_now (tls);

  /* A client's certificate may have come into its time, or gone out of it, without a change of the file. */
  *changed = stamp != tls->stamp || (tls->spec.cert_optional && goes_without (tls) != tls->without);
  if (*changed)
    return take_keys (tls, stamp, error);
  renew_ticket_key (tls);
  return TRUE;
}

char *
far_tls_own_key (FarTls *tls)
{
  FarTlsKeys *keys = far_tls_keys_get (tls);
  gnutls_x509_crt_t *chain = NULL;
  unsigned n = 0;
  gboolean shown = gnutls_certificate_get_x509_crt (keys->certificates, 0, &chain, &n) == 0 && n > 0;
  char *hash = shown ? far_cert_key_hash (chain[0], NULL) : NULL;

  for (unsigned i = 0; i < n; i++)
    gnutls_x509_crt_deinit (chain[i]);
  gnutls_free (chain);
  far_tls_keys_unref (keys);
  return hash;
}

/* ---- for sessions ---- */

FarTlsKeys *
far_tls_keys_get (FarTls *tls)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&tls->lock);

  g_atomic_int_inc (&tls->keys->refs);
  return tls->keys;
}

const FarTlsSpec *
far_tls_spec (const FarTls *tls)
{
  return &tls->spec;
}

char *
far_tls_ca (FarTls *tls)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&tls->lock);

  return g_strdup (tls->ca);
}

/* Who offers names and none of ours is sent away by the alert that says so (RFC 7301 section 3.2); who offers
 * none is served. */
static void
offer_protocols (const FarTls *tls, gnutls_session_t session)
{
  gnutls_datum_t names[ALPN_MAX];
  const char *name = tls->alpn;
  unsigned n = 0;

  while (name != NULL && n < ALPN_MAX) {
    const char *end = strchrnul (name, ',');

    names[n++] = (gnutls_datum_t){ (unsigned char *) name, (unsigned) (end - name) };
    name = *end == ',' ? end + 1 : NULL;
  }
  if (n > 0)
    gnutls_alpn_set_protocols (session, names, n, GNUTLS_ALPN_MANDATORY | GNUTLS_ALPN_SERVER_PRECEDENCE);
}

static void
fill_session (FarTls *tls, FarTlsKeys *keys, gnutls_session_t session)
{
  gnutls_priority_set (session, tls->priority);
  gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, keys->certificates);
  gnutls_handshake_set_timeout (session, GNUTLS_INDEFINITE_TIMEOUT); /* the clock is ours */
  gnutls_handshake_set_max_packet_length (session, FAR_TLS_SHAKE_BYTES);
  offer_protocols (tls, session);
  if (tls->spec.server) {
    g_autofree char *ca = far_tls_ca (tls);

    gnutls_certificate_server_set_request (session, ca != NULL ? GNUTLS_CERT_REQUEST : GNUTLS_CERT_IGNORE);
    gnutls_certificate_send_x509_rdn_sequence (session, 1);
    gnutls_session_ticket_enable_server (session, &keys->ticket_key);
    gnutls_db_set_cache_expiration (session, TICKET_SECONDS);
  } else if (tls->name != NULL && !g_hostname_is_ip_address (tls->name)) {
    gnutls_server_name_set (session, GNUTLS_NAME_DNS, tls->name, strlen (tls->name));
  }
}

gnutls_session_t
far_tls_session (FarTls *tls, FarTlsKeys *keys, gpointer data)
{
  const unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_AUTO_SEND_TICKET;
  gnutls_session_t session = NULL;

  if (gnutls_init (&session, flags | (tls->spec.server ? GNUTLS_SERVER : GNUTLS_CLIENT)) < 0)
    return NULL;
  gnutls_session_set_ptr (session, data);
  fill_session (tls, keys, session);
  return session;
}

void
far_tls_resume (FarTls *tls, gnutls_session_t session)
{
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&tls->lock);

  if (tls->session.data != NULL)
    gnutls_session_set_data (session, tls->session.data, tls->session.size);
}

/* A node's certificate must have been asked for: else it would not be known by the session, and
 * far_tls_asked() would lie. */
static gboolean
is_worth_keeping (const FarTls *tls, gnutls_session_t session)
{
  return !tls->spec.server &&
         (tls->spec.purpose != FAR_PURPOSE_NODE_SERVER || gnutls_session_is_resumed (session) != 0 ||
          gnutls_certificate_client_get_request_status (session) != 0);
}

/* Only when a ticket has come: asked for it otherwise, GnuTLS would wait. */
void
far_tls_keep (FarTls *tls, const FarTlsKeys *keys, gnutls_session_t session)
{
  gnutls_datum_t data = { NULL, 0 };

  if (!is_worth_keeping (tls, session) ||
      (gnutls_session_get_flags (session) & GNUTLS_SFLAGS_SESSION_TICKET) == 0 ||
      gnutls_session_get_data2 (session, &data) < 0)
    return;
  g_mutex_lock (&tls->lock);
  if (keys == tls->keys) {
    forget_session (tls);
    tls->session = data;
    data.data = NULL;
  }
  g_mutex_unlock (&tls->lock);
  if (data.data != NULL)
    gnutls_memset (data.data, 0, data.size);
  gnutls_free (data.data);
}
