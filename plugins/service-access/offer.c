/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The offer to the terminal (spec B3, B6, S108): where to dial, and a credential sealed to its key, spent
 * once. */
#include "config.h"

#include "access.h"

#include <string.h>

#define PUSH_TIMEOUT_MS 10000

typedef struct {
  AccessSession *session;
  guint generation;
} Pending;

static Pending *
pending_new (AccessSession *session)
{
  Pending *pending = g_new0 (Pending, 1);
  *pending = (Pending){ access_session_ref (session), session->generation };
  return pending;
}

static gboolean
pending_holds (const Pending *pending)
{
  const AccessSession *session = pending->session;
  return session->generation == pending->generation && session->ports && session->carrier &&
         !session->reserving &&
         (session->state == FAR_SESSION_PERMITTED || session->state == FAR_SESSION_RESUMING);
}

static void
pending_free (gpointer data)
{
  Pending *pending = data;
  access_session_unref (pending->session);
  g_free (pending);
}

static FarOffer
access_offer_new (AccessSession *session)
{
  return (FarOffer){ .session = session->id,
                     .generation = session->generation,
                     .request = session->request,
                     .for_us = session->opened_us ? session->deadline.boottime_us - far_clock_boottime_us ()
                                                  : session->for_us,
                     .device = session->device,
                     .entry = session->entry,
                     .in_advance = session->in_advance,
                     .person = session->user,
                     .asker = session->person,
                     .reason = session->reason,
                     .login_box = session->login_box };
}

static gint64
offer_expires_us (Access *self)
{
  return far_clock_wall_us () + access_session_wait_us (self);
}

static void
offer_seal (AccessSession *session, const char *token)
{
  g_autoptr (GError) error = NULL;
  const FarRegistryNode *terminal = far_registry_node (session->terminal);
  const char *box = terminal ? access_text (terminal->row, "box") : NULL;
  FarOffer offer = access_offer_new (session);
  g_autofree char *sealed = box ? far_offer_seal (&offer, session->carrier, session->ports->part,
                                                  session->terminal, box, token,
                                                  offer_expires_us (session->self), &error)
                                : NULL;
  if (!sealed) {
    far_log (session->self->at, G_LOG_LEVEL_WARNING, "cannot seal to terminal '%s': %s", session->terminal,
             error ? error->message : "it has no box key");
    access_session_event (session, FAR_SESSION_EV_FAILED, "the terminal has no usable key", NULL);
    return;
  }
  offer.sealed = sealed;
  session->offer = far_offer_write (&offer, session->carrier, session->ports->part);
  access_offer_push (session);
}

static void
token_issued (FarRequest *req, gpointer user)
{
  Pending *pending = user;
  const GError *error = far_request_error (req);
  if (pending_holds (pending) && error) {
    g_autofree char *cause = g_strdup_printf (N_ ("no token: %s"), error->message);
    access_session_event (pending->session, FAR_SESSION_EV_FAILED, cause, NULL);
  } else if (pending_holds (pending)) {
    offer_seal (pending->session, far_request_result (req));
  }
  pending_free (pending);
}

/* The key that who shows the token must have as well, of those that are registered; a stock end has none of
 * its own here. */
static const char *
offer_key (const FarRegistryNode *terminal, const char *kept)
{
  return terminal && kept && !access_is_stock (terminal) ? access_text (terminal->row, kept) : NULL;
}

gboolean
access_offer_token (AccessSession *session, const char *store, FarTokenRow *row)
{
  Access *self = session->self;
  g_autofree char *claim = g_strdup_printf ("session/%s", session->id);
  session->token_key = access_tunnels_key (session);
  const char *key = offer_key (far_registry_node (session->terminal), session->token_key);
  return far_token_prepare (access_opts (self)->tokens, store, session->terminal, claim, key,
                            offer_expires_us (self), row);
}

/* With the token that was written with the session's row. */
static void
offer_first (AccessSession *session)
{
  char *token = g_steal_pointer (&session->token);
  offer_seal (session, token);
  far_secret_free (token);
}

