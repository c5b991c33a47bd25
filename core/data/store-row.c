/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all stores share about rows and batches' keys. */
#include "config.h"

#include <string.h>

#include <farwatch/store.h>
#include <jansson.h>

const char *const far_if_damaged[] = { "stop", "go-on", NULL };

FarRow *
far_row_new (const char *key, const char *row, gint64 revision)
{
  FarRow *made = g_new (FarRow, 1);

  made->key = g_strdup (key);
  made->row = g_strdup (row);
  made->revision = revision;
  return made;
}

void
far_row_free (FarRow *row)
{
  if (row == NULL)
    return;
  g_free (row->key);
  g_free (row->row);
  g_free (row);
}

static gboolean
term_matches (json_t *row, const FarFilterTerm *term)
{
  json_t *value = json_object_get (row, term->field);
  char *text;
  gboolean same;

  if (json_is_string (value))
    return strcmp (json_string_value (value), term->value) == 0;
  if (json_is_boolean (value))
    return strcmp (json_is_true (value) ? "true" : "false", term->value) == 0;
  if (!json_is_number (value))
    return FALSE;
  text = json_dumps (value, JSON_ENCODE_ANY);
  same = text != NULL && strcmp (text, term->value) == 0;
  free (text);
  return same;
}

gboolean
far_row_matches (const char *row, const FarFilterTerm *filter)
{
  json_t *object;
  gboolean matches = TRUE;

  if (filter == NULL || filter->field == NULL)
    return TRUE;
  object = json_loads (row, 0, NULL);
  for (; matches && filter->field != NULL; filter++)
    matches = term_matches (object, filter);
  json_decref (object);
  return matches;
}

gboolean
far_parts_good (const FarBatchKey *key, const FarPart *parts, guint n)
{
  guint32 crc = 0;

  for (guint i = 0; i < n; i++) {
    gsize size;
    gconstpointer data;

    if (parts[i].kind != FAR_PART_SAMPLES)
      continue;
    data = g_bytes_get_data (parts[i].samples, &size);
    crc = far_crc32c (crc, data, size);
    if (!far_batch_read (parts[i].samples, NULL, NULL, NULL))
      return FALSE;
  }
  return key == NULL || crc == key->crc;
}

void
far_request_done_int (FarRequest *req, gint64 value)
{
  gint64 *result = g_new (gint64, 1);

  *result = value;
  far_request_done (req, result, g_free);
}
