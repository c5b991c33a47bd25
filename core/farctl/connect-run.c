/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wait while a session is in use, and programs run meanwhile. */
#include "config.h"

#include "connect.h"
#include "translate.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- child ---- */

static char *
run_replace (const char *text, const char *host, int port)
{
  g_autofree char *number = g_strdup_printf ("%d", port);
  g_autoptr (GString) out = g_string_new (text);

  g_string_replace (out, "{host}", host, 0);
  g_string_replace (out, "{port}", number, 0);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

static char **
run_environment (const Connect *connect, const char *host, int port)
{
  g_autofree char *number = g_strdup_printf ("%d", port);
  char **env = g_get_environ ();

  env = g_environ_setenv (env, "FARWATCH_HOST", host, TRUE);
  env = g_environ_setenv (env, "FARWATCH_PORT", number, TRUE);
  return g_environ_setenv (env, "FARWATCH_SESSION", connect->session, TRUE);
}

/* What we block to read as descriptors, the child must get as it always was. */
static void
run_child_setup (gpointer data)
{
  sigset_t none;

  sigemptyset (&none);
  sigprocmask (SIG_SETMASK, &none, NULL);
}

/* One sentence for what g_spawn says in its own way. */
static int
run_failed (Ctl *ctl, const char *program, const GError *cause)
{
  gboolean missing = g_error_matches (cause, G_SPAWN_ERROR, G_SPAWN_ERROR_NOENT);

  ctl_fail_new (ctl, FAR_ERROR_CONFIG, _ ("'%s' cannot be run: %s"), program,
                missing ? _ ("there is no such program") : cause->message);
  return missing ? CTL_NO_PROGRAM : CTL_NO_START;
}

int
connect_run_or_say (Connect *connect, const char *host, int port)
{
  g_autoptr (GError) error = NULL;

  if (connect_run (connect, connect->ctl->tail, host, port, &error) == 0)
    return 0;
  return run_failed (connect->ctl, connect->ctl->tail[0], error);
}

int
connect_run (Connect *connect, char **argv, const char *host, int port, GError **error)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) env = run_environment (connect, host, port);
  GPid child;

  for (guint i = 0; argv[i] != NULL; i++)
    g_ptr_array_add (words, run_replace (argv[i], host, port));
  g_ptr_array_add (words, NULL);
  if (!g_spawn_async (NULL, (char **) words->pdata, env,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN,
                      run_child_setup, NULL, &child, error)) {
    connect->child_said = TRUE;
    return -1;
  }
  connect->child = child;
  return 0;
}

static int
run_reap (Connect *connect)
{
  int status = 0;

  if (waitpid (connect->child, &status, 0) != connect->child)
    return CTL_FAILED;
  connect->child = 0;
  return WIFEXITED (status) ? WEXITSTATUS (status) : 128 + WTERMSIG (status);
}

/* ---- the wait ---- */

/* TRUE: the wait is over, *status says how. */
static gboolean
wait_signal (Connect *connect, int *status)
{
  struct signalfd_siginfo info;
  int left = 0;

  if (read (connect->signals, &info, sizeof info) != sizeof info)
    return FALSE;
  if (info.ssi_signo == SIGCHLD) {
    if (connect->child == 0 || waitpid (connect->child, &left, WNOHANG) != connect->child)
      return FALSE;
    connect->child = 0;
    connect->child_said = TRUE;
    *status = WIFEXITED (left) ? WEXITSTATUS (left) : 128 + WTERMSIG (left);
    return TRUE;
  }
  if (connect->child != 0 && info.ssi_signo == SIGINT)
    return FALSE; /* the terminal gave it to the child as well: it decides */
  *status = CTL_OK;
  return TRUE;
}

static gboolean
wait_event (Connect *connect, int *status)
{
  g_autoptr (GError) error = NULL;

  connect_event (connect, &error);
  if (!connect->over)
    return FALSE;
  if (error != NULL)
    ctl_say ("farctl: %s", ctl_translated (error->message));
  connect->cut = TRUE;
  *status = CTL_FAILED; /* it ended, but not by us */
  return TRUE;
}

static void
wait_accept (Connect *connect, int listener)
{
  g_autoptr (GError) error = NULL;

  if (!connect_accept (connect, listener, &error))
    ctl_say ("farctl: %s", ctl_translated (error->message));
}

static void
wait_stop_child (Connect *connect)
{
  if (connect->child == 0)
    return;
  kill (connect->child, SIGTERM);
  run_reap (connect);
}

int
connect_wait (Connect *connect, int listener)
{
  int status = CTL_OK;
  gboolean over = FALSE;

  while (!over) {
    struct pollfd ready[3] = {
      { .fd = connect->signals, .events = POLLIN },
      { .fd = connect->watch.fd, .events = POLLIN },
      { .fd = listener, .events = POLLIN },
    };

    if (poll (ready, 3, 1000) < 0 && errno != EINTR)
      break;
    while (g_main_context_iteration (NULL, FALSE))
      ; /* reports of pumps that have ended */
    if (ready[2].revents != 0)
      wait_accept (connect, listener);
    if (ready[1].revents != 0)
      over = wait_event (connect, &status);
    if (!over && ready[0].revents != 0)
      over = wait_signal (connect, &status);
  }
  wait_stop_child (connect);
  return status;
}

/* ---- stock ssh ---- */

static char *
ssh_proxy_command (const Connect *connect)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL),
                  *quoted = g_shell_quote (self != NULL ? self : "farctl");
  g_autoptr (GString) line = g_string_new (quoted);
  const Ctl *ctl = connect->ctl;
  const char *const options[][2] = {
    { "--socket", ctl->socket },
    { "--server", ctl->server },
    { "--ca", ctl->ca },
  };

  for (guint i = 0; i < G_N_ELEMENTS (options); i++) {
    g_autofree char *value = options[i][1] != NULL ? g_shell_quote (options[i][1]) : NULL;

    if (value != NULL)
      g_string_append_printf (line, " %s %s", options[i][0], value);
  }
  g_string_append_printf (line, " stream %s", connect->session);
  g_string_replace (line, "%", "%%", 0); /* ssh reads % in it */
  return g_string_free (g_steal_pointer (&line), FALSE);
}

int
connect_ssh (Connect *connect)
{
  g_autofree char *proxy = ssh_proxy_command (connect), *option = g_strconcat ("ProxyCommand=", proxy, NULL);
  g_autofree char *alias = g_strconcat ("HostKeyAlias=", connect->terminal, NULL);
  g_autofree char *known = connect->known_hosts != NULL
                               ? g_strdup_printf ("UserKnownHostsFile=\"%s\"", connect->known_hosts)
                               : g_strdup ("LogLevel=INFO");
  g_autofree char *strict = g_strdup (connect->known_hosts != NULL ? "StrictHostKeyChecking=yes"
                                                                   : "StrictHostKeyChecking=ask");
  char *argv[] = { (char *) "ssh",
                   (char *) "-o",
                   option,
                   (char *) "-o",
                   alias,
                   (char *) "-o",
                   known,
                   (char *) "-o",
                   strict,
                   (char *) "-l",
                   connect->user,
                   connect->terminal,
                   NULL };
  GError *error = NULL;

  if (connect_run (connect, argv, "", 0, &error) < 0)
    return ctl_fail (connect->ctl, error);
  return connect_wait (connect, -1);
}
