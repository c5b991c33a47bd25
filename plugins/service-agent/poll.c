/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal asks at a set cycle whether access is wanted, and whether to close (spec B3, B11), also when
 * nothing was pushed. */
#include "config.h"

#include "agent.h"

#define POLL_TIMEOUT_MS 15000
#define HURRY_TIMEOUT_MS 3000             /* while a session has lost its tunnel */
#define CUT_EACH_US (30 * G_USEC_PER_SEC) /* a cloud that is busy is not made busier */
#define LISTED_MAX 100
#define CLOCK_EACH_US (3600 * (gint64) G_USEC_PER_SEC)
/* A cloud that has just started may not answer yet: it is not left alone for a whole cycle. */
#define RETRY_US (G_USEC_PER_SEC / 2)

static json_t *
poll_sessions (Agent *self)
{
  json_t *list = json_array ();
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, self->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &value) && json_array_size (list) < LISTED_MAX) {
    AgentSession *session = value;
    if (!session->reported)
      json_array_append_new (list, json_pack ("{s:s, s:s, s:i, s:b, s:s?, s:s*}", "session", session->id,
                                              "state", far_session_state_name (session->state), "generation",
                                              (int) session->generation, "again", session->again, "cause",
                                              session->cause, "unreached", session->unreached));
  }
  return list;
}

typedef struct {
  Agent *self;
  json_t *told;
  gint64 sent_us;
  gboolean nonce; /* it had one */
} Poll;

/* Once a link, each hour, and when somebody has set the clock. */
static void
agent_poll_clock (Agent *self, json_t *body)
{
  gint64 now = far_clock_boottime_us (), skew_us;
  gboolean told = far_clock_skew_us (&skew_us);
  if (self->clock_said_us != 0 && now < self->clock_said_us + CLOCK_EACH_US &&
      (!told || ABS (skew_us - self->clock_skew_us) < G_USEC_PER_SEC))
    return;
  self->clock_said_us = now;
  self->clock_skew_us = skew_us;
  json_object_set_new (body, "clock_us", json_integer (MAX (far_clock_system_us (), 0)));
}

static void
poll_now_told (json_t *body, gint64 sent_us)
{
  json_int_t now_us = json_integer_value (json_object_get (body, "now_us"));
  if (now_us > 0 && now_us < G_MAXINT64 / 2)
    far_clock_told (now_us + (far_clock_boottime_us () - sent_us) / 2);
}

/* Most polls have nothing to say: they are kept short. */
static json_t *
poll_body (Agent *self, json_t *told)
{
  json_t *body = json_object ();
  if (!self->nonce_told || !far_nonces_fresh (self->nonces)) {
    g_autofree char *nonce = far_nonces_give (self->nonces);
    json_object_set_new (body, "nonce", json_string (nonce));
    self->nonce_told = FALSE;
  }
  if (json_array_size (told) > 0)
    json_object_set (body, "sessions", told);
  agent_poll_clock (self, body);
  return body;
}

/* Which carriers beside the common one are here, told with each new nonce. In a header: a cloud that does not
 * know of it passes it over. */
static void
agent_poll_carriers (Agent *self, json_t *body, FarMessage *message)
{
  g_autoptr (GString) kinds = g_string_new (NULL);
  FarCarrierLook look;
  if (json_object_get (body, "nonce") == NULL)
    return;
  for (char **name = agent_opts (self)->carriers; name && *name; name++)
    if (far_carrier_look (*name, &look))
      g_string_append_printf (kinds, "%s%s", kinds->len > 0 ? " " : "", look.kind);
  if (kinds->len > 0)
    far_message_set_header (message, "carriers", kinds->str);
}

typedef struct {
  Agent *self;
  char *session;
} Offered;

static void
offered_free (gpointer data)
{
  Offered *offered = data;
  g_free (offered->session);
  g_free (offered);
}

static void
offer_taken (FarRequest *req, gpointer user)
{
  Offered *offered = user;
  const GError *error = far_request_error (req);
  if (error)
    agent_report_refused (offered->self, offered->session, error);
  offered_free (offered);
}

static void
poll_offers (Agent *self, json_t *offers)
{
  size_t i;
  json_t *offer;
  json_array_foreach (offers, i, offer) {
    Offered *offered = g_new0 (Offered, 1);
    *offered = (Offered){ self, g_strdup (agent_text (offer, "session")) };
    agent_offer_take (self, offer, far_request_of (self->at, offer_taken, offered, offered_free, 0));
  }
}

