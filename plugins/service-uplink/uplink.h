/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header describes the uplink of a terminal (spec B2): groups are gathered, become numbered batches,
 * wait as records of a spool until the cloud has them, and have their times mended when the clock was wrong.
 *
 *   groups ─► gather.c ─► write.c ─► disk.c (executor): spool ─► head.c ─► send.c ─► cloud
 *                            └─ while the disk takes nothing ─────►┘
 *
 * Memory holds what is being written and the one batch that is sent. */
#pragma once
#include <farwatch/plugin.h>

typedef struct {
  char *link, *store;
  gint64 interval_us;
  gint64 budget;
} UplinkOptions;

/* By which clock a batch was stamped. */
typedef struct {
  gboolean told;    /* the other end had told the time: nothing is to be mended */
  gboolean sure;    /* the system's clock was synchronised */
  gint64 offset_us; /* what the clock was ahead of boottime */
  char *boot;       /* the kernel's boot_id; NULL when told */
} UplinkStamps;

/* What is done to the times of a batch that was stamped by a wrong clock. */
typedef struct {
  gint64 by_us;
  FarQuality worst;
} UplinkMend;

/* Counted references. What another thread sees of it does not change. */
typedef struct {
  GBytes *bytes;
  UplinkStamps stamps;
  guint groups;
  guint64 epoch, seq; /* what it is sent under; 0 until it is a record */
  guint64 given;      /* gathered by this instance: the how manieth, from 1 */
  guint64 row;        /* number of the row of an older version that it was; 0: none */
  guint64 record;     /* its number in the spool; 0: it is not there */
  guint64 before;     /* groups of all records before it */
  guint64 own_epoch;  /* of a record: the epoch that stands in it */
} UplinkBatch;

/* ---- batch.c ---- */
UplinkBatch *uplink_batch_new (GBytes *bytes, guint groups); /* takes bytes */
UplinkBatch *uplink_batch_ref (UplinkBatch *batch);
void uplink_batch_unref (gpointer batch);
guint64 uplink_epoch_new (void);

typedef struct _UplinkDisk UplinkDisk; /* disk.h */

typedef struct _Uplink Uplink;
struct _Uplink {
  FarInstance *at;
  FarInstanceTimer *timer;
  /* What happens below is told to who knows what follows: there may be something to send; what was left over
   * from before is known. */
  void (*may_send) (Uplink *self);
  void (*loaded) (Uplink *self);
  /* gather.c, write.c */
  FarBatchBuilder *builder; /* what is gathered now; NULL: nothing */
  guint groups;             /* in it */
  UplinkStamps stamps;      /* of what is in it */
  GQueue unwritten;         /* UplinkBatch, oldest first: not in the spool yet */
  gsize unwritten_size;
  guint writing;    /* so many of these, the oldest, are with the executor */
  gboolean stuck;   /* the disk took nothing the last time */
  guint64 given;    /* batches that were gathered */
  guint64 newest;   /* number of the newest record */
  UplinkDisk *disk; /* only the executor looks inside */
  /* head.c, send.c */
  UplinkBatch *head;  /* the one that is sent; NULL: none */
  gboolean again;     /* it could not be read: the timer tries again */
  gboolean more;      /* the spool may have another */
  gboolean busy;      /* the executor reads, or notes something about the head */
  gboolean sending;   /* the head is on its way */
  guint64 epoch, seq; /* of the last batch that was sent without being a record */
  /* groups dropped and not yet known up there; of these, said with the batch on its way */
  guint64 lost, told;
};

/* ---- state.c ---- */
/* What the profile says; borrowed, until the next reload. */
const UplinkOptions *uplink_options (Uplink *self);
/* So many groups will never be up there: told in the log, in the count, and to the cloud. */
void uplink_lose (Uplink *self, guint64 groups, const char *why);
/* Does nothing wait? Then small batches may go at once. */
gboolean uplink_is_idle (Uplink *self);

/* ---- gather.c ---- */
void uplink_add (Uplink *self, const FarReading *group);
/* What is gathered becomes a batch. */
void uplink_close_batch (Uplink *self);

/* ---- write.c ---- */
/* Takes batch, which is written with the next uplink_write(). */
void uplink_write_add (Uplink *self, UplinkBatch *batch);
/* What is not written is tried again. */
void uplink_write (Uplink *self);
/* What is not written, or sent without being a record goes to the spool, then that is closed: the
 * last thing that the instance does. */
void uplink_flush (Uplink *self);

/* ---- head.c ---- */
/* FALSE: there is none now; may_send() is called when there may be. */
gboolean uplink_head_find (Uplink *self);
/* FALSE: its times are not right yet; likewise. */
gboolean uplink_head_mend (Uplink *self);
/* The other end has not what came before it: from it on records count from 1; likewise. */
void uplink_head_renumber (Uplink *self);
/* It is up there, or never will be. */
void uplink_head_done (Uplink *self);

/* ---- send.c ---- */
/* Sends the oldest batch, if there is one, a link, and nothing on its way. */
void uplink_send (Uplink *self);

/* ---- rows.c ---- */
/* Opens the spool and takes in what an older version left in the store; ends in loaded(). */
void uplink_load (Uplink *self);

/* ---- stamp.c ---- */
UplinkStamps uplink_stamps_now (void);
void uplink_stamps_clear (UplinkStamps *stamps);
UplinkStamps uplink_stamps_read (const json_t *json);
/* The clock has been set since what is gathered was stamped, or the time was told. */
gboolean uplink_stamps_moved (const UplinkStamps *stamps);
/* What is to be done to the times: moved as far as the clock was wrong; where nobody can know how far, the
 * values are marked as uncertain. */
UplinkMend uplink_stamps_mend (const UplinkStamps *stamps);
/* [any thread] Bytes that cannot be read stay as they are. */
void uplink_batch_mend (UplinkBatch *batch, const UplinkMend *mend);
