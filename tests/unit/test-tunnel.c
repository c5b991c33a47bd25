/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tunnels between our own two ends: the sequence of the spec, what is refused, cuts, deadlines. */
#include <dlfcn.h>
#include <gcrypt.h>

#define BOTH_ENDS                                                                                            \
  "authenticators:\n  wax:\n    type: wax\n    tokens: ['t1 word-1 session/s1', 't1 word-2 session/s1', "    \
  "'t1 word-3 session/s2', 't1 word-4 session/gone']\n"                                                      \
  "transports:\n  z: {type: ssh, listen: '127.0.0.1:0', login: [wax]}\n  t: {type: ssh}\n"
#include "unit/ssh-both-ends.h"

static gboolean
is_free (guint16 port)
{
  struct sockaddr_in at = { .sin_family = AF_INET,
                            .sin_port = htons (port),
                            .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM, 0), on = 1;
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  gboolean good = bind (fd, (struct sockaddr *) &at, sizeof at) == 0 && listen (fd, 1) == 0;
  close (fd);
  return good;
}

/* Reset or closed, nothing said. */
static gboolean
is_thrown_out (int fd)
{
  return fd < 0 || person_is_cut (fd);
}

START_TEST (the_whole_way)
{
  Reserved *tunnel = reserve_in_band ();
  ck_assert_uint_ge (tunnel->x, 10000);
  ck_assert_uint_ge (tunnel->y, 10000);
  ck_assert_uint_ne (tunnel->x, tunnel->y);
  ck_assert (!is_free (tunnel->x) && !is_free (tunnel->y));
  ck_assert (g_str_has_prefix (tunnel->host_key, "ssh-ed25519 "));
  dial_well (tunnel, "word-1");
  ck_assert (!cloud.stock);
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "read holding registers"));
  close (person);
  await (&cloud.closed, 1);
  await (&terminal.closed, 1);
  ck_assert_uint_eq (cloud.bytes_up, 22);
  ck_assert_uint_eq (cloud.bytes_down, 22);
  ck_assert_uint_eq (terminal.bytes_up, 22);
  end_at ("z", &cloud, "closed by the person");
  ck_assert (is_free (tunnel->x) && is_free (tunnel->y));
  await (&terminal.lost, 1);
  end_at ("t", &terminal, "asked");
  ck_assert_str_eq (cloud.said->str, "up opened closed ended ");
  ck_assert_str_eq (terminal.said->str, "up opened closed lost ended ");
  reserved_free (tunnel);
}
END_TEST

static gpointer
much_out (gpointer data)
{
  int fd = GPOINTER_TO_INT (data);
  g_autofree char *part = g_malloc0 (65536);
  for (gsize sent = 0; sent < 8 << 20; sent += 65536)
    for (gsize at = 0; at < 65536;) {
      for (gsize i = 0; at == 0 && i < 65536; i += 8)
        memcpy (part + i, &(guint64){ sent + i }, 8);
      gssize n = send (fd, part + at, 65536 - at, MSG_NOSIGNAL);
      if (n <= 0)
        return NULL;
      at += n;
    }
  shutdown (fd, SHUT_WR);
  return NULL;
}

