/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the service's option table, its table of handlers and the life of the instance; what
 * handlers do is in the files that access.h lists. */
#include "config.h"

#include "access.h"

const AccessOpts *
access_opts (Access *self)
{
  return far_instance_options (self->at);
}

/* ---- life ---- */

static gboolean
access_init (gpointer data, FarInstance *at, GError **error)
{
  Access *self = data;
  self->at = at;
  self->book = far_book_new (at, &access_session_kind, access_opts (self)->store, self);
  self->sessions = far_book_sessions (self->book);
  self->refusals = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->joins = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) json_decref);
  self->enrollments = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) json_decref);
  self->revisions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return TRUE;
}

/* ---- what hangs on a terminal ends with it ---- */

static const char *
end_cause (const FarRegistryEvent *event)
{
  if (event->device)
    return NULL;
  return event->kind == FAR_REGISTRY_REMOVED    ? "terminal removed"
         : event->kind == FAR_REGISTRY_REPLACED ? "terminal enrolled with another key"
                                                : NULL;
}

static void
node_told (const FarRegistryEvent *event, gpointer user)
{
  Access *self = user;
  const char *cause = end_cause (event);
  if (!cause)
    return;
  g_autoptr (GPtrArray) live = far_book_live (self->book);
  for (guint i = 0; i < live->len; i++)
    if (g_strcmp0 (((AccessSession *) live->pdata[i])->terminal, event->node->id) == 0)
      access_session_event (live->pdata[i], FAR_SESSION_EV_FAILED, cause, NULL);
}

/* ---- start ---- */

static void
read_authority (Access *self, const AccessOpts *opts)
{
  g_autofree char *root = g_build_filename (opts->ca, "ca.crt", NULL);
  g_clear_pointer (&self->ca_pem, g_free);
  if (!g_file_get_contents (root, &self->ca_pem, NULL, NULL))
    far_log (self->at, G_LOG_LEVEL_WARNING,
             "no fleet authority at %s: nodes cannot enrol; run `farctl ca init --profile FILE --name HOST`",
             root);
}

static gboolean
access_start (gpointer data, GError **error)
{
  Access *self = data;
  read_authority (self, access_opts (self));
  access_recheck_start (self);
  far_registry_listen (self->at, node_told, self);
  far_registry_begin (self->at, access_opts (self)->nodes);
  access_server_certificate_start (self);
  access_tables_load (self);
  return TRUE;
}

static gboolean
access_reload (gpointer data, const void *options, GError **error)
{
  read_authority (data, options);
  return TRUE;
}

static void
access_stop (gpointer data)
{
  far_book_stop (((Access *) data)->book);
}

static void
access_fini (gpointer data)
{
  Access *self = data;
  far_book_free (self->book);
  g_hash_table_unref (self->joins);
  g_hash_table_unref (self->refusals);
  g_hash_table_unref (self->enrollments);
  g_hash_table_unref (self->revisions);
  g_free (self->ca_pem);
}

/* ---- links ---- */

