/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node's link to its server, held up for good: full jitter, so that a thousand terminals do not come back in the same second. [loop] */
#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <farwatch/clock.h>

#include "node.h"
#include "url.h"

#define BUFFER 8192
#define PIECE 4096
#define GROWS_TO 15                       /* times `reconnect` */
#define STEADY_US (10 * G_USEC_PER_SEC)   /* a link that held so long was a good one */
#define CONNECT_US (30 * G_USEC_PER_SEC)
#define USER_TIMEOUT_MS 60000u

struct _WsClient {
  Node *node;
  WsUrl url;
  char *host_header;
  gint64 base_us, cap_us;
  gint64 up_us;        /* since when; 0: not up */
  gboolean waiting;
  gboolean told;       /* why this try failed */
  FarHomeTimer *timer;
};

static void connect_now (gpointer data);

static void
wait_for (struct _WsClient *client, gint64 most_us)
{
  gint64 wait = MAX (most_us, 10) / 10 + (gint64) far_random_u32 ((guint32) MIN (most_us / 1000 + 1, G_MAXUINT32)) * 900;

  client->waiting = TRUE;
  if (client->timer == NULL)
    client->timer = far_home_timer (client->node->context->home, far_clock_boottime_us () + wait, connect_now, client);
  else
    far_home_timer_set (client->timer, far_clock_boottime_us () + wait);
}

static void
come_back (struct _WsClient *client)
{
  gboolean steady = client->up_us > 0 && far_clock_boottime_us () - client->up_us >= STEADY_US;

  if (client->node->context->ending || client->waiting)
    return;
  client->up_us = 0;
  if (steady)
    client->cap_us = client->base_us;
  wait_for (client, client->cap_us);
  if (!steady)
    client->cap_us = MIN (client->cap_us * 2, client->base_us * GROWS_TO);
}

static void
client_failed (WsContext *context, const char *text)
{
  struct _WsClient *client = context->user;

  if (client->told || client->up_us > 0)
    return;
  client->told = TRUE;
  far_complain (context->at, "connect", "no link to %s: %s", client->host_header, text != NULL ? text : "closed during the handshake");
}

/* The library is silent about a connection that ends during the TLS handshake. */
static void
client_gone (WsConn *conn)
{
  client_failed (conn->context, NULL);
  come_back (conn->context->user);
}

static void
client_opened (WsConn *conn)
{
  struct _WsClient *client = conn->context->user;
  const unsigned timeout = USER_TIMEOUT_MS;
  const int on = 1, fd = lws_get_socket_fd (conn->wsi);
  g_autoptr (GError) error = NULL;

  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
  ws_conn_deadline (conn, 0);
  if (!ws_tls_peer (&conn->context->tls, lws_get_ssl (conn->wsi), &conn->node, &error) || conn->node == NULL) {
    client_failed (conn->context, error != NULL ? error->message : "no certificate");
    ws_conn_close (conn, WS_CLOSE_POLICY, "certificate");
    return;
  }
  client->up_us = far_clock_boottime_us ();
  ws_link_role.opened (conn);
}

static guint
client_piece (WsConn *conn, const WsPiece *piece, const guint8 *data, gsize size, const char **cause)
{
  return ws_link_role.piece (conn, piece, data, size, cause);
}

static void
client_pressure (WsConn *conn, gboolean high)
{
  ws_link_role.pressure (conn, high);
}

static void
client_closed (WsConn *conn)
{
  ws_link_role.closed (conn);
}

/* A link that first looks who answered. */
static const WsRole client_role = { "client", client_opened, client_piece, client_pressure, NULL, client_closed };

