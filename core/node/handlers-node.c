/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the node tells of itself, and how it takes a new profile. */
#include "config.h"

#include "node/handlers-node.h"

#include "base/node-part.h"

#include "node/api-private.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/message.h>
#include <farwatch/version.h>

#include "life/instance-private.h"
#include "loop/log.h"
#include "life/node.h"
#include "life/sd-notify.h"
#include "life/reload.h"
#include "loop/loop-latency.h"

#define PAGE 50
#define ANY G_MAXUINT16       /* rows: as many as a body holds */
#define STATUS_BESIDE 6000    /* what stands beside the instances: counts of refusals, what is missing */
#define FAULTS_TEXT_MAX 16000 /* a body holds 32 KiB, and JSON may double a text */

typedef struct {
  char *state;
  gint64 began_us;
} HandlersNode;

static void
handlers_node_clear (gpointer part)
{
  HandlersNode *self = part;

  g_clear_pointer (&self->state, g_free);
}

static HandlersNode *
handlers_node (void)
{
  static const FarNodePart part = { FAR_PART_HANDLERS, sizeof (HandlersNode), NULL, handlers_node_clear };

  return far_node_part (&part);
}

static int
by_path (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(FarInstance *const *) a)->head.path, (*(FarInstance *const *) b)->head.path);
}

static gboolean
instances_good (void)
{
  GPtrArray *all = far_instances_all ();
  gboolean good = TRUE;

  for (guint i = 0; i < all->len; i++) {
    const FarInstance *at = all->pdata[i];

    good = good && (at->state == FAR_STATE_RUNNING || at->state == FAR_STATE_RESTING);
  }
  return good;
}

/* In the order of their paths, which holds when a reload takes out the one at which a page ended. */
static void
instances_page (FarPage *page, const FarCall *call)
{
  GPtrArray *all = far_instances_all ();
  g_autoptr (GPtrArray) sorted = g_ptr_array_copy (all, NULL, NULL);

  g_ptr_array_set_free_func (sorted, NULL);
  g_ptr_array_sort (sorted, by_path);
  far_page_begin (page, call, PAGE, STATUS_BESIDE);
  for (guint i = 0; i < sorted->len && page->next == NULL; i++) {
    const FarInstance *at = sorted->pdata[i];

    if (far_page_wants (page, at->head.path))
      far_page_take (page, at->head.path, far_instance_json (at));
  }
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
  gint64 uptime_us = far_clock_boottime_us () - handlers_node ()->began_us;
  FarPage page;

  instances_page (&page, call);
  far_call_answer (call, 200,
                   json_pack ("{s:s, s:s, s:I, s:s, s:s, s:s, s:o, s:s?, s:i, s:i, s:o, s:o}", "node",
                              far_node_id (), "version", far_version (), "uptime_s",
                              (json_int_t) (uptime_us / 1000000), "role", role, "profile",
                              far_node_profile ()->path, "state", instances_good () ? "ok" : "degraded",
                              "instances", page.list, "next", page.next, "stalls",
                              (int) far_loop_latency_count (), "waits", (int) far_loop_latency_waits (),
                              "missing", far_profile_missing (far_node_profile ()), "refused",
                              far_counts_json ()));
}

static const char *
row_name (json_t *row)
{
  const char *name = json_string_value (json_object_get (row, "name"));

  return name != NULL ? name : "";
}

static int
handlers_node_by_name (gconstpointer a, gconstpointer b)
{
  return strcmp (row_name (*(json_t *const *) a), row_name (*(json_t *const *) b));
}

static void
call_plugins (gpointer self, FarCall *call)
{
  json_t *all = far_loader_json (), *row;
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();
  FarPage page;
  size_t i;

  json_array_foreach (all, i, row)
    g_ptr_array_add (sorted, row);
  g_ptr_array_sort (sorted, handlers_node_by_name);
  far_page_begin (&page, call, ANY, 0);
  for (i = 0; i < sorted->len && page.next == NULL; i++)
    if (far_page_wants (&page, row_name (sorted->pdata[i])))
      far_page_take (&page, row_name (sorted->pdata[i]), json_incref (sorted->pdata[i]));
  far_call_answer (call, 200, json_pack ("{s:o, s:s?}", "plugins", page.list, "next", page.next));
  json_decref (all);
}

/* {t} is a type's name or kind-name; the first kind that has it. */
static const FarType *
handlers_node_find_type (const char *text, GError **error)
{
  /* Who asks must not get a denied plugin loaded. */
  const FarLoaderRules *rules = &far_node_profile ()->rules;
  const char *dash = strchr (text, '-');
  g_autofree char *kind_name = dash != NULL ? g_strndup (text, dash - text) : NULL;
  FarKind kind = kind_name != NULL ? far_kind_parse (kind_name) : 0;

  if (kind != 0)
    return far_loader_type (kind, dash + 1, rules, error);
  for (guint any = 1; any < FAR_N_KINDS; any++)
    if (far_loader_find (any, text) != NULL)
      return far_loader_type (any, text, rules, error);
  g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
               _ ("no type '%s' is installed; farctl plugins lists them"), text);
  return NULL;
}