/* Several at once, each 8 MiB through and back, unharmed. */
START_TEST (bulk_both_ways)
{
  Reserved *tunnel = reserve_in_band ();
  GThread *threads[3];
  int person[3];
  gsize got[3] = { 0 };
  gboolean open[3] = { TRUE, TRUE, TRUE };
  g_autofree guint8 *part = g_malloc (65536);
  dial_well (tunnel, "word-1");
  for (int i = 0; i < 3; i++) {
    person[i] = person_dials (tunnel->y, NULL);
    threads[i] = g_thread_new ("out", much_out, GINT_TO_POINTER (person[i]));
  }
  gint64 end = g_get_monotonic_time () + SECONDS (60);
  while ((open[0] || open[1] || open[2]) && g_get_monotonic_time () < end) {
    gboolean idle = !g_main_context_iteration (NULL, FALSE);
    for (int i = 0; i < 3; i++) {
      gssize n = open[i] ? recv (person[i], part, 65536, MSG_DONTWAIT) : -1;
      for (gssize at = (8 - got[i] % 8) % 8; n > 0 && at + 8 <= n; at += 8) {
        guint64 value;
        memcpy (&value, part + at, 8);
        ck_assert_uint_eq (value, got[i] + at);
      }
      got[i] += MAX (n, 0);
      open[i] &= n != 0;
      idle &= n <= 0;
    }
    if (idle)
      g_usleep (100);
  }
  for (int i = 0; i < 3; i++) {
    ck_assert_uint_eq (got[i], 8 << 20);
    g_thread_join (threads[i]);
    close (person[i]);
  }
  await (&cloud.closed, 3);
  ck_assert_uint_eq (cloud.bytes_up, 3 * (8 << 20));
  ck_assert_uint_eq (cloud.bytes_down, 3 * (8 << 20));
  reserved_free (tunnel);
}
END_TEST

/* Packets that arrive while the conn tidies up must not be left lying: each connection is answered at once.
 */
START_TEST (many_short_connections)
{
  Reserved *tunnel = reserve_in_band ();
  struct linger at_once = { 1, 0 };
  dial_well (tunnel, "word-1");
  for (int i = 0; i < 2000; i++) {
    int person = person_dials (tunnel->y, NULL);
    ck_assert_msg (person_hears_echo (person, "a") && person_hears_echo (person, "b"), "connection %d", i);
    setsockopt (person, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close (person);
  }
  await (&cloud.closed, 2000);
  reserved_free (tunnel);
}
END_TEST

/* Many that end their input while the answer is on its way: at the end of input nothing may be written from
 * within libssh (WIRE_RULE looks). */
START_TEST (ends_of_input_under_bytes)
{
  Reserved *tunnel = reserve_in_band ();
  g_autofree char *part = g_malloc0 (65536);
  int person[8];
  gsize got[8];
  dial_well (tunnel, "word-1");
  for (int round = 0; round < 50; round++) {
    for (int i = 0; i < 8; i++) {
      person[i] = person_dials (tunnel->y, NULL);
      ck_assert_int_eq (send (person[i], part, 65536, MSG_NOSIGNAL), 65536);
      shutdown (person[i], SHUT_WR);
      got[i] = 0;
    }
    for (int i = 0; i < 8; i++) {
      for (gssize n; (n = person_reads (person[i], part, 65536)) > 0;)
        got[i] += n;
      ck_assert_msg (got[i] == 65536, "round %d, connection %d: %zu of 65536 bytes came back", round, i,
                     got[i]);
      close (person[i]);
    }
  }
  await (&cloud.closed, 400);
  reserved_free (tunnel);
}
END_TEST

START_TEST (wrong_tokens)
{
  Reserved *tunnel = reserve_in_band ();
  static const char *const words[] = { "word-0", "", "word-3" /* another session */,
                                       "word-4" /* unknown session */ };
  for (guint i = 0; i < G_N_ELEMENTS (words); i++) {
    g_autoptr (GError) error = dial_as ("t", tunnel, "s1", "t1", words[i], tunnel->host_key, &terminal);
    ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
    far_clock_advance (SECONDS (700)); /* past the slow-down for wrong logins */
  }
  g_autoptr (GError) other = dial_as ("t", tunnel, "s1", "t2", "word-1", tunnel->host_key, &terminal);
  ck_assert_msg (g_error_matches (other, FAR_ERROR, FAR_ERROR_DENIED), "%s", other ? other->message : "none");
  ck_assert_uint_eq (cloud.up, 0);
  end_at ("t", &terminal, "given up");
  ck_assert_str_eq (terminal.said->str, "ended ");
  reserved_free (tunnel);
}
END_TEST

START_TEST (a_token_works_once)
{
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, "word-1");
  Side thief = { 0 };
  Reserved copy = *tunnel;
  g_autoptr (GError) error = dial_as ("z", &copy, "s9", "t1", "word-1", tunnel->host_key, &thief);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "still mine"));
  close (person);
  reserved_free (tunnel);
  node_stop ();
  node_start (BOTH_ENDS);
  side_clear (&thief);
}
END_TEST

