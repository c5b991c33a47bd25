/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tunnel end against OpenSSH's `ssh -R` and against peers that mean no good; the dialling end against
 * OpenSSH's sshd. */
#include "config.h"

#include "unit/ssh-person.h"

#include <farwatch/trust.h>
#include <malloc.h>
#ifdef FAR_SANITIZED
size_t __sanitizer_get_current_allocated_bytes (void); /* the header is not in every compiler's package */
#endif

#define PROFILE                                                                                              \
  "authenticators:\n  wax:\n    type: wax\n    tokens: ['t1 word-1 session/s1', 't1 word-2 session/s1', "    \
  "'t1 word-3 session/s1']\n"                                                                                \
  "transports:\n  z: {type: ssh, listen: '127.0.0.1:0', login: [wax], per-address: 6}\n  t: {type: ssh}\n"

static Side cloud, terminal;
static Echo device;
static Reserved *tunnel;
static guint16 z_port;

static void
set_up (void)
{
  cloud = terminal = (Side){ 0 };
  echo_start (&device);
  terminal.device = &device;
  node_start (PROFILE);
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_PORTS,
                          .person_address = "127.0.0.1",
                          .length_us = SECONDS (600) };
  tunnel = reserve ("z", &spec, &cloud);
  z_port = g_ascii_strtoull (strchr (tunnel->address, ':') + 1, NULL, 10);
}

static void
tear_down (void)
{
  node_stop ();
  echo_stop (&device);
  side_clear (&cloud);
  side_clear (&terminal);
  reserved_free (tunnel);
}

static void
dial_well (const char *word)
{
  guint up = cloud.up + 1;
  g_autoptr (GError) error = dial_as ("t", tunnel, "s1", "t1", word, tunnel->host_key, &terminal);
  ck_assert_msg (error == NULL, "%s", error != NULL ? error->message : "");
  await (&cloud.up, up);
}

static gboolean
is_thrown_out (int fd)
{
  char text[512];
  gssize got;
  do
    got = person_reads (fd, text, sizeof text);
  while (got > 0);
  return got == 0 || errno != EAGAIN;
}

/* ---- ssh -R ---- */

static void
ssh_start (Program *program, const char *token, const char *const *more)
{
  g_autofree char *ssh = program_path ("ssh"), *ask = askpass_make (token),
                  *number = g_strdup_printf ("%u", z_port);
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  const char *usual[] = { ssh,
                          "-F",
                          "/dev/null",
                          "-o",
                          "StrictHostKeyChecking=no",
                          "-o",
                          "UserKnownHostsFile=/dev/null",
                          "-o",
                          "IdentitiesOnly=yes",
                          "-o",
                          "ExitOnForwardFailure=yes",
                          "-p",
                          number };
  for (guint i = 0; i < G_N_ELEMENTS (usual); i++)
    g_ptr_array_add (argv, (gpointer) usual[i]);
  for (guint i = 0; more[i] != NULL; i++)
    g_ptr_array_add (argv, (gpointer) more[i]);
  g_ptr_array_add (argv, NULL);
  program_start (program, ask, (const char *const *) argv->pdata);
}

#define SSH(program, token, ...) ssh_start (program, token, (const char *const[]){ __VA_ARGS__, NULL })

static char *
rule (guint16 x)
{
  return g_strdup_printf ("%u:127.0.0.1:%u", x, device.port);
}

START_TEST (stock_carrier)
{
  Program ssh;
  g_autofree char *forward = rule (tunnel->x);
  SSH (&ssh, "word-1", "-N", "-R", forward, "t1@127.0.0.1");
  await (&cloud.up, 1);
  ck_assert (cloud.stock);
  for (int i = 0; i < 10; i++) {
    int person = person_dials (tunnel->y, NULL);
    ck_assert (person_hears_echo (person, "by a stock terminal"));
    close (person);
  }
  await (&cloud.closed, 10);
  kill (ssh.pid, SIGKILL);
  await (&cloud.lost, 1);
  program_end (&ssh);
  SSH (&ssh, "word-2", "-N", "-R", forward, "t1@127.0.0.1");
  await (&cloud.up, 2);
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "it is back"));
  close (person);
  program_end (&ssh);
}
END_TEST

static gsize
bytes_in_use (void)
{
#ifdef FAR_SANITIZED
  return __sanitizer_get_current_allocated_bytes ();
#else
  return mallinfo2 ().uordblks;
#endif
}

static void
be_refused (guint times)
{
  for (guint i = 0, before = cloud.closed; i < times; i++) {
    int person = person_dials (tunnel->y, NULL);
    ck_assert (is_thrown_out (person));
    close (person);
    await (&cloud.closed, before + i + 1);
  }
  settle_workers ();
}

/* A device that is off: the terminal refuses each channel. What libssh keeps of one is some hundred bytes,
 * and its buffers. */
