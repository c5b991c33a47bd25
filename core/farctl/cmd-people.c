/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the commands about people: who there is and what they may do, rights at run time, and
 * login. */
#include "config.h"

#include "ctl.h"
#include "translate.h"

#include <stdio.h>
#include <string.h>

#include <farwatch/instance.h>

/* ---- people ---- */

typedef struct {
  char **groups, *key, *expect;
  gboolean from_stdin, none;
} UserOptions;

static void
user_options_clear (UserOptions *options)
{
  g_strfreev (options->groups);
  g_free (options->key);
  g_free (options->expect);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (UserOptions, user_options_clear)

static gboolean
user_key (json_t *body, const char *path, GError **error)
{
  g_autofree char *text = NULL;

  if (path == NULL)
    return TRUE;
  if (strchr (path, ' ') != NULL)
    text = g_strdup (path);
  else if (!g_file_get_contents (path, &text, NULL, error))
    return FALSE;
  json_object_set_new (body, "key", json_string (g_strstrip (text)));
  return TRUE;
}

/* A password is asked for unless a key or groups are all there is to say. */
static gboolean
user_password (json_t *body, const char *name, const UserOptions *options, GError **error)
{
  g_autofree char *prompt = g_strdup_printf (_ ("password of %s"), name);
  char *secret;

  if (options->none)
    return TRUE;
  secret = ctl_secret (options->from_stdin, prompt, TRUE, error);
  if (secret == NULL)
    return FALSE;
  json_object_set_new (body, "password", json_string (secret));
  far_secret_free (secret);
  return TRUE;
}

/* All groups were given at once: whoever had put the person into another one would not see that go. */
static void
groups_before (json_t *groups, const char *name)
{
  g_autoptr (GString) text = g_string_new (NULL);
  json_t *group;
  size_t i;

  json_array_foreach (groups, i, group)
    if (json_is_string (group))
      g_string_append_printf (text, "%s%s", i > 0 ? ", " : "", json_string_value (group));
  if (text->len > 0)
    ctl_say (_ ("groups of %s before: %s"), name, text->str);
}

int
ctl_user_add (Ctl *ctl, int argc, char **argv)
{
  g_auto (UserOptions) options = { 0 };
  const GOptionEntry entries[] = {
    { "group", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.groups,
      N_ ("group; give all of them, this replaces the old ones"), N_ ("GROUP") },
    { "key", 0, 0, G_OPTION_ARG_STRING, &options.key, N_ ("file with the SSH public key"), N_ ("FILE") },
    { "password-stdin", 0, 0, G_OPTION_ARG_NONE, &options.from_stdin,
      N_ ("the password is the first line of stdin"), NULL },
    { "no-password", 0, 0, G_OPTION_ARG_NONE, &options.none,
      N_ ("ask for no password: keep the one there is, or none"), NULL },
    CTL_EXPECT (&options.expect),
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autofree char *resource = NULL;
  GError *error = NULL;
  json_t *body, *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 1, 1))
    return ctl->status;
  if (!ctl_name_ok (argv[1], &error))
    return ctl_fail (ctl, error); /* before a password is asked for */
  body = json_object ();
  if (options.groups != NULL)
    json_object_set_new (body, "groups", ctl_words_list (options.groups));
  if (options.expect != NULL)
    json_object_set_new (body, "expect", json_string (options.expect));
  if (!user_key (body, options.key, &error) || !user_password (body, argv[1], &options, &error)) {
    json_decref (body);
    return ctl_fail (ctl, error);
  }
  resource = ctl_path (&error, "users", argv[1], NULL);
  answer = ctl_call (ctl, "PUT", resource, body, &error);
  groups_before (json_object_get (json_object_get (answer, "was"), "groups"), argv[1]);
  return answer != NULL ? ctl_done (ctl, answer,
                                    _ ("%s may log in at this node; at the cloud, `farctl grant %s connect "
                                       "terminals/…` gives a right"),
                                    argv[1], argv[1])
                        : ctl_fail (ctl, error);
}

