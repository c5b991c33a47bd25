/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `farctl --complete WORDS…` for the shells (etc/farctl.bash and its like): the last of the words stands at
 * the cursor, and what it may become is printed, a line each. Status 0; 1: names of files are meant. It reads
 * the same texts that people do: "TERMINAL[/DEVICE] [--entry ports|stream]". A prompt does not wait: who
 * cannot be asked in time is not asked. */
#include "config.h"

#include "complete.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define PATIENCE_MS 700
#define FILES 1

/* ---- what a command takes ---- */

/* "[--group" → "--group", "GROUP]…" → "GROUP", "TERMINAL[/DEVICE]" as it is. *closes: the bracket before it
 * ends with it. */
static char *
complete_token_clean (const char *token, gboolean *closes)
{
  char *text = g_strdup (token + (token[0] == '['));
  gsize size = strlen (text);
  guint open = 0, shut = 0;

  if (g_str_has_suffix (text, "…"))
    text[size -= strlen ("…")] = '\0';
  for (const char *at = text; *at != '\0'; at++) {
    open += *at == '[';
    shut += *at == ']';
  }
  *closes = shut > open;
  if (*closes && size > 0 && text[size - 1] == ']')
    text[size - 1] = '\0';
  return text;
}

typedef void (*Taken) (const char *option, const char *value, gpointer user);

/* Each option with its value (NULL: none), each word of its own with option NULL, in order. */
static void
command_walk (const CtlCommand *command, Taken taken, gpointer user)
{
  g_auto (GStrv) tokens = g_strsplit (command->args, " ", -1);
  gboolean words = TRUE, closes, ends;

  for (guint i = 0; tokens[i] != NULL && tokens[i][0] != '\0'; i++) {
    g_autofree char *token = complete_token_clean (tokens[i], &closes);
    gboolean option = g_str_has_prefix (token, "--"),
             value = option && !closes && tokens[i + 1] != NULL && strchr ("[|-", tokens[i + 1][0]) == NULL;

    if (strcmp (token, "--") == 0)
      return; /* what follows is another program's */
    words = words && strcmp (token, "|") != 0;
    if (value) {
      g_autofree char *of = complete_token_clean (tokens[++i], &ends);

      taken (token, of, user);
    } else if (option || words) {
      taken (option ? token : NULL, option ? NULL : token, user);
    }
  }
}

/* ---- what was typed ---- */

typedef struct {
  Ctl ctl;
  const CtlCommand *command; /* NULL: not yet */
  GPtrArray *words;          /* so far, options and their values apart; borrowed */
  const char *prefix;        /* at the cursor; borrowed */
  const char *option;        /* whose value stands there; NULL: none */
  int name_words;            /* of the command's name */
  gboolean tail;             /* behind "--" */
  /* for the walk */
  GPtrArray *to;
  const char *wanted;
  guint at;
  char *slot;
} Typed;

static void
look_option (const char *option, const char *value, gpointer user)
{
  Typed *typed = user;

  if (option != NULL && value != NULL && typed->slot == NULL && strcmp (option, typed->wanted) == 0)
    typed->slot = g_strdup (value);
}

/* The slot of an option's value; NULL: it has none. Caller frees. */
static char *
option_slot (Typed *typed, const char *option)
{
  typed->slot = NULL;
  typed->wanted = option;
  if (typed->command != NULL)
    command_walk (typed->command, look_option, typed);
  return g_steal_pointer (&typed->slot);
}

static void
look_word (const char *option, const char *value, gpointer user)
{
  Typed *typed = user;

  if (option == NULL && typed->at-- == 0)
    typed->slot = g_strdup (value);
}

static char *
word_slot (Typed *typed)
{
  typed->slot = NULL;
  typed->at = typed->words->len - (guint) typed->name_words;
  command_walk (typed->command, look_word, typed);
  return g_steal_pointer (&typed->slot);
}

static char **
global_place (Typed *typed, const char *option)
{
  if (strcmp (option, "--socket") == 0)
    return &typed->ctl.socket;
  if (strcmp (option, "--server") == 0)
    return &typed->ctl.server;
  return strcmp (option, "--ca") == 0 ? &typed->ctl.ca : NULL;
}

static void
typed_value (Typed *typed, const char *option, const char *value)
{
  char **place = global_place (typed, option);

  if (place != NULL) {
    g_free (*place);
    *place = g_strdup (value);
  }
}

/* An option that was typed; TRUE: the next word is its value. */
static gboolean
typed_option (Typed *typed, const char *word)
{
  const char *equals = strchr (word, '=');
  g_autofree char *name = equals != NULL ? g_strndup (word, (gsize) (equals - word)) : NULL,
                  *slot = equals == NULL ? option_slot (typed, word) : NULL;

  if (name != NULL)
    typed_value (typed, name, equals + 1);
  return slot != NULL || (equals == NULL && global_place (typed, word) != NULL);
}

