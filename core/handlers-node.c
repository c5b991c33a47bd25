/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the node tells of itself, and how it takes a new profile. */
#include "config.h"

#include "handlers-node.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/message.h>
#include <farwatch/version.h>

#include "instance-private.h"
#include "log.h"
#include "node.h"
#include "ready.h"
#include "reload.h"
#include "stall.h"

#define PAGE 50
#define CONFIG_MAX 24000
#define FAULTS_TEXT_MAX 16000 /* a body holds 32 KiB, and JSON may double a text */

static struct {
  char *state;
  gint64 began_us;
} handlers_node;

/* At most PAGE of them, from the one behind `after`; *next: where the next page begins. */
static json_t *
instances_page (const char *after, const char **next, gboolean *good)
{
  GPtrArray *all = far_instances_all ();
  json_t *page = json_array ();
  gboolean begun = after == NULL;

  for (guint i = 0; i < all->len; i++) {
    const FarInstance *at = all->pdata[i];

    *good = *good && (at->state == FAR_STATE_RUNNING || at->state == FAR_STATE_RESTING);
    if (begun && json_array_size (page) < PAGE)
      json_array_append_new (page, far_instance_json (at));
    else if (begun && *next == NULL)
      *next = ((const FarInstance *) all->pdata[i - 1])->path;
    begun = begun || g_str_equal (at->path, after);
  }
  return page;
}

/* "/etc/farwatch/terminal.yaml" → "terminal" */
static char *
role_name (void)
{
  char *role = g_path_get_basename (far_node_profile ()->path);

  if (g_str_has_suffix (role, ".yaml"))
    role[strlen (role) - strlen (".yaml")] = '\0';
  return role;
}

static void
call_status (gpointer self, FarCall *call)
{
  g_autofree char *role = role_name ();
  gint64 uptime_us = far_clock_boottime_us () - handlers_node.began_us;
  const char *next = NULL;
  gboolean good = TRUE;
  json_t *list = instances_page (json_string_value (json_object_get (call->query, "after")), &next, &good);

  far_call_answer (call, 200, json_pack ("{s:s, s:s, s:I, s:s, s:s, s:s, s:o, s:s?, s:i, s:i, s:o, s:o}", "node", far_node_id (), "version", far_version (),
                                         "uptime_s", (json_int_t) (uptime_us / 1000000), "role", role, "profile", far_node_profile ()->path, "state",
                                         good ? "ok" : "degraded", "instances", list, "after", next, "stalls", (int) far_stall_count (), "waits", (int) far_stall_waits (),
                                         "missing", far_profile_missing (far_node_profile ()), "refused", far_counts_json ()));
}

static void
call_plugins (gpointer self, FarCall *call)
{
  far_call_answer (call, 200, json_pack ("{s:o}", "plugins", far_loader_json ()));
}

/* {t} is a type's name or kind-name; the first kind that has it. */
static const FarType *
find_type (const char *text, GError **error)
{
  const FarLoaderRules *rules = &far_node_profile ()->rules; /* who asks must not get a denied plugin loaded */
  const char *dash = strchr (text, '-');
  g_autofree char *kind_name = dash != NULL ? g_strndup (text, dash - text) : NULL;
  FarKind kind = kind_name != NULL ? far_kind_parse (kind_name) : 0;

  if (kind != 0)
    return far_loader_type (kind, dash + 1, rules, error);
  for (guint any = 1; any < FAR_N_KINDS; any++)
    if (far_loader_find (any, text) != NULL)
      return far_loader_type (any, text, rules, error);
  g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, _("no type '%s' is installed; farctl plugins lists them"), text);
  return NULL;
}

static void
call_type (gpointer self, FarCall *call)
{
  GError *error = NULL;
  const FarType *type = find_type (call->parts[0], &error);

  if (type != NULL)
    far_call_answer (call, 200, far_type_json (type));
  else
    far_call_fail (call, error);
}

