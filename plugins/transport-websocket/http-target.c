/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file parses request targets and Host fields. They are the part of a head that most attacks on
 * proxies play with, so they are read by one strict grammar and nothing is repaired. */
#include "config.h"

#include "http-target.h"

#include <arpa/inet.h>
#include <string.h>

#define HOST_MAX 255

/* ---- hosts ---- */

/* The port may be empty (RFC 3986 section 3.2.3). */
static gboolean
is_port (const char *text, gsize size)
{
  guint port = 0;

  if (size > 5)
    return FALSE;
  for (gsize i = 0; i < size; i++) {
    if (!g_ascii_isdigit (text[i]))
      return FALSE;
    port = port * 10 + (guint) (text[i] - '0');
  }
  return port <= G_MAXUINT16;
}

/* [IPv6], without a zone: that would mean nothing here. */
static gsize
literal_size (const char *text, gsize size)
{
  const char *shut = memchr (text, ']', size);
  g_autofree char *address = shut != NULL ? g_strndup (text + 1, (gsize) (shut - text) - 1) : NULL;
  struct in6_addr none;

  return address != NULL && inet_pton (AF_INET6, address, &none) == 1 ? (gsize) (shut - text) + 1 : 0;
}

static gsize
name_size (const char *text, gsize size)
{
  gsize n = 0;

  while (n < size && (g_ascii_isalnum (text[n]) || (text[n] != 0 && strchr ("-._~", text[n]) != NULL)))
    n++;
  return n;
}

gboolean
ws_target_is_host (const char *text, gsize size)
{
  gsize n;

  if (size == 0)
    return FALSE;
  n = text[0] == '[' ? literal_size (text, size) : name_size (text, size);
  if (n == 0 || n > HOST_MAX)
    return FALSE;
  return n == size || (text[n] == ':' && is_port (text + n + 1, size - n - 1));
}

/* ---- targets ---- */

static const char *
after_scheme (const char *target)
{
  if (g_ascii_strncasecmp (target, "http://", 7) == 0)
    return target + 7;
  return g_ascii_strncasecmp (target, "https://", 8) == 0 ? target + 8 : NULL;
}

static gboolean
escapes_fit (const char *text)
{
  for (; (text = strchr (text, '%')) != NULL; text++)
    if (!g_ascii_isxdigit (text[1]) || !g_ascii_isxdigit (text[2]))
      return FALSE;
  return TRUE;
}

static gboolean
split_path (const char *text, WsTarget *out)
{
  out->path_size = strcspn (text, "?");
  out->path = out->path_size > 0 ? text : "/";
  out->path_size = MAX (out->path_size, 1);
  out->query = strchr (text, '?');
  if (out->query != NULL)
    out->query++;
  return escapes_fit (text);
}

gboolean
ws_target_split (const char *method, const char *target, WsTarget *out)
{
  *out = (WsTarget){ .path = target, .path_size = strlen (target) };
  if (strcmp (method, "CONNECT") == 0)
    return strchr (target, ':') != NULL && ws_target_is_host (target, out->path_size);
  if (strcmp (target, "*") == 0)
    return TRUE;
  if (target[0] == '/')
    return split_path (target, out);
  out->host = after_scheme (target);
  if (out->host == NULL)
    return FALSE;
  out->host_size = strcspn (out->host, "/?");
  return ws_target_is_host (out->host, out->host_size) && split_path (out->host + out->host_size, out);
}

gboolean
ws_target_decode (char *path)
{
  char *to = path;

  for (const char *from = path; *from != 0; from++, to++) {
    int c = (guint8) *from;

    if (c == '%') {
      c = g_ascii_xdigit_value (from[1]) * 16 + g_ascii_xdigit_value (from[2]);
      from += 2;
    }
    if (c < ' ' || c == 0x7f)
      return FALSE;
    *to = (char) c;
  }
  *to = 0;
  return g_utf8_validate (path, -1, NULL);
}
