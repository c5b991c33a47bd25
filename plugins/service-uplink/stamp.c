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

static gboolean
stamps_rewrite (Uplink *self, Batch *batch, gint64 by_us, FarQuality worst)
{
  g_autoptr (GError) error = NULL;
  GBytes *bytes = far_batch_shift (batch->bytes, by_us, worst, &error);

  if (bytes == NULL) {
    far_log_limited (self->at, "stamps", "a batch of before the clock was right cannot be read: %s",
                     error->message);
    return FALSE;
  }
  self->waiting_size += g_bytes_get_size (bytes) - g_bytes_get_size (batch->bytes);
  g_bytes_unref (batch->bytes);
  batch->bytes = bytes;
  return TRUE;
}

gboolean
uplink_stamps_mend (Uplink *self, Batch *batch)
{
  UplinkStamps *stamps = &batch->stamps;
  g_autofree char *boot = NULL;
  gint64 by_us = stamps_offset_us () - stamps->offset_us, skew_us;

  if (stamps->told || self->uncertain || !far_clock_skew_us (&skew_us))
    return FALSE;
  stamps->told = TRUE;
  boot = g_steal_pointer (&stamps->boot);
  if (g_strcmp0 (boot, far_clock_boot_id ()) == 0)
    return ABS (by_us) > MOVED_US && stamps_rewrite (self, batch, by_us, FAR_QUALITY_GOOD);
  return !stamps->sure && stamps_rewrite (self, batch, 0, FAR_QUALITY_UNCERTAIN);
}

/* ---- on disk ---- */

json_t *
uplink_stamps_json (const UplinkStamps *stamps)
{
  if (stamps->told)
    return NULL;
  return json_pack ("{s:s, s:I, s:b}", "boot", stamps->boot, "offset_us", (json_int_t) stamps->offset_us,
                    "sure", stamps->sure);
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
