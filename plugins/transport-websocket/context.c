/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "context.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>

#include "accept.h"
#include "link.h"

#define TICK_US G_USEC_PER_SEC
#define RELOAD_US (10 * G_USEC_PER_SEC)
#define ROTATE_US (24 * 3600 * (gint64) G_USEC_PER_SEC)
#define LINK_SEND_BUFFER (64 * 1024)
#define STREAM_SEND_BUFFER (1024 * 1024)

const char ws_protocol_link[] = "farwatch";
const char ws_protocol_stream[] = "farwatch-stream";

/* ---- connections that are looked at ---- */

static void
unlink_from (GQueue *queue, GList *link)
{
  if (link->prev == NULL && link->next == NULL && queue->head != link)
    return;
  g_queue_unlink (queue, link);
  link->prev = link->next = NULL;
}

static gboolean
is_in (const GQueue *queue, const GList *link)
{
  return link->prev != NULL || link->next != NULL || queue->head == link;
}

/* When is the next look due? 0: never. */
static gint64
next_look (const WsContext *context)
{
  const WsConn *silent = context->lively.head == NULL ? NULL : context->lively.head->data;
  gint64 now = far_clock_boottime_us (), next = context->tls_server ? now + RELOAD_US : 0;

  if (context->conns.length > 0)
    return now + TICK_US;
  if (silent != NULL && context->idle_us > 0 && (next == 0 || silent->heard_us + context->idle_us < next))
    next = silent->heard_us + context->idle_us;
  return next == 0 ? 0 : MAX (next, now + TICK_US);
}

/* Only ever sooner: those who come must not put off the look at those who are there. */
static void
look_later (WsContext *context)
{
  gint64 next = next_look (context);

  if (next == 0 || context->ending || (context->due_us > 0 && context->due_us <= next))
    return;
  context->due_us = next;
  far_home_timer_set (context->timer, next);
}

void
ws_context_forget (WsContext *context, WsConn *conn)
{
  unlink_from (&context->conns, &conn->timed);
  unlink_from (&context->lively, &conn->lively);
  unlink_from (&context->served, &conn->served);
}

void
ws_context_timed (WsContext *context, WsConn *conn)
{
  gboolean wanted = conn->wsi != NULL && (conn->deadline_us > 0 || (conn->pass != NULL && !conn->verified));

  if (wanted == is_in (&context->conns, &conn->timed))
    return;
  if (!wanted) {
    unlink_from (&context->conns, &conn->timed);
    return;
  }
  g_queue_push_tail_link (&context->conns, &conn->timed);
  if (context->conns.length == 1)
    look_later (context);
}

void
ws_context_lively (WsContext *context, WsConn *conn)
{
  if (conn->wsi == NULL)
    return;
  unlink_from (&context->lively, &conn->lively);
  g_queue_push_tail_link (&context->lively, &conn->lively);
  if (context->lively.length == 1)
    look_later (context);
}

void
ws_context_quiet (WsContext *context, WsConn *conn)
{
  unlink_from (&context->lively, &conn->lively);
}

/* Our own slowness is not the other side's fault: while an answer is due, the clock before login stands still. */
static void
look_at (WsConn *conn, gint64 now)
{
  const char *cause = "too slow";

  if (conn->deadline_us > 0 && conn->deadline_us <= now)
    ws_conn_kill (conn, cause);
  else if (conn->pass != NULL && !conn->verified && conn->calls == 0 && far_gate_over (conn->pass, &cause))
    ws_conn_kill (conn, cause);
}

/* A renewed certificate is in use without a restart. */
static void
look_at_files (WsContext *context, gint64 now)
{
  g_autoptr (GError) error = NULL;
  gboolean changed = FALSE;

  if (!ws_tls_reload (&context->tls, &changed, &error))
    far_complain (context->at, "certificate", "new certificate is not used: %s", error->message);
  else if (changed)
    far_log (context->at, G_LOG_LEVEL_INFO, "certificate read again");
  if (now - context->rotated_us < ROTATE_US)
    return;
  context->rotated_us = now;
  ws_tls_rotate (&context->tls);
}

static void
tick (gpointer data)
{
  WsContext *context = data;
  gint64 now = far_clock_boottime_us ();

  context->due_us = 0;
  for (GList *link = context->conns.head, *after; link != NULL; link = after) {
    after = link->next;
    look_at (link->data, now);
  }
  while (context->idle_us > 0 && context->lively.head != NULL) {
    WsConn *conn = context->lively.head->data;

    if (conn->heard_us + context->idle_us > now)
      break;
    ws_context_quiet (context, conn);
    ws_conn_kill (conn, "silent for too long");
  }
  if (context->tls_server && now - context->swept_us >= RELOAD_US / 2) {
    context->swept_us = now;
    look_at_files (context, now);
    ws_dead_sweep (context);
  }
  look_later (context);
}

/* ---- the library's callbacks ---- */

static int
http_event (WsContext *context, WsConn *conn, enum lws_callback_reasons reason, void *in, gsize size)
{
  const WsHooks *hooks = context->hooks;

  switch (reason) {
  case LWS_CALLBACK_HTTP:
    return hooks->http == NULL ? -1 : hooks->http (conn, in);
  default:
    return hooks->http_body == NULL ? -1 : hooks->http_body (conn, in, size, reason == LWS_CALLBACK_HTTP_BODY_COMPLETION);
  }
}

