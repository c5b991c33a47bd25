/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TLS: who is let in, what is resumed, what a change of the files and a day do. Both sides are ours, over a
 * socket pair at one I/O thread. */
#include "unit/stream-help.h"
#include "unit/trust-fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/tls.h>

typedef struct {
  char *dir, *ca;
  FarLoop *loop;
} Place;

/* What one side knows when its handshake is over. */
typedef struct {
  FarLoop *loop;
  FarTls *tls;
  int fd;
  FarStream *stream;
  gint over;
  char *error, *peer;
  gboolean resumed, refused;
  guint8 export[16];
  gint bytes;
} Side;

static char *
file_of (const Place *place, const char *node, const char *name)
{
  return g_build_filename (place->dir, node, name, NULL);
}

static void
node_make (const Place *place, const char *node, gboolean server)
{
  const char *const names[] = { "localhost", NULL };
  g_autofree char *cert = fixture_node (place->dir, node, server ? names : NULL, server),
                  *path = file_of (place, node, "node.crt");

  ck_assert (g_file_set_contents (path, cert, -1, NULL));
}

static Place
place_make (void)
{
  Place place = { .dir = fixture_dir (), .loop = far_loop_io_new ("tls-test") };

  ck_assert (far_trust_ca_create (place.dir, "test", NULL));
  place.ca = g_build_filename (place.dir, "ca.crt", NULL);
  node_make (&place, "cloud", TRUE);
  node_make (&place, "t1", FALSE);
  far_trust_revoked_set (NULL);
  return place;
}

static void
place_drop (Place *place)
{
  far_loop_io_free (place->loop);
  fixture_remove (place->dir);
  g_free (place->ca);
}

static FarTls *
settings (const Place *place, gboolean server, const char *node, const char *name)
{
  g_autofree char *cert = node == NULL ? NULL : file_of (place, node, "node.crt"),
                  *key = node == NULL ? NULL : file_of (place, node, "node.key");
  const FarTlsSpec spec = { .server = server,
                            .cert = cert,
                            .key = key,
                            .ca = place->ca,
                            .name = name,
                            .purpose = server ? FAR_PURPOSE_NODE_CLIENT : FAR_PURPOSE_NODE_SERVER,
                            .alpn = "http/1.1" };
  g_autoptr (GError) error = NULL;
  FarTls *tls = far_tls_new (&spec, &error);

  ck_assert_msg (tls != NULL, "%s", error != NULL ? error->message : "");
  return tls;
}

static void
side_shaken (FarStream *stream, const GError *error, gpointer user)
{
  Side *side = user;

  side->error = error == NULL ? NULL : g_strdup (error->message);
  side->peer = g_strdup (far_tls_peer (stream));
  side->resumed = error == NULL && far_tls_resumed (stream);
  if (error == NULL)
    far_tls_export (stream, "EXPORTER-test", side->export, sizeof side->export);
  g_atomic_int_set (&side->over, 1);
}

static void
side_begin (gpointer data)
{
  Side *side = data;

  side->stream = far_stream_tls_new (side->tls, far_stream_fd_new (side->loop, side->fd), "192.0.2.1");
  far_tls_shake (side->stream, side_shaken, side);
}

static void
side_read (FarStream *stream, guint ready, gpointer user)
{
  Side *side = user;
  FarBurst batch;

  if (stream->closed) {
    if (side->error == NULL)
      side->error = g_strdup (stream->cause);
    side->refused = far_tls_refused (stream);
    g_atomic_int_set (&side->bytes, -1);
    return;
  }
  stream->klass->peek (stream, &batch);
  if (batch.n == 0)
    return;
  g_atomic_int_add (&side->bytes, (gint) batch.bytes);
  stream->klass->consume (stream, batch.bytes);
}

static void
side_take (gpointer data)
{
  Side *side = data;

  far_stream_take (side->stream, side_read, side);
}

static void
side_say (gpointer data)
{
  Side *side = data;
  FarBurst batch = { .n = 1, .bytes = 5 };

  batch.frames[0] = (FarFrame){ .data = (const guint8 *) "hello", .size = 5 };
  ck_assert_uint_eq (side->stream->klass->write (side->stream, &batch), 5);
}

static void
side_end (gpointer data)
{
  Side *side = data;

  far_stream_take (side->stream, NULL, NULL);
  g_clear_pointer (&side->stream, far_stream_free);
}

static void
side_clear (Side *side)
{
  g_free (side->error);
  g_free (side->peer);
}

typedef struct {
  Side server, client;
} Meeting;

/* The server says something, so that the client has its ticket and hears whether it was let in. */
static void
meet (const Place *place, Meeting *meeting, FarTls *server, FarTls *client)
{
  int fd[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, fd), 0);
  *meeting = (Meeting){ .server = { .loop = place->loop, .tls = server, .fd = fd[0] },
                        .client = { .loop = place->loop, .tls = client, .fd = fd[1] } };
}

