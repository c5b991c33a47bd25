/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words and options, help: all from the table of commands. */
#include "config.h"

#include "ctl.h"

#include <stdio.h>
#include <string.h>

#include <farwatch/version.h>

void
ctl_global_entries (Ctl *ctl, GOptionEntry entries[5])
{
  const GOptionEntry all[5] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &ctl->json, N_ ("print JSON"), NULL },
    { "socket", 0, 0, G_OPTION_ARG_FILENAME, &ctl->socket, N_ ("control socket of the daemon"), N_ ("PATH") },
    { "server", 0, 0, G_OPTION_ARG_STRING, &ctl->server, N_ ("a remote cloud, over TLS"), N_ ("HOST:PORT") },
    { "ca", 0, 0, G_OPTION_ARG_FILENAME, &ctl->ca, N_ ("the fleet's authority, to check the remote cloud"),
      N_ ("FILE") },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  memcpy (entries, all, sizeof all);
}

static void
args_help (const CtlCommand *command, const GOptionEntry *entries, const GOptionEntry *global)
{
  printf (_ ("usage: farctl %s %s\n%s\n"), command->name, command->args, _ (command->summary));
  for (guint list = 0; list < 2; list++) {
    const GOptionEntry *entry = list == 0 ? entries : global;

    if (entry != NULL && entry->long_name != NULL)
      puts (list == 0 ? _ ("\noptions:") : _ ("\noptions of every command:"));
    for (; entry != NULL && entry->long_name != NULL; entry++) {
      g_autofree char *left = g_strconcat ("--", entry->long_name, entry->arg_description != NULL ? " " : "",
                                           entry->arg_description != NULL ? _ (entry->arg_description) : "",
                                           NULL);

      printf ("  %-24s %s\n", left, entry->description != NULL ? _ (entry->description) : "");
    }
  }
}

/* The words of "TERMINAL/DEVICE --endpoint NAME" that are no options nor their values, up to the first
 * option. */
static void
args_wrong_number (Ctl *ctl, int argc, char **argv, int min, int max)
{
  g_auto (GStrv) names = g_strsplit (ctl->command->args, " ", -1);
  guint n = g_strv_length (names), at = (guint) MAX (argc - 1, 0);

  if (argc - 1 >= min)
    ctl_usage (ctl,
               max == 0 ? _ ("'%s' is too much: it takes no words")
                        : _ ("'%s' is one word too many; write words with spaces in quotes"),
               argv[max + 1]);
  else if (at < n && g_ascii_isupper (names[at][0]))
    ctl_usage (ctl, _ ("%s is missing"), names[at]);
  else
    ctl_usage (ctl, "%s", _ ("something is missing"));
}

/* Before a command asks for a secret, or makes anything. */
static gboolean
args_server_ok (Ctl *ctl)
{
  GError *error = NULL;
  g_autofree char *hostport = ctl->server != NULL ? ctl_server_hostport (ctl->server, &error) : NULL;

  if (error != NULL)
    ctl->status = ctl_fail (ctl, error);
  return ctl->server == NULL || hostport != NULL;
}

gboolean
ctl_args (Ctl *ctl, const GOptionEntry *entries, int *argc, char ***argv, int min, int max)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  gboolean help = FALSE;
  const GOptionEntry help_entry[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, NULL, NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GOptionEntry global[5];

  ctl_global_entries (ctl, global);
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_add_main_entries (context, help_entry, NULL);
  g_option_context_add_main_entries (context, global, NULL);
  if (entries != NULL)
    g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, &error)) {
    ctl_usage (ctl, "%s", error->message);
    return FALSE;
  }
  if (help) {
    args_help (ctl->command, entries, global);
    ctl->status = CTL_OK;
    return FALSE;
  }
  if (*argc - 1 < min || *argc - 1 > max) {
    args_wrong_number (ctl, *argc, *argv, min, max);
    return FALSE;
  }
  return args_server_ok (ctl);
}

gboolean
ctl_words (Ctl *ctl, int *argc, char ***argv, int min, int max)
{
  return ctl_args (ctl, NULL, argc, argv, min, max);
}

json_t *
ctl_words_list (char **groups)
{
  json_t *list = json_array ();

  for (guint i = 0; groups[i] != NULL; i++) {
    g_auto (GStrv) words = g_strsplit (groups[i], ",", -1);

    for (guint j = 0; words[j] != NULL; j++)
      if (words[j][0] != '\0')
        json_array_append_new (list, json_string (words[j]));
  }
  return list;
}

/* ---- help ---- */

int
ctl_help (FILE *out)
{
  fputs (_ ("usage: farctl [--socket PATH | --server HOST:PORT [--ca FILE]] [--json] COMMAND …\n\n"), out);
  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    if (command->summary != NULL)
      fprintf (out, "  %-16s %s\n", command->name, _ (command->summary));
  fputs (_ ("\nfarctl COMMAND --help tells more; exit codes: 0 done, 1 refused or failed, 2 usage, 3 not "
            "found, 4 daemon not reached, 5 busy, "
            "78 bad profile\n"),
         out);
  return CTL_OK;
}

/* "help terminal add" is "terminal add --help". */
int
ctl_help_command (Ctl *ctl, int argc, char **argv)
{
  char *ask[] = { NULL, (char *) "--help", NULL };
  int words;

  if (!ctl_words (ctl, &argc, &argv, 0, 3))
    return ctl->status;
  if (argc < 2)
    return ctl_help (stdout);
  ctl->command = ctl_command_find (argc - 1, argv + 1, &words);
  if (ctl->command == NULL)
    return ctl_unknown (argc - 1, argv + 1);
  ask[0] = argv[words];
  return ctl->command->run (ctl, 2, ask);
}

int
ctl_version (Ctl *ctl, int argc, char **argv)
{
  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  return ctl_done (ctl, json_pack ("{s:s}", "version", far_version ()), "farctl %s", far_version ());
}
