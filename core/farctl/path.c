/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From names to resources. What cannot be a name is told here, before anything is sent. */
#include "config.h"

#include "ctl.h"

#include <string.h>

#include "ctl-support/shared.h"

gboolean
ctl_name_ok (const char *name, GError **error)
{
  if (far_field_name_ok (name))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("'%s' is no name: 1 to 64 of the letters A-Z and a-z, digits, '.', '_' and '-' are taken"),
               name);
  return FALSE;
}

char *
ctl_path (GError **error, const char *first, ...)
{
  g_autoptr (GString) path = g_string_new (first);
  gboolean good = TRUE;
  const char *name;
  va_list names;

  va_start (names, first);
  while (good && (name = va_arg (names, const char *)) != NULL) {
    good = ctl_name_ok (name, error);
    g_string_append_printf (path, "/%s", name);
  }
  va_end (names);
  return good ? g_string_free (g_steal_pointer (&path), FALSE) : NULL;
}

char *
ctl_expecting (char *resource, const char *expect)
{
  g_autofree char *query = expect != NULL ? ctl_query ("expect", expect) : NULL, *bare = resource;

  return resource != NULL && query != NULL ? g_strconcat (resource, "?", query, NULL)
                                           : g_steal_pointer (&bare);
}

gboolean
ctl_request_ok (const char *method, const char *resource, GError **error)
{
  g_auto (GStrv) parts = NULL;
  json_t *query = NULL;

  if (!far_frame_method_ok (method)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 _ ("'%s' is no method: GET, POST, PUT, DELETE or WATCH is meant"), method);
    return FALSE;
  }
  if (far_frame_resource_ok (resource))
    parts = far_route_split (resource, &query, NULL);
  json_decref (query);
  if (parts != NULL)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
               _ ("'%s' is no resource: names with / between them are meant, as in terminals/t1; `farctl "
                  "call --list` shows what there is"),
               resource);
  return FALSE;
}
