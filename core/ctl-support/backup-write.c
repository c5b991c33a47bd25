/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file writes a backup: the key part in front, then entries in chunks of a secretstream. It knows
 * nothing of what is backed up; the format is doc/formats.md, the reader backup-read.c. */
#include "config.h"

#include "ctl-support/backup-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/i18n.h>

#include "trust/seal-private.h"

struct _FarBackupOut {
  int fd;
  crypto_secretstream_xchacha20poly1305_state state;
  BackupFront front; /* of which the first chunk speaks; size 0: behind it */
  guint8 chunk[BACKUP_CHUNK];
  gsize filled;
};

static gboolean
backup_write_put (int fd, const guint8 *bytes, gsize size, GError **error)
{
  while (size > 0) {
    gssize n = write (fd, bytes, size);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, _ ("the backup cannot be written: %s"),
                   g_strerror (errno));
      return FALSE;
    }
    bytes += n;
    size -= (gsize) n;
  }
  return TRUE;
}

FarBackupOut *
far_backup_create (int fd, const FarBackupLock *lock, GError **error)
{
  g_autoptr (FarBackupOut) out = g_new0 (FarBackupOut, 1);
  guint8 key[FAR_BACKUP_KEY], header[crypto_secretstream_xchacha20poly1305_HEADERBYTES];
  gboolean good;

  out->fd = fd;
  good = far_seal_ready (error) && backup_key_new (lock, &out->front, key, error);
  if (good)
    crypto_secretstream_xchacha20poly1305_init_push (&out->state, header, key);
  sodium_memzero (key, sizeof key);
  if (!good || !backup_write_put (fd, out->front.bytes, out->front.size, error) ||
      !backup_write_put (fd, header, sizeof header, error))
    return NULL;
  return g_steal_pointer (&out);
}

static gboolean
backup_write_push (FarBackupOut *out, guint8 tag, GError **error)
{
  guint8 sealed[4 + BACKUP_CHUNK + crypto_secretstream_xchacha20poly1305_ABYTES];
  unsigned long long size = 0;

  crypto_secretstream_xchacha20poly1305_push (&out->state, sealed + 4, &size, out->chunk, out->filled,
                                              out->front.bytes, out->front.size, tag);
  backup_put_u32 (sealed, (guint32) size);
  out->front.size = 0;
  out->filled = 0;
  return backup_write_put (out->fd, sealed, 4 + (gsize) size, error);
}

gboolean
far_backup_write (FarBackupOut *out, gconstpointer bytes, gsize size, GError **error)
{
  const guint8 *at = bytes;

  while (size > 0) {
    gsize n = MIN (size, BACKUP_CHUNK - out->filled);

    memcpy (out->chunk + out->filled, at, n);
    out->filled += n;
    at += n;
    size -= n;
    if (out->filled == BACKUP_CHUNK && !backup_write_push (out, 0, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
far_backup_entry (FarBackupOut *out, json_t *head, guint64 n, GError **error)
{
  guint8 length[4];
  char *text;
  gsize size;
  gboolean good;

  json_object_set_new (head, "n", json_integer ((json_int_t) n));
  text = json_dumps (head, JSON_COMPACT | JSON_SORT_KEYS);
  size = text != NULL ? strlen (text) : 0;
  if (size == 0 || size > BACKUP_HEAD_MAX) {
    free (text);
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("a name is too long for a backup, or no text"));
    return FALSE;
  }
  backup_put_u32 (length, (guint32) size);
  good = far_backup_write (out, length, sizeof length, error) && far_backup_write (out, text, size, error);
  free (text);
  return good;
}

gboolean
far_backup_end (FarBackupOut *out, GError **error)
{
  return backup_write_push (out, crypto_secretstream_xchacha20poly1305_TAG_FINAL, error);
}

void
far_backup_out_free (FarBackupOut *out)
{
  if (out != NULL)
    sodium_memzero (out, sizeof *out);
  g_free (out);
}
