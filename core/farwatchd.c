/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon: reads the profile, starts what it says, waits for the end. It never goes to the background by
 * itself. */
#include "config.h"

#include <glib-unix.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <farwatch/i18n.h>
#include <farwatch/version.h>

#include "base/node-part.h"
#include "node/api.h"
#include "node/handlers-node.h"
#include "node/whole.h"
#include "life/instance-private.h"
#include "loop/log.h"
#include "life/node.h"
#include "life/sd-notify.h"
#include "base/speech.h"
#include "loop/loop-latency.h"
#include "stream/memory-trim.h"

enum { EXIT_GOOD = 0, EXIT_BAD = 1, EXIT_PROFILE = 78 };

typedef struct {
  char *profile, *state;
  gboolean check, version, debug;
} Arguments;

static void
arguments_clear (Arguments *arguments)
{
  g_free (arguments->profile);
  g_free (arguments->state);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Arguments, arguments_clear)

static gboolean
parse_arguments (int argc, char **argv, Arguments *to)
{
  const GOptionEntry entries[] = {
    { "profile", 'p', 0, G_OPTION_ARG_FILENAME, &to->profile, N_ ("the profile that says what runs"),
      "FILE" },
    { "check", 0, 0, G_OPTION_ARG_NONE, &to->check, N_ ("only check the profile"), NULL },
    { "state", 0, 0, G_OPTION_ARG_FILENAME, &to->state,
      N_ ("folder to keep things in, instead of the profile's"), "DIR" },
    { "debug", 0, 0, G_OPTION_ARG_NONE, &to->debug, N_ ("log more"), NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &to->version, N_ ("say which version this is"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_set_summary (context,
                                _ ("Watches devices and lets people reach them, as its profile says."));
  g_option_context_add_main_entries (context, entries, FAR_GETTEXT_DOMAIN);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("farwatchd: %s\n", error->message);
    return FALSE;
  }
  if (!to->version && (to->profile == NULL || argc > 1)) {
    g_printerr ("%s\n", _ ("farwatchd: which profile? farwatchd --profile FILE; see --help"));
    return FALSE;
  }
  return TRUE;
}

static void
show_faults (GPtrArray *faults)
{
  g_autofree char *text = far_faults_text (faults);

  g_printerr ("%s", text);
}

/* Plugins that are needed on demand stay out of this process until then; another one checks the profile
 * whole, shows its faults and ends. */
static gboolean
check_apart (const Arguments *arguments)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  pid_t child = fork ();
  int status = 0;

  if (child == 0) {
    FarProfile *profile = far_profile_load (arguments->profile, arguments->state, faults);

    show_faults (faults);
    _exit (profile != NULL ? EXIT_GOOD : EXIT_PROFILE);
  }
  return child > 0 && waitpid (child, &status, 0) == child && WIFEXITED (status) &&
         WEXITSTATUS (status) == EXIT_GOOD;
}

static FarProfile *
load_profile (const Arguments *arguments)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = far_profile_load_lazy (arguments->profile, arguments->state, faults);

  if (profile == NULL || profile->has_on_demand)
    return check_apart (arguments) ? g_steal_pointer (&profile) : NULL;
  show_faults (faults);
  return g_steal_pointer (&profile);
}

/* Thousands of links need thousands of descriptors; the soft limit is a guard for programs that use select().
 */
static void
raise_limits (void)
{
  struct rlimit files;

  if (getrlimit (RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    setrlimit (RLIMIT_NOFILE, &files);
  }
}

static void
ignore_broken_pipes (void)
{
  struct sigaction action = { .sa_handler = SIG_IGN };

  sigaction (SIGPIPE, &action, NULL);
}

static void
say_ready (void)
{
  far_log (NULL, G_LOG_LEVEL_MESSAGE, "ready; the control socket is %s", far_node_control ());
  far_notify ("READY=1");
}

static gboolean
end_wanted (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_CONTINUE;
}

static gboolean
reload_wanted (gpointer data)
{
  far_reload_by_signal ();
  return G_SOURCE_CONTINUE;
}

static void
farwatchd_run (FarProfile *profile)
{
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);

  g_unix_signal_add (SIGTERM, end_wanted, loop);
  g_unix_signal_add (SIGINT, end_wanted, loop);
  g_unix_signal_add (SIGHUP, reload_wanted, NULL);
  far_instances_start (profile);
  far_instances_on_up (say_ready);
  far_memory_trim_watch (profile->node->trim);
  far_notify_watchdog_start ();
  g_main_loop_run (loop);
  far_notify_watchdog_stop ();
  far_memory_trim_watch (FALSE);
  far_log_line (G_LOG_LEVEL_MESSAGE, NULL, _ ("ends"));
  far_notify ("STOPPING=1");
}

static int
serve (const Arguments *arguments, FarProfile *profile)
{
  g_autoptr (GError) error = NULL;
  gboolean good;

  umask (077); /* whatever is kept is private, unless its maker says otherwise */
  raise_limits ();
  far_memory_trim_heaps ();
  ignore_broken_pipes ();
  far_log_open (arguments->debug);
  far_loop_latency_watch ();
  good = far_node_whole_open (profile, arguments->state, &error);
  if (good)
    farwatchd_run (profile);
  else
    far_log_line (G_LOG_LEVEL_ERROR, NULL, error->message);
  far_threads_ending ();
  far_node_whole_stop ();
  if (far_threads_left () > 0)
    _exit (good ? EXIT_GOOD : EXIT_BAD); /* one that comes back must not meet what the exit takes away */
  return good ? EXIT_GOOD : EXIT_BAD;
}

int
main (int argc, char **argv)
{
  g_auto (Arguments) arguments = { 0 };
  g_autoptr (FarProfile) profile = NULL;

  far_locale_of_person ();
  far_node_enter (far_node_new ()); /* for good: a daemon is one node */
  if (!parse_arguments (argc, argv, &arguments))
    return EXIT_BAD;
  if (arguments.version) {
    g_print ("farwatchd %s\n", far_version ());
    return EXIT_GOOD;
  }
  if (!arguments.check)
    far_locale_of_daemon ();
  far_profile_set_own_requests (far_api_tables ());
  profile = load_profile (&arguments);
  if (profile == NULL)
    return EXIT_PROFILE;
  if (arguments.check)
    g_print (_ ("%s: good\n"), arguments.profile);
  return arguments.check ? EXIT_GOOD : serve (&arguments, profile);
}