#define PAIRS 128

/* Opens descriptors as fast as it can, so that a number is taken again as soon as it is free, and looks
 * whether they stay whole. */
static gpointer
opens_and_looks (gpointer data)
{
  gint *quit = data;
  guint broken = 0;
  while (!g_atomic_int_get (quit)) {
    int pair[PAIRS][2];
    char text[1];
    for (guint i = 0; i < PAIRS; i++)
      if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair[i]) < 0)
        pair[i][0] = pair[i][1] = -1;
    g_usleep (500);
    for (guint i = 0; i < PAIRS; i++) {
      broken += send (pair[i][0], "a", 1, MSG_NOSIGNAL) != 1 || recv (pair[i][1], text, 1, MSG_DONTWAIT) != 1;
      close (pair[i][0]);
      close (pair[i][1]);
    }
  }
  return GUINT_TO_POINTER (broken);
}

/* libssh closes its descriptor when it sees the end; what has that number a moment later is somebody else's.
 */
START_TEST (other_connections_are_left_alone)
{
  Reserved *tunnel = reserve_in_band ();
  guint16 port = atoi (strchr (tunnel->address, ':') + 1);
  gint quit = FALSE;
  GThread *thread = g_thread_new ("opens", opens_and_looks, &quit);
  for (guint i = 0; i < 1500; i++) {
    int fd = person_dials (port, NULL);
    /* or it is turned away at once: too many from one address */
    send (fd, "nothing of SSH\r\n", 16, MSG_NOSIGNAL);
    close (fd);
  }
  g_atomic_int_set (&quit, TRUE);
  ck_assert_uint_eq (GPOINTER_TO_UINT (g_thread_join (thread)), 0);
  reserved_free (tunnel);
}
END_TEST

START_TEST (another_host_key)
{
  Reserved *tunnel = reserve_in_band ();
  g_autofree char *other = g_strdup (tunnel->host_key);
  other[40] = other[40] == 'A' ? 'B' : 'A';
  g_autoptr (GError) error = dial_as ("t", tunnel, "s1", "t1", "word-1", other, &terminal);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED));
  ck_assert_ptr_nonnull (strstr (error->message, "host key"));
  dial_well (tunnel, "word-1"); /* the token was not shown to the impostor */
  reserved_free (tunnel);
}
END_TEST

START_TEST (nobody_listens)
{
  Reserved none = { .x = 20000, .address = (char *) "127.0.0.1:1", .host_key = (char *) "ssh-ed25519 AAAA" };
  g_autoptr (GError) error = dial_as ("t", &none, "s1", "t1", "word-1", none.host_key, &terminal);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE));
  end_at ("t", &terminal, "given up");
}
END_TEST

START_TEST (x_is_not_for_this_machine)
{
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, "word-1");
  int local = person_dials (tunnel->x, NULL);
  ck_assert (is_thrown_out (local));
  close (local);
  await (&cloud.refused, 1);
  ck_assert_ptr_nonnull (strstr (cloud.refusal, "X"));
  ck_assert_int_eq (device.connections, 0);
  reserved_free (tunnel);
}
END_TEST

/* A flood is counted to the last one, and told in few words. */
START_TEST (all_who_are_refused_count)
{
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, "word-1");
  for (int i = 0; i < 200; i++) {
    int local = person_dials (tunnel->x, NULL);
    ck_assert (is_thrown_out (local));
    close (local);
  }
  end_at ("z", &cloud, "closed");
  ck_assert_uint_eq (cloud.refused, 200);
  ck_assert_uint_lt (cloud.refusals, 150);
  reserved_free (tunnel);
}
END_TEST

START_TEST (y_is_for_one_address)
{
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, "word-1");
  int other = person_dials (tunnel->y, "127.0.0.2");
  ck_assert (is_thrown_out (other));
  close (other);
  await (&cloud.refused, 1);
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "me"));
  close (person);
  reserved_free (tunnel);
}
END_TEST

