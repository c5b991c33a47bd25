/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header has what writer and reader of backups share: sizes, the front of the file and its key. The
 * format is doc/formats.md. */
#pragma once
#include "ctl-support/backup.h"

#include <sodium.h>

#define BACKUP_MAGIC "FARB\1"
#define BACKUP_MAGIC_SIZE 5
#define BACKUP_CHUNK 65536
#define BACKUP_HEAD_MAX 8192
#define BACKUP_MEMORY_KIB_MAX (1024 * 1024) /* what a file may make its reader spend */
#define BACKUP_ROUNDS_MAX 16
#define BACKUP_SALT crypto_pwhash_SALTBYTES
#define BACKUP_SEALED (FAR_BACKUP_KEY + crypto_box_SEALBYTES)
#define BACKUP_FRONT_MAX (BACKUP_MAGIC_SIZE + 1 + BACKUP_SEALED)

/* The front of a file: magic, mode, and what the key is made of. It is bound to the first chunk. */
typedef struct {
  guint8 bytes[BACKUP_FRONT_MAX];
  gsize size;
} BackupFront;

static inline void
backup_put_u32 (guint8 *at, guint32 value)
{
  for (guint i = 0; i < 4; i++)
    at[i] = (guint8) (value >> (24 - 8 * i));
}

static inline guint32
backup_get_u32 (const guint8 *at)
{
  return (guint32) at[0] << 24 | (guint32) at[1] << 16 | (guint32) at[2] << 8 | at[3];
}

/* backup-key.c */
gsize backup_front_size (FarBackupMode mode);
/* A new key and the front that tells how to get at it. */
gboolean backup_key_new (const FarBackupLock *lock, BackupFront *front, guint8 *key, GError **error);
gboolean backup_key_get (const FarBackupLock *lock, const BackupFront *front, guint8 *key, GError **error);