START_TEST (refused_channels_leave_nothing)
{
  Program ssh;
  g_autofree char *forward = g_strdup_printf ("%u:127.0.0.1:%u", tunnel->x, free_port ());
  SSH (&ssh, "word-1", "-N", "-R", forward, "t1@127.0.0.1");
  await (&cloud.up, 1);
  be_refused (100);
  gsize before = bytes_in_use ();
  be_refused (300);
  gsize after = bytes_in_use ();
  ck_assert_msg (after < before + 300 * 100, "%zd bytes of each are left", (gssize) (after - before) / 300);
  program_end (&ssh);
}
END_TEST

/* With a key of its own that nobody asked for. */
START_TEST (stock_carrier_with_a_key)
{
  Program ssh;
  g_autofree char *forward = rule (tunnel->x), *keygen = program_path ("ssh-keygen"),
                  *key = g_build_filename (ssh_folder, "id", NULL);
  const char *argv[] = { keygen, "-q", "-t", "ed25519", "-N", "", "-f", key, NULL };
  ck_assert (g_spawn_sync (NULL, (char **) argv, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL));
  SSH (&ssh, "word-1", "-i", key, "-N", "-R", forward, "t1@127.0.0.1");
  await (&cloud.up, 1);
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "hello"));
  close (person);
  program_end (&ssh);
}
END_TEST

/* What a terminal may not have: another port, a shell, a command, a way into the cloud, a second port. */
START_TEST (stock_end_wants_more)
{
  Program ssh;
  g_autofree char *forward = rule (tunnel->x), *other = rule (free_port ()),
                  *into = g_strdup_printf ("127.0.0.1:%u", device.port);
  switch (_i) {
  case 0:
    SSH (&ssh, "word-1", "-N", "-R", other, "t1@127.0.0.1");
    break;
  case 1:
    SSH (&ssh, "word-1", "-T", "t1@127.0.0.1");
    break;
  case 2:
    SSH (&ssh, "word-1", "t1@127.0.0.1", "id");
    break;
  case 3:
    SSH (&ssh, "word-1", "-W", into, "t1@127.0.0.1");
    break;
  case 4:
    SSH (&ssh, "word-1", "-N", "-R", forward, "-R", other, "t1@127.0.0.1");
    break;
  default:
    SSH (&ssh, "word-1", "-s", "t1@127.0.0.1", "sftp");
  }
  ck_assert_msg (program_wait (&ssh, NULL), "case %d goes on: %s", _i, ssh.output->str);
  ck_assert_int_ne (ssh.status, 0);
  ck_assert_int_eq (device.connections, 0);
  if (_i == 0 || _i == 4)
    await (&cloud.refused, 1);
  program_end (&ssh);
}
END_TEST

START_TEST (a_used_token_is_worth_nothing)
{
  Program ssh;
  g_autofree char *forward = rule (tunnel->x);
  dial_well ("word-1");
  SSH (&ssh, "word-1", "-N", "-R", forward, "t1@127.0.0.1");
  ck_assert (program_wait (&ssh, NULL));
  ck_assert_int_eq (ssh.status, 255);
  ck_assert_uint_eq (cloud.up, 1);
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "the session did not notice"));
  close (person);
  program_end (&ssh);
}
END_TEST

/* ---- sshd ---- */

static char *
public_of (const char *path)
{
  g_autofree char *file = g_strconcat (path, ".pub", NULL), *text = NULL;
  ck_assert (g_file_get_contents (file, &text, NULL, NULL));
  g_auto (GStrv) part = g_strsplit (g_strstrip (text), " ", 3);
  return g_strjoin (" ", part[0], part[1], NULL);
}

