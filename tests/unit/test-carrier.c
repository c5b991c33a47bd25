/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The carriers there are, each by the same properties (carrier-conform.h), and what the direct one over TLS
 * must refuse beside. */
#include "unit/carrier-conform.h"

#include <farwatch/event.h>
#include <farwatch/trust.h>

#include <farwatch/tls.h>

#include <jansson.h>

#include "trust/trust-revoked.h"

static char *keys, *tls_lines;

/* One node with both ends: its certificate is for a server too. */
static void
certify (const char *ca, const char *node)
{
  static const char *const names[] = { "t1", NULL };
  g_autofree char *csr = far_trust_csr (keys, node, NULL),
                  *cert = far_trust_sign (ca, csr, node, names, TRUE, 30, NULL);
  ck_assert_ptr_nonnull (cert);
  write_file (keys, "node.crt", cert, -1);
}

static void
set_up (void)
{
  g_autofree char *ca = g_build_filename ((keys = make_folder ()), "ca", NULL), *text = NULL,
                  *path = g_build_filename (ca, "ca.crt", NULL);
  ck_assert (far_trust_keys_create (keys, NULL));
  ck_assert (far_trust_ca_create (ca, "example", NULL));
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  write_file (keys, "ca.crt", text, -1);
  certify (ca, "t1");
  tls_lines = g_strdup_printf ("authenticators:\n  wax: {type: wax, tokens: " CONFORM_TOKENS "}\n"
                               "transports:\n"
                               "  d: {type: tls, listen: '127.0.0.1:0', login: [wax], connections: 50,\n"
                               "      cert: %1$s/node.crt, key: %1$s/node.key, ca: %1$s/ca.crt}\n"
                               "  c: {type: tls, connections: 50,\n"
                               "      cert: %1$s/node.crt, key: %1$s/node.key, ca: %1$s/ca.crt}\n",
                               keys);
}

static void
tear_down (void)
{
  g_free (tls_lines);
  remove_folder (keys);
  g_clear_pointer (&keys, g_free);
}

#define SSH_LINES                                                                                            \
  "authenticators:\n  wax: {type: wax, tokens: " CONFORM_TOKENS "}\n"                                        \
  "transports:\n  z: {type: ssh, listen: '127.0.0.1:0', login: [wax], connections: 50}\n"                    \
  "  t: {type: ssh, connections: 50}\n"

static const CarrierConform by_ssh = { "z", "t", SSH_LINES, "connections: 50", "connections: 60" };

#define MEMORY_LINES                                                                                         \
  "authenticators:\n  wax: {type: wax, tokens: " CONFORM_TOKENS "}\n"                                        \
  "transports:\n  a: {type: carrier-memory, login: [wax], connections: 50}\n"                                \
  "  o: {type: carrier-memory, connections: 50}\n"

static const CarrierConform by_memory = { "a", "o", MEMORY_LINES, "connections: 50", "connections: 60" };

static CarrierConform
by_tls (void)
{
  return (CarrierConform){ "d", "c", tls_lines, "connections: 50", "connections: 60" };
}

START_TEST (ssh_is_as_all_kinds_are)
{
  carrier_conform (&by_ssh, _i);
}
END_TEST

START_TEST (memory_is_as_all_kinds_are)
{
  carrier_conform (&by_memory, _i);
}
END_TEST

START_TEST (tls_is_as_all_kinds_are)
{
  const CarrierConform with = by_tls ();
  carrier_conform (&with, _i);
}
END_TEST

typedef struct {
  guint raised, over;
  char *text;
} Strangers;

static Strangers strangers;

static void
stranger_told (const FarEvent *event, gpointer user)
{
  strangers.raised += !event->recovered && event->severity == FAR_SEVERITY_WARNING;
  strangers.over += event->recovered;
  if (!event->recovered && !strangers.text)
    strangers.text = g_strdup (event->text);
}

/* A listener waits for the hello as long as for any: a check of a login that takes longer finds the way gone.
 * The token was not shown, and the same one opens the next. */
