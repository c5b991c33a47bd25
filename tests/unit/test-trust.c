/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This test covers the check of a peer's certificate: a table of good and bad ones, the fleet's authority,
 * and what a wrong clock may and may not do. */
#include "config.h"

#include <check.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/trust.h>

#include "base/clock-private.h"
#include "trust/trust-private.h"
#include "trust/trust-revoked.h"
#include "unit/trust-fixture.h"

#define CLIENT GNUTLS_KP_TLS_WWW_CLIENT
#define SERVER GNUTLS_KP_TLS_WWW_SERVER
#define GOOD .from = -60, .until = 3600
#define DAY_US ((gint64) 24 * 3600 * G_USEC_PER_SEC)

static char *dir, *ca_file;

static void
set_up (void)
{
  g_autoptr (GError) error = NULL;

  dir = fixture_dir ();
  ck_assert_msg (far_trust_ca_create (dir, "fleet", &error), "%s", error ? error->message : "");
  ca_file = far_trust_path (dir, "ca.crt");
}

static void
tear_down (void)
{
  far_trust_revoked_set (NULL);
  fixture_remove (dir);
  g_free (ca_file);
}

/* text: a part of the refusal, NULL: accepted as node "t1" */
typedef struct {
  const char *what;
  FixtureCert cert;
  FarPurpose purpose;
  const char *name;
  const char *text;
} Row;

