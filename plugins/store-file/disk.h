/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One store directory:
 *   FORMAT          "farwatch store 1"
 *   lock            flock: exclusive = writing, shared = reading another process's tail. Holds the number of
 * the current segment, 8 bytes. state-NUMBER    rows, marks, series, references as they were at the end of
 * segment NUMBER; the two newest are kept NUMBER.log      segment: what was written, in order; the highest
 * number is the current one NUMBER.blk      closed segment of which only samples are left, merged per source
 *   blobs/HASH      whole blobs; blobs/HASH.part: on their way
 * The writer's thread changes it; other threads read the index under the lock. */
#pragma once
#include "index.h"

#define DISK_SEGMENT_SIZE (4 * 1024 * 1024)
#define DISK_FORMAT 1

typedef struct {
  gint refs;
  FarInstance *at; /* for log lines; valid while the writer runs */
  char *path;
  char *rows_lane, *scan_lane; /* its own: a store on a dead disk holds up no other */
  GMutex lock;                 /* all below, except as said */
  Index *index;                /* NULL: not open */
  int lock_fd, peek_fd;        /* the writer's and the readers' description of `lock` */
  int fd;                      /* current segment */
  guint64 current, end;        /* its number; end of what counts in it */
  guint64 older_state;         /* number of the state before the newest; 0: none */
  gboolean writing;            /* our writer has the lock: what is behind `end` is ours, not yet durable */
  gint64 keep_us;
  gboolean go_on; /* a damaged store goes on with what can be read, and that is all */
  /* what was found damaged while loading and nothing made up for; the writer's thread */
  GString *lost;
  GError *held; /* damaged: what every request hears; the writer's thread */
} Disk;

/* name: of the instance; reading has two executors of that name. */
Disk *disk_new (const char *path, const char *name);
Disk *disk_ref (Disk *disk);
void disk_unref (Disk *disk);

/* ---- the writer's thread ---- */
/* Opens or makes the directory. FAR_ERROR_CONFIG: newer, or not ours. FAR_ERROR_FULL: cannot be written. */
gboolean disk_open (Disk *disk, GError **error);
void disk_close (Disk *disk);
/* Takes the file lock and what another process has written. */
gboolean disk_begin (Disk *disk, GError **error);
/* Makes records durable, then visible. Nothing of them is left on failure. */
gboolean disk_commit (Disk *disk, const GByteArray *records, GError **error);
void disk_finish (Disk *disk);

/* ---- any thread ---- */
/* Looks whether another process has written; never waits. */
void disk_refresh (Disk *disk);
char *disk_file (const Disk *disk, const char *format, guint64 number);
#define DISK_LOG "%010" G_GINT64_MODIFIER "u.log"
#define DISK_BLK "%010" G_GINT64_MODIFIER "u.blk"
#define DISK_STATE "state-%010" G_GINT64_MODIFIER "u"
/* A closed or current segment for reading; -1: it is not there any more. */
int disk_segment_open (const Disk *disk, guint64 number);
gboolean disk_write_file (const char *path, const guint8 *data, gsize size, GError **error);
gboolean disk_sync_dir (const char *path);
gboolean disk_full (GError **error, const char *path); /* cannot record: by errno; always FALSE */

/* ---- rotate.c, the writer's thread, between begin and finish ---- */
/* What was loaded is written as a state, and a new segment begun: what is damaged is not read again. */
gboolean disk_take_over (Disk *disk, GError **error);
/* A new segment when the current one is long enough (or now). */
gboolean disk_roll (Disk *disk, gboolean now, GError **error);
/* One step of care: closed segments become blocks, old samples go. FALSE: nothing to do. */
gboolean disk_care (Disk *disk, gint64 before_us, GError **error);
gboolean disk_drop_before (Disk *disk, gint64 before_us, GError **error);