START_TEST (prepared_for_too_long)
{
  const CarrierConform with = by_tls ();
  Conform c;
  Answer answer = { 0 };
  conform_begin (&c, &with);
  conform_reserve (&c, "s1");
  g_autoptr (FarRequest) req = conform_prepare (&c, &answer);
  for (guint i = 0; i < 500; i++) {
    settle_workers ();
    run_pending ();
  }
  far_clock_advance (SECONDS (11));
  answer_wait (&answer);
  ck_assert (g_error_matches (answer.error, FAR_ERROR, FAR_ERROR_UNAVAILABLE));
  g_clear_error (&answer.error);
  conform_ends (&c.terminal, "given up");
  side_clear (&c.terminal);
  c.terminal.device = &c.device;
  conform_open (&c, "word-1");
  conform_finish (&c);
}
END_TEST

/* The server that answers must be the node of the offer, by the key of the offer; the token is not shown to
 * another, so it is as if nobody were there. People hear who was found, and when that is over. */
START_TEST (another_server)
{
  static const struct {
    const char *field, *value;
  } lies[] = {
    { "node", "t2" },
    { "fingerprint", "sha256:0000000000000000000000000000000000000000000000000000000000000000" },
  };
  const CarrierConform with = by_tls ();
  Conform c;
  conform_begin (&c, &with);
  conform_reserve (&c, "s1");
  json_t *part = json_copy (c.tunnel->part);
  json_object_set_new (part, lies[_i].field, json_string (lies[_i].value));
  guint listener = far_event_listen (NULL, stranger_told, NULL);
  strangers = (Strangers){ 0 };
  g_autoptr (GError) error = conform_open_as (&c, "s1", "word-1", part);
  ck_assert_msg (g_error_matches (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE), "%s", error->message);
  json_decref (part);
  ck_assert_uint_eq (strangers.raised, _i); /* by the key of the offer it is nobody else */
  for (guint i = 0; i < 2 * strangers.raised; i++)
    ck_assert_ptr_nonnull (
        strstr (strangers.text, i == 0
                                    ? lies[_i].value
                                    : json_string_value (json_object_get (c.tunnel->part, "fingerprint"))));
  conform_open (&c, "word-1");
  ck_assert_uint_eq (strangers.over, strangers.raised);
  far_event_unlisten (listener);
  conform_finish (&c);
  g_free (strangers.text);
}
END_TEST

/* It has no ports. */
START_TEST (no_ports)
{
  const CarrierConform with = by_tls ();
  Conform c;
  Answer answer = { 0 };
  conform_begin (&c, &with);
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_PORTS,
                          .person_address = "127.0.0.1",
                          .length_us = SECONDS (600) };
  c.cloud.carrier = far_carrier_reserve ("d", &spec, &side_funcs, &c.cloud,
                                         far_request_new (answered, &answer, 0));
  answer_wait (&answer);
  ck_assert (g_error_matches (answer.error, FAR_ERROR, FAR_ERROR_INVALID));
  g_error_free (answer.error);
  conform_finish (&c);
}
END_TEST

/* A tunnel end cuts who does not log in, also who waits for a word from here: that is heard at once, and the
 * token can be shown by another way. */
START_TEST (held_too_long)
{
  Conform c;
  Answer answer = { 0 };
  conform_begin (&c, &by_ssh);
  conform_reserve (&c, "s1");
  g_autoptr (FarRequest) req G_GNUC_UNUSED = conform_prepare (&c, &answer);
  for (guint i = 0; i < 500; i++) {
    settle_workers ();
    run_pending ();
  }
  far_clock_advance (SECONDS (FAR_GATE_SECONDS + 1));
  answer_wait (&answer);
  ck_assert_msg (g_error_matches (answer.error, FAR_ERROR, FAR_ERROR_UNAVAILABLE), "%s",
                 answer.error != NULL ? answer.error->message : "it was let in");
  g_clear_error (&answer.error);
  conform_open (&c, "word-1");
  conform_finish (&c);
}
END_TEST

/* A service that has no use for a session whose link was lost. */
static void
gives_up (const FarCarrierEvent *event, gpointer user)
{
  Side *side = user;
  side_hears (event, side);
  if (event->kind == FAR_CARRIER_LOST)
    far_carrier_end (side->carrier, "given up");
}

static const FarCarrierFuncs gives_up_funcs = { .event = gives_up };

