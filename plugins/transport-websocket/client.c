/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node's link to its server, held up for good: full jitter, so that a thousand terminals do not come back
 * in the same second. [main] unless said otherwise. */
#include "config.h"

#include <string.h>
#include <sys/socket.h>

#include <farwatch/clock.h>
#include <farwatch/dial.h>
#include <farwatch/network.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "node.h"
#include "upgrade.h"

#define GROWS_TO 15                     /* times `reconnect` */
#define STEADY_US (10 * G_USEC_PER_SEC) /* a link that held so long was a good one */
#define USER_TIMEOUT_MS 60000u
/* Somebody waits: a connection that was begun while there was no way out asks the kernel again ever more
 * seldom, so a new one is begun instead. One in so many is let be, for ways that are slow. */
#define HURRY_US G_USEC_PER_SEC
#define HURRY_PATIENCE_US (3 * G_USEC_PER_SEC / 2)
#define HURRY_LONG 6
#define NETWORK_SPREAD_US (G_USEC_PER_SEC / 5) /* the terminals of one switch see it come back together */

struct _WsClient {
  Node *node;
  WsUrl url;
  FarTls *tls;
  FarLoop *loop; /* where the link lives */
  char *where;   /* "host:port" */
  gint64 base_us, cap_us;
  gint64 up_us; /* since when; 0: not up */
  FarRequest *dialling;
  struct _Try *try; /* the one that is waited for; NULL: none is under way */
  GPtrArray *all;   /* every Try that is under way, with those that are not waited for any longer */
  FarLoopTimer *timer;
  gboolean waiting;       /* the timer is set */
  FarLoopTimer *patience; /* of the try that is under way, in a hurry */
  FarNetworkWatch *network;
  guint tries; /* in this hurry */
  gboolean hurry, again, stopping;
};

/* One try, from the connection to the link; it outlives a client that stops. [main], with its error written
 * at loop before. */
typedef struct _Try {
  struct _WsClient *client; /* NULL: stopped */
  WsHub *hub;
  WsUpgrade *upgrade;
  char *where;
  GError *error;
} Try;

static void connect_now (gpointer data);

static void
wait_for (struct _WsClient *client, gint64 most_us)
{
  gint64 wait = MAX (most_us, 10) / 10 +
                (gint64) far_random_u32 ((guint32) MIN (most_us / 1000 + 1, G_MAXUINT32)) * 900;

  client->waiting = TRUE;
  if (client->timer == NULL)
    client->timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + wait, connect_now, client);
  else
    far_loop_timer_set (client->timer, far_clock_boottime_us () + wait);
}

/* Did the link that is lost, if there was one, hold? */
static gboolean
was_steady (struct _WsClient *client)
{
  gboolean steady = client->up_us > 0 && far_clock_boottime_us () - client->up_us >= STEADY_US;

  client->up_us = 0;
  if (steady)
    client->cap_us = client->base_us;
  return steady;
}

static void
come_back (struct _WsClient *client)
{
  gboolean steady = was_steady (client);

  wait_for (client, client->hurry ? MIN (client->cap_us, HURRY_US) : client->cap_us);
  if (!steady && !client->hurry)
    client->cap_us = MIN (client->cap_us * 2, client->base_us * GROWS_TO);
}

static void
ws_client_failed (struct _WsClient *client, const char *text)
{
  far_log_limited (client->node->at, "connect", _ ("no link to %s: %s"), client->where, text);
  come_back (client);
}

/* ---- tries that are not waited for any longer ---- */

/* One whose connection stands may still get through, and then its link counts. */
static void
ws_client_let_go (struct _WsClient *client)
{
  g_autoptr (FarRequest) dialling = client->dialling != NULL ? far_request_ref (client->dialling) : NULL;

  client->try = NULL;
  client->again = TRUE; /* what the cancelled one says is no failure */
  if (dialling != NULL)
    far_request_cancel (dialling);
  client->again = FALSE;
}

static void
ws_client_try_again (struct _WsClient *client)
{
  ws_client_let_go (client);
  wait_for (client, 0);
}

static gboolean
is_up (struct _WsClient *client)
{
  return g_hash_table_contains (client->node->peers, "");
}

