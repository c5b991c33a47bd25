/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device as people and the fleet's server see it: what far_device_parse() reads, and its name. */
#include "config.h"

#include "member.h"

json_t *
member_device_json (const FarDevice *device)
{
  json_t *applications = json_array ();
  for (guint i = 0; device->applications && device->applications[i]; i++)
    json_array_append_new (applications, json_string (device->applications[i]));
  return json_pack ("{s:s, s:s, s:s?, s:s?, s:i, s:b, s:o}", "name", device->name, "endpoint",
                    device->endpoint, "address", device->address, "line", device->line, "weight",
                    device->weight, "inspect", device->inspect_required, "applications", applications);
}