static void
connect_now (gpointer data)
{
  struct _WsClient *client = data;
  WsContext *context = client->node->context;
  g_autoptr (GError) error = NULL;
  gboolean changed;
  WsConn *conn = ws_conn_new (context, client->url.host);
  struct lws_client_connect_info info = {
    .context = context->lws, .vhost = context->vhost, .address = client->url.host, .port = client->url.port, .path = client->url.path,
    .host = client->host_header, .protocol = ws_protocol_link, .local_protocol_name = ws_protocol_link, .ssl_connection = LCCSCF_USE_SSL,
    .opaque_user_data = conn, .pwsi = &conn->wsi, .retry_and_idle_policy = &context->validity, .alpn = "http/1.1",
  };

  client->waiting = client->told = FALSE;
  if (!ws_tls_reload (&context->tls, &changed, &error))
    far_complain (context->at, "certificate", "certificate is not used: %s", error->message);
  g_clear_error (&context->tls.refusal);
  ws_link_begin (conn, NODE_MESSAGE_MAX);
  conn->role = &client_role;
  ws_conn_ref (conn);
  if (lws_client_connect_via_info (&info) != NULL && !conn->gone) {
    ws_conn_deadline (conn, far_clock_boottime_us () + CONNECT_US);
  } else if (!conn->gone) {
    ws_conn_gone (conn);
    client_failed (context, NULL);
    come_back (client);
  }
  ws_conn_unref (conn);
}

/* far_home_timer() wants its home's thread. */
static void
client_begin (gpointer data)
{
  struct _WsClient *client = data;

  if (!client->node->context->ending)
    wait_for (client, MIN (client->base_us, G_USEC_PER_SEC));
}

static void
client_end (WsContext *context)
{
  struct _WsClient *client = context->user;

  g_clear_pointer (&client->timer, far_home_timer_free);
}

/* Where to and under what name stay: they make another instance. */
static void
client_reload (WsContext *context, gconstpointer data)
{
  const NodeOptions *options = data;
  struct _WsClient *client = context->user;

  client->base_us = client->cap_us = options->reconnect_us;
  if (!g_str_has_prefix (context->tls.ca, "sha256:"))
    ws_context_files (context, options->cert, options->key, options->ca);
}

static const WsHooks client_hooks = { .client_gone = client_gone, .failed = client_failed, .reload = client_reload, .end = client_end };

/* What the certificate must be for; while there is no authority's file, the hash of a join token does. */
static void
fill_tls (WsTls *tls, const NodeOptions *options, const WsUrl *url)
{
  gboolean by_hash = options->ca_hash != NULL && !g_file_test (options->ca, G_FILE_TEST_EXISTS);

  tls->cert = g_strdup (options->cert);
  tls->key = g_strdup (options->key);
  tls->ca = g_strdup (by_hash ? options->ca_hash : options->ca);
  tls->name = g_strdup (options->name != NULL ? options->name : url->host);
  tls->purpose = FAR_PURPOSE_NODE_SERVER;
  tls->cert_wanted = TRUE;
}

gboolean
ws_client_new (Node *self, const NodeOptions *options, GError **error)
{
  const WsContextSpec spec = { .name = "ws-client", .buffer = BUFFER, .links = PIECE, .header_max = 4096, .max_connections = 8 };
  struct _WsClient *client = g_new0 (struct _WsClient, 1);
  WsTls tls = { NULL };

  self->client = client;
  client->node = self;
  client->base_us = client->cap_us = options->reconnect_us;
  if (!ws_url_parse (options->connect, "/link", &client->url, error))
    return FALSE;
  client->host_header = ws_url_host_header (&client->url);
  fill_tls (&tls, options, &client->url);
  self->context = ws_context_new (self->at, &spec, &tls, &client_hooks, self->hub, client, error);
  ws_tls_clear (&tls);
  if (self->context != NULL)
    far_home_post (self->context->home, client_begin, client);
  return self->context != NULL;
}

void
ws_client_free (Node *self)
{
  struct _WsClient *client = self->client;

  if (client == NULL)
    return;
  self->client = NULL;
  ws_url_clear (&client->url);
  g_free (client->host_header);
  g_free (client);
}
