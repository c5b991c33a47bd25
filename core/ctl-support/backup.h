/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node in one file: entries (a JSON head, then bytes), cut into chunks that are encrypted and checked
 * (doc/formats.md, "Backup"). Blocks: for farctl. */
#pragma once
#include <farwatch/error.h>
#include <jansson.h>

G_BEGIN_DECLS

#define FAR_BACKUP_KEY 32            /* bytes of a box key, public or secret */
#define FAR_BACKUP_PASSPHRASE_MIN 12 /* characters */

typedef enum { FAR_BACKUP_PLAIN, FAR_BACKUP_PASSPHRASE, FAR_BACKUP_BOX } FarBackupMode;

/* What a file is locked with, or opened with. Borrowed during create and open. */
typedef struct {
  FarBackupMode mode;          /* create only: a file says it itself */
  const char *passphrase;      /* NULL: none */
  const guint8 *open, *secret; /* box key: create takes `open`, open takes both; NULL: none */
} FarBackupLock;

typedef struct _FarBackupOut FarBackupOut;
/* Writes to fd, which stays the caller's. */
FarBackupOut *far_backup_create (int fd, const FarBackupLock *lock, GError **error);
/* head gets "n", the size of what follows by far_backup_write(). */
gboolean far_backup_entry (FarBackupOut *out, json_t *head, guint64 n, GError **error);
gboolean far_backup_write (FarBackupOut *out, gconstpointer bytes, gsize size, GError **error);
/* The last chunk: without it a reader says that the file was cut. */
gboolean far_backup_end (FarBackupOut *out, GError **error);
void far_backup_out_free (FarBackupOut *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarBackupOut, far_backup_out_free)

typedef struct _FarBackupIn FarBackupIn;
/* FAR_ERROR_INVALID: no backup, or of a newer kind; FAR_ERROR_DENIED: another passphrase or key. */
FarBackupIn *far_backup_open (int fd, const FarBackupLock *lock, GError **error);
/* What the file needs; NULL lock fields are fine for it. */
gboolean far_backup_mode (int fd, FarBackupMode *mode, GError **error);
/* The next entry (caller decrefs); NULL without error: the end, checked. What was left of the one before is
 * passed over. */
json_t *far_backup_next (FarBackupIn *in, guint64 *n, GError **error);
/* At most size bytes of the entry; 0: its end, or an error. */
gsize far_backup_read (FarBackupIn *in, gpointer bytes, gsize size, GError **error);
void far_backup_in_free (FarBackupIn *in);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarBackupIn, far_backup_in_free)

/* Is this a path that may be made below a folder: relative, no "." and "..", no empty part, no control
 * character? */
gboolean far_backup_path_ok (const char *path);

G_END_DECLS
