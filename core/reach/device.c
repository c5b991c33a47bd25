/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of this node: those of the profile, and on top those added at run time. */
#include "config.h"

#include "reach/device.h"

#include "base/node-part.h"

#include "loop/owned.h"

#include <farwatch/i18n.h>
#include <farwatch/option.h>
#include <farwatch/thread.h>

#include <string.h>

/* Whose an added device is: it goes with the instance. */
typedef struct {
  FarOwned owned;
  char *device; /* its name */
} DeviceOwner;

typedef struct {
  GPtrArray *profile, *added; /* of FarDevice; NULL: none yet */
  GHashTable *owners;         /* name → DeviceOwner, of those added; NULL: none yet */
} Devices;

static void
device_owner_free (gpointer data)
{
  DeviceOwner *owner = data;

  far_owned_leave (&owner->owned);
  g_free (owner->device);
  g_free (owner);
}

static void
devices_clear (gpointer part)
{
  Devices *self = part;

  g_clear_pointer (&self->owners, g_hash_table_unref);
  g_clear_pointer (&self->profile, g_ptr_array_unref);
  g_clear_pointer (&self->added, g_ptr_array_unref);
}

static Devices *
devices (void)
{
  static const FarNodePart part = { FAR_PART_DEVICE, sizeof (Devices), NULL, devices_clear };

  return far_node_part (&part);
}

void
far_device_profile_set (GPtrArray *list)
{
  g_clear_pointer (&devices ()->profile, g_ptr_array_unref);
  devices ()->profile = list;
}

static const FarDevice *
device_in (GPtrArray *list, const char *name, guint *at)
{
  for (guint i = 0; list && i < list->len; i++) {
    const FarDevice *device = list->pdata[i];
    if (g_strcmp0 (device->name, name) == 0) {
      if (at)
        *at = i;
      return device;
    }
  }
  return NULL;
}

const FarDevice *
far_device_find (const char *name)
{
  FAR_ON_MAIN ();
  const FarDevice *device = device_in (devices ()->profile, name, NULL);
  return device ? device : device_in (devices ()->added, name, NULL);
}

GPtrArray *
far_device_list (void)
{
  GPtrArray *list = g_ptr_array_new ();
  for (guint i = 0; devices ()->profile && i < devices ()->profile->len; i++)
    g_ptr_array_add (list, devices ()->profile->pdata[i]);
  for (guint i = 0; devices ()->added && i < devices ()->added->len; i++) {
    FarDevice *device = devices ()->added->pdata[i];
    if (!device_in (devices ()->profile, device->name, NULL))
      g_ptr_array_add (list, device);
  }
  return list;
}

gboolean
far_object_name_ok (const char *name)
{
  gsize length = name ? strlen (name) : 0;
  return length >= 1 && length <= 64 && g_ascii_isalnum (name[0]) &&
         strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length;
}

static void
device_owner_end (gpointer thing)
{
  const DeviceOwner *owner = thing;
  g_autofree char *name = g_strdup (owner->device);

  far_device_remove (name);
}

static void
device_own (FarInstance *at, const char *name)
{
  DeviceOwner *owner = g_new0 (DeviceOwner, 1);

  owner->device = g_strdup (name);
  if (!devices ()->owners)
    devices ()->owners = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, device_owner_free);
  g_hash_table_replace (devices ()->owners, owner->device, owner);
  far_owned_by (&owner->owned, at, device_owner_end, owner);
}

gboolean
far_device_add (FarInstance *at, const FarDevice *device, GError **error)
{
  FAR_ON_MAIN ();
  if (!far_object_name_ok (device->name)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 _ ("device '%s': a name has 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit"),
                 device->name ? device->name : "");
    return FALSE;
  }
  if (device_in (devices ()->profile, device->name, NULL)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
                 _ ("device '%s' stands in the profile: change it there and reload"), device->name);
    return FALSE;
  }
  if (!device->endpoint || !*device->endpoint) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("device '%s' names no endpoint"), device->name);
    return FALSE;
  }
  if (!devices ()->added)
    devices ()->added = g_ptr_array_new_with_free_func ((GDestroyNotify) far_device_free);
  far_device_remove (device->name);
  g_ptr_array_add (devices ()->added, far_device_copy (device));
  device_own (at, device->name);
  return TRUE;
}

gboolean
far_device_remove (const char *name)
{
  FAR_ON_MAIN ();
  guint at;
  if (!device_in (devices ()->added, name, &at))
    return FALSE;
  g_hash_table_remove (devices ()->owners, name);
  g_ptr_array_remove_index (devices ()->added, at);
  return TRUE;
}

/* Addresses are compared as text after the port is parsed; a device's name works as its host with any port.
 */
static gboolean
device_is_at (const FarDevice *device, const char *host, guint16 port)
{
  if (strcmp (device->name, host) == 0)
    return TRUE;
  g_autofree char *own = NULL;
  guint16 own_port = 0;
  return device->address && far_parse_address (device->address, &own, &own_port, NULL) && own_port == port &&
         g_ascii_strcasecmp (own, host) == 0;
}

const FarDevice *
far_device_by_address (const char *host, guint16 port)
{
  FAR_ON_MAIN ();
  g_autoptr (GPtrArray) list = far_device_list ();
  for (guint i = 0; host && i < list->len; i++)
    if (device_is_at (list->pdata[i], host, port))
      return list->pdata[i];
  return NULL;
}

void
far_device_reset (void)
{
  g_clear_pointer (&devices ()->owners, g_hash_table_unref);
  g_clear_pointer (&devices ()->profile, g_ptr_array_unref);
  g_clear_pointer (&devices ()->added, g_ptr_array_unref);
}
