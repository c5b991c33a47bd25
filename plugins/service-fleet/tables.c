/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables that are mirrored in memory: read at start, one after the other, and again row by row where another
 * process wrote. */
#include "config.h"

#include "fleet.h"

#include <string.h>

static gboolean
load_terminal (Fleet *self, const char *key, json_t *row)
{
  return fleet_terminal_load (self, row) != NULL;
}

static gboolean
load_device (Fleet *self, const char *key, json_t *row)
{
  return fleet_device_load (self, row);
}

static gboolean
load_join (Fleet *self, const char *key, json_t *row)
{
  return fleet_text (row, "id") &&
         g_hash_table_replace (self->joins, g_strdup (fleet_text (row, "id")), json_incref (row));
}

static gboolean
load_enrollment (Fleet *self, const char *key, json_t *row)
{
  return fleet_text (row, "number") &&
         g_hash_table_replace (self->enrollments, g_strdup (fleet_text (row, "number")), json_incref (row));
}

/* The row's key is what is revoked: a body that cannot be read lets nobody in. */
static gboolean
load_revoked (Fleet *self, const char *key, json_t *row)
{
  far_trust_revoked_add (key);
  return row != NULL;
}

static void
table_forget_join (Fleet *self, const char *key)
{
  g_hash_table_remove (self->joins, key);
}

static void
forget_enrollment (Fleet *self, const char *key)
{
  g_hash_table_remove (self->enrollments, key);
}

/* Of devices nobody asks for a revision, they are written with their terminal's row (devices.c); what is
 * revoked is only ever added. */
static const struct {
  const char *table;
  gboolean (*load) (Fleet *self, const char *key, json_t *row); /* row NULL: it is no JSON */
  void (*forget) (Fleet *self, const char *key);
  gboolean by_revision;
} tables[] = {
  { "revoked", load_revoked, NULL, FALSE },
  { "terminals", load_terminal, fleet_terminal_forget, TRUE },
  { "devices", load_device, fleet_device_forget, FALSE },
  { "joins", load_join, table_forget_join, TRUE },
  { "enrollments", load_enrollment, forget_enrollment, TRUE },
};

static guint
table_index (const char *table)
{
  guint i = 0;
  while (i < G_N_ELEMENTS (tables) && strcmp (tables[i].table, table) != 0)
    i++;
  return i;
}

static gboolean
table_by_revision (const char *table)
{
  guint i = table_index (table);
  return i < G_N_ELEMENTS (tables) && tables[i].by_revision;
}

static void
row_load (Fleet *self, guint i, const FarRow *row)
{
  json_t *json = json_loads (row->row, 0, NULL);
  if (!tables[i].load (self, row->key, json))
    far_log (self->at, G_LOG_LEVEL_WARNING, "row '%s' of table '%s' is not usable", row->key,
             tables[i].table);
  else if (tables[i].by_revision)
    fleet_revision_set (self, tables[i].table, row->key, row->revision);
  json_decref (json);
}

static void
tables_seen (Fleet *self, const char *table, const char *key, const FarRow *row)
{
  guint i = table_index (table);
  if (row) {
    row_load (self, i, row);
    return;
  }
  fleet_revision_set (self, table, key, FAR_EXPECT_ABSENT);
  tables[i].forget (self, key);
}

static void
tables_made (Fleet *self, const FarPart *part, gint64 revision)
{
  guint i = table_index (part->table);
  FarRow row = { .key = (char *) part->key, .row = (char *) part->row, .revision = revision };
  if (i < G_N_ELEMENTS (tables) && part->row)
    row_load (self, i, &row);
  else if (i < G_N_ELEMENTS (tables) && tables[i].forget)
    tables[i].forget (self, part->key);
}

static void
tables_devices_seen (Fleet *self, const char *terminal, GPtrArray *rows)
{
  g_autofree char *prefix = g_strconcat (terminal, "/", NULL);
  g_autoptr (GHashTable) there = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < rows->len; i++)
    if (g_str_has_prefix (((FarRow *) rows->pdata[i])->key, prefix))
      g_hash_table_add (there, ((FarRow *) rows->pdata[i])->key + strlen (prefix));
  fleet_devices_keep (self, terminal, there);
  for (guint i = 0; i < rows->len; i++) {
    const FarRow *row = rows->pdata[i];
    if (g_str_has_prefix (row->key, prefix))
      tables_seen (self, "devices", row->key, row);
  }
}

const FleetMirror fleet_mirror = { table_by_revision, tables_seen, tables_made, tables_devices_seen };

/* ---- at start ---- */

static void load_table (Fleet *self, guint i);

static void
load_failed (Fleet *self, const GError *error)
{
  /* Before the first time nobody can say who is revoked, and no node is let in. Later on the list is there,
   * with all that this process has added to it: a store that is away must not shut out the fleet. */
  if (far_trust_revoked_known ())
    far_log (
        self->at, G_LOG_LEVEL_WARNING,
        "which nodes are revoked could not be read again, the list as it was read last stays in force: %s",
        error->message);
  far_instance_fail (self->at, g_error_copy (error));
}

static void
table_loaded (Fleet *self, const GError *error, GPtrArray *rows, gpointer user)
{
  guint i = GPOINTER_TO_UINT (user);
  if (error) {
    load_failed (self, error);
    return;
  }
  for (guint r = 0; r < rows->len; r++)
    row_load (self, i, rows->pdata[r]);
  if (i + 1 < G_N_ELEMENTS (tables)) {
    load_table (self, i + 1);
    return;
  }
  far_registry_complete (self->at);
  far_instance_ready (self->at);
  far_trust_revoked_set_known (); /* last: nodes that wait for it find all that is known of them */
}

static void
load_table (Fleet *self, guint i)
{
  fleet_rows_load (self, tables[i].table, table_loaded, GUINT_TO_POINTER (i));
}

/* A store that is full has come to it all the same, and can be read. */
static void
writer_passed (FarRequest *req, gpointer user)
{
  const GError *error = far_request_error (req);
  if (error && !g_error_matches (error, FAR_ERROR, FAR_ERROR_FULL))
    load_failed (user, error);
  else
    load_table (user, 0);
}

/* Reads do not wait for the writer, and an instance before this one may have left it a removal whose outcome
 * nobody was told: a write that does nothing goes first. */
void
fleet_tables_load (Fleet *self)
{
  far_store_put (fleet_opts (self)->store, "revoked", "0", NULL, FAR_EXPECT_ANY,
                 far_request_of (self->at, writer_passed, self, NULL, 0));
}
