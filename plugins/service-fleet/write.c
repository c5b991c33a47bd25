/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes of rows. Of a row that is mirrored the revision is known at which it was read or written. A change
 * made from what is known (FLEET_EXPECT_KNOWN) counts only if nobody has changed the row since: else its
 * handler judges again, from the row as it is by then. So of two changes that cross none is lost, whether
 * this process made both or another one at the same store. */
#include "config.h"

#include "fleet.h"

#include <string.h>

#define TRIES_MAX 50

typedef struct {
  Fleet *self;
  FleetDone done;
  gpointer user;
  GDestroyNotify dropped; /* of user */
  GArray *parts;          /* of FarPart; keys and rows are its own */
  guint at, n;            /* those under way */
  guint stale;            /* after a conflict: the one that is looked at */
  FarRow *row;            /* what the store says of it; NULL: nothing */
  GError *error;
} FleetWrite;

static void
part_clear (gpointer data)
{
  FarPart *part = data;
  g_free ((char *) part->key);
  g_free ((char *) part->row);
}

static void
write_free (FleetWrite *write)
{
  g_array_unref (write->parts);
  g_clear_pointer (&write->row, far_row_free);
  g_clear_error (&write->error);
  g_free (write);
}

/* The instance goes. */
static void
write_dropped (gpointer data)
{
  FleetWrite *write = data;
  if (write->dropped)
    write->dropped (write->user);
  write_free (write);
}

static void
write_end (FleetWrite *write)
{
  if (write->done)
    write->done (write->self, write->error, write->user);
  write_free (write);
}

static FarRequest *
write_request (FleetWrite *write, FarDone done)
{
  return far_request_of (write->self->at, done, write, write_dropped, 0);
}

/* ---- revisions ---- */

void
fleet_revision_set (Fleet *self, const char *table, const char *key, gint64 revision)
{
  char *name = g_strdup_printf ("%s/%s", table, key);
  if (revision > 0)
    g_hash_table_replace (self->revisions, name, g_memdup2 (&revision, sizeof revision));
  else
    g_hash_table_remove (self->revisions, name);
  if (revision <= 0)
    g_free (name);
}

static gint64
fleet_revision_of (Fleet *self, const FarPart *part)
{
  g_autofree char *name = g_strdup_printf ("%s/%s", part->table, part->key);
  const gint64 *known = g_hash_table_lookup (self->revisions, name);
  return known ? *known : FAR_EXPECT_ABSENT;
}

/* The rows of one step have revisions one after the other, up to the first that is deleted; what stands
 * behind it is not known. */
static void
revisions_learn (Fleet *self, const FleetWrite *write, gint64 first)
{
  gboolean known = TRUE;
  for (guint i = 0; i < write->n; i++) {
    const FarPart *part = &g_array_index (write->parts, FarPart, write->at + i);
    known = known && part->row;
    if (self->mirror->by_revision (part->table))
      fleet_revision_set (self, part->table, part->key, known ? first + i : FAR_EXPECT_ABSENT);
  }
}

/* ---- after a conflict: what another process has written is read ---- */

static void write_reread (FleetWrite *write);

/* Nobody in this process has changed it since. */
static gboolean
part_is_stale (Fleet *self, const FarPart *part)
{
  return self->mirror->by_revision (part->table) && part->expect != FAR_EXPECT_ANY &&
         fleet_revision_of (self, part) == part->expect;
}

/* Devices and their terminal's row are written together, and they are taken together. devices: NULL for a row
 * that has none. */
static void
row_take (FleetWrite *write, GPtrArray *devices)
{
  Fleet *self = write->self;
  const FarPart *part = &g_array_index (write->parts, FarPart, write->stale++);
  if (part_is_stale (self, part) && (write->row ? write->row->revision : FAR_EXPECT_ABSENT) != part->expect) {
    self->mirror->seen (self, part->table, part->key, write->row);
    if (devices)
      self->mirror->devices_seen (self, part->key, devices);
  }
  g_clear_pointer (&write->row, far_row_free);
  write_reread (write);
}

/* What could not be read stays unknown: the next try meets the same conflict and reads again, or gives up in
 * the end. */
static void
row_pass (FleetWrite *write)
{
  write->stale++;
  g_clear_pointer (&write->row, far_row_free);
  write_reread (write);
}

static void
devices_reread (FarRequest *req, gpointer user)
{
  GPtrArray *devices = far_request_error (req) ? NULL : far_request_result (req);
  if (devices)
    row_take (user, devices);
  else
    row_pass (user);
}

