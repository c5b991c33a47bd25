/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file leads a message to its handler: tables of handlers come and go with their instances, a
 * resource is split into path and query, a pattern is matched and the object that rights speak of is made
 * from it. The order of the checks is the router's (message/router.h). */
#include "config.h"

#include "message/router.h"

#include "base/node-part.h"

#include <string.h>

#include "life/instance-private.h"

#include <farwatch/i18n.h>
#include <farwatch/thread.h>

#define PARTS_MAX 8
#define QUERY_MAX 16 /* as the text says */

/* The tables in force; touched on main only. */
typedef struct {
  GPtrArray *list;
} Routes;

static void
route_part_clear (gpointer part)
{
  Routes *self = part;

  g_clear_pointer (&self->list, g_ptr_array_unref);
}

static Routes *
route_part (void)
{
  static const FarNodePart part = { FAR_PART_ROUTE, sizeof (Routes), NULL, route_part_clear };

  return far_node_part (&part);
}

static void
route_free (gpointer data)
{
  FarRoute *route = data;

  g_strfreev (route->pattern);
  g_free (route);
}

void
far_handlers_add (const FarHandler *handlers, gpointer self, FarInstance *at)
{
  FAR_ON_MAIN ();
  if (route_part ()->list == NULL)
    route_part ()->list = g_ptr_array_new_with_free_func (route_free);
  for (const FarHandler *handler = handlers; handler->method != NULL; handler++) {
    FarRoute *route = g_new0 (FarRoute, 1);

    route->handler = handler;
    route->self = self;
    route->at = at;
    route->pattern = g_strsplit (handler->pattern, "/", -1);
    g_ptr_array_add (route_part ()->list, route);
  }
}

static gboolean
route_is_of (const FarRoute *route, const FarHandler *handlers, gpointer self)
{
  if (route->self != self)
    return FALSE;
  for (const FarHandler *handler = handlers; handler->method != NULL; handler++)
    if (route->handler == handler)
      return TRUE;
  return FALSE;
}

static void
handlers_leave (const FarHandler *handlers, gpointer self, gint64 grace_us)
{
  for (guint i = route_part ()->list != NULL ? route_part ()->list->len : 0; i > 0; i--)
    if (route_is_of (route_part ()->list->pdata[i - 1], handlers, self))
      g_ptr_array_remove_index (route_part ()->list, i - 1);
  if (route_part ()->list != NULL && route_part ()->list->len == 0)
    g_clear_pointer (&route_part ()->list, g_ptr_array_unref);
  far_call_refuse_all (handlers, self, grace_us);
  far_subscription_self_gone (handlers, self);
}

void
far_handlers_remove (const FarHandler *handlers, gpointer self)
{
  FAR_ON_MAIN ();
  handlers_leave (handlers, self, 0);
}

void
far_handlers_retire (const FarHandler *handlers, gpointer self)
{
  handlers_leave (handlers, self, FAR_CALL_GRACE_US);
}

/* ---- resource ---- */

static gboolean
route_bad (GError **error, const char *why)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("resource: %s"), why);
  return FALSE;
}

static gboolean
route_query_field (const char *text, json_t *query, GError **error)
{
  const char *equals = strchr (text, '=');
  g_autofree char *name = equals != NULL ? g_strndup (text, (gsize) (equals - text)) : g_strdup (text);
  g_autofree char *spaced = equals != NULL ? g_strdelimit (g_strdup (equals + 1), "+", ' ') : g_strdup ("");
  g_autofree char *value = g_uri_unescape_string (spaced, NULL);

  if (!far_field_name_ok (name) || value == NULL || !g_utf8_validate (value, -1, NULL))
    return route_bad (error, _ ("the query is not name=value&…"));
  if (json_object_get (query, name) != NULL)
    return route_bad (error, _ ("a field stands twice in the query"));
  json_object_set_new (query, name, json_string (value));
  return TRUE;
}

static gboolean
route_query (const char *text, json_t *query, GError **error)
{
  g_auto (GStrv) fields = g_strsplit (text, "&", QUERY_MAX + 1);

  if (g_strv_length (fields) > QUERY_MAX)
    return route_bad (error, _ ("the query has too many fields: 16 at most"));
  for (guint i = 0; fields[i] != NULL; i++)
    if (fields[i][0] != '\0' && !route_query_field (fields[i], query, error))
      return FALSE;
  return TRUE;
}

static gboolean
route_parts_ok (char **parts)
{
  if (parts[0] == NULL || g_strv_length (parts) > PARTS_MAX)
    return FALSE;
  for (guint i = 0; parts[i] != NULL; i++)
    if (!far_field_name_ok (parts[i]))
      return FALSE;
  return TRUE;
}

char **
far_route_split (const char *resource, json_t **query, GError **error)
{
  const char *mark = strchr (resource, '?');
  g_autofree char *path = mark != NULL ? g_strndup (resource, (gsize) (mark - resource))
                                       : g_strdup (resource);
  g_auto (GStrv) parts = g_strsplit (path, "/", PARTS_MAX + 1);
  json_t *fields = json_object ();

  if (!route_parts_ok (parts))
    route_bad (error, _ ("the path must be 1 to 8 names with / between them"));
  else if (mark == NULL || route_query (mark + 1, fields, error)) {
    *query = fields;
    return g_steal_pointer (&parts);
  }
  json_decref (fields);
  return NULL;
}

/* ---- match ---- */

