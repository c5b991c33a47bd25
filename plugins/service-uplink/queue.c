/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What waits, in memory and bounded. What falls out is counted, said, and told to the other end with the next
 * batch. */
#include "config.h"

#include "uplink.h"

#include <farwatch/trust.h>

#define BATCH_SIZE (64 * 1024)
#define BATCH_GROUPS 200

static void
batch_free (gpointer data)
{
  Batch *batch = data;

  uplink_stamps_clear (&batch->stamps);
  g_bytes_unref (batch->bytes);
  g_free (batch);
}

static void
queue_remove (Uplink *self, guint place)
{
  Batch *batch = g_queue_pop_nth (&self->waiting, place);

  uplink_forget (self, batch);
  if (place == 0)
    self->adopt = FALSE;
  self->waiting_size -= g_bytes_get_size (batch->bytes);
  batch_free (batch);
}

void
uplink_drop_head (Uplink *self)
{
  self->uncertain = FALSE;
  queue_remove (self, 0);
}

/* What waits will be numbered from 1 on; what comes then follows. */
void
uplink_new_epoch (Uplink *self)
{
  self->epoch = self->next_epoch = ((guint64) far_random_u32 (G_MAXINT32) << 31) |
                                   far_random_u32 (G_MAXINT32);
  self->seq = 0;
  self->next_seq = self->waiting.length;
  self->adopt = FALSE;
  self->told = 0;
  self->uncertain = FALSE;
}

static void
queue_lose (Uplink *self, guint place, const char *why)
{
  Batch *batch = g_queue_peek_nth (&self->waiting, place);

  self->lost += batch->groups;
  far_log_limited (self->at, "lost",
                   "%s: %u groups of samples dropped, %" G_GUINT64_FORMAT
                   " since the last batch that went up",
                   why, batch->groups, self->lost);
  if (place == 0 && self->uncertain)
    uplink_new_epoch (self); /* it may be up there or not: its number must not be used for another */
  queue_remove (self, place);
}

gboolean
uplink_number_head (Uplink *self)
{
  Batch *head = g_queue_peek_head (&self->waiting);

  if (self->adopt || (head->seq == 1 && head->epoch != self->epoch)) {
    self->adopt = FALSE;
    self->epoch = head->epoch;
    self->seq = head->seq - 1;
  }
  if (head->epoch == self->epoch && head->seq == self->seq + 1)
    return TRUE;
  head->epoch = self->epoch;
  head->seq = self->seq + 1;
  if (self->waiting.length == 1) {
    self->next_epoch = head->epoch;
    self->next_seq = head->seq;
  }
  return !uplink_keep (self, head);
}

void
uplink_take_kept (Uplink *self, Batch *batch)
{
  self->adopt = TRUE;
  self->number = MAX (self->number, batch->number);
  g_queue_push_tail (&self->waiting, batch);
  self->waiting_size += g_bytes_get_size (batch->bytes);
}

/* The oldest goes, but not the one that is on its way. */
static void
queue_limit (Uplink *self)
{
  guint first = self->sending ? 1 : 0;

  while (self->waiting_size > (gsize) uplink_options (self)->buffer && self->waiting.length > first + 1)
    queue_lose (self, first, "the buffer is full");
}

void
uplink_close_batch (Uplink *self)
{
  Batch *batch;

  if (self->builder == NULL)
    return;
  batch = g_new0 (Batch, 1);
  batch->bytes = far_batch_builder_end (g_steal_pointer (&self->builder));
  batch->stamps = self->stamps;
  self->stamps = (UplinkStamps){ 0 };
  batch->groups = self->groups;
  batch->epoch = self->next_epoch;
  batch->seq = ++self->next_seq;
  batch->number = ++self->number;
  self->groups = 0;
  g_queue_push_tail (&self->waiting, batch);
  self->waiting_size += g_bytes_get_size (batch->bytes);
  if (g_bytes_get_size (batch->bytes) > FAR_BATCH_MAX)
    queue_lose (self, self->waiting.length - 1, "a batch is larger than 256 KiB");
  else
    uplink_keep (self, batch);
  queue_limit (self);
}

void
uplink_add (Uplink *self, const FarReading *group)
{
  if (self->builder != NULL && uplink_stamps_moved (&self->stamps))
    uplink_close_batch (self);
  if (self->builder == NULL) {
    self->builder = far_batch_builder_new ();
    self->stamps = uplink_stamps_now ();
  }
  far_batch_builder_add (self->builder, group);
  self->groups++;
  if (self->groups < BATCH_GROUPS && far_batch_builder_size (self->builder) < BATCH_SIZE)
    return;
  uplink_close_batch (self);
  uplink_send (self);
}

void
uplink_clear (Uplink *self)
{
  uplink_close_batch (self);
  g_queue_clear_full (&self->waiting, batch_free);
  self->waiting_size = 0;
}
