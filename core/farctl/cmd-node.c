/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The node itself: status, plugins, types, profile, reload, any message. */
#include "config.h"

#include "ctl.h"
#include "translate.h"

#include <stdio.h>
#include <string.h>

#include "ctl-support/shared.h"

static void
status_missing (json_t *missing)
{
  for (gsize i = 0; i < json_array_size (missing); i++) {
    json_t *one = json_array_get (missing, i);
    const char *path = json_string_value (json_object_get (one, "path")),
               *cause = ctl_translated (json_string_value (json_object_get (one, "cause")));

    ctl_print (stdout, _ ("missing: %s: %s\n"), path != NULL ? path : "-", cause != NULL ? cause : "-");
  }
}

static void
status_refused (json_t *refused)
{
  const char *what;
  json_t *number;

  if (json_object_size (refused) > 0)
    printf (_ ("\nrefused since the start:\n"));
  json_object_foreach (refused, what, number)
    ctl_print (stdout, "  %" JSON_INTEGER_FORMAT " %s\n", json_integer_value (number), ctl_translated (what));
}

int
ctl_status (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn head[] = {
    { N_ ("node"), "node", CTL_TEXT },
    { N_ ("role"), "role", CTL_TEXT },
    { N_ ("state"), "state", CTL_TEXT },
    { N_ ("version"), "version", CTL_TEXT },
    { N_ ("profile"), "profile", CTL_TEXT },
    { N_ ("up"), "uptime_s", CTL_SECONDS },
    { NULL, NULL, 0 },
  };
  static const CtlColumn columns[] = {
    { N_ ("INSTANCE"), "path", CTL_TEXT },
    { N_ ("TYPE"), "type", CTL_TEXT },
    { N_ ("STATE"), "state", CTL_TEXT },
    { N_ ("CAUSE"), "cause", CTL_TRANSLATED },
    { NULL, NULL, 0 },
  };
  GError *error = NULL;
  json_t *status;

  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  status = ctl_whole (ctl, "status", "instances", &error);
  if (status == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json) {
    ctl_json (status);
  } else {
    ctl_fields (status, head);
    putchar ('\n');
    ctl_table (json_object_get (status, "instances"), columns, _ ("nothing is configured"));
    status_missing (json_object_get (status, "missing"));
    status_refused (json_object_get (status, "refused"));
  }
  json_decref (status);
  return CTL_OK;
}