static void
poll_close (Agent *self, json_t *close)
{
  size_t i;
  json_t *id;
  json_array_foreach (close, i, id) {
    AgentSession *session = agent_session (self, json_string_value (id));
    if (session && agent_session_live (session))
      agent_session_event (session, FAR_SESSION_EV_CLOSE_ASKED, "closed by the cloud", NULL);
  }
}

/* What was said as closed and heard needs no more saying. */
static void
agent_poll_heard (Agent *self, json_t *told)
{
  size_t i;
  json_t *item;
  json_array_foreach (told, i, item) {
    AgentSession *session = agent_session (self, agent_text (item, "session"));
    if (session && g_strcmp0 (agent_text (item, "state"), "closed") == 0)
      session->reported = TRUE;
  }
}

/* A cloud that asks for a nonce again gets one with a poll of its own, once: one that came with this poll is
 * not asked for. */
static void
agent_poll_nonce (Agent *self, const Poll *poll, gboolean wanted)
{
  self->nonce_told = far_nonces_fresh (self->nonces) && (poll->nonce || (self->nonce_told && !wanted));
  if (wanted && !poll->nonce)
    far_cycle_soon (self->polls, 0);
}

static void
agent_poll_answer (Agent *self, const Poll *poll, FarMessage *answer, GError **error)
{
  json_t *body = far_message_check (answer, error) ? far_message_json (answer, error) : NULL;
  if (!body)
    return;
  agent_poll_nonce (self, poll, json_is_true (json_object_get (body, "nonce_wanted")));
  poll_now_told (body, poll->sent_us);
  agent_poll_heard (self, poll->told);
  poll_offers (self, json_object_get (body, "offers"));
  poll_close (self, json_object_get (body, "close"));
  json_decref (body);
}

/* The link went with the tunnel, most likely: what waits in it is sent again ever more seldom, a new one
 * comes up as soon as there is a way. */
static void
cut_dead_link (Agent *self)
{
  gint64 now = far_clock_boottime_us ();
  const char *link = agent_opts (self)->link;
  if (!far_peer_connected (link, "") || (self->cut_us != 0 && now < self->cut_us + CUT_EACH_US))
    return;
  self->cut_us = now;
  far_peer_cut (link, "", "no answer, while a session waits");
}

static void
poll_free (gpointer data)
{
  Poll *poll = data;
  json_decref (poll->told);
  g_free (poll);
}

static void
polled (FarRequest *req, gpointer user)
{
  Poll *poll = user;
  Agent *self = poll->self;
  g_autoptr (GError) error = far_request_error (req) ? g_error_copy (far_request_error (req)) : NULL;
  if (!error)
    agent_poll_answer (self, poll, far_request_result (req), &error);
  if (error)
    far_log_limited (self->at, "poll", "poll not answered: %s", error->message);
  if (error && agent_waits (self))
    cut_dead_link (self);
  far_cycle_over (self->polls, !error);
  poll_free (poll);
}

static gboolean
agent_poll_ask (gpointer user)
{
  Agent *self = user;
  const char *link = agent_opts (self)->link;
  if (!far_peer_connected (link, ""))
    return FALSE;
  Poll *poll = g_new0 (Poll, 1);
  *poll = (Poll){ self, poll_sessions (self), far_clock_boottime_us (), FALSE };
  json_t *body = poll_body (self, poll->told);
  poll->nonce = json_object_get (body, "nonce") != NULL;
  g_autoptr (FarMessage) message = far_message_request ("POST", "poll", json_incref (body));
  agent_poll_carriers (self, body, message);
  json_decref (body);
  far_peer_send (link, "", message,
                 far_request_of (self->at, polled, poll, poll_free,
                                 agent_waits (self) ? HURRY_TIMEOUT_MS : POLL_TIMEOUT_MS));
  return TRUE;
}

static gint64
agent_poll_length (gpointer user)
{
  return agent_opts (user)->poll;
}

FarCycle *
agent_polls_new (Agent *self)
{
  static const FarCycleFuncs funcs = { agent_poll_ask, agent_poll_length };
  return far_cycle_new (self->at, &funcs, RETRY_US, self);
}
