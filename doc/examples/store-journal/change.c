/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A change as JSON, which is its line in the journal as well: {"op": "apply", "source", "lane", "epoch",
 * "seq", "crc", "parts": […]}, {"op": "drop", …}, {"op": "blob", …}. */
#include "journal.h"

#include <string.h>

static json_t *
bytes_json (GBytes *bytes)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  g_autofree char *text = g_base64_encode (data, size);

  return json_string (text);
}

static GBytes *
json_bytes (json_t *json)
{
  gsize size = 0;
  guint8 *data = g_base64_decode (json_is_string (json) ? json_string_value (json) : "", &size);

  return g_bytes_new_take (data, size);
}

static const char *
text_of (json_t *object, const char *name)
{
  return json_string_value (json_object_get (object, name));
}

static gint64
number_of (json_t *object, const char *name)
{
  return json_integer_value (json_object_get (object, name));
}

/* ---- making ---- */

static json_t *
part_json (const FarPart *part)
{
  if (part->kind == FAR_PART_SAMPLES)
    return json_pack ("{s:i, s:o}", "kind", part->kind, "samples", bytes_json (part->samples));
  return json_pack ("{s:i, s:s, s:s, s:s?, s:I}", "kind", part->kind, "table", part->table, "key", part->key,
                    "row", part->row, "expect",
                    (json_int_t) (part->kind == FAR_PART_ROW ? part->expect : FAR_EXPECT_ANY));
}

json_t *
change_apply (const char *node, const FarBatchKey *key, const FarPart *parts, guint n)
{
  json_t *list = json_array (), *change = json_pack ("{s:s, s:s, s:o}", "op", "apply", "source",
                                                     key != NULL ? key->source : node, "parts", list);

  for (guint i = 0; i < n; i++)
    json_array_append_new (list, part_json (&parts[i]));
  if (key != NULL) {
    json_object_set_new (change, "lane", json_integer (key->lane));
    json_object_set_new (change, "epoch", json_integer ((json_int_t) key->epoch));
    json_object_set_new (change, "seq", json_integer ((json_int_t) key->seq));
    json_object_set_new (change, "crc", json_integer (key->crc));
  }
  return change;
}

json_t *
change_drop (const char *table, gint64 before_us)
{
  return json_pack ("{s:s, s:s?, s:I}", "op", "drop", "table", table, "before", (json_int_t) before_us);
}

json_t *
change_blob (const char *hash, guint64 offset, GBytes *bytes, gboolean last)
{
  return json_pack ("{s:s, s:s, s:I, s:o, s:b}", "op", "blob", "hash", hash, "offset", (json_int_t) offset,
                    "bytes", bytes_json (bytes), "last", last);
}

/* ---- reading ---- */

GArray *
change_parts (json_t *change, GPtrArray *own)
{
  GArray *parts = g_array_new (FALSE, TRUE, sizeof (FarPart));
  json_t *json;
  size_t i;

  json_array_foreach (json_object_get (change, "parts"), i, json) {
    FarPart part = { .kind = (FarPartKind) number_of (json, "kind"),
                     .table = text_of (json, "table"),
                     .key = text_of (json, "key"),
                     .row = text_of (json, "row"),
                     .expect = number_of (json, "expect") };

    if (part.kind == FAR_PART_SAMPLES) {
      part.samples = json_bytes (json_object_get (json, "samples"));
      g_ptr_array_add (own, part.samples);
    }
    g_array_append_val (parts, part);
  }
  return parts;
}

gboolean
change_key (json_t *change, FarBatchKey *key)
{
  *key = (FarBatchKey){ .source = text_of (change, "source"),
                        .lane = (guint) number_of (change, "lane"),
                        .epoch = (guint64) number_of (change, "epoch"),
                        .seq = (guint64) number_of (change, "seq"),
                        .crc = (guint32) number_of (change, "crc") };
  return key->seq != 0;
}

GBytes *
change_bytes (json_t *change)
{
  return json_bytes (json_object_get (change, "bytes"));
}

/* ---- doing ---- */

static gint64
play_apply (Memory *memory, json_t *change)
{
  g_autoptr (GPtrArray) own = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autoptr (GArray) parts = change_parts (change, own);
  FarBatchKey key;
  gboolean keyed = change_key (change, &key);

  return memory_apply (memory, key.source, keyed ? &key : NULL, (const FarPart *) (gpointer) parts->data,
                       parts->len);
}

gint64
change_play (Memory *memory, json_t *change)
{
  const char *op = text_of (change, "op");

  if (strcmp (op, "apply") == 0)
    return play_apply (memory, change);
  if (strcmp (op, "blob") == 0) {
    g_autoptr (GBytes) bytes = change_bytes (change);

    return memory_blob_add (memory, text_of (change, "hash"), (guint64) number_of (change, "offset"), bytes,
                            json_is_true (json_object_get (change, "last")));
  }
  memory_drop (memory, text_of (change, "table"), number_of (change, "before"));
  return 0;
}
