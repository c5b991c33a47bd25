/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the commands about terminals and the devices behind them. */
#include "config.h"

#include "ctl.h"

#include <stdio.h>
#include <string.h>

#include <farwatch/clock.h>

#define CLOCK_RIGHT_US (2 * G_USEC_PER_SEC)

static const CtlColumn device_columns[] = {
  { N_ ("DEVICE"), "device", CTL_TEXT },        { N_ ("ENDPOINT"), "endpoint", CTL_TEXT },
  { N_ ("ADDRESS"), "address", CTL_TEXT },      { N_ ("LINE"), "line", CTL_TEXT },
  { N_ ("CONFIRMED"), "confirmed", CTL_YESNO }, { NULL, NULL, 0 }
};

/* Words of a terminal's clock, where it has told what that shows. */
static void
terminal_clock (json_t *terminal)
{
  gint64 skew_us = json_integer_value (json_object_get (terminal, "skew_us"));
  g_autofree char *by = far_clock_off_text (skew_us), *text = NULL;

  if (json_object_get (terminal, "skew_us") == NULL)
    return;
  text = ABS (skew_us) <= CLOCK_RIGHT_US
             ? g_strdup (_ ("right"))
             : g_strdup_printf (skew_us > 0 ? _ ("%s ahead") : _ ("%s behind"), by);
  json_object_set_new (terminal, "clock", json_string (text));
}

static void
terminals_clocks (json_t *terminals)
{
  json_t *terminal;
  size_t i;

  json_array_foreach (terminals, i, terminal)
    terminal_clock (terminal);
}

/* Kinds of carrier that it did not reach, and until when its sessions come by another one. */
static void
terminal_unreached (json_t *terminal)
{
  g_autoptr (GString) text = g_string_new (NULL);
  json_t *way;
  size_t i;

  json_array_foreach (json_object_get (terminal, "unreached"), i, way) {
    const char *until = json_string_value (json_object_get (way, "until"));

    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "",
                            json_string_value (json_object_get (way, "carrier")));
    if (until != NULL)
      g_string_append_printf (text, _ (" (not offered until %s)"), until);
  }
  if (text->len > 0)
    json_object_set_new (terminal, "unreached", json_string (text->str));
  else
    json_object_del (terminal, "unreached");
}

static int
terminals_one (Ctl *ctl, const char *terminal)
{
  static const CtlColumn fields[] = {
    { N_ ("terminal"), "terminal", CTL_TEXT }, { N_ ("connected"), "connected", CTL_YESNO },
    { N_ ("from"), "from", CTL_TEXT },         { N_ ("seen"), "seen", CTL_TIME },
    { N_ ("clock"), "clock", CTL_TEXT },       { N_ ("not reached"), "unreached", CTL_TEXT },
    { N_ ("site"), "site", CTL_TEXT },         { N_ ("groups"), "groups", CTL_LIST },
    { N_ ("note"), "note", CTL_TEXT },         { N_ ("stock"), "stock", CTL_TEXT },
    { N_ ("host key"), "host_key", CTL_TEXT }, { NULL, NULL, 0 },
  };
  GError *error = NULL;
  g_autofree char *resource = ctl_path (&error, "terminals", terminal, NULL);
  json_t *answer = ctl_whole (ctl, resource, "devices", &error);

  if (answer == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json) {
    ctl_json (answer);
  } else {
    terminal_clock (answer);
    terminal_unreached (answer);
    ctl_fields (answer, fields);
    putchar ('\n');
    ctl_table (json_object_get (answer, "devices"), device_columns, _ ("no devices"));
  }
  json_decref (answer);
  return CTL_OK;
}

int
ctl_terminals (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn columns[] = {
    { N_ ("TERMINAL"), "terminal", CTL_TEXT }, { N_ ("CONNECTED"), "connected", CTL_YESNO },
    { N_ ("FROM"), "from", CTL_TEXT },         { N_ ("SEEN"), "seen", CTL_TIME },
    { N_ ("CLOCK"), "clock", CTL_TEXT },       { N_ ("DEVICES"), "devices", CTL_TEXT },
    { N_ ("SITE"), "site", CTL_TEXT },         { N_ ("GROUPS"), "groups", CTL_LIST },
    { N_ ("NOTE"), "note", CTL_TEXT },         { NULL, NULL, 0 }
  };
  GError *error = NULL;
  json_t *list;

  if (!ctl_words (ctl, &argc, &argv, 0, 1))
    return ctl->status;
  if (argc > 1)
    return terminals_one (ctl, argv[1]);
  list = ctl_list (ctl, "terminals", "terminals", "", 0, &error);
  if (list == NULL)
    return ctl_fail (ctl, error);
  if (!ctl->json)
    terminals_clocks (json_object_get (list, "terminals"));
  if (ctl->json)
    ctl_json (list);
  else
    ctl_table (json_object_get (list, "terminals"), columns,
               _ ("no terminals: `farctl terminal add NAME` registers one"));
  json_decref (list);
  return CTL_OK;
}

