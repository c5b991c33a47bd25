/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words of routes: CALLER~CALLEE~MAC. A name of an account has no '~'. */
#include "config.h"

#include "route.h"

#include <sodium.h>
#include <string.h>

#define MAC 16

static void
route_mac (const guint8 key[SIP_ROUTE_KEY], const char *names, char hex[2 * MAC + 1])
{
  guint8 mac[MAC];
  crypto_generichash (mac, sizeof mac, (const guint8 *) names, strlen (names), key, SIP_ROUTE_KEY);
  sodium_bin2hex (hex, 2 * MAC + 1, mac, sizeof mac);
}

char *
sip_route_word (const guint8 key[SIP_ROUTE_KEY], const char *caller, const char *callee)
{
  g_autofree char *names = g_strdup_printf ("%s~%s", caller, callee);
  char hex[2 * MAC + 1];
  route_mac (key, names, hex);
  return g_strdup_printf ("%s~%s", names, hex);
}

char *
sip_route_other (const guint8 key[SIP_ROUTE_KEY], const char *word, const char *asker)
{
  g_auto (GStrv) parts = g_strsplit (word, "~", 4);
  g_autofree char *names = NULL;
  char hex[2 * MAC + 1];
  if (g_strv_length (parts) != 3 || strlen (parts[2]) != 2 * MAC)
    return NULL;
  names = g_strdup_printf ("%s~%s", parts[0], parts[1]);
  route_mac (key, names, hex);
  if (sodium_memcmp (hex, parts[2], 2 * MAC) != 0)
    return NULL;
  if (strcmp (parts[0], asker) == 0)
    return g_strdup (parts[1]);
  return strcmp (parts[1], asker) == 0 ? g_strdup (parts[0]) : NULL;
}
