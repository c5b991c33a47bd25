/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Login in advance (spec B8): a box that a person sealed to the node that is offered the session, checked
 * there before anything opens (farwatch/offer.h). */
#include "config.h"

#include <farwatch/i18n.h>
#include <farwatch/login.h>
#include <farwatch/offer.h>
#include <farwatch/plugin.h>
#include <farwatch/thread.h>

#include <string.h>

#define LOGIN_TIMEOUT_MS 40000

static const char *
offer_login_text (const json_t *json, const char *key)
{
  return json_string_value (json_object_get (json, key));
}

static gboolean
offer_login_same (json_t *box, const char *key, const char *value)
{
  return g_strcmp0 (offer_login_text (box, key), value) == 0;
}

static const char *
box_fault (FarNonces *nonces, json_t *box, const FarOffer *offer)
{
  const char *nonce = offer_login_text (box, "nonce");
  gboolean spent = far_nonces_spend (nonces, nonce); /* first: a wrong box costs its nonce */
  json_int_t longest = json_integer_value (json_object_get (box, "longest_us"));
  if (!spent)
    return "its nonce is not from here, or was used: ask again";
  if (!offer->request || !offer_login_same (box, "request", offer->request))
    return "made for another request";
  if (!offer_login_same (box, "person", offer->person))
    return "made for another person";
  if (!offer_login_same (box, "device", offer->device))
    return "made for another device";
  if (!offer_login_same (box, "entry", offer->entry == FAR_ENTRY_PORTS ? "ports" : "stream"))
    return "made for another entry";
  if (longest != offer->for_us)
    return "made for another time";
  return offer_login_text (box, "password") ? NULL : "it has no password";
}

typedef struct {
  FarRequest *outer;
  char *person;
} LoginCheck;

static void
check_free (gpointer data)
{
  LoginCheck *check = data;
  far_request_unref (check->outer);
  g_free (check->person);
  g_free (check);
}

static void
offer_login_done (FarRequest *req, gpointer user)
{
  LoginCheck *check = user;
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
offer_login_ask (const FarOffer *offer, json_t *box, const char *const *authenticators, FarRequest *req)
{
  FarLogin *login = far_login_new (FAR_LOGIN_PASSWORD, offer->person, "access",
                                   offer->asker ? offer->asker : "");
  login->told_from = TRUE;
  login->secret = g_strdup (offer_login_text (box, "password"));
  LoginCheck *check = g_new0 (LoginCheck, 1);
  *check = (LoginCheck){ far_request_ref (req), g_strdup (offer->person) };
  far_login (authenticators, login,
             far_request_new (offer_login_done, check, LOGIN_TIMEOUT_MS)); /* lint: allow far_request_new */
}

gboolean
far_offer_login (const FarOffer *offer, const char *keys, FarNonces *nonces,
                 const char *const *authenticators, FarRequest *req)
{
  FAR_ON_MAIN ();
  GError *error = NULL;
  json_t *box = offer->login_box ? far_seal_open (keys, offer->login_box, &error) : NULL;
  if (!offer->login_box) {
    far_request_fail_new (req, FAR_ERROR_PROTOCOL, _ ("offer for a login in advance without a login box"));
    return FALSE;
  }
  if (!box) {
    g_prefix_error (&error, "login box of session '%s': ", offer->session);
    far_request_fail (req, error);
    return FALSE;
  }
  const char *fault = box_fault (nonces, box, offer);
  if (fault)
    far_request_fail_new (req, FAR_ERROR_DENIED, _ ("login box of session '%s' refused: %s"), offer->session,
                          fault);
  else
    offer_login_ask (offer, box, authenticators, req);
  json_decref (box);
  return fault == NULL;
}
