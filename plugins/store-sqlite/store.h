/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The store's threads: one writer (group commit), one for rows and blobs, one for range queries. Each has a
 * queue of jobs and a connection; the main context only puts jobs into queues. */
#pragma once
#include "conn.h"

#define SQLITE_QUEUE_MAX 4096

typedef struct _SqliteJob SqliteJob;
typedef struct _StoreThread StoreThread;
typedef struct _Base Base;

struct _SqliteJob {
  FarRequest *req;                                   /* own reference */
  void (*run) (StoreThread *thread, SqliteJob *job); /* [thread's thread]; NULL: the thread ends */
  void (*clear) (SqliteJob *job);                    /* frees what the job holds; may be NULL */
  /* writer: outcome until the commit */
  gboolean grouped; /* shares the transaction of its group */
  GError *error;
  gpointer result;
  GDestroyNotify free_result;
  gboolean applied; /* an apply() with a key: a full store is a verdict */
};

struct _StoreThread {
  Base *base; /* what it is part of */
  FarInstance *at;
  const char *path;
  gint *generation; /* atomic; grows when the file was replaced */
  gint seen;        /* the generation this connection belongs to */
  FarThread *thread;
  GAsyncQueue *jobs;
  Conn conn;
  gpointer owner;      /* Writer* */
  StoreThread *writer; /* readers: whom to tell of damage */
};

typedef struct {
  char *path;
  gint64 keep_us; /* age of samples that stay; 0: all */
  int if_damaged; /* FAR_IF_DAMAGED_… */
} SqliteOptions;

typedef struct _Sqlite Sqlite;

/* ---- jobs ([main]) ---- */
gpointer sqlite_job_new (gsize size, FarRequest *req, void (*run) (StoreThread *, SqliteJob *),
                         void (*clear) (SqliteJob *));
void sqlite_job_free (SqliteJob *job);
/* Ends the request with the outcome and frees the job. [any thread] */
void sqlite_job_answer (SqliteJob *job);
/* FAR_ERROR_LIMIT when too many wait. */
void store_thread_push (StoreThread *thread, gpointer job);
/* func: what the thread runs; gone: told with the thread when it has ended. */
void store_thread_begin (StoreThread *thread, const char *name, GThreadFunc func, GDestroyNotify gone);
/* Asks for its end: what waits is still done. */
void store_thread_ask_end (StoreThread *thread);
/* FALSE: its thread hangs and was left to itself; who still waits for it is told. */
gboolean store_thread_end (StoreThread *thread);
/* A thread that reads: runs job after job on a fresh enough connection. */
gpointer sqlite_reader_run (gpointer thread);

/* ---- the writer ---- */
typedef struct {
  StoreThread thread;
  gint generation;
  gboolean go_on; /* a damaged file is replaced by what can be read of it, and that is all */
  /* the file was damaged: what every request hears from then on; set once, under lock */
  GError *held;
  gint64 keep_us; /* atomic by lock */
  GMutex lock;
  gint64 revision; /* in the open transaction */
  gboolean revised;
  GHashTable *series;  /* "source id\nname\nunit": known to be in the file */
  GHashTable *young;   /* source id → batches not yet merged (guess: since start) */
  GQueue merge;        /* source ids with enough of them */
  gint64 next_care_us; /* boottime of the next retention */
  guint64 rounds;
  dev_t device; /* of the open file; the writer's thread */
  ino_t inode;
} Writer;

/* All that the threads touch. It stays as long as one of them: a thread that hangs may come back. */
struct _Base {
  gint refs;         /* atomic */
  FarInstance *held; /* until the last thread has ended: one was left to itself; else NULL */
  char *path;
  Writer writer;
  StoreThread reader;  /* rows, blobs */
  StoreThread scanner; /* series, samples, snapshots */
};
Base *base_new (FarInstance *at, const char *path);
void base_unref (Base *base);
/* Begins a thread of it, which holds it. */
void base_begin (Base *base, StoreThread *thread, const char *name, GThreadFunc func);
/* Age of samples that stay; 0: all. [any thread] */
gint64 base_keep (Base *base);
/* FALSE: the store is not to be used any more. [any thread] */
gboolean base_usable (Base *base, GError **error);

gpointer sqlite_writer_run (gpointer writer);
void writer_repair (Writer *writer); /* after an error: what conn.worst asks for */
/* Before each use by the writer: opens the file unless it is open, and sees that it is the one at its path.
 */
gboolean writer_open (Writer *writer, GError **error);

/* damage.c: the file is damaged. It is moved aside and read out; then the store goes on, or (the default) is
 * held until a person has decided. */
gboolean damage_found (Writer *writer, GError **error);
/* Before it is opened: what was read out is put in place where an end came just between moving the damaged
 * file and that. */
gboolean damage_finish (const char *path, GError **error);

/* jobs of the writer */
void write_open (StoreThread *thread, SqliteJob *job);
SqliteJob *write_apply_new (const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req);
SqliteJob *write_drop_new (const char *table, gint64 samples_before_us, FarRequest *req);
SqliteJob *write_blob_new (const char *sha256, guint64 offset, GBytes *bytes, gboolean last, FarRequest *req);
SqliteJob *write_maintain_new (guint budget_ms, FarRequest *req);
/* Looks the whole file through; replaces it when it is damaged. */
SqliteJob *write_check_new (void);
/* A number for the name of a source, made if wanted; 0: none. */
gint64 source_id (Conn *conn, const char *name, gboolean make, GError **error);
/* One step of care: merging, retention, giving room back. FALSE: nothing to do. */
gboolean care_step (Writer *writer, GError **error);
void care_added (Writer *writer, gint64 source);

/* jobs of the readers */
SqliteJob *read_rows_new (const char *table, const FarFilterTerm *filter, const char *after, guint limit,
                          gboolean descending, FarRequest *req);
SqliteJob *read_series_new (const char *source, FarRequest *req);
SqliteJob *read_samples_new (const char *source, const char *name, gint64 from_us, gint64 to_us, guint limit,
                             FarRequest *req);
SqliteJob *read_blob_new (const char *sha256, guint64 offset, guint size, FarRequest *req);
SqliteJob *read_snapshot_new (const char *path, FarRequest *req);
