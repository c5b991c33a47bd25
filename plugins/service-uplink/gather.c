/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From groups to batches. While something waits they grow larger, so that it catches up. */
#include "config.h"

#include "uplink.h"

#define BATCH_SIZE (64 * 1024)
#define BATCH_GROUPS 200 /* of one that goes at once */

void
uplink_close_batch (Uplink *self)
{
  UplinkBatch *batch;

  if (self->builder == NULL)
    return;
  batch = uplink_batch_new (far_batch_builder_end (g_steal_pointer (&self->builder)), self->groups);
  batch->stamps = self->stamps;
  batch->given = ++self->given;
  self->stamps = (UplinkStamps){ 0 };
  self->groups = 0;
  if (g_bytes_get_size (batch->bytes) > FAR_BATCH_MAX) {
    uplink_lose (self, batch->groups, "a batch is larger than 256 KiB");
    uplink_batch_unref (batch);
    return;
  }
  uplink_write_add (self, batch);
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
  if (far_batch_builder_size (self->builder) < BATCH_SIZE &&
      (self->groups < BATCH_GROUPS || !uplink_is_idle (self)))
    return;
  uplink_close_batch (self);
  uplink_write (self);
}