START_TEST (raw_y_has_a_minute)
{
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_PORTS,
                          .raw = TRUE,
                          .person_address = "127.0.0.1",
                          .length_us = SECONDS (600) };
  Reserved *tunnel = reserve ("z", &spec, &cloud);
  dial_well (tunnel, "word-1");
  settle_workers (); /* the minute has begun */
  if (_i == 0) {
    far_clock_advance (SECONDS (61));
    int late = person_dials (tunnel->y, NULL);
    ck_assert (is_thrown_out (late));
    close (late);
    await (&cloud.refused, 1);
  } else {
    int person = person_dials (tunnel->y, NULL);
    ck_assert (person_hears_echo (person, "in time"));
    far_clock_advance (SECONDS (100));
    int second = person_dials (tunnel->y, NULL);
    ck_assert (person_hears_echo (second, "the same person again"));
    close (person);
    close (second);
  }
  reserved_free (tunnel);
}
END_TEST

/* In band a client of SSH speaks at once, whatever the terminal's end is; in clear text the device may be the
 * first to speak. */
START_TEST (silent_at_y)
{
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_PORTS,
                          .raw = _i == 1,
                          .person_address = "127.0.0.1",
                          .length_us = SECONDS (600) };
  Reserved *tunnel = reserve ("z", &spec, &cloud);
  dial_well (tunnel, "word-1");
  int person = person_dials (tunnel->y, NULL), talker = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (talker, "SSH-2.0-x\r\n"));
  await (&cloud.opened, 2);
  far_clock_advance (SECONDS (11));
  ck_assert (person_hears_echo (talker, "still here"));
  if (_i == 0) {
    ck_assert (is_thrown_out (person));
    await (&cloud.closed, 1);
    ck_assert_str_eq (cloud.cause, "silent");
  } else {
    ck_assert (person_hears_echo (person, "late, and welcome"));
  }
  close (person);
  close (talker);
  reserved_free (tunnel);
}
END_TEST

/* At both ends on their own; a person in the middle of a transfer is cut. */
START_TEST (deadline_at_both_ends)
{
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, "word-1");
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "x"));
  far_clock_advance (SECONDS (601));
  help_wait (&cloud.ended);
  help_wait (&terminal.ended);
  ck_assert_str_eq (cloud.cause, "deadline");
  ck_assert_str_eq (terminal.cause, "deadline");
  ck_assert (is_thrown_out (person));
  ck_assert (is_free (tunnel->x) && is_free (tunnel->y));
  close (person);
  reserved_free (tunnel);
}
END_TEST

typedef struct {
  int fd;
  gint rounds;
  gboolean quit;
} Talk;

/* The person talks without pause, in a thread of their own. */
static gpointer
talk_run (gpointer data)
{
  Talk *talk = data;
  char part[4096] = { 0 };
  while (!g_atomic_int_get (&talk->quit) && send (talk->fd, part, sizeof part, MSG_NOSIGNAL) > 0) {
    for (gssize got, at = 0; at < (gssize) sizeof part; at += got)
      if ((got = recv (talk->fd, part, sizeof part, 0)) <= 0)
        return NULL;
    g_atomic_int_inc (&talk->rounds);
  }
  return NULL;
}

/* Main does not get a turn from the moment bytes flow: the deadline is kept by the I/O thread, at the cloud's
 * end (0) and at the terminal's (1), where the other end would go on for an hour. */
