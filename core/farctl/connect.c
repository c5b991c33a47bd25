/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds the command `farctl connect` from its arguments to its exit code. Its steps are in files
 * of their own: the session in connect-ask.c, the terminal's keys in connect-keys.c, the bytes in
 * connect-join.c, programs that run meanwhile in connect-run.c. */
#include "config.h"

#include "connect.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <farwatch/option.h>

static void
connect_clear (Connect *connect)
{
  char **const texts[] = { &connect->terminal, &connect->device,   &connect->for_text,    &connect->reason,
                           &connect->entry,    &connect->login,    &connect->user,        &connect->address,
                           &connect->session,  &connect->host_key, &connect->known_hosts, &connect->off };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_clear_pointer (texts[i], g_free);
  json_decref (connect->row);
  ctl_close (&connect->watch);
  g_free (connect->watch.ticket);
  if (connect->signals >= 0)
    close (connect->signals);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Connect, connect_clear)

/* ---- arguments ---- */

static gboolean
connect_options (Connect *connect, int *argc, char ***argv)
{
  const GOptionEntry entries[] = {
    { "for", 0, 0, G_OPTION_ARG_STRING, &connect->for_text, N_ ("connection time (10m)"), N_ ("TIME") },
    { "reason", 0, 0, G_OPTION_ARG_STRING, &connect->reason, N_ ("why; stands in the history"), N_ ("TEXT") },
    { "listen", 0, 0, G_OPTION_ARG_INT, &connect->listen_port, N_ ("local port for connections; 0: any"),
      N_ ("PORT") },
    { "listen-all-users", 0, 0, G_OPTION_ARG_NONE, &connect->all_users,
      N_ ("every user of this machine may use the local port, not only you"), NULL },
    { "entry", 0, 0, G_OPTION_ARG_STRING, &connect->entry,
      N_ ("stream: through this program; ports: a port at the cloud for a stock client"), N_ ("HOW") },
    { "raw", 0, 0, G_OPTION_ARG_NONE, &connect->raw,
      N_ ("clear text through the port; needs the right connect-raw"), NULL },
    { "login", 0, 0, G_OPTION_ARG_STRING, &connect->login,
      N_ ("in-band: the terminal asks; in-advance: asked here, sealed to the terminal"), N_ ("HOW") },
    { "user", 0, 0, G_OPTION_ARG_STRING, &connect->user, N_ ("name to log in with at the terminal"),
      N_ ("NAME") },
    { "address", 0, 0, G_OPTION_ARG_STRING, &connect->address,
      N_ ("at the cloud's own machine: address or net from which the port is used (this machine)"),
      N_ ("ADDRESS") },
    { "password-stdin", 0, 0, G_OPTION_ARG_NONE, &connect->from_stdin,
      N_ ("the password is the first line of stdin"), NULL },
    { "trust-cloud", 0, 0, G_OPTION_ARG_NONE, &connect->trust_cloud,
      N_ ("in band: go on where no signed keys of the terminal can be had"), NULL },
    { "detach", 0, 0, G_OPTION_ARG_NONE, &connect->detach,
      N_ ("entry ports: print and leave it open until its time is over"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  return ctl_args (connect->ctl, entries, argc, argv, 1, 2);
}

static gboolean
connect_is_one_of (const char *text, const char *a, const char *b)
{
  return strcmp (text, a) == 0 || strcmp (text, b) == 0;
}

static char *
connect_user (Ctl *ctl)
{
  json_t *self = ctl->server != NULL ? ctl_call (ctl, "GET", "login", NULL, NULL) : NULL;
  char *name = g_strdup (self != NULL ? json_string_value (json_object_get (self, "name"))
                                      : g_get_user_name ());

  json_decref (self);
  return name != NULL ? name : g_strdup (g_get_user_name ());
}

/* What was not said: through this program; to a device the login goes ahead, since its first bytes are the
 * device's. */
static gboolean
connect_defaults (Connect *connect, GError **error)
{
  gboolean stream;

  if (!ctl_name_ok (connect->terminal, error) ||
      (connect->device != NULL && !ctl_name_ok (connect->device, error)))
    return FALSE;
  if (connect->entry == NULL)
    connect->entry = g_strdup (connect->raw ? "ports" : "stream");
  stream = strcmp (connect->entry, "stream") == 0;
  if (connect->login == NULL)
    connect->login = g_strdup (connect->raw || (stream && connect->device != NULL) ? "in-advance"
                                                                                   : "in-band");
  if (connect->for_text == NULL)
    connect->for_text = g_strdup ("10m");
  if (!connect_is_one_of (connect->entry, "stream", "ports") ||
      !connect_is_one_of (connect->login, "in-band", "in-advance")) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("--entry is stream or ports, --login is in-band or in-advance"));
    return FALSE;
  }
  if (connect->listen_port != CONNECT_NO_PORT && (connect->listen_port < 0 || connect->listen_port > 65535)) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("--listen is a port, 0 to 65535"));
    return FALSE;
  }
  if (!far_parse_duration (connect->for_text, &connect->for_us, error))
    return FALSE;
  if (connect->user == NULL)
    connect->user = connect_user (connect->ctl);
  return TRUE;
}