/* A new link comes in the place of one that stands: the session ends inside of LOST, and the new link finds
 * none. What the terminal says by it afterwards is told to nobody. */
START_TEST (replaced_and_given_up)
{
  const CarrierConform with = by_tls ();
  Answer answer = { 0 };
  Conform c;
  conform_begin (&c, &with);
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_STREAM,
                          .length_us = SECONDS (9) };
  c.cloud.carrier = far_carrier_reserve ("d", &spec, &gives_up_funcs, &c.cloud,
                                         far_request_new (answered, &answer, 0));
  answer_wait (&answer);
  c.tunnel = answer.result;
  conform_open (&c, "word-1");
  g_autoptr (GError) error = conform_open_as (&c, "s1", "word-2", c.tunnel->part);
  ck_assert_ptr_nonnull (error);
  help_wait (&c.cloud.ended);
  ck_assert_str_eq (c.cloud.said->str, "up lost ended ");
  conform_ends (&c.terminal, "over");
  settle_workers ();
  run_pending ();
  conform_finish (&c);
}
END_TEST

/* The terminal cannot make ready for another link, as its certificate is just not there; by the link that
 * stands people still come in. */
START_TEST (not_ready_again)
{
  const CarrierConform with = by_tls ();
  Conform c;
  conform_begin (&c, &with);
  conform_reserve (&c, "s1");
  conform_open (&c, "word-1");
  g_autofree char *cert = g_build_filename (keys, "node.crt", NULL),
                  *away = g_build_filename (keys, "away.crt", NULL);
  ck_assert_int_eq (rename (cert, away), 0);
  json_t *part = json_copy (c.tunnel->part);
  json_object_set_new (part, "node", json_string ("t2"));
  g_autoptr (GError) error = conform_open_as (&c, "s1", "word-2", part);
  ck_assert_ptr_nonnull (error);
  json_object_set_new (part, "address", json_string ("nowhere"));
  g_autoptr (GError) other = conform_open_as (&c, "s1", "word-2", part);
  ck_assert_ptr_nonnull (other);
  json_decref (part);
  int person = conform_person (&c);
  ck_assert (person_hears_echo (person, "by the link that stands"));
  close (person);
  ck_assert_int_eq (rename (away, cert), 0);
  conform_finish (&c);
}
END_TEST

/* A renewal that is half done: the file has another certificate than the listener shows. */
START_TEST (fingerprint_in_use)
{
  const CarrierConform with = by_tls ();
  Conform c;
  conform_begin (&c, &with);
  conform_reserve (&c, "s1");
  g_autofree char *shown = g_strdup (json_string_value (json_object_get (c.tunnel->part, "fingerprint"))),
                  *mine = keys, *ca = g_build_filename (mine, "ca", NULL), *pem = NULL, *path = NULL;
  conform_ends (&c.cloud, "closed");
  side_clear (&c.cloud);
  keys = make_folder ();
  ck_assert (far_trust_keys_create (keys, NULL));
  certify (ca, "t1");
  path = g_build_filename (keys, "node.crt", NULL);
  ck_assert (g_file_get_contents (path, &pem, NULL, NULL));
  remove_folder (keys);
  g_free (keys);
  keys = g_steal_pointer (&mine);
  write_file (keys, "node.crt", pem, -1);
  conform_reserve (&c, "s2");
  ck_assert_str_eq (json_string_value (json_object_get (c.tunnel->part, "fingerprint")), shown);
  conform_finish (&c);
}
END_TEST

/* A terminal that says what it likes. All at its loop but the counters. */
typedef struct {
  FarLoop *loop;
  FarTls *tls;
  int fd;
  FarStream *stream;
  GByteArray *words, *flood;
  gint taken, gone;
} Talker;

static void
talker_ready (FarStream *stream, guint ready, gpointer user)
{
  Talker *talker = user;
  FarBurst burst;
  if ((ready & FAR_READY_CLOSED) != 0) {
    g_atomic_int_set (&talker->gone, 1);
    return;
  }
  stream->klass->peek (stream, &burst);
  if (burst.n > 0)
    stream->klass->consume (stream, burst.bytes);
  else if (burst.eof)
    g_atomic_int_set (&talker->gone, 1);
  for (gsize n = 1; n > 0 && (gsize) talker->taken < talker->words->len;) {
    gsize at = (gsize) talker->taken, size = MIN (talker->words->len - at, 16384);
    burst = (FarBurst){ .n = 1, .bytes = size };
    burst.frames[0] = (FarFrame){ .data = talker->words->data + at, .size = size };
    n = stream->klass->write (stream, &burst);
    g_atomic_int_add (&talker->taken, (gint) n);
  }
}