static void
typed_read (Typed *typed, int argc, char **argv)
{
  typed->prefix = argc > 0 ? argv[argc - 1] : "";
  for (int i = 0; i < argc - 1 && !typed->tail; i++) {
    typed->tail = strcmp (argv[i], "--") == 0;
    if (typed->tail)
      return;
    if (argv[i][0] != '-' || argv[i][1] == '\0') {
      g_ptr_array_add (typed->words, argv[i]);
      typed->command = ctl_command_find ((int) typed->words->len, (char **) typed->words->pdata,
                                         &typed->name_words);
    } else if (typed_option (typed, argv[i])) {
      if (i + 1 == argc - 1)
        typed->option = argv[i];
      else
        typed_value (typed, argv[i], argv[i + 1]);
      i++;
    }
  }
}

/* ---- answers ---- */

static void
give_option (const char *option, const char *value, gpointer user)
{
  Typed *typed = user;

  if (option != NULL)
    ctl_complete_add (typed->to, typed->prefix, option);
}

static void
give_options (Typed *typed)
{
  static const char *const global[] = { "--socket", "--server", "--ca", "--json", "--help" };

  if (typed->command != NULL)
    command_walk (typed->command, give_option, typed);
  else
    ctl_complete_add (typed->to, typed->prefix, "--version");
  for (guint i = 0; i < G_N_ELEMENTS (global); i++)
    ctl_complete_add (typed->to, typed->prefix, global[i]);
}

/* Names of commands that begin with the words so far: the next word of each. */
static void
give_commands (Typed *typed)
{
  g_autoptr (GString) so_far = g_string_new (NULL);

  for (guint i = 0; i < typed->words->len; i++)
    g_string_append_printf (so_far, "%s ", (const char *) typed->words->pdata[i]);
  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++)
    if (command->summary != NULL && g_str_has_prefix (command->name, so_far->str)) {
      const char *rest = command->name + so_far->len;
      g_autofree char *word = g_strndup (rest, strcspn (rest, " "));

      ctl_complete_add (typed->to, typed->prefix, word);
    }
}

static int
give_value (Typed *typed, const char *slot)
{
  if (typed->ctl.server != NULL) {
    ctl_ticket_load (&typed->ctl);
    if (typed->ctl.ticket == NULL && g_ascii_isupper (slot[0]))
      return CTL_OK; /* nobody is logged in: nothing would be shown */
  }
  return ctl_complete_slot (&typed->ctl, typed->command, slot, typed->prefix, typed->to) ? FILES : CTL_OK;
}

static int
give (Typed *typed)
{
  g_autofree char *slot = NULL;

  if (typed->tail)
    return FILES;
  if (typed->option != NULL && global_place (typed, typed->option) != NULL) {
    if (strcmp (typed->option, "--server") != 0)
      return FILES;
    ctl_tickets_servers (typed->to, typed->prefix);
    return CTL_OK;
  }
  slot = typed->option != NULL ? option_slot (typed, typed->option) : NULL;
  if (slot != NULL)
    return give_value (typed, slot);
  if (typed->prefix[0] == '-' && typed->prefix[1] != '\0') {
    give_options (typed);
    return CTL_OK;
  }
  give_commands (typed);
  slot = typed->command != NULL ? word_slot (typed) : NULL;
  return slot != NULL ? give_value (typed, slot) : CTL_OK;
}

/* [signal handler] */
static void
complete_too_late (int number)
{
  _exit (CTL_OK);
}

int
ctl_complete (int argc, char **argv)
{
  const struct sigaction action = { .sa_handler = complete_too_late };
  const struct itimerval patience = { .it_value = { .tv_usec = PATIENCE_MS * 1000 } };
  Typed typed = { .ctl = { .fd = -1, .only_looks = TRUE },
                  .words = g_ptr_array_new (),
                  .to = g_ptr_array_new_with_free_func (g_free) };
  int status;

  sigaction (SIGALRM, &action, NULL); /* lint: allow signal: this program does nothing else any more */
  setitimer (ITIMER_REAL, &patience, NULL);
  typed_read (&typed, argc, argv);
  status = give (&typed);
  for (guint i = 0; i < typed.to->len; i++)
    puts (typed.to->pdata[i]);
  fflush (stdout);
  _exit (status); /* what a thread of the connection still does is nobody's any more */
}

int
ctl_completion (Ctl *ctl, int argc, char **argv)
{
  static const struct {
    const char *name, *text;
  } shells[] = { { "bash", ctl_shell_bash }, { "zsh", ctl_shell_zsh }, { "fish", ctl_shell_fish } };
  const char *name;

  if (!ctl_words (ctl, &argc, &argv, 0, 1))
    return ctl->status;
  name = argc > 1 ? argv[1] : "bash";
  for (guint i = 0; i < G_N_ELEMENTS (shells); i++)
    if (strcmp (shells[i].name, name) == 0) {
      fputs (shells[i].text, stdout);
      return CTL_OK;
    }
  return ctl_usage (ctl, _ ("bash, zsh and fish are known, not '%s'"), name);
}
