/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values that were stamped before anybody told the time. In the same run of the machine it is known
 * afterwards by how much their clock was wrong; after another start of it that is not known, and they are
 * marked. */
#include "config.h"

#include "uplink.h"

#include <string.h>

#define MOVED_US (2 * G_USEC_PER_SEC)

static gint64
stamps_offset_us (void)
{
  return far_clock_wall_us () - far_clock_boottime_us ();
}

UplinkStamps
uplink_stamps_now (void)
{
  UplinkStamps stamps = { .offset_us = stamps_offset_us (), .sure = far_clock_is_sure () };
  gint64 skew_us;

  stamps.told = far_clock_skew_us (&skew_us);
  stamps.boot = stamps.told ? NULL : g_strdup (far_clock_boot_id ());
  return stamps;
}

void
uplink_stamps_clear (UplinkStamps *stamps)
{
  g_clear_pointer (&stamps->boot, g_free);
}

gboolean
uplink_stamps_moved (const UplinkStamps *stamps)
{
  gint64 skew_us;

  return stamps->told != far_clock_skew_us (&skew_us) ||
         ABS (stamps_offset_us () - stamps->offset_us) > MOVED_US;
}

UplinkMend
uplink_stamps_mend (const UplinkStamps *stamps)
{
  UplinkMend mend = { 0, FAR_QUALITY_GOOD };
  gint64 by_us = stamps_offset_us () - stamps->offset_us, skew_us;

  if (stamps->told || !far_clock_skew_us (&skew_us))
    return mend;
  if (g_strcmp0 (stamps->boot, far_clock_boot_id ()) != 0)
    mend.worst = stamps->sure ? FAR_QUALITY_GOOD : FAR_QUALITY_UNCERTAIN;
  else if (ABS (by_us) > MOVED_US)
    mend.by_us = by_us;
  return mend;
}

void
uplink_batch_mend (UplinkBatch *batch, const UplinkMend *mend)
{
  GBytes *bytes = NULL;

  uplink_stamps_clear (&batch->stamps);
  batch->stamps.told = TRUE;
  if (mend->by_us != 0 || mend->worst != FAR_QUALITY_GOOD)
    bytes = far_batch_shift (batch->bytes, mend->by_us, mend->worst, NULL);
  if (bytes == NULL)
    return;
  g_bytes_unref (batch->bytes);
  batch->bytes = bytes;
}

UplinkStamps
uplink_stamps_read (const json_t *json)
{
  const char *boot = json_string_value (json_object_get (json, "boot"));

  return (UplinkStamps){ .told = boot == NULL,
                         .sure = json_is_true (json_object_get (json, "sure")),
                         .boot = g_strdup (boot),
                         .offset_us = json_integer_value (json_object_get (json, "offset_us")) };
}
