/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the service's option table, its table of handlers and the life of the instance; what
 * handlers do is in the files that access.h lists. */
#include "config.h"

#include "access.h"

/* ---- life ---- */

static gboolean
access_init (gpointer data, FarInstance *at, GError **error)
{
  Access *self = data;
  self->at = at;
  self->book = far_book_new (at, &access_session_kind, access_opts (self)->store, self);
  self->sessions = far_book_sessions (self->book);
  self->refusals = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->moves = access_moves_new ();
  return TRUE;
}

/* ---- what hangs on a terminal ends with it ---- */

static const char *
end_cause (const FarRegistryEvent *event)
{
  if (event->device)
    return NULL;
  return event->kind == FAR_REGISTRY_REMOVED || event->kind == FAR_REGISTRY_REVOKED ? "terminal removed"
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
book_loaded (gpointer data, const GError *error)
{
  Access *self = data;
  if (error)
    far_instance_fail (self->at, g_error_copy (error));
  else
    far_instance_ready (self->at);
}

static gboolean
access_start (gpointer data, GError **error)
{
  Access *self = data;
  far_registry_listen (self->at, node_told, self);
  access_recheck_start (self);
  far_book_load (self->book, book_loaded);
  return TRUE;
}

static gboolean
access_reload (gpointer data, const void *options, GError **error)
{
  far_registry_ways_forget (); /* somebody may have opened a port */
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
  g_hash_table_unref (self->moves);
  g_hash_table_unref (self->refusals);
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
  access_poll_wanted (self);
  g_autoptr (GPtrArray) live = far_book_live (self->book);
  for (guint i = 0; i < live->len; i++)
    if (g_strcmp0 (((AccessSession *) live->pdata[i])->terminal, peer) == 0)
      access_offer_push (live->pdata[i]);
}

/* ---- handlers ---- */

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

static const FarHandler handlers[] = {
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
  { NULL },
};

/* ---- type ---- */

#define HOUR G_GINT64_CONSTANT (3600000000)

static const FarOption options[] = {
  { "store", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RESTART, G_STRUCT_OFFSET (AccessOpts, store), NULL,
    N_ ("where sessions and history are kept"), 0, 0, NULL, FAR_KIND_STORE },
  { "nodes", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RESTART | FAR_OPT_SAME,
    G_STRUCT_OFFSET (AccessOpts, nodes), NULL, N_ ("transport on which terminals come"), 0, 0, NULL,
    FAR_KIND_TRANSPORT },
  { "tunnels", FAR_OPT_REFS, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, tunnels), NULL,
    N_ ("tunnel ends to draw from; none: all that are up"), 0, 0, NULL, FAR_KIND_TRANSPORT },
  { "tokens", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, tokens), NULL,
    N_ ("authenticator that issues one-time tokens"), 0, 0, NULL, FAR_KIND_AUTHENTICATOR },
  { "max-duration", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, max_duration), "2h",
    N_ ("longest connection time"), G_USEC_PER_SEC, 720 * HOUR, .former = "longest" },
  { "default-duration", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AccessOpts, default_duration),
    "10m", N_ ("connection time when none is asked for"), G_USEC_PER_SEC, 720 * HOUR, .former = "usual" },
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

static const FarServiceOps ops = { .peer = access_peer };

/* What keeps terminals and lets them join was a part of this type. */
static const char *const moved[] = { "authority", "ca", "certificate", NULL };
static const char *const shared[] = { "store", "nodes", NULL };
static const FarTypeSplit splits[] = { { "fleet", moved, shared }, { NULL } };

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
            .fini = access_fini,
            .splits = splits },
  .handlers = handlers,
  .ops = &ops,
  .needs_revoked = TRUE,
};

FAR_PLUGIN ("service-access", "0.1", "service/access", "", &access_type.type)
