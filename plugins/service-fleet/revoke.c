/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node's certificates: the one of its row, and those before it, which are good until they expire. When the
 * node goes or another takes its name, all of them are revoked, and so is its key: a row each in table
 * `revoked`. The join tokens and enrolments that would bring it back go in the same step. */
#include "config.h"

#include "fleet.h"

#define OLDER_MAX 32 /* each lives half as long again as it takes to be replaced: two at most are good */

/* The row's certificate is this one from now on. */
void
fleet_certificate_set (json_t *row, const char *certificate)
{
  const char *before = fleet_text (row, "serial");
  g_autofree char *serial = far_trust_serial (certificate, NULL);
  json_t *older = json_object_get (row, "older");
  if (before && !json_is_array (older)) {
    older = json_array ();
    json_object_set_new (row, "older", older);
  }
  if (before)
    json_array_append_new (older, json_string (before));
  if (json_array_size (older) > OLDER_MAX)
    json_array_remove (older, 0);
  json_object_set_new (row, "certificate", json_string (certificate));
  json_object_set_new (row, "serial", json_pack ("s?", serial));
  json_object_set_new (row, "issued_us", json_integer (far_clock_wall_us ()));
}

void
fleet_certificate_life (Fleet *self, json_t *row, gint64 *due_us, gint64 *until_us)
{
  const char *pem = fleet_text (row, "certificate");
  gint64 from_us = json_integer_value (json_object_get (row, "issued_us"));
  *until_us = from_us + fleet_opts (self)->certificate;
  if (pem)
    far_trust_life (pem, &from_us, until_us, NULL);
  *due_us = from_us + (*until_us - from_us) / 3 * 2;
}

/* Serial numbers of all certificates that were given to the node of this row. */
static GStrv
serials_of (const json_t *row)
{
  g_autoptr (GStrvBuilder) serials = g_strv_builder_new ();
  json_t *older = json_object_get (row, "older"), *item;
  size_t i;
  if (fleet_text (row, "serial"))
    g_strv_builder_add (serials, fleet_text (row, "serial"));
  json_array_foreach (older, i, item)
    if (json_is_string (item))
      g_strv_builder_add (serials, json_string_value (item));
  return g_strv_builder_end (serials);
}

/* A node that was given another name has the same key under both: it is revoked with the last of them. */
static gboolean
key_is_used_elsewhere (const json_t *row, const char *key)
{
  g_autoptr (GPtrArray) all = far_registry_nodes ();
  for (guint i = 0; i < all->len; i++) {
    const json_t *other = ((const FarRegistryNode *) all->pdata[i])->row;
    if (g_strcmp0 (fleet_text (other, "terminal"), fleet_text (row, "terminal")) != 0 &&
        g_strcmp0 (fleet_text (other, "spki"), key) == 0)
      return TRUE;
  }
  return FALSE;
}

/* Ids of rows of which one of the fields has one of the values (NULL: none). */
static GPtrArray *
ids_with (GHashTable *rows, const char *const (*wanted)[2])
{
  GPtrArray *ids = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer id, row;
  g_hash_table_iter_init (&iter, rows);
  while (g_hash_table_iter_next (&iter, &id, &row))
    for (guint i = 0; wanted[i][0]; i++)
      if (wanted[i][1] && g_strcmp0 (fleet_text (row, wanted[i][0]), wanted[i][1]) == 0) {
        g_ptr_array_add (ids, g_strdup (id));
        break;
      }
  return ids;
}

FleetRevocation *
fleet_revocation_new (Fleet *self, const json_t *row, gboolean removed)
{
  FleetRevocation *revocation = g_new0 (FleetRevocation, 1);
  const char *key = fleet_text (row, "spki"), *node = removed ? fleet_text (row, "terminal") : NULL;
  if (key && key_is_used_elsewhere (row, key))
    key = NULL;
  const char *const joins[][2] = { { "key", key }, { "used_by", node }, { "node", node }, { NULL, NULL } };
  const char *const enrollments[][2] = { { "spki", key }, { "terminal", node }, { NULL, NULL } };
  *revocation = (FleetRevocation){ g_strdup (fleet_text (row, "terminal")), g_strdup (key), serials_of (row),
                                   ids_with (self->joins, joins), ids_with (self->enrollments, enrollments) };
  return revocation;
}

void
fleet_revocation_free (FleetRevocation *revocation)
{
  g_free (revocation->terminal);
  g_free (revocation->key);
  g_strfreev (revocation->serials);
  g_ptr_array_unref (revocation->joins);
  g_ptr_array_unref (revocation->enrollments);
  g_free (revocation);
}

static void
part_revoked (const FleetRevocation *revocation, const char *field, const char *what, GArray *parts,
              GPtrArray *texts)
{
  json_t *row = json_pack ("{s:s, s:s, s:I}", "terminal", revocation->terminal, field, what, "at_us",
                           (json_int_t) far_clock_wall_us ());
  FarPart part = { .kind = FAR_PART_ROW,
                   .table = "revoked",
                   .key = what,
                   .row = fleet_json_text (row),
                   .expect = FAR_EXPECT_ANY };
  g_ptr_array_add (texts, (char *) part.row);
  g_array_append_val (parts, part);
  json_decref (row);
}

static void
parts_deleted (const char *table, const GPtrArray *ids, GArray *parts)
{
  for (guint i = 0; i < ids->len; i++) {
    FarPart part = { .kind = FAR_PART_ROW, .table = table, .key = ids->pdata[i], .expect = FAR_EXPECT_ANY };
    g_array_append_val (parts, part);
  }
}

void
fleet_revocation_parts (const FleetRevocation *revocation, GArray *parts, GPtrArray *texts)
{
  if (revocation->key)
    part_revoked (revocation, "key", revocation->key, parts, texts);
  for (guint i = 0; revocation->serials[i]; i++)
    part_revoked (revocation, "serial", revocation->serials[i], parts, texts);
  parts_deleted ("joins", revocation->joins, parts);
  parts_deleted ("enrollments", revocation->enrollments, parts);
}

void
fleet_revocation_now (Fleet *self, const FleetRevocation *revocation)
{
  if (revocation->key)
    far_trust_revoked_add (revocation->key);
  for (guint i = 0; revocation->serials[i]; i++)
    far_trust_revoked_add (revocation->serials[i]);
  for (guint i = 0; i < revocation->joins->len; i++)
    g_hash_table_remove (self->joins, revocation->joins->pdata[i]);
  for (guint i = 0; i < revocation->enrollments->len; i++)
    g_hash_table_remove (self->enrollments, revocation->enrollments->pdata[i]);
}

gboolean
fleet_key_is_good (const char *key, const char *node, GError **error)
{
  if (!far_trust_revoked_key (key))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
               _ ("the key that node '%s' comes with was revoked: it joins again with new keys and a new "
                  "join token (`farctl enroll --new-keys --profile FILE --server HOST:PORT`)"),
               node);
  return FALSE;
}
