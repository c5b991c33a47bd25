/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose certificate may move the clock: a server's once it has proved to have the key, one's own when the
 * fleet's authority has signed it. */
#include "unit/stream-help.h"
#include "unit/trust-fixture.h"

#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/tls.h>

#include "base/clock-private.h"

#define DAY_US ((gint64) 24 * 3600 * G_USEC_PER_SEC)

typedef struct {
  char *dir, *ca, *cert; /* the server's, good for 30 days */
  FarLoop *loop;
  FarTls *tls;
  FarStream *stream;
  int below;
  gint shaken;
  gboolean good;
} Place;

static void
set_up (Place *place)
{
  static const char *const names[] = { "localhost", NULL };
  FarTlsSpec spec = { .purpose = FAR_PURPOSE_NODE_SERVER, .name = "localhost" };

  *place = (Place){ .dir = fixture_dir (), .loop = far_loop_io_new ("tls-clock") };
  ck_assert (far_trust_ca_create (place->dir, "test", NULL));
  spec.ca = place->ca = g_build_filename (place->dir, "ca.crt", NULL);
  place->tls = far_tls_new (&spec, NULL);
  ck_assert_ptr_nonnull (place->tls);
  place->cert = fixture_node (place->dir, "cloud", names, TRUE);
  g_free (fixture_node (place->dir, "thief", NULL, FALSE));
}

static void
tear_down (Place *place)
{
  far_loop_io_free (place->loop);
  far_tls_unref (place->tls);
  fixture_remove (place->dir);
  g_free (place->ca);
  g_free (place->cert);
}

/* ---- a server ---- */

typedef struct {
  gnutls_session_t session;
  gnutls_certificate_credentials_t credentials;
} Server;

/* With the certificate of a node of the fleet and its key, or another one. */
static void
server_begin (Server *server, const Place *place, const char *priority, gboolean has_key, int fd)
{
  g_autofree char *path = g_build_filename (place->dir, has_key ? "cloud" : "thief", "node.key", NULL),
                  *key = NULL;
  gnutls_datum_t cert_text = { (guchar *) place->cert, (guint) strlen (place->cert) }, key_text;

  ck_assert (g_file_get_contents (path, &key, NULL, NULL));
  key_text = (gnutls_datum_t){ (guchar *) key, (guint) strlen (key) };
  gnutls_certificate_allocate_credentials (&server->credentials);
  gnutls_certificate_set_flags (server->credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
  ck_assert_int_ge (gnutls_certificate_set_x509_key_mem (server->credentials, &cert_text, &key_text,
                                                         GNUTLS_X509_FMT_PEM),
                    0);
  ck_assert_int_eq (gnutls_init (&server->session, GNUTLS_SERVER), 0);
  gnutls_credentials_set (server->session, GNUTLS_CRD_CERTIFICATE, server->credentials);
  ck_assert_int_eq (gnutls_priority_set_direct (server->session, priority, NULL), 0);
  gnutls_transport_set_int (server->session, fd);
}

static void
server_end (Server *server)
{
  gnutls_deinit (server->session);
  gnutls_certificate_free_credentials (server->credentials);
}

/* ---- our client ---- */

static void
shaken (FarStream *stream G_GNUC_UNUSED, const GError *error, gpointer user)
{
  Place *place = user;

  place->good = error == NULL;
  g_atomic_int_set (&place->shaken, 1);
}

static void
client_begin (gpointer data)
{
  Place *place = data;

  place->stream = far_stream_tls_new (place->tls, far_stream_fd_new (place->loop, place->below), "192.0.2.1");
  far_tls_shake (place->stream, shaken, place);
}

static void
client_end (gpointer data)
{
  Place *place = data;

  far_stream_take (place->stream, NULL, NULL);
  far_stream_free (place->stream);
}

/* TRUE: the client takes the server for what it says. */
static gboolean
meet (Place *place, const char *priority, gboolean has_key)
{
  Server server;
  int fd[2], rc;

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, fd), 0);
  place->below = fd[0];
  server_begin (&server, place, priority, has_key, fd[1]);
  far_loop_call (place->loop, client_begin, place);
  do
    rc = gnutls_handshake (server.session);
  while (rc < 0 && !gnutls_error_is_fatal (rc));
  help_wait (&place->shaken);
  far_loop_call (place->loop, client_end, place);
  server_end (&server);
  close (fd[1]);
  return place->good;
}

static const char *const priorities[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3" };

/* Anybody can show a certificate that was seen once. By the time that was told it has ended, by the system's
 * clock it has not: who has its key shows that what was told is wrong, and that no later time can be. */
START_TEST (a_server_without_its_key_moves_no_clock)
{
  const char *priority = priorities[_i / 2];
  gint64 late = far_clock_system_us () + 40 * DAY_US;
  gboolean has_key = _i % 2;
  Place place;

  set_up (&place);
  far_clock_set_told (late);
  ck_assert_int_eq (meet (&place, priority, has_key), has_key);
  ck_assert_int_eq (far_clock_wall_us () < late, has_key);
  ck_assert_int_eq (far_clock_may_be (late), !has_key);
  tear_down (&place);
}
END_TEST

/* A file at the place of one's own certificate that is of another fleet, or made by anybody. */
START_TEST (a_strangers_certificate_is_not_ones_own)
{
  const FixtureCert future = { .cn = "t1",
                               .from = 86400,
                               .until = 2 * 86400,
                               .purposes = { GNUTLS_KP_TLS_WWW_CLIENT } };
  char *other = fixture_dir ();
  gint64 now = far_clock_system_us ();
  g_autofree char *theirs = NULL, *ours = NULL, *path = NULL;
  Place place;

  set_up (&place);
  ck_assert (far_trust_ca_create (other, "other", NULL));
  theirs = fixture_cert (other, &future);
  ours = fixture_cert (place.dir, &future);
  path = g_build_filename (place.dir, "own.crt", NULL);
  for (guint i = 0; i < 2; i++) {
    FarTlsSpec spec = { .ca = place.ca,
                        .cert = path,
                        .key = path,
                        .cert_optional = TRUE,
                        .purpose = FAR_PURPOSE_NODE_SERVER };
    GError *error = NULL;

    ck_assert (g_file_set_contents (path, i == 0 ? theirs : ours, -1, NULL));
    far_tls_unref (far_tls_new (&spec, &error)); /* the fleet's is wanted, and its key is not there */
    ck_assert_int_eq (error != NULL, i == 1);
    g_clear_error (&error);
    ck_assert_int_eq (far_clock_wall_us () >= now + DAY_US - G_USEC_PER_SEC, i == 1);
    ck_assert_int_eq (far_clock_may_be (now + 200 * DAY_US), i == 0);
  }
  fixture_remove (other);
  tear_down (&place);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("tls-clock");
  TCase *tcase = tcase_create ("tls-clock");
  SRunner *runner = srunner_create (suite);
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_set_timeout (tcase, 60);
  tcase_add_loop_test (tcase, a_server_without_its_key_moves_no_clock, 0, 2 * G_N_ELEMENTS (priorities));
  tcase_add_test (tcase, a_strangers_certificate_is_not_ones_own);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
