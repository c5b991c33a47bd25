/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one check behind every TLS stack's hook. Each rule is a function that says what is wrong. */
#include "config.h"

#include "base/clock-private.h"
#include "trust/trust-private.h"

#include <string.h>

typedef struct {
  FarCerts chain, authorities;
  FarPurpose purpose;
  const char *name;
  const char *const *revoked;
  gboolean by_hash; /* the authority is the one that a join token names */
  time_t now;
  gboolean untold; /* now is the system's clock alone: what other nodes told about the time does not count */
  gint64 until;    /* the first end among the chain and its authority, in seconds since 1970 */
  int alert; /* what the rule under way means to the other side of a TLS connection (RFC 8446 section 6.2) */
} TrustCheck;

static void
check_clear (TrustCheck *check)
{
  far_certs_clear (&check->chain);
  far_certs_clear (&check->authorities);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TrustCheck, check_clear)

G_GNUC_PRINTF (2, 3)
static gboolean
deny (GError **error, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  if (error != NULL)
    *error = g_error_new_valist (FAR_ERROR, FAR_ERROR_DENIED, format, args);
  va_end (args);
  return FALSE;
}

static void
add_certs (GChecksum *sum, const FarCerts *certs)
{
  for (guint i = 0; i < certs->n; i++) {
    gnutls_datum_t der = { NULL, 0 };
    guint32 size = 0;

    if (gnutls_x509_crt_export2 (certs->at[i], GNUTLS_X509_FMT_DER, &der) >= 0)
      size = der.size;
    g_checksum_update (sum, (const guchar *) &size, sizeof size);
    g_checksum_update (sum, der.data, size);
    gnutls_free (der.data);
  }
}

static char *
digest_of (const TrustCheck *check)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);

  add_certs (sum, &check->authorities);
  g_checksum_update (sum, (const guchar *) "|", 1);
  add_certs (sum, &check->chain);
  return g_strdup (g_checksum_get_string (sum));
}

static gboolean
signatures_right (TrustCheck *check, GError **error)
{
  guint status = 0;
  int rc = gnutls_x509_crt_list_verify (check->chain.at, check->chain.n, check->authorities.at,
                                        check->authorities.n, NULL, 0,
                                        GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
                                            GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS |
                                            GNUTLS_VERIFY_DO_NOT_ALLOW_SAME,
                                        &status);

  if (gnutls_x509_crt_get_ca_status (check->chain.at[0], NULL) > 0)
    return deny (error, "certificate is an authority's, not a node's");
  if (rc < 0 || (status & GNUTLS_CERT_SIGNER_NOT_FOUND) != 0)
    return deny (
        error,
        "certificate is not from this fleet's authority: is it the right server, and the right ca.crt?");
  if ((status & GNUTLS_CERT_INSECURE_ALGORITHM) != 0)
    return deny (error, "certificate uses an algorithm that is too weak");
  return status == 0 ? TRUE : deny (error, "certificate's chain of signatures is wrong");
}

static gboolean
signed_by_authority (TrustCheck *check, GError **error)
{
  g_autofree char *digest = digest_of (check);

  if (far_trust_seen (digest))
    return TRUE;
  if (!signatures_right (check, error))
    return FALSE;
  far_trust_remember (digest);
  return TRUE;
}

/* A server's certificate that is not good yet shows a clock that is behind no more than the fleet's authority
 * does: where the clock is known to be behind, and at the first contact, whose authority a join token names,
 * that is no fault. An end in the past is one, whatever the clock. */
static gboolean
may_be_early (const TrustCheck *check)
{
  return check->purpose != FAR_PURPOSE_NODE_CLIENT &&
         (check->by_hash || (!check->untold && far_clock_is_behind ()));
}

static gboolean
cert_in_time (TrustCheck *check, gnutls_x509_crt_t cert, const char *what, GError **error)
{
  time_t now = check->now, from = gnutls_x509_crt_get_activation_time (cert),
         until = gnutls_x509_crt_get_expiration_time (cert);
  g_autoptr (GDateTime) date = g_date_time_new_from_unix_utc (now < from ? from : until);
  g_autofree char *text = date == NULL ? NULL : g_date_time_format (date, "%Y-%m-%d %H:%M UTC");

  if (from == (time_t) -1 || until == (time_t) -1)
    return deny (error, "%s has no valid times", what);
  if (now < from && !may_be_early (check))
    return deny (error, "%s is not valid before %s: is the clock right?", what,
                 text != NULL ? text : "a far date");
  if (now > until)
    return deny (error, "%s expired on %s: renew it", what, text != NULL ? text : "a far date");
  check->until = MIN (check->until, (gint64) until);
  return TRUE;
}