static const Row rows[] = {
  { "client", { .cn = "t1", GOOD, .purposes = { CLIENT } }, FAR_PURPOSE_NODE_CLIENT, NULL, NULL },
  { "server by name",
    { .cn = "t1", .dns = "cloud.example", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "cloud.example",
    NULL },
  { "server by name, other case",
    { .cn = "t1", .dns = "Cloud.example", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "cloud.EXAMPLE",
    NULL },
  { "server by address",
    { .cn = "t1", .address = "127.0.0.1", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "127.0.0.1",
    NULL },
  { "people's server",
    { .cn = "t1", .dns = "a.example", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_PEOPLE_SERVER,
    "a.example",
    NULL },
  { "both purposes",
    { .cn = "t1", GOOD, .purposes = { SERVER, CLIENT } },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    NULL },
  { "expired",
    { .cn = "t1", .from = -7200, .until = -3600, .purposes = { CLIENT } },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "expired on" },
  { "not yet",
    { .cn = "t1", .from = 3600, .until = 7200, .purposes = { CLIENT } },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "not valid before" },
  { "wrong purpose: client at a server's place",
    { .cn = "t1", .dns = "a", GOOD, .purposes = { CLIENT } },
    FAR_PURPOSE_NODE_SERVER,
    "a",
    "not for a TLS server" },
  { "wrong purpose: server at a client's place",
    { .cn = "t1", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "not for a TLS client" },
  { "no purpose", { .cn = "t1", GOOD }, FAR_PURPOSE_NODE_CLIENT, NULL, "not for a TLS client" },
  { "any purpose",
    { .cn = "t1", GOOD, .purposes = { GNUTLS_KP_ANY } },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "not for a TLS client" },
  { "wrong name",
    { .cn = "t1", .dns = "a.example", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "b.example",
    "not for 'b.example'" },
  { "longer name",
    { .cn = "t1", .dns = "a.example", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "a.example.org",
    "not for" },
  { "CN only",
    { .cn = "cloud.example", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "cloud.example",
    "not for" },
  { "wildcard",
    { .cn = "t1", .dns = "*.example", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "a.example",
    "not for" },
  { "address as a DNS name",
    { .cn = "t1", .dns = "127.0.0.1", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "127.0.0.1",
    "not for" },
  { "other address",
    { .cn = "t1", .address = "127.0.0.1", GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "127.0.0.2",
    "not for" },
  { "NUL in the DNS name",
    { .cn = "t1", .dns = "a\0.evil", .dns_size = 7, GOOD, .purposes = { SERVER } },
    FAR_PURPOSE_NODE_SERVER,
    "a",
    "not for" },
  { "NUL in the CN",
    { .cn = "t1\0.evil", .cn_size = 8, GOOD, .purposes = { CLIENT } },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "not a node id" },
  { "no CN", { .dns = "a", GOOD, .purposes = { CLIENT } }, FAR_PURPOSE_NODE_CLIENT, NULL, "not a node id" },
  { "CN with a slash",
    { .cn = "../t1", GOOD, .purposes = { CLIENT } },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "not a node id" },
  { "self-signed",
    { .cn = "t1", GOOD, .purposes = { CLIENT }, .self = TRUE },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "not from this fleet" },
  { "an authority as a node",
    { .cn = "t1", GOOD, .purposes = { CLIENT }, .authority = TRUE },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "authority's, not a node's" },
  { "revoked serial",
    { .cn = "t1", GOOD, .purposes = { CLIENT }, .serial = "66" },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "is revoked" },
  { "revoked serial, process-wide",
    { .cn = "t1", GOOD, .purposes = { CLIENT }, .serial = "67" },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "is revoked" },
  { "revoked node",
    { .cn = "gone", GOOD, .purposes = { CLIENT } },
    FAR_PURPOSE_NODE_CLIENT,
    NULL,
    "is revoked" },
};

static GBytes *
der_of (const char *pem)
{
  gnutls_datum_t text = { (unsigned char *) pem, strlen (pem) }, der;
  gnutls_x509_crt_t cert;
  GBytes *bytes;

  gnutls_x509_crt_init (&cert);
  ck_assert_int_eq (gnutls_x509_crt_import (cert, &text, GNUTLS_X509_FMT_PEM), 0);
  ck_assert_int_eq (gnutls_x509_crt_export2 (cert, GNUTLS_X509_FMT_DER, &der), 0);
  bytes = g_bytes_new (der.data, der.size);
  gnutls_free (der.data);
  gnutls_x509_crt_deinit (cert);
  return bytes;
}

/* A server that shows pem and proves to have its key. */
static gboolean
meet_server (const char *pem, const char *name)
{
  g_autoptr (GBytes) der = der_of (pem);
  gsize size;
  const gnutls_datum_t chain = { (unsigned char *) g_bytes_get_data (der, &size),
                                 (unsigned) g_bytes_get_size (der) };
  FarTrustClock clock;
  int alert;
  gboolean good = far_trust_check_raw (&chain, 1, ca_file, FAR_PURPOSE_NODE_SERVER, name, NULL, &alert,
                                       &clock, NULL);

  far_trust_clock_take (&clock);
  return good;
}

static void
judge (const Row *row, gboolean accepted, const char *node, const GError *error)
{
  ck_assert_msg (accepted == (row->text == NULL), "%s: %s", row->what, error ? error->message : "accepted");
  if (accepted) {
    ck_assert_str_eq (node, "t1");
    return;
  }
  ck_assert_msg (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED), "%s", row->what);
  ck_assert_msg (strstr (error->message, row->text) != NULL, "%s: '%s'", row->what, error->message);
}

START_TEST (table)
{
  const Row *row = &rows[_i];
  const char *revoked[] = { "01", "66", NULL }, *everywhere[] = { "67", "node:gone", NULL };
  g_autofree char *pem = fixture_cert (dir, &row->cert), *node = NULL, *again = NULL;
  g_autoptr (GBytes) der = der_of (pem);
  g_autoptr (GError) error = NULL, other = NULL;
  gboolean accepted;

  far_trust_revoked_set (everywhere);
  accepted = far_trust_check (pem, ca_file, row->purpose, row->name, revoked, &node, &error);
  judge (row, accepted, node, error);
  if (g_strcmp0 (row->cert.serial, "66") == 0) /* only the PEM form takes a list of its own */
    return;
  accepted = far_trust_check_der (&der, 1, ca_file, row->purpose, row->name, &again, &other);
  judge (row, accepted, again, other);
}
END_TEST

START_TEST (foreign_authority)
{
  char *other = fixture_dir ();
  g_autofree char *pem = NULL;
  g_autoptr (GError) error = NULL;

  ck_assert (far_trust_ca_create (other, "fleet", NULL));
  pem = fixture_node (other, "t1", NULL, FALSE);
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, &error));
  ck_assert_ptr_nonnull (strstr (error->message, "not from this fleet"));
  fixture_remove (other);
}
END_TEST

START_TEST (authority_itself_is_no_node)
{
  g_autofree char *pem = NULL;

  ck_assert (g_file_get_contents (ca_file, &pem, NULL, NULL));
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
}
END_TEST

START_TEST (garbage)
{
  static const char *const texts[] = { "", "x",
                                       "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                       "-----BEGIN CERTIFICATE-----" };
  g_autoptr (GBytes) bytes = g_bytes_new_static ("\x30\x82\xff\xff", 4);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    ck_assert (!far_trust_check (texts[i], ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  ck_assert (!far_trust_check_der (&bytes, 1, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL));
  ck_assert (!far_trust_check_der (&bytes, 0, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL));
}
END_TEST

START_TEST (enrolled_node)
{
  const char *names[] = { "cloud.example", "192.0.2.7", "2001:db8::7", NULL };
  g_autofree char *pem = fixture_node (dir, "cloud-1", names, TRUE), *node = NULL,
                  *serial = far_trust_serial (pem, NULL);
  const char *revoked[] = { serial, NULL };
  g_autoptr (GError) error = NULL;

  ck_assert_msg (far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, &node, &error), "%s",
                 error ? error->message : "");
  ck_assert_str_eq (node, "cloud-1");
  for (guint i = 0; names[i] != NULL; i++)
    ck_assert (far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_SERVER, names[i], NULL, NULL, NULL));
  ck_assert (far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_SERVER, "cloud-1", NULL, NULL, NULL));
  ck_assert_uint_eq (strlen (serial), 32);
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, revoked, NULL, NULL));
}
END_TEST

START_TEST (terminal_is_no_server)
{
  g_autofree char *pem = fixture_node (dir, "t1", NULL, FALSE);

  ck_assert (far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_SERVER, NULL, NULL, NULL, NULL));
}
END_TEST

START_TEST (time_goes_on)
{
  g_autofree char *pem = fixture_node (dir, "t1", NULL, FALSE);
  g_autoptr (GError) error = NULL;

  ck_assert (far_clock_advance (29 * DAY_US));
  ck_assert (far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  ck_assert (far_clock_advance (2 * DAY_US));
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, &error));
  ck_assert_ptr_nonnull (strstr (error->message, "renew it"));
}
END_TEST

START_TEST (authority_expires)
{
  g_autofree char *pem = NULL;
  g_autoptr (GError) error = NULL;

  ck_assert (far_clock_advance (3649 * DAY_US));
  pem = fixture_node (dir, "t1", NULL, FALSE); /* asks for 30 days, gets one */
  ck_assert (far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  ck_assert (far_clock_advance (2 * DAY_US));
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, &error));
}
END_TEST

START_TEST (authority_by_hash)
{
  g_autofree char *pem = fixture_node (dir, "cloud-1", NULL, TRUE), *ca = NULL, *chain = NULL, *wrong = NULL;
  g_autofree char *hash = far_trust_file_sha256 (ca_file, NULL);

  ck_assert (g_file_get_contents (ca_file, &ca, NULL, NULL));
  ck_assert_uint_eq (strlen (hash), strlen ("sha256:") + 64);
  chain = g_strconcat (pem, ca, NULL);
  ck_assert (far_trust_check (chain, hash, FAR_PURPOSE_NODE_SERVER, "cloud-1", NULL, NULL, NULL));
  ck_assert (!far_trust_check (pem, hash, FAR_PURPOSE_NODE_SERVER, "cloud-1", NULL, NULL, NULL));
  wrong = g_strdup (hash);
  wrong[20] = wrong[20] == 'a' ? 'b' : 'a';
  ck_assert (!far_trust_check (chain, wrong, FAR_PURPOSE_NODE_SERVER, "cloud-1", NULL, NULL, NULL));
}
END_TEST

/* A leaf that names itself as the anchor must not get through. */
START_TEST (leaf_is_not_its_own_authority)
{
  FixtureCert spec = { .cn = "t1", .dns = "a", GOOD, .purposes = { SERVER }, .self = TRUE };
  g_autofree char *pem = fixture_cert (dir, &spec), *path = far_trust_path (dir, "leaf.crt"), *hash = NULL,
                  *chain = NULL;

  ck_assert (g_file_set_contents (path, pem, -1, NULL));
  hash = far_trust_file_sha256 (path, NULL);
  chain = g_strconcat (pem, pem, NULL);
  ck_assert (!far_trust_check (pem, hash, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
  ck_assert (!far_trust_check (chain, hash, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
}
END_TEST

/* A clock that is behind makes a server's certificate look too new: that is believed where the clock is known
 * to be wrong, and where a join token names the authority. It never makes one that has ended look good, and
 * nobody else's. */
START_TEST (a_clock_that_is_behind)
{
  FixtureCert early = { .cn = "cloud", .dns = "a", .from = 3600, .until = 7200, .purposes = { SERVER } },
              late = early, node = early;
  g_autofree char *path = far_trust_path (dir, "ca.crt"), *hash = far_trust_file_sha256 (path, NULL),
                  *root = NULL;
  g_autofree char *soon = NULL, *over = NULL, *client = NULL, *chain = NULL;

  late.from = -7200;
  late.until = -3600;
  node.purposes[0] = CLIENT;
  soon = fixture_cert (dir, &early);
  over = fixture_cert (dir, &late);
  client = fixture_cert (dir, &node);
  ck_assert (g_file_get_contents (path, &root, NULL, NULL));
  chain = g_strconcat (soon, root, NULL);
  ck_assert (!far_trust_check (soon, path, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
  ck_assert (far_trust_check (chain, hash, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
  far_clock_floor (far_clock_system_us () + 60 * G_USEC_PER_SEC);
  ck_assert (far_clock_is_behind ());
  ck_assert (far_trust_check (soon, path, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
  ck_assert (!far_trust_check (client, path, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  ck_assert (!far_trust_check (over, path, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
  far_clock_set_told (far_clock_system_us () + 60 * (gint64) G_USEC_PER_SEC); /* now it is known */
  ck_assert (!far_trust_check (soon, path, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
  far_clock_set_told (far_clock_system_us () + 4000 * (gint64) G_USEC_PER_SEC);
  ck_assert (far_trust_check (soon, path, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
  far_clock_set_told (far_clock_system_us () + 7300 * (gint64) G_USEC_PER_SEC);
  ck_assert (!far_trust_check (soon, path, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
}
END_TEST

/* Told, and two seconds off: the told time counts. Not told: the latest of what is known. */
START_TEST (the_time_that_is_believed)
{
  gint64 system = far_clock_system_us (), skew;

  ck_assert (!far_clock_skew_us (&skew));
  ck_assert_int_le (ABS (far_clock_wall_us () - system), G_USEC_PER_SEC);
  far_clock_floor (system + 100 * G_USEC_PER_SEC);
  far_clock_floor (system - 100 * G_USEC_PER_SEC);
  ck_assert_int_le (ABS (far_clock_wall_us () - system - 100 * G_USEC_PER_SEC), G_USEC_PER_SEC);
  far_clock_set_told (system - 1000 * G_USEC_PER_SEC);
  ck_assert_int_le (ABS (far_clock_wall_us () - system + 1000 * G_USEC_PER_SEC), G_USEC_PER_SEC);
  ck_assert (far_clock_skew_us (&skew));
  ck_assert_int_le (ABS (skew - 1000 * G_USEC_PER_SEC), G_USEC_PER_SEC);
  far_clock_set_told (system + G_USEC_PER_SEC / 2);
  ck_assert_int_le (ABS (far_clock_wall_us () - far_clock_system_us ()), G_USEC_PER_SEC / 10);
}
END_TEST

/* The server's own certificate would have ended then: its clock is wrong, and that time would lock it out. */
START_TEST (a_told_time_ends_with_the_servers_certificate)
{
  FixtureCert spec = { .cn = "cloud", .dns = "a", GOOD, .purposes = { SERVER } };
  g_autofree char *pem = fixture_cert (dir, &spec);
  gint64 system = far_clock_system_us (), hour = G_TIME_SPAN_HOUR;

  ck_assert (far_clock_may_be (system + 2 * hour));
  ck_assert (!meet_server (pem, "b"));
  ck_assert (far_clock_may_be (system + 2 * hour)); /* who is not accepted sets no limit */
  ck_assert (far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_SERVER, "a", NULL, NULL, NULL));
  ck_assert (far_clock_may_be (system + 2 * hour)); /* nor does the certificate alone */
  ck_assert (meet_server (pem, "a"));
  ck_assert (!far_clock_may_be (system + 2 * hour));
  ck_assert (far_clock_may_be (system + hour / 2));
}
END_TEST

/* told: now, or when this node last ran. Forgotten where the server is good without it, and there alone. */
START_TEST (a_told_time_alone_locks_no_server_out)
{
  FixtureCert spec = { .cn = "cloud", .dns = "a", GOOD, .purposes = { SERVER, CLIENT } };
  g_autofree char *pem = fixture_cert (dir, &spec);
  gint64 late = far_clock_system_us () + 2 * G_TIME_SPAN_HOUR, skew;

  if (_i == 0)
    far_clock_set_told (late);
  else
    far_clock_floor_told (late);
  ck_assert_int_ge (far_clock_wall_us (), late);
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  ck_assert (!meet_server (pem, "b"));
  ck_assert_int_ge (far_clock_wall_us (), late);
  ck_assert (meet_server (pem, "a"));
  ck_assert_int_lt (far_clock_wall_us (), late);
  ck_assert (!far_clock_skew_us (&skew));
  ck_assert (!far_clock_is_behind ());
}
END_TEST

/* A clock that is behind what is certain would make any certificate good that has ended. */
START_TEST (a_clock_that_is_behind_forgets_nothing)
{
  FixtureCert spec = { .cn = "cloud", .dns = "a", GOOD, .purposes = { SERVER } };
  g_autofree char *pem = fixture_cert (dir, &spec);
  gint64 system = far_clock_system_us (), skew;

  far_clock_floor (system + G_TIME_SPAN_MINUTE);
  far_clock_set_told (system + 2 * G_TIME_SPAN_HOUR);
  ck_assert (!meet_server (pem, "a"));
  ck_assert (far_clock_skew_us (&skew));
}
END_TEST

/* Else a node that runs for a year believes nobody any more. */
START_TEST (the_limit_moves_with_the_own_certificate)
{
  FixtureCert old = { .cn = "t1", GOOD, .purposes = { CLIENT } }, renewed = old;
  g_autofree char *first = NULL, *second = NULL;
  gint64 then = far_clock_system_us () + 100 * DAY_US;

  renewed.until = 30 * 86400;
  first = fixture_cert (dir, &old);
  second = fixture_cert (dir, &renewed);
  ck_assert (far_clock_may_be (then));
  far_clock_own_certificate (first, ca_file);
  ck_assert (!far_clock_may_be (then));
  far_clock_own_certificate ("no certificate", ca_file);
  ck_assert (!far_clock_may_be (then));
  far_clock_own_certificate (second, ca_file);
  ck_assert (far_clock_may_be (then));
  ck_assert (!far_clock_may_be (then + 30 * DAY_US));
}
END_TEST

START_TEST (a_clock_that_is_kept_right_beats_what_was_told_long_ago)
{
  ck_assert (far_clock_system_counts (G_USEC_PER_SEC, 0, FALSE));
  ck_assert (!far_clock_system_counts (DAY_US, 0, TRUE));
  ck_assert (!far_clock_system_counts (-DAY_US, 2 * DAY_US, FALSE));
  ck_assert (far_clock_system_counts (-DAY_US, 2 * DAY_US, TRUE));
  ck_assert (far_clock_system_counts (DAY_US, 2 * DAY_US, TRUE));
}
END_TEST

/* Signatures are remembered; nothing else is. */
START_TEST (what_was_good_is_looked_at_again)
{
  g_autofree char *pem = fixture_node (dir, "t1", NULL, FALSE), *other_file = NULL;
  char *other = fixture_dir ();

  for (guint i = 0; i < 3; i++)
    ck_assert (far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_SERVER, NULL, NULL, NULL, NULL));
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, "x", NULL, NULL, NULL));
  ck_assert (far_trust_ca_create (other, "fleet", NULL));
  other_file = far_trust_path (other, "ca.crt");
  ck_assert (!far_trust_check (pem, other_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  far_trust_revoked_add ("node:t1");
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  far_trust_revoked_remove ("node:t1");
  ck_assert (far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  ck_assert (far_clock_advance (31 * DAY_US));
  ck_assert (!far_trust_check (pem, ca_file, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, NULL, NULL));
  fixture_remove (other);
}
END_TEST

/* Where nobody needs the list, most nodes, nothing waits for it; and once read it stays in force. */
START_TEST (revocations_are_known_when_they_are_read)
{
  ck_assert (far_trust_revoked_known ());
  far_trust_revoked_set_needed (TRUE);
  ck_assert (!far_trust_revoked_known ());
  far_trust_revoked_set_needed (FALSE);
  ck_assert (far_trust_revoked_known ());
  far_trust_revoked_set_needed (TRUE);
  ck_assert (!far_trust_revoked_known ());
  far_trust_revoked_set_known ();
  ck_assert (far_trust_revoked_known ());
  far_trust_revoked_set_needed (FALSE); /* a profile without, and back */
  far_trust_revoked_set_needed (TRUE);
  ck_assert (far_trust_revoked_known ());
}
END_TEST

START_TEST (sign_refuses)
{
  const char *wild[] = { "*.example", NULL };
  g_autofree char *keys = g_build_filename (dir, "t1", NULL), *csr = NULL;
  g_autoptr (GError) error = NULL;

  ck_assert (far_trust_keys_create (keys, NULL));
  csr = far_trust_csr (keys, "t1", NULL);
  ck_assert_ptr_null (far_trust_sign (dir, csr, "t2", NULL, FALSE, 30, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
  ck_assert_ptr_null (far_trust_sign (dir, csr, "t1", wild, TRUE, 30, NULL));
  ck_assert_ptr_null (far_trust_sign (dir, csr, "t1", NULL, FALSE, 0, NULL));
  ck_assert_ptr_null (far_trust_sign (dir, csr, "t1", NULL, FALSE, 3651, NULL));
  ck_assert_ptr_null (far_trust_sign (dir, "x", "t1", NULL, FALSE, 30, NULL));
  /* a changed request: bad base64, bad DER or bad signature, never a certificate */
  csr[strlen (csr) / 2] ^= 1;
  ck_assert_ptr_null (far_trust_sign (dir, csr, "t1", NULL, FALSE, 30, NULL));
}
END_TEST

START_TEST (authority_is_not_overwritten)
{
  g_autoptr (GError) error = NULL;

  ck_assert (!far_trust_ca_create (dir, "fleet", &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT));
}
END_TEST

START_TEST (keys_are_private_and_stay)
{
  g_autofree char *keys = g_build_filename (dir, "t1", NULL), *before, *after, *box;
  static const char *const files[] = { "node.key", "ssh.key", "box.key" };

  ck_assert (far_trust_keys_create (keys, NULL));
  before = far_trust_ssh_public (keys, NULL);
  box = far_trust_box_public (keys, NULL);
  ck_assert (g_str_has_prefix (before, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"));
  ck_assert_uint_eq (strlen (box), 44);
  for (guint i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *path = far_trust_path (keys, files[i]);
    GStatBuf st;

    ck_assert_int_eq (g_stat (path, &st), 0);
    ck_assert_uint_eq (st.st_mode & 0777, 0600);
  }
  ck_assert (far_trust_keys_create (keys, NULL));
  after = far_trust_ssh_public (keys, NULL);
  ck_assert_str_eq (before, after);
}
END_TEST

/* The hash of a request and of the certificate made from it is the same: how a lost answer is fetched again.
 */
START_TEST (key_hash_of_request_and_certificate)
{
  g_autofree char *pem = fixture_node (dir, "t1", NULL, FALSE), *keys = g_build_filename (dir, "t1", NULL);
  g_autofree char *csr = far_trust_csr (keys, "t1", NULL), *of_csr = far_trust_key_hash (csr, NULL),
                  *of_cert = far_trust_key_hash (pem, NULL);

  ck_assert_ptr_nonnull (of_csr);
  ck_assert_str_eq (of_csr, of_cert);
  ck_assert_ptr_null (far_trust_key_hash ("x", NULL));
}
END_TEST

START_TEST (random_and_comparison)
{
  g_autofree char *a = far_random_text (128), *b = far_random_text (128), *hash = far_sha256_text ("abc");

  ck_assert_uint_eq (strlen (a), 128);
  ck_assert_str_ne (a, b);
  for (guint i = 0; i < 128; i++)
    ck_assert (g_ascii_isalnum (a[i]));
  for (guint i = 0; i < 1000; i++)
    ck_assert_uint_lt (far_random_u32 (7), 7);
  ck_assert_uint_eq (far_random_u32 (0), 0);
  ck_assert_str_eq (hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  ck_assert (far_equal_secret ("secret", "secret") && !far_equal_secret ("secret", "secreT") &&
             !far_equal_secret ("", "s"));
}
END_TEST

/* 62 does not divide 256: without care the first eight letters would come a quarter more often. */
START_TEST (random_letters_are_even)
{
  guint seen[128] = { 0 };

  for (guint i = 0; i < 2000; i++) {
    g_autofree char *text = far_random_text (124);

    for (const char *at = text; *at != '\0'; at++)
      seen[(guint8) *at & 127]++;
  }
  for (char letter = '0'; letter <= 'z'; letter++)
    if (g_ascii_isalnum (letter)) {
      ck_assert_uint_gt (seen[(guint8) letter], 3500);
      ck_assert_uint_lt (seen[(guint8) letter], 4500);
    }
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("trust");
  TCase *tcase = tcase_create ("trust");
  SRunner *runner = srunner_create (suite);
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_add_checked_fixture (tcase, set_up, tear_down);
  tcase_add_loop_test (tcase, table, 0, G_N_ELEMENTS (rows));
  tcase_add_test (tcase, foreign_authority);
  tcase_add_test (tcase, authority_itself_is_no_node);
  tcase_add_test (tcase, garbage);
  tcase_add_test (tcase, enrolled_node);
  tcase_add_test (tcase, terminal_is_no_server);
  tcase_add_test (tcase, time_goes_on);
  tcase_add_test (tcase, authority_expires);
  tcase_add_test (tcase, authority_by_hash);
  tcase_add_test (tcase, leaf_is_not_its_own_authority);
  tcase_add_test (tcase, a_clock_that_is_behind);
  tcase_add_test (tcase, the_time_that_is_believed);
  tcase_add_test (tcase, a_told_time_ends_with_the_servers_certificate);
  tcase_add_loop_test (tcase, a_told_time_alone_locks_no_server_out, 0, 2);
  tcase_add_test (tcase, a_clock_that_is_behind_forgets_nothing);
  tcase_add_test (tcase, the_limit_moves_with_the_own_certificate);
  tcase_add_test (tcase, a_clock_that_is_kept_right_beats_what_was_told_long_ago);
  tcase_add_test (tcase, what_was_good_is_looked_at_again);
  tcase_add_test (tcase, revocations_are_known_when_they_are_read);
  tcase_add_test (tcase, sign_refuses);
  tcase_add_test (tcase, authority_is_not_overwritten);
  tcase_add_test (tcase, keys_are_private_and_stay);
  tcase_add_test (tcase, key_hash_of_request_and_certificate);
  tcase_add_test (tcase, random_and_comparison);
  tcase_add_test (tcase, random_letters_are_even);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
