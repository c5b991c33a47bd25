/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include <farwatch/plugin.h>

typedef struct {
  char *link;
  gint64 every_us;
  gint64 buffer;
} UplinkOptions;

typedef struct {
  GBytes *bytes;
  guint groups;
} Batch;

typedef struct {
  FarInstance *at;
  guint listener;
  FarHomeTimer *timer;
  FarBatchBuilder *builder;  /* what is gathered now; NULL: nothing */
  guint groups;              /* in it */
  GQueue waiting;            /* Batch, oldest first */
  gsize waiting_size;
  FarRequest *sending;       /* the head is on its way */
  gboolean uncertain;        /* the head was sent and not answered for */
  guint64 epoch, seq;        /* seq: of the last batch that is durable up there */
  guint64 lost, told;        /* groups dropped and not yet known up there; of these, said with the batch on its way */
} Uplink;

/* Groups wait here until the other end has them on disk. */
void uplink_add (Uplink *self, const FarGroup *group);
/* What is gathered becomes a batch. */
void uplink_close_batch (Uplink *self);
void uplink_clear (Uplink *self);
/* Sends the oldest batch, if there is one, a link, and nothing on its way. */
void uplink_send (Uplink *self);
/* All numbers start over: the other end and we do not agree on what it has. */
void uplink_new_epoch (Uplink *self);
/* Takes the oldest batch out. */
void uplink_drop_head (Uplink *self);