static int
upgrade_event (WsContext *context, WsConn *conn, const char *wanted)
{
  if (conn == NULL || g_ascii_strcasecmp (wanted, "websocket") != 0)
    return -1;
  return ws_accept_upgrade (context, conn);
}

static int
link_event (WsConn *conn, enum lws_callback_reasons reason, void *in, gsize size)
{
  switch (reason) {
  case LWS_CALLBACK_ESTABLISHED:
  case LWS_CALLBACK_CLIENT_ESTABLISHED:
    ws_context_timed (conn->context, conn);
    ws_conn_established (conn, strcmp (lws_get_protocol (conn->wsi)->name, ws_protocol_stream) == 0 ? STREAM_SEND_BUFFER : LINK_SEND_BUFFER);
    return conn->close_code != 0 && conn->cause != NULL ? -1 : 0;
  case LWS_CALLBACK_RECEIVE:
  case LWS_CALLBACK_CLIENT_RECEIVE:
    return ws_conn_piece (conn, in, size);
  case LWS_CALLBACK_RECEIVE_PONG:
  case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
    return ws_conn_pong (conn);
  case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
    ws_conn_parting (conn, in, size);
    return 0;
  default:
    return ws_conn_writable (conn);
  }
}

static int
gone_event (WsContext *context, WsConn *conn, enum lws_callback_reasons reason, const char *text)
{
  if (reason == LWS_CALLBACK_CLIENT_CONNECTION_ERROR) {
    if (context->hooks->failed != NULL)
      context->hooks->failed (context, context->tls.refusal != NULL ? context->tls.refusal->message : text);
    return 0;
  }
  if (conn == NULL)
    return 0;
  ws_conn_ref (conn);
  ws_conn_gone (conn);
  if (!context->tls_server && context->hooks->client_gone != NULL)
    context->hooks->client_gone (conn);
  ws_conn_unref (conn);
  return 0;
}

static int
event (struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t size)
{
  WsContext *context = lws_context_user (lws_get_context (wsi));
  WsConn *conn;

  switch (reason) {
  case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
    conn = lws_get_opaque_user_data (wsi);
    if (conn != NULL) {
      conn->wsi = wsi;
      g_queue_push_tail_link (&context->served, &conn->served);
    }
    return 0;
  case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
    return ws_tls_serve (&context->tls, user, &context->start_error) ? 0 : -1;
  case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
    return upgrade_event (context, lws_get_opaque_user_data (wsi), in);
  case LWS_CALLBACK_HTTP:
  case LWS_CALLBACK_HTTP_BODY:
  case LWS_CALLBACK_HTTP_BODY_COMPLETION:
    conn = lws_get_opaque_user_data (wsi);
    return conn == NULL ? -1 : http_event (context, conn, reason, in, size);
  case LWS_CALLBACK_ESTABLISHED:
  case LWS_CALLBACK_RECEIVE:
  case LWS_CALLBACK_RECEIVE_PONG:
  case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
  case LWS_CALLBACK_SERVER_WRITEABLE:
  case LWS_CALLBACK_CLIENT_ESTABLISHED:
  case LWS_CALLBACK_CLIENT_RECEIVE:
  case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
  case LWS_CALLBACK_CLIENT_WRITEABLE:
    conn = lws_get_opaque_user_data (wsi);
    if (conn == NULL || conn->gone)
      return -1;
    conn->wsi = wsi;
    return link_event (conn, reason, in, size);
  case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
  case LWS_CALLBACK_WSI_DESTROY:
    return gone_event (context, lws_get_opaque_user_data (wsi), reason, in);
  default:
    return 0;
  }
}

/* ---- life ---- */

static void
library_says (int level, const char *line)
{
  far_log (NULL, G_LOG_LEVEL_DEBUG, "libwebsockets: %s", line);
}

static void
fill_protocols (WsContext *context, const WsContextSpec *spec)
{
  const gsize pieces[] = { spec->links, spec->buffer };
  const char *const names[] = { ws_protocol_link, ws_protocol_stream };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    struct lws_protocols *protocol = &context->protocols[i];

    protocol->name = names[i];
    protocol->callback = event;
    protocol->rx_buffer_size = pieces[i];
    protocol->tx_packet_size = 2 * WS_PIECE;
  }
}