START_TEST (deadline_while_main_is_blocked)
{
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_PORTS,
                          .person_address = "127.0.0.1",
                          .length_us = SECONDS (_i == 0 ? 600 : 3600) };
  Reserved *tunnel = reserve ("z", &spec, &cloud);
  dial_length_us = SECONDS (_i == 0 ? 3600 : 600);
  dial_well (tunnel, "word-1");
  Talk talk = { .fd = person_dials (tunnel->y, NULL) };
  ck_assert (person_hears_echo (talk.fd, "x"));
  settle_workers ();
  gint at = 0, passed;
  GThread *thread = g_thread_new ("talk", talk_run, &talk);
  while (g_atomic_int_get (&talk.rounds) < 10) /* from here on nobody iterates the main context */
    g_usleep (200);
  far_clock_advance (SECONDS (601));
  /* until nothing has come for 100 ms */
  for (guint quiet = 0; quiet < 5; quiet = passed == at ? quiet + 1 : 0, at = passed) {
    for (guint i = 0; i < 100; i++)
      g_usleep (200);
    passed = g_atomic_int_get (&device.bytes);
    ck_assert_msg (far_clock_boottime_us () > 0 && !cloud.ended && !terminal.ended, "main was not blocked");
    ck_assert_msg (g_atomic_int_get (&talk.rounds) < 1000000, "bytes go on after the deadline");
  }
  ck_assert_ptr_null (g_thread_join (thread)); /* it ends by itself: cut */
  ck_assert_int_eq (g_atomic_int_get (&talk.quit), FALSE);
  close (talk.fd);
  dial_length_us = SECONDS (600);
  help_wait (_i == 0 ? &cloud.ended : &terminal.ended);
  ck_assert_str_eq (_i == 0 ? cloud.cause : terminal.cause, "deadline");
  reserved_free (tunnel);
}
END_TEST

START_TEST (deadline_can_be_moved)
{
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, "word-1");
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "x"));
  far_carrier_set_deadline (cloud.carrier, far_clock_boottime_us () + SECONDS (100));
  run_pending ();
  far_clock_advance (SECONDS (101));
  help_wait (&cloud.ended);
  ck_assert_str_eq (cloud.cause, "deadline");
  await (&terminal.lost, 1);
  ck_assert_int_eq (terminal.ended, 0);
  close (person);
  reserved_free (tunnel);
}
END_TEST

/* The link is replaced: same ports, another token; a person who came meanwhile has waited. */
START_TEST (a_second_link_takes_over)
{
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, "word-1");
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "one"));
  far_carrier_end (terminal.carrier, "cut for the test");
  await (&cloud.lost, 1);
  help_wait (&terminal.ended);
  ck_assert (is_thrown_out (person));
  close (person);
  person = person_dials (tunnel->y, NULL); /* waits in the hall */
  ck_assert_int_eq (send (person, "two", 3, 0), 3);
  run_pending ();
  side_clear (&terminal);
  terminal.device = &device;
  dial_well (tunnel, "word-2");
  char text[8] = "";
  ck_assert_int_eq (person_reads (person, text, sizeof text), 3);
  ck_assert_str_eq (text, "two");
  ck_assert_str_eq (cloud.said->str, "up opened closed lost up opened ");
  close (person);
  reserved_free (tunnel);
}
END_TEST

static gpointer
no_result (Answer *answer)
{
  answer_wait (answer);
  ck_assert (answer->error == NULL);
  return answer->result;
}

static void
shut (void)
{
  Answer answer = { 0 };
  far_carrier_shut (cloud.carrier, "closed by the user", far_request_new (answered, &answer, 0));
  ck_assert_ptr_null (no_result (&answer));
}

/* When a close is acknowledged nothing of the person passes any more; the terminal still has its link and
 * ends in order. */
START_TEST (shut_lets_nothing_through)
{
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, "word-1");
  int person = person_dials (tunnel->y, NULL), other = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "before"));
  ck_assert (person_hears_echo (other, "before"));
  shut ();
  int heard = g_atomic_int_get (&device.bytes);
  ck_assert_uint_eq (cloud.closed, 2);
  ck_assert_str_eq (cloud.cause, "closed by the user");
  send (person, "after", 5, MSG_NOSIGNAL);
  ck_assert (is_thrown_out (person));
  ck_assert (is_thrown_out (other));
  int late = person_dials (tunnel->y, NULL);
  ck_assert (late >= 0); /* the number is taken until the end */
  ck_assert (is_thrown_out (late));
  close (late);
  settle_workers ();
  ck_assert_int_eq (g_atomic_int_get (&device.bytes), heard);
  ck_assert_uint_eq (cloud.lost, 0);
  ck_assert_int_eq (cloud.ended, 0);
  shut (); /* once more: no harm */
  end_at ("z", &cloud, "closed");
  close (person);
  close (other);
  reserved_free (tunnel);
}
END_TEST

