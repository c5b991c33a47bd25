/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TLS with a peer that is not ours: what GnuTLS lets a client do, or plain bytes, against a server's stream
 * at an I/O thread. */
#include "unit/stream-help.h"
#include "unit/trust-fixture.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/tls.h>

#include "loop/loop-private.h"

#define AMOUNT 40000 /* a socket pair takes it at once */

typedef struct {
  char *dir;
  FarLoop *loop;
  FarTls *tls;
  int fd; /* the peer's */
  FarStream *stream;
  int below;
  gint shaken, failed; /* [any thread] */
  gint got;            /* bytes that the stream has shown */
  gint ended;          /* the end of input */
  char *error;
} Place;

static void
place_shaken (FarStream *stream, const GError *error, gpointer user)
{
  Place *place = user;

  place->error = error == NULL ? NULL : g_strdup (error->message);
  g_atomic_int_set (&place->failed, error != NULL);
  g_atomic_int_set (&place->shaken, 1);
}

static void
place_ready (FarStream *stream, guint ready, gpointer user)
{
  Place *place = user;
  FarBurst batch;

  if (stream->closed)
    return;
  for (guint turn = 0; turn < 16; turn++) {
    stream->klass->peek (stream, &batch);
    if (batch.eof)
      g_atomic_int_set (&place->ended, 1);
    if (batch.n == 0)
      return;
    stream->klass->consume (stream, batch.bytes);
    g_atomic_int_add (&place->got, (gint) batch.bytes);
  }
}

static void
place_begin (gpointer data)
{
  Place *place = data;

  place->stream = far_stream_tls_new (place->tls, far_stream_fd_new (place->loop, place->below), "192.0.2.1");
  far_tls_shake (place->stream, place_shaken, place);
  far_stream_take (place->stream, place_ready, place);
}

static Place *
place_make (void)
{
  Place *place = g_new0 (Place, 1);
  g_autofree char *crt = NULL, *key = NULL, *cert = NULL;
  const char *const names[] = { "localhost", NULL };
  FarTlsSpec spec = { .server = TRUE };
  int fd[2];

  place->dir = fixture_dir ();
  ck_assert (far_trust_ca_create (place->dir, "test", NULL));
  cert = fixture_node (place->dir, "cloud", names, TRUE);
  spec.cert = crt = g_build_filename (place->dir, "cloud", "node.crt", NULL);
  spec.key = key = g_build_filename (place->dir, "cloud", "node.key", NULL);
  ck_assert (g_file_set_contents (crt, cert, -1, NULL));
  place->tls = far_tls_new (&spec, NULL);
  ck_assert_ptr_nonnull (place->tls);
  place->loop = far_loop_io_new ("tls-peer");
  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, fd), 0);
  place->fd = fd[0];
  place->below = fd[1];
  far_loop_call (place->loop, place_begin, place);
  return place;
}

static void
place_end (gpointer data)
{
  Place *place = data;

  far_stream_take (place->stream, NULL, NULL);
  g_clear_pointer (&place->stream, far_stream_free);
}

static void
place_drop (Place *place)
{
  if (place->stream != NULL)
    far_loop_call (place->loop, place_end, place);
  if (place->fd >= 0)
    close (place->fd);
  far_loop_io_free (place->loop);
  far_tls_unref (place->tls);
  fixture_remove (place->dir);
  g_free (place->error);
  g_free (place);
}

/* ---- a client of GnuTLS alone ---- */

typedef struct {
  gnutls_session_t session;
  gnutls_certificate_credentials_t nobody;
} Peer;

static void
peer_begin (Peer *peer, Place *place, const char *priority)
{
  ck_assert_int_eq (gnutls_init (&peer->session, GNUTLS_CLIENT), 0);
  gnutls_certificate_allocate_credentials (&peer->nobody);
  gnutls_credentials_set (peer->session, GNUTLS_CRD_CERTIFICATE, peer->nobody);
  ck_assert_int_eq (gnutls_priority_set_direct (peer->session, priority, NULL), 0);
  gnutls_transport_set_int (peer->session, place->fd);
}

