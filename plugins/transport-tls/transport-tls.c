/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transport `tls`: the direct carrier of sessions, the end that listens and the end that dials. Options,
 * life, operations. */
#include "config.h"

#include "direct.h"

#include <farwatch/network.h>

/* ---- life ---- */

static gboolean
direct_init (gpointer data, FarInstance *at, GError **error)
{
  Direct *self = data;
  self->at = at;
  self->sessions = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, direct_session_unref);
  return TRUE;
}

/* A wildcard says nothing about how others reach this machine: it is told as it is, and whoever reads it
 * takes the host by which they reach this node already. */
static gboolean
direct_address (Direct *self, const char *bound, GError **error)
{
  const char *told = direct_options (self)->advertise;
  g_autofree char *host = NULL, *bound_host = NULL;
  guint16 port, bound_port;
  if (!far_parse_address (bound, &bound_host, &bound_port, error) ||
      !far_parse_address (told != NULL ? told : bound, &host, &port, error))
    return FALSE;
  self->address = g_strdup_printf (strchr (host, ':') != NULL ? "[%s]:%u" : "%s:%u", host,
                                   port != 0 ? port : bound_port);
  return TRUE;
}

static gboolean
direct_listen (Direct *self, GError **error)
{
  g_autofree char *bound = NULL;
  int fd = far_instance_listen (self->at, direct_options (self)->listen, &bound, error);
  if (fd < 0 || !direct_address (self, bound, error))
    return FALSE;
  self->server = direct_server_new (self, fd, error);
  return self->server != NULL;
}

static gboolean
direct_start (gpointer data, GError **error)
{
  Direct *self = data;
  if (direct_options (self)->listen != NULL && !direct_listen (self, error)) {
    g_clear_pointer (&self->address, g_free);
    return FALSE;
  }
  far_instance_ready (self->at);
  return TRUE;
}

static void
direct_stop (gpointer data)
{
  Direct *self = data;
  g_autoptr (GList) all = g_hash_table_get_values (self->sessions);
  self->retired = FALSE;
  for (GList *item = all; item != NULL; item = item->next)
    direct_session_abandon (item->data);
  g_clear_pointer (&self->server, direct_server_free);
  g_clear_pointer (&self->address, g_free);
}

static void
direct_fini (gpointer data)
{
  Direct *self = data;
  g_clear_pointer (&self->sessions, g_hash_table_unref);
}

static void
direct_retire (gpointer data)
{
  Direct *self = data;
  self->retired = TRUE;
  if (self->server != NULL)
    direct_server_no_new (self->server);
  if (g_hash_table_size (self->sessions) == 0)
    far_instance_retired (self->at);
}

/* ---- operations ---- */

static void
direct_attach (gpointer self, FarCarrier *carrier, FarStream *stream, const char *from)
{
  DirectSession *session = direct_session_of (self, carrier);
  if (session != NULL && session->accepts)
    direct_session_attach (session, stream, from);
  else
    direct_discard (stream);
}

static void
direct_set_deadline (gpointer self, FarCarrier *carrier, gint64 boottime_us)
{
  DirectSession *session = direct_session_of (self, carrier);
  if (session != NULL)
    direct_session_set_deadline (session, boottime_us);
}

static void
direct_shut (gpointer self, FarCarrier *carrier, const char *cause, FarRequest *req)
{
  DirectSession *session = direct_session_of (self, carrier);
  if (session != NULL)
    direct_session_shut (session, cause, req);
  else
    far_request_done (req, NULL, NULL);
}

/* One that nothing came of is over at once. */
static void
direct_end (gpointer self, FarCarrier *carrier, const char *cause)
{
  DirectSession *session = direct_session_of (self, carrier);
  FarCarrierEvent over = { .kind = FAR_CARRIER_ENDED, .cause = far_cause (cause) };
  if (session != NULL)
    direct_session_end (session, cause);
  else
    far_carrier_tell (carrier, &over);
}

static gboolean
direct_serves (gpointer self)
{
  return ((Direct *) self)->server != NULL;
}

static const FarCarrierOps direct_carrier = {
  .key = "spki",
  .check = direct_part_fault,
  .reserve = direct_server_reserve,
  .open = direct_client_open,
  .show = direct_client_show,
  .attach = direct_attach,
  .set_deadline = direct_set_deadline,
  .shut = direct_shut,
  .end = direct_end,
  .serves = direct_serves,
};

static const FarTransportType direct_type = {
  .type = {
    .kind = FAR_KIND_TRANSPORT,
    .name = "tls",
    .summary = N_ ("sessions over TLS, straight between two nodes"),
    .instance_size = sizeof (Direct),
    .options_size = sizeof (DirectOptions),
    .options = direct_option_table,
    .init = direct_init,
    .start = direct_start,
    .stop = direct_stop,
    .fini = direct_fini,
    .retire = direct_retire,
  },
  .carrier = &direct_carrier,
};

FAR_PLUGIN ("transport-tls", "0.1", "transport/tls", "", &direct_type.type)