static void
talker_begin (gpointer data)
{
  Talker *talker = data;
  talker->stream = far_stream_tls_new (talker->tls, far_stream_fd_new (talker->loop, talker->fd), "there");
  far_stream_take (talker->stream, talker_ready, talker);
  talker_ready (talker->stream, FAR_READY_WRITE, talker);
}

/* At its loop, as the words are read there. */
static void
talker_more (gpointer data)
{
  Talker *talker = data;
  g_byte_array_append (talker->words, talker->flood->data, talker->flood->len);
  talker_ready (talker->stream, FAR_READY_WRITE, talker);
}

static void
talker_end (gpointer data)
{
  far_stream_free (((Talker *) data)->stream);
}

static void
word_add (GByteArray *words, json_t *word /* takes */)
{
  g_autofree char *text = json_dumps (word, JSON_COMPACT);
  const guint8 head[2] = { (guint8) (strlen (text) >> 8), (guint8) strlen (text) };
  g_byte_array_append (words, head, 2);
  g_byte_array_append (words, (const guint8 *) text, (guint) strlen (text));
  json_decref (word);
}

static void
talker_start (Talker *talker, Conform *c)
{
  g_autofree char *cert = g_build_filename (keys, "node.crt", NULL),
                  *key = g_build_filename (keys, "node.key", NULL),
                  *ca = g_build_filename (keys, "ca.crt", NULL), *host = NULL;
  const FarTlsSpec spec = { .cert = cert,
                            .key = key,
                            .ca = ca,
                            .purpose = FAR_PURPOSE_NODE_SERVER,
                            .name = "t1" };
  guint16 port = 0;
  ck_assert (far_parse_address (json_string_value (json_object_get (c->tunnel->part, "address")), &host,
                                &port, NULL));
  *talker = (Talker){ .loop = far_loop_pick (),
                      .tls = far_tls_new (&spec, NULL),
                      .fd = person_dials (port, NULL),
                      .words = g_byte_array_new () };
  word_add (talker->words, json_pack ("{s:i, s:s, s:s}", "v", 1, "session", "s1", "token", "word-1"));
}

/* Whoever says more than main can hear keeps it; and a failure of what nobody asked for ends the link. */
START_TEST (flood_of_words)
{
  const CarrierConform with = by_tls ();
  g_autofree char *pad = g_strnfill (900, 'x');
  Conform c;
  Talker talker;
  conform_begin (&c, &with);
  conform_reserve (&c, "s1");
  talker_start (&talker, &c);
  far_loop_call (talker.loop, talker_begin, &talker);
  await (&c.cloud.up, 1);
  talker.flood = g_byte_array_new ();
  for (guint i = 0; i < 16000; i++)
    word_add (talker.flood, json_pack ("{s:i, s:s}", "failed", 1, "pad", pad));
  gint before = -1, now = g_atomic_int_get (&talker.taken);
  far_loop_post (talker.loop, talker_more, &talker);
  for (; now != before; now = g_atomic_int_get (&talker.taken)) { /* main stands */
    before = now;
    g_usleep (500000); /* lint: allow g_usleep */
  }
  ck_assert_int_lt (now, (gint) talker.flood->len);
  await (&c.cloud.lost, 1);
  ck_assert_uint_eq (c.cloud.refused, 0);
  ck_assert_int_eq (c.cloud.ended, 0);
  far_loop_call (talker.loop, talker_end, &talker);
  far_tls_unref (talker.tls);
  g_byte_array_unref (talker.words);
  g_byte_array_unref (talker.flood);
  conform_finish (&c);
}
END_TEST

/* ---- who is revoked ---- */

static char *
own_serial (void)
{
  g_autofree char *path = g_build_filename (keys, "node.crt", NULL), *pem = NULL;
  ck_assert (g_file_get_contents (path, &pem, NULL, NULL));
  return far_trust_serial (pem, NULL);
}