static void
peer_shake (Peer *peer, Place *place)
{
  int rc;

  do
    rc = gnutls_handshake (peer->session);
  while (rc < 0 && !gnutls_error_is_fatal (rc));
  ck_assert_msg (rc == 0, "%s", gnutls_strerror (rc));
  help_wait (&place->shaken);
  ck_assert_msg (!place->failed, "%s", place->error);
}

static void
peer_end (Peer *peer)
{
  gnutls_deinit (peer->session);
  gnutls_certificate_free_credentials (peer->nobody);
}

static const char *const priorities[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3" };

/* ---- what is sent ---- */

static guint8
nth (gsize i)
{
  return (guint8) (i ^ i >> 8);
}

static void
write_much (gpointer data)
{
  Place *place = data;
  g_autofree guint8 *bytes = g_malloc (AMOUNT);
  FarBurst batch = { .n = 2, .bytes = AMOUNT };

  for (gsize i = 0; i < AMOUNT; i++)
    bytes[i] = nth (i);
  batch.frames[0] = (FarFrame){ .data = bytes, .size = 100 };
  batch.frames[1] = (FarFrame){ .data = bytes + 100, .size = AMOUNT - 100 };
  ck_assert_uint_eq (place->stream->klass->write (place->stream, &batch), AMOUNT);
}

/* A peer with little room asks for small records (RFC 8449): what a call of GnuTLS does not take of a record
 * still goes out. */
START_TEST (small_records)
{
  Place *place = place_make ();
  Peer peer;
  guint8 part[4096];
  gsize n = 0;

  peer_begin (&peer, place, priorities[_i]);
  ck_assert_int_eq (gnutls_record_set_max_recv_size (peer.session, 600), 0);
  peer_shake (&peer, place);
  far_loop_call (place->loop, write_much, place);
  far_loop_call (place->loop, place_end, place);
  for (;;) {
    ssize_t got = gnutls_record_recv (peer.session, part, sizeof part);

    if (got < 0 && !gnutls_error_is_fatal ((int) got))
      continue;
    ck_assert_msg (got >= 0, "%s", gnutls_strerror ((int) got));
    if (got == 0)
      break;
    ck_assert_int_le (got, 600);
    for (ssize_t i = 0; i < got; i++, n++)
      ck_assert_uint_eq (part[i], nth (n));
  }
  ck_assert_uint_eq (n, AMOUNT);
  peer_end (&peer);
  place_drop (place);
}
END_TEST

static int
waits_at (const Place *place)
{
  int n = -1;

  ck_assert_int_eq (ioctl (place->fd, FIONREAD, &n), 0);
  return n;
}

static void
write_twice (gpointer data)
{
  Place *place = data;
  int before = waits_at (place);

  write_much (place);
  write_much (place);
  ck_assert_int_eq (waits_at (place), before);
  g_atomic_int_set (&place->got, before);
}

static void
write_little (gpointer data)
{
  Place *place = data;
  int before = waits_at (place);
  FarBurst batch = { .n = 1, .bytes = 4 };

  batch.frames[0] = (FarFrame){ .data = (const guint8 *) "ping", .size = 4 };
  ck_assert_uint_eq (place->stream->klass->write (place->stream, &batch), 4);
  ck_assert_int_gt (waits_at (place), before);
}

static void
write_twice_and_abort (gpointer data)
{
  Place *place = data;

  write_twice (place);
  place->stream->klass->abort (place->stream, "test");
}

/* What fills records waits for the end of the turn, so that one write takes all of it there is; what is short
 * goes at once; what waits goes nowhere when the stream is aborted, and goes out when it is left. */
START_TEST (whole_records_leave_together)
{
  Place *place = place_make ();
  Peer peer;

  peer_begin (&peer, place, priorities[1]);
  peer_shake (&peer, place);
  if (_i == 0) {
    far_loop_call (place->loop, write_little, place);
    far_loop_call (place->loop, write_twice, place);
    help_settle (place->loop);
    help_settle (place->loop);
    ck_assert_int_gt (waits_at (place), place->got + 2 * AMOUNT);
  } else if (_i == 1) {
    far_loop_call (place->loop, write_twice_and_abort, place);
    help_settle (place->loop);
    ck_assert_int_le (waits_at (place), place->got);
  } else {
    far_loop_call (place->loop, write_much, place);
    far_loop_call (place->loop, place_end, place);
    ck_assert_int_gt (waits_at (place), AMOUNT);
  }
  peer_end (&peer);
  place_drop (place);
}
END_TEST

static ssize_t
keep_hello (gnutls_transport_ptr_t data, const void *bytes, size_t size)
{
  g_byte_array_append (data, bytes, (guint) size);
  return (ssize_t) size;
}

static ssize_t
nothing_came (gnutls_transport_ptr_t data, void *bytes, size_t size)
{
  errno = EAGAIN;
  return -1;
}

static int
is_there (gnutls_transport_ptr_t data, unsigned ms)
{
  return 1;
}

static GByteArray *
hello_make (void)
{
  GByteArray *hello = g_byte_array_new ();
  gnutls_certificate_credentials_t nobody;
  gnutls_session_t session;

  ck_assert_int_eq (gnutls_init (&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
  gnutls_certificate_allocate_credentials (&nobody);
  gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, nobody);
  ck_assert_int_eq (gnutls_priority_set_direct (session, priorities[1], NULL), 0);
  gnutls_transport_set_ptr (session, hello);
  gnutls_transport_set_push_function (session, keep_hello);
  gnutls_transport_set_pull_function (session, nothing_came);
  gnutls_transport_set_pull_timeout_function (session, is_there);
  gnutls_handshake (session);
  gnutls_deinit (session);
  gnutls_certificate_free_credentials (nobody);
  return hello;
}

static void
fill_and_linger (gpointer data)
{
  Place *place = data;
  FarStream *stream = g_steal_pointer (&place->stream);
  static const guint8 bytes[65536];
  FarBurst batch = { .n = 1, .bytes = sizeof bytes };

  batch.frames[0] = (FarFrame){ .data = bytes, .size = sizeof bytes };
  while (stream->klass->write (stream, &batch) > 0)
    continue;
  far_stream_take (stream, NULL, NULL);
  far_stream_linger (stream, NULL, 1000, NULL);
}

/* Records that wait below a stream that is let go do not keep its descriptor. */
START_TEST (nobody_reads)
{
  Place *place = place_make ();
  struct pollfd one = { .fd = place->fd };
  Peer peer;

  peer_begin (&peer, place, priorities[_i]);
  peer_shake (&peer, place);
  far_loop_call (place->loop, fill_and_linger, place);
  ck_assert (far_clock_advance (SECONDS (2)));
  for (guint i = 0; i < 4; i++)
    help_settle (place->loop);
  ck_assert_int_eq (poll (&one, 1, 0), 1);
  ck_assert_int_ne (one.revents & POLLHUP, 0);
  peer_end (&peer);
  place_drop (place);
}
END_TEST

#define RECORD 16384
#define PADDING 45000

static void
put_be (guint8 *at, gsize value, guint bytes)
{
  for (guint i = 0; i < bytes; i++)
    at[i] = (guint8) (value >> 8 * (bytes - 1 - i));
}

static gsize
get_be (const guint8 *at, guint bytes)
{
  gsize value = 0;

  for (guint i = 0; i < bytes; i++)
    value = value << 8 | at[i];
  return value;
}

/* The same hello with a long padding at its end (RFC 7685), in records of the largest size. */
static GByteArray *
hello_pad (const GByteArray *hello)
{
  GByteArray *message = g_byte_array_new (), *wire = g_byte_array_new ();
  guint8 padding[4] = { 0, 21 }, head[5] = { 22, 3, 1 };
  gsize list;

  g_byte_array_append (message, hello->data + 5, hello->len - 5);
  list = 4 + 2 + 32;
  list += 1 + message->data[list];
  list += 2 + get_be (message->data + list, 2);
  list += 1 + message->data[list]; /* where the length of all extensions stands */
  put_be (padding + 2, PADDING, 2);
  g_byte_array_append (message, padding, sizeof padding);
  g_byte_array_set_size (message, message->len + PADDING);
  memset (message->data + message->len - PADDING, 0, PADDING);
  put_be (message->data + 1, message->len - 4, 3);
  put_be (message->data + list, message->len - list - 2, 2);
  for (gsize at = 0; at < message->len; at += RECORD) {
    gsize n = MIN (RECORD, message->len - at);

    put_be (head + 3, n, 2);
    g_byte_array_append (wire, head, sizeof head);
    g_byte_array_append (wire, message->data + at, (guint) n);
  }
  g_byte_array_unref (message);
  return wire;
}

static gpointer
send_for_ever (gpointer data)
{
  Place *place = data;
  g_autofree guint8 *junk = g_malloc0 (RECORD);

  put_be (junk, 0x170303, 3);
  put_be (junk + 3, RECORD - 5, 2);
  while (send (place->fd, junk, RECORD, MSG_NOSIGNAL) > 0)
    continue;
  return NULL;
}

/* A handshake takes so many bytes and no more; whoever sends on does not keep its thread. */
START_TEST (endless_handshake)
{
  Place *place = place_make ();
  g_autoptr (GByteArray) hello = hello_make (), long_one = hello_pad (hello);
  GThread *sender;

  ck_assert_int_eq (send (place->fd, long_one->data, long_one->len, 0), (gssize) long_one->len);
  sender = g_thread_new ("sender", send_for_ever, place);
  help_wait (&place->shaken);
  ck_assert (place->failed);
  ck_assert_msg (strcmp (place->error, "TLS: too many bytes in the handshake (the limit is 48 KiB)") == 0,
                 "%s", place->error);
  g_thread_join (sender);
  place_drop (place);
}
END_TEST

/* ---- the handshakes of a listener ---- */

typedef struct {
  FarLoop *loop;
  FarTlsAccept *accept;
  gint held, done;
  gboolean came;
  const char *cause;
} Arrival;

static void
arrival_done (FarStream *stream, const char *cause, gpointer data)
{
  Arrival *arrival = data;

  arrival->came = stream != NULL;
  arrival->cause = cause;
  far_stream_free (stream);
  g_atomic_int_set (&arrival->done, 1);
}

/* Holds its loop until the good end of the handshake waits there. */
static void
cancel_behind_its_back (gpointer data)
{
  Arrival *arrival = data;

  g_atomic_int_set (&arrival->held, 1);
  for (gint64 end = g_get_monotonic_time () + SECONDS (20);
       !far_loop_has_posts (arrival->loop) && g_get_monotonic_time () < end;)
    g_thread_yield ();
  far_tls_accept_cancel (arrival->accept, "others wait");
}

/* Who is cancelled (evicted) does not come in, even if its handshake is over. */
START_TEST (cancelled_at_the_last_moment)
{
  static const FarTlsAcceptFuncs funcs = { NULL, arrival_done };
  Place *place = place_make ();
  Arrival arrival = { .loop = place->loop };
  Peer peer;
  int fd[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM, 0, fd), 0);
  arrival.accept = far_tls_accept (place->tls, place->loop, fd[1], "192.0.2.1", &funcs, &arrival);
  far_loop_post (place->loop, cancel_behind_its_back, &arrival);
  help_wait (&arrival.held);
  peer_begin (&peer, place, priorities[0]);
  gnutls_transport_set_int (peer.session, fd[0]);
  ck_assert_int_eq (gnutls_handshake (peer.session), 0);
  help_wait (&arrival.done);
  ck_assert (!arrival.came);
  ck_assert_str_eq (arrival.cause, "others wait");
  peer_end (&peer);
  close (fd[0]);
  place_drop (place);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("tls-peer");
  TCase *tcase = tcase_create ("tls-peer");
  SRunner *runner = srunner_create (suite);
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_set_timeout (tcase, 60);
  tcase_add_loop_test (tcase, small_records, 0, G_N_ELEMENTS (priorities));
  tcase_add_loop_test (tcase, whole_records_leave_together, 0, 3);
  tcase_add_loop_test (tcase, nobody_reads, 0, G_N_ELEMENTS (priorities));
  tcase_add_test (tcase, endless_handshake);
  tcase_add_test (tcase, cancelled_at_the_last_moment);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
