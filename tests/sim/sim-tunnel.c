/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tunnels of a simulated fleet: reserved by the cloud, dialled by a terminal, lost with its wire, and ended
 * at their deadline by each end for itself. No bytes go through: what is played is who is told what, and
 * when. */
#include "config.h"

#include "sim/sim.h"

#include <string.h>

typedef struct {
  SimNode *node; /* NULL: this end is over, or has not begun */
  FarCarrier *carrier;
} SimEnd;

typedef struct {
  char *session;
  SimNode *terminal;
  SimEnd ends[2]; /* of the cloud, of the terminal */
  gboolean up;
  gint64 length_us, deadline_us; /* 0: not up yet */
} SimTunnel;

static void
tunnel_free (gpointer data)
{
  SimTunnel *tunnel = data;

  g_free (tunnel->session);
  g_free (tunnel);
}

void
sim_tunnels_begin (Sim *sim)
{
  sim->tunnels = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, tunnel_free);
}

/* ---- what an end is told ---- */

typedef struct {
  Sim *sim;
  char *session;
  guint end;
  FarCarrierEventKind kind;
  const char *cause; /* interned */
} SimSaid;

static void
said_free (gpointer data)
{
  SimSaid *said = data;

  g_free (said->session);
  g_free (said);
}

static void
tunnel_tell (SimTunnel *tunnel, guint end, FarCarrierEventKind kind, const char *cause)
{
  SimEnd at = tunnel->ends[end];
  FarCarrierEvent event = { .kind = kind,
                            .cause = cause,
                            .from = "198.51.100.7",
                            .deadline_boot_us = kind == FAR_CARRIER_UP ? tunnel->deadline_us : 0 };

  if (kind == FAR_CARRIER_ENDED)
    tunnel->ends[end].node = NULL;
  far_carrier_tell (at.carrier, &event);
}

/* Runs for the node of that end. */
static void
say (gpointer data)
{
  SimSaid *said = data;
  SimTunnel *tunnel = g_hash_table_lookup (said->sim->tunnels, said->session);

  if (tunnel != NULL && tunnel->ends[said->end].node != NULL)
    tunnel_tell (tunnel, said->end, said->kind, said->cause);
  if (tunnel != NULL && tunnel->ends[0].node == NULL && tunnel->ends[1].node == NULL)
    g_hash_table_remove (said->sim->tunnels, said->session);
  said_free (said);
}

static void
say_at (SimTunnel *tunnel, guint end, gint64 at_us, FarCarrierEventKind kind, const char *cause)
{
  SimNode *node = tunnel->ends[end].node;
  SimSaid *said;

  if (node == NULL || node->tunnel == NULL)
    return;
  said = g_new (SimSaid, 1);
  *said = (SimSaid){ node->sim, g_strdup (tunnel->session), end, kind, g_intern_string (cause) };
  far_instance_after (node->tunnel->at, at_us, say, said, said_free);
}

/* ---- the cloud ---- */

static void
ports_free (gpointer ports)
{
  far_tunnel_free (ports);
}

void
sim_tunnel_reserve (Memory *at, const FarCarrierSpec *spec, FarCarrier *carrier, FarRequest *req)
{
  SimNode *cloud = at->net;
  SimTunnel *tunnel = g_new0 (SimTunnel, 1);
  FarTunnel *ports = g_new0 (FarTunnel, 1);

  tunnel->session = g_strdup (spec->session);
  tunnel->terminal = sim_terminal (cloud->sim, spec->peer);
  tunnel->ends[0] = (SimEnd){ cloud, carrier };
  tunnel->length_us = spec->length_us;
  g_hash_table_replace (cloud->sim->tunnels, tunnel->session, tunnel);
  ports->x = 20000;
  ports->y = spec->entry == FAR_ENTRY_PORTS ? 20001 : 0;
  ports->y_host = g_strdup (cloud->from);
  ports->part = json_pack ("{s:s+, s:s, s:i}", "address", cloud->from, ":2222", "host_key",
                           "ssh-ed25519 AAAA", "x", (int) ports->x);
  far_request_done (req, ports, ports_free);
}

/* ---- the terminal ---- */

typedef struct {
  Sim *sim;
  char *session;
  FarRequest *req;
} SimDial;

static void
dial_free (gpointer data)
{
  SimDial *dial = data;

  far_request_unref (dial->req);
  g_free (dial->session);
  g_free (dial);
}

