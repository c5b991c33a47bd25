/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A terminal as people see it, and what of it they change. */
#include "config.h"

#include "fleet.h"

const char *const fleet_terminal_fields[] = { "site", "note", "stock", "ssh", "box", NULL };

/* What people change of it: a renewal of its certificate is no change that they would have to look at. New
 * reference. */
json_t *
fleet_terminal_seen (const FarRegistryNode *terminal)
{
  json_t *seen = json_object ();
  for (guint i = 0; fleet_terminal_fields[i]; i++)
    if (json_object_get (terminal->row, fleet_terminal_fields[i]))
      json_object_set (seen, fleet_terminal_fields[i],
                       json_object_get (terminal->row, fleet_terminal_fields[i]));
  if (json_object_get (terminal->row, "groups"))
    json_object_set (seen, "groups", json_object_get (terminal->row, "groups"));
  return seen;
}

json_t *
fleet_terminal_show (const FarRegistryNode *terminal)
{
  g_autofree char *seen = terminal->seen_us ? far_clock_format (terminal->seen_us) : NULL;
  g_autofree char *polled = terminal->polled_us ? far_clock_format (terminal->polled_us) : NULL;
  json_t *json = json_pack ("{s:s, s:b, s:s?, s:s?, s:s?, s:I, s:s?, s:O?, s:s?, s:s?}", "terminal",
                            terminal->id, "connected", terminal->connected, "from", terminal->from, "seen",
                            seen, "polled", polled, "devices",
                            (json_int_t) g_hash_table_size (terminal->devices), "site",
                            fleet_text (terminal->row, "site"), "groups",
                            json_object_get (terminal->row, "groups"), "note",
                            fleet_text (terminal->row, "note"), "stock", fleet_text (terminal->row, "stock"));
  json_t *fields = fleet_terminal_seen (terminal);
  g_autofree char *revision = far_revision (fields);
  json_object_set_new (json, "revision", json_string (revision));
  json_decref (fields);
  json_object_set_new (json, "unreached", far_registry_ways_show (terminal));
  if (terminal->skew_told)
    json_object_set_new (json, "skew_us", json_integer (terminal->skew_us));
  return json;
}

/* One answer for a terminal that is not there and one that may not be seen. */
const FarRegistryNode *
fleet_called_terminal (FarCall *call)
{
  const FarRegistryNode *terminal = far_registry_node (call->parts[0]);
  if (!terminal)
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no terminal '%s', or no right to it"), call->parts[0]);
  return terminal;
}
