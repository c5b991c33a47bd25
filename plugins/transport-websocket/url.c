/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wss:// URLs: split, judged, and as a Host field. */
#include "config.h"

#include "url.h"

#include <string.h>

#include <farwatch/error.h>
#include <farwatch/i18n.h>
#include <farwatch/option.h>

#define SCHEME "wss://"
#define PORT_DEFAULT 443

void
ws_url_clear (WsUrl *url)
{
  g_clear_pointer (&url->host, g_free);
  g_clear_pointer (&url->path, g_free);
}

static gboolean
path_ok (const char *path)
{
  for (; *path != 0; path++)
    if (*path <= ' ' || *path > '~')
      return FALSE;
  return TRUE;
}

/* Without a port the scheme's own. */
static gboolean
ws_url_split_address (const char *address, WsUrl *url, GError **error)
{
  const char *colon = strrchr (address, ':');
  g_autofree char *with_port = NULL;

  if (colon != NULL && strchr (colon, ']') == NULL)
    return far_parse_address (address, &url->host, &url->port, error);
  with_port = g_strdup_printf ("%s:%d", address, PORT_DEFAULT);
  return far_parse_address (with_port, &url->host, &url->port, error);
}

gboolean
ws_url_parse (const char *text, const char *fallback, WsUrl *url, GError **error)
{
  g_autofree char *address = NULL;
  const char *slash;

  if (!g_str_has_prefix (text, SCHEME)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("'%s': write wss://host:port"), text);
    return FALSE;
  }
  text += strlen (SCHEME);
  slash = strchr (text, '/');
  address = slash == NULL ? g_strdup (text) : g_strndup (text, (gsize) (slash - text));
  if (!ws_url_split_address (address, url, error))
    return FALSE;
  url->path = g_strdup (slash == NULL || slash[1] == 0 ? fallback : slash);
  if (url->host[0] != 0 && strchr (url->host, '@') == NULL && url->port != 0 && path_ok (url->path))
    return TRUE;
  ws_url_clear (url);
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("'%s%s': write wss://host:port"), SCHEME, text);
  return FALSE;
}

char *
ws_url_host_header (const WsUrl *url)
{
  const char *open = strchr (url->host, ':') != NULL ? "[" : "", *shut = open[0] != 0 ? "]" : "";

  return g_strdup_printf ("%s%s%s:%u", open, url->host, shut, url->port);
}
