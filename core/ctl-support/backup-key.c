/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The key of a backup: from a passphrase (Argon2id), sealed to a box key, or in the file itself, which then
 * keeps no secret. */
#include "config.h"

#include "ctl-support/backup-private.h"

#include <string.h>

#include <farwatch/i18n.h>

#define MEMORY_KIB (64 * 1024) /* a terminal makes backups, too */
#define ROUNDS 4

gsize
backup_front_size (FarBackupMode mode)
{
  static const gsize sizes[] = { FAR_BACKUP_KEY, BACKUP_SALT + 8, BACKUP_SEALED };

  return BACKUP_MAGIC_SIZE + 1 + sizes[mode];
}

static gboolean
stretch (const char *passphrase, const guint8 *salt, guint32 rounds, guint32 memory_kib, guint8 *key,
         GError **error)
{
  if (crypto_pwhash (key, FAR_BACKUP_KEY, passphrase, strlen (passphrase), salt, rounds,
                     (gsize) memory_kib * 1024, crypto_pwhash_ALG_ARGON2ID13) == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_LIMIT,
               _ ("the passphrase's key needs %u KiB of memory, which are not there now"), memory_kib);
  return FALSE;
}

static gboolean
new_from_passphrase (const FarBackupLock *lock, guint8 *tail, guint8 *key, GError **error)
{
  if (lock->passphrase == NULL || g_utf8_strlen (lock->passphrase, -1) < FAR_BACKUP_PASSPHRASE_MIN) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 _ ("the passphrase is too short: at least %d characters, best several words"),
                 FAR_BACKUP_PASSPHRASE_MIN);
    return FALSE;
  }
  randombytes_buf (tail, BACKUP_SALT);
  backup_put_u32 (tail + BACKUP_SALT, ROUNDS);
  backup_put_u32 (tail + BACKUP_SALT + 4, MEMORY_KIB);
  return stretch (lock->passphrase, tail, ROUNDS, MEMORY_KIB, key, error);
}

gboolean
backup_key_new (const FarBackupLock *lock, BackupFront *front, guint8 *key, GError **error)
{
  guint8 *tail = front->bytes + BACKUP_MAGIC_SIZE + 1;

  memcpy (front->bytes, BACKUP_MAGIC, BACKUP_MAGIC_SIZE);
  front->bytes[BACKUP_MAGIC_SIZE] = (guint8) lock->mode;
  front->size = backup_front_size (lock->mode);
  if (lock->mode == FAR_BACKUP_PASSPHRASE)
    return new_from_passphrase (lock, tail, key, error);
  randombytes_buf (key, FAR_BACKUP_KEY);
  if (lock->mode == FAR_BACKUP_PLAIN)
    memcpy (tail, key, FAR_BACKUP_KEY);
  else if (lock->open == NULL || crypto_box_seal (tail, key, FAR_BACKUP_KEY, lock->open) != 0) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("cannot encrypt to this key"));
    return FALSE;
  }
  return TRUE;
}

static gboolean
needs (GError **error, const char *what)
{
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_DENIED, what);
  return FALSE;
}

static gboolean
get_from_passphrase (const FarBackupLock *lock, const guint8 *tail, guint8 *key, GError **error)
{
  guint32 rounds = backup_get_u32 (tail + BACKUP_SALT), memory_kib = backup_get_u32 (tail + BACKUP_SALT + 4);

  if (lock->passphrase == NULL)
    return needs (error, _ ("the backup is encrypted: its passphrase is needed"));
  if (rounds < 1 || rounds > BACKUP_ROUNDS_MAX || memory_kib < 8 || memory_kib > BACKUP_MEMORY_KIB_MAX) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("the backup asks for a costlier key than any that is made; it was changed"));
    return FALSE;
  }
  return stretch (lock->passphrase, tail, rounds, memory_kib, key, error);
}

gboolean
backup_key_get (const FarBackupLock *lock, const BackupFront *front, guint8 *key, GError **error)
{
  const guint8 *tail = front->bytes + BACKUP_MAGIC_SIZE + 1;

  switch ((FarBackupMode) front->bytes[BACKUP_MAGIC_SIZE]) {
  case FAR_BACKUP_PLAIN:
    memcpy (key, tail, FAR_BACKUP_KEY);
    return TRUE;
  case FAR_BACKUP_PASSPHRASE:
    return get_from_passphrase (lock, tail, key, error);
  default:
    if (lock->open == NULL || lock->secret == NULL)
      return needs (error, _ ("the backup is encrypted to a key: say --key FILE"));
    return crypto_box_seal_open (key, tail, BACKUP_SEALED, lock->open, lock->secret) == 0 ||
           needs (error, _ ("the backup is encrypted to another key, or was changed"));
  }
}
