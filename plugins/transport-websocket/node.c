/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type `websocket`: which links there are, who may come in, and the options. The client's tries stand in
 * client.c. */
#include "config.h"

#include "node.h"

#include <string.h>

#include <farwatch/i18n.h>

#include "http.h"
#include "types.h"
#include "url.h"

#define HEAD_MAX 8192
#define REQUESTS_MAX 100
#define PER_SECOND 20
#define DAY_US ((gint64) 24 * 3600 * G_USEC_PER_SEC)

/* ---- peers, [main] ---- */

static WsLink *
peer_find (Node *self, const char *peer)
{
  return self->peers == NULL ? NULL : g_hash_table_lookup (self->peers, peer);
}

static void
peer_gone (Node *self, WsLink *link, const char *cause)
{
  const char *peer = self->client != NULL ? "" : link->peer;

  if (link->peer == NULL || peer_find (self, peer) != link)
    return;
  g_hash_table_remove (self->peers, peer);
  far_log (self->at, G_LOG_LEVEL_INFO, "link to %s is down: %s", link->peer,
           cause != NULL ? cause : "closed by the other side");
  far_peer_changed (self->at, peer, FALSE, link->conn->from);
}

/* The same node again: the old link is dead or belongs to a copy of the node; the new one counts. */
static void
peer_replace (Node *self, WsLink *old)
{
  far_log_limited (self->at, old->peer, "%s came again, from %s: its link from before is closed", old->peer,
                   old->conn->from);
  peer_gone (self, old, "replaced by a new link");
  ws_link_close (old, WS_CLOSE_POLICY, "replaced by a new link");
}

static void
node_let_in (Node *self, WsLink *link)
{
  const char *peer = self->client != NULL ? "" : link->peer;
  WsLink *old = peer_find (self, peer);

  if (old != NULL)
    peer_replace (self, old);
  g_hash_table_insert (self->peers, g_strdup (peer), link);
  if (self->client != NULL)
    ws_client_up (self);
  far_log (self->at, G_LOG_LEVEL_INFO, "link to %s is up, %s", link->peer, link->conn->from);
  far_peer_changed (self->at, peer, TRUE, link->conn->from);
}

static void
node_waits_no_more (Node *self, WsLink *link)
{
  if (link->waits)
    g_hash_table_remove (self->waiting, link);
}

static gboolean
node_same_certificate (const WsLink *a, const WsLink *b)
{
  const FarPresented *one = a->conn->presented, *other = b->conn->presented;

  return one != NULL && other != NULL && g_strcmp0 (one->serial, other->serial) == 0;
}

/* One of a node's certificate is enough: who comes again and again while the list is being read holds one
 * place. Another certificate of that node may be the one that is revoked, so it takes nobody's place until
 * that is known (`newest` is let in): then none of those before may come in behind it. */
static void
node_drop_waiting (Node *self, WsLink *newest)
{
  gboolean in = far_clearance_state (newest->clearance) == FAR_CLEARANCE_IN;
  GHashTableIter iter;
  gpointer old;

  g_hash_table_iter_init (&iter, self->waiting);
  while (g_hash_table_iter_next (&iter, &old, NULL))
    if (strcmp (((WsLink *) old)->peer, newest->peer) == 0 && (in || node_same_certificate (old, newest))) {
      g_hash_table_iter_remove (&iter);
      ws_link_close (old, WS_CLOSE_POLICY, "replaced by a new link");
    }
}

static void
node_wait (Node *self, WsLink *link)
{
  far_log_limited (self->at, "revoked-unknown", "%s waits: which nodes are revoked has not been read yet",
                   link->peer);
  link->waits = TRUE;
  g_hash_table_add (self->waiting, link);
}

static void
node_refuse (Node *self, WsLink *link)
{
  gboolean late = far_clearance_state (link->clearance) == FAR_CLEARANCE_LATE;

  if (late)
    far_log_limited (self->at, "revoked-late",
                     "%s is not let in: which nodes are revoked has not been read; `farctl status` tells why",
                     link->peer);
  else
    far_log_limited (self->at, link->peer, "%s is revoked: its link from %s is closed", link->peer,
                     link->conn->from);
  peer_gone (self, link, "revoked");
  ws_link_close (link, late ? WS_CLOSE_LATER : WS_CLOSE_POLICY, late ? "not ready yet" : "revoked");
  if (self->client != NULL && peer_find (self, "") == NULL)
    ws_client_down (self);
}

static void
node_judged (gpointer data)
{
  WsLink *link = data;
  Node *self = link->hub->self;
  gboolean in = far_clearance_state (link->clearance) == FAR_CLEARANCE_IN;

  if (link->cause != NULL)
    return;
  node_waits_no_more (self, link);
  if (!in) {
    node_refuse (self, link);
    return;
  }
  node_let_in (self, link);
  if (link->cause == NULL)
    ws_link_let_in (link);
}