static gboolean
connect_target (Connect *connect, const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", 3);
  guint n = g_strv_length (parts);

  if (n < 1 || n > 2)
    return FALSE;
  connect->terminal = g_strdup (parts[0]);
  connect->device = n == 2 ? g_strdup (parts[1]) : NULL;
  return TRUE;
}

/* ---- entries ---- */

#define LAST_WORDS_MS 500 /* the cause comes by another way than the bytes' end */

static gboolean
connect_has_command (const Connect *connect)
{
  return connect->ctl->tail != NULL && connect->ctl->tail[0] != NULL;
}

static void
connect_print (Connect *connect, json_t *lines)
{
  const char *ssh = json_string_value (json_object_get (lines, "ssh")),
             *plink = json_string_value (json_object_get (lines, "plink"));

  if (connect->ctl->json) {
    json_t *all = json_copy (connect->row);

    json_object_update (all, lines);
    ctl_json (all);
    json_decref (all);
  } else if (ssh != NULL) {
    ctl_print (stdout, "%s\n%s\n", ssh, plink);
  } else {
    ctl_print (stdout, _ ("CLEAR TEXT at %s:%lld, first connection within 60 s\n"),
               json_string_value (json_object_get (lines, "host")),
               (long long) json_integer_value (json_object_get (lines, "port")));
  }
  fflush (stdout);
}

static int
connect_by_ports (Connect *connect)
{
  GError *error = NULL;
  json_t *lines = connect_ready_lines (connect, &error);
  g_autofree char *host = g_strdup (json_string_value (json_object_get (lines, "host")));
  int port = (int) json_integer_value (json_object_get (lines, "port")), status;

  if (lines == NULL)
    return ctl_fail (connect->ctl, error);
  if (!connect_has_command (connect))
    connect_print (connect, lines);
  json_decref (lines);
  if (connect->detach) {
    connect->over = TRUE; /* for us */
    return CTL_OK;
  }
  status = connect_has_command (connect) ? connect_run_or_say (connect, host != NULL ? host : "", port) : 0;
  return status != 0 ? status : connect_wait (connect, -1);
}