/* Who asks, when it is a person; else NULL. */
static char *
password_self (Ctl *ctl, GError **error)
{
  json_t *who = ctl_call (ctl, "GET", "login", NULL, error);
  const char *text = json_string_value (json_object_get (who, "principal"));
  char *name = text != NULL && g_str_has_prefix (text, "person:") ? g_strdup (text + strlen ("person:"))
                                                                  : NULL;

  if (who != NULL && name == NULL)
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("whose password? farctl user password NAME"));
  json_decref (who);
  return name;
}

static gboolean
password_ask (json_t *body, const char *field, const char *prompt, gboolean from_stdin, gboolean twice,
              GError **error)
{
  char *secret = ctl_secret (from_stdin, prompt, twice, error);

  if (secret == NULL)
    return FALSE;
  json_object_set_new (body, field, json_string (secret));
  far_secret_free (secret);
  return TRUE;
}

/* The old one first where it is one's own. NULL: body is freed. */
static json_t *
password_body (const char *name, gboolean own, gboolean from_stdin, GError **error)
{
  g_autofree char *old = g_strdup_printf (_ ("present password of %s"), name),
                  *fresh = g_strdup_printf (_ ("new password of %s"), name);
  json_t *body = json_object ();

  if ((!own || password_ask (body, "old", old, from_stdin, FALSE, error)) &&
      password_ask (body, "password", fresh, from_stdin, TRUE, error))
    return body;
  json_decref (body);
  return NULL;
}

/* One's tickets ended with the old password: the answer has a new one, kept and never shown. */
static int
password_done (Ctl *ctl, json_t *answer, const char *name)
{
  GError *error = NULL;

  if (ctl->server != NULL && json_object_get (answer, "ticket") != NULL &&
      !ctl_ticket_save (ctl, answer, &error)) {
    json_decref (answer);
    return ctl_fail (ctl, error);
  }
  json_object_del (answer, "ticket");
  return ctl_done (ctl, answer, _ ("password of %s changed; other logins of %s have ended"), name, name);
}

int
ctl_user_password (Ctl *ctl, int argc, char **argv)
{
  gboolean from_stdin = FALSE;
  const GOptionEntry entries[] = {
    { "password-stdin", 0, 0, G_OPTION_ARG_NONE, &from_stdin,
      N_ ("the password is the next line of stdin; for one's own the present one stands before it"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL }
  };
  g_autoptr (GError) unknown = NULL;
  g_autofree char *self = NULL, *resource = NULL;
  GError *error = NULL;
  const char *name;
  json_t *body, *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 1))
    return ctl->status;
  self = password_self (ctl, &unknown);
  name = argc > 1 ? argv[1] : self;
  if (name == NULL || (self == NULL && unknown != NULL && unknown->code != FAR_ERROR_INVALID))
    return ctl_fail (ctl, g_steal_pointer (&unknown));
  body = password_body (name, g_strcmp0 (self, name) == 0, from_stdin, &error);
  if (body == NULL)
    return ctl_fail (ctl, error);
  resource = ctl_path (&error, "users", name, "password", NULL);
  answer = ctl_call (ctl, "PUT", resource, body, &error);
  return answer != NULL ? password_done (ctl, answer, name) : ctl_fail (ctl, error);
}

int
ctl_user_remove (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *resource = NULL;
  GError *error = NULL;
  json_t *answer;

  if (!ctl_words (ctl, &argc, &argv, 1, 1))
    return ctl->status;
  resource = ctl_path (&error, "users", argv[1], NULL);
  answer = ctl_call (ctl, "DELETE", resource, NULL, &error);
  return answer != NULL ? ctl_done (ctl, answer, _ ("%s removed"), argv[1]) : ctl_fail (ctl, error);
}