static void
node_up (gpointer data, WsLink *link)
{
  Node *self = data;
  FarClearanceState state;

  if (link->peer == NULL)
    return;
  link->clearance = far_clearance_new (link->conn->presented, self->client == NULL, node_judged, link);
  state = far_clearance_state (link->clearance);
  if (state == FAR_CLEARANCE_WAITS || state == FAR_CLEARANCE_IN)
    node_drop_waiting (self, link);
  if (state == FAR_CLEARANCE_WAITS)
    node_wait (self, link);
  else if (state == FAR_CLEARANCE_IN)
    node_let_in (self, link);
  else
    node_refuse (self, link);
}

static void
node_down (gpointer data, WsLink *link, const char *cause)
{
  Node *self = data;

  node_waits_no_more (self, link);
  peer_gone (self, link, cause);
  if (self->client != NULL && peer_find (self, "") == NULL)
    ws_client_down (self);
}

static const WsHubFuncs node_funcs = { .up = node_up, .down = node_down };

static void
node_send (gpointer data, const char *peer, FarMessage *request, FarRequest *req)
{
  WsLink *link = peer_find (data, peer);

  if (link == NULL)
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, _ ("%s is not connected"),
                          peer[0] != 0 ? peer : _ ("the server"));
  else
    ws_link_send (link, request, req);
}

static gboolean
node_connected (gpointer data, const char *peer)
{
  return peer_find (data, peer) != NULL;
}

static void
node_cut (gpointer data, const char *peer, const char *cause)
{
  WsLink *link = peer_find (data, peer);

  if (link == NULL)
    return;
  peer_gone (data, link, cause);
  ws_link_close (link, WS_CLOSE_POLICY, g_intern_string (cause));
  if (((Node *) data)->client != NULL) /* a link without an answer may take its time to go */
    ws_client_down (data);
}

static void
node_hurry (gpointer data, gboolean hurry)
{
  Node *self = data;

  if (self->client != NULL)
    ws_client_hurry (self, hurry);
}

static const FarMessageOps node_messages = { node_send, node_connected, node_cut, node_hurry };

/* ---- the listener, [loop] ---- */

static guint
node_upgrade (WsConn *conn, const WsHead *head, char **text)
{
  if (strcmp (head->path, "/link") != 0)
    return 404;
  if (ws_head_field (head, "origin") != NULL) {
    *text = g_strdup (_ ("this listener is for nodes; browsers use the people's"));
    return 403;
  }
  /* Without a certificate it stays unverified: seconds and bytes are counted, and core lets it enroll and
   * nothing else. */
  if (conn->node != NULL)
    ws_conn_verified (conn);
  ws_http_socket (conn, conn->node != NULL ? NODE_MESSAGE_MAX : FAR_BODY_MAX);
  return 0;
}

static guint
node_judge (WsConn *conn, const WsHead *head, char **text)
{
  *text = g_strdup (_ ("this listener is for nodes: WebSocket at /link"));
  return strcmp (head->path, "/link") == 0 || strcmp (head->path, "/") == 0 ? 426 : 404;
}

static FarGateLimits
node_limits (const NodeOptions *options)
{
  return (FarGateLimits){ (guint) options->max_connections, (guint) options->max_per_address,
                          (guint) options->max_connections, (const char *const *) options->trusted };
}

static const WsHooks node_hooks = { .upgrade = node_upgrade, .judge = node_judge };

static gboolean
node_listen (Node *self, const NodeOptions *options, GError **error)
{
  const FarTlsSpec tls_spec = { .at = self->at,
                                .server = TRUE,
                                .cert = options->cert,
                                .key = options->key,
                                .ca = options->ca,
                                .purpose = FAR_PURPOSE_NODE_CLIENT,
                                .alpn = "http/1.1" };
  int fd = far_instance_listen (self->at, options->listen, NULL, error);
  g_autoptr (FarTls) tls = fd < 0 ? NULL : far_tls_new (&tls_spec, error);
  WsListenerSpec spec = { .at = self->at,
                          .fd = fd,
                          .tls = tls,
                          .limits = node_limits (options),
                          .proxies = (const char *const *) options->proxy_protocol,
                          .per_second = PER_SECOND,
                          .head = { HEAD_MAX, HEAD_MAX, 64 },
                          .requests_max = REQUESTS_MAX,
                          .idle_us = options->idle_us,
                          .hooks = &node_hooks,
                          .hub = self->hub,
                          .user = self };

  if (tls == NULL)
    return FALSE;
  self->listener = ws_listener_new (&spec);
  return TRUE;
}

/* ---- life ---- */

static gboolean
node_init (gpointer data, FarInstance *at, GError **error)
{
  Node *self = data;
  const NodeOptions *options = far_instance_options (at);
  g_auto (WsUrl) url = { NULL };

  self->at = at;
  if ((options->listen == NULL) == (options->connect == NULL)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("write either listen (a server) or connect (a client)"));
    return FALSE;
  }
  if (options->connect == NULL || ws_url_parse (options->connect, "/link", &url, error))
    return TRUE;
  (*error)->code = FAR_ERROR_CONFIG;
  return FALSE;
}

