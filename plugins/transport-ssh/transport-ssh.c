/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Transport `ssh`: tunnels over SSH, the end that listens and the end that dials. Options, life, operations.
 */
#include "config.h"

#include "ssh.h"
#include "user-connection.h"

#include <farwatch/trust.h>

#include <arpa/inet.h>
#include <gcrypt.h>
#include <string.h>

/* libgcrypt's own generator takes 7 us for the padding of each packet, more than it takes to encrypt 32 KiB;
 * the system's takes 0.3 us. The choice counts only before libgcrypt is started, which libssh's own
 * constructor does: so this object is linked with -z initfirst. Where that says nothing to the dynamic linker
 * the choice comes too late, and all works as before. The loader has judged the plugin by its note by then
 * (lint: allow constructor). */
__attribute__ ((constructor)) static void
choose_random_generator (void)
{
  gcry_control (GCRYCTL_SET_PREFERRED_RNG_TYPE, GCRY_RNG_TYPE_SYSTEM);
}

/* ---- addresses ---- */

static gboolean
is_wildcard (const char *host)
{
  return strcmp (host, "0.0.0.0") == 0 || strcmp (host, "::") == 0;
}

static char *
address_text (const char *host, guint16 port)
{
  return g_strdup_printf (strchr (host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
}

/* A wildcard says nothing about how others reach this machine (its own name is often in nobody's DNS): it is
 * told as it is, and whoever reads it takes the host by which they reach this node already. */
static gboolean
find_addresses (Ssh *self, const char *bound, GError **error)
{
  const SshOptions *options = ssh_options (self);
  g_autofree char *host = NULL, *bound_host = NULL;
  guint16 port, bound_port;
  if (!far_parse_address (bound, &bound_host, &bound_port, error) ||
      !far_parse_address (options->advertise != NULL ? options->advertise : bound, &host, &port, error))
    return FALSE;
  const char *y = is_wildcard (options->y_listen) ? host : options->y_listen;
  self->address = address_text (host, port != 0 ? port : bound_port);
  self->y_host = options->y_host != NULL ? g_strdup (options->y_host)
                 : !is_wildcard (y)      ? g_strdup (y)
                                         : NULL;
  return TRUE;
}

/* ---- life ---- */

static gboolean
check_ciphers (const SshOptions *options, GError **error)
{
  ssh_session session = ssh_new ();
  gboolean good = session != NULL &&
                  ssh_options_set (session, SSH_OPTIONS_CIPHERS_C_S, options->ciphers) == 0;
  if (!good)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("option 'ciphers': libssh knows none of '%s'"),
                 options->ciphers);
  ssh_free (session);
  return good;
}

static gboolean
check_y_listen (const SshOptions *options, GError **error)
{
  struct in6_addr address;
  gboolean good = inet_pton (AF_INET, options->y_listen, &address) == 1 ||
                  inet_pton (AF_INET6, options->y_listen, &address) == 1;
  if (!good)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("option 'y-listen': '%s' is no address; write it in numbers, as in 192.0.2.1"),
                 options->y_listen);
  return good;
}

/* What start() would refuse is refused here, where a reload can still keep the old profile. */
static gboolean
init (gpointer data, FarInstance *at, GError **error)
{
  Ssh *self = data;
  self->at = at;
  self->tunnels = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, tunnel_unref);
  self->resting = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  return check_ciphers (ssh_options (self), error) && check_y_listen (ssh_options (self), error);
}

static gboolean
ssh_load_keys (Ssh *self, GError **error)
{
  self->keys = far_node_path ("keys");
  if (!far_trust_keys_create (self->keys, error))
    return FALSE;
  self->host_key = far_trust_ssh_public (self->keys, error);
  return self->host_key != NULL;
}

static gboolean
open_listener (Ssh *self, GError **error)
{
  g_autofree char *bound = NULL;
  int fd = far_instance_listen (self->at, ssh_options (self)->listen, &bound, error);
  if (fd < 0 || !find_addresses (self, bound, error))
    return FALSE;
  self->listener = listener_new (self, fd, error);
  return self->listener != NULL;
}