/* Streams by ticket as well; and while people wait for the link. */
START_TEST (shut_without_a_link)
{
  Reserved *tunnel = reserve_in_band ();
  int person = person_dials (tunnel->y, NULL);
  settle_workers ();
  shut ();
  ck_assert (is_thrown_out (person));
  end_at ("z", &cloud, "closed");
  close (person);
  reserved_free (tunnel);
}
END_TEST

START_TEST (waiting_has_an_end)
{
  Reserved *tunnel = reserve_in_band ();
  int person = person_dials (tunnel->y, NULL);
  settle_workers (); /* it waits */
  far_clock_advance (SECONDS (29));
  settle_workers ();
  ck_assert_uint_eq (cloud.refused, 0);
  far_clock_advance (SECONDS (2));
  ck_assert (is_thrown_out (person));
  await (&cloud.refused, 1);
  close (person);
  reserved_free (tunnel);
}
END_TEST

START_TEST (no_device_closes_the_connection)
{
  Reserved *tunnel = reserve_in_band ();
  terminal.device = NULL;
  dial_well (tunnel, "word-1");
  int person = person_dials (tunnel->y, NULL);
  ck_assert (is_thrown_out (person));
  await (&terminal.refused, 1);
  close (person);
  reserved_free (tunnel);
}
END_TEST

/* Entry stream: no Y, the person's bytes come on a stream of another loop. */
START_TEST (entry_by_stream)
{
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_STREAM,
                          .length_us = SECONDS (600) };
  Reserved *tunnel = reserve ("z", &spec, &cloud);
  Loops loops = { 0 };
  int person;
  ck_assert_uint_eq (tunnel->y, 0);
  dial_well (tunnel, "word-1");
  loops_start (&loops);
  FarStream *stream = end_make (&loops, _i == 0 ? KIND_FOREIGN : KIND_UNIX_TWO, &person);
  far_carrier_attach (cloud.carrier, stream, "192.0.2.7");
  ck_assert (person_hears_echo (person, "through the front"));
  close (person);
  await (&cloud.closed, 1);
  await (&terminal.closed, 1);
  gint64 end = g_get_monotonic_time () + SECONDS (10);
  while (g_atomic_int_get (&extra_pumps) > 0 && g_get_monotonic_time () < end)
    g_main_context_iteration (NULL, FALSE);
  loops_stop (&loops);
  reserved_free (tunnel);
}
END_TEST

/* Nothing is left when the instances stop in the middle. */
START_TEST (stop_in_the_middle)
{
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, "word-1");
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "x"));
  node_stop ();
  ck_assert_int_eq (cloud.ended, 1);
  ck_assert_int_eq (terminal.ended, 1);
  ck_assert (is_thrown_out (person));
  close (person);
  reserved_free (tunnel);
  node_start (BOTH_ENDS);
}
END_TEST

/* Somebody who takes the connection and says nothing; then the instance stops. */
START_TEST (stop_while_dialling)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof at;
  int silent = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq (bind (silent, (struct sockaddr *) &at, sizeof at) | listen (silent, 4), 0);
  ck_assert_int_eq (getsockname (silent, (struct sockaddr *) &at, &size), 0);
  g_autofree char *address = g_strdup_printf ("127.0.0.1:%u", ntohs (at.sin_port));
  Answer answer = { 0 };
  Reserved mute = { .x = 20000, .address = address };
  dial_begin ("t", &mute, "s1", "t1", "word-1", "ssh-ed25519 AAAA", &terminal, &answer);
  run_pending ();
  if (_i == 0)
    node_stop ();
  else
    /* its timer may be set at an I/O thread only after the first */
    for (guint left = 1000; left > 0 && !answer.done; left--) {
      far_clock_advance (SECONDS (21));
      help_spin (10);
      g_usleep (1000);
    }
  answer_wait (&answer);
  ck_assert (g_error_matches (answer.error, FAR_ERROR, FAR_ERROR_UNAVAILABLE));
  g_error_free (answer.error);
  if (_i == 0)
    node_start (BOTH_ENDS);
  close (silent);
}
END_TEST