/* Paged by the key's name (after=); a page is as large as a body can be. */
static void
call_config (gpointer self, FarCall *call)
{
  json_t *all = far_profile_effective (far_node_profile ()), *page = json_object (), *value;
  const char *after = json_string_value (json_object_get (call->query, "after")), *key, *last = NULL, *next = NULL;
  gboolean begun = after == NULL;
  gsize size = 0;

  json_object_foreach (all, key, value) {
    size += begun ? strlen (key) + json_dumpb (value, NULL, 0, 0) + 8 : 0;
    if (begun && size < CONFIG_MAX)
      json_object_set (page, last = key, value);
    else if (begun && next == NULL)
      next = last;
    begun = begun || g_str_equal (key, after);
  }
  far_call_answer (call, 200, json_pack ("{s:o, s:s?}", "config", page, "after", next));
  json_decref (all);
}

/* The service manager hears when it begins and, from the caller, when all is said. */
static gboolean
reload (json_t **changes, GPtrArray *faults, GError **error)
{
  g_autofree char *text = g_strdup_printf ("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time ());
  gboolean good;

  far_notify (text);
  good = far_reload (handlers_node.state, changes, faults, error);
  if (good)
    far_log_line (G_LOG_LEVEL_MESSAGE, NULL, _("the profile was read again and is in force"));
  else
    far_log_line (G_LOG_LEVEL_WARNING, NULL, (*error)->message);
  return good;
}

/* Ready again, well or not. Caller frees the text of what was wrong, as much as a body can hold. */
static char *
reload_said (GPtrArray *faults)
{
  g_autofree char *text = far_faults_text (faults);

  far_notify ("READY=1");
  return g_utf8_substring (text, 0, MIN (g_utf8_strlen (text, -1), FAULTS_TEXT_MAX / 4));
}

static void
call_reload (gpointer self, FarCall *call)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GError) error = NULL;
  json_t *changes = NULL;
  gboolean good = reload (&changes, faults, &error);
  g_autofree char *said = reload_said (faults);

  if (good)
    far_call_answer (call, 200, json_pack ("{s:o, s:s}", "changes", changes, "warnings", said));
  else
    far_call_answer (call, far_error_status (error),
                     json_pack ("{s:s, s:s, s:s}", "error", far_error_word (error), "message", error->message, "faults", said));
}

void
far_reload_by_signal (void)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GError) error = NULL;
  json_t *changes = NULL;

  reload (&changes, faults, &error);
  json_decref (changes);
  for (guint i = 0; i < faults->len && i < 50; i++) {
    const FarFault *fault = faults->pdata[i];
    g_autofree char *line = g_strdup_printf ("%s:%u:%u: %s", fault->file != NULL ? fault->file : "", fault->line, fault->column, fault->message);

    far_log_line (G_LOG_LEVEL_WARNING, NULL, line);
  }
  far_notify ("READY=1");
}

static const FarHandler node_handlers[] = {
  { .method = "GET", .pattern = "status", .action = FAR_ACTION_SEE, .object = "node", .handle = call_status, .summary = N_ ("what runs and what does not") },
  { .method = "GET", .pattern = "plugins", .action = FAR_ACTION_SEE, .object = "node", .handle = call_plugins, .summary = N_ ("plugins that are installed") },
  { .method = "GET", .pattern = "types/{t}", .action = FAR_ACTION_SEE, .object = "node", .handle = call_type, .summary = N_ ("options of a type") },
  { .method = "GET", .pattern = "config", .action = FAR_ACTION_MANAGE, .object = "node", .handle = call_config,
    .summary = N_ ("options in force and where each comes from") },
  { .method = "POST", .pattern = "reload", .action = FAR_ACTION_MANAGE, .object = "node", .handle = call_reload, .summary = N_ ("read the profile again") },
  { .method = NULL }
};

void
far_handlers_node_start (const char *state)
{
  g_free (handlers_node.state);
  handlers_node.state = g_strdup (state);
  handlers_node.began_us = far_clock_boottime_us ();
  far_handlers_add (node_handlers, NULL, NULL);
}

void
far_handlers_node_stop (void)
{
  far_handlers_remove (node_handlers, NULL);
  g_clear_pointer (&handlers_node.state, g_free);
}
