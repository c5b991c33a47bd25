/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket, over a real socket: what is said on it, and what is done about those who misbehave. */
#include "config.h"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <farwatch/stream.h>

#include "node/control.h"
#include "auth/ticket.h"
#include "unit/door-help.h"

/* ---- the daemon's side ---- */

static struct {
  char *folder, *path;
  guint calls, watch, gone;
  FarCall *held[FAR_CONTROL_CALLS + 8];
  FarStream *stream;
} at;

static void
handle_echo (gpointer self, FarCall *call)
{
  at.calls++;
  far_call_answer (call, 200, json_pack ("{s:O}", "query", call->query));
}

static void
handle_hold (gpointer self, FarCall *call)
{
  at.held[at.calls++] = call;
}

static void
handle_large (gpointer self, FarCall *call)
{
  g_autofree char *text = g_strnfill (30000, 'x');

  far_call_answer (call, 200, json_pack ("{s:s}", "text", text));
}

static void
watch_gone (guint watch, gpointer user)
{
  at.gone++;
}

static void
handle_watch (gpointer self, FarCall *call)
{
  at.watch = far_call_subscribe (call, watch_gone, NULL);
}

static const FarField put_fields[] = {
  { "text", FAR_FIELD_STRING, FALSE, "a text", FAR_BODY_MAX },
  { NULL, FAR_FIELD_END },
};

static const FarHandler handlers[] = {
  { "GET", "echo", FAR_ACTION_NONE, NULL, NULL, 0, handle_echo, "echo" },
  { "PUT", "echo", FAR_ACTION_NONE, NULL, put_fields, 0, handle_echo, "echo" },
  { "GET", "large", FAR_ACTION_NONE, NULL, NULL, 0, handle_large, "large" },
  { "GET", "hold", FAR_ACTION_NONE, NULL, NULL, 0, handle_hold, "hold" },
  { "WATCH", "echo", FAR_ACTION_NONE, NULL, NULL, 0, handle_watch, "watch" },
  { NULL },
};

static void
setup (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  memset (&at, 0, sizeof at);
  at.folder = make_folder ();
  at.path = g_build_filename (at.folder, "control.sock", NULL);
  far_handlers_add (handlers, &at, NULL);
  ck_assert (far_control_start (at.path, NULL));
}

static void
teardown (void)
{
  far_control_stop ();
  far_handlers_remove (handlers, &at);
  run_pending ();
  far_ticket_clear ();
  far_dedup_clear ();
  remove_folder (at.folder);
  g_free (at.folder);
  g_free (at.path);
}

/* ---- the other side ---- */

static int
dial (void)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  g_strlcpy (address.sun_path, at.path, sizeof address.sun_path);
  ck_assert_int_eq (connect (fd, (const struct sockaddr *) &address, sizeof address), 0);
  return fd;
}

static void
say (int fd, const void *data, gsize size)
{
  ck_assert_int_eq (send (fd, data, size, MSG_NOSIGNAL), (gssize) size);
}

static void
say_message (int fd, const char *method, const char *resource, const char *id, json_t *body)
{
  g_autoptr (FarMessage) request = far_message_request (method, resource, body);
  g_autoptr (GBytes) frame = NULL;

  if (id != NULL) {
    g_free (request->id);
    request->id = g_strdup (id);
  }
  frame = far_message_encode (request);
  say (fd, g_bytes_get_data (frame, NULL), g_bytes_get_size (frame));
}

typedef struct {
  int fd;
  GByteArray *in;
  gboolean over;
} Reader;

static gboolean
read_more (gpointer data)
{
  Reader *reader = data;
  guint8 buffer[65536];
  gssize n = recv (reader->fd, buffer, sizeof buffer, 0);
  gssize whole;

  if (n > 0)
    g_byte_array_append (reader->in, buffer, (guint) n);
  reader->over = n == 0 || (n < 0 && errno != EAGAIN);
  whole = far_message_frame_size (reader->in->data, reader->in->len, NULL);
  return reader->over || (whole > 0 && whole <= (gssize) reader->in->len);
}

