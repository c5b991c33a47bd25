/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices behind terminals. The terminal is the authority: its list is mirrored when its link comes up. A
 * device may also be registered here before its terminal knows it; it then reads `confirmed: false` until the
 * terminal's own list names it. */
#include "config.h"

#include "fleet.h"

#include <string.h>

static char *
device_key (const char *terminal, const char *device)
{
  return g_strdup_printf ("%s/%s", terminal, device);
}

static json_t *
device_row (const char *terminal, const char *device, json_t *from, gboolean confirmed)
{
  json_t *row = json_pack ("{s:s, s:s, s:b}", "terminal", terminal, "device", device, "confirmed", confirmed);
  const char *const fields[] = { "endpoint", "address", "line", "weight", "inspect", "applications", "note" };
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++) {
    json_t *value = json_object_get (from, fields[i]);
    if (value && !json_is_null (value))
      json_object_set (row, fields[i], value);
  }
  return row;
}

json_t *
fleet_device_show (const json_t *row)
{
  g_autofree char *revision = far_revision (row);
  json_t *shown = json_copy ((json_t *) row);
  json_object_set_new (shown, "revision", json_string (revision));
  return shown;
}

/* A person who changes one that they have seen, by what it is in this step. */
static gboolean
fleet_device_is_seen (const FarRegistryNode *terminal, FarCall *call)
{
  GError *error = NULL;
  g_autofree char *place = fleet_object (call->parts[0], call->parts[1]);
  gboolean good = far_expect_ok (call, place, g_hash_table_lookup (terminal->devices, call->parts[1]), NULL,
                                 &error);
  if (!good)
    far_call_fail (call, error);
  return good;
}

/* ---- writes: with the terminal's row, as it is, so that two lists that cross, or a removal, do not pass
 * each other by ---- */

typedef struct {
  GArray *parts;
  GPtrArray *texts;
  const char *terminal;
} Parts;

static void
parts_add (Parts *out, const char *table, char *key /* takes */, json_t *row, gint64 expect)
{
  FarPart part = { .kind = FAR_PART_ROW, .table = table, .key = key, .expect = expect };
  char *text = row ? fleet_json_text (row) : NULL;
  g_ptr_array_add (out->texts, key);
  if (text)
    g_ptr_array_add (out->texts, text);
  part.row = text;
  g_array_append_val (out->parts, part);
}

static void
parts_begin (Parts *out, const FarRegistryNode *terminal)
{
  *out = (Parts){ g_array_new (FALSE, TRUE, sizeof (FarPart)), g_ptr_array_new_with_free_func (g_free),
                  terminal->id };
  parts_add (out, "terminals", g_strdup (terminal->id), terminal->row, FLEET_EXPECT_KNOWN);
}

static void
parts_device (Parts *out, const char *device, json_t *row)
{
  parts_add (out, "devices", device_key (out->terminal, device), row, FAR_EXPECT_ANY);
}

static void
parts_apply (Fleet *self, const Parts *out, FleetDone done, gpointer user, GDestroyNotify dropped)
{
  fleet_rows_apply (self, (FarPart *) out->parts->data, out->parts->len, done, user, dropped);
}

static void
parts_end (Parts *out)
{
  g_array_unref (out->parts);
  g_ptr_array_unref (out->texts);
}

/* ---- one device, by a person ---- */

typedef struct {
  FarCall *call;
  json_t *row, *was;
  char *terminal, *device;
  guint tries;
  FleetTry again;
} FleetChange;

static void
device_change_free (gpointer data)
{
  FleetChange *change = data;
  json_decref (change->row);
  json_decref (change->was);
  g_free (change->terminal);
  g_free (change->device);
  g_free (change);
}

static void
device_stored (Fleet *self, const GError *error, gpointer user)
{
  FleetChange *change = user;
  if (error) {
    if (!fleet_again (self, error, change->call, change->tries, change->again))
      far_call_fail (change->call, fleet_cannot_record (error));
  } else if (change->row) {
    json_t *body = fleet_device_show (change->row);
    if (change->was)
      json_object_set (body, "was", change->was);
    fleet_device_load (self, change->row);
    far_call_answer (change->call, 200, body);
  } else {
    far_registry_device_remove (self->at, change->terminal, change->device);
    far_call_answer (change->call, 204, NULL);
  }
  device_change_free (change);
}

static void
device_store (Fleet *self, const FarRegistryNode *terminal, FarCall *call, json_t *row /* takes */,
              guint tries, FleetTry again)
{
  FleetChange *change = g_new0 (FleetChange, 1);
  Parts out;
  *change = (FleetChange){ call,
                           row,
                           json_incref (g_hash_table_lookup (terminal->devices, call->parts[1])),
                           g_strdup (call->parts[0]),
                           g_strdup (call->parts[1]),
                           tries,
                           again };
  parts_begin (&out, terminal);
  parts_device (&out, change->device, row);
  parts_apply (self, &out, device_stored, change, device_change_free);
  parts_end (&out);
}

static void
device_put_tried (Fleet *self, FarCall *call, guint tries)
{
  const FarRegistryNode *terminal = far_registry_node (call->parts[0]);
  if (!terminal) {
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no terminal '%s', or no right to it"), call->parts[0]);
    return;
  }
  g_autoptr (GError) error = NULL;
  g_autoptr (FarDevice) device = far_device_parse (call->parts[1], call->body, FALSE, &error);
  if (!device || !far_device_address_ok (device, NULL, &error)) {
    far_call_fail (call, g_steal_pointer (&error));
    return;
  }
  json_t *known = g_hash_table_lookup (terminal->devices, call->parts[1]);
  if (!fleet_device_is_seen (terminal, call))
    return;
  if (!known && g_hash_table_size (terminal->devices) >= FLEET_DEVICES_MAX) {
    far_call_fail_new (call, FAR_ERROR_LIMIT, _ ("terminal '%s' has %d devices already"), terminal->id,
                       FLEET_DEVICES_MAX);
    return;
  }
  gboolean confirmed = json_is_true (json_object_get (known, "confirmed"));
  device_store (self, terminal, call,
                device_row (terminal->id, call->parts[1], confirmed ? known : call->body, confirmed), tries,
                device_put_tried);
}

