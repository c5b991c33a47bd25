/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file finds the command that the words on the command line name, reads the options that all commands
 * share, and says what was probably meant where no command has that name. The table of commands is
 * commands.c. */
#include "config.h"

#include "ctl.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <farwatch/version.h>

#include "ctl-support/shared.h"

/* The dialer's thread may give back what it holds; a person does not wait for it, a leak checker does. */
#ifdef __SANITIZE_ADDRESS__
#define SETTLE_MS 5000
#else
#define SETTLE_MS 100
#endif

/* The command whose name stands at the front; *words: of how many words. */
const CtlCommand *
ctl_command_find (int argc, char **argv, int *words)
{
  const CtlCommand *found = NULL;

  *words = 0;
  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++) {
    g_auto (GStrv) name = g_strsplit (command->name, " ", 4);
    int n = (int) g_strv_length (name), same = 0;

    while (same < n && same < argc && strcmp (name[same], argv[same]) == 0)
      same++;
    if (same == n && n > *words) {
      found = command;
      *words = n;
    }
  }
  return found;
}

/* What may stand next: the words behind `first`, or the first words where it is NULL. Words are borrowed. */
static GPtrArray *
main_next_words (const char *first)
{
  GPtrArray *words = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *prefix = first != NULL ? g_strconcat (first, " ", NULL) : g_strdup ("");

  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++) {
    const char *rest = command->name + strlen (prefix);
    g_autofree char *word = command->summary != NULL && g_str_has_prefix (command->name, prefix)
                                ? g_strndup (rest, strcspn (rest, " "))
                                : NULL;

    if (word != NULL && !g_ptr_array_find_with_equal_func (words, word, g_str_equal, NULL))
      g_ptr_array_add (words, g_steal_pointer (&word));
  }
  return words;
}

/* "terminal ad t1" */
static void
main_unknown_second (const char *first, const char *second, GPtrArray *words)
{
  const char *near = second != NULL ? far_suggest (second, words) : NULL;
  g_autofree char *all = far_join_words (words);

  if (near != NULL)
    fprintf (stderr, _ ("farctl: no command '%s %s'; did you mean '%s %s'?\n"), first, second, first, near);
  else if (second != NULL)
    fprintf (stderr, _ ("farctl: no command '%s %s'; there are, after %s: %s\n"), first, second, first, all);
  else
    fprintf (stderr, _ ("farctl: %s what? one of: %s\n"), first, all);
}

/* "add user bob": the second words of some commands are typed first. FALSE: it is none of them. */
static gboolean
main_unknown_order (const char *word)
{
  g_autoptr (GPtrArray) commands = g_ptr_array_new ();
  g_autofree char *all = NULL;

  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++) {
    const char *second = strchr (command->name, ' ');

    if (second != NULL && command->summary != NULL && strcmp (second + 1, word) == 0)
      g_ptr_array_add (commands, (gpointer) command->name);
  }
  if (commands->len == 0)
    return FALSE;
  all = far_join_words (commands);
  fprintf (stderr, _ ("farctl: no command '%s'; it stands second, as in: %s\n"), word, all);
  return TRUE;
}

int
ctl_unknown (int argc, char **argv)
{
  g_autoptr (GPtrArray) seconds = argc > 0 ? main_next_words (argv[0]) : NULL,
                        firsts = main_next_words (NULL);
  const char *near = argc > 0 ? far_suggest (argv[0], firsts) : NULL;

  if (argc <= 0) /* whoever started the program may have given it no name either */
    ctl_help (stderr);
  else if (seconds->len > 0)
    main_unknown_second (argv[0], argc > 1 ? argv[1] : NULL, seconds);
  else if (main_unknown_order (argv[0]))
    return CTL_USAGE;
  else if (near != NULL)
    fprintf (stderr, _ ("farctl: no command '%s'; did you mean '%s'?\n"), argv[0], near);
  else
    fprintf (stderr, _ ("farctl: no command '%s'; `farctl help` lists them\n"), argv[0]);
  return CTL_USAGE;
}

/* What stands after "--" belongs to the program that is to be run, whatever it looks like. */
static char **
main_cut_tail (int *argc, char **argv)
{
  for (int i = 1; i < *argc; i++)
    if (strcmp (argv[i], "--") == 0) {
      argv[i] = NULL;
      *argc = i;
      return argv + i + 1;
    }
  return NULL;
}

static int
main_run (Ctl *ctl, int argc, char **argv)
{
  int words;

  ctl->command = ctl_command_find (argc - 1, argv + 1, &words);
  if (ctl->command == NULL)
    return ctl_unknown (argc - 1, argv + 1);
  return ctl->command->run (ctl, argc - words, argv + words);
}

/* Options before the command; FALSE: over, with *status. */
static gboolean
main_options (Ctl *ctl, int *argc, char ***argv, int *status)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  gboolean help = FALSE, version = FALSE;
  GOptionEntry global[5];
  const GOptionEntry own[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, NULL, NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &version, NULL, NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  ctl_global_entries (ctl, global);
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_add_main_entries (context, own, NULL);
  g_option_context_add_main_entries (context, global, NULL);
  *status = CTL_OK;
  if (!g_option_context_parse (context, argc, argv, &error)) {
    fprintf (stderr, "farctl: %s\n", error->message);
    *status = CTL_USAGE;
  } else if (version) {
    printf ("farctl %s\n", far_version ());
  } else if (help) {
    ctl_help (stdout);
  } else {
    return TRUE;
  }
  return FALSE;
}

static void
main_ignore_broken_pipes (void)
{
  const struct sigaction action = { .sa_handler = SIG_IGN };

  sigaction (SIGPIPE, &action, NULL);
}

int
main (int argc, char **argv)
{
  Ctl ctl = { .fd = -1 };
  g_auto (GStrv) copy = NULL;
  g_autofree char **args = NULL;
  int status;

  far_locale_of_person ();
  main_ignore_broken_pipes ();
  far_profile_set_own_requests (far_api_tables ());
  if (argc > 1 && strcmp (argv[1], "--complete") == 0)
    ctl_complete (argc - 2, argv + 2);
  copy = g_strdupv (argv);
  args = g_memdup2 (copy, sizeof (char *) * ((gsize) argc + 1)); /* the option parser moves pointers about */
  ctl.tail = main_cut_tail (&argc, args);
  argv = args;
  if (main_options (&ctl, &argc, &argv, &status))
    status = main_run (&ctl, argc, argv);
  ctl_close (&ctl);
  far_streams_settle (SETTLE_MS);
  g_free (ctl.socket);
  g_free (ctl.server);
  g_free (ctl.ca);
  g_free (ctl.ticket);
  return status;
}