/* The next message; NULL: closed. *rest (may be NULL): what came behind it. */
static FarMessage *
hear (int fd, GByteArray *rest)
{
  g_autoptr (GByteArray) in = g_byte_array_new ();
  Reader reader = { fd, in, FALSE };
  gssize whole;
  FarMessage *message;

  if (rest != NULL && rest->len > 0) {
    g_byte_array_append (in, rest->data, rest->len);
    g_byte_array_set_size (rest, 0);
  }
  whole = far_message_frame_size (in->data, in->len, NULL);
  if (whole <= 0 || whole > (gssize) in->len)
    ck_assert_msg (run_until (read_more, &reader), "nothing came");
  whole = far_message_frame_size (in->data, in->len, NULL);
  if (whole <= 0 || whole > (gssize) in->len)
    return NULL;
  message = far_message_decode (in->data, (gsize) whole, NULL);
  if (rest != NULL)
    g_byte_array_append (rest, in->data + whole, in->len - (guint) whole);
  else
    ck_assert_uint_eq (in->len, whole);
  return message;
}

static guint
hear_status (int fd)
{
  g_autoptr (FarMessage) message = hear (fd, NULL);

  return message != NULL ? message->status : 0;
}

static gboolean
is_closed (gpointer data)
{
  char buffer[4096];
  gssize n = recv (GPOINTER_TO_INT (data), buffer, sizeof buffer, 0);

  return n == 0 || (n < 0 && errno != EAGAIN);
}

static gboolean
closes (int fd)
{
  gboolean closed = run_until (is_closed, GINT_TO_POINTER (fd));

  close (fd);
  return closed;
}

static void
still_serves (void)
{
  int fd = dial ();

  say_message (fd, "GET", "echo", NULL, NULL);
  ck_assert_uint_eq (hear_status (fd), 200);
  close (fd);
  run_pending ();
}

/* ---- what is said ---- */

START_TEST (a_question_and_its_answer)
{
  int fd = dial ();
  g_autoptr (FarMessage) answer = NULL;

  say_message (fd, "GET", "echo?a=1", "my-id", NULL);
  answer = hear (fd, NULL);
  ck_assert_uint_eq (answer->status, 200);
  ck_assert_str_eq (answer->id, "my-id");
  close (fd);
}
END_TEST

START_TEST (byte_by_byte)
{
  g_autoptr (FarMessage) request = far_message_request ("GET", "echo", NULL);
  g_autoptr (GBytes) frame = far_message_encode (request);
  const guint8 *data = g_bytes_get_data (frame, NULL);
  int fd = dial ();

  for (gsize i = 0; i < g_bytes_get_size (frame); i++) {
    say (fd, data + i, 1);
    run_pending ();
  }
  ck_assert_uint_eq (hear_status (fd), 200);
  close (fd);
}
END_TEST

START_TEST (many_in_one_piece)
{
  g_autoptr (GByteArray) all = g_byte_array_new (), rest = g_byte_array_new ();
  int fd = dial ();

  for (guint i = 0; i < 100; i++) {
    g_autoptr (FarMessage) request = far_message_request ("GET", "echo", NULL);
    g_autoptr (GBytes) frame = far_message_encode (request);

    g_byte_array_append (all, g_bytes_get_data (frame, NULL), (guint) g_bytes_get_size (frame));
  }
  say (fd, all->data, all->len);
  for (guint i = 0; i < 100; i++) {
    g_autoptr (FarMessage) answer = hear (fd, rest);

    ck_assert_uint_eq (answer->status, 200);
  }
  ck_assert_uint_eq (at.calls, 100);
  close (fd);
}
END_TEST

START_TEST (the_last_answer_reaches_who_has_said_all)
{
  int fd = dial ();

  say_message (fd, "GET", "hold", NULL, NULL);
  shutdown (fd, SHUT_WR);
  run_pending ();
  far_call_answer (at.held[0], 200, NULL);
  ck_assert_uint_eq (hear_status (fd), 200);
  ck_assert (closes (fd));
}
END_TEST

START_TEST (only_so_many_calls_at_once)
{
  g_autoptr (GByteArray) rest = g_byte_array_new ();
  int fd = dial ();

  for (guint i = 0; i < FAR_CONTROL_CALLS + 8; i++)
    say_message (fd, "GET", "hold", NULL, NULL);
  run_pending ();
  ck_assert_uint_eq (at.calls, FAR_CONTROL_CALLS);
  for (guint i = 0; i < FAR_CONTROL_CALLS + 8; i++) {
    g_autoptr (FarMessage) answer = NULL;

    far_call_answer (at.held[i], 200, NULL);
    answer = hear (fd, rest);
    ck_assert_uint_eq (answer->status, 200);
  }
  close (fd);
}
END_TEST

