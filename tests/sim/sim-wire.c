/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wires of a simulated fleet: a message takes some milliseconds each way, in the form it has on a real
 * link; a wire is cut or falls silent when chance says so. What is under way then fails, as with a real link.
 * A tunnel is its events and its deadline: no bytes go through it. */
#include "config.h"

#include "sim/sim.h"

#include <string.h>

#include "life/instance-private.h"

#define TORN_EACH 100

typedef struct {
  gint refs;
  SimNode *terminal, *from, *to;
  FarRequest *req;
  GBytes *bytes;
  gboolean asked, over;
} SimCall;

static gint64
latency_at (Sim *sim)
{
  return far_clock_boottime_us () + g_rand_int_range (sim->noise, 1000, 200000);
}

static void
call_unref (gpointer data)
{
  SimCall *call = data;

  if (--call->refs > 0)
    return;
  far_request_unref (call->req);
  g_bytes_unref (call->bytes);
  g_free (call);
}

static void
call_over (SimCall *call)
{
  call->over = TRUE;
  call->terminal->calls = g_list_remove (call->terminal->calls, call);
  call_unref (call);
}

static FarMessage *
message_of (GBytes *bytes)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (bytes, &size);
  FarMessage *message = far_message_decode (data, size, NULL);

  g_assert (message != NULL);
  return message;
}

/* ---- there ---- */

typedef struct {
  SimCall *call;
  GBytes *bytes;
} SimAnswer;

static void
answer_free (gpointer data)
{
  SimAnswer *answer = data;

  call_unref (answer->call);
  g_bytes_unref (answer->bytes);
  g_free (answer);
}

/* Runs for who asked. */
static void
answer_arrives (gpointer data)
{
  SimAnswer *answer = data;
  SimCall *call = answer->call;

  if (!call->over) {
    far_request_done (call->req, message_of (answer->bytes), (GDestroyNotify) far_message_unref);
    call_over (call);
  }
  answer_free (answer);
}

/* One answer of a hundred finds no way back: what was asked for is done, and who asked does not know. */
static void
call_answered (FarMessage *message, gboolean last, gpointer user)
{
  SimCall *call = user;
  SimAnswer *answer;

  call->asked = FALSE;
  if (!call->over && !call->terminal->sim->calm &&
      g_rand_int_range (call->terminal->sim->noise, 0, TORN_EACH) == 0) {
    call->terminal->sim->count.torn++;
    sim_wire_break (call->terminal,
                    g_rand_int_range (call->terminal->sim->noise, 1, 60) * G_TIME_SPAN_SECOND);
  } else if (!call->over && !call->terminal->silent) {
    answer = g_new (SimAnswer, 1);
    *answer = (SimAnswer){ call, far_message_encode (message) };
    call->refs++;
    far_instance_after (call->from->link->at, latency_at (call->from->sim), answer_arrives, answer,
                        answer_free);
  }
  call_unref (call);
}

/* Runs for who is asked. */
static void
call_arrives (gpointer data)
{
  SimCall *call = data;
  g_autoptr (FarMessage) message = message_of (call->bytes);
  g_autoptr (FarPrincipal)
      who = far_principal_new (FAR_PRINCIPAL_NODE, call->from->id, NULL, call->from->from);

  if (call->over) {
    call_unref (call);
    return;
  }
  call->asked = TRUE; /* with the reference of this timer */
  far_api_submit (who, far_instance_name (call->to->link->at), message, call_answered, call);
}

/* ---- here ---- */

SimNode *
sim_terminal (Sim *sim, const char *id)
{
  for (guint i = 0; i < sim->terminals->len; i++) {
    SimNode *terminal = sim->terminals->pdata[i];

    if (strcmp (terminal->id, id) == 0)
      return terminal;
  }
  return NULL;
}

static SimNode *
terminal_of (SimNode *node, const char *peer)
{
  return node->number > 0 ? node : sim_terminal (node->sim, peer);
}

