/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal asks at its cycle whether access is wanted (S101–S108) and whether to close (S301–S307), and
 * reports (S309, S404). */
#include "config.h"

#include "access.h"

#include <string.h>

#define OFFERS_AT_ONCE 6 /* with a login box each, they fit into one body */
#define CROSSING_US (10 * G_USEC_PER_SEC)
#define ASK_US (2 * G_USEC_PER_SEC) /* whose link is new has polled by then */
#define CARRIERS_MAX 8
#define ASK_TIMEOUT_MS 30000

static gboolean
listed (json_t *sessions, const char *id)
{
  size_t i;
  json_t *item;
  json_array_foreach (sessions, i, item)
    if (g_strcmp0 (access_text (item, "session"), id) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
poll_wants (AccessSession *session, json_t *sessions)
{
  if (!session->offer)
    return FALSE;
  if (session->state == FAR_SESSION_PERMITTED || session->state == FAR_SESSION_RESUMING)
    return !session->withhold || !listed (sessions, session->id);
  /* Taken, it seemed; the terminal does not know it: the answer was lost. */
  return session->state == FAR_SESSION_OPENING && !listed (sessions, session->id);
}

/* The terminal used up this generation's credential and has no tunnel. */
static void
poll_again (AccessSession *session)
{
  if (!access_again_may (session))
    return;
  if (session->state == FAR_SESSION_OPEN || session->state == FAR_SESSION_OPENING)
    access_session_event (session, FAR_SESSION_EV_LINK_LOST, NULL, NULL);
  else if (session->ports &&
           (session->state == FAR_SESSION_RESUMING || session->state == FAR_SESSION_PERMITTED))
    access_allocate_renew (session);
}

/* What the terminal says of sessions of its own. */
static void
access_poll_heard (Access *self, const FarRegistryNode *terminal, json_t *item)
{
  AccessSession *session = access_session (self, access_text (item, "session"));
  const char *state = access_text (item, "state");
  if (!session || strcmp (session->terminal, terminal->id) != 0 || !access_session_live (session))
    return;
  if (g_strcmp0 (state, "closed") == 0)
    access_session_event (session, FAR_SESSION_EV_REPORTED, access_text (item, "cause"), NULL);
  else if (json_is_true (json_object_get (item, "again")) &&
           json_integer_value (json_object_get (item, "generation")) == session->generation &&
           session->offered == session->generation) {
    access_unreached_told (session, access_text (item, "unreached"));
    poll_again (session);
  }
}

/* Open here, unknown there, and not just because two messages crossed: the terminal has lost it. */
static void
poll_missing (AccessSession *session, json_t *sessions)
{
  gboolean crossing = far_clock_boottime_us () < session->offered_us + CROSSING_US;
  if (session->state == FAR_SESSION_OPEN && !session->stock_end && !crossing &&
      !listed (sessions, session->id))
    access_session_event (session, FAR_SESSION_EV_REPORTED, "the terminal lost the session", NULL);
}

static void
poll_close_unknown (Access *self, const FarRegistryNode *terminal, json_t *sessions, json_t *out)
{
  size_t i;
  json_t *item;
  json_array_foreach (sessions, i, item) {
    const char *id = access_text (item, "session");
    AccessSession *session = access_session (self, id);
    gboolean ours = session && strcmp (session->terminal, terminal->id) == 0;
    if (id && (!ours || session->state == FAR_SESSION_CLOSING || session->state == FAR_SESSION_CLOSED))
      json_array_append_new (out, json_string (id));
  }
}

static GPtrArray *
sessions_of (Access *self, const char *terminal)
{
  GPtrArray *live = far_book_live (self->book);
  for (guint i = live->len; i > 0; i--)
    if (strcmp (((AccessSession *) live->pdata[i - 1])->terminal, terminal) != 0)
      g_ptr_array_remove_index_fast (live, i - 1);
  return live;
}

/* What it says of itself: a nonce, its carriers beside the common ones, what its own clock shows. TRUE: it
 * said that, and hears what time it is. */
static gboolean
access_poll_self (const FarRegistryNode *terminal, FarCall *call)
{
  json_t *clock = json_object_get (call->body, "clock_us");
  const char *carriers = far_message_header (call->message, "carriers");
  g_auto (GStrv) kinds = carriers ? g_strsplit (carriers, " ", CARRIERS_MAX) : NULL;
  FarRegistryPoll poll = { .nonce = access_text (call->body, "nonce"),
                           .carriers = kinds,
                           .has_clock = json_is_integer (clock),
                           .clock_us = json_integer_value (clock) };
  far_registry_polled (terminal->id, &poll);
  return poll.has_clock;
}

/* Most answers are "not needed": they are kept short. Takes both lists. */
static json_t *
access_poll_answer (json_t *offers, json_t *close, gboolean clock, gboolean no_nonce)
{
  json_t *body = json_pack ("{s:b}", "needed", json_array_size (offers) > 0);
  if (no_nonce) /* this service is younger than the link: what the terminal gave went with the one before */
    json_object_set_new (body, "nonce_wanted", json_true ());
  if (clock)
    json_object_set_new (body, "now_us", json_integer (far_clock_wall_us ()));
  if (json_array_size (offers) > 0)
    json_object_set (body, "offers", offers);
  if (json_array_size (close) > 0)
    json_object_set (body, "close", close);
  json_decref (offers);
  json_decref (close);
  return body;
}

/* ---- before its time ---- */

static void
ask_for_polls (gpointer data)
{
  Access *self = data;
  const char *nodes = access_opts (self)->nodes;
  g_autoptr (GPtrArray) all = far_registry_nodes ();
  for (guint i = 0; i < all->len && nodes; i++) {
    const FarRegistryNode *terminal = all->pdata[i];
    g_autoptr (FarMessage) message = far_message_request ("POST", "poll-now", NULL);
    if (terminal->connected && !terminal->nonce && far_peer_connected (nodes, terminal->id))
      far_peer_send (nodes, terminal->id, message,
                     far_request_of (self->at, NULL, NULL, NULL, ASK_TIMEOUT_MS));
  }
}

void
access_poll_wanted (Access *self)
{
  if (access_opts (self)->push && !self->asking)
    far_instance_timer (self->at, &self->asking, far_clock_boottime_us () + ASK_US, ask_for_polls, self);
}

/* ---- a poll ---- */

void
access_poll_post (gpointer data, FarCall *call)
{
  Access *self = data;
  const FarRegistryNode *terminal = access_calling_terminal (call);
  if (!terminal)
    return;
  json_t *sessions = json_object_get (call->body, "sessions"), *offers = json_array (),
         *close = json_array (), *item;
  size_t i;
  gboolean clock = access_poll_self (terminal, call);
  json_array_foreach (sessions, i, item)
    access_poll_heard (self, terminal, item);
  g_autoptr (GPtrArray) ours = sessions_of (self, terminal->id), offered = g_ptr_array_new ();
  for (guint s = 0; s < ours->len; s++) {
    AccessSession *session = ours->pdata[s];
    poll_missing (session, sessions);
    if (json_array_size (offers) < OFFERS_AT_ONCE && poll_wants (session, sessions)) {
      json_array_append (offers, session->offer);
      g_ptr_array_add (offered, session);
    }
  }
  poll_close_unknown (self, terminal, sessions, close);
  far_call_answer (call, 200, access_poll_answer (offers, close, clock, terminal->nonce == NULL));
  for (guint s = 0; s < offered->len; s++) {
    AccessSession *session = offered->pdata[s];
    session->offered = session->generation;
    session->offered_us = far_clock_boottime_us ();
    access_session_event (session, FAR_SESSION_EV_OFFERED, NULL, NULL);
  }
}

static void
report_counters (AccessSession *session, json_t *body)
{
  json_int_t up = json_integer_value (json_object_get (body, "bytes_up")),
             down = json_integer_value (json_object_get (body, "bytes_down"));
  if (up >= 0 && down >= 0) /* a number that counts nothing would stand for good, as the largest is kept */
    far_session_counted (&session->base, (guint64) up, (guint64) down);
}

void
access_report_post (gpointer data, FarCall *call)
{
  Access *self = data;
  const FarRegistryNode *terminal = access_calling_terminal (call);
  if (!terminal)
    return;
  AccessSession *session = access_session (self, call->parts[0]);
  if (session && strcmp (session->terminal, terminal->id) != 0)
    session = NULL; /* not its own: reads as if it were unknown */
  const char *state = access_text (call->body, "state"), *cause = access_text (call->body, "cause");
  if (session && access_session_live (session)) {
    report_counters (session, call->body);
    if (g_strcmp0 (state, "refused") == 0) {
      g_autofree char *text = g_strdup_printf (N_ ("refused by the terminal: %s"),
                                               cause ? cause : "no cause given");
      access_session_event (session, FAR_SESSION_EV_FAILED, text, NULL);
    } else if (g_strcmp0 (state, "closed") == 0) {
      access_session_event (session, FAR_SESSION_EV_REPORTED, cause, NULL);
    } else if (g_strcmp0 (state, "trouble") == 0) {
      access_rejected_away (session, NULL, cause ? cause : "no cause given", 1);
    } else if (g_strcmp0 (state, "resuming") == 0 && session->state == FAR_SESSION_OPEN) {
      access_session_event (session, FAR_SESSION_EV_LINK_LOST, NULL, NULL);
    }
  }
  far_call_answer (call, 200, json_object ());
}