/* Both timers start with the first acknowledgement. */
static void
tunnel_up (SimTunnel *tunnel)
{
  gint64 now = far_clock_boottime_us ();

  tunnel->up = TRUE;
  if (tunnel->deadline_us == 0) {
    tunnel->deadline_us = now + tunnel->length_us;
    tunnel->terminal->sim->count.tunnels++;
    say_at (tunnel, 0, tunnel->deadline_us, FAR_CARRIER_ENDED, "deadline");
  }
  say_at (tunnel, 1, tunnel->deadline_us, FAR_CARRIER_ENDED, "deadline");
  say_at (tunnel, 0, now, FAR_CARRIER_UP, NULL);
  say_at (tunnel, 1, now, FAR_CARRIER_UP, NULL);
}

/* Runs for the terminal. */
static void
dial_arrives (gpointer data)
{
  SimDial *dial = data;
  SimTunnel *tunnel = g_hash_table_lookup (dial->sim->tunnels, dial->session);

  if (far_request_ended (dial->req)) {
    dial_free (dial);
    return;
  }
  if (tunnel == NULL || tunnel->ends[0].node == NULL)
    far_request_fail_new (dial->req, FAR_ERROR_DENIED, "no such session");
  else if (!tunnel->terminal->wired || tunnel->terminal->silent)
    far_request_fail_new (dial->req, FAR_ERROR_UNAVAILABLE, "no way");
  else {
    far_request_done (dial->req, NULL, NULL);
    tunnel_up (tunnel);
  }
  dial_free (dial);
}

void
sim_tunnel_open (Memory *from, const FarCarrierOpen *spec, FarCarrier *carrier, FarRequest *req)
{
  SimNode *node = from->net;
  SimTunnel *tunnel = g_hash_table_lookup (node->sim->tunnels, spec->session);
  SimDial *dial = g_new (SimDial, 1);

  if (tunnel == NULL) { /* the cloud has none: this end is there all the same, until it is ended */
    tunnel = g_new0 (SimTunnel, 1);
    tunnel->session = g_strdup (spec->session);
    tunnel->terminal = node;
    g_hash_table_replace (node->sim->tunnels, tunnel->session, tunnel);
  }
  tunnel->ends[1] = (SimEnd){ node, carrier };
  *dial = (SimDial){ node->sim, g_strdup (spec->session), far_request_ref (req) };
  far_instance_after (from->at, far_clock_boottime_us () + 100 * G_TIME_SPAN_MILLISECOND, dial_arrives, dial,
                      dial_free);
}

/* ---- ends ---- */

void
sim_tunnel_end (Memory *at, FarCarrier *carrier, const char *cause)
{
  SimNode *node = at->net;
  SimTunnel *tunnel = g_hash_table_lookup (node->sim->tunnels, far_carrier_session (carrier));
  gint64 now = far_clock_boottime_us ();

  if (tunnel == NULL)
    return;
  say_at (tunnel, node->number == 0 ? 0 : 1, now, FAR_CARRIER_ENDED, cause);
  if (tunnel->up)
    say_at (tunnel, node->number == 0 ? 1 : 0, now + 100 * G_TIME_SPAN_MILLISECOND, FAR_CARRIER_LOST,
            "the other end went");
  tunnel->up = FALSE;
}

void
sim_tunnels_lose (SimNode *terminal)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, terminal->sim->tunnels);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    SimTunnel *tunnel = value;

    if (tunnel->terminal != terminal || !tunnel->up)
      continue;
    tunnel->up = FALSE;
    terminal->sim->count.lost++;
    for (guint end = 0; end < 2; end++)
      say_at (tunnel, end, far_clock_boottime_us (), FAR_CARRIER_LOST, "the link is down");
  }
}

/* Its transport stops: each end of this node is told at once. */
void
sim_tunnels_gone (SimNode *node)
{
  g_autoptr (GList) all = g_hash_table_get_values (node->sim->tunnels);
  guint end = node->number == 0 ? 0 : 1;

  for (GList *at = all; at != NULL; at = at->next) {
    SimTunnel *tunnel = at->data;

    if (tunnel->ends[end].node != node)
      continue;
    if (tunnel->up)
      say_at (tunnel, !end, far_clock_boottime_us (), FAR_CARRIER_LOST, "the other end went");
    tunnel->up = FALSE;
    tunnel_tell (tunnel, end, FAR_CARRIER_ENDED, "stopped");
    if (tunnel->ends[!end].node == NULL)
      g_hash_table_remove (node->sim->tunnels, tunnel->session);
  }
}

guint
sim_tunnels_late (Sim *sim)
{
  gint64 now = far_clock_boottime_us ();
  GHashTableIter iter;
  gpointer value;
  guint late = 0;

  g_hash_table_iter_init (&iter, sim->tunnels);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const SimTunnel *tunnel = value;

    late += tunnel->deadline_us != 0 && now > tunnel->deadline_us + G_TIME_SPAN_SECOND;
  }
  return late;
}
