/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the devices of the registry (farwatch/registry.h): as they are written, and how one of them
 * is named, by its name or by its port. */
#include "config.h"

#include "reach/registry-private.h"

#include <farwatch/option.h>
#include <farwatch/right.h>
#include <farwatch/thread.h>

/* ---- reading ---- */

char *
far_registry_object (const FarRegistryNode *node, const char *device)
{
  FAR_ON_MAIN ();
  return device != NULL ? g_strconcat (node->object, "/devices/", device, NULL) : g_strdup (node->object);
}

static gboolean
registry_is_at_port (const json_t *device, guint64 port)
{
  const char *address = json_string_value (json_object_get (device, "address"));
  g_autofree char *host = NULL;
  guint16 own = 0;

  return address != NULL && far_parse_address (address, &host, &own, NULL) && own == port;
}

/* A name counts before a port: somebody may have called a device 502. Whoever may not see a device does not
 * find it. */
const char *
far_registry_device_named (const FarRegistryNode *node, const FarPrincipal *principal, const char *text,
                           const char **other)
{
  FAR_ON_MAIN ();
  const char *found = NULL;
  guint64 port;
  GHashTableIter iter;
  gpointer name, row;

  *other = NULL;
  if (node == NULL || text == NULL || g_hash_table_contains (node->devices, text) ||
      !g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT16, &port, NULL))
    return text;
  g_hash_table_iter_init (&iter, node->devices);
  while (g_hash_table_iter_next (&iter, &name, &row)) {
    g_autofree char *object = far_registry_object (node, name);

    if (!registry_is_at_port (row, port) || !far_visible (principal, object))
      continue;
    *other = found;
    found = name;
    if (*other != NULL)
      return text;
  }
  return found != NULL ? found : text;
}

/* ---- writing ---- */

gboolean
far_registry_device_put (FarInstance *at, const char *id, const char *device, json_t *row)
{
  FAR_ON_MAIN ();
  FarRegistryHeld *held = far_registry_own (at, id);
  const json_t *before;
  gboolean differs;

  if (held == NULL)
    return FALSE;
  if (held->old != NULL)
    g_hash_table_remove (held->old, device);
  before = g_hash_table_lookup (held->seen.devices, device);
  differs = before == NULL || !json_equal (before, row);
  g_hash_table_replace (held->seen.devices, g_strdup (device), json_incref (row));
  if (differs)
    far_registry_tell (held, FAR_REGISTRY_CHANGED, device);
  return TRUE;
}

static void
registry_device_drop (FarRegistryHeld *held, const char *device)
{
  if (!g_hash_table_contains (held->seen.devices, device))
    return;
  far_registry_tell (held, FAR_REGISTRY_REMOVED, device);
  g_hash_table_remove (held->seen.devices, device);
}

void
far_registry_device_remove (FarInstance *at, const char *id, const char *device)
{
  FAR_ON_MAIN ();
  FarRegistryHeld *held = far_registry_own (at, id);

  if (held != NULL)
    registry_device_drop (held, device);
}

void
far_registry_devices_settle (FarRegistryHeld *held)
{
  g_autoptr (GHashTable) old = g_steal_pointer (&held->old);
  GHashTableIter iter;
  gpointer name;

  if (old == NULL)
    return;
  g_hash_table_iter_init (&iter, old);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    registry_device_drop (held, name);
}
