/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing is given out that was not checked: a chunk is opened whole. */
#include "config.h"

#include "ctl-support/backup-private.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/i18n.h>

#include "trust/seal-private.h"

#define ABYTES crypto_secretstream_xchacha20poly1305_ABYTES

struct _FarBackupIn {
  int fd;
  crypto_secretstream_xchacha20poly1305_state state;
  BackupFront front;
  guint8 chunk[BACKUP_CHUNK];
  gsize at, filled;
  gboolean last; /* the last chunk is in */
  guint64 left;  /* of the entry */
};

static gboolean
backup_read_bad (GError **error, FarErrorCode code, const char *text)
{
  g_set_error_literal (error, FAR_ERROR, (int) code, text);
  return FALSE;
}

/* Exactly size bytes. */
static gboolean
backup_read_take (int fd, guint8 *bytes, gsize size, GError **error)
{
  while (size > 0) {
    gssize n = read (fd, bytes, size);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return backup_read_bad (error, FAR_ERROR_UNAVAILABLE, g_strerror (errno));
    if (n == 0)
      return backup_read_bad (error, FAR_ERROR_INVALID, _ ("the backup ends too early: it was cut off"));
    bytes += n;
    size -= (gsize) n;
  }
  return TRUE;
}

static gboolean
take_front (int fd, BackupFront *front, GError **error)
{
  if (!backup_read_take (fd, front->bytes, BACKUP_MAGIC_SIZE + 1, error))
    return FALSE;
  if (memcmp (front->bytes, BACKUP_MAGIC, BACKUP_MAGIC_SIZE) != 0 ||
      front->bytes[BACKUP_MAGIC_SIZE] > FAR_BACKUP_BOX)
    return backup_read_bad (error, FAR_ERROR_INVALID,
                            _ ("this is no backup of farwatch, or one of a newer farwatch"));
  front->size = backup_front_size ((FarBackupMode) front->bytes[BACKUP_MAGIC_SIZE]);
  return TRUE;
}

gboolean
far_backup_mode (int fd, FarBackupMode *mode, GError **error)
{
  BackupFront front;

  if (lseek (fd, 0, SEEK_SET) != 0 || !take_front (fd, &front, error))
    return error != NULL && *error != NULL
               ? FALSE
               : backup_read_bad (error, FAR_ERROR_INVALID, _ ("a backup must be a file"));
  *mode = (FarBackupMode) front.bytes[BACKUP_MAGIC_SIZE];
  return lseek (fd, 0, SEEK_SET) == 0;
}

FarBackupIn *
far_backup_open (int fd, const FarBackupLock *lock, GError **error)
{
  g_autoptr (FarBackupIn) in = g_new0 (FarBackupIn, 1);
  guint8 key[FAR_BACKUP_KEY], header[crypto_secretstream_xchacha20poly1305_HEADERBYTES];
  gsize begun = BACKUP_MAGIC_SIZE + 1;
  gboolean good;

  in->fd = fd;
  good = far_seal_ready (error) && take_front (fd, &in->front, error) &&
         backup_read_take (fd, in->front.bytes + begun, in->front.size - begun, error) &&
         backup_read_take (fd, header, sizeof header, error) && backup_key_get (lock, &in->front, key, error);
  if (good && crypto_secretstream_xchacha20poly1305_init_pull (&in->state, header, key) != 0)
    good = backup_read_bad (error, FAR_ERROR_INVALID, _ ("the backup's head is bad"));
  sodium_memzero (key, sizeof key);
  return good ? g_steal_pointer (&in) : NULL;
}

static gboolean
at_end (int fd)
{
  guint8 more;

  return read (fd, &more, 1) == 0;
}

