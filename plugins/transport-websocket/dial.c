/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tool's way to a listener: one connection as a byte stream, with a loop of its own that goes with the stream. */
#include "config.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <farwatch/i18n.h>

#include "context.h"
#include "stream.h"
#include "types.h"
#include "url.h"

typedef struct {
  WsUrl url;
  FarRequest *req;
  gboolean told, gone, asked;
} Dial;

static void
dial_free (Dial *dial)
{
  ws_url_clear (&dial->url);
  far_request_unref (dial->req);
  g_free (dial);
}

/* [loop] The thread ends when neither connection nor stream is left. */
static void
end_when_idle (gpointer data)
{
  WsContext *context = data;
  Dial *dial = context->user;

  dial->asked = FALSE;
  if (dial->gone && context->streams == 0 && !context->ending)
    ws_context_end_here (context);
}

/* [loop] Later, off the stack of the library; once: a second post would find the context freed. */
static void
ask_for_end (WsContext *context)
{
  Dial *dial = context->user;

  if (dial->asked || context->ending)
    return;
  dial->asked = TRUE;
  far_home_post (context->home, end_when_idle, context);
}

static void
dial_failed (WsContext *context, const char *text)
{
  Dial *dial = context->user;
  gboolean refused = context->tls.refusal != NULL;

  if (!dial->told)
    far_request_fail_new (dial->req, refused ? FAR_ERROR_DENIED : FAR_ERROR_UNAVAILABLE, _("%s:%u: %s"), dial->url.host, dial->url.port,
                          text != NULL ? text : _("closed during the handshake"));
  dial->told = TRUE;
}

static void
dial_gone (WsConn *conn)
{
  WsContext *context = conn->context;
  Dial *dial = context->user;

  dial_failed (context, NULL);
  dial->gone = TRUE;
  ask_for_end (context);
}

static void
dial_opened (WsConn *conn, FarStream *stream)
{
  Dial *dial = conn->context->user;
  const int on = 1;

  setsockopt (lws_get_socket_fd (conn->wsi), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  dial->told = TRUE;
  far_request_done (dial->req, stream, ws_stream_free_at_home);
}

/* [loop] A stream that never became one is nobody's. */
static void
dial_begin (gpointer data)
{
  WsContext *context = data;
  Dial *dial = context->user;
  g_autofree char *host = ws_url_host_header (&dial->url);
  WsConn *conn = ws_conn_new (context, dial->url.host);
  gboolean link = strcmp (dial->url.path, "/link") == 0;
  struct lws_client_connect_info info = {
    .context = context->lws, .vhost = context->vhost, .address = dial->url.host, .port = dial->url.port, .path = dial->url.path, .host = host,
    .protocol = link ? ws_protocol_link : ws_protocol_stream, .local_protocol_name = ws_protocol_stream, .ssl_connection = LCCSCF_USE_SSL,
    .opaque_user_data = conn, .pwsi = &conn->wsi, .retry_and_idle_policy = &context->validity, .alpn = "http/1.1",
  };

  ws_stream_begin (conn, dial_opened);
  ws_conn_ref (conn);
  if (lws_client_connect_via_info (&info) == NULL && !conn->gone) {
    ws_conn_gone (conn);
    dial_gone (conn);
  }
  ws_conn_unref (conn);
}

static void
dial_end (WsContext *context)
{
  dial_free (context->user);
}

static const WsHooks dial_hooks = { .failed = dial_failed, .client_gone = dial_gone, .streamless = ask_for_end, .end = dial_end };

void
ws_dial (const char *url, const char *ca_file, FarRequest *req)
{
  const WsContextSpec spec = { .name = "ws-dial", .buffer = 32768, .links = 4096, .header_max = 4096, .max_connections = 8 };
  Dial *dial = g_new0 (Dial, 1);
  WsTls tls = { .purpose = FAR_PURPOSE_PEOPLE_SERVER };
  GError *error = NULL;
  WsContext *context = NULL;

  dial->req = far_request_ref (req);
  if (ws_url_parse (url, "/link", &dial->url, &error)) {
    tls.ca = g_strdup (ca_file);
    tls.name = g_strdup (dial->url.host);
    context = ws_context_new (NULL, &spec, &tls, &dial_hooks, NULL, dial, &error);
  }
  ws_tls_clear (&tls);
  if (context == NULL) {
    far_request_fail (req, error);
    return; /* the context's end has freed dial, when there was one */
  }
  far_home_post (context->home, dial_begin, context);
  ws_context_run (context);
}