static void
ssh_let_go (Ssh *self)
{
  g_clear_pointer (&self->listener, listener_free);
  g_clear_pointer (&self->handshakes, far_loop_io_free);
  g_clear_pointer (&self->host_key, g_free);
  g_clear_pointer (&self->keys, g_free);
  g_clear_pointer (&self->address, g_free);
  g_clear_pointer (&self->y_host, g_free);
}

static gboolean
start (gpointer data, GError **error)
{
  Ssh *self = data;
  if (!ssh_load_keys (self, error) || (ssh_options (self)->listen != NULL && !open_listener (self, error))) {
    ssh_let_go (self);
    return FALSE;
  }
  far_instance_ready (self->at);
  return TRUE;
}

static void
stop (gpointer data)
{
  Ssh *self = data;
  g_autoptr (GList) all = g_hash_table_get_values (self->tunnels);
  self->retired = FALSE;
  for (GList *item = all; item != NULL; item = item->next)
    tunnel_abandon (item->data);
  ssh_let_go (self);
}

static void
fini (gpointer data)
{
  Ssh *self = data;
  g_clear_pointer (&self->tunnels, g_hash_table_unref);
  g_clear_pointer (&self->resting, g_hash_table_unref);
}

static void
retire (gpointer data)
{
  Ssh *self = data;
  self->retired = TRUE;
  if (self->listener != NULL)
    listener_no_new (self->listener);
  if (g_hash_table_size (self->tunnels) == 0)
    far_instance_retired (self->at);
}

/* ---- operations ---- */

/* One that nothing came of is over at once. */
static void
end (gpointer self, FarCarrier *carrier, const char *cause)
{
  Tunnel *tunnel = tunnel_of (self, carrier);
  FarCarrierEvent over = { .kind = FAR_CARRIER_ENDED, .cause = far_cause (cause) };
  if (tunnel != NULL)
    tunnel_end (tunnel, cause);
  else
    far_carrier_tell (carrier, &over);
}

static void
ssh_shut (gpointer self, FarCarrier *carrier, const char *cause, FarRequest *req)
{
  Tunnel *tunnel = tunnel_of (self, carrier);
  if (tunnel != NULL)
    tunnel_shut (tunnel, cause, req);
  else
    far_request_done (req, NULL, NULL);
}

static void
ssh_set_deadline (gpointer self, FarCarrier *carrier, gint64 boottime_us)
{
  Tunnel *tunnel = tunnel_of (self, carrier);
  if (tunnel != NULL)
    tunnel_set_deadline (tunnel, boottime_us);
}

static gboolean
serves (gpointer self)
{
  return ((Ssh *) self)->listener != NULL;
}

/* Its part of an offer stands beside the other fields: it is older than the object `carrier`. */
static const char *const ssh_part[] = { "address", "host_key", "x", NULL };

static const FarCarrierOps ssh_carrier = {
  .flat = ssh_part,
  .ports = TRUE,
  .key = "ssh",
  .check = client_part_fault,
  .reserve = server_reserve,
  .open = client_open,
  .show = client_show,
  .attach = server_attach,
  .end = end,
  .set_deadline = ssh_set_deadline,
  .serves = serves,
  .shut = ssh_shut,
};

static const FarTransportType ssh_type = {
  .type = {
    .kind = FAR_KIND_TRANSPORT,
    .name = "ssh",
    .summary = N_ ("tunnels over SSH"),
    .instance_size = sizeof (Ssh),
    .options_size = sizeof (SshOptions),
    .options = ssh_option_table,
    .init = init,
    .start = start,
    .stop = stop,
    .fini = fini,
    .retire = retire,
  },
  .carrier = &ssh_carrier,
};

FAR_PLUGIN ("transport-ssh", "0.1", "transport/ssh endpoint/ssh-login", "libssh-gcrypt.so.4 libgcrypt.so.20",
            &ssh_type.type, &ssh_login_type.type)