/* Extensions none; HTTP/1.1 only; no system authorities; the library's own listener is not used. */
static void
fill_info (WsContext *context, const WsContextSpec *spec, struct lws_context_creation_info *info, void **loops)
{
  loops[0] = ws_loop_ev (context->loop);
  *info = (struct lws_context_creation_info){
    .port = spec->server ? CONTEXT_PORT_NO_LISTEN_SERVER : CONTEXT_PORT_NO_LISTEN,
    .protocols = context->protocols, .user = context, .foreign_loops = loops, .gid = (gid_t) -1, .uid = (uid_t) -1,
    .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
               LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS | LWS_SERVER_OPTION_VALIDATE_UTF8,
    .pt_serv_buf_size = (unsigned) spec->buffer, .timeout_secs = 10, .keepalive_timeout = 30, .max_http_header_data = (unsigned short) spec->header_max,
    .alpn = "http/1.1", .retry_and_idle_policy = &context->validity, .vhost_name = "farwatch",
  };
  context->validity.secs_since_valid_ping = (uint16_t) spec->ping_s;
  context->validity.secs_since_valid_hangup = (uint16_t) spec->hangup_s;
  /* few connections: the library's tables are small then, but searched; many: as large as the process's file table, and indexed */
  if (spec->max_connections < 1024)
    info->fd_limit_per_thread = spec->max_connections + 8;
  if (spec->server)
    info->options |= LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
}

static gboolean
make (WsContext *context, const WsContextSpec *spec, SSL_CTX *client, GError **error)
{
  struct lws_context_creation_info info;
  void *loops[1];

  lws_set_log_level (LLL_ERR | LLL_WARN, library_says);
  fill_protocols (context, spec);
  fill_info (context, spec, &info, loops);
  info.provided_client_ssl_ctx = client;
  context->lws = lws_create_context (&info);
  if (context->lws == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _("libwebsockets does not start: is the package libwebsockets-evlib-ev installed, and are there descriptors left?"));
    return FALSE;
  }
  context->vhost = lws_create_vhost (context->lws, &info);
  if (context->vhost != NULL)
    return TRUE;
  if (context->start_error != NULL)
    g_propagate_error (error, g_steal_pointer (&context->start_error));
  else
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _("libwebsockets refuses the TLS settings"));
  return FALSE;
}

static void
end (gpointer data)
{
  WsContext *context = data;

  context->ending = TRUE;
  if (context->accept != NULL)
    ws_accept_stop (context->accept);
  if (context->lws != NULL)
    lws_context_destroy (context->lws);
  context->lws = NULL;
  if (context->hooks->end != NULL)
    context->hooks->end (context);
  g_clear_pointer (&context->accept, ws_accept_free);
  g_clear_pointer (&context->timer, far_home_timer_free);
  ws_tls_clear (&context->tls);
  g_clear_error (&context->start_error);
  g_clear_pointer (&context->hub, ws_hub_unref);
}

WsContext *
ws_context_new (FarInstance *at, const WsContextSpec *spec, WsTls *tls, const WsHooks *hooks, WsHub *hub, gpointer user, GError **error)
{
  WsContext *context = g_new0 (WsContext, 1);
  SSL_CTX *client;

  context->at = at;
  context->hooks = hooks;
  context->user = user;
  context->hub = hub == NULL ? NULL : ws_hub_ref (hub);
  context->tls_server = spec->server;
  context->tls = *tls;
  *tls = (WsTls){ 0 };
  context->loop = ws_loop_new (spec->name);
  context->home = ws_loop_home (context->loop);
  /* a server gets an empty one: left alone the library would make its own and read the system's authorities */
  client = spec->server ? SSL_CTX_new (TLS_client_method ()) : NULL;
  if ((spec->server || ws_tls_client (&context->tls, error)) && make (context, spec, spec->server ? client : context->tls.context, error)) {
    SSL_CTX_free (client);
    return context;
  }
  SSL_CTX_free (client);
  ws_context_free (context);
  return NULL;
}

static void
begin (gpointer data)
{
  WsContext *context = data;

  context->rotated_us = far_clock_boottime_us ();
  context->timer = far_home_timer (context->home, far_clock_boottime_us () + RELOAD_US, tick, context);
  look_later (context);
  if (context->accept != NULL)
    ws_accept_begin (context->accept);
}

void
ws_context_run (WsContext *context)
{
  far_home_post (context->home, begin, context);
  ws_loop_run (context->loop);
}

typedef struct { WsContext *context; gconstpointer options; } Reload;

static void
reload_on_loop (gpointer data)
{
  Reload *job = data;

  job->context->hooks->reload (job->context, job->options);
  look_later (job->context);
  far_options_unref (job->options);
  g_free (job);
}

void
ws_context_reload (WsContext *context, gconstpointer options)
{
  Reload *job = g_new0 (Reload, 1);

  job->context = context;
  job->options = far_options_ref (options);
  far_home_post (context->home, reload_on_loop, job);
}

static void
replace_text (char **text, const char *with)
{
  char *copy = g_strdup (with);

  g_free (*text);
  *text = copy;
}

void
ws_context_files (WsContext *context, const char *cert, const char *key, const char *ca)
{
  replace_text (&context->tls.cert, cert);
  replace_text (&context->tls.key, key);
  replace_text (&context->tls.ca, ca);
  context->tls.stamp = 0;
  look_at_files (context, far_clock_boottime_us ());
}

void
ws_context_free (WsContext *context)
{
  ws_loop_end (context->loop, end, context);
  g_free (context);
}

static void
end_and_free (gpointer data)
{
  end (data);
  g_free (data);
}

void
ws_context_end_here (WsContext *context)
{
  context->ending = TRUE;
  ws_loop_end_here (context->loop, end_and_free, context);
}
