/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's login service, visited with OpenSSH and PuTTY. */
#include "reach/device.h"
#include "auth/throttle.h"
#include "unit/ssh-person.h"

#include <farwatch/trust.h>
#include <glib-unix.h>

static Echo device;
static int listener;
static guint16 port;
static guint watch;
static const char *ssh_user_device, *ssh_user_asker;
static gint64 ssh_user_deadline;
static gint ssh_users_closed;

/* ---- what the agent does: each connection is joined with the login service ---- */

static void
ssh_user_closed (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user)
{
  g_atomic_int_inc (&ssh_users_closed);
}

static void
ssh_user_opened (FarRequest *req, gpointer user)
{
  FarPumpSpec spec = { .session = "s1", .deadline_us = ssh_user_deadline, .closed = ssh_user_closed };
  ck_assert_msg (far_request_error (req) == NULL, "%s",
                 far_request_error (req) != NULL ? far_request_error (req)->message : "");
  far_pump_start (user, far_request_steal (req), &spec);
}

static gboolean
person_came (gint fd, GIOCondition condition, gpointer user)
{
  FarLoop *loop = far_loop_pick ();
  FarEndpointSpec spec = { .session = "s1",
                           .from = "192.0.2.9",
                           .asker = ssh_user_asker,
                           .device = ssh_user_device,
                           .want_loop = loop,
                           .deadline_us = ssh_user_deadline };
  FarStream *stream = far_stream_fd_new (loop, accept (fd, NULL, NULL));
  far_endpoint_open ("login", &spec, far_request_new (ssh_user_opened, stream, 0));
  return G_SOURCE_CONTINUE;
}

static char *key_path;

static char *
make_key (void)
{
  g_autofree char *keygen = program_path ("ssh-keygen"), *public = NULL;
  key_path = g_build_filename (ssh_folder, "id", NULL);
  const char *argv[] = { keygen, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key_path, NULL };
  ck_assert (g_spawn_sync (NULL, (char **) argv, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL));
  g_autofree char *pub = g_strconcat (key_path, ".pub", NULL);
  ck_assert (g_file_get_contents (pub, &public, NULL, NULL));
  return g_strdup (g_strstrip (public));
}

static void
set_up (void)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof at;
  ssh_user_device = ssh_user_asker = NULL;
  ssh_user_deadline = 0;
  echo_start (&device);
  ssh_folder = make_folder (); /* for the key: node_start() makes its own */
  g_autofree char *line = make_key (), *old = ssh_folder;
  g_autofree char *lines = g_strdup_printf (
      "authenticators:\n  wax: {type: wax, passwords: ['alice wonder'], keys: ['alice %s']}\n"
      "endpoints:\n  lan: {type: tcp}\n  login: {type: ssh-login, login: [wax], shell: lan}\n"
      "devices:\n  meter: {endpoint: lan, address: '127.0.0.1:%u'}\n  dead: {endpoint: lan, address: "
      "'127.0.0.1:1'}\n",
      line, device.port);
  node_start (lines);
  g_autofree char *key = g_build_filename (ssh_folder, "id", NULL);
  ck_assert_int_eq (rename (key_path, key), 0);
  g_free (key_path);
  key_path = g_steal_pointer (&key);
  remove_folder (old);
  far_device_profile_set (g_ptr_array_ref (far_node_profile ()->devices));
  listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ck_assert_int_eq (bind (listener, (struct sockaddr *) &at, sizeof at) | listen (listener, 16), 0);
  ck_assert_int_eq (getsockname (listener, (struct sockaddr *) &at, &size), 0);
  port = ntohs (at.sin_port);
  watch = g_unix_fd_add (listener, G_IO_IN, person_came, NULL);
}

static void
tear_down (void)
{
  g_source_remove (watch);
  close (listener);
  far_device_unlock (NULL, "s1");
  far_device_profile_set (NULL);
  node_stop ();
  echo_stop (&device);
  g_clear_pointer (&key_path, g_free);
}

/* ---- ssh ---- */

#define QUIET                                                                                                \
  "-F", "/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",           \
      "GlobalKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes"

/* more: arguments up to NULL, after the usual ones */
static void
ssh_start (Program *program, const char *password, const char *const *more)
{
  g_autofree char *ssh = program_path ("ssh"), *ask = password != NULL ? askpass_make (password) : NULL,
                  *number = g_strdup_printf ("%u", port);
  static const char *const usual[] = { QUIET, "-p", NULL };
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_ptr_array_add (argv, ssh);
  for (guint i = 0; usual[i] != NULL; i++)
    g_ptr_array_add (argv, (gpointer) usual[i]);
  g_ptr_array_add (argv, number);
  for (guint i = 0; more[i] != NULL; i++)
    g_ptr_array_add (argv, (gpointer) more[i]);
  g_ptr_array_add (argv, NULL);
  program_start (program, ask, (const char *const *) argv->pdata);
}