/* One line a tunnel end. */
static void
nodes_print (json_t *nodes)
{
  static const CtlColumn columns[] = {
    { N_ ("NODE"), "node", CTL_TEXT },
    { N_ ("TUNNEL END"), "tunnel", CTL_TEXT },
    { N_ ("UP"), "up", CTL_YESNO },
    { N_ ("DRAWN"), "drawn", CTL_YESNO },
    { N_ ("SESSIONS"), "sessions", CTL_TEXT },
    { N_ ("OPEN"), "open", CTL_TEXT },
    { NULL, NULL, 0 },
  };
  json_t *lines = json_array (), *node, *tunnel;
  size_t n, t;

  json_array_foreach (nodes, n, node)
    json_array_foreach (json_object_get (node, "tunnels"), t, tunnel) {
      json_t *line = json_copy (tunnel);

      json_object_set (line, "node", json_object_get (node, "node"));
      json_array_append_new (lines, line);
    }
  ctl_table (lines, columns, _ ("no tunnel ends that you may see"));
  json_decref (lines);
}

int
ctl_nodes (Ctl *ctl, int argc, char **argv)
{
  GError *error = NULL;
  json_t *list;

  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  list = ctl_list (ctl, "nodes", "nodes", "", 0, &error);
  if (list == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (list);
  else
    nodes_print (json_object_get (list, "nodes"));
  json_decref (list);
  return CTL_OK;
}

typedef struct {
  char *site, *note, *stock, *ssh, *box, *expect, *for_text, **groups;
  gboolean replace;
} TerminalOptions;

/* The last two are for `terminal add` only. */
static gboolean
terminal_options (Ctl *ctl, TerminalOptions *to, gboolean add, int *argc, char ***argv)
{
  GOptionEntry entries[] = {
    { "site", 0, 0, G_OPTION_ARG_STRING, &to->site, N_ ("where it stands; '' takes it back"), N_ ("TEXT") },
    { "group", 0, 0, G_OPTION_ARG_STRING_ARRAY, &to->groups,
      N_ ("group; give all of them, this replaces the old ones; '' for none"), N_ ("GROUP") },
    { "note", 0, 0, G_OPTION_ARG_STRING, &to->note, N_ ("a remark"), N_ ("TEXT") },
    { "stock", 0, 0, G_OPTION_ARG_STRING, &to->stock,
      N_ ("its end is a stock ssh -R: 'host-login'; '' takes it back"), N_ ("HOW") },
    { "ssh", 0, 0, G_OPTION_ARG_STRING, &to->ssh, N_ ("its SSH public key, or a file with it"), N_ ("KEY") },
    { "box", 0, 0, G_OPTION_ARG_STRING, &to->box, N_ ("its box public key"), N_ ("KEY") },
    CTL_EXPECT (&to->expect),
    { "for", 0, 0, G_OPTION_ARG_STRING, &to->for_text, N_ ("how long the join token is good"), N_ ("TIME") },
    { "replace", 0, 0, G_OPTION_ARG_NONE, &to->replace,
      N_ ("it may be there: the token lets another node take its place"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!add)
    entries[G_N_ELEMENTS (entries) - 3] = entries[G_N_ELEMENTS (entries) - 1];
  return ctl_args (ctl, entries, argc, argv, 1, 1);
}

static void
terminal_options_clear (TerminalOptions *options)
{
  g_strfreev (options->groups);
  g_free (options->site);
  g_free (options->note);
  g_free (options->stock);
  g_free (options->ssh);
  g_free (options->box);
  g_free (options->expect);
  g_free (options->for_text);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TerminalOptions, terminal_options_clear)

/* A key may be given as a file: nobody types one. */
static char *
terminal_key (const char *text)
{
  g_autofree char *content = NULL;

  if (text != NULL && strchr (text, ' ') == NULL && g_file_get_contents (text, &content, NULL, NULL))
    return g_strdup (g_strstrip (content));
  return g_strdup (text);
}

/* fresh: must it be new (JSON true), must it be there (false), or either (NULL)? Takes it. */
static json_t *
terminals_terminal_put (Ctl *ctl, const char *terminal, const TerminalOptions *options, json_t *fresh,
                        GError **error)
{
  g_autofree char *resource = ctl_path (error, "terminals", terminal, NULL),
                  *ssh = terminal_key (options->ssh);

  return ctl_call (ctl, "PUT", resource,
                   json_pack ("{s:o*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:o*}", "new", fresh, "expect",
                              options->expect, "site", options->site, "note", options->note, "stock",
                              options->stock, "ssh", ssh, "box", options->box, "groups",
                              options->groups != NULL ? ctl_words_list (options->groups) : NULL),
                   error);
}

int
ctl_terminal_add (Ctl *ctl, int argc, char **argv)
{
  g_auto (TerminalOptions) options = { 0 };
  g_autofree char *token = NULL;
  GError *error = NULL;
  json_t *answer, *join;

  if (!terminal_options (ctl, &options, TRUE, &argc, &argv))
    return ctl->status;
  answer = terminals_terminal_put (ctl, argv[1], &options, options.replace ? NULL : json_true (), &error);
  if (answer == NULL)
    return ctl_fail (ctl, error);
  if (options.stock != NULL && options.stock[0] != '\0')
    return ctl_done (ctl, answer, _ ("terminal %s is registered; its end is a stock SSH client"), argv[1]);
  join = ctl_call (ctl, "POST", "tokens",
                   json_pack ("{s:s, s:s*, s:b}", "node", argv[1], "for", options.for_text, "replace",
                              options.replace),
                   &error);
  if (join == NULL) {
    json_decref (answer);
    return ctl_fail (ctl, error);
  }
  token = g_strdup (json_string_value (json_object_get (join, "token")));
  json_object_update (answer, join);
  json_decref (join);
  if (!ctl->json)
    fprintf (stderr,
             _ ("terminal %s is registered; at the terminal: farctl enroll --profile FILE --server "
                "HOST:PORT, and give it this token:\n"),
             argv[1]);
  return ctl_done (ctl, answer, "%s", token != NULL ? token : "-");
}

int
ctl_terminal_set (Ctl *ctl, int argc, char **argv)
{
  g_auto (TerminalOptions) options = { 0 };
  GError *error = NULL;
  json_t *answer;

  if (!terminal_options (ctl, &options, FALSE, &argc, &argv))
    return ctl->status;
  answer = terminals_terminal_put (ctl, argv[1], &options, json_false (), &error);
  return answer != NULL ? ctl_done (ctl, answer, _ ("terminal %s changed"), argv[1]) : ctl_fail (ctl, error);
}

int
ctl_terminal_remove (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *resource = NULL;
  GError *error = NULL;
  json_t *answer;

  if (!ctl_words (ctl, &argc, &argv, 1, 1))
    return ctl->status;
  resource = ctl_path (&error, "terminals", argv[1], NULL);
  answer = ctl_call (ctl, "DELETE", resource, NULL, &error);
  return answer != NULL ? ctl_done (ctl, answer, _ ("terminal %s removed"), argv[1]) : ctl_fail (ctl, error);
}

/* ---- devices ---- */

/* "t1/plc" → "terminals/t1/devices/plc" */
static char *
device_resource (Ctl *ctl, const char *text)
{
  g_auto (GStrv) parts = g_strsplit (text, "/", 3);
  GError *error = NULL;
  char *resource;

  if (g_strv_length (parts) != 2) {
    ctl_usage (ctl, _ ("'%s' is not TERMINAL/DEVICE"), text);
    return NULL;
  }
  resource = ctl_path (&error, "terminals", parts[0], "devices", parts[1], NULL);
  if (resource == NULL)
    ctl->status = ctl_fail (ctl, error);
  return resource;
}

int
ctl_device_add (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *endpoint = NULL, *address = NULL, *line = NULL, *weight = NULL, *note = NULL,
                  *expect = NULL, *resource = NULL;
  const GOptionEntry entries[] = {
    { "endpoint", 0, 0, G_OPTION_ARG_STRING, &endpoint, N_ ("endpoint of the terminal's profile"),
      N_ ("NAME") },
    { "address", 0, 0, G_OPTION_ARG_STRING, &address, N_ ("where it is reached from the terminal"),
      N_ ("HOST:PORT") },
    { "line", 0, 0, G_OPTION_ARG_STRING, &line, N_ ("line it shares with others"), N_ ("NAME") },
    { "weight", 0, 0, G_OPTION_ARG_STRING, &weight, N_ ("watch, light or heavy"), N_ ("WEIGHT") },
    { "note", 0, 0, G_OPTION_ARG_STRING, &note, N_ ("a remark"), N_ ("TEXT") },
    CTL_EXPECT (&expect),
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GError *error = NULL;
  json_t *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 1, 1) || (resource = device_resource (ctl, argv[1])) == NULL)
    return ctl->status;
  answer = ctl_call (ctl, "PUT", resource,
                     json_pack ("{s:s*, s:s*, s:s*, s:s*, s:s*, s:s*}", "endpoint", endpoint, "address",
                                address, "line", line, "weight", weight, "note", note, "expect", expect),
                     &error);
  return answer != NULL ? ctl_done (ctl, answer, _ ("device %s registered"), argv[1]) : ctl_fail (ctl, error);
}

int
ctl_device_remove (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *resource = NULL;
  GError *error = NULL;
  json_t *answer;

  if (!ctl_words (ctl, &argc, &argv, 1, 1) || (resource = device_resource (ctl, argv[1])) == NULL)
    return ctl->status;
  answer = ctl_call (ctl, "DELETE", resource, NULL, &error);
  return answer != NULL ? ctl_done (ctl, answer, _ ("device %s removed"), argv[1]) : ctl_fail (ctl, error);
}