START_TEST (stock_tunnel_end)
{
  g_autofree char *sshd = program_path ("sshd"), *keygen = program_path ("ssh-keygen"),
                  *host = g_build_filename (ssh_folder, "host", NULL);
  g_autofree char *config = g_build_filename (ssh_folder, "sshd_config", NULL);
  g_autofree char *keys = far_node_path ("keys"), *ours = far_trust_ssh_public (keys, NULL);
  guint16 port = free_port (), x = free_port ();
  g_autofree char *address = g_strdup_printf ("127.0.0.1:%u", port);
  g_autofree char *text = g_strdup_printf ("Port %u\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile "
                                           "%s/authorized\nStrictModes no\nUsePAM no\n"
                                           "PermitRootLogin yes\nPasswordAuthentication no\nPidFile none\n",
                                           port, host, ssh_folder);
  const char *make_key[] = { keygen, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", host, NULL };
  const char *run[] = { sshd, "-D", "-e", "-f", config, NULL };
  ck_assert_msg (sshd != NULL, "sshd is missing: apt install openssh-server");
  ck_assert (g_spawn_sync (NULL, (char **) make_key, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL));
  write_file (ssh_folder, "sshd_config", text, -1);
  write_file (ssh_folder, "authorized", ours, -1);
  g_chmod (ssh_folder, 0711);
  if (getuid () == 0)
    g_mkdir ("/run/sshd", 0755);
  Program server;
  program_start (&server, NULL, run);
  ck_assert_msg (program_wait (&server, "listening"), "%s", server.output->str);
  g_autofree char *key = public_of (host);
  Reserved there = { .x = x, .address = address, .host_key = key };
  g_autoptr (GError) error = dial_as ("t", &there, "s1", g_get_user_name (), "no token here", key, &terminal);
  ck_assert_msg (error == NULL, "%s\n%s", error != NULL ? error->message : "", server.output->str);
  await (&terminal.up, 1);
  int person = person_dials (x, NULL);
  ck_assert (person_hears_echo (person, "through a stock server"));
  close (person);
  await (&terminal.closed, 1);
  far_clock_advance (SECONDS (601));
  help_wait (&terminal.ended);
  ck_assert_str_eq (terminal.cause, "deadline");
  program_end (&server);
}
END_TEST

/* ---- peers that mean no good ---- */

START_TEST (silent_peers_go_after_ten_seconds)
{
  int peers[4];
  dial_well ("word-1");
  for (int i = 0; i < 4; i++)
    peers[i] = person_dials (z_port, NULL);
  if (_i == 1) /* they say hello and no more */
    for (int i = 0; i < 4; i++)
      ck_assert_int_eq (send (peers[i], "SSH-2.0-sleepy\r\n", 16, MSG_NOSIGNAL), 16);
  run_pending ();
  settle_workers ();
  far_clock_advance (SECONDS (11));
  for (int i = 0; i < 4; i++) {
    ck_assert (is_thrown_out (peers[i]));
    close (peers[i]);
  }
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "unharmed"));
  close (person);
}
END_TEST

/* Announces a packet of 262,000 bytes and delivers it slowly: libssh would keep it all. */
START_TEST (a_huge_packet_is_not_waited_for)
{
  guint8 part[1024] = { 0 };
  int peer = person_dials (z_port, NULL);
  gsize sent = 0;
  guint8 head[] = { 0x00, 0x03, 0xff, 0x70, 4, 20 };
  ck_assert_int_eq (send (peer, "SSH-2.0-glutton\r\n", 17, MSG_NOSIGNAL), 17);
  ck_assert_int_eq (send (peer, head, sizeof head, MSG_NOSIGNAL), (int) sizeof head);
  while (sent < 200 * 1024) {
    gssize n = send (peer, part, sizeof part, MSG_NOSIGNAL);
    if (n <= 0)
      break;
    sent += n;
    g_usleep (200);
  }
  ck_assert_uint_lt (sent, 200 * 1024);
  close (peer);
}
END_TEST

START_TEST (garbage)
{
  static const char *const words[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                       "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "SSH-1.5-old\r\n",
                                       "SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff" };
  int peer = person_dials (z_port, NULL);
  gsize size = strlen (words[_i]) + (_i == 1 ? 200 : 0);
  g_autofree char *text = g_malloc0 (size + 4096);
  memcpy (text, words[_i], strlen (words[_i]));
  ck_assert_int_gt (send (peer, text, size + 4096, MSG_NOSIGNAL), 0);
  help_spin (20);
  settle_workers ();
  far_clock_advance (SECONDS (11));
  ck_assert (is_thrown_out (peer));
  close (peer);
  dial_well ("word-1");
}
END_TEST

/* The oldest of its own go, silent as they are; the terminal behind the same address comes in all the same.
 */
START_TEST (too_many_from_one_address)
{
  int peers[12];
  char text[512];
  dial_well ("word-1");
  for (int i = 0; i < 12; i++)
    peers[i] = person_dials (z_port, NULL);
  for (int i = 0; i < 6; i++)
    ck_assert (is_thrown_out (peers[i]));
  for (int i = 6; i < 12; i++)
    ck_assert_int_gt (person_reads (peers[i], text, sizeof text), 0); /* the banner */
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "unharmed"));
  close (person);
  ck_assert_int_lt (recv (peers[6], text, sizeof text, MSG_DONTWAIT), 0);
  ck_assert_int_eq (errno, EAGAIN);
  dial_well ("word-2");
  ck_assert (is_thrown_out (peers[6]));
  for (int i = 0; i < 12; i++)
    close (peers[i]);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("stock");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, stock_carrier);
  tcase_add_test (cases, refused_channels_leave_nothing);
  tcase_add_test (cases, stock_carrier_with_a_key);
  tcase_add_loop_test (cases, stock_end_wants_more, 0, 6);
  tcase_add_test (cases, a_used_token_is_worth_nothing);
  tcase_add_test (cases, stock_tunnel_end);
  tcase_add_loop_test (cases, silent_peers_go_after_ten_seconds, 0, 2);
  tcase_add_test (cases, a_huge_packet_is_not_waited_for);
  tcase_add_loop_test (cases, garbage, 0, 4);
  tcase_add_test (cases, too_many_from_one_address);
  Suite *suite = suite_create ("stock");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