int
ctl_user_list (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn columns[] = {
    { N_ ("NAME"), "name", CTL_TEXT },
    { N_ ("GROUPS"), "groups", CTL_LIST },
    { N_ ("PASSWORD"), "has_password", CTL_YESNO },
    { N_ ("KEYS"), "keys", CTL_COUNT },
    { N_ ("KEPT BY"), "authenticators", CTL_LIST },
    { NULL, NULL, 0 },
  };
  GError *error = NULL;
  json_t *list;

  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  list = ctl_list (ctl, "users", "users", "", 0, &error);
  if (list == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (list);
  else
    ctl_table (json_object_get (list, "users"), columns, _ ("nobody: `farctl user add NAME`"));
  json_decref (list);
  return CTL_OK;
}

/* ---- rights ---- */

/* With all its conditions, and what stood there before: a right is read by who answers for it. */
static int
grant_done (Ctl *ctl, json_t *answer)
{
  json_t *was = json_object_get (answer, "was"), *warnings = json_object_get (answer, "warnings"), *one;
  g_autofree char *id = g_strdup (json_string_value (json_object_get (answer, "id"))),
                  *now = far_right_text (json_object_get (answer, "right"));
  g_autofree char *before = was != NULL ? far_right_text (was) : NULL;
  size_t i;

  json_array_foreach (warnings, i, one)
    if (json_is_string (one))
      ctl_say (_ ("warning: %s"), ctl_translated (json_string_value (one)));
  if (before != NULL)
    return ctl_done (ctl, answer, _ ("right %s was: %s\nright %s is: %s"), id != NULL ? id : "-", before,
                     id != NULL ? id : "-", now);
  return ctl_done (ctl, answer, _ ("right %s: %s"), id != NULL ? id : "-", now);
}

int
ctl_grant (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *id = NULL, *hours = NULL, *longest = NULL, *from = NULL, *needs = NULL, *until = NULL,
                  *expect = NULL;
  gboolean replace = FALSE;
  const GOptionEntry entries[] = {
    { "id", 0, 0, G_OPTION_ARG_STRING, &id, N_ ("name of the right; drawn if left out"), N_ ("ID") },
    { "hours", 0, 0, G_OPTION_ARG_STRING, &hours, N_ ("\"mon-fri 08:00-18:00\""), N_ ("TEXT") },
    { "longest", 0, 0, G_OPTION_ARG_STRING, &longest, N_ ("longest connection time"), N_ ("TIME") },
    { "from", 0, 0, G_OPTION_ARG_STRING, &from, N_ ("only from these nets, with commas"), N_ ("NETS") },
    { "needs", 0, 0, G_OPTION_ARG_STRING, &needs, N_ ("'approval': a second person agrees each time"),
      N_ ("WHAT") },
    { "until", 0, 0, G_OPTION_ARG_STRING, &until, N_ ("when it ends: a day or an instant"), N_ ("DATE") },
    { "replace", 0, 0, G_OPTION_ARG_NONE, &replace, N_ ("put it in the place of the right of this id"),
      NULL },
    CTL_EXPECT (&expect),
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GError *error = NULL;
  json_t *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 3, 3))
    return ctl->status;
  if (strchr (argv[2], '/') != NULL)
    return ctl_usage (ctl,
                      _ ("'%s' is an object, an action is meant there: WHO ACTION OBJECT, as in: alice "
                         "connect terminals/t1"),
                      argv[2]);
  answer = ctl_call (ctl, "POST", "rights",
                     json_pack ("{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:o*}", "who",
                                argv[1], "action", argv[2], "object", argv[3], "id", id, "hours", hours,
                                "longest", longest, "from", from, "needs", needs, "until", until, "expect",
                                expect, "replace", replace ? json_true () : NULL),
                     &error);
  return answer != NULL ? grant_done (ctl, answer) : ctl_fail (ctl, error);
}

int
ctl_revoke (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *node = NULL, *expect = NULL, *resource = NULL;
  const GOptionEntry entries[] = {
    { "node", 0, 0, G_OPTION_ARG_STRING, &node, N_ ("revoke this node's key and certificates and remove it"),
      N_ ("NODE") },
    CTL_EXPECT (&expect),
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GError *error = NULL;
  json_t *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 1))
    return ctl->status;
  if ((node == NULL) == (argc < 2))
    return ctl_usage (ctl, "%s", _ ("which RIGHT, or --node which NODE?"));
  resource = ctl_expecting (node != NULL ? ctl_path (&error, "terminals", node, NULL)
                                         : ctl_path (&error, "rights", argv[1], NULL),
                            expect);
  answer = ctl_call (ctl, "DELETE", resource, NULL, &error);
  if (answer == NULL)
    return ctl_fail (ctl, error);
  return ctl_done (ctl, answer,
                   node != NULL ? _ ("node %s revoked: its link is cut") : _ ("right %s taken back"),
                   node != NULL ? node : argv[1]);
}

