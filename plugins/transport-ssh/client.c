/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "dial.h"

#include <string.h>

#define NAMES_WAITING 32

struct _Client {
  FarInstance *at;
  GHashTable *tunnels; /* session → Tunnel */
};

struct _Tunnel {
  Client *client;
  char *session;
  FarTunnelFunc events;
  gpointer user;
  void (*arrived) (const char *session, const char *from, FarHome *home, FarRequest *req, gpointer user);
  Dial *dial;            /* the carrier, NULL: none */
  guint64 up, down;
  gint64 deadline_us;
  char *ending;          /* asked to end: why */
};

static void
tunnel_drop_dial (Tunnel *tunnel)
{
  if (tunnel->dial == NULL)
    return;
  tunnel->dial->tunnel = NULL;
  g_clear_pointer (&tunnel->dial, dial_unref);
}

static void
tunnel_free (gpointer data)
{
  Tunnel *tunnel = data;

  if (tunnel->dial != NULL)
    dial_end (tunnel->dial, "stopped");
  tunnel_drop_dial (tunnel);
  g_free (tunnel->session);
  g_free (tunnel->ending);
  g_free (tunnel);
}

Client *
client_new (FarInstance *at)
{
  Client *client = g_new0 (Client, 1);

  client->at = at;
  client->tunnels = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, tunnel_free);
  return client;
}

void
client_free (Client *client)
{
  if (client == NULL)
    return;
  g_hash_table_unref (client->tunnels);
  g_free (client);
}

guint
client_count (Client *client)
{
  return g_hash_table_size (client->tunnels);
}

/* ---- events ---- */

static void
tunnel_tell (Tunnel *tunnel, FarTunnelEventKind kind, const char *cause, const char *from)
{
  FarTunnelEvent event = { .kind = kind, .session = tunnel->session, .cause = cause, .from = from, .bytes_up = tunnel->up,
                           .bytes_down = tunnel->down, .deadline_boot_us = tunnel->deadline_us };

  tunnel->events (&event, tunnel->user);
}

static void
tunnel_ended (Tunnel *tunnel, const char *cause)
{
  g_autofree char *why = g_strdup (cause);

  g_hash_table_steal (tunnel->client->tunnels, tunnel->session);
  tunnel_drop_dial (tunnel);
  tunnel_tell (tunnel, FAR_TUNNEL_ENDED, why, NULL);
  tunnel_free (tunnel);
}

void
tunnel_up (Dial *dial)
{
  far_request_done (dial->req, NULL, NULL);
  if (dial->tunnel == NULL)
    return;
  dial->tunnel->deadline_us = dial->deadline_us;
  tunnel_tell (dial->tunnel, FAR_TUNNEL_UP, NULL, NULL);
}

void
tunnel_down (Dial *dial, const char *cause)
{
  Tunnel *tunnel = dial->tunnel;
  gboolean was_up = dial->step == DIAL_UP;

  far_request_fail_new (dial->req, dial->code, "tunnel end %s: %s", dial->address, cause);
  if (tunnel == NULL)
    return;
  tunnel_drop_dial (tunnel);
  if (tunnel->ending != NULL)
    tunnel_ended (tunnel, tunnel->ending);
  else if (g_strcmp0 (cause, "deadline") == 0)
    tunnel_ended (tunnel, cause);
  else if (was_up)
    tunnel_tell (tunnel, FAR_TUNNEL_LOST, cause, NULL);
}

void
tunnel_arrived (Dial *dial, const char *from, FarRequest *req)
{
  if (dial->tunnel != NULL)
    dial->tunnel->arrived (dial->session, from, dial->home, req, dial->tunnel->user);
  else
    far_request_fail_new (req, FAR_ERROR_CONFLICT, "the session has ended");
}

void
tunnel_event (Dial *dial, FarTunnelEventKind kind, const char *cause, const char *from)
{
  if (dial->tunnel != NULL)
    tunnel_tell (dial->tunnel, kind, cause, from);
}

void
tunnel_count (Dial *dial, guint64 up, guint64 down)
{
  if (dial->tunnel == NULL)
    return;
  dial->tunnel->up += up;
  dial->tunnel->down += down;
}

/* ---- dialling ---- */

