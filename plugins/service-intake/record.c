/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This node's own samples: gathered for a few seconds, then one apply(). While the store does not take them
 * they wait, up to a limit; what is dropped then is counted and said. */
#include "config.h"

#include "intake.h"

#define BATCH_SIZE (64 * 1024)

static void record_write (Intake *self);

static const IntakeOptions *
intake_options (Intake *self)
{
  return far_instance_options (self->at);
}

static void
record_drop_oldest (Intake *self)
{
  gboolean busy = self->writing;
  GBytes *oldest = g_queue_pop_nth (&self->waiting, busy ? 1 : 0);

  self->waiting_size -= g_bytes_get_size (oldest);
  g_bytes_unref (oldest);
  self->lost++;
  far_log_limited (self->at, "lost",
                   "store '%s' takes no samples: %" G_GUINT64_FORMAT " batches of this node dropped so far",
                   intake_options (self)->store, self->lost);
}

static void
record_close_batch (Intake *self)
{
  GBytes *batch;

  if (self->builder == NULL)
    return;
  batch = far_batch_builder_end (g_steal_pointer (&self->builder));
  g_queue_push_tail (&self->waiting, batch);
  self->waiting_size += g_bytes_get_size (batch);
  while (self->waiting_size > (gsize) intake_options (self)->buffer && self->waiting.length > 1)
    record_drop_oldest (self);
}

static void
record_written (FarRequest *req, gpointer data)
{
  Intake *self = data;
  const GError *error = far_request_error (req);
  GBytes *batch;

  self->writing = FALSE;
  if (error != NULL) {
    far_log_limited (self->at, "write", "samples of this node wait: %s", error->message);
    return; /* the timer tries again */
  }
  batch = g_queue_pop_head (&self->waiting);
  self->waiting_size -= g_bytes_get_size (batch);
  g_bytes_unref (batch);
  record_write (self);
}

static void
record_write (Intake *self)
{
  FarPart part = { .kind = FAR_PART_SAMPLES };

  if (self->writing || g_queue_is_empty (&self->waiting))
    return;
  part.samples = g_queue_peek_head (&self->waiting);
  self->writing = TRUE;
  far_store_apply (intake_options (self)->store, NULL, &part, 1,
                   far_request_of (self->at, record_written, self, NULL, 0));
}

static void record_tick (gpointer data);

static void
record_again (Intake *self)
{
  far_instance_timer (self->at, &self->timer, far_clock_boottime_us () + intake_options (self)->interval_us,
                      record_tick, self);
}

static void
record_tick (gpointer data)
{
  Intake *self = data;

  record_close_batch (self);
  record_write (self);
  record_again (self);
}

static void
record_group (const FarReading *group, gpointer data)
{
  Intake *self = data;

  if (self->builder == NULL)
    self->builder = far_batch_builder_new ();
  far_batch_builder_add (self->builder, group);
  if (far_batch_builder_size (self->builder) < BATCH_SIZE)
    return;
  record_close_batch (self);
  record_write (self);
}

void
intake_record_start (Intake *self)
{
  far_sample_listen (self->at, record_group, self);
  record_again (self);
}

/* What is gathered goes to the store without waiting for its answer: the store finishes what it was given
 * before it stops. The batch that is with the store goes once more: its write may have failed already, and
 * nobody hears of that any more. Points that stand there twice are better than none. */
void
intake_record_stop (Intake *self)
{
  GBytes *batch;

  record_close_batch (self);
  while ((batch = g_queue_pop_head (&self->waiting)) != NULL) {
    FarPart part = { .kind = FAR_PART_SAMPLES, .samples = batch };

    far_store_apply (intake_options (self)->store, NULL, &part, 1, NULL);
    g_bytes_unref (batch);
  }
  self->waiting_size = 0;
}