void
access_offer_make (AccessSession *session)
{
  Access *self = session->self;
  const FarRegistryNode *terminal = far_registry_node (session->terminal);
  g_autofree char *claim = g_strdup_printf ("session/%s", session->id);
  const char *kept = session->carrier ? far_carrier_key (session->carrier) : NULL;
  const char *key = offer_key (terminal, kept);
  if (!terminal || (!key && !access_is_stock (terminal))) {
    access_session_event (session, FAR_SESSION_EV_FAILED, "the terminal has no key here: enrol it", NULL);
    return;
  }
  if (session->token && g_strcmp0 (kept, session->token_key) == 0) {
    offer_first (session);
    return;
  }
  g_clear_pointer (&session->token, far_secret_free);     /* for a carrier that it has not become */
  far_token_withdraw (access_opts (self)->tokens, claim); /* older generations are void */
  far_token_issue (access_opts (self)->tokens, session->terminal, claim, key, offer_expires_us (self),
                   far_request_of (self->at, token_issued, pending_new (session), pending_free, 15000));
}

/* A new generation: old offers are void. */
void
access_offer_renew (AccessSession *session)
{
  session->generation++;
  session->withhold = FALSE;
  g_clear_pointer (&session->offer, json_decref);
  access_offer_make (session);
}

/* ---- push ---- */

/* A refusal may come after the same offer went out by a poll as well: then the session is opening already. */
static void
push_refused (const Pending *pending, const GError *refused)
{
  AccessSession *session = pending->session;
  g_autofree char *cause = g_strdup_printf (N_ ("refused by the terminal: %s"), refused->message);
  if (pending_holds (pending) ||
      (session->generation == pending->generation && session->state == FAR_SESSION_OPENING))
    access_session_event (session, FAR_SESSION_EV_FAILED, cause, NULL);
}

static void
pushed (FarRequest *req, gpointer user)
{
  Pending *pending = user;
  AccessSession *session = pending->session;
  g_autoptr (GError) refused = NULL;
  /* No answer: the poll is the other way. */
  if (!far_request_error (req) && !far_message_check (far_request_result (req), &refused)) {
    push_refused (pending, refused);
  } else if (!far_request_error (req) && pending_holds (pending)) {
    session->withhold = TRUE;
    session->offered_us = far_clock_boottime_us ();
    access_session_event (session, FAR_SESSION_EV_OFFERED, NULL, NULL);
  }
  pending_free (pending);
}

void
access_offer_push (AccessSession *session)
{
  const AccessOpts *opts = access_opts (session->self);
  if (!opts->push || !opts->nodes || !session->offer || session->withhold ||
      !far_peer_connected (opts->nodes, session->terminal))
    return;
  g_autoptr (FarMessage) message = far_message_request ("POST", "offers", json_incref (session->offer));
  session->offered = session->generation;
  far_peer_send (opts->nodes, session->terminal, message,
                 far_request_of (session->self->at, pushed, pending_new (session), pending_free,
                                 PUSH_TIMEOUT_MS));
}

/* For a stock end, which has no agent that polls: its owner fetches the offer and opens the credential there
 * (`farctl credential open`). */
void
access_offer_take (gpointer data, FarCall *call)
{
  AccessSession *session = access_called_session (data, call);
  if (!session)
    return;
  g_autofree char *person = far_principal_text (call->principal),
                  *object = access_object (session->terminal, NULL);
  if (strcmp (person, session->person) != 0 && !access_manages (call->principal, object)) {
    far_call_fail_new (call, FAR_ERROR_DENIED,
                       _ ("session '%s' is not yours: its offer needs the right 'manage'"), session->id);
    return;
  }
  if (!session->offer) {
    far_call_fail_new (call, FAR_ERROR_CONFLICT, _ ("session is %s: there is no offer now"),
                       far_session_state_name (session->state));
    return;
  }
  json_t *offer = json_incref (session->offer);
  access_session_event (session, FAR_SESSION_EV_OFFERED, NULL, NULL);
  far_call_answer (call, 200, offer);
}