static struct addrinfo *
look_up (const Dial *dial, int flags, int *why)
{
  struct addrinfo hints = { .ai_flags = flags | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
  struct addrinfo *found = NULL;
  char service[8];

  g_snprintf (service, sizeof service, "%u", dial->port);
  *why = getaddrinfo (dial->host, service, &hints, &found);
  return *why == 0 ? found : NULL;
}

/* [lane] */
static void
client_resolve (FarRequest *req, gpointer data)
{
  Dial *dial = data;
  int why = 0;

  dial->found = look_up (dial, 0, &why);
  if (dial->found != NULL)
    far_request_done (req, NULL, NULL);
  else
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "its name is not found: %s", gai_strerror (why));
}

static void
client_resolved (FarRequest *req, gpointer user)
{
  Dial *dial = user;

  if (far_request_error (req) != NULL)
    tunnel_down (dial, far_request_error (req)->message);
  else
    dial_begin (dial);
  dial_unref (dial);
}

static Tunnel *
client_tunnel (Client *client, const FarDialSpec *spec, FarTunnelFunc events, gpointer user)
{
  Tunnel *tunnel = g_hash_table_lookup (client->tunnels, spec->session);

  if (tunnel == NULL) {
    tunnel = g_new0 (Tunnel, 1);
    tunnel->client = client;
    tunnel->session = g_strdup (spec->session);
    g_hash_table_insert (client->tunnels, tunnel->session, tunnel);
  }
  tunnel->events = events;
  tunnel->user = user;
  tunnel->arrived = spec->arrived;
  return tunnel;
}

/* A new carrier takes the place of the one before. */
static void
client_use (Tunnel *tunnel, Dial *dial)
{
  if (tunnel->dial != NULL) {
    dial_end (tunnel->dial, "replaced");
    tunnel_drop_dial (tunnel);
  }
  tunnel->dial = dial;
  dial->tunnel = tunnel;
}

static void
client_find_host (Dial *dial)
{
  int why = 0;

  dial->found = look_up (dial, AI_NUMERICHOST, &why);
  if (dial->found != NULL)
    dial_begin (dial);
  else
    far_run_blocking ("names", NAMES_WAITING, client_resolve, dial, NULL, far_request_new (client_resolved, dial_ref (dial), 0));
}

void
client_dial (Client *client, const FarDialSpec *spec, FarTunnelFunc events, gpointer user, FarRequest *req)
{
  g_autofree char *host = NULL;
  GError *error = NULL;
  guint16 port = 0;

  /* the record comes first: whoever dials may count on ENDED */
  Tunnel *tunnel = client_tunnel (client, spec, events, user);
  if (spec->host_key == NULL || strchr (spec->host_key, ' ') == NULL) {
    far_request_fail_new (req, FAR_ERROR_DENIED, "tunnel end %s: its host key is not known", spec->address);
    return;
  }
  if (!far_parse_address (spec->address, &host, &port, &error)) {
    far_request_fail (req, error);
    return;
  }
  client_use (tunnel, dial_new (spec, host, port, req));
  client_find_host (tunnel->dial);
}

/* ---- ending ---- */

static void
client_ended_late (gpointer data)
{
  Tunnel *tunnel = data;

  tunnel_tell (tunnel, FAR_TUNNEL_ENDED, tunnel->ending, NULL);
  tunnel_free (tunnel);
}

gboolean
client_end (Client *client, const char *session, const char *cause)
{
  Tunnel *tunnel = g_hash_table_lookup (client->tunnels, session);

  if (tunnel == NULL)
    return FALSE;
  if (tunnel->ending == NULL)
    tunnel->ending = g_strdup (cause != NULL ? cause : "closed");
  if (tunnel->dial != NULL) {
    dial_end (tunnel->dial, tunnel->ending);
  } else { /* nothing to wait for, but never inside this call */
    g_hash_table_steal (client->tunnels, session);
    far_home_post (far_home_main (), client_ended_late, tunnel);
  }
  return TRUE;
}

gboolean
client_set_deadline (Client *client, const char *session, gint64 boottime_us)
{
  Tunnel *tunnel = g_hash_table_lookup (client->tunnels, session);

  if (tunnel == NULL)
    return FALSE;
  tunnel->deadline_us = boottime_us;
  if (tunnel->dial != NULL)
    dial_move_deadline (tunnel->dial, boottime_us);
  return TRUE;
}