START_TEST (who_does_not_read_costs_no_memory)
{
  int fd = dial ();

  for (guint i = 0; i < 1000; i++) {
    g_autoptr (FarMessage) request = far_message_request ("GET", "large", NULL);
    g_autoptr (GBytes) frame = far_message_encode (request);

    if (send (fd, g_bytes_get_data (frame, NULL), g_bytes_get_size (frame), MSG_NOSIGNAL) < 0)
      break; /* our buffer is full as well: it does not read on */
    run_pending ();
    if (i == 20)
      still_serves ();
  }
  ck_assert_uint_lt (far_call_count (), FAR_CONTROL_CALLS);
  close (fd);
  still_serves ();
}
END_TEST

START_TEST (a_watch_over_the_socket)
{
  g_autoptr (GByteArray) rest = g_byte_array_new ();
  g_autoptr (FarMessage) first = NULL, last = NULL;
  int fd = dial ();

  say_message (fd, "WATCH", "echo", "w", NULL);
  run_pending ();
  far_subscription_event (at.watch, json_pack ("{s:i}", "n", 1));
  far_subscription_event (at.watch, NULL);
  first = hear (fd, rest);
  last = hear (fd, rest);
  ck_assert_str_eq (first->id, "w");
  ck_assert_str_eq (far_message_header (first, "more"), "1");
  ck_assert_uint_eq (last->status, 204);
  ck_assert_uint_eq (at.gone, 1);
  say_message (fd, "WATCH", "echo", NULL, NULL);
  run_pending ();
  close (fd);
  run_pending ();
  ck_assert_uint_eq (at.gone, 2);
}
END_TEST

START_TEST (a_slow_watcher_is_cut_off)
{
  g_autofree char *text = g_strnfill (20000, 'x');
  int fd = dial ();

  say_message (fd, "WATCH", "echo", NULL, NULL);
  run_pending ();
  for (guint i = 0; i < 500 && at.gone == 0; i++) {
    far_subscription_event (at.watch, json_pack ("{s:s}", "text", text));
    run_pending ();
  }
  ck_assert_uint_eq (at.gone, 1);
  close (fd);
}
END_TEST

/* ---- who misbehaves ---- */

static const struct {
  const char *data;
  gsize size;
} garbage[] = {
  { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27 },
  { "\x00\x00\x00\x00", 4 },
  { "\x00\x00\x00\x01x", 5 },
  { "\xff\xff\xff\xff", 4 },
  { "\x00\x00\x20\x01", 4 },
  { "\x00\x00\x00\x04null", 8 },
  { "\x00\x00\x00\x02{}", 6 },
  { "\x00\x00\x00\x19{\"id\":\"x\",\"status\":200}  ", 29 },
  { "\x00\x00\x00\x49{\"id\":\"x\",\"method\":\"PUT\",\"n\":99999,\"resource\":\"echo\",\"type\":\"text/"
    "plain\"}",
    77 },
  { "\x00\x00\x00\x5f{\"id\":\"x\",\"method\":\"PUT\",\"n\":200000,\"resource\":\"echo\",\"type\":"
    "\"application/vnd.farwatch.batch\"}    ",
    99 },
};

START_TEST (garbage_gets_one_word_and_the_interface)
{
  int fd = dial ();
  g_autoptr (FarMessage) answer = NULL;

  say (fd, garbage[_i].data, garbage[_i].size);
  answer = hear (fd, NULL);
  ck_assert_ptr_nonnull (answer);
  ck_assert_str_eq (answer->id, "0");
  ck_assert_uint_eq (answer->status, 400);
  ck_assert (closes (fd));
  still_serves ();
}
END_TEST

START_TEST (a_silent_peer_is_cut)
{
  int silent = dial ();

  run_pending ();
  forward (9);
  still_serves ();
  ck_assert (!is_closed (GINT_TO_POINTER (silent)));
  forward (3);
  ck_assert (closes (silent));
}
END_TEST