void
fleet_device_put (gpointer self, FarCall *call)
{
  device_put_tried (self, call, 0);
}

static void
device_delete_tried (Fleet *self, FarCall *call, guint tries)
{
  const FarRegistryNode *terminal = far_registry_node (call->parts[0]);
  if (!terminal || !g_hash_table_contains (terminal->devices, call->parts[1])) {
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no device '%s' at '%s'"), call->parts[1],
                       call->parts[0]);
    return;
  }
  if (fleet_device_is_seen (terminal, call))
    device_store (self, terminal, call, NULL, tries, device_delete_tried);
}

void
fleet_device_delete (gpointer self, FarCall *call)
{
  device_delete_tried (self, call, 0);
}

/* ---- the terminal's own list ---- */

typedef struct {
  FarCall *call;
  char *terminal;
  GHashTable *devices;
  guint tries;
} Mirror;

static void devices_put (Fleet *self, FarCall *call, guint tries);

static void
mirror_free (gpointer data)
{
  Mirror *mirror = data;
  g_hash_table_unref (mirror->devices);
  g_free (mirror->terminal);
  g_free (mirror);
}

static void
mirror_take (Fleet *self, const Mirror *mirror)
{
  GHashTableIter iter;
  gpointer name, row;
  fleet_devices_keep (self, mirror->terminal, mirror->devices);
  g_hash_table_iter_init (&iter, mirror->devices);
  while (g_hash_table_iter_next (&iter, &name, &row))
    far_registry_device_put (self->at, mirror->terminal, name, row);
}

static void
mirror_stored (Fleet *self, const GError *error, gpointer user)
{
  Mirror *mirror = user;
  if (error) {
    if (!fleet_again (self, error, mirror->call, mirror->tries, devices_put))
      far_call_fail (mirror->call, fleet_cannot_record (error));
  } else {
    mirror_take (self, mirror);
    far_call_answer (mirror->call, 200,
                     json_pack ("{s:I}", "devices", (json_int_t) g_hash_table_size (mirror->devices)));
  }
  mirror_free (mirror);
}

/* The list as it shall be: what the terminal says, and what people registered here and the terminal does not
 * know. */
static GHashTable *
mirror_merge (const FarRegistryNode *terminal, json_t *list, GError **error)
{
  g_autoptr (GHashTable)
      devices = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) json_decref);
  size_t i;
  json_t *item;
  GHashTableIter iter;
  gpointer name, row;
  g_hash_table_iter_init (&iter, terminal->devices);
  while (g_hash_table_iter_next (&iter, &name, &row))
    if (!json_is_true (json_object_get (row, "confirmed")))
      g_hash_table_replace (devices, g_strdup (name), json_incref (row));
  json_array_foreach (list, i, item) {
    const char *id = fleet_text (item, "name");
    if (!far_object_name_ok (id) || g_hash_table_size (devices) >= FLEET_DEVICES_MAX) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                   _ ("devices[%zu]: no usable name, or more than %d devices"), i, FLEET_DEVICES_MAX);
      return NULL;
    }
    g_autoptr (FarDevice) device = far_device_parse (id, item, FALSE, error);
    if (!device)
      return NULL;
    g_hash_table_replace (devices, g_strdup (id), device_row (terminal->id, id, item, TRUE));
  }
  return g_steal_pointer (&devices);
}

/* Only what differs is written. */
static void
mirror_diff (Parts *out, GHashTable *old, GHashTable *now)
{
  GHashTableIter iter;
  gpointer name, row;
  g_hash_table_iter_init (&iter, now);
  while (g_hash_table_iter_next (&iter, &name, &row))
    if (!json_equal (row, g_hash_table_lookup (old, name)))
      parts_device (out, name, row);
  g_hash_table_iter_init (&iter, old);
  while (g_hash_table_iter_next (&iter, &name, &row))
    if (!g_hash_table_contains (now, name))
      parts_device (out, name, NULL);
}

static void
devices_put (Fleet *self, FarCall *call, guint tries)
{
  g_autoptr (GError) error = NULL;
  const FarRegistryNode *terminal = fleet_calling_terminal (call);
  if (!terminal)
    return;
  if (strcmp (terminal->id, call->parts[0]) != 0) {
    far_call_fail_new (call, FAR_ERROR_DENIED, _ ("a node may list its own devices only"));
    return;
  }
  GHashTable *devices = mirror_merge (terminal, json_object_get (call->body, "devices"), &error);
  if (!devices) {
    far_call_fail (call, g_steal_pointer (&error));
    return;
  }
  Mirror *mirror = g_new0 (Mirror, 1);
  *mirror = (Mirror){ call, g_strdup (terminal->id), devices, tries };
  Parts out;
  parts_begin (&out, terminal);
  mirror_diff (&out, terminal->devices, devices);
  if (out.parts->len > 1)
    parts_apply (self, &out, mirror_stored, mirror, mirror_free);
  else /* nothing but the terminal's own row */
    mirror_stored (self, NULL, mirror);
  parts_end (&out);
}

void
fleet_devices_put (gpointer self, FarCall *call)
{
  devices_put (self, call, 0);
}