static void
wire_send (Memory *from, const char *peer, FarMessage *request, FarRequest *req)
{
  SimNode *node = from->net, *terminal = terminal_of (node, peer);
  SimCall *call;

  if (terminal == NULL || !terminal->wired) {
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "%s is not connected", peer);
    return;
  }
  call = g_new0 (SimCall, 1);
  *call = (SimCall){ 1,
                     terminal,
                     node,
                     node == terminal ? node->sim->cloud : terminal,
                     far_request_ref (req),
                     far_message_encode (request),
                     FALSE,
                     FALSE };
  terminal->calls = g_list_prepend (terminal->calls, call);
  node->sim->count.messages++;
  if (terminal->silent)
    return;
  call->refs++;
  far_instance_after (call->to->link->at, latency_at (node->sim), call_arrives, call, call_unref);
}

static gboolean
wire_connected (Memory *from, const char *peer)
{
  SimNode *terminal = terminal_of (from->net, peer);

  return terminal != NULL && terminal->wired;
}

/* ---- up and down ---- */

static void
tell (SimNode *node, const char *peer, gboolean up, const char *from)
{
  FarNode *before;

  if (node->node == NULL || node->link == NULL)
    return;
  before = far_node_enter (node->node);
  far_peer_changed (node->link->at, peer, up, from);
  far_node_enter (before);
}

static void
tell_both (SimNode *terminal, gboolean up)
{
  tell (terminal->sim->cloud, terminal->id, up, terminal->from);
  tell (terminal, "", up, terminal->sim->cloud->from);
}

void
sim_wire_up (SimNode *terminal)
{
  if (terminal->wired || terminal->link == NULL || terminal->sim->cloud->link == NULL)
    return;
  terminal->wired = TRUE;
  terminal->silent = FALSE;
  tell_both (terminal, TRUE);
}

static void
call_lose (SimCall *call)
{
  FarNode *before = far_node_enter (call->to->node);

  if (call->asked) {
    call->asked = FALSE;
    far_api_gone (call);
    call_unref (call);
  }
  far_node_enter (before);
  far_request_fail_new (call->req, FAR_ERROR_UNAVAILABLE, "the link is down");
  call_over (call);
}

void
sim_wire_cut (SimNode *terminal, const char *cause)
{
  if (!terminal->wired)
    return;
  terminal->wired = FALSE;
  while (terminal->calls != NULL)
    call_lose (terminal->calls->data);
  sim_tunnels_lose (terminal);
  tell_both (terminal, FALSE);
}

static void
wire_mend (gpointer data)
{
  SimNode *terminal = data;

  g_clear_pointer (&terminal->wire_timer, far_loop_timer_free);
  sim_wire_up (terminal);
}

void
sim_wire_break (SimNode *terminal, gint64 for_us)
{
  FarNode *before = far_node_enter (NULL);

  sim_wire_cut (terminal, "broken");
  if (terminal->wire_timer == NULL)
    terminal->wire_timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + for_us, wire_mend,
                                           terminal);
  far_node_enter (before);
}

static void
wire_cut (Memory *from, const char *peer, const char *cause)
{
  SimNode *terminal = terminal_of (from->net, peer);

  if (terminal != NULL)
    sim_wire_break (terminal, g_rand_int_range (terminal->sim->noise, 1, 60) * G_TIME_SPAN_SECOND);
}

/* ---- plugs ---- */

static void
wire_gone (Memory *plug)
{
  SimNode *node = plug->net;
  Sim *sim = node->sim;

  if (plug != node->link) {
    sim_tunnels_gone (node);
    node->tunnel = NULL;
    return;
  }
  node->link = NULL;
  for (guint i = 0; i < sim->terminals->len; i++)
    if (node->number == 0 || sim->terminals->pdata[i] == node)
      sim_wire_cut (sim->terminals->pdata[i], "stopped");
}

static const MemoryWire the_wire = { wire_send,          wire_connected,  wire_cut,      wire_gone,
                                     sim_tunnel_reserve, sim_tunnel_open, sim_tunnel_end };

static Memory *
plug_in (SimNode *node, const char *name)
{
  FarInstance *at = far_instances_by_path (name);
  Memory *plug = far_instance_self (at);

  plug->wire = &the_wire;
  plug->net = node;
  return plug;
}

void
sim_plug (SimNode *node)
{
  node->link = plug_in (node, "transports.link");
  node->tunnel = plug_in (node, "transports.tunnel");
  far_instance_ready (node->link->at);
  far_instance_ready (node->tunnel->at);
}