/* ---- a flood of silent connections ---- */

#define SILENT 64

static int
silent_from (const char *host, guint16 port)
{
  struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET,
                                                              .sin_port = htons (port),
                                                              .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  inet_pton (AF_INET, host, &from.sin_addr);
  ck_assert_int_eq (bind (fd, (struct sockaddr *) &from, sizeof from), 0);
  ck_assert_int_eq (connect (fd, (struct sockaddr *) &to, sizeof to), 0);
  return fd;
}

/* Each packet has random padding: the choice of the generator has to be made before libgcrypt is started, by
 * the order of constructors. */
START_TEST (random_numbers_are_the_systems)
{
  void *library = dlopen ("libgcrypt.so.20", RTLD_NOW | RTLD_NOLOAD);
  int (*control) (int, ...) = library != NULL ? (int (*) (int, ...)) dlsym (library, "gcry_control") : NULL;
  int type = 0;
  ck_assert_ptr_nonnull (control);
  control (GCRYCTL_GET_CURRENT_RNG_TYPE, &type);
  ck_assert_int_eq (type, GCRY_RNG_TYPE_SYSTEM);
  dlclose (library);
}
END_TEST

/* As many as may be in before login, from four addresses with a full share each: who speaks comes in all the
 * same. */
START_TEST (silent_ones_keep_no_terminal_out)
{
  Reserved *tunnel = reserve_in_band ();
  g_autofree char *host = NULL;
  int silent[SILENT];
  guint16 port;
  char byte;
  ck_assert (far_parse_address (tunnel->address, &host, &port, NULL));
  for (guint i = 0; i < SILENT; i++) {
    g_autofree char *from = g_strdup_printf ("127.0.8.%u", i / (SILENT / 4) + 1);
    silent[i] = silent_from (from, port);
    ck_assert_int_eq (recv (silent[i], &byte, 1, 0), 1); /* the banner: it is in */
  }
  dial_well (tunnel, "word-1");
  end_at ("z", &cloud, "enough");
  for (guint i = 0; i < SILENT; i++)
    close (silent[i]);
  reserved_free (tunnel);
}
END_TEST

static void
add (TCase *cases, const TTest *test, int n)
{
  tcase_add_loop_test (cases, test, 0, n);
}

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("tunnel");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  add (cases, the_whole_way, 1);
  add (cases, bulk_both_ways, 1);
  add (cases, many_short_connections, 1);
  add (cases, ends_of_input_under_bytes, 1);
  add (cases, wrong_tokens, 1);
  add (cases, a_token_works_once, 1);
  add (cases, other_connections_are_left_alone, 1);
  add (cases, another_host_key, 1);
  add (cases, nobody_listens, 1);
  add (cases, x_is_not_for_this_machine, 1);
  add (cases, all_who_are_refused_count, 1);
  add (cases, y_is_for_one_address, 1);
  add (cases, raw_y_has_a_minute, 2);
  add (cases, silent_at_y, 2);
  add (cases, deadline_at_both_ends, 1);
  add (cases, deadline_while_main_is_blocked, 2);
  add (cases, deadline_can_be_moved, 1);
  add (cases, a_second_link_takes_over, 1);
  add (cases, shut_lets_nothing_through, 1);
  add (cases, shut_without_a_link, 1);
  add (cases, waiting_has_an_end, 1);
  add (cases, no_device_closes_the_connection, 1);
  add (cases, entry_by_stream, 2);
  add (cases, stop_in_the_middle, 1);
  add (cases, silent_ones_keep_no_terminal_out, 1);
  add (cases, stop_while_dialling, 2);
  add (cases, random_numbers_are_the_systems, 1);
  Suite *suite = suite_create ("tunnel");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