int
ctl_plugins (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn columns[] = {
    { N_ ("PLUGIN"), "name", CTL_TEXT },
    { N_ ("STATE"), "state", CTL_TEXT },
    { N_ ("TYPES"), "types", CTL_LIST },
    { N_ ("CAUSE"), "cause", CTL_TRANSLATED },
    { NULL, NULL, 0 },
  };
  GError *error = NULL;
  json_t *list;

  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  list = ctl_list (ctl, "plugins", "plugins", "", 0, &error);
  if (list == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (list);
  else
    ctl_table (json_object_get (list, "plugins"), columns, _ ("no plugins"));
  json_decref (list);
  return CTL_OK;
}

/* Of this machine's plugins; asks no daemon unless it must (--server). */
static json_t *
describe_here (const char *text, GError **error)
{
  const char *dash = strchr (text, '-');
  g_autofree char *kind_name = dash != NULL ? g_strndup (text, (gsize) (dash - text)) : NULL;
  FarKind kind = kind_name != NULL ? far_kind_parse (kind_name) : 0;
  const FarType *type = NULL;

  far_loader_scan ();
  if (kind != 0)
    type = far_loader_type (kind, dash + 1, NULL, error);
  for (int any = 1; kind == 0 && any < FAR_N_KINDS; any++)
    if (far_loader_find ((FarKind) any, text) != NULL) {
      type = far_loader_type ((FarKind) any, text, NULL, error);
      break;
    }
  if (type == NULL && error != NULL && *error == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("no type '%s' is installed; `farctl plugins` lists them"), text);
  return type != NULL ? far_type_json (type) : NULL;
}

static void
describe_print (json_t *type)
{
  static const CtlColumn columns[] = {
    { N_ ("OPTION"), "name", CTL_TEXT },
    { N_ ("TYPE"), "type", CTL_TEXT },
    { N_ ("REQUIRED"), "required", CTL_YESNO },
    { N_ ("DEFAULT"), "default", CTL_TEXT },
    { N_ ("RELOAD"), "reloadable", CTL_YESNO },
    { N_ ("WHAT"), "summary", CTL_TRANSLATED },
    { NULL, NULL, 0 },
  };

  ctl_print (stdout, "%s %s: %s\n\n", json_string_value (json_object_get (type, "kind")),
             json_string_value (json_object_get (type, "type")),
             ctl_translated (json_string_value (json_object_get (type, "summary"))));
  ctl_table (json_object_get (type, "options"), columns, _ ("it has no options"));
}

int
ctl_describe (Ctl *ctl, int argc, char **argv)
{
  GError *error = NULL;
  json_t *type;

  if (!ctl_words (ctl, &argc, &argv, 1, 1))
    return ctl->status;
  if (ctl->server != NULL || ctl->socket != NULL) {
    g_autofree char *resource = ctl_path (&error, "types", argv[1], NULL);

    type = ctl_call (ctl, "GET", resource, NULL, &error);
  } else {
    type = describe_here (argv[1], &error);
  }
  if (type == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (type);
  else
    describe_print (type);
  json_decref (type);
  return CTL_OK;
}

int
ctl_check (Ctl *ctl, int argc, char **argv)
{
  gboolean strict = FALSE, good;
  const GOptionEntry entries[] = {
    { "strict", 0, 0, G_OPTION_ARG_NONE, &strict, N_ ("warnings count as errors"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autoptr (GPtrArray) faults = NULL;

  if (!ctl_args (ctl, entries, &argc, &argv, 1, 1))
    return ctl->status;
  faults = far_faults_new ();
  good = far_profile_check (argv[1], faults) && (!strict || faults->len == 0);
  if (ctl->json) {
    json_t *answer = json_pack ("{s:b, s:o}", "good", good, "faults", far_faults_json (faults));

    ctl_json (answer);
    json_decref (answer);
  } else {
    g_autofree char *text = far_faults_text (faults);

    fputs (text, stderr);
    if (good && faults->len > 0)
      printf (_ ("%s: good, but for the warnings (--strict takes them for errors)\n"), argv[1]);
    else if (good)
      printf (_ ("%s: good\n"), argv[1]);
  }
  return good ? CTL_OK : CTL_PROFILE;
}

static int
reload_refused (Ctl *ctl, FarMessage *answer, GError *error)
{
  json_t *body = far_message_json (answer, NULL);
  const char *faults = ctl_translated (json_string_value (json_object_get (body, "faults")));

  if (ctl->json)
    ctl_json (body);
  if (faults != NULL)
    ctl_print (stderr, "%s", faults);
  ctl_print (stderr, "farctl: %s\n", ctl_translated (error->message));
  g_error_free (error);
  json_decref (body);
  return faults != NULL && faults[0] != '\0' ? CTL_PROFILE : CTL_FAILED;
}

int
ctl_reload (Ctl *ctl, int argc, char **argv)
{
  g_autoptr (FarMessage) answer = NULL;
  GError *error = NULL;
  const char *warnings;
  json_t *body;

  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  answer = ctl_ask (ctl, "POST", "reload", NULL, &error);
  if (answer == NULL)
    return ctl_fail (ctl, error);
  if (!far_message_check (answer, &error))
    return answer->body != NULL ? reload_refused (ctl, answer, error) : ctl_fail (ctl, error);
  body = far_message_json (answer, NULL);
  warnings = ctl_translated (json_string_value (json_object_get (body, "warnings")));
  if (warnings != NULL)
    ctl_print (stderr, "%s", warnings);
  if (!ctl->json) {
    json_t *changes = json_object_get (body, "changes"), *one;
    json_int_t more = json_integer_value (json_object_get (body, "more"));
    size_t i;

    json_array_foreach (changes, i, one) {
      const char *path = json_string_value (json_object_get (one, "path")),
                 *action = json_string_value (json_object_get (one, "action"));

      ctl_print (stdout, "%-32s %s\n", path != NULL ? path : "-",
                 action != NULL ? ctl_translated (action) : "-");
    }
    if (more > 0)
      printf (_ ("and %lld changes more\n"), (long long) more);
  }
  return ctl_done (ctl, body, "%s", _ ("the profile was read again and is in force"));
}

/* ---- call ---- */

static int
call_list (Ctl *ctl)
{
  static const CtlColumn columns[] = {
    { N_ ("METHOD"), "method", CTL_TEXT },
    { N_ ("RESOURCE"), "resource", CTL_TEXT },
    { N_ ("RIGHT"), "action", CTL_TEXT },
    { N_ ("WHAT"), "summary", CTL_TRANSLATED },
    { NULL, NULL, 0 },
  };
  GError *error = NULL;
  json_t *list = ctl_call (ctl, "GET", "methods", NULL, &error);

  if (list == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (list);
  else
    ctl_table (json_object_get (list, "methods"), columns, _ ("nothing"));
  json_decref (list);
  return CTL_OK;
}

static int
call_watch (Ctl *ctl, const char *resource)
{
  GError *error = NULL;
  json_t *event;

  if (!ctl_watch (ctl, resource, &error))
    return ctl_fail (ctl, error);
  while ((event = ctl_watch_next (ctl, &error)) != NULL) {
    ctl_json_flags (event, JSON_COMPACT);
    fflush (stdout);
    json_decref (event);
  }
  return error != NULL ? ctl_fail (ctl, error) : CTL_OK;
}

static json_t *
call_body (const char *text, GError **error)
{
  json_error_t at;
  json_t *body = json_loads (text, JSON_REJECT_DUPLICATES, &at);

  if (body == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("the body is no JSON: column %d: %s"), at.column,
                 at.text);
  return body;
}

int
ctl_call_command (Ctl *ctl, int argc, char **argv)
{
  gboolean list = FALSE;
  const GOptionEntry entries[] = {
    { "list", 0, 0, G_OPTION_ARG_NONE, &list, N_ ("what can be called"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autofree char *method = NULL;
  GError *error = NULL;
  json_t *body = NULL, *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 3))
    return ctl->status;
  if (list)
    return call_list (ctl);
  if (argc < 3)
    return ctl_usage (ctl, "%s", _ ("which METHOD and RESOURCE? --list shows what there is"));
  method = g_ascii_strup (argv[1], -1);
  if (strcmp (method, "WATCH") == 0)
    return call_watch (ctl, argv[2]);
  if (argc > 3 && (body = call_body (argv[3], &error)) == NULL)
    return ctl_fail (ctl, error);
  answer = ctl_call (ctl, method, argv[2], body, &error);
  if (answer == NULL)
    return ctl_fail (ctl, error);
  ctl_json (answer);
  json_decref (answer);
  return CTL_OK;
}
