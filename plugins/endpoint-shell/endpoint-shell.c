/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's small command shell as an endpoint. (spec B9, B10) */
#include "config.h"

#include "shell.h"

typedef struct {
  gint64 limit;
} EndpointOptions;

typedef struct {
  FarInstance *at;
  Latest *latest;
  GPtrArray *shells;
} Endpoint;

static gboolean
endpoint_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  Endpoint *self = data;

  self->at = at;
  self->shells = g_ptr_array_new ();
  return TRUE;
}

static gboolean
endpoint_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  Endpoint *self = data;

  self->latest = latest_new (self->at);
  far_instance_ready (self->at);
  return TRUE;
}

static void
endpoint_stop (gpointer data)
{
  Endpoint *self = data;

  while (self->shells->len > 0)
    shell_free (self->shells->pdata[0]);
  g_clear_pointer (&self->latest, latest_free);
}

static void
endpoint_fini (gpointer data)
{
  g_ptr_array_unref (((Endpoint *) data)->shells);
}

static void
endpoint_open (gpointer data, const FarEndpointSpec *spec, FarRequest *req)
{
  Endpoint *self = data;
  const EndpointOptions *options = far_instance_options (self->at);

  if (self->shells->len >= (guint) options->limit)
    far_request_fail_new (req, FAR_ERROR_LIMIT,
                          _ ("%s: %u shells are open already (option 'limit'): try later"),
                          far_instance_path (self->at), self->shells->len);
  else
    shell_new (self->latest, self->shells, spec, req);
}

static const FarOption endpoint_options[] = {
  { .name = "limit",
    .type = FAR_OPT_INT,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (EndpointOptions, limit),
    .fallback = "128",
    .summary = N_ ("shells open at once"),
    .min = 1,
    .max = 1000 },
  { .type = FAR_OPT_END },
};

static const FarEndpointType endpoint_type = {
  .type = {
    .kind = FAR_KIND_ENDPOINT,
    .name = "shell",
    .summary = N_ ("the command shell of a terminal"),
    .instance_size = sizeof (Endpoint),
    .options_size = sizeof (EndpointOptions),
    .options = endpoint_options,
    .init = endpoint_init,
    .start = endpoint_start,
    .stop = endpoint_stop,
    .fini = endpoint_fini,
  },
  .open = endpoint_open,
};

FAR_PLUGIN ("endpoint-shell", "0.1", "endpoint/shell", "", &endpoint_type.type)
