/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header describes URLs of servers, like "wss://host:port/path" and "wss://[2001:db8::1]:8443/link".
 * [any thread] */
#pragma once
#include <glib.h>

typedef struct {
  char *host;
  guint16 port;
  char *path;
} WsUrl;

void ws_url_clear (WsUrl *url);
/* FAR_ERROR_INVALID. No path: fallback. */
gboolean ws_url_parse (const char *text, const char *fallback, WsUrl *url, GError **error);
/* "host:port", brackets around an IPv6 address. */
char *ws_url_host_header (const WsUrl *url);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (WsUrl, ws_url_clear)