static void
call_type (gpointer self, FarCall *call)
{
  GError *error = NULL;
  const FarType *type = handlers_node_find_type (call->parts[0], &error);

  if (type != NULL)
    far_call_answer (call, 200, far_type_json (type));
  else
    far_call_fail (call, error);
}

/* [{KEY: …}, …] → {KEY: …, …} */
static json_t *
joined (json_t *list /* takes */)
{
  json_t *all = json_object (), *one;
  size_t i;

  json_array_foreach (list, i, one)
    json_object_update (all, one);
  json_decref (list);
  return all;
}

/* In the order of the keys, which holds when a reload takes out the one at which a page ended. */
static void
call_config (gpointer self, FarCall *call)
{
  json_t *all = far_profile_effective (far_node_profile ()), *value;
  g_autoptr (GList) keys = NULL;
  const char *key;
  FarPage page;

  json_object_foreach (all, key, value)
    keys = g_list_prepend (keys, (gpointer) key);
  keys = g_list_sort (keys, (GCompareFunc) strcmp);
  far_page_begin (&page, call, ANY, 0);
  for (GList *at = keys; at != NULL && page.next == NULL; at = at->next)
    if (far_page_wants (&page, at->data))
      far_page_take (&page, at->data, json_pack ("{s:O}", at->data, json_object_get (all, at->data)));
  far_call_answer (call, 200, json_pack ("{s:o, s:s?}", "config", joined (page.list), "next", page.next));
  json_decref (all);
}

/* The service manager hears when it begins and, from the caller, when all is said. */
static gboolean
reload (json_t **changes, GPtrArray *faults, GError **error)
{
  g_autofree char *text = g_strdup_printf ("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT,
                                           g_get_monotonic_time ());
  gboolean good;

  far_notify (text);
  good = far_reload (handlers_node ()->state, changes, faults, error);
  if (good)
    far_log_line (G_LOG_LEVEL_MESSAGE, NULL, _ ("the profile was read again and is in force"));
  else
    far_log_line (G_LOG_LEVEL_WARNING, NULL, (*error)->message);
  return good;
}

/* The profile is in force: that must be said whatever there is to say of it. *more: changes that have no
 * room. */
static json_t *
changes_that_fit (json_t *changes /* takes */, json_int_t *more)
{
  json_t *fit = json_array (), *change;
  gsize size = FAULTS_TEXT_MAX; /* the warnings, beside them */
  size_t i;

  json_array_foreach (changes, i, change)
    if (!far_page_add (fit, &size, change))
      ++*more;
  json_decref (changes);
  return fit;
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
  json_int_t more = 0;
  gboolean good = reload (&changes, faults, &error);
  g_autofree char *said = reload_said (faults);

  changes = good ? changes_that_fit (changes, &more) : changes;
  if (good)
    far_call_answer (call, 200,
                     json_pack ("{s:o, s:I, s:s}", "changes", changes, "more", more, "warnings", said));
  else
    far_call_answer (call, far_error_status (error),
                     json_pack ("{s:s, s:s, s:s}", "error", far_error_word (error), "message", error->message,
                                "faults", said));
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
    g_autofree char *line = g_strdup_printf ("%s:%u:%u: %s", fault->file != NULL ? fault->file : "",
                                             fault->line, fault->column, fault->message);

    far_log_line (G_LOG_LEVEL_WARNING, NULL, line);
  }
  far_notify ("READY=1");
}

const FarHandler far_node_handlers[] = {
  { .method = "GET",
    .pattern = "status",
    .action = FAR_ACTION_SEE,
    .object = "node",
    .handle = call_status,
    .summary = N_ ("what runs and what does not") },
  { .method = "GET",
    .pattern = "plugins",
    .action = FAR_ACTION_SEE,
    .object = "node",
    .handle = call_plugins,
    .summary = N_ ("plugins that are installed") },
  { .method = "GET",
    .pattern = "types/{t}",
    .action = FAR_ACTION_SEE,
    .object = "node",
    .handle = call_type,
    .summary = N_ ("options of a type") },
  { .method = "GET",
    .pattern = "config",
    .action = FAR_ACTION_MANAGE,
    .object = "node",
    .handle = call_config,
    .summary = N_ ("options in force and where each comes from") },
  { .method = "POST",
    .pattern = "reload",
    .action = FAR_ACTION_MANAGE,
    .object = "node",
    .handle = call_reload,
    .summary = N_ ("read the profile again") },
  { .method = NULL },
};

void
far_handlers_node_start (const char *state)
{
  g_free (handlers_node ()->state);
  handlers_node ()->state = g_strdup (state);
  handlers_node ()->began_us = far_clock_boottime_us ();
  far_handlers_add (far_node_handlers, NULL, NULL);
}

void
far_handlers_node_stop (void)
{
  far_handlers_remove (far_node_handlers, NULL);
  g_clear_pointer (&handlers_node ()->state, g_free);
}
