/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tool's way to a listener: one connection as a byte stream. Messages go over it as their frames. */
#include "config.h"

#include <string.h>

#include <farwatch/dial.h>

#include "stream.h"
#include "types.h"
#include "upgrade.h"

typedef struct {
  WsUrl url;
  FarTls *tls;
  FarRequest *req;
} WsDial;

static void
ws_dial_free (WsDial *dial)
{
  ws_url_clear (&dial->url);
  far_tls_unref (dial->tls);
  far_request_unref (dial->req);
  g_free (dial);
}

/* [loop] */
static void
dial_upgraded (FarStream *stream, const char *node, gint64 told_us, const GError *error, gpointer user)
{
  WsDial *dial = user;

  if (stream == NULL) {
    g_autofree char *where = ws_url_host_header (&dial->url);

    far_request_fail (dial->req, g_error_new (FAR_ERROR, error->code, "%s: %s", where, error->message));
  } else {
    far_request_done (dial->req, ws_stream_new (stream, TRUE, NULL, NULL), ws_stream_free_at_loop);
  }
  ws_dial_free (dial);
}

/* [main] */
static void
dial_connected (FarRequest *req, gpointer user)
{
  WsDial *dial = user;
  const char *protocol = strcmp (dial->url.path, "/link") == 0 ? "farwatch" : "farwatch-stream";

  if (far_request_error (req) != NULL) {
    far_request_fail (dial->req, g_error_copy (far_request_error (req)));
    ws_dial_free (dial);
    return;
  }
  ws_upgrade_unref (ws_upgrade (dial->tls, far_loop_pick (), far_dial_take (req), &dial->url, protocol,
                                dial_upgraded, dial));
}

void
ws_dial (const char *url, const char *ca_file, FarRequest *req)
{
  WsDial *dial = g_new0 (WsDial, 1);
  FarTlsSpec spec = { .ca = ca_file, .purpose = FAR_PURPOSE_PEOPLE_SERVER, .alpn = "http/1.1" };
  GError *error = NULL;

  dial->req = far_request_ref (req);
  if (ws_url_parse (url, "/link", &dial->url, &error)) {
    spec.name = dial->url.host;
    dial->tls = far_tls_new (&spec, &error);
  }
  if (dial->tls == NULL) {
    far_request_fail (req, error);
    ws_dial_free (dial);
    return;
  }
  far_dial (dial->url.host, dial->url.port,
            far_request_new (dial_connected, dial, WS_UPGRADE_SECONDS * 1000));
}
