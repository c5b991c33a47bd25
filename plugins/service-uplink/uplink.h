/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header describes the uplink of a terminal (spec B2): groups are gathered, become numbered batches,
 * wait in memory and in a store until the cloud has them, and have their times mended when the clock was
 * wrong. */
#pragma once
#include <farwatch/plugin.h>

typedef struct {
  char *link, *store;
  gint64 interval_us;
  gint64 buffer;
} UplinkOptions;

/* By which clock a batch was stamped. */
typedef struct {
  gboolean told;    /* the other end had told the time: nothing is to be mended */
  gboolean sure;    /* the system's clock was synchronised */
  gint64 offset_us; /* what the clock was ahead of boottime */
  char *boot;       /* the kernel's boot_id; NULL when told */
} UplinkStamps;

typedef struct {
  GBytes *bytes;
  UplinkStamps stamps;
  guint groups;
  guint64 epoch, seq; /* what it is sent under; it may get another number while it has not been sent */
  guint64 number;     /* its row's, in the order of measuring */
  gboolean kept;      /* it has a row */
  guint writes;       /* of its row, under way: it is not sent before they end */
} Batch;

typedef struct {
  FarInstance *at;
  FarInstanceTimer *timer;
  FarBatchBuilder *builder; /* what is gathered now; NULL: nothing */
  guint groups;             /* in it */
  UplinkStamps stamps;      /* of what is in it */
  GQueue waiting;           /* Batch, oldest first */
  gsize waiting_size;
  gboolean sending;             /* the head is on its way */
  gboolean uncertain;           /* the head was sent and not answered for */
  guint64 epoch, seq;           /* seq: of the last batch that is durable up there */
  guint64 next_epoch, next_seq; /* the number the newest batch got: the next one follows */
  guint64 number;               /* of the newest row */
  /* the head is of before a restart: its number is the one it was sent under, if it was */
  gboolean adopt;
  gboolean unread; /* rows of before the restart could not be read: nothing is written over them */
  /* groups dropped and not yet known up there; of these, said with the batch on its way */
  guint64 lost, told;
} Uplink;

/* What the profile says; borrowed, until the next reload. */
const UplinkOptions *uplink_options (Uplink *self);
/* Groups wait here until the other end has them on disk. */
void uplink_add (Uplink *self, const FarReading *group);
/* What is gathered becomes a batch. */
void uplink_close_batch (Uplink *self);
void uplink_clear (Uplink *self);
/* Sends the oldest batch, if there is one, a link, and nothing on its way. */
void uplink_send (Uplink *self);
/* All numbers start over: the other end and we do not agree on what it has. */
void uplink_new_epoch (Uplink *self);
/* Takes the oldest batch out. */
void uplink_drop_head (Uplink *self);
/* The head has the number that comes next. FALSE: it got another, and its row is being written. */
gboolean uplink_number_head (Uplink *self);
/* A batch of before the restart; takes it. */
void uplink_take_kept (Uplink *self, Batch *batch);
/* What was kept is here: measuring and sending begin. */
void uplink_loaded (Uplink *self);

/* stamp.c */
UplinkStamps uplink_stamps_now (void);
void uplink_stamps_clear (UplinkStamps *stamps);
/* The clock has been set since what is gathered was stamped, or the time was told. */
gboolean uplink_stamps_moved (const UplinkStamps *stamps);
/* Before the batch goes up: its times are moved as far as the clock was wrong; where nobody can know how far,
 * its values are marked as uncertain. TRUE: its bytes are others now. */
gboolean uplink_stamps_mend (Uplink *self, Batch *batch);
json_t *uplink_stamps_json (const UplinkStamps *stamps); /* NULL: nothing to keep */
UplinkStamps uplink_stamps_read (const json_t *json);

/* keep.c */
gboolean uplink_keep (Uplink *self, Batch *batch); /* FALSE: not on disk, it waits in memory only */
void uplink_forget (Uplink *self, const Batch *batch);
void uplink_load (Uplink *self);
