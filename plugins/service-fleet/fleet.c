/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the service's option table, its table of handlers and the life of the instance; what
 * handlers do is in the files that fleet.h lists. */
#include "config.h"

#include "fleet.h"

/* ---- life ---- */

static gboolean
fleet_init (gpointer data, FarInstance *at, GError **error)
{
  Fleet *self = data;
  self->at = at;
  self->mirror = &fleet_mirror;
  self->joins = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) json_decref);
  self->enrollments = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) json_decref);
  self->revisions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return TRUE;
}

static void
read_authority (Fleet *self, const FleetOpts *opts)
{
  g_autofree char *root = g_build_filename (opts->ca, "ca.crt", NULL);
  g_clear_pointer (&self->ca_pem, g_free);
  if (!g_file_get_contents (root, &self->ca_pem, NULL, NULL))
    far_log (self->at, G_LOG_LEVEL_WARNING,
             "no fleet authority at %s: nodes cannot enrol; run `farctl ca init --profile FILE --name HOST`",
             root);
}

static gboolean
fleet_start (gpointer data, GError **error)
{
  Fleet *self = data;
  read_authority (self, fleet_opts (self));
  if (!far_registry_begin (self->at, fleet_opts (self)->nodes, error))
    return FALSE;
  fleet_server_certificate_start (self);
  fleet_tables_load (self);
  return TRUE;
}

static gboolean
fleet_reload (gpointer data, const void *options, GError **error)
{
  read_authority (data, options);
  return TRUE;
}

static void
fleet_fini (gpointer data)
{
  Fleet *self = data;
  g_hash_table_unref (self->joins);
  g_hash_table_unref (self->enrollments);
  g_hash_table_unref (self->revisions);
  g_free (self->ca_pem);
}

/* ---- links ---- */

static void
fleet_peer (gpointer data, const char *transport, const char *peer, gboolean up, const char *from)
{
  Fleet *self = data;
  if (up && g_strcmp0 (transport, fleet_opts (self)->nodes) == 0)
    fleet_link_up (self, peer, from);
}

/* ---- handlers ---- */

static const FarField terminal_body[] = {
  { "new", FAR_FIELD_BOOL, FALSE, N_ ("true: refuse if it is registered, false: if it is not") },
  { "site", FAR_FIELD_STRING, FALSE, N_ ("where it stands; a right may name sites/SITE"), 200 },
  { "groups", FAR_FIELD_LIST, FALSE, N_ ("groups it belongs to; a right may name groups/GROUP") },
  { "note", FAR_FIELD_STRING, FALSE, N_ ("a remark"), 500 },
  { "stock", FAR_FIELD_STRING, FALSE, N_ ("'host-login': its end is a stock ssh -R towards an SSH server"),
    32 },
  FAR_FIELD_EXPECT,
  { "ssh", FAR_FIELD_STRING, FALSE, N_ ("its SSH public key"), 1000 },
  { "box", FAR_FIELD_STRING, FALSE, N_ ("its box public key"), 200 },
  { NULL },
};
static const FarField device_body[] = {
  { "endpoint", FAR_FIELD_NAME, FALSE, N_ ("endpoint at the terminal") },
  { "address", FAR_FIELD_STRING, FALSE, N_ ("address behind the terminal"), 300 },
  { "line", FAR_FIELD_STRING, FALSE, N_ ("line it shares"), 64 },
  { "note", FAR_FIELD_STRING, FALSE, N_ ("a remark"), 500 },
  { "weight", FAR_FIELD_ANY, FALSE, N_ ("watch, light or heavy") },
  { "inspect", FAR_FIELD_ANY, FALSE, N_ ("refuse what cannot be inspected") },
  { "applications", FAR_FIELD_LIST, FALSE, N_ ("applications it speaks") },
  FAR_FIELD_EXPECT,
  { NULL },
};
static const FarField devices_body[] = {
  { "devices", FAR_FIELD_ANY, TRUE, N_ ("list of the terminal's devices") }, { NULL }
};
static const FarField join_body[] = {
  { "node", FAR_FIELD_NAME, FALSE, N_ ("only for this node") },
  { "replace", FAR_FIELD_BOOL, FALSE, N_ ("it takes the place of the node that has this name") },
  { "for", FAR_FIELD_STRING, FALSE, N_ ("how long it is good"), 16 },
  { "for_us", FAR_FIELD_INT, FALSE, N_ ("the same in microseconds") },
  { NULL },
};
static const FarField enroll_body[] = {
  { "node", FAR_FIELD_NAME, TRUE, N_ ("the node's id") },
  { "token", FAR_FIELD_STRING, TRUE, N_ ("join token"), 300 },
  { "csr", FAR_FIELD_STRING, TRUE, N_ ("certificate request, PEM"), 8000 },
  { "box", FAR_FIELD_STRING, TRUE, N_ ("box public key"), 200 },
  { "ssh", FAR_FIELD_STRING, TRUE, N_ ("SSH public key"), 1000 },
  { NULL },
};
static const FarField approval_body[] = {
  { "certificate", FAR_FIELD_STRING, TRUE, N_ ("PEM"), 8000 },
  { "statement", FAR_FIELD_OBJECT, TRUE, N_ ("node statement, signed") },
  { NULL },
};
static const FarField renew_body[] = {
  { "csr", FAR_FIELD_STRING, TRUE, N_ ("certificate request, PEM"), 8000 },
  { "node", FAR_FIELD_NAME, FALSE, N_ ("which node, when it has no link") },
  { NULL }
};