static void
shake_both (Meeting *meeting)
{
  far_loop_call (meeting->server.loop, side_begin, &meeting->server);
  far_loop_call (meeting->client.loop, side_begin, &meeting->client);
  help_wait (&meeting->server.over);
  help_wait (&meeting->client.over);
}

static void
talk (Meeting *meeting)
{
  far_loop_call (meeting->client.loop, side_take, &meeting->client);
  if (meeting->server.error == NULL)
    far_loop_call (meeting->server.loop, side_say, &meeting->server);
  help_wait (&meeting->client.bytes);
}

static void
part (Meeting *meeting)
{
  far_loop_call (meeting->client.loop, side_end, &meeting->client);
  far_loop_call (meeting->server.loop, side_end, &meeting->server);
  side_clear (&meeting->client);
  side_clear (&meeting->server);
}

START_TEST (both_know_each_other)
{
  Place place = place_make ();
  FarTls *server = settings (&place, TRUE, "cloud", NULL),
         *client = settings (&place, FALSE, "t1", "localhost");
  Meeting meeting;

  meet (&place, &meeting, server, client);
  shake_both (&meeting);
  ck_assert_ptr_null (meeting.server.error);
  ck_assert_ptr_null (meeting.client.error);
  ck_assert_str_eq (meeting.server.peer, "t1");
  ck_assert_str_eq (meeting.client.peer, "cloud");
  ck_assert_mem_eq (meeting.server.export, meeting.client.export, sizeof meeting.server.export);
  ck_assert (!meeting.client.resumed);
  talk (&meeting);
  ck_assert_int_eq (meeting.client.bytes, 5);
  part (&meeting);
  far_tls_unref (server);
  far_tls_unref (client);
  place_drop (&place);
}
END_TEST

/* The second connection is resumed and its chain judged again; a day later the ticket's key is gone. */
START_TEST (resumed_for_a_day)
{
  Place place = place_make ();
  FarTls *server = settings (&place, TRUE, "cloud", NULL),
         *client = settings (&place, FALSE, "t1", "localhost");
  const gboolean wanted[] = { FALSE, TRUE, TRUE, FALSE, TRUE };

  for (guint i = 0; i < G_N_ELEMENTS (wanted); i++) {
    Meeting meeting;
    gboolean changed = TRUE;

    if (i == 3)
      ck_assert (far_clock_advance (25 * 3600 * (gint64) G_USEC_PER_SEC));
    ck_assert (far_tls_refresh (server, &changed, NULL) && !changed);
    meet (&place, &meeting, server, client);
    shake_both (&meeting);
    ck_assert_msg (meeting.server.error == NULL, "%u: %s", i, meeting.server.error);
    ck_assert_int_eq (meeting.server.resumed, wanted[i]);
    ck_assert_str_eq (meeting.server.peer, "t1");
    talk (&meeting);
    part (&meeting);
  }
  far_tls_unref (server);
  far_tls_unref (client);
  place_drop (&place);
}
END_TEST

START_TEST (revoked_is_not_resumed)
{
  Place place = place_make ();
  FarTls *server = settings (&place, TRUE, "cloud", NULL),
         *client = settings (&place, FALSE, "t1", "localhost");
  Meeting first, second;

  meet (&place, &first, server, client);
  shake_both (&first);
  talk (&first);
  part (&first);
  far_trust_revoked_add ("node:t1");
  meet (&place, &second, server, client);
  shake_both (&second);
  ck_assert_ptr_nonnull (strstr (second.server.error, "revoked"));
  talk (&second);
  ck_assert_int_eq (second.client.bytes, -1);
  ck_assert_str_eq (second.client.error, "the other side refuses this node's certificate: it is revoked");
  ck_assert (second.client.refused);
  part (&second);
  far_trust_revoked_set (NULL);
  far_tls_unref (server);
  far_tls_unref (client);
  place_drop (&place);
}
END_TEST