static gboolean
route_match (const FarRoute *route, char **parts, GPtrArray *values)
{
  guint i;

  g_ptr_array_set_size (values, 0);
  for (i = 0; route->pattern[i] != NULL; i++) {
    if (parts[i] == NULL)
      return FALSE;
    if (route->pattern[i][0] == '{')
      g_ptr_array_add (values, g_strdup (parts[i]));
    else if (strcmp (route->pattern[i], parts[i]) != 0)
      return FALSE;
  }
  return parts[i] == NULL;
}

const FarRoute *
far_route_find (const char *method, char **parts, GStrv *out, gboolean *known)
{
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func (g_free);
  const FarRoute *best = NULL;

  *known = FALSE;
  for (guint i = 0; route_part ()->list != NULL && i < route_part ()->list->len; i++) {
    const FarRoute *route = route_part ()->list->pdata[i];

    if (!route_match (route, parts, values))
      continue;
    *known = TRUE;
    if (strcmp (route->handler->method, method) == 0 &&
        (best == NULL || far_pattern_before (route->pattern, best->pattern)))
      best = route;
  }
  if (best == NULL || !route_match (best, parts, values))
    return NULL;
  g_ptr_array_add (values, NULL);
  *out = (GStrv) g_ptr_array_steal (values, NULL);
  return best;
}

/* No path and no method of a message fits it, so it is found by this alone. */
const FarRoute *
far_route_find_upstream (void)
{
  GPtrArray *list = route_part ()->list;

  for (guint i = 0; list != NULL && i < list->len; i++)
    if (far_handler_is_upstream (((const FarRoute *) list->pdata[i])->handler))
      return list->pdata[i];
  return NULL;
}

const FarRoute *
far_route_find_verb (const char *verb)
{
  GPtrArray *list = route_part ()->list;

  for (guint i = 0; verb != NULL && list != NULL && i < list->len; i++)
    if (g_strcmp0 (((const FarRoute *) list->pdata[i])->handler->verb, verb) == 0)
      return list->pdata[i];
  return NULL;
}

/* A resource of a service that does not run now. */
static gboolean
pattern_matches (const char *pattern, char **parts)
{
  g_auto (GStrv) wanted = g_strsplit (pattern, "/", -1);
  guint i;

  for (i = 0; wanted[i] != NULL; i++)
    if (parts[i] == NULL || (wanted[i][0] != '{' && strcmp (wanted[i], parts[i]) != 0))
      return FALSE;
  return parts[i] == NULL;
}

const FarInstance *
far_route_owner (char **parts)
{
  GPtrArray *all = far_instances_all ();

  for (guint i = 0; i < all->len; i++) {
    const FarInstance *at = all->pdata[i];
    const FarHandler *handler = at->kind == FAR_KIND_SERVICE && at->type != NULL
                                    ? ((const FarServiceType *) at->type)->handlers
                                    : NULL;

    for (; handler != NULL && handler->method != NULL; handler++)
      if (at->state != FAR_STATE_RUNNING && pattern_matches (handler->pattern, parts))
        return at;
  }
  return NULL;
}

/* ---- object ---- */

static const char *
route_value (const FarRoute *route, const char *name, char **values, json_t *body)
{
  guint n = 0;

  if (g_str_has_prefix (name, "{body.")) {
    g_autofree char *field = g_strndup (name + 6, strlen (name) - 7);

    return json_string_value (json_object_get (body, field));
  }
  for (guint i = 0; route->pattern[i] != NULL; i++) {
    if (route->pattern[i][0] != '{')
      continue;
    if (strcmp (route->pattern[i], name) == 0)
      return values[n];
    n++;
  }
  return NULL;
}

char *
far_route_object (const FarRoute *route, char **values, json_t *body, GError **error)
{
  const char *pattern = route->handler->object != NULL             ? route->handler->object
                        : far_handler_is_upstream (route->handler) ? "node"
                                                                   : route->handler->pattern;
  g_auto (GStrv) parts = g_strsplit (pattern, "/", -1);
  g_autoptr (GPtrArray) out = g_ptr_array_new ();
  const char *value;

  for (guint i = 0; parts[i] != NULL; i++) {
    value = parts[i][0] == '{' ? route_value (route, parts[i], values, body) : parts[i];
    if (value == NULL) {
      g_ptr_array_set_size (out, (int) out->len - (out->len > 1 ? 1 : 0));
      break;
    }
    if (!far_field_name_ok (value)) {
      route_bad (error, _ ("a name must be 1 to 64 of A-Z a-z 0-9 . _ -"));
      return NULL;
    }
    g_ptr_array_add (out, (gpointer) value);
  }
  g_ptr_array_add (out, NULL);
  return g_strjoinv ("/", (char **) out->pdata);
}

json_t *
far_route_list (void)
{
  json_t *list = json_array ();

  for (guint i = 0; route_part ()->list != NULL && i < route_part ()->list->len; i++) {
    const FarHandler *handler = ((const FarRoute *) route_part ()->list->pdata[i])->handler;
    json_t *line;

    if (far_handler_is_upstream (handler))
      continue;
    line = json_object ();
    json_object_set_new (line, "method", json_string (handler->method));
    json_object_set_new (line, "resource", json_string (handler->pattern));
    json_object_set_new (line, "action", json_string (far_action_name (handler->action)));
    json_object_set_new (line, "summary", json_string (handler->summary != NULL ? _ (handler->summary) : ""));
    if (handler->verb != NULL)
      json_object_set_new (line, "verb", json_string (handler->verb));
    json_array_append_new (list, line);
  }
  return list;
}