static void
people_rights_odd (json_t *rights)
{
  json_t *right, *one;
  size_t i, j;

  json_array_foreach (rights, i, right)
    json_array_foreach (json_object_get (right, "odd"), j, one)
      if (json_is_string (one))
        ctl_print (stdout, _ ("right %s: %s\n"), json_string_value (json_object_get (right, "id")),
                   ctl_translated (json_string_value (one)));
}

int
ctl_rights (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn columns[] = {
    { N_ ("RIGHT"), "id", CTL_TEXT },
    { N_ ("WHO"), "who", CTL_TEXT },
    { N_ ("ACTION"), "action", CTL_TEXT },
    { N_ ("OBJECT"), "object", CTL_TEXT },
    { N_ ("HOURS"), "hours", CTL_TEXT },
    { N_ ("LONGEST"), "longest", CTL_TEXT },
    { N_ ("FROM"), "from", CTL_TEXT },
    { N_ ("NEEDS"), "needs", CTL_TEXT },
    { N_ ("UNTIL"), "until", CTL_TEXT },
    { N_ ("ORIGIN"), "origin", CTL_TEXT },
    { NULL, NULL, 0 },
  };
  GError *error = NULL;
  json_t *list;

  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  list = ctl_list (ctl, "rights", "rights", "odd=yes", 0, &error);
  if (list == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (list);
  else
    ctl_table (json_object_get (list, "rights"), columns,
               _ ("no rights: only root and the daemon's user may do anything"));
  if (!ctl->json)
    people_rights_odd (json_object_get (list, "rights"));
  json_decref (list);
  return CTL_OK;
}

static void
explain_print (json_t *answer)
{
  json_t *list = json_object_get (answer, "rights");
  const char *cause = ctl_translated (json_string_value (json_object_get (answer, "cause")));
  json_int_t others = json_integer_value (json_object_get (answer, "others"));
  json_t *odd;
  size_t n;

  ctl_print (stdout, _ ("%s, %s, %s: %s%s%s\n"), json_string_value (json_object_get (answer, "who")),
             json_string_value (json_object_get (answer, "action")),
             json_string_value (json_object_get (answer, "object")),
             json_string_value (json_object_get (answer, "result")), cause != NULL ? ": " : "",
             cause != NULL ? cause : "");
  json_array_foreach (json_object_get (answer, "odd"), n, odd)
    if (json_is_string (odd))
      ctl_print (stdout, "  %s\n", ctl_translated (json_string_value (odd)));
  if (json_is_true (json_object_get (answer, "super")))
    puts (_ ("may all, without a right"));
  for (gsize i = 0; i < json_array_size (list); i++) {
    json_t *line = json_array_get (list, i), *right = json_object_get (line, "right");

    ctl_print (stdout, "  %-16s %-10s %-10s %-28s %s\n", json_string_value (json_object_get (right, "id")),
               json_string_value (json_object_get (right, "who")),
               json_string_value (json_object_get (right, "action")),
               json_string_value (json_object_get (right, "object")),
               ctl_translated (json_string_value (json_object_get (line, "says"))));
  }
  if (others > 0)
    printf (_ ("  rights of others: %lld, not shown\n"), (long long) others);
}

int
ctl_explain (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *length = NULL, *from = NULL, *at = NULL, *resource = NULL;
  const GOptionEntry entries[] = {
    { "for", 0, 0, G_OPTION_ARG_STRING, &length, N_ ("connection time wished for"), N_ ("TIME") },
    { "from", 0, 0, G_OPTION_ARG_STRING, &from, N_ ("address the person comes from"), N_ ("ADDRESS") },
    { "at", 0, 0, G_OPTION_ARG_STRING, &at, N_ ("another time than now"), N_ ("TIME") },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autofree char *who = NULL, *action = NULL, *object = NULL, *q_for = NULL, *q_from = NULL, *q_at = NULL;
  GError *error = NULL;
  gboolean allowed;
  json_t *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 3, 3))
    return ctl->status;
  if (strchr (argv[2], '/') != NULL)
    return ctl_usage (ctl,
                      _ ("'%s' is an object, an action is meant there: WHO ACTION OBJECT, as in: alice "
                         "connect terminals/t1"),
                      argv[2]);
  if (!ctl_time (&at, &error))
    return ctl_fail (ctl, error);
  who = ctl_query ("who", argv[1]);
  action = ctl_query ("action", argv[2]);
  object = ctl_query ("object", argv[3]);
  q_for = ctl_query ("for", length);
  q_from = ctl_query ("from", from);
  q_at = ctl_query ("at", at);
  resource = g_strdup_printf ("explain?%s&%s&%s&%s&%s&%s", who, action, object, q_for, q_from, q_at);
  answer = ctl_whole (ctl, resource, "rights", &error);
  if (answer == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (answer);
  else
    explain_print (answer);
  allowed = g_strcmp0 (json_string_value (json_object_get (answer, "result")), "allow") == 0;
  json_decref (answer);
  return allowed ? CTL_OK : CTL_FAILED; /* a script asks, too */
}

/* ---- login ---- */

/* What the authenticator asks beyond the password. */
static json_t *
people_login_answers (json_t *body, json_t *question, gboolean from_stdin, GError **error)
{
  json_t *answers = json_array (), *prompts = json_object_get (question, "prompts");

  for (gsize i = 0; i < json_array_size (prompts); i++) {
    char *answer = ctl_secret (from_stdin, json_string_value (json_array_get (prompts, i)), FALSE, error);

    if (answer == NULL) {
      json_decref (answers);
      return NULL;
    }
    json_array_append_new (answers, json_string (answer));
    far_secret_free (answer);
  }
  json_object_set_new (body, "answers", answers);
  return body;
}

static json_t *
people_login_ask (Ctl *ctl, const char *name, gboolean from_stdin, GError **error)
{
  g_autofree char *prompt = g_strdup_printf (_ ("password of %s at %s"), name, ctl->server);
  char *secret = ctl_secret (from_stdin, prompt, FALSE, error);
  json_t *body, *answer;

  if (secret == NULL)
    return NULL;
  body = json_pack ("{s:s, s:s}", "name", name, "password", secret);
  far_secret_free (secret);
  answer = ctl_call (ctl, "POST", "login", json_incref (body), error);
  for (guint i = 0; i < 4 && answer != NULL && json_object_get (answer, "prompts") != NULL; i++) {
    json_t *more = people_login_answers (body, answer, from_stdin, error);

    json_decref (answer);
    answer = more != NULL ? ctl_call (ctl, "POST", "login", json_incref (body), error) : NULL;
  }
  json_decref (body);
  return answer;
}

int
ctl_login (Ctl *ctl, int argc, char **argv)
{
  gboolean from_stdin = FALSE;
  const GOptionEntry entries[] = {
    { "password-stdin", 0, 0, G_OPTION_ARG_NONE, &from_stdin, N_ ("the password is the first line of stdin"),
      NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GError *error = NULL;
  const char *name;
  json_t *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 1))
    return ctl->status;
  if (ctl->server == NULL)
    return ctl_usage (ctl, "%s",
                      _ ("log in where? farctl --server HOST:PORT --ca FILE login NAME (the control socket "
                         "needs no login)"));
  name = argc > 1 ? argv[1] : g_get_user_name ();
  answer = people_login_ask (ctl, name, from_stdin, &error);
  if (answer == NULL)
    return ctl_fail (ctl, error);
  if (!ctl_ticket_save (ctl, answer, &error)) {
    json_decref (answer);
    return ctl_fail (ctl, error);
  }
  json_object_del (answer, "ticket"); /* kept, never shown */
  return ctl_done (ctl, answer, _ ("logged in at %s as %s, for 12 hours or until the server is started anew"),
                   ctl->server, name);
}

int
ctl_logout (Ctl *ctl, int argc, char **argv)
{
  GError *error = NULL;
  json_t *answer;

  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  if (ctl->server == NULL)
    return ctl_usage (ctl, "%s", _ ("log out where? farctl --server HOST:PORT logout"));
  answer = ctl_call (ctl, "DELETE", "login", NULL, &error);
  ctl_ticket_forget (ctl);
  return answer != NULL ? ctl_done (ctl, answer, _ ("logged out at %s"), ctl->server) : ctl_fail (ctl, error);
}