START_TEST (who_is_refused)
{
  Place place = place_make (), other = place_make ();
  static const struct {
    const char *server, *name, *why;
    gboolean foreign;
  } rows[] = {
    { "cloud", "elsewhere.example", "certificate is not for 'elsewhere.example'", FALSE },
    { "t1", NULL, "certificate is not for a TLS server", FALSE },
    { "cloud", "localhost", "certificate is not from this fleet's authority", TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    FarTls *server = settings (rows[i].foreign ? &other : &place, TRUE, rows[i].server, NULL),
           *client = settings (&place, FALSE, "t1", rows[i].name);
    Meeting meeting;

    meet (&place, &meeting, server, client);
    shake_both (&meeting);
    ck_assert_msg (g_str_has_prefix (meeting.client.error, rows[i].why), "%s", meeting.client.error);
    ck_assert_ptr_nonnull (meeting.server.error);
    part (&meeting);
    far_tls_unref (server);
    far_tls_unref (client);
  }
  place_drop (&place);
  place_drop (&other);
}
END_TEST

/* New files are taken, bad ones are not; who is in stays. */
START_TEST (files_change)
{
  Place place = place_make ();
  FarTls *server = settings (&place, TRUE, "cloud", NULL),
         *client = settings (&place, FALSE, "t1", "localhost");
  g_autofree char *cert = file_of (&place, "cloud", "node.crt");
  g_autoptr (GError) error = NULL;
  Meeting before, after;
  gboolean changed;

  meet (&place, &before, server, client);
  shake_both (&before);
  ck_assert (g_file_set_contents (cert, "nonsense", -1, NULL));
  ck_assert (!far_tls_refresh (server, &changed, &error) && changed);
  ck_assert_ptr_nonnull (strstr (error->message, "node.crt"));
  ck_assert (far_tls_refresh (server, &changed, NULL) && !changed); /* told once */
  g_unlink (cert);
  node_make (&place, "cloud", TRUE);
  ck_assert (far_tls_refresh (server, &changed, NULL) && changed);
  meet (&place, &after, server, client);
  shake_both (&after);
  ck_assert_ptr_null (after.server.error);
  ck_assert (!after.server.resumed);
  talk (&before);
  ck_assert_int_eq (before.client.bytes, 5);
  part (&before);
  part (&after);
  far_tls_unref (server);
  far_tls_unref (client);
  place_drop (&place);
}
END_TEST

START_TEST (missing_and_wrong_files)
{
  Place place = place_make ();
  g_autofree char *cert = file_of (&place, "cloud", "node.crt"), *key = file_of (&place, "t1", "node.key"),
                  *none = file_of (&place, "t9", "node.crt");
  const FarTlsSpec mixed = { .server = TRUE, .cert = cert, .key = key },
                   missing = { .server = TRUE, .cert = none, .key = key };
  const FarTlsSpec without = { .cert = none,
                               .key = key,
                               .cert_optional = TRUE,
                               .ca = place.ca,
                               .name = "localhost",
                               .purpose = FAR_PURPOSE_NODE_SERVER };
  g_autoptr (GError) one = NULL, two = NULL;
  FarTls *server = settings (&place, TRUE, "cloud", NULL), *client = far_tls_new (&without, NULL);
  Meeting meeting;

  ck_assert_ptr_null (far_tls_new (&mixed, &one));
  ck_assert_ptr_nonnull (strstr (one->message, "does not belong to the certificate"));
  ck_assert_ptr_null (far_tls_new (&missing, &two));
  ck_assert_int_eq (two->code, FAR_ERROR_UNAVAILABLE);
  ck_assert_ptr_nonnull (client);
  meet (&place, &meeting, server, client);
  shake_both (&meeting);
  ck_assert_ptr_null (meeting.server.error);
  ck_assert_ptr_null (meeting.server.peer);
  part (&meeting);
  far_tls_unref (server);
  far_tls_unref (client);
  place_drop (&place);
}
END_TEST

/* A node that has enrolled meanwhile is known by its certificate, although its connection from before ends
 * later. */
START_TEST (a_new_certificate_is_not_forgotten)
{
  Place place = place_make ();
  g_autofree char *cert = file_of (&place, "t1", "node.crt"), *key = file_of (&place, "t1", "node.key");
  const FarTlsSpec spec = { .cert = cert,
                            .key = key,
                            .cert_optional = TRUE,
                            .ca = place.ca,
                            .name = "localhost",
                            .purpose = FAR_PURPOSE_NODE_SERVER,
                            .alpn = "http/1.1" };
  FarTls *server = settings (&place, TRUE, "cloud", NULL), *client;
  Meeting before, after;
  gboolean changed = FALSE;

  g_unlink (cert);
  client = far_tls_new (&spec, NULL);
  ck_assert_ptr_nonnull (client);
  meet (&place, &before, server, client);
  shake_both (&before);
  ck_assert_ptr_null (before.server.peer);
  talk (&before);
  node_make (&place, "t1", FALSE);
  ck_assert (far_tls_refresh (client, &changed, NULL) && changed);
  part (&before);
  meet (&place, &after, server, client);
  shake_both (&after);
  ck_assert (!after.server.resumed);
  ck_assert_str_eq (after.server.peer, "t1");
  talk (&after);
  part (&after);
  far_tls_unref (server);
  far_tls_unref (client);
  place_drop (&place);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("tls");
  TCase *tcase = tcase_create ("tls");
  SRunner *runner = srunner_create (suite);
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, both_know_each_other);
  tcase_add_test (tcase, resumed_for_a_day);
  tcase_add_test (tcase, revoked_is_not_resumed);
  tcase_add_test (tcase, who_is_refused);
  tcase_add_test (tcase, files_change);
  tcase_add_test (tcase, missing_and_wrong_files);
  tcase_add_test (tcase, a_new_certificate_is_not_forgotten);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