START_TEST (a_half_frame_is_cut_and_an_idle_link_is_not)
{
  int half = dial (), idle = dial ();

  say_message (idle, "GET", "echo", NULL, NULL);
  say_message (half, "GET", "echo", NULL, NULL);
  ck_assert_uint_eq (hear_status (idle), 200);
  ck_assert_uint_eq (hear_status (half), 200);
  say (half, "\x00\x00", 2);
  run_pending ();
  forward (13);
  ck_assert (closes (half));
  forward (3600);
  say_message (idle, "GET", "echo", NULL, NULL);
  ck_assert_uint_eq (hear_status (idle), 200);
  close (idle);
}
END_TEST

/* Somebody who may come in and is not root: our own uid, or as root another one that is ours for a while. */
static void
become_other (void)
{
  if (geteuid () != 0)
    return;
  ck_assert_int_eq (chmod (at.folder, 0755), 0);
  ck_assert_int_eq (chmod (at.path, 0666), 0);
  ck_assert_int_eq (seteuid (65534), 0);
}

static void
become_oneself (void)
{
  ck_assert_int_eq (seteuid (getuid ()), 0);
}

static void
dial_silent (int *fds, guint n)
{
  for (guint i = 0; i < n; i++)
    fds[i] = dial ();
  run_pending ();
}

static void
dial_speaking (int *fds, guint n)
{
  for (guint i = 0; i < n; i++) {
    fds[i] = dial ();
    say_message (fds[i], "GET", "echo", NULL, NULL);
    ck_assert_uint_eq (hear_status (fds[i]), 200);
  }
}

static void
close_all (const int *fds, guint n)
{
  for (guint i = 0; i < n; i++)
    close (fds[i]);
  run_pending ();
}

START_TEST (the_oldest_silent_one_goes)
{
  int silent[FAR_CONTROL_SHARE], spoken, more;
  g_autoptr (FarMessage) word = NULL;

  become_other ();
  spoken = dial ();
  say (spoken, "\x00\x00", 2); /* has begun a frame */
  run_pending ();
  dial_silent (silent, FAR_CONTROL_SHARE - 1);
  more = dial ();
  say_message (more, "GET", "echo", NULL, NULL);
  ck_assert_uint_eq (hear_status (more), 200);
  word = hear (silent[0], NULL);
  ck_assert_uint_eq (word->status, 429);
  ck_assert (closes (silent[0]));
  ck_assert (!is_closed (GINT_TO_POINTER (silent[1])));
  ck_assert (!is_closed (GINT_TO_POINTER (spoken)));
  close (more);
  close (spoken);
  close_all (silent + 1, FAR_CONTROL_SHARE - 2);
  become_oneself ();
}
END_TEST

START_TEST (only_so_many_connections)
{
  int fds[FAR_CONTROL_LINKS], more;

  become_other ();
  dial_speaking (fds, FAR_CONTROL_LINKS);
  for (guint i = 0; i < 50; i++) {
    more = dial ();
    ck_assert_uint_eq (hear_status (more), 429);
    ck_assert (closes (more));
  }
  close (fds[0]);
  run_pending ();
  still_serves ();
  close_all (fds + 1, FAR_CONTROL_LINKS - 1);
  become_oneself ();
}
END_TEST

/* Neither silent ones of somebody else, which go, nor such that have said something and stay. */
START_TEST (nobody_keeps_root_out)
{
  int silent[FAR_CONTROL_LINKS], fds[FAR_CONTROL_LINKS];

  if (geteuid () != 0)
    return; /* shown as skipped, see main() */
  become_other ();
  dial_silent (silent, FAR_CONTROL_LINKS);
  become_oneself ();
  still_serves ();
  close_all (silent, FAR_CONTROL_LINKS);
  become_other ();
  dial_speaking (fds, FAR_CONTROL_LINKS);
  become_oneself ();
  still_serves ();
  dial_silent (silent, FAR_CONTROL_LINKS);
  still_serves ();
  close_all (silent, FAR_CONTROL_LINKS);
  close_all (fds, FAR_CONTROL_LINKS);
}
END_TEST