static int
connect_by_listener (Connect *connect)
{
  GError *error = NULL;
  gboolean run = connect_has_command (connect);
  int port = 0, status, listener = connect_listen (MAX (connect->listen_port, 0), &port, &error);

  if (listener < 0)
    return ctl_fail (connect->ctl, error);
  if (!run) {
    json_t *lines = json_pack ("{s:s, s:i}", "host", "127.0.0.1", "port", port);

    if (connect->ctl->json)
      connect_print (connect, lines);
    else
      printf (connect->listen_port >= 0 ? _ ("listening on 127.0.0.1:%d\n")
                                        : _ ("listening on 127.0.0.1:%d until Ctrl-C or the end of the time "
                                             "(`-` would join stdin and stdout)\n"),
              port);
    fflush (stdout);
    json_decref (lines);
  } else if ((status = connect_run_or_say (connect, "127.0.0.1", port)) != 0) {
    close (listener);
    return status;
  }
  status = connect_wait (connect, listener);
  close (listener);
  return status;
}

static int
connect_by_stdio (Connect *connect)
{
  GError *error = NULL;
  int fd = connect_open_fd (connect->ctl, connect->session, &error);
  JoinEnd end;

  if (fd < 0)
    return ctl_fail (connect->ctl, error);
  end = connect_join (fd, connect->signals);
  close (fd);
  if (end != JOIN_INTERRUPTED)
    connect_last_words (connect, end == JOIN_CUT ? LAST_WORDS_MS : 0);
  /* It ended, but not by us. */
  return connect->over || (connect->trouble && end == JOIN_CUT) ? CTL_FAILED : CTL_OK;
}

/* Where a program runs, the exit code is the program's; ours are told apart. */
static int
connect_status (const Connect *connect, int status)
{
  if (!connect_has_command (connect) || connect->child_said || status == CTL_OK)
    return status;
  return connect->cut ? CTL_CUT : CTL_OWN;
}

static int
connect_enter (Connect *connect)
{
  if (strcmp (connect->entry, "ports") == 0)
    return connect_by_ports (connect);
  if (connect_has_command (connect) || connect->listen_port >= 0 ||
      (connect->device != NULL && !connect->pipe))
    return connect_by_listener (connect);
  if (connect->device == NULL && strcmp (connect->login, "in-band") == 0)
    return connect_ssh (connect);
  return connect_by_stdio (connect);
}

void
connect_block_signals (Connect *connect)
{
  sigset_t set;

  sigemptyset (&set);
  sigaddset (&set, SIGINT);
  sigaddset (&set, SIGTERM);
  sigaddset (&set, SIGHUP);
  sigaddset (&set, SIGCHLD);
  sigprocmask (SIG_BLOCK, &set, NULL);
  connect->signals = signalfd (-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
connect_do (Connect *connect, int argc, char **argv)
{
  Ctl *ctl = connect->ctl;
  GError *error = NULL;
  int status;

  if (!connect_options (connect, &argc, &argv))
    return ctl->status;
  connect->pipe = argc > 2 && strcmp (argv[2], "-") == 0;
  if (argc > 2 && !connect->pipe)
    return ctl_usage (ctl, _ ("'%s' is one word too many; a COMMAND stands behind --"), argv[2]);
  if (!connect_target (connect, argv[1]))
    return ctl_usage (ctl, _ ("'%s' is not TERMINAL[/DEVICE]"), argv[1]);
  if (connect->pipe && (connect_has_command (connect) || connect->listen_port >= 0))
    return ctl_usage (ctl, "%s",
                      _ ("'-' is for stdin and stdout: it goes with neither --listen nor a COMMAND"));
  /* Before the dialer's threads start: they inherit it, else a signal ends us with the session left open. */
  connect_block_signals (connect);
  if (!connect_defaults (connect, &error))
    return ctl_fail (ctl, error);
  if (!connect_ask (connect, &error)) {
    status = ctl_fail (ctl, error);
  } else {
    status = connect_enter (connect);
  }
  connect_end (connect);
  return status;
}

int
ctl_connect (Ctl *ctl, int argc, char **argv)
{
  g_auto (Connect)
      connect = { .ctl = ctl, .listen_port = CONNECT_NO_PORT, .signals = -1, .watch = { .fd = -1 } };

  return connect_status (&connect, connect_do (&connect, argc, argv));
}
