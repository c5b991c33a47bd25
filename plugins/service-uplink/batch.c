/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Batches as main and the executor share them. */
#include "config.h"

#include "uplink.h"

#include <farwatch/trust.h>

UplinkBatch *
uplink_batch_new (GBytes *bytes, guint groups)
{
  UplinkBatch *batch = g_atomic_rc_box_new0 (UplinkBatch);

  batch->bytes = bytes;
  batch->groups = groups;
  return batch;
}

UplinkBatch *
uplink_batch_ref (UplinkBatch *batch)
{
  return g_atomic_rc_box_acquire (batch);
}

static void
batch_clear (gpointer data)
{
  UplinkBatch *batch = data;

  uplink_stamps_clear (&batch->stamps);
  g_bytes_unref (batch->bytes);
}

void
uplink_batch_unref (gpointer batch)
{
  g_atomic_rc_box_release_full (batch, batch_clear);
}

guint64
uplink_epoch_new (void)
{
  return ((guint64) far_random_u32 (G_MAXINT32) << 31) | far_random_u32 (G_MAXINT32);
}