static void
access_peer (gpointer data, const char *transport, const char *peer, gboolean up, const char *from)
{
  Access *self = data;
  if (g_strcmp0 (transport, access_opts (self)->nodes) != 0)
    return;
  if (!up)
    return;
  access_registry_peer (self, peer, from);
  access_poll_wanted (self);
  g_autoptr (GPtrArray) live = far_book_live (self->book);
  for (guint i = 0; i < live->len; i++)
    if (g_strcmp0 (((AccessSession *) live->pdata[i])->terminal, peer) == 0)
      access_offer_push (live->pdata[i]);
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
static const FarField session_body[] = {
  { "id", FAR_FIELD_NAME, FALSE, N_ ("request id, named in the login box") },
  { "terminal", FAR_FIELD_STRING, TRUE, N_ ("which terminal"), 64 },
  { "device", FAR_FIELD_STRING, FALSE, N_ ("which device behind it, by its name or its port"), 64 },
  { "for_us", FAR_FIELD_INT, FALSE, N_ ("connection time in microseconds") },
  { "reason", FAR_FIELD_STRING, FALSE, N_ ("why"), 500 },
  { "entry", FAR_FIELD_STRING, FALSE, N_ ("'stream' or 'ports'"), 16 },
  { "raw", FAR_FIELD_BOOL, FALSE, N_ ("clear text through the port") },
  { "login", FAR_FIELD_STRING, FALSE, N_ ("'in-band' or 'in-advance'"), 16 },
  { "login_box", FAR_FIELD_STRING, FALSE, N_ ("login sealed to the terminal"), 4096 },
  { "user", FAR_FIELD_NAME, FALSE, N_ ("login name at the terminal; else the asker's") },
  { "address", FAR_FIELD_STRING, FALSE,
    N_ ("address or net from which a local person will use a port; default: this machine"), 64 },
  { NULL },
};
static const FarField approve_body[] = {
  { "approve", FAR_FIELD_BOOL, FALSE, N_ ("false: refuse") },
  { NULL },
};
static const FarField poll_body[] = {
  { "nonce", FAR_FIELD_STRING, FALSE, N_ ("for a login in advance"), 64 },
  { "clock_us", FAR_FIELD_INT, FALSE, N_ ("what its own clock says; the answer has now_us") },
  { "sessions", FAR_FIELD_ANY, FALSE, N_ ("sessions the terminal has") },
  { NULL },
};
static const FarField report_body[] = {
  { "state", FAR_FIELD_STRING, TRUE, N_ ("closed, refused, resuming; trouble: a connection came to nothing"),
    32 },
  { "cause", FAR_FIELD_STRING, FALSE, N_ ("why"), 500 },
  { "bytes_up", FAR_FIELD_INT, FALSE, N_ ("towards the device") },
  { "bytes_down", FAR_FIELD_INT, FALSE, N_ ("from the device") },
  { NULL }
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
  { "GET", "terminals", FAR_ACTION_NONE, NULL, NULL, 0, access_terminals_get, N_ ("terminals you may see") },
  { "GET", "terminals/{t}", FAR_ACTION_KNOW, NULL, NULL, 0, access_terminal_get,
    N_ ("one terminal with its devices") },
  { "PUT", "terminals/{t}", FAR_ACTION_MANAGE, NULL, terminal_body, 0, access_terminal_put,
    N_ ("add or change a terminal") },
  { "DELETE", "terminals/{t}", FAR_ACTION_MANAGE, NULL, NULL, 0, access_terminal_delete,
    N_ ("remove a terminal: its link is cut, its key and certificates revoked") },
  { "GET", "terminals/{t}/statement", FAR_ACTION_KNOW, "terminals/{t}", NULL, 0, access_statement_get,
    N_ ("its keys, signed, and a nonce for a login in advance") },
  { "PUT", "terminals/{t}/devices", FAR_ACTION_NODE, NULL, devices_body, 0, access_devices_put,
    N_ ("a terminal's own list of devices") },
  { "PUT", "terminals/{t}/devices/{d}", FAR_ACTION_MANAGE, NULL, device_body, 0, access_device_put,
    N_ ("register a device") },
  { "DELETE", "terminals/{t}/devices/{d}", FAR_ACTION_MANAGE, NULL, NULL, 0, access_device_delete,
    N_ ("remove a device from the registry") },
  { "GET", "nodes", FAR_ACTION_NONE, NULL, NULL, 0, access_nodes_get,
    N_ ("nodes of the cloud and their tunnel ends, those you may see") },
  { "POST", "sessions", FAR_ACTION_NONE, NULL, session_body, 0, access_session_post, N_ ("ask for access") },
  { "GET", "sessions", FAR_ACTION_NONE, NULL, NULL, 0, access_sessions_get, N_ ("sessions you may see") },
  { "GET", "sessions/{s}", FAR_ACTION_SEE, NULL, NULL, 0, access_session_get, N_ ("one session"),
    access_session_resolve },
  { "WATCH", "sessions/{s}", FAR_ACTION_SEE, NULL, NULL, 0, access_session_watch,
    N_ ("a session as it changes"), access_session_resolve },
  { "DELETE", "sessions/{s}", FAR_ACTION_MANAGE, NULL, NULL, 0, access_session_delete, N_ ("close a session"),
    access_session_resolve },
  { "POST", "sessions/{s}/approve", FAR_ACTION_NONE, NULL, approve_body, 0, access_session_approve,
    N_ ("agree to a session, or refuse it") },
  { "POST", "sessions/{s}/stream", FAR_ACTION_NONE, NULL, NULL, 0, access_stream_post,
    N_ ("a ticket for its byte streams") },
  { "POST", "sessions/{s}/offer", FAR_ACTION_NONE, NULL, NULL, 0, access_offer_take,
    N_ ("take its offer to a stock end: it is on its way then") },
  { "POST", "sessions/{s}/report", FAR_ACTION_NODE, NULL, report_body, 0, access_report_post,
    N_ ("a terminal reports") },
  { "POST", "poll", FAR_ACTION_NODE, NULL, poll_body, 0, access_poll_post,
    N_ ("a terminal asks whether access is wanted") },
  { "GET", "history", FAR_ACTION_NONE, NULL, NULL, 0, access_history_get,
    N_ ("who reached what, and refusals") },
  { "POST", "tokens", FAR_ACTION_MANAGE, "enrollments", join_body, 0, access_join_post,
    N_ ("a join token for a new node") },
  { "POST", "enroll", FAR_ACTION_ANYONE, NULL, enroll_body, 0, access_enroll_post,
    N_ ("a node joins with a token") },
  { "GET", "enrollments", FAR_ACTION_MANAGE, "enrollments", NULL, 0, access_enrollments_get,
    N_ ("enrolments that wait for approval") },
  { "POST", "enrollments/{n}", FAR_ACTION_MANAGE, "enrollments", approval_body, 0, access_enrollment_post,
    N_ ("bring what the admin signed") },
  { "DELETE", "enrollments/{n}", FAR_ACTION_MANAGE, "enrollments", NULL, 0, access_enrollment_delete,
    N_ ("refuse an enrolment") },
  { "POST", "renew", FAR_ACTION_ANYONE, NULL, renew_body, 0, access_renew_post,
    N_ ("a node renews its certificate by its key") },
  { NULL },
};

/* ---- type ---- */

static const char *const authorities[] = { "cloud", "admin", NULL };

#define HOUR G_GINT64_CONSTANT (3600000000)

static const FarOption options[] = {
  { "store", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RESTART, G_STRUCT_OFFSET (AccessOpts, store), NULL,
    N_ ("where registry, rights, sessions and history are kept"), 0, 0, NULL, FAR_KIND_STORE },
  { "nodes", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RESTART, G_STRUCT_OFFSET (AccessOpts, nodes), NULL,
    N_ ("transport on which terminals come"), 0, 0, NULL, FAR_KIND_TRANSPORT },
  { "tunnels", FAR_OPT_REFS, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, tunnels), NULL,
    N_ ("tunnel ends to draw from; none: all that are up"), 0, 0, NULL, FAR_KIND_TRANSPORT },
  { "tokens", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, tokens), NULL,
    N_ ("authenticator that issues one-time tokens"), 0, 0, NULL, FAR_KIND_AUTHENTICATOR },
  { "authority", FAR_OPT_CHOICE, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, authority), "cloud",
    N_ ("who signs new nodes: this cloud, or an admin on their own machine"), 0, 0, authorities },
  { "ca", FAR_OPT_PATH, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, ca), "ca",
    N_ ("folder of the fleet authority: ca.crt, and ca.key when the cloud signs") },
  { "certificate", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, certificate), "365d",
    N_ ("life of a node's certificate"), 24 * HOUR, 3650 * 24 * HOUR },
  { "longest", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, longest), "2h",
    N_ ("longest connection time"), G_USEC_PER_SEC, 720 * HOUR },
  { "usual", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, usual), "10m",
    N_ ("connection time when none is asked for"), G_USEC_PER_SEC, 720 * HOUR },
  { "grace", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, grace), "10s",
    N_ ("how long a closing session waits for the terminal's report"), 100000, HOUR },
  { "push", FAR_OPT_BOOL, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, push), "true",
    N_ ("tell terminals at once; else they hear by their poll") },
  { "poll", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, poll), "120s",
    N_ ("the terminals' poll cycle; a request waits for two of them"), 100000, 24 * HOUR },
  { "sessions", FAR_OPT_INT, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, sessions), "1000",
    N_ ("sessions at once"), 1, 20000 },
  { "sessions-each", FAR_OPT_INT, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, sessions_each), "20",
    N_ ("sessions of one person at once"), 1, 20000 },
  { NULL, FAR_OPT_END },
};

static const FarServiceOps ops = { .peer = access_peer, .knows = access_knows };

static const FarServiceType access_type = {
  .type = { .kind = FAR_KIND_SERVICE,
            .name = "access",
            .summary = N_ ("access of people to devices, cloud side"),
            .instance_size = sizeof (Access),
            .options_size = sizeof (AccessOpts),
            .options = options,
            .init = access_init,
            .start = access_start,
            .reload = access_reload,
            .stop = access_stop,
            .fini = access_fini },
  .handlers = handlers,
  .ops = &ops,
};

FAR_PLUGIN ("service-access", "0.1", "service/access", "", &access_type.type)
