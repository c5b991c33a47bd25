/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Brings this node's samples to the server. (spec B2) */
#include "config.h"

#include "disk.h"

#include <string.h>

static void uplink_tick (gpointer data);

static void
uplink_again (Uplink *self)
{
  far_instance_timer (self->at, &self->timer, far_clock_boottime_us () + uplink_options (self)->interval_us,
                      uplink_tick, self);
}

static void
uplink_tick (gpointer data)
{
  Uplink *self = data;

  self->more |= self->again;
  self->again = FALSE;
  uplink_close_batch (self);
  uplink_write (self);
  uplink_send (self);
  uplink_again (self);
}

static void
uplink_group (const FarReading *group, gpointer data)
{
  uplink_add (data, group);
}

static void
uplink_peer (gpointer data, const char *transport, const char *peer, gboolean up,
             const char *from G_GNUC_UNUSED)
{
  Uplink *self = data;

  if (up && *peer == '\0' && strcmp (transport, uplink_options (self)->link) == 0)
    uplink_send (self);
}

static void
uplink_loaded (Uplink *self)
{
  far_sample_listen (self->at, uplink_group, self);
  uplink_again (self);
  far_instance_ready (self->at);
  uplink_send (self);
}

static gboolean
uplink_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  Uplink *self = data;

  self->at = at;
  self->may_send = uplink_send;
  self->loaded = uplink_loaded;
  g_queue_init (&self->unwritten);
  return TRUE;
}

static gboolean
uplink_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  Uplink *self = data;

  self->disk = uplink_disk_new (far_instance_name (self->at));
  self->epoch = uplink_epoch_new ();
  uplink_load (self);
  return TRUE;
}

static void
uplink_stop (gpointer data)
{
  Uplink *self = data;

  uplink_close_batch (self);
  uplink_flush (self);
}

static const FarOption uplink_options_table[] = {
  { .name = "link",
    .type = FAR_OPT_REF,
    .flags = FAR_OPT_REQUIRED,
    .offset = G_STRUCT_OFFSET (UplinkOptions, link),
    .summary = N_ ("link to the server"),
    .ref_kind = FAR_KIND_TRANSPORT },
  { .name = "store",
    .type = FAR_OPT_REF,
    .offset = G_STRUCT_OFFSET (UplinkOptions, store),
    .summary = N_ ("where an older version kept samples that wait: those are sent first; else not needed"),
    .ref_kind = FAR_KIND_STORE },
  { .name = "interval",
    .former = "every",
    .type = FAR_OPT_DURATION,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (UplinkOptions, interval_us),
    .fallback = "10s",
    .summary = N_ ("cycle of sending; earlier when 64 KiB are gathered, or 200 groups and nothing waits"),
    .min = 100000,
    .max = G_GINT64_CONSTANT (86400000000) },
  { .name = "budget",
    .type = FAR_OPT_SIZE,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (UplinkOptions, budget),
    .fallback = "64MiB",
    .summary = N_ ("room on disk for samples that wait for the server; then the oldest go"),
    .min = 256 * 1024,
    .max = G_GINT64_CONSTANT (1) << 40,
    .former = "buffer" },
  { .type = FAR_OPT_END },
};

static const FarServiceOps uplink_ops = { .peer = uplink_peer };

static const FarServiceType uplink_type = {
  .type = {
    .kind = FAR_KIND_SERVICE,
    .name = "uplink",
    .summary = N_ ("brings this node's samples to the server"),
    .instance_size = sizeof (Uplink),
    .options_size = sizeof (UplinkOptions),
    .options = uplink_options_table,
    .init = uplink_init,
    .start = uplink_start,
    .stop = uplink_stop,
  },
  .ops = &uplink_ops,
};

FAR_PLUGIN ("service-uplink", "0.1", "service/uplink", "", &uplink_type.type)