static const FarHandler handlers[] = {
  { "GET", "terminals", FAR_ACTION_NONE, NULL, NULL, 0, fleet_terminals_get, N_ ("terminals you may see") },
  { "GET", "terminals/{t}", FAR_ACTION_KNOW, NULL, NULL, 0, fleet_terminal_get,
    N_ ("one terminal with its devices") },
  { "PUT", "terminals/{t}", FAR_ACTION_MANAGE, NULL, terminal_body, 0, fleet_terminal_put,
    N_ ("add or change a terminal") },
  { "DELETE", "terminals/{t}", FAR_ACTION_MANAGE, NULL, NULL, 0, fleet_terminal_delete,
    N_ ("remove a terminal: its link is cut, its key and certificates revoked") },
  { "GET", "terminals/{t}/statement", FAR_ACTION_KNOW, "terminals/{t}", NULL, 0, fleet_statement_get,
    N_ ("its keys, signed, and a nonce for a login in advance") },
  { "PUT", "terminals/{t}/devices", FAR_ACTION_NODE, NULL, devices_body, 0, fleet_devices_put,
    N_ ("a terminal's own list of devices") },
  { "PUT", "terminals/{t}/devices/{d}", FAR_ACTION_MANAGE, NULL, device_body, 0, fleet_device_put,
    N_ ("register a device") },
  { "DELETE", "terminals/{t}/devices/{d}", FAR_ACTION_MANAGE, NULL, NULL, 0, fleet_device_delete,
    N_ ("remove a device from the registry") },
  { "POST", "tokens", FAR_ACTION_MANAGE, "enrollments", join_body, 0, fleet_join_post,
    N_ ("a join token for a new node") },
  { "POST", "enroll", FAR_ACTION_ANYONE, NULL, enroll_body, 0, fleet_enroll_post,
    N_ ("a node joins with a token") },
  { "GET", "enrollments", FAR_ACTION_MANAGE, "enrollments", NULL, 0, fleet_enrollments_get,
    N_ ("enrolments that wait for approval") },
  { "POST", "enrollments/{n}", FAR_ACTION_MANAGE, "enrollments", approval_body, 0, fleet_enrollment_post,
    N_ ("bring what the admin signed") },
  { "DELETE", "enrollments/{n}", FAR_ACTION_MANAGE, "enrollments", NULL, 0, fleet_enrollment_delete,
    N_ ("refuse an enrolment") },
  { "POST", "renew", FAR_ACTION_ANYONE, NULL, renew_body, 0, fleet_renew_post,
    N_ ("a node renews its certificate by its key") },
  { NULL },
};

/* ---- type ---- */

static const char *const authorities[] = { "cloud", "admin", NULL };

#define HOUR G_GINT64_CONSTANT (3600000000)

static const FarOption options[] = {
  { "store", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RESTART, G_STRUCT_OFFSET (FleetOpts, store), NULL,
    N_ ("where the registry is kept"), 0, 0, NULL, FAR_KIND_STORE },
  { "nodes", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RESTART | FAR_OPT_SAME,
    G_STRUCT_OFFSET (FleetOpts, nodes), NULL, N_ ("transport on which terminals come"), 0, 0, NULL,
    FAR_KIND_TRANSPORT },
  { "authority", FAR_OPT_CHOICE, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (FleetOpts, authority), "cloud",
    N_ ("who signs new nodes: this cloud, or an admin on their own machine"), 0, 0, authorities },
  { "ca", FAR_OPT_PATH, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (FleetOpts, ca), "ca",
    N_ ("folder of the fleet authority: ca.crt, and ca.key when the cloud signs") },
  { "certificate", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (FleetOpts, certificate), "365d",
    N_ ("life of a node's certificate"), 24 * HOUR, 3650 * 24 * HOUR },
  { NULL, FAR_OPT_END },
};

static const FarServiceOps ops = { .peer = fleet_peer, .knows = fleet_knows };

static const FarServiceType fleet_type = {
  .type = { .kind = FAR_KIND_SERVICE,
            .name = "fleet",
            .summary = N_ ("terminals and devices of a fleet, and how they join it"),
            .instance_size = sizeof (Fleet),
            .options_size = sizeof (FleetOpts),
            .options = options,
            .init = fleet_init,
            .start = fleet_start,
            .reload = fleet_reload,
            .fini = fleet_fini },
  .handlers = handlers,
  .ops = &ops,
  .needs_revoked = TRUE,
};

FAR_PLUGIN ("service-fleet", "0.1", "service/fleet", "", &fleet_type.type)