#define SSH(program, password, ...) ssh_start (program, password, (const char *const[]){ __VA_ARGS__, NULL })

START_TEST (password_to_the_device)
{
  Program ssh;
  ssh_user_device = "meter";
  SSH (&ssh, "wonder", "-T", "alice@127.0.0.1");
  program_say (&ssh, "read all\n");
  ck_assert_msg (program_wait (&ssh, "read all"), "%s", ssh.output->str);
  program_end_input (&ssh);
  ck_assert_msg (program_wait (&ssh, NULL), "does not end: %s", ssh.output->str);
  ck_assert_int_eq (ssh.status, 0);
  program_end (&ssh);
}
END_TEST

START_TEST (other_ways_to_say_who_one_is)
{
  static const char *const ways[] = { "keyboard-interactive", "publickey", "password" };
  g_autofree char *way = g_strdup_printf ("PreferredAuthentications=%s", ways[_i]);
  Program ssh;
  ssh_user_device = "meter";
  SSH (&ssh, _i == 1 ? NULL : "wonder", "-o", way, "-i", key_path, "-T", "alice@127.0.0.1");
  program_say (&ssh, "hello\n");
  ck_assert_msg (program_wait (&ssh, "hello"), "%s: %s", ways[_i], ssh.output->str);
  program_end (&ssh);
}
END_TEST

START_TEST (a_key_of_nobody)
{
  Program ssh;
  ssh_user_device = "meter";
  SSH (&ssh, NULL, "-o", "PreferredAuthentications=publickey", "-i", key_path, "-T", "bob@127.0.0.1");
  ck_assert (program_wait (&ssh, NULL));
  ck_assert_int_eq (ssh.status, 255);
  ck_assert_int_eq (device.connections, 0);
  program_end (&ssh);
}
END_TEST

START_TEST (three_wrong_passwords)
{
  Program ssh;
  ssh_user_device = "meter";
  SSH (&ssh, "wrong", "-o", "NumberOfPasswordPrompts=9", "-T", "alice@127.0.0.1");
  ck_assert_msg (program_wait (&ssh, NULL), "%s", ssh.output->str);
  ck_assert_int_eq (ssh.status, 255);
  ck_assert_int_eq (device.connections, 0);
  program_end (&ssh);
}
END_TEST

/* Somebody who has a way in tries passwords as alice, until no more are tried: it is their way in which that
 * happens. */
START_TEST (wrong_passwords_of_another_lock_nobody_out)
{
  const FarTry mallory = { .name = "alice",
                           .from = "192.0.2.9",
                           .told = "person:mallory",
                           .interface = "ssh" };
  Program ssh;
  ssh_user_device = "meter";
  for (guint i = 0; i < FAR_THROTTLE_TRIES; i++)
    far_throttle_leave (&mallory, FAR_TRY_FAILED);
  ssh_user_asker = "person:mallory";
  SSH (&ssh, "wonder", "-o", "PreferredAuthentications=password", "-T", "alice@127.0.0.1");
  ck_assert (program_wait (&ssh, NULL));
  ck_assert_int_eq (ssh.status, 255);
  ck_assert_msg (
      strstr (ssh_logged (),
              "too many refused logins as alice from 192.0.2.9 (in the session of person:mallory)") != NULL,
      "%s", ssh_logged ());
  program_end (&ssh);
  SSH (&ssh, NULL, "-o", "PreferredAuthentications=publickey", "-i", key_path, "-T", "alice@127.0.0.1");
  program_say (&ssh, "by key\n");
  ck_assert_msg (program_wait (&ssh, "by key"), "%s", ssh.output->str);
  program_end (&ssh);
  ssh_user_asker = "person:alice";
  SSH (&ssh, "wonder", "-o", "PreferredAuthentications=password", "-T", "alice@127.0.0.1");
  program_say (&ssh, "by password\n");
  ck_assert_msg (program_wait (&ssh, "by password"), "%s", ssh.output->str);
  program_end (&ssh);
}
END_TEST

START_TEST (forward_to_a_device)
{
  g_autofree char *by_address = g_strdup_printf ("127.0.0.1:%u", device.port);
  Program ssh;
  SSH (&ssh, "wonder", "-W", _i == 0 ? "meter:502" : by_address, "alice@127.0.0.1");
  program_say (&ssh, "over -W\n");
  ck_assert_msg (program_wait (&ssh, "over -W"), "%s", ssh.output->str);
  program_end_input (&ssh);
  ck_assert (program_wait (&ssh, NULL));
  program_end (&ssh);
}
END_TEST