/* By the serial number alone: people's connections are cut, nobody comes in any more, and the cause is said.
 */
START_TEST (it_ends_when_its_certificate_is_revoked)
{
  const CarrierConform with = by_tls ();
  g_autofree char *serial = own_serial ();
  Conform c;
  conform_begin (&c, &with);
  conform_reserve (&c, "s1");
  conform_open (&c, "word-1");
  int person = conform_person (&c);
  ck_assert (person_hears_echo (person, "before"));
  far_trust_revoked_add ("00"); /* another one */
  run_pending ();
  ck_assert (person_hears_echo (person, "and after"));
  far_trust_revoked_add (serial);
  help_wait (&c.cloud.ended);
  ck_assert_str_eq (c.cloud.cause, "revoked");
  ck_assert (person_is_cut (person));
  close (person);
  conform_finish (&c);
}
END_TEST

/* Until its words, with the token, have come to main, and main could have worked on them. */
static void
talker_is_heard (Talker *talker, Conform *c)
{
  far_loop_call (talker->loop, talker_begin, talker);
  while (g_atomic_int_get (&talker->taken) < (gint) talker->words->len)
    run_pending ();
  for (guint i = 0; i < 200; i++) {
    settle_workers ();
    run_pending ();
  }
}

static void
talker_stop (Talker *talker)
{
  far_loop_call (talker->loop, talker_end, talker);
  far_tls_unref (talker->tls);
  g_byte_array_unref (talker->words);
}

/* Its handshake is good and its hello is there, while what is revoked is still being read: it waits, and is
 * judged by what is read then. */
START_TEST (it_waits_for_the_list)
{
  const CarrierConform with = by_tls ();
  g_autofree char *serial = own_serial ();
  gboolean revoked = _i == 1;
  Conform c;
  Talker talker;
  conform_begin (&c, &with);
  conform_reserve (&c, "s1");
  far_trust_revoked_set_needed (TRUE);
  talker_start (&talker, &c);
  talker_is_heard (&talker, &c);
  ck_assert_uint_eq (c.cloud.up, 0);
  ck_assert_int_eq (g_atomic_int_get (&talker.gone), 0);
  if (revoked)
    far_trust_revoked_add (serial);
  far_trust_revoked_set_known ();
  if (revoked) {
    help_wait (&talker.gone);
    ck_assert_uint_eq (c.cloud.up, 0);
  } else
    await (&c.cloud.up, 1);
  talker_stop (&talker);
  conform_finish (&c);
}
END_TEST

/* The listener goes meanwhile. */
START_TEST (nobody_is_left_waiting)
{
  const CarrierConform with = by_tls ();
  Conform c;
  Talker talker;
  conform_begin (&c, &with);
  conform_reserve (&c, "s1");
  far_trust_revoked_set_needed (TRUE);
  talker_start (&talker, &c);
  talker_is_heard (&talker, &c);
  conform_finish (&c);
  help_wait (&talker.gone);
  talker_stop (&talker);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("carrier");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_loop_test (cases, ssh_is_as_all_kinds_are, 0, G_N_ELEMENTS (conform_properties));
  tcase_add_test (cases, held_too_long);
  tcase_add_loop_test (cases, tls_is_as_all_kinds_are, 0, G_N_ELEMENTS (conform_properties));
  tcase_add_loop_test (cases, memory_is_as_all_kinds_are, 0, G_N_ELEMENTS (conform_properties));
  tcase_add_test (cases, prepared_for_too_long);
  tcase_add_loop_test (cases, another_server, 0, 2);
  tcase_add_test (cases, no_ports);
  tcase_add_test (cases, replaced_and_given_up);
  tcase_add_test (cases, not_ready_again);
  tcase_add_test (cases, fingerprint_in_use);
  tcase_add_test (cases, flood_of_words);
  tcase_add_test (cases, it_ends_when_its_certificate_is_revoked);
  tcase_add_loop_test (cases, it_waits_for_the_list, 0, 2);
  tcase_add_test (cases, nobody_is_left_waiting);
  Suite *suite = suite_create ("carrier");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