static void
patience_over (gpointer data)
{
  struct _WsClient *client = data;

  if (client->hurry && !is_up (client) && (client->dialling != NULL || client->try != NULL))
    ws_client_try_again (client);
}

static void
begin_patience (struct _WsClient *client)
{
  gint64 at = far_clock_boottime_us () + HURRY_PATIENCE_US;

  if (!client->hurry || ++client->tries % HURRY_LONG == 0)
    g_clear_pointer (&client->patience, far_loop_timer_free);
  else if (client->patience == NULL)
    client->patience = far_loop_timer (far_loop_main (), at, patience_over, client);
  else
    far_loop_timer_set (client->patience, at);
}

/* A way may have opened. */
static void
ws_client_network_changed (gpointer data)
{
  struct _WsClient *client = data;

  if (is_up (client))
    return;
  ws_client_let_go (client);
  wait_for (client, NETWORK_SPREAD_US);
}

/* ---- a try ---- */

static void
try_free (Try *try)
{
  ws_hub_unref (try->hub);
  ws_upgrade_unref (try->upgrade);
  g_clear_error (&try->error);
  g_free (try->where);
  g_free (try);
}

static void
tried (gpointer data)
{
  Try *try = data;
  struct _WsClient *client = try->client;

  if (client != NULL) {
    g_ptr_array_remove_fast (client->all, try);
    if (client->try == try) {
      client->try = NULL;
      if (try->error != NULL)
        ws_client_failed (client, try->error->message);
    }
  }
  try_free (try);
}

/* [loop] */
static void
client_upgraded (FarStream *stream, const char *node, gint64 told_us, const GError *error, gpointer user)
{
  Try *try = user;

  /* People's listener takes anybody, and knows nobody by a certificate. */
  if (stream != NULL && !far_tls_asked (stream)) {
    far_stream_free (stream);
    try->error =
        g_error_new_literal (FAR_ERROR, FAR_ERROR_CONFIG,
                             _ ("that server takes no certificates of nodes: is it the port for people?"));
  } else if (stream != NULL) {
    FarPresented *presented = far_tls_presented (stream);
    WsConn *conn = ws_conn_new (stream, NULL, NULL, try->hub, try->where, NULL);

    if (told_us > 0)
      far_clock_told (told_us);
    conn->client = TRUE;
    conn->node = g_strdup (node);
    conn->presented = presented;
    far_loop_post (far_loop_main (), tried, try); /* before the link itself is told */
    ws_link_begin (conn, NODE_MESSAGE_MAX);
    return;
  } else {
    try->error = g_error_copy (error);
  }
  far_loop_post (far_loop_main (), tried, try);
}