START_TEST (local_forward)
{
  guint16 here = free_port ();
  g_autofree char *rule = g_strdup_printf ("%u:meter:502", here);
  Program ssh;
  int person = -1;
  SSH (&ssh, "wonder", "-N", "-L", rule, "alice@127.0.0.1");
  for (int i = 0; i < 2000 && person < 0; i++) {
    person = person_dials (here, NULL);
    help_spin (5);
    g_usleep (1000);
  }
  ck_assert_msg (person >= 0, "%s", ssh.output->str);
  for (int i = 0; i < 20; i++) {
    ck_assert (person_hears_echo (person, "through -L"));
    close (person);
    person = person_dials (here, NULL);
  }
  close (person);
  program_end (&ssh);
}
END_TEST

/* Whatever is not a device of this terminal, and whatever is not wanted here at all. */
START_TEST (nothing_else)
{
  Program ssh;
  g_autofree char *other = g_strdup_printf ("127.0.0.1:%u", port);
  g_autofree char *back = g_strdup_printf ("%u:127.0.0.1:%u", free_port (), device.port);
  switch (_i) {
  case 0:
    SSH (&ssh, "wonder", "-W", other, "alice@127.0.0.1");
    break;
  case 1:
    ssh_user_device = "dead";
    SSH (&ssh, "wonder", "-W", "meter:502", "alice@127.0.0.1"); /* not the device of this session */
    break;
  case 2:
    SSH (&ssh, "wonder", "-N", "-o", "ExitOnForwardFailure=yes", "-R", back, "alice@127.0.0.1");
    break;
  case 3:
    SSH (&ssh, "wonder", "-s", "alice@127.0.0.1", "sftp");
    break;
  default:
    ssh_user_device = "dead";
    SSH (&ssh, "wonder", "-T", "alice@127.0.0.1");
  }
  ck_assert_msg (program_wait (&ssh, NULL), "case %d goes on: %s", _i, ssh.output->str);
  ck_assert_msg (ssh.status != 0, "case %d: %s", _i, ssh.output->str);
  if (_i == 4)
    ck_assert_msg (ssh.status == 1 && strstr (ssh.output->str, "farwatch: device 'dead'") != NULL, "%s",
                   ssh.output->str);
  ck_assert_int_eq (device.connections, 0);
  program_end (&ssh);
}
END_TEST

START_TEST (the_deadline_cuts_it)
{
  Program ssh;
  ssh_user_device = "meter";
  ssh_user_deadline = far_clock_boottime_us () + SECONDS (600);
  SSH (&ssh, "wonder", "-T", "alice@127.0.0.1");
  program_say (&ssh, "x\n");
  ck_assert (program_wait (&ssh, "x"));
  far_clock_advance (SECONDS (601));
  ck_assert (program_wait (&ssh, NULL));
  ck_assert_int_ne (ssh.status, 0);
  program_end (&ssh);
}
END_TEST

static gboolean
is_cut (int fd)
{
  char text[512];
  gssize got;
  do
    got = person_reads (fd, text, sizeof text);
  while (got > 0);
  return got == 0 || errno != EAGAIN;
}

/* Somebody who never says what a client of SSH says has ten seconds, not the minute of those who type. */
START_TEST (silence)
{
  char text[256];
  int person = person_dials (port, NULL);
  ck_assert_int_gt (person_reads (person, text, sizeof text), 4);
  ck_assert_int_eq (memcmp (text, "SSH-", 4), 0);
  if (_i == 1)
    ck_assert_int_eq (send (person, "SSH-2.0-half\r\n", 14, MSG_NOSIGNAL), 14);
  help_spin (20);
  far_clock_advance (SECONDS (11));
  ck_assert (is_cut (person));
  close (person);
}
END_TEST

/* No clock moves: it is the number of bytes that ends it. */
START_TEST (a_flood_before_login)
{
  static const char begin[] = "SSH-2.0-big\r\n\0\x03\xff\x70\x04";
  g_autofree char *rest = g_malloc0 (60000);
  int person = person_dials (port, NULL);
  ck_assert_int_eq (send (person, begin, sizeof begin - 1, MSG_NOSIGNAL), (int) sizeof begin - 1);
  ck_assert_int_eq (send (person, rest, 60000, MSG_NOSIGNAL), 60000);
  ck_assert (is_cut (person));
  ck_assert_msg (strstr (ssh_logged (), "too many bytes before login (the limit is 48 KiB)") != NULL, "%s",
                 ssh_logged ());
  close (person);
}
END_TEST