START_TEST (a_peer_that_goes_in_the_middle)
{
  g_autoptr (FarMessage) request = far_message_request ("PUT", "echo", json_pack ("{s:s}", "text", "hello"));
  g_autoptr (GBytes) frame = far_message_encode (request);
  gsize size = g_bytes_get_size (frame);

  for (gsize cut = 0; cut <= size; cut++) {
    int fd = dial ();

    if (cut > 0)
      say (fd, g_bytes_get_data (frame, NULL), cut);
    close (fd);
    run_pending ();
  }
  still_serves ();
}
END_TEST

/* Somebody who is neither root nor in the group: another uid, in a child. */
START_TEST (strangers_are_told_and_sent_away)
{
  pid_t child;

  if (geteuid () != 0)
    return; /* shown as skipped, see main() */
  ck_assert_int_eq (chmod (at.folder, 0755), 0);
  ck_assert_int_eq (chmod (at.path, 0666), 0); /* even if the file's mode lets them in */
  child = fork ();
  if (child == 0) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char buffer[4096];
    gssize n;
    int fd = socket (AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy (address.sun_path, at.path, sizeof address.sun_path);
    if (setgid (65534) != 0 || setuid (65534) != 0 ||
        connect (fd, (const struct sockaddr *) &address, sizeof address) != 0)
      _exit (1);
    n = read (fd, buffer, sizeof buffer - 1);
    _exit (n > 0 && g_strstr_len (buffer + 4, n - 4, "not allowed here") != NULL && read (fd, buffer, 1) == 0
               ? 0
               : 2);
  }
  for (guint i = 0; i < 300; i++)
    run_pending ();
  ck_assert_int_eq (wait_for (child), 0);
}
END_TEST

/* ---- streams ---- */

static void
came (FarStream *stream, const char *from, gpointer user)
{
  at.stream = stream;
}

static gboolean
has_come (gpointer data)
{
  return at.stream != NULL;
}

/* For who runs this test. */
static char *
new_ticket (void)
{
  const struct passwd *user = getpwuid (geteuid ());
  g_autoptr (FarPrincipal) oneself = NULL;

  ck_assert_ptr_nonnull (user);
  oneself = far_principal_new (FAR_PRINCIPAL_LOCAL, user->pw_name, NULL, "");
  return far_ticket_new (NULL, oneself, FALSE, far_clock_boottime_us () + 60 * G_USEC_PER_SEC, came, NULL);
}

static void
peek_hello (gpointer data)
{
  FarBurst batch = { 0 };

  at.stream->klass->peek (at.stream, &batch);
  at.calls = batch.n > 0 && batch.frames[0].size == 5 && memcmp (batch.frames[0].data, "hello", 5) == 0;
  far_stream_free (at.stream);
}

START_TEST (a_connection_becomes_a_stream)
{
  g_autofree char *ticket = new_ticket (), *resource = g_strconcat ("tickets/", ticket, NULL);
  int fd = dial ();

  say_message (fd, "STREAM", resource, NULL, NULL);
  ck_assert_uint_eq (hear_status (fd), 200);
  ck_assert (run_until (has_come, NULL));
  say (fd, "hello", 5);
  far_loop_call (at.stream->loop, peek_hello, NULL);
  ck_assert_uint_eq (at.calls, 1);
  ck_assert (closes (fd));
  fd = dial ();
  say_message (fd, "STREAM", resource, NULL, NULL); /* once is once */
  ck_assert_uint_eq (hear_status (fd), 404);
  close (fd);
}
END_TEST

START_TEST (a_bad_ticket_leaves_the_connection)
{
  int fd = dial ();

  say_message (fd, "STREAM", "tickets/nonsense", NULL, NULL);
  ck_assert_uint_eq (hear_status (fd), 404);
  say_message (fd, "STREAM", "nonsense", NULL, NULL);
  ck_assert_uint_eq (hear_status (fd), 404);
  say_message (fd, "GET", "echo", NULL, NULL);
  ck_assert_uint_eq (hear_status (fd), 200);
  close (fd);
}
END_TEST

START_TEST (bytes_before_the_answer_are_refused)
{
  g_autofree char *ticket = new_ticket (), *resource = g_strconcat ("tickets/", ticket, NULL);
  g_autoptr (FarMessage) request = far_message_request ("STREAM", resource, NULL);
  g_autoptr (GBytes) frame = far_message_encode (request);
  g_autoptr (GByteArray) both = g_byte_array_new ();
  int fd = dial ();

  g_byte_array_append (both, g_bytes_get_data (frame, NULL), (guint) g_bytes_get_size (frame));
  g_byte_array_append (both, (const guint8 *) "early", 5);
  say (fd, both->data, both->len);
  ck_assert (closes (fd));
  ck_assert_ptr_null (at.stream);
}
END_TEST

