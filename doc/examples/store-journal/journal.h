/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A memory whose changes are lines of a file: each is on disk before it is done, and all are done again when
 * the file is opened. Any thread may use it; those that write come one after the other. */
#pragma once
#include "memory.h"

typedef struct {
  gint refs;
  GRWLock lock; /* of memory; held shortly */
  Memory *memory;
  char *path;
  int fd;
  gint64 size; /* bytes of whole lines */
} Journal;

Journal *journal_new (const char *path);
Journal *journal_ref (Journal *journal);
void journal_unref (Journal *journal);

/* These block. */
gboolean journal_open (Journal *journal, GError **error);
/* One change on disk, with the end of its line. FALSE: FAR_ERROR_FULL, and the file is as it was. */
gboolean journal_write (Journal *journal, json_t *change, GError **error);
/* A copy at path, which must not exist. */
gboolean journal_copy (Journal *journal, const char *path, GError **error);

/* What a change says, as the calls of a store have it. Strings are the change's; own keeps the bytes. */
json_t *change_apply (const char *node, const FarBatchKey *key, const FarPart *parts, guint n);
json_t *change_drop (const char *table, gint64 before_us);
json_t *change_blob (const char *hash, guint64 offset, GBytes *bytes, gboolean last);
GArray *change_parts (json_t *change, GPtrArray *own);
gboolean change_key (json_t *change, FarBatchKey *key); /* FALSE: it has none */
GBytes *change_bytes (json_t *change);
/* Does it to the memory; was judged before. The result of the call: a revision, or bytes of a blob. */
gint64 change_play (Memory *memory, json_t *change);