static gboolean
in_time_at (TrustCheck *check, time_t now, GError **error)
{
  check->now = now;
  check->until = G_MAXINT64 / G_USEC_PER_SEC;
  if (!cert_in_time (check, check->chain.at[0], "certificate", error))
    return FALSE;
  for (guint i = 1; i < check->chain.n; i++)
    if (!cert_in_time (check, check->chain.at[i], "authority's certificate", error))
      return FALSE;
  for (guint i = 0; i < check->authorities.n; i++)
    if (gnutls_x509_crt_check_issuer (check->chain.at[check->chain.n - 1], check->authorities.at[i]) &&
        cert_in_time (check, check->authorities.at[i], "authority's certificate", NULL))
      return TRUE;
  return deny (error, "authority's certificate is out of its time");
}

/* A server that told a wrong time must not be locked out by it for good: it is judged once more without, and
 * if it is good then, what was told is wrong. */
static gboolean
in_time (TrustCheck *check, GError **error)
{
  gint64 untold_us;

  if (in_time_at (check, far_trust_now (), error))
    return TRUE;
  if (check->purpose == FAR_PURPOSE_NODE_CLIENT || !far_clock_untold_us (&untold_us))
    return FALSE;
  check->untold = TRUE;
  if (!in_time_at (check, (time_t) (untold_us / G_USEC_PER_SEC), NULL))
    return FALSE;
  g_clear_error (error);
  return TRUE;
}

void
far_trust_clock_take (const FarTrustClock *clock)
{
  if (clock->told_wrong)
    far_clock_forget_told ();
  if (clock->until_us != 0)
    far_clock_server_until (clock->until_us);
}

static gboolean
for_purpose (TrustCheck *check, GError **error)
{
  gboolean client = check->purpose == FAR_PURPOSE_NODE_CLIENT;

  if (far_cert_has_purpose (check->chain.at[0], client ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER))
    return TRUE;
  return deny (error, client ? "certificate is not for a TLS client" : "certificate is not for a TLS server");
}

/* Which names there are says more than that one is not among them: most often it was the address that was
 * typed. */
static gboolean
trust_other_name (TrustCheck *check, GError **error)
{
  g_autofree char *names = far_cert_names (check->chain.at[0]);

  return deny (error,
               "certificate is not for '%.253s' but for %s: use one of these names, or have one made for "
               "this name too (`farctl ca init --profile FILE --name HOST` there)",
               check->name, names[0] != '\0' ? names : "no name at all");
}

static gboolean
names_right (TrustCheck *check, char **node, GError **error)
{
  g_autofree char *cn = far_cert_name (check->chain.at[0]);

  if (check->purpose != FAR_PURPOSE_PEOPLE_SERVER && (cn == NULL || !far_trust_name_ok (cn)))
    return deny (error, "certificate's common name is not a node id");
  if (check->name != NULL && !far_cert_has_name (check->chain.at[0], check->name))
    return trust_other_name (check, error);
  *node = cn == NULL ? g_strdup ("") : g_steal_pointer (&cn);
  return TRUE;
}

static gboolean
not_revoked (TrustCheck *check, const char *node, GError **error)
{
  g_autofree char *serial = far_cert_serial (check->chain.at[0]),
                  *key = far_cert_key_hash (check->chain.at[0], error);

  if (key == NULL)
    return FALSE;
  if (serial == NULL)
    return deny (error, "certificate has no serial number");
  if (far_trust_revoked_key (key))
    return deny (error,
                 "the key of '%s' is revoked, and with it certificate %s: enroll the node again (`farctl "
                 "enroll --new-keys --profile FILE --server HOST:PORT`)",
                 node, serial);
  if (far_trust_revoked (serial, node) ||
      (check->revoked != NULL && g_strv_contains (check->revoked, serial)))
    return deny (error, "certificate %s of '%s' is revoked: enroll the node again", serial, node);
  return TRUE;
}

static gboolean
trust_run (TrustCheck *check, char **node, GError **error)
{
  g_autofree char *name = NULL;

  check->alert = GNUTLS_A_UNKNOWN_CA;
  if (!signed_by_authority (check, error))
    return FALSE;
  check->alert = GNUTLS_A_CERTIFICATE_EXPIRED;
  if (!in_time (check, error))
    return FALSE;
  check->alert = GNUTLS_A_UNSUPPORTED_CERTIFICATE;
  if (!for_purpose (check, error))
    return FALSE;
  check->alert = GNUTLS_A_BAD_CERTIFICATE;
  if (!names_right (check, &name, error))
    return FALSE;
  check->alert = GNUTLS_A_CERTIFICATE_REVOKED;
  if (!not_revoked (check, name, error))
    return FALSE;
  if (node != NULL)
    *node = g_steal_pointer (&name);
  return TRUE;
}