START_TEST (no_stream_while_calls_are_under_way)
{
  g_autofree char *ticket = new_ticket (), *resource = g_strconcat ("tickets/", ticket, NULL);
  int fd = dial ();

  say_message (fd, "GET", "hold", NULL, NULL);
  say_message (fd, "STREAM", resource, NULL, NULL);
  ck_assert_uint_eq (hear_status (fd), 400);
  far_call_answer (at.held[0], 200, NULL);
  ck_assert_uint_eq (hear_status (fd), 200);
  close (fd);
}
END_TEST

/* ---- the socket ---- */

/* As after kill -9. */
static void
leave_socket (void)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, at.path, sizeof address.sun_path);
  ck_assert_int_eq (bind (fd, (const struct sockaddr *) &address, sizeof address), 0);
  close (fd);
}

START_TEST (the_socket_and_its_place)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *longest = g_strnfill (200, 'a'),
                  *nowhere = g_build_filename (at.folder, "no", "such", NULL);
  struct stat info;

  ck_assert_int_eq (stat (at.path, &info), 0);
  ck_assert_uint_eq (info.st_mode & 0007, 0);
  ck_assert (!far_control_start (at.path, &error)); /* somebody answers there: we do */
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT));
  g_clear_error (&error);
  ck_assert (!far_control_start (longest, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFIG));
  g_clear_error (&error);
  ck_assert (!far_control_start (nowhere, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFIG));
  far_control_stop ();
  ck_assert_int_ne (stat (at.path, &info), 0);
  ck_assert (g_file_set_contents (at.path, "precious", -1, NULL));
  g_clear_error (&error);
  ck_assert (!far_control_start (at.path, &error)); /* no file of anybody's is taken away */
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFIG));
  ck_assert_int_eq (stat (at.path, &info), 0);
  unlink (at.path);
  leave_socket ();
  g_clear_error (&error);
  ck_assert (far_control_start (at.path, &error)); /* a socket nobody answers at is */
  still_serves ();
}
END_TEST

int
main (void)
{
  static const char *const of_root[] = { "nobody_keeps_root_out", "strangers_are_told_and_sent_away", NULL };
  Suite *suite = suite_create ("control");
  TCase *tc = tcase_create ("control");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_set_timeout (tc, 60);
  tcase_add_test (tc, a_question_and_its_answer);
  tcase_add_test (tc, byte_by_byte);
  tcase_add_test (tc, many_in_one_piece);
  tcase_add_test (tc, the_last_answer_reaches_who_has_said_all);
  tcase_add_test (tc, only_so_many_calls_at_once);
  tcase_add_test (tc, who_does_not_read_costs_no_memory);
  tcase_add_test (tc, a_watch_over_the_socket);
  tcase_add_test (tc, a_slow_watcher_is_cut_off);
  tcase_add_loop_test (tc, garbage_gets_one_word_and_the_interface, 0, G_N_ELEMENTS (garbage));
  tcase_add_test (tc, a_silent_peer_is_cut);
  tcase_add_test (tc, a_half_frame_is_cut_and_an_idle_link_is_not);
  tcase_add_test (tc, the_oldest_silent_one_goes);
  tcase_add_test (tc, only_so_many_connections);
  tcase_add_test (tc, nobody_keeps_root_out);
  tcase_add_test (tc, a_peer_that_goes_in_the_middle);
  tcase_add_test (tc, strangers_are_told_and_sent_away);
  tcase_add_test (tc, a_connection_becomes_a_stream);
  tcase_add_test (tc, a_bad_ticket_leaves_the_connection);
  tcase_add_test (tc, bytes_before_the_answer_are_refused);
  tcase_add_test (tc, no_stream_while_calls_are_under_way);
  tcase_add_test (tc, the_socket_and_its_place);
  suite_add_tcase (suite, tc);
  return geteuid () == 0 ? run_suite (suite)
                         : run_suite_skipping (suite, of_root, "only root can become somebody else");
}
