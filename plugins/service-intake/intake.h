/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header describes the intake at the cloud: it takes batches that uplinks send, each once, and what
 * this node measures by itself, and writes both into a store. What is not yet written waits here, bounded. */
#pragma once
#include <farwatch/plugin.h>

typedef struct {
  char *store;
  gint64 interval_us;
  gint64 buffer;
} IntakeOptions;

typedef struct {
  FarInstance *at;
  /* this node's own groups on their way to the store */
  FarBatchBuilder *builder;
  GQueue waiting; /* GBytes: batches not yet taken */
  gsize waiting_size;
  gboolean writing; /* the first of waiting is with the store */
  FarInstanceTimer *timer;
  guint64 lost; /* batches dropped as the store did not take them */
} Intake;

/* recording what this node measures */
void intake_record_start (Intake *self);
void intake_record_stop (Intake *self);

/* handlers */
void intake_batches (gpointer self, FarCall *call);
void intake_samples (gpointer self, FarCall *call);
