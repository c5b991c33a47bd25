/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a terminal stands and what it belongs to. A right may name a site or a group instead of terminals, so
 * a change of these is a change of who may do what: it takes the right to manage the site or group it goes
 * to, not only the terminal. */
#include "config.h"

#include "fleet.h"

#include <string.h>

#define GROUPS_MAX 16

static gboolean
site_fits (const char *site)
{
  if (!g_utf8_validate (site, -1, NULL) || strlen (site) > 200 || g_ascii_isspace (site[0]) ||
      strchr (site, '/'))
    return FALSE;
  for (const char *at = site; *at; at++)
    if (g_ascii_iscntrl (*at))
      return FALSE;
  return TRUE;
}

/* "sites/pump house", "groups/pumps"; what does not fit is left out. */
GPtrArray *
fleet_site_names (json_t *row)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const char *site = fleet_text (row, "site");
  size_t i;
  json_t *group;
  if (site && *site && site_fits (site))
    g_ptr_array_add (names, g_strconcat ("sites/", site, NULL));
  json_array_foreach (json_object_get (row, "groups"), i, group)
    if (far_object_name_ok (json_string_value (group)))
      g_ptr_array_add (names, g_strconcat ("groups/", json_string_value (group), NULL));
  g_ptr_array_add (names, NULL);
  return names;
}

static gboolean
place_form (json_t *body, GError **error)
{
  const char *site = fleet_text (body, "site");
  json_t *groups = json_object_get (body, "groups"), *group;
  size_t i;
  if (site && !site_fits (site)) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("site: a text of up to 200 bytes, without '/'"));
    return FALSE;
  }
  if (json_array_size (groups) > GROUPS_MAX) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_LIMIT, _ ("groups: a terminal belongs to at most %d"),
                 GROUPS_MAX);
    return FALSE;
  }
  json_array_foreach (groups, i, group)
    if (!far_object_name_ok (json_string_value (group))) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                   _ ("groups[%zu]: a name has 1 to 64 of A-Z a-z 0-9 . _ -"), i);
      return FALSE;
    }
  return TRUE;
}

gboolean
fleet_site_check (const FarPrincipal *principal, json_t *before, json_t *now, GError **error)
{
  if (!place_form (now, error))
    return FALSE;
  g_autoptr (GPtrArray) old = fleet_site_names (before), fresh = fleet_site_names (now);
  for (guint i = 0; fresh->pdata[i]; i++)
    if (!g_strv_contains ((const char *const *) old->pdata, fresh->pdata[i]) &&
        far_authorize (principal, FAR_ACTION_MANAGE, fresh->pdata[i], NULL, NULL) != FAR_DECISION_ALLOW) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
                   _ ("no right to manage %s: who puts a terminal there gives others rights to it"),
                   (char *) fresh->pdata[i]);
      return FALSE;
    }
  return TRUE;
}
