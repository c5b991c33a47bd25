/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The credential of an offer is sealed to the key of the node that it is for (spec B6). Each of its fields
 * must equal the offer it came with: an offer that was changed on the way, or put together from two, is
 * refused here. */
#include "config.h"

#include <farwatch/i18n.h>
#include <farwatch/offer.h>
#include <farwatch/plugin.h>
#include <farwatch/thread.h>

#include <string.h>

#define TOKEN_MAX 256 /* bytes; ours have some 40, and no carrier takes more */
#define FAR_AWAY_US (G_GINT64_CONSTANT (48) * 3600 * G_USEC_PER_SEC)

static const char *
sealed_text (const json_t *json, const char *key)
{
  return json_string_value (json_object_get (json, key));
}

char *
far_offer_seal (const FarOffer *offer, FarCarrier *carrier, json_t *part, const char *node, const char *box,
                const char *token, gint64 expires_us, GError **error)
{
  FAR_ON_MAIN ();
  json_t *credential = json_pack ("{s:s, s:i, s:s, s:I, s:s}", "session", offer->session, "generation",
                                  (int) offer->generation, "terminal", node, "expires_us",
                                  (json_int_t) expires_us, "token", token);
  far_carrier_part_put (carrier, credential, part);
  char *sealed = far_seal (box, credential, error);
  json_decref (credential);
  return sealed;
}

static gboolean
sealed_same_text (json_t *credential, const char *key, const char *value)
{
  const char *text = sealed_text (credential, key);
  return text && value && strcmp (text, value) == 0;
}

static gboolean
sealed_same_number (json_t *credential, const char *key, gint64 value)
{
  json_t *number = json_object_get (credential, key);
  return json_is_integer (number) && json_integer_value (number) == value;
}

/* A carrier shows the token to its server as it is: a word of printable ASCII. */
static gboolean
sealed_token_good (const char *token)
{
  gsize size = strlen (token);
  for (gsize i = 0; i < size; i++)
    if (!g_ascii_isgraph (token[i]))
      return FALSE;
  return size > 0 && size <= TOKEN_MAX;
}

/* The field that differs; NULL: none. */
static const char *
sealed_fault (json_t *credential, const FarOffer *offer)
{
  gint64 expires = json_integer_value (json_object_get (credential, "expires_us")),
         now = far_clock_wall_us ();
  if (!sealed_same_text (credential, "session", offer->session))
    return "another session";
  if (!sealed_same_number (credential, "generation", offer->generation))
    return "another generation";
  if (!sealed_same_text (credential, "terminal", far_node_id ()))
    return "another terminal";
  if (expires <= now)
    return "expired";
  if (expires > now + FAR_AWAY_US)
    return "expires too far away";
  const char *token = sealed_text (credential, "token");
  if (!token)
    return "no token";
  return sealed_token_good (token) ? NULL : "no usable token";
}

char *
far_offer_token (const FarOffer *offer, const char *keys, GError **error)
{
  FAR_ON_MAIN ();
  json_t *credential = far_seal_open (keys, offer->sealed, error);
  if (!credential) {
    g_prefix_error (error, "credential of session '%s': ", offer->session);
    return NULL;
  }
  const char *other = far_carrier_part_other (offer->part, credential);
  g_autofree char *differs = other ? g_strdelimit (g_strconcat ("another ", other, NULL), "_", ' ') : NULL;
  const char *fault = differs ? differs : sealed_fault (credential, offer);
  char *token = fault ? NULL : g_strdup (sealed_text (credential, "token"));
  if (fault)
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _ ("credential of session '%s' refused: %s"),
                 offer->session, fault);
  json_decref (credential);
  return token;
}
