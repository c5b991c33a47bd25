/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A batch as a record of the spool, and the ledger beside it (doc/formats.md). */
#include "config.h"

#include "disk.h"

#include <farwatch/i18n.h>
#include <string.h>

#define RECORD_VERSION 1
#define FLAG_TOLD 1
#define FLAG_SURE 2
#define BOOT_SIZE 36
#define HEAD_SIZE (4 + 4 + 5 * 8 + BOOT_SIZE)

static guint8 *
record_put (guint8 *to, guint64 value, guint size)
{
  for (guint i = 0; i < size; i++)
    to[i] = (guint8) (value >> (8 * (size - 1 - i)));
  return to + size;
}

static guint64
record_get (const guint8 **from, guint size)
{
  guint64 value = 0;

  for (guint i = 0; i < size; i++)
    value = value << 8 | *(*from)++;
  return value;
}

GBytes *
uplink_record_write (const UplinkBatch *batch)
{
  const UplinkStamps *stamps = &batch->stamps;
  gsize size = 0;
  gconstpointer bytes = g_bytes_get_data (batch->bytes, &size);
  guint8 *record = g_malloc0 (HEAD_SIZE + size), *to = record;

  to = record_put (to, RECORD_VERSION, 2);
  to = record_put (to, (stamps->told ? FLAG_TOLD : 0) | (stamps->sure ? FLAG_SURE : 0), 2);
  to = record_put (to, batch->groups, 4);
  to = record_put (to, batch->epoch, 8);
  to = record_put (to, batch->seq, 8);
  to = record_put (to, batch->before, 8);
  to = record_put (to, batch->row, 8);
  to = record_put (to, (guint64) stamps->offset_us, 8);
  if (stamps->boot != NULL)
    memcpy (to, stamps->boot, MIN (strlen (stamps->boot), BOOT_SIZE));
  memcpy (record + HEAD_SIZE, bytes, size);
  return g_bytes_new_take (record, HEAD_SIZE + size);
}

UplinkBatch *
uplink_record_read (const FarSpoolItem *item)
{
  const guint8 *from = item->data;

  if (item->size < HEAD_SIZE || record_get (&from, 2) != RECORD_VERSION)
    return NULL;
  UplinkBatch *batch = uplink_batch_new (g_bytes_new (item->data + HEAD_SIZE, item->size - HEAD_SIZE), 0);
  guint64 flags = record_get (&from, 2);
  batch->groups = (guint) record_get (&from, 4);
  batch->epoch = batch->own_epoch = record_get (&from, 8);
  batch->seq = record_get (&from, 8);
  batch->before = record_get (&from, 8);
  batch->row = record_get (&from, 8);
  batch->stamps.told = (flags & FLAG_TOLD) != 0;
  batch->stamps.sure = (flags & FLAG_SURE) != 0;
  batch->stamps.offset_us = (gint64) record_get (&from, 8);
  batch->stamps.boot = batch->stamps.told ? NULL : g_strndup ((const char *) from, BOOT_SIZE);
  batch->record = item->sequence;
  return batch;
}

/* ---- the ledger ---- */

static char *
ledger_path (const char *folder)
{
  return g_build_filename (folder, "ledger", NULL);
}

static gboolean
ledger_number (const char *word, guint64 *number)
{
  gint64 negative;

  if (*word != '-')
    return g_ascii_string_to_unsigned (word, 10, 0, G_MAXUINT64, number, NULL);
  if (!g_ascii_string_to_signed (word, 10, G_MININT64, 0, &negative, NULL))
    return FALSE;
  *number = (guint64) negative;
  return TRUE;
}

/* TRUE: that many numbers, behind the version. */
static gboolean
ledger_parse (const char *text, guint64 *numbers, guint n)
{
  g_auto (GStrv) words = g_strsplit (text, " ", (gint) n + 2);

  if (g_strv_length (words) != n + 1 || strcmp (words[0], "1") != 0)
    return FALSE;
  g_strchomp (words[n]);
  for (guint i = 0; i < n; i++)
    if (!ledger_number (words[i + 1], &numbers[i]))
      return FALSE;
  return TRUE;
}

/* One that is not there, or cannot be read, is empty. */
UplinkLedger
uplink_ledger_read (const char *folder)
{
  g_autofree char *path = ledger_path (folder), *text = NULL;
  guint64 n[8] = { 0 };

  if (!g_file_get_contents (path, &text, NULL, NULL) || !ledger_parse (text, n, G_N_ELEMENTS (n)))
    return (UplinkLedger){ 0 };
  return (
      UplinkLedger){ .groups = n[0],
                     .row = n[1],
                     .epoch = n[2],
                     .new_epoch = n[3],
                     .from = n[4],
                     .mended = n[5],
                     .mend = { .by_us = (gint64) n[6], .worst = (FarQuality) MIN (n[7], FAR_QUALITY_BAD) } };
}

gboolean
uplink_ledger_write (const char *folder, const UplinkLedger *ledger, GError **error)
{
  g_autofree char *path = ledger_path (folder);
  g_autofree char *text = g_strdup_printf ("1 %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                                           " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
                                           " %" G_GINT64_FORMAT " %u\n",
                                           ledger->groups, ledger->row, ledger->epoch, ledger->new_epoch,
                                           ledger->from, ledger->mended, ledger->mend.by_us,
                                           (guint) ledger->mend.worst);
  g_autoptr (GError) fault = NULL;

  if (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                0600, &fault))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("%s: see to the disk"), fault->message);
  return FALSE;
}
