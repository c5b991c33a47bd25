/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Takes samples in, from this node's sensors and from peers, and gives them out. */
#include "config.h"

#include "intake.h"

static gboolean
intake_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  Intake *self = data;

  self->at = at;
  g_queue_init (&self->waiting);
  return TRUE;
}

static gboolean
intake_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  Intake *self = data;

  intake_record_start (self);
  far_instance_ready (self->at);
  return TRUE;
}

static void
intake_stop (gpointer data)
{
  intake_record_stop (data);
}

static const FarOption intake_options_table[] = {
  { .name = "store",
    .type = FAR_OPT_REF,
    .flags = FAR_OPT_REQUIRED,
    .offset = G_STRUCT_OFFSET (IntakeOptions, store),
    .summary = N_ ("where samples are kept"),
    .ref_kind = FAR_KIND_STORE },
  { .name = "interval",
    .former = "every",
    .type = FAR_OPT_DURATION,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (IntakeOptions, interval_us),
    .fallback = "2s",
    .summary = N_ ("how long this node's own samples are gathered before they are written"),
    .min = 100000,
    .max = G_GINT64_CONSTANT (3600000000) },
  { .name = "buffer",
    .type = FAR_OPT_SIZE,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (IntakeOptions, buffer),
    .fallback = "4MiB",
    .summary = N_ ("this node's own samples kept in memory while the store takes none"),
    .min = 65536,
    .max = 1 << 30 },
  { .type = FAR_OPT_END },
};

static const char *const batch_types[] = { FAR_TYPE_BATCH, NULL };

static const FarHandler intake_handlers[] = {
  { .method = "POST",
    .pattern = "batches",
    .action = FAR_ACTION_NODE,
    .content = batch_types,
    .handle = intake_batches,
    .summary = N_ ("samples of the node that sends them") },
  { .method = "GET",
    .pattern = "samples",
    .action = FAR_ACTION_NONE,
    .handle = intake_samples,
    .summary = N_ ("series (source, after, latest) or points of one (source, name, from, to, limit)") },
  { .method = NULL },
};

static const FarServiceType intake_type = {
  .type = {
    .kind = FAR_KIND_SERVICE,
    .name = "intake",
    .summary = N_ ("takes samples of this node and of peers into a store, gives them out"),
    .instance_size = sizeof (Intake),
    .options_size = sizeof (IntakeOptions),
    .options = intake_options_table,
    .init = intake_init,
    .start = intake_start,
    .stop = intake_stop,
  },
  .handlers = intake_handlers,
};

FAR_PLUGIN ("service-intake", "0.1", "service/intake", "", &intake_type.type)
