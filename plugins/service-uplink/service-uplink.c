/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Brings this node's samples to the server. (spec B2) */
#include "config.h"

#include "uplink.h"

#include <string.h>

const UplinkOptions *
uplink_options (Uplink *self)
{
  return far_instance_options (self->at);
}

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

  uplink_close_batch (self);
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

static gboolean
uplink_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  Uplink *self = data;

  self->at = at;
  g_queue_init (&self->waiting);
  return TRUE;
}

static gboolean
uplink_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  Uplink *self = data;

  uplink_new_epoch (self);
  uplink_load (self);
  return TRUE;
}

void
uplink_loaded (Uplink *self)
{
  far_sample_listen (self->at, uplink_group, self);
  uplink_again (self);
  far_instance_ready (self->at);
  uplink_send (self);
}

static void
uplink_stop (gpointer data)
{
  Uplink *self = data;

  self->sending = FALSE; /* its answer is nobody's any more */
  uplink_clear (self);   /* what is gathered gets its row; rows stay */
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
    .summary = N_ (
        "where samples wait until the server has them; none: in memory only, lost with the process"),
    .ref_kind = FAR_KIND_STORE },
  { .name = "interval",
    .former = "every",
    .type = FAR_OPT_DURATION,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (UplinkOptions, interval_us),
    .fallback = "10s",
    .summary = N_ ("cycle of sending; earlier when 200 groups or 64 KiB are gathered"),
    .min = 100000,
    .max = G_GINT64_CONSTANT (86400000000) },
  { .name = "buffer",
    .type = FAR_OPT_SIZE,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (UplinkOptions, buffer),
    .fallback = "4MiB",
    .summary = N_ ("samples kept while the server is away; then the oldest go"),
    .min = 256 * 1024,
    .max = 1 << 30 },
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
