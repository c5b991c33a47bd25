/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fleet in one process: a cloud and its terminals, each a whole node with its own state directory, on one
 * fake clock, joined by wires in memory. All that chance decides comes from one seed. */
#pragma once
#include <farwatch/plugin.h>

#include "base/node-part.h"
#include "fixtures/transport-memory.h"

typedef struct _Sim Sim;

typedef struct {
  Sim *sim;
  guint number; /* of a terminal, from 1; 0: the cloud */
  char *id, *dir, *from;
  FarNode *node; /* NULL: it is down */
  Memory *link, *tunnel;
  /* terminals: the wire to the cloud */
  gboolean wired, silent; /* silent: it takes what is sent and brings nothing */
  FarLoopTimer *wire_timer;
  GList *calls;      /* of SimCall, on their way */
  GHashTable *given; /* gint64 value of the sensor → how often the cloud must have it: once */
} SimNode;

struct _Sim {
  guint32 seed;
  GRand *chance; /* for what happens when: the same plan from the same seed */
  GRand *noise;  /* for how long a message takes */
  char *dir;
  SimNode *cloud;
  GPtrArray *terminals; /* of SimNode */
  GHashTable *tunnels;  /* session → SimTunnel */
  GPtrArray *sessions;  /* ids of those that the cloud let somebody have */
  guint late;           /* tunnels seen behind their deadline */
  gint64 full_us;       /* until when no disk took anything */
  gboolean calm;        /* the day is over: no more answer is lost */
  gint64 closed_us;     /* what is measured later is not looked for; 0: it is */
  struct {
    guint cuts, torn, silences, restarts, clouds, full, steps, messages, tunnels, lost, refused;
  } count;
};

/* ---- sim-time.c ---- */

/* Runs all nodes until the fake clock shows that time, as fast as they go: it moves when nobody has anything
 * to do, main or thread. */
void sim_run_until (Sim *sim, gint64 boottime_us);
/* Until done() or a minute of the nodes' time. */
gboolean sim_run (Sim *sim, gboolean (*done) (gpointer data), gpointer data);

/* ---- sim-node.c ---- */

SimNode *sim_node_new (Sim *sim, guint number);
void sim_node_start (SimNode *node);
void sim_node_stop (SimNode *node);
void sim_node_free (gpointer node);
/* Makes its keys, and has the cloud sign them. */
void sim_node_enrol (SimNode *node);
/* What the cloud answers to its root; a new reference. *status. */
json_t *sim_ask (Sim *sim, const char *person, const char *method, const char *resource,
                 json_t *body /* takes */, guint *status);

/* ---- sim-tunnel.c ---- */

void sim_tunnels_begin (Sim *sim);
void sim_tunnel_reserve (Memory *at, const FarCarrierSpec *spec, FarCarrier *carrier, FarRequest *req);
void sim_tunnel_open (Memory *from, const FarCarrierOpen *spec, FarCarrier *carrier, FarRequest *req);
void sim_tunnel_end (Memory *at, FarCarrier *carrier, const char *cause);
/* The terminal's wire is cut; the node's plug is pulled. */
void sim_tunnels_lose (SimNode *terminal);
void sim_tunnels_gone (SimNode *node);
/* How many have an end that goes on a second behind their deadline. */
guint sim_tunnels_late (Sim *sim);

/* ---- sim-wire.c ---- */

SimNode *sim_terminal (Sim *sim, const char *id); /* NULL: none */

void sim_plug (SimNode *node);
void sim_wire_up (SimNode *terminal);
void sim_wire_cut (SimNode *terminal, const char *cause);
/* Cuts it, and mends it so long after. */
void sim_wire_break (SimNode *terminal, gint64 for_us);
