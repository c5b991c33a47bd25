/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the service's option table, its handlers and the life of the instance at the terminal; one
 * session is in files of its own. */
#include "config.h"

#include "agent.h"

/* ---- a device taken over by the same person ---- */

static void
taken_over_later (gpointer user)
{
  Agent *self = user;
  g_autoptr (GPtrArray) ids = g_steal_pointer (&self->taken_over);
  for (guint i = 0; ids && i < ids->len; i++) {
    AgentSession *session = agent_session (self, ids->pdata[i]);
    if (session && agent_session_live (session))
      agent_session_event (session, FAR_SESSION_EV_CLOSE_ASKED, "taken over by the same person", NULL);
  }
}

/* Off the stack of the claim that takes over. */
static void
device_lost (const char *session, const char *device, gpointer user)
{
  Agent *self = user;
  if (!self->taken_over)
    self->taken_over = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (self->taken_over, g_strdup (session));
  if (!self->later)
    far_instance_timer (self->at, &self->later, far_clock_boottime_us (), taken_over_later, self);
}

/* ---- connections that came to nothing ---- */

/* In advance the tunnel tells of it as well. */
static void
agent_when_device_failed (const char *id, const char *device, const char *cause, gpointer user)
{
  AgentSession *session = agent_session (user, id);
  if (session && !session->in_advance)
    agent_report_trouble (session, cause);
}

/* ---- life ---- */

static gboolean
hours_good (const AgentOpts *opts, GError **error)
{
  GError *fault = NULL;
  if (!opts->hours || !*opts->hours)
    return TRUE;
  far_hours_contain (opts->hours, far_clock_wall_us (), 0, &fault);
  if (!fault)
    return TRUE;
  g_propagate_error (error, fault);
  return FALSE;
}

static gboolean
agent_init (gpointer data, FarInstance *at, GError **error)
{
  Agent *self = data;
  self->at = at;
  self->book = far_book_new (at, &agent_session_kind, NULL, self);
  self->sessions = far_book_sessions (self->book);
  self->polls = agent_polls_new (self);
  self->nonces = far_nonces_new ();
  g_queue_init (&self->in_line);
  return agent_ends_good (agent_opts (self), error) && hours_good (agent_opts (self), error);
}

static void
agent_linked (Agent *self)
{
  self->nonce_told = FALSE; /* the cloud may have been started anew */
  self->clock_said_us = 0;
  far_cycle_soon (self->polls, 0);
}

static gboolean
agent_start (gpointer data, GError **error)
{
  Agent *self = data;
  far_device_on_lost (self->at, device_lost, self);
  far_device_on_failed (self->at, agent_when_device_failed, self);
  far_instance_ready (self->at);
  far_cycle_soon (self->polls, 0);
  return TRUE;
}

/* A poll at the new cycle: the timer of the old one may be far away. */
static gboolean
agent_reload (gpointer data, const void *options, GError **error)
{
  if (!agent_ends_good (options, error) || !hours_good (options, error))
    return FALSE;
  ((Agent *) data)->nonce_told = FALSE; /* with it goes which carriers there are now */
  far_cycle_soon (((Agent *) data)->polls, 0);
  return TRUE;
}

static void
agent_stop (gpointer data)
{
  Agent *self = data;
  g_clear_pointer (&self->taken_over, g_ptr_array_unref);
  far_book_stop (self->book);
  far_peer_hurry (agent_opts (self)->link, FALSE);
}

static void
agent_fini (gpointer data)
{
  Agent *self = data;
  agent_dials_forget (self);
  far_cycle_free (self->polls);
  far_book_free (self->book);
  far_nonces_free (self->nonces);
  g_free (self->link_from);
}

static void
agent_peer (gpointer data, const char *transport, const char *peer, gboolean up, const char *from)
{
  Agent *self = data;
  if (g_strcmp0 (transport, agent_opts (self)->link) != 0)
    return;
  self->linked = up;
  g_free (self->link_from);
  self->link_from = g_strdup (from);
  agent_hurry (self); /* a reload may have put another instance in the place of the one that knew */
  if (up)
    agent_linked (self);
}

/* ---- handlers ---- */

static const FarField offer_body[] = {
  { "session", FAR_FIELD_STRING, TRUE, N_ ("session id"), 64 },
  { "generation", FAR_FIELD_INT, TRUE, N_ ("counts resumptions, from 1") },
  { "request", FAR_FIELD_STRING, FALSE, N_ ("id of the person's request"), 64 },
  { "address", FAR_FIELD_STRING, FALSE,
    N_ ("tunnel end, host:port; as host, 0.0.0.0 or [::] is the one of the link"), 300 },
  { "host_key", FAR_FIELD_STRING, FALSE, N_ ("its SSH host key"), 1000 },
  { "x", FAR_FIELD_INT, FALSE, N_ ("port reserved for this terminal") },
  { "carrier", FAR_FIELD_OBJECT, FALSE,
    N_ ("instead of these: the carrier's kind, address and what it needs") },
  { "for_us", FAR_FIELD_INT, TRUE, N_ ("connection time") },
  { "device", FAR_FIELD_STRING, FALSE, N_ ("device wanted"), 64 },
  { "entry", FAR_FIELD_STRING, TRUE, N_ ("ports or stream"), 16 },
  { "login", FAR_FIELD_STRING, TRUE, N_ ("in-band or in-advance"), 16 },
  { "person", FAR_FIELD_STRING, TRUE, N_ ("login name"), 64 },
  { "asker", FAR_FIELD_STRING, FALSE, N_ ("who asked at the cloud"), 128 },
  { "reason", FAR_FIELD_STRING, FALSE, N_ ("why"), 500 },
  { "sealed", FAR_FIELD_STRING, TRUE, N_ ("credential sealed to this node"), 8192 },
  { "login_box", FAR_FIELD_STRING, FALSE, N_ ("login sealed to this node"), 4096 },
  { NULL },
};
static const FarField close_body[] = { { "cause", FAR_FIELD_STRING, FALSE, N_ ("why"), 500 }, { NULL } };

