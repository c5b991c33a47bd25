/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The accept gate: counts who is in, and bounds what a peer may take before it has logged in. */
#include "config.h"

#include <farwatch/clock.h>
#include <farwatch/gate.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

#include <farwatch/i18n.h>

struct _FarGate {
  char *name;
  FarGateLimits limits;
  GStrv trusted;
  GMutex lock;
  GHashTable *waiting; /* net → connections not verified */
  guint total, unverified;
  guint64 refused;
};

struct _FarPass {
  FarGate *gate;
  int fd;
  char *net; /* NULL: not counted by address */
  gint64 entered_us;
  gboolean verified;
};

FarGate *
far_gate_new (const char *name, const FarGateLimits *limits)
{
  FarGate *gate = g_new0 (FarGate, 1);
  gate->name = g_strdup (name);
  gate->limits = *limits;
  gate->trusted = g_strdupv ((char **) limits->trusted);
  gate->limits.trusted = NULL;
  gate->waiting = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_mutex_init (&gate->lock);
  return gate;
}

void
far_gate_set_limits (FarGate *gate, const FarGateLimits *limits)
{
  g_mutex_lock (&gate->lock);
  gate->limits = *limits;
  gate->limits.trusted = NULL;
  g_mutex_unlock (&gate->lock);
  g_strfreev (gate->trusted);
  gate->trusted = g_strdupv ((char **) limits->trusted);
}

void
far_gate_free (FarGate *gate)
{
  if (gate == NULL)
    return;
  g_hash_table_unref (gate->waiting);
  g_strfreev (gate->trusted);
  g_mutex_clear (&gate->lock);
  g_free (gate->name);
  g_free (gate);
}

static gboolean
is_trusted (FarGate *gate, const char *address)
{
  for (guint i = 0; gate->trusted != NULL && gate->trusted[i] != NULL; i++)
    if (far_address_in (address, gate->trusted[i], NULL))
      return TRUE;
  return FALSE;
}

/* Who counts as one: an IPv4 address, the /64 of an IPv6 address. NULL: nobody counts this peer. */
static char *
net_of (FarGate *gate, const struct sockaddr *address)
{
  if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
    return NULL;
  g_autofree char *text = far_address_text (address);
  if (is_trusted (gate, text))
    return NULL;
  if (strchr (text, ':') == NULL)
    return g_steal_pointer (&text);
  const guint8 *bytes = ((const struct sockaddr_in6 *) (const void *) address)->sin6_addr.s6_addr;
  return g_strdup_printf ("%02x%02x:%02x%02x:%02x%02x:%02x%02x/64", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7]);
}

static guint
count_of (FarGate *gate, const char *net)
{
  return net != NULL ? GPOINTER_TO_UINT (g_hash_table_lookup (gate->waiting, net)) : 0;
}

/* 0 in the limits: no limit. */
static const char *
why_not (FarGate *gate, const char *net)
{
  const FarGateLimits *limits = &gate->limits;
  if (limits->total != 0 && gate->total >= limits->total)
    return _("too many connections");
  if (limits->unverified_total != 0 && gate->unverified >= limits->unverified_total)
    return _("too many connections that have not logged in");
  if (limits->per_address != 0 && net != NULL && count_of (gate, net) >= limits->per_address)
    return _("too many connections from this address that have not logged in");
  return NULL;
}

static void
count_in (FarGate *gate, const char *net)
{
  gate->total++;
  gate->unverified++;
  if (net != NULL)
    g_hash_table_insert (gate->waiting, g_strdup (net), GUINT_TO_POINTER (count_of (gate, net) + 1));
}

static void
no_longer_waits (FarPass *pass)
{
  FarGate *gate = pass->gate;
  guint n = count_of (gate, pass->net);
  gate->unverified--;
  pass->verified = TRUE;
  if (n > 1)
    g_hash_table_insert (gate->waiting, g_strdup (pass->net), GUINT_TO_POINTER (n - 1));
  else if (n == 1)
    g_hash_table_remove (gate->waiting, pass->net);
}

FarPass *
far_gate_enter (FarGate *gate, int fd, const struct sockaddr *address, GError **error)
{
  g_autofree char *net = net_of (gate, address);
  g_mutex_lock (&gate->lock);
  const char *cause = why_not (gate, net);
  if (cause == NULL)
    count_in (gate, net);
  else
    gate->refused++;
  g_mutex_unlock (&gate->lock);
  if (cause != NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_LIMIT, "%s: %s", gate->name, cause);
    return NULL;
  }
  FarPass *pass = g_new0 (FarPass, 1);
  *pass = (FarPass){ gate, fd, g_steal_pointer (&net), far_clock_boottime_us (), FALSE };
  return pass;
}

void
far_gate_verified (FarPass *pass)
{
  g_mutex_lock (&pass->gate->lock);
  if (!pass->verified)
    no_longer_waits (pass);
  g_mutex_unlock (&pass->gate->lock);
}

static guint64
bytes_received (int fd)
{
  struct tcp_info info = { 0 };
  socklen_t size = sizeof info;
  return getsockopt (fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
}

gboolean
far_gate_over (FarPass *pass, const char **cause)
{
  if (pass->verified)
    return FALSE;
  if (far_clock_boottime_us () - pass->entered_us >= FAR_GATE_SECONDS * (gint64) G_USEC_PER_SEC)
    *cause = "too slow";
  else if (pass->fd >= 0 && bytes_received (pass->fd) > FAR_GATE_BYTES)
    *cause = "too many bytes before login";
  else
    return FALSE;
  return TRUE;
}

void
far_gate_leave (FarPass *pass)
{
  if (pass == NULL)
    return;
  FarGate *gate = pass->gate;
  g_mutex_lock (&gate->lock);
  if (!pass->verified)
    no_longer_waits (pass);
  gate->total--;
  g_mutex_unlock (&gate->lock);
  g_free (pass->net);
  g_free (pass);
}

void
far_gate_counts (FarGate *gate, guint *now, guint *unverified, guint64 *refused)
{
  g_mutex_lock (&gate->lock);
  *now = gate->total;
  *unverified = gate->unverified;
  *refused = gate->refused;
  g_mutex_unlock (&gate->lock);
}
