/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses as text, and nets. An IPv4 address inside IPv6 (::ffff:192.0.2.1) is that IPv4 address. */
#include "config.h"

#include <farwatch/gate.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/option.h>

typedef struct {
  guint8 bytes[16];
  guint bits; /* 32 or 128 */
} Address;

static void
address_from_v6 (Address *out, const struct in6_addr *in)
{
  gboolean mapped = IN6_IS_ADDR_V4MAPPED (in);

  out->bits = mapped ? 32 : 128;
  memcpy (out->bytes, in->s6_addr + (mapped ? 12 : 0), out->bits / 8);
}

static gboolean
address_parse (const char *text, Address *out)
{
  struct in6_addr v6;

  if (inet_pton (AF_INET, text, out->bytes) == 1) {
    out->bits = 32;
    return TRUE;
  }
  if (inet_pton (AF_INET6, text, &v6) != 1)
    return FALSE;
  address_from_v6 (out, &v6);
  return TRUE;
}

char *
far_address_text (const struct sockaddr *address)
{
  char text[INET6_ADDRSTRLEN];
  Address parsed;

  if (address != NULL && address->sa_family == AF_INET) {
    memcpy (parsed.bytes, &((const struct sockaddr_in *) (const void *) address)->sin_addr, 4);
    parsed.bits = 32;
  } else if (address != NULL && address->sa_family == AF_INET6) {
    address_from_v6 (&parsed, &((const struct sockaddr_in6 *) (const void *) address)->sin6_addr);
  } else {
    return g_strdup ("unix");
  }
  inet_ntop (parsed.bits == 32 ? AF_INET : AF_INET6, parsed.bytes, text, sizeof text);
  return g_strdup (text);
}

static gboolean
address_net (const char *net, Address *out, guint *bits)
{
  const char *slash = strchr (net, '/');
  g_autofree char *host = slash != NULL ? g_strndup (net, (gsize) (slash - net)) : g_strdup (net);
  guint64 n = 0;

  if (!address_parse (host, out))
    return FALSE;
  *bits = out->bits;
  if (slash == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (slash + 1, 10, 0, out->bits, &n, NULL))
    return FALSE;
  *bits = (guint) n;
  return TRUE;
}

static gboolean
address_same_bits (const Address *a, const Address *b, guint bits)
{
  guint whole = bits / 8, rest = bits % 8;

  if (memcmp (a->bytes, b->bytes, whole) != 0)
    return FALSE;
  return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

gboolean
far_address_in (const char *text, const char *net, GError **error)
{
  Address address, base;
  guint bits;

  if (g_str_equal (net, "unix"))
    return g_str_equal (text, "unix");
  if (!address_net (net, &base, &bits)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 _ ("'%s' is no net: write 192.0.2.0/24, 2001:db8::/32 or an address"), net);
    return FALSE;
  }
  /* not in it; lint: allow silent */
  return address_parse (text, &address) && address.bits == base.bits &&
         address_same_bits (&address, &base, bits);
}

/* *port 0: any. FALSE: of no form that is meant. */
static gboolean
address_item (const char *item, char **host, guint16 *port)
{
  g_autofree char *with_port = g_strconcat (item, ":1", NULL);
  guint16 unused_port;
  Address unused;
  guint bits;

  *port = 0;
  if (g_str_equal (item, "unix") || address_net (item, &unused, &bits)) {
    *host = g_strdup (item);
    return TRUE;
  }
  if (far_parse_address (item, host, port, NULL))
    return *port != 0;
  return far_parse_address (with_port, host, &unused_port, NULL);
}

gboolean
far_address_at (const char *host, guint16 port, const char *item, GError **error)
{
  g_autofree char *wanted = NULL;
  guint16 wanted_port;

  if (!address_item (item, &wanted, &wanted_port)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 _ ("'%s' is no HOST, HOST:PORT or net, as in cloud.example:2222 or 192.0.2.0/24"), item);
    return FALSE;
  }
  /* not there; lint: allow silent */
  return (g_ascii_strcasecmp (host, wanted) == 0 || far_address_in (host, wanted, NULL)) &&
         (wanted_port == 0 || wanted_port == port);
}