/* "sha256:HEX": the authority is the certificate of the chain with that hash; it and what follows leave the
 * chain. */
static gboolean
pin_authority (TrustCheck *check, const char *hash, GError **error)
{
  for (guint i = 1; i < check->chain.n; i++) {
    g_autofree char *this = NULL;
    gnutls_datum_t der = { NULL, 0 };

    if (gnutls_x509_crt_export2 (check->chain.at[i], GNUTLS_X509_FMT_DER, &der) < 0)
      continue;
    this = far_trust_digest (der.data, der.size);
    gnutls_free (der.data);
    if (g_ascii_strcasecmp (this, hash) != 0 || gnutls_x509_crt_get_ca_status (check->chain.at[i], NULL) <= 0)
      continue;
    check->authorities.at[check->authorities.n++] = check->chain.at[i];
    for (guint rest = i + 1; rest < check->chain.n; rest++)
      gnutls_x509_crt_deinit (check->chain.at[rest]);
    check->chain.n = i;
    return TRUE;
  }
  return deny (error, "the server does not show the fleet's authority that the token names: is it the port "
                      "for nodes, and the token of this fleet?");
}

static gboolean
load_authorities (TrustCheck *check, const char *ca_file, GError **error)
{
  g_autoptr (GError) why = NULL;

  check->by_hash = g_str_has_prefix (ca_file, "sha256:");
  if (check->by_hash)
    return pin_authority (check, ca_file, error);
  if (far_certs_load_file (&check->authorities, ca_file, &why))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               "the authority to believe cannot be read: %s; `farctl enroll --profile FILE --server "
               "HOST:PORT` brings it to a node, --ca FILE names it to farctl",
               why->message);
  return FALSE;
}

gboolean
far_trust_check (const char *chain_pem, const char *ca_file, FarPurpose purpose, const char *name,
                 const char *const *revoked, char **node, GError **error)
{
  g_auto (TrustCheck) check = { .purpose = purpose, .name = name, .revoked = revoked };

  return far_certs_load (&check.chain, chain_pem, strlen (chain_pem), error) &&
         load_authorities (&check, ca_file, error) && trust_run (&check, node, error);
}

static gboolean
load_der (FarCerts *chain, const gnutls_datum_t *der, guint n, GError **error)
{
  if (n < 1 || n > FAR_TRUST_CHAIN_MAX)
    return deny (error, "%u certificates in the chain: 1 to %d are looked at", n, FAR_TRUST_CHAIN_MAX);
  for (guint i = 0; i < n; i++) {
    if (der[i].size > FAR_TRUST_FILE_MAX)
      return deny (error, "certificate is too long");
    gnutls_x509_crt_init (&chain->at[chain->n++]);
    if (!far_trust_ok (gnutls_x509_crt_import (chain->at[i], &der[i], GNUTLS_X509_FMT_DER), FAR_ERROR_DENIED,
                       "certificate", error))
      return FALSE;
  }
  return TRUE;
}

gboolean
far_trust_signed (const char *chain_pem, const char *ca_file)
{
  g_auto (TrustCheck) check = { .purpose = FAR_PURPOSE_NODE_CLIENT };

  return far_certs_load (&check.chain, chain_pem, strlen (chain_pem), NULL) &&
         load_authorities (&check, ca_file, NULL) && signed_by_authority (&check, NULL);
}

gboolean
far_trust_check_raw (const gnutls_datum_t *chain, guint n, const char *ca_file, FarPurpose purpose,
                     const char *name, char **node, int *alert, FarTrustClock *clock, GError **error)
{
  g_auto (TrustCheck) check = { .purpose = purpose, .name = name, .alert = GNUTLS_A_BAD_CERTIFICATE };
  gboolean good = load_der (&check.chain, chain, n, error) && load_authorities (&check, ca_file, error) &&
                  trust_run (&check, node, error);

  *alert = check.alert;
  *clock = (FarTrustClock){ good && check.untold,
                            good && purpose == FAR_PURPOSE_NODE_SERVER ? check.until * G_USEC_PER_SEC : 0 };
  return good;
}

gboolean
far_trust_check_der (GBytes *const *chain, guint n, const char *ca_file, FarPurpose purpose, const char *name,
                     char **node, GError **error)
{
  gnutls_datum_t raw[FAR_TRUST_CHAIN_MAX];
  FarTrustClock clock;
  int alert;

  for (guint i = 0; i < MIN (n, FAR_TRUST_CHAIN_MAX); i++) {
    gsize size = 0;
    gconstpointer data = g_bytes_get_data (chain[i], &size);

    raw[i] = (gnutls_datum_t){ (unsigned char *) data, (unsigned) MIN (size, G_MAXUINT) };
  }
  return far_trust_check_raw (raw, n, ca_file, purpose, name, node, &alert, &clock, error);
}