static void
ws_client_set_options (int fd)
{
  const unsigned timeout = USER_TIMEOUT_MS;
  const int on = 1;

  setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void
client_connected (FarRequest *req, gpointer data)
{
  struct _WsClient *client = data;
  Try *try;
  int fd;

  g_clear_pointer (&client->dialling, far_request_unref);
  if (client->stopping || client->again)
    return;
  if (far_request_error (req) != NULL) {
    ws_client_failed (client, far_request_error (req)->message);
    return;
  }
  fd = far_dial_take (req);
  ws_client_set_options (fd);
  client->try = try = g_new0 (Try, 1);
  try->client = client;
  try->hub = ws_hub_ref (client->node->hub);
  try->where = g_strdup (client->url.host);
  g_ptr_array_add (client->all, try);
  try->upgrade = ws_upgrade (client->tls, client->loop, fd, &client->url, "farwatch", client_upgraded, try);
}

static void
connect_now (gpointer data)
{
  struct _WsClient *client = data;
  g_autoptr (GError) error = NULL;
  gboolean changed;

  client->waiting = FALSE;
  if (client->dialling != NULL || client->try != NULL || is_up (client))
    return;
  if (!far_tls_refresh (client->tls, &changed, &error))
    far_log_limited (client->node->at, "certificate", _ ("certificate is not used: %s"), error->message);
  client->dialling = far_request_ref (far_request_new (client_connected, client, WS_UPGRADE_SECONDS * 1000));
  begin_patience (client);
  far_dial (client->url.host, client->url.port, client->dialling);
}

/* ---- for node.c ---- */

static void
cancel_all (struct _WsClient *client)
{
  for (guint i = 0; i < client->all->len; i++)
    ws_upgrade_cancel (((Try *) client->all->pdata[i])->upgrade);
}

/* A second link would take the place of this one, here and at the server: nothing else is tried any more. */
void
ws_client_up (Node *self)
{
  struct _WsClient *client = self->client;

  client->up_us = far_clock_boottime_us ();
  client->waiting = FALSE;
  g_clear_pointer (&client->timer, far_loop_timer_free);
  ws_client_let_go (client);
  cancel_all (client);
}

/* Where the next try is under way or due already, as when a link that was cut has ended at last, this loss
 * was counted then. */
void
ws_client_down (Node *self)
{
  struct _WsClient *client = self->client;

  if (client->dialling == NULL && client->try == NULL && !client->waiting)
    come_back (client);
  else
    was_steady (client);
}

void
ws_client_hurry (Node *self, gboolean hurry)
{
  struct _WsClient *client = self->client;

  if (client->hurry == hurry)
    return;
  client->hurry = hurry;
  client->tries = 0;
  if (hurry && !is_up (client))
    ws_client_try_again (client);
}

/* Where to and under what name stay: they make another instance. */
void
ws_client_reload (Node *self, const NodeOptions *options)
{
  struct _WsClient *client = self->client;

  client->base_us = client->cap_us = options->reconnect_us;
  far_tls_set_files (client->tls, options->cert, options->key, self->by_hash ? NULL : options->ca);
}

/* What the certificate must be for; while there is no authority's file, the hash of a join token does. */
static FarTls *
tls_of (Node *self, const NodeOptions *options, const WsUrl *url, GError **error)
{
  FarTlsSpec spec = { .at = self->at,
                      .cert = options->cert,
                      .key = options->key,
                      .cert_optional = TRUE,
                      .purpose = FAR_PURPOSE_NODE_SERVER,
                      .alpn = "http/1.1" };

  self->by_hash = options->ca_hash != NULL && !g_file_test (options->ca, G_FILE_TEST_EXISTS);
  spec.ca = self->by_hash ? options->ca_hash : options->ca;
  spec.name = options->name != NULL ? options->name : url->host;
  return far_tls_new (&spec, error);
}

gboolean
ws_client_new (Node *self, const NodeOptions *options, GError **error)
{
  struct _WsClient *client = g_new0 (struct _WsClient, 1);

  self->client = client;
  client->node = self;
  client->all = g_ptr_array_new ();
  client->loop = far_loop_pick ();
  client->base_us = client->cap_us = options->reconnect_us;
  if (!ws_url_parse (options->connect, "/link", &client->url, error))
    return FALSE;
  client->where = ws_url_host_header (&client->url);
  client->tls = tls_of (self, options, &client->url, error);
  if (client->tls == NULL)
    return FALSE;
  client->network = far_network_watch_new (ws_client_network_changed, client);
  wait_for (client, MIN (client->base_us, G_USEC_PER_SEC));
  return TRUE;
}

void
ws_client_free (Node *self)
{
  struct _WsClient *client = g_steal_pointer (&self->client);
  g_autoptr (FarRequest) dialling = NULL;

  if (client == NULL)
    return;
  client->stopping = TRUE;
  dialling = client->dialling == NULL ? NULL : far_request_ref (client->dialling);
  for (guint i = 0; i < client->all->len; i++)
    ((Try *) client->all->pdata[i])->client = NULL;
  cancel_all (client);
  g_ptr_array_unref (client->all);
  if (dialling != NULL)
    far_request_cancel (dialling); /* delivers: connected() sees a client that is still whole */
  g_clear_pointer (&client->dialling, far_request_unref);
  g_clear_pointer (&client->timer, far_loop_timer_free);
  g_clear_pointer (&client->patience, far_loop_timer_free);
  far_network_watch_free (client->network);
  far_tls_unref (client->tls);
  ws_url_clear (&client->url);
  g_free (client->where);
  g_free (client);
}