static const FarHandler handlers[] = {
  { "POST", "offers", FAR_ACTION_NODE, NULL, offer_body, 0, agent_offers_post,
    N_ ("the cloud offers access") },
  { "POST", "poll-now", FAR_ACTION_NODE, NULL, NULL, 0, agent_poll_now_post,
    N_ ("the cloud asks for a poll before its time") },
  { "POST", "sessions/{s}/close", FAR_ACTION_NODE, NULL, close_body, 0, agent_close_post,
    N_ ("the cloud asks to close") },
  { "GET", "sessions", FAR_ACTION_NONE, NULL, NULL, 0, agent_sessions_get, N_ ("sessions here") },
  { "GET", "sessions/{s}", FAR_ACTION_MANAGE, NULL, NULL, 0, agent_session_get, N_ ("one session"),
    agent_session_resolve },
  { "DELETE", "sessions/{s}", FAR_ACTION_MANAGE, NULL, NULL, 0, agent_session_delete,
    N_ ("end a session here"), agent_session_resolve },
  { NULL },
};

/* ---- type ---- */

#define HOUR G_GINT64_CONSTANT (3600000000)

static const FarOption options[] = {
  { "link", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RESTART | FAR_OPT_ALIKE,
    G_STRUCT_OFFSET (AgentOpts, link), NULL, N_ ("transport that leads to the cloud"), 0, 0, NULL,
    FAR_KIND_TRANSPORT },
  { "tunnel", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, tunnel), NULL,
    N_ ("transport that dials tunnels"), 0, 0, NULL, FAR_KIND_TRANSPORT },
  { "carriers", FAR_OPT_REFS, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, carriers), NULL,
    N_ ("further transports by which sessions may come"), 0, 0, NULL, FAR_KIND_TRANSPORT },
  { "tunnel-ends", FAR_OPT_LIST, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, tunnel_ends), NULL,
    N_ ("tunnel ends that may be dialled: HOST, HOST:PORT or a net; none: the host of the link") },
  { "login", FAR_OPT_REF, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, login), NULL,
    N_ ("endpoint that asks people to log in (in band); none: no login in band"), 0, 0, NULL,
    FAR_KIND_ENDPOINT },
  { "shell", FAR_OPT_REF, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, shell), NULL,
    N_ ("endpoint for a login in advance to the terminal itself"), 0, 0, NULL, FAR_KIND_ENDPOINT },
  { "in-advance", FAR_OPT_REFS, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, in_advance), NULL,
    N_ ("authenticators of a login in advance, in order; none: no login in advance"), 0, 0, NULL,
    FAR_KIND_AUTHENTICATOR },
  { "poll", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, poll), "120s",
    N_ ("cycle at which the cloud is asked"), 100000, 24 * HOUR },
  { "max-duration", FAR_OPT_DURATION, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, max_duration), "2h",
    N_ ("longest connection time allowed here"), G_USEC_PER_SEC, 720 * HOUR, .former = "longest" },
  { "hours", FAR_OPT_STRING, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, hours), NULL,
    N_ ("when access is allowed here, as in rights; none: always") },
  { "sessions", FAR_OPT_INT, FAR_OPT_RELOADABLE, G_STRUCT_OFFSET (AgentOpts, sessions), "100",
    N_ ("sessions at once"), 1, 1000 },
  { "keys", FAR_OPT_PATH, FAR_OPT_RELOADABLE | FAR_OPT_ALIKE, G_STRUCT_OFFSET (AgentOpts, keys), "keys",
    N_ ("folder of this node's keys") },
  { NULL, FAR_OPT_END },
};

/* What a node does as a member of its fleet; both need the link and the keys. */
static const char *const member_shared[] = { "link", "keys", NULL };
static const FarTypeSplit splits[] = { { "member", NULL, member_shared }, { NULL } };

static const FarServiceOps ops = { .peer = agent_peer };

static const FarServiceType agent_type = {
  .type = { .kind = FAR_KIND_SERVICE,
            .name = "agent",
            .summary = N_ ("access of people to devices, terminal side"),
            .instance_size = sizeof (Agent),
            .options_size = sizeof (AgentOpts),
            .options = options,
            .init = agent_init,
            .start = agent_start,
            .reload = agent_reload,
            .stop = agent_stop,
            .fini = agent_fini,
            .splits = splits },
  .handlers = handlers,
  .ops = &ops,
};

FAR_PLUGIN ("service-agent", "0.1", "service/agent", "", &agent_type.type)