static void
node_stop (gpointer data)
{
  Node *self = data;
  WsLink *link = self->client == NULL ? NULL : peer_find (self, "");

  if (link != NULL)
    ws_link_close (link, WS_CLOSE_AWAY, "this node stops");
  ws_client_free (self);
  if (self->hub != NULL)
    ws_hub_end (g_steal_pointer (&self->hub));
  g_clear_pointer (&self->listener, ws_listener_free);
  g_clear_pointer (&self->peers, g_hash_table_unref);
  g_clear_pointer (&self->waiting, g_hash_table_unref);
}

static gboolean
node_reload (gpointer data, const void *new_options, GError **error)
{
  Node *self = data;
  const NodeOptions *options = new_options;
  const FarGateLimits limits = node_limits (options);

  if (self->client != NULL)
    ws_client_reload (self, options);
  else
    ws_listener_change (self->listener, &limits, (const char *const *) options->proxy_protocol, options->cert,
                        options->key, options->ca, options->idle_us);
  return TRUE;
}

static gboolean
node_start (gpointer data, GError **error)
{
  Node *self = data;
  const NodeOptions *options = far_instance_options (self->at);

  self->hub = ws_hub_new (self->at, self, &node_funcs);
  self->peers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->waiting = g_hash_table_new (NULL, NULL);
  if (options->connect != NULL ? !ws_client_new (self, options, error)
                               : !node_listen (self, options, error)) {
    node_stop (self);
    return FALSE;
  }
  far_instance_ready (self->at);
  return TRUE;
}

#define OFFSET(field) G_STRUCT_OFFSET (NodeOptions, field)

static const char *const schemes[] = { "wss", NULL };

static const FarOption node_options[] = {
  { "listen", FAR_OPT_ADDRESS, 0, OFFSET (listen), NULL,
    N_ ("server: where nodes come in, as 127.0.0.1:8443") },
  { "connect", FAR_OPT_STRING, FAR_OPT_URL, OFFSET (connect), NULL,
    N_ ("client: the server's listener for nodes, wss://host:port"), .choices = schemes },
  { "cert", FAR_OPT_PATH, FAR_OPT_RELOADABLE, OFFSET (cert), "keys/node.crt",
    N_ ("certificate of this node; a client without one can only enroll") },
  { "key", FAR_OPT_PATH, FAR_OPT_RELOADABLE, OFFSET (key), "keys/node.key", N_ ("its key") },
  { "ca", FAR_OPT_PATH, FAR_OPT_RELOADABLE, OFFSET (ca), "keys/ca.crt",
    N_ ("the fleet's authority: who the other side must be certified by") },
  { "ca-hash", FAR_OPT_STRING, 0, OFFSET (ca_hash), NULL,
    N_ ("client: sha256:HEX of the authority, where there is no file yet") },
  { "name", FAR_OPT_STRING, 0, OFFSET (name), NULL,
    N_ ("client: the name in the server's certificate; default: the host of connect") },
  { "max-connections", FAR_OPT_INT, FAR_OPT_RELOADABLE, OFFSET (max_connections), "4096",
    N_ ("server: connections in all"), 1, 100000 },
  { "max-per-address", FAR_OPT_INT, FAR_OPT_RELOADABLE, OFFSET (max_per_address), "32",
    N_ ("server: connections of one address before login"), 1, 100000 },
  { "trusted", FAR_OPT_LIST, FAR_OPT_RELOADABLE | FAR_OPT_NETS, OFFSET (trusted), NULL,
    N_ ("server: nets without a limit per address, as 10.0.0.0/8") },
  { "proxy-protocol", FAR_OPT_LIST, FAR_OPT_RELOADABLE | FAR_OPT_NETS, OFFSET (proxy_protocol), NULL,
    N_ ("server: nets of proxies whose connections begin with a PROXY protocol header (version 2)") },
  { "idle", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, OFFSET (idle_us), "400s",
    N_ ("server: a link that says nothing for so long is cut; over three poll cycles"), G_USEC_PER_SEC,
    30 * DAY_US },
  { "reconnect", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, OFFSET (reconnect_us), "60s",
    N_ ("client: after a lost link it waits a random time up to this, then up to twice that, up to 15 times"),
    10000, DAY_US },
  { NULL, FAR_OPT_END },
};

const FarTransportType ws_type_node = {
  .type = { .kind = FAR_KIND_TRANSPORT,
            .name = "websocket",
            .summary = N_ ("links between nodes: WebSocket over TLS"),
            .instance_size = sizeof (Node),
            .options_size = sizeof (NodeOptions),
            .options = node_options,
            .init = node_init,
            .start = node_start,
            .reload = node_reload,
            .stop = node_stop },
  .messages = &node_messages,
  .dial = ws_dial,
};