/* An askpass that says when it is asked and answers when it is told to. */
static char *
slow_askpass (void)
{
  g_autofree char
      *text = g_strdup_printf ("#!/bin/sh\ncd '%s'\ntouch asked\nwhile [ ! -e go ]; do sleep 0.02; done\n"
                               "case $1 in *fingerprint*) echo yes;; *) echo wonder;; esac\n",
                               ssh_folder);
  write_file (ssh_folder, "slow", text, -1);
  char *path = g_build_filename (ssh_folder, "slow", NULL);
  ck_assert_int_eq (g_chmod (path, 0700), 0);
  return path;
}

static gboolean
file_there (gpointer name)
{
  g_autofree char *path = g_build_filename (ssh_folder, name, NULL);
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* Asked for a password, or before that whether the host key is the right one: people read and type. */
START_TEST (people_take_their_time)
{
  g_autofree char *ssh_path = program_path ("ssh"), *ask = slow_askpass (),
                  *number = g_strdup_printf ("%u", port);
  const char *check = _i % 2 == 0 ? "StrictHostKeyChecking=no" : "StrictHostKeyChecking=ask";
  const char *argv[] = { ssh_path,
                         "-F",
                         "/dev/null",
                         "-o",
                         check,
                         "-o",
                         "UserKnownHostsFile=/dev/null",
                         "-o",
                         "GlobalKnownHostsFile=/dev/null",
                         "-o",
                         "IdentitiesOnly=yes",
                         "-p",
                         number,
                         "-T",
                         "alice@127.0.0.1",
                         NULL };
  Program ssh;
  ssh_user_device = "meter";
  program_start (&ssh, ask, argv);
  ck_assert (run_until (file_there, (gpointer) "asked"));
  far_clock_advance (SECONDS (_i < 2 ? 50 : 61));
  help_spin (50);
  write_file (ssh_folder, "go", "", 0);
  program_say (&ssh, "after a while\n");
  if (_i < 2) {
    ck_assert_msg (program_wait (&ssh, "after a while"), "%s; %s", ssh.output->str, ssh_logged ());
  } else {
    ck_assert (program_wait (&ssh, NULL));
    ck_assert_int_eq (ssh.status, 255);
  }
  program_end (&ssh);
}
END_TEST

static char *
fingerprint (void)
{
  g_autofree char *folder = far_node_path ("keys"), *line = far_trust_ssh_public (folder, NULL);
  gsize size;
  g_autofree guchar *blob = g_base64_decode (strchr (line, ' ') + 1, &size);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 digest[32];
  gsize n = sizeof digest;
  g_checksum_update (sum, blob, size);
  g_checksum_get_digest (sum, digest, &n);
  g_autofree char *text = g_base64_encode (digest, n);
  *strchr (text, '=') = '\0';
  return g_strconcat ("SHA256:", text, NULL);
}

START_TEST (putty)
{
  g_autofree char *plink = program_path ("plink"), *number = g_strdup_printf ("%u", port),
                  *key = fingerprint ();
  Program program;
  ck_assert_msg (plink != NULL, "plink is missing: apt install putty-tools");
  const char *argv[] = { plink, "-ssh",   "-batch",          "-P",  number,      "-hostkey", key,
                         "-pw", "wonder", "alice@127.0.0.1", "-nc", "meter:502", NULL };
  program_start (&program, NULL, argv);
  program_say (&program, "from plink\n");
  ck_assert_msg (program_wait (&program, "from plink"), "%s", program.output->str);
  program_end (&program);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("visit");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, password_to_the_device);
  tcase_add_loop_test (cases, other_ways_to_say_who_one_is, 0, 3);
  tcase_add_test (cases, a_key_of_nobody);
  tcase_add_test (cases, three_wrong_passwords);
  tcase_add_test (cases, wrong_passwords_of_another_lock_nobody_out);
  tcase_add_loop_test (cases, forward_to_a_device, 0, 2);
  tcase_add_test (cases, local_forward);
  tcase_add_loop_test (cases, nothing_else, 0, 5);
  tcase_add_test (cases, the_deadline_cuts_it);
  tcase_add_loop_test (cases, silence, 0, 2);
  tcase_add_test (cases, a_flood_before_login);
  tcase_add_loop_test (cases, people_take_their_time, 0, 4);
  tcase_add_test (cases, putty);
  Suite *suite = suite_create ("visit");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
