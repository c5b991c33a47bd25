/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The credential is sealed to this node's key (spec B6). Each of its fields must equal the offer it came
 * with: an offer that was changed on the way, or put together from two, is refused here. */
#include "config.h"

#include "agent.h"

#include <string.h>

#define TOKEN_MAX 256 /* bytes; ours have some 40, and no carrier takes more */
#define FAR_AWAY_US (G_GINT64_CONSTANT (48) * 3600 * G_USEC_PER_SEC)

static gboolean
same_text (json_t *credential, const char *key, const char *value)
{
  const char *text = agent_text (credential, key);
  return text && value && strcmp (text, value) == 0;
}

static gboolean
same_number (json_t *credential, const char *key, gint64 value)
{
  json_t *number = json_object_get (credential, key);
  return json_is_integer (number) && json_integer_value (number) == value;
}

/* A carrier shows the token to its server as it is: a word of printable ASCII. */
static gboolean
token_good (const char *token)
{
  gsize size = strlen (token);
  for (gsize i = 0; i < size; i++)
    if (!g_ascii_isgraph (token[i]))
      return FALSE;
  return size > 0 && size <= TOKEN_MAX;
}

/* The field that differs; NULL: none. */
static const char *
credential_fault (json_t *credential, const AgentOffer *offer)
{
  gint64 expires = json_integer_value (json_object_get (credential, "expires_us")),
         now = far_clock_wall_us ();
  if (!same_text (credential, "session", offer->session))
    return "another session";
  if (!same_number (credential, "generation", offer->generation))
    return "another generation";
  if (!same_text (credential, "terminal", far_node_id ()))
    return "another terminal";
  if (expires <= now)
    return "expired";
  if (expires > now + FAR_AWAY_US)
    return "expires too far away";
  const char *token = agent_text (credential, "token");
  if (!token)
    return "no token";
  return token_good (token) ? NULL : "no usable token";
}

char *
agent_credential_open (Agent *self, const AgentOffer *offer, GError **error)
{
  json_t *credential = far_seal_open (agent_opts (self)->keys, offer->sealed, error);
  if (!credential) {
    g_prefix_error (error, "credential of session '%s': ", offer->session);
    return NULL;
  }
  const char *other = far_carrier_part_other (offer->part, credential);
  g_autofree char *differs = other ? g_strdelimit (g_strconcat ("another ", other, NULL), "_", ' ') : NULL;
  const char *fault = differs ? differs : credential_fault (credential, offer);
  char *token = fault ? NULL : g_strdup (agent_text (credential, "token"));
  if (fault)
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _ ("credential of session '%s' refused: %s"),
                 offer->session, fault);
  json_decref (credential);
  return token;
}
