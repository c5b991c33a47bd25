/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The writer's thread and its jobs; what reads runs on two executors. */
#pragma once
#include "disk.h"

#define FILE_QUEUE_MAX 4096
#define FILE_LANE_MAX 1024

typedef struct _FileJob FileJob;
typedef struct _Writer Writer;

/* What jobs of one group have changed and the index does not know yet. */
typedef struct {
  Disk *disk;
  GByteArray *records;
  GHashTable *revisions; /* "table\nkey" → guint64*, 0: deleted */
  GHashTable *marks;     /* "source\nlane\nepoch" → Mark* */
  GHashTable *units;     /* "source\nname" → unit */
  guint64 revision;
} FileChange;

struct _FileJob {
  FarRequest *req;                                                /* own reference */
  void (*run) (Writer *writer, FileJob *job, FileChange *change); /* NULL: the thread ends */
  void (*clear) (FileJob *job);
  /* before the lock is taken: costly looking; may be NULL */
  void (*prepare) (FileJob *job);
  /* writes records; else it does its own work (change NULL) */
  gboolean grouped;
  gboolean applied; /* apply() with a key */
  GError *error;
  gpointer result;
  GDestroyNotify free_result;
};

struct _Writer {
  gint refs; /* atomic: a thread that hangs may come back */
  FarInstance *at;
  gboolean held; /* the instance: the thread was left to itself */
  Disk *disk;    /* own reference */
  FarThread *thread;
  GAsyncQueue *jobs;
  gint64 next_care_us;
};

Writer *writer_begin (FarInstance *at, Disk *disk);
/* What waits is still done, unless the thread hangs. Frees writer. */
void writer_end (Writer *writer);
void writer_push (Writer *writer, FileJob *job);

gpointer file_job_new (gsize size, FarRequest *req, void (*run) (Writer *, FileJob *, FileChange *),
                       void (*clear) (FileJob *));
void file_job_free (FileJob *job);
void file_job_answer (FileJob *job);
void file_job_result_int (FileJob *job, gint64 value);

FileJob *apply_new (const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req);
FileJob *drop_new (const char *table, gint64 before_us, FarRequest *req);
FileJob *blob_new (const char *sha256, guint64 offset, GBytes *bytes, gboolean last, FarRequest *req);
FileJob *maintain_new (guint budget_ms, FarRequest *req);
FileJob *open_new (FarRequest *req);
/* One step of care inside its own lock; FALSE: nothing to do, or it failed. */
gboolean file_writer_care (Writer *writer, GError **error);

/* read.c: executors */
void file_read_rows (Disk *disk, const char *table, const FarFilterTerm *filter, const char *after,
                     guint limit, gboolean descending, FarRequest *req);
void read_series (Disk *disk, const char *source, FarRequest *req);
void read_samples (Disk *disk, const char *source, const char *name, gint64 from_us, gint64 to_us,
                   guint limit, FarRequest *req);
void file_read_blob (Disk *disk, const char *sha256, guint64 offset, guint size, FarRequest *req);
void file_read_snapshot (Disk *disk, const char *path, FarRequest *req);
/* Blobs that nothing refers to go a day after their last byte, a few at a time. TRUE: there may be more.
 * Under the lock. */
gboolean blobs_care (Disk *disk);
char *blob_path (const Disk *disk, const char *sha256, gboolean part);
