/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Login in advance (spec B8): sealed to this node, checked here before anything opens. The box names a nonce
 * of this node and everything the person agreed to; any difference from the offer it came with refuses it,
 * for a bare box could be replayed by whoever holds it. */
#include "config.h"

#include "agent.h"

#include <string.h>

#define LOGIN_TIMEOUT_MS 40000

static gboolean
agent_login_same (json_t *box, const char *key, const char *value)
{
  return g_strcmp0 (agent_text (box, key), value) == 0;
}

static const char *
box_fault (Agent *self, json_t *box, const AgentOffer *offer)
{
  const char *nonce = agent_text (box, "nonce");
  gboolean spent = far_nonces_spend (self->nonces, nonce); /* first: a wrong box costs its nonce */
  json_int_t longest = json_integer_value (json_object_get (box, "longest_us"));
  if (!spent)
    return "its nonce is not from here, or was used: ask again";
  if (!offer->request || !agent_login_same (box, "request", offer->request))
    return "made for another request";
  if (!agent_login_same (box, "person", offer->person))
    return "made for another person";
  if (!agent_login_same (box, "device", offer->device))
    return "made for another device";
  if (!agent_login_same (box, "entry", offer->entry == FAR_ENTRY_PORTS ? "ports" : "stream"))
    return "made for another entry";
  if (longest != offer->for_us)
    return "made for another time";
  return agent_text (box, "password") ? NULL : "it has no password";
}

typedef struct {
  FarRequest *outer;
  char *person;
} AgentCheck;

static void
check_free (gpointer data)
{
  AgentCheck *check = data;
  far_request_unref (check->outer);
  g_free (check->person);
  g_free (check);
}

static void
agent_login_done (FarRequest *req, gpointer user)
{
  AgentCheck *check = user;
  const GError *error = far_request_error (req);
  if (!error)
    far_request_done (check->outer, NULL, NULL);
  else if (g_error_matches (error, FAR_ERROR, FAR_ERROR_LIMIT))
    far_request_fail (check->outer, g_error_copy (error));
  else
    far_request_fail_new (check->outer, FAR_ERROR_DENIED, _ ("login of '%s' refused at the terminal"),
                          check->person);
  check_free (check);
}

static void
agent_login_ask (Agent *self, json_t *box, const AgentOffer *offer, FarRequest *req)
{
  FarLogin *login = far_login_new (FAR_LOGIN_PASSWORD, offer->person, "access",
                                   offer->asker ? offer->asker : "");
  login->told_from = TRUE;
  login->secret = g_strdup (agent_text (box, "password"));
  AgentCheck *check = g_new0 (AgentCheck, 1);
  *check = (AgentCheck){ far_request_ref (req), g_strdup (offer->person) };
  far_login ((const char *const *) agent_opts (self)->in_advance, login,
             far_request_of (self->at, agent_login_done, check, check_free, LOGIN_TIMEOUT_MS));
}

gboolean
agent_login_check (Agent *self, const AgentOffer *offer, FarRequest *req)
{
  GError *error = NULL;
  json_t *box = offer->login_box ? far_seal_open (agent_opts (self)->keys, offer->login_box, &error) : NULL;
  if (!offer->login_box) {
    far_request_fail_new (req, FAR_ERROR_PROTOCOL, _ ("offer for a login in advance without a login box"));
    return FALSE;
  }
  if (!box) {
    g_prefix_error (&error, "login box of session '%s': ", offer->session);
    far_request_fail (req, error);
    return FALSE;
  }
  const char *fault = box_fault (self, box, offer);
  if (!self->nonce_told || !far_nonces_fresh (self->nonces))
    self->poll_soon (self, 0); /* the next person needs a fresh nonce */
  if (fault)
    far_request_fail_new (req, FAR_ERROR_DENIED, _ ("login box of session '%s' refused: %s"), offer->session,
                          fault);
  else
    agent_login_ask (self, box, offer, req);
  json_decref (box);
  return fault == NULL;
}