static void
row_reread (FarRequest *req, gpointer user)
{
  FleetWrite *write = user;
  const FarPart *part = &g_array_index (write->parts, FarPart, write->stale);
  GPtrArray *rows = far_request_error (req) ? NULL : far_request_result (req);
  const FarRow *row = rows && rows->len > 0 ? rows->pdata[0] : NULL;
  if (!rows) {
    row_pass (write);
    return;
  }
  if (row && strcmp (row->key, part->key) == 0)
    write->row = far_row_new (row->key, row->row, row->revision);
  if (write->row && strcmp (part->table, "terminals") == 0)
    fleet_devices_read (write->self, part->key, write_request (write, devices_reread));
  else
    row_take (write, NULL);
}

/* A key that stands right before this one: names have no '~', and nothing below '-'. */
static char *
key_before (const char *key)
{
  gsize last = strlen (key) - 1;
  return g_strdup_printf ("%.*s%c~", (int) last, key, key[last] - 1);
}

static void
write_reread (FleetWrite *write)
{
  Fleet *self = write->self;
  while (write->stale < write->parts->len &&
         !part_is_stale (self, &g_array_index (write->parts, FarPart, write->stale)))
    write->stale++;
  if (write->stale == write->parts->len) {
    write_end (write);
    return;
  }
  const FarPart *part = &g_array_index (write->parts, FarPart, write->stale);
  g_autofree char *before = key_before (part->key);
  far_store_rows (fleet_opts (self)->store, part->table, NULL, before, 1, FALSE,
                  write_request (write, row_reread));
}

/* ---- the write ---- */

static void write_step (FleetWrite *write);

/* Steps that were written stay written: the mirror shows them, and who asked hears that it is neither all nor
 * nothing. */
static void
write_stop (FleetWrite *write, const GError *error)
{
  Fleet *self = write->self;
  gboolean conflict = g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT);
  for (guint i = 0; i < write->at; i++) {
    const FarPart *part = &g_array_index (write->parts, FarPart, i);
    self->mirror->made (self, part, fleet_revision_of (self, part));
  }
  write->error = write->at > 0 && !conflict
                     ? g_error_new (FLEET_PARTLY, 0,
                                    _ ("cannot record: %s; %u of %u rows were written and stay so, the "
                                       "others were not: ask again when the store takes rows"),
                                    error->message, write->at, write->parts->len)
                     : g_error_copy (error);
  if (conflict)
    write_reread (write);
  else
    write_end (write);
}

static void
step_written (FarRequest *req, gpointer user)
{
  FleetWrite *write = user;
  const GError *error = far_request_error (req);
  if (!error)
    revisions_learn (write->self, write, *(gint64 *) far_request_result (req));
  if (error)
    write_stop (write, error);
  else if (write->at + write->n == write->parts->len)
    write_end (write);
  else
    write_step (write);
}

/* What is more than the store takes in one step goes in several, one after the other: what must hold first
 * stands first, and what finds the rest again, when somebody asks once more, stands last. */
static void
write_step (FleetWrite *write)
{
  write->at += write->n;
  write->n = MIN (FAR_PARTS_MAX, write->parts->len - write->at);
  far_store_apply (fleet_opts (write->self)->store, NULL, &g_array_index (write->parts, FarPart, write->at),
                   write->n, write_request (write, step_written));
}

void
fleet_rows_apply (Fleet *self, const FarPart *parts, guint n, FleetDone done, gpointer user,
                  GDestroyNotify dropped)
{
  FleetWrite *write = g_new0 (FleetWrite, 1);
  *write = (FleetWrite){ .self = self,
                         .done = done,
                         .user = user,
                         .dropped = dropped,
                         .parts = g_array_new (FALSE, TRUE, sizeof (FarPart)) };
  g_array_set_clear_func (write->parts, part_clear);
  for (guint i = 0; i < n; i++) {
    FarPart part = parts[i];
    if (part.expect == FLEET_EXPECT_KNOWN)
      part.expect = fleet_revision_of (self, &part);
    part.key = g_strdup (part.key);
    part.row = g_strdup (part.row);
    g_array_append_val (write->parts, part);
  }
  write_step (write);
}

void
fleet_row_put (Fleet *self, const char *table, const char *key, json_t *row, gint64 expect, FleetDone done,
               gpointer user, GDestroyNotify dropped)
{
  g_autofree char *text = row ? fleet_json_text (row) : NULL;
  FarPart part = { .kind = FAR_PART_ROW, .table = table, .key = key, .row = text, .expect = expect };
  fleet_rows_apply (self, &part, 1, done, user, dropped);
  json_decref (row);
}

gboolean
fleet_again (Fleet *self, const GError *error, FarCall *call, guint tries, FleetTry again)
{
  if (!g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT) || tries >= TRIES_MAX)
    return FALSE;
  again (self, call, tries + 1);
  return TRUE;
}