static gboolean
pull (FarBackupIn *in, GError **error)
{
  guint8 length[4], sealed[BACKUP_CHUNK + ABYTES], tag = 0;
  unsigned long long size = 0;
  guint32 n;

  if (!backup_read_take (in->fd, length, sizeof length, error))
    return FALSE;
  n = backup_get_u32 (length);
  if (n < ABYTES || n > sizeof sealed)
    return backup_read_bad (error, FAR_ERROR_INVALID, _ ("the backup was changed or is damaged"));
  if (!backup_read_take (in->fd, sealed, n, error))
    return FALSE;
  if (crypto_secretstream_xchacha20poly1305_pull (&in->state, in->chunk, &size, &tag, sealed, n,
                                                  in->front.bytes, in->front.size) != 0)
    return backup_read_bad (error, FAR_ERROR_DENIED,
                            in->front.size > 0 ? _ ("another passphrase or key, or the backup was changed")
                                               : _ ("the backup was changed or is damaged"));
  in->front.size = 0;
  in->at = 0;
  in->filled = (gsize) size;
  in->last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
  return !in->last || at_end (in->fd) ||
         backup_read_bad (error, FAR_ERROR_INVALID, _ ("there is more behind the backup's end"));
}

/* At least one byte is there. */
static gboolean
more (FarBackupIn *in, GError **error)
{
  while (in->at == in->filled) {
    if (in->last)
      return FALSE; /* lint: allow silent: that is the end, as it should be */
    if (!pull (in, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
exactly (FarBackupIn *in, guint8 *bytes, gsize size, GError **error)
{
  while (size > 0) {
    gsize n;
    GError *local = NULL;

    if (!more (in, &local)) {
      if (local == NULL)
        return backup_read_bad (error, FAR_ERROR_INVALID, _ ("an entry of the backup is not whole"));
      g_propagate_error (error, local);
      return FALSE;
    }
    n = MIN (size, in->filled - in->at);
    memcpy (bytes, in->chunk + in->at, n);
    in->at += n;
    bytes += n;
    size -= n;
  }
  return TRUE;
}

gsize
far_backup_read (FarBackupIn *in, gpointer bytes, gsize size, GError **error)
{
  gsize n = (gsize) MIN (size, in->left);

  if (n == 0 || !exactly (in, bytes, n, error))
    return 0;
  in->left -= n;
  return n;
}

static gboolean
pass_over (FarBackupIn *in, GError **error)
{
  guint8 waste[4096];
  GError *local = NULL;

  while (far_backup_read (in, waste, sizeof waste, &local) > 0)
    continue;
  if (local == NULL)
    return TRUE;
  g_propagate_error (error, local);
  return FALSE;
}

static json_t *
parse_head (const char *text, gsize size, guint64 *n, GError **error)
{
  json_t *head = json_loadb (text, size, JSON_REJECT_DUPLICATES, NULL), *length = json_object_get (head, "n");

  if (json_is_object (head) && json_is_integer (length) && json_integer_value (length) >= 0) {
    *n = (guint64) json_integer_value (length);
    return head;
  }
  json_decref (head);
  backup_read_bad (error, FAR_ERROR_INVALID, _ ("the head of an entry of the backup is bad"));
  return NULL;
}

json_t *
far_backup_next (FarBackupIn *in, guint64 *n, GError **error)
{
  guint8 length[4];
  g_autofree char *text = NULL;
  gsize size;
  json_t *head;

  if (!pass_over (in, error) || !more (in, error) || !exactly (in, length, sizeof length, error))
    return NULL;
  size = backup_get_u32 (length);
  if (size > BACKUP_HEAD_MAX) {
    backup_read_bad (error, FAR_ERROR_INVALID, _ ("the head of an entry of the backup is bad"));
    return NULL;
  }
  text = g_malloc (size + 1);
  if (!exactly (in, (guint8 *) text, size, error))
    return NULL;
  head = parse_head (text, size, n, error);
  in->left = head != NULL ? *n : 0;
  return head;
}

void
far_backup_in_free (FarBackupIn *in)
{
  if (in != NULL)
    sodium_memzero (in, sizeof *in);
  g_free (in);
}

gboolean
far_backup_path_ok (const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);

  if (strlen (path) > 4000 || !g_utf8_validate (path, -1, NULL) || parts[0] == NULL)
    return FALSE;
  for (const char *at = path; *at != '\0'; at++)
    if (g_ascii_iscntrl (*at))
      return FALSE;
  for (guint i = 0; parts[i] != NULL; i++)
    if (parts[i][0] == '\0' || strcmp (parts[i], ".") == 0 || strcmp (parts[i], "..") == 0)
      return FALSE;
  return TRUE;
}
