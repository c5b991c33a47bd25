/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the form of an offer, at the end that writes it and at the one that reads it
 * (farwatch/offer.h). */
#include "config.h"

#include <farwatch/i18n.h>
#include <farwatch/offer.h>
#include <farwatch/plugin.h>
#include <farwatch/thread.h>

#include <string.h>

static const char *
offer_text (const json_t *json, const char *key)
{
  return json_string_value (json_object_get (json, key));
}

void
far_offer_clear (FarOffer *offer)
{
  FAR_ON_MAIN ();
  g_clear_pointer (&offer->part, json_decref);
}

/* ---- writing ---- */

json_t *
far_offer_write (const FarOffer *offer, FarCarrier *carrier, json_t *part)
{
  FAR_ON_MAIN ();
  json_t *json = json_pack ("{s:s, s:i, s:s?, s:I, s:s?, s:s, s:s, s:s, s:s, s:s, s:s, s:s?}", "session",
                            offer->session, "generation", (int) offer->generation, "request", offer->request,
                            "for_us", (json_int_t) MAX (offer->for_us, 0), "device", offer->device, "entry",
                            offer->entry == FAR_ENTRY_PORTS ? "ports" : "stream", "login",
                            offer->in_advance ? "in-advance" : "in-band", "person", offer->person, "asker",
                            offer->asker, "reason", offer->reason, "sealed", offer->sealed, "login_box",
                            offer->login_box);
  far_carrier_part_put (carrier, json, part);
  return json;
}

/* ---- reading ---- */

static gboolean
offer_bad (GError **error, const char *what)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("offer without a usable %s"), what);
  return FALSE;
}

static gboolean
offer_numbers (json_t *json, FarOffer *offer, GError **error)
{
  json_int_t generation = json_integer_value (json_object_get (json, "generation"));
  offer->for_us = json_integer_value (json_object_get (json, "for_us"));
  if (generation < 1 || generation > G_MAXINT)
    return offer_bad (error, "generation");
  if (offer->for_us <= 0)
    return offer_bad (error, "for_us");
  offer->generation = generation;
  return TRUE;
}

static gboolean
offer_choices (json_t *json, FarOffer *offer, GError **error)
{
  const char *entry = offer_text (json, "entry"), *login = offer_text (json, "login");
  if (g_strcmp0 (entry, "ports") != 0 && g_strcmp0 (entry, "stream") != 0)
    return offer_bad (error, "entry");
  if (g_strcmp0 (login, "in-band") != 0 && g_strcmp0 (login, "in-advance") != 0)
    return offer_bad (error, "login");
  offer->entry = strcmp (entry, "ports") == 0 ? FAR_ENTRY_PORTS : FAR_ENTRY_STREAM;
  offer->in_advance = strcmp (login, "in-advance") == 0;
  return TRUE;
}

static gboolean
offer_short (const char *text)
{
  return text && *text && strlen (text) <= 4096;
}

gboolean
far_offer_read (const char *const *transports, json_t *json, FarOffer *offer, GError **error)
{
  FAR_ON_MAIN ();
  *offer = (FarOffer){ .session = offer_text (json, "session"),
                       .request = offer_text (json, "request"),
                       .device = offer_text (json, "device"),
                       .person = offer_text (json, "person"),
                       .asker = offer_text (json, "asker"),
                       .reason = offer_text (json, "reason"),
                       .sealed = offer_text (json, "sealed"),
                       .login_box = offer_text (json, "login_box") };
  if (!offer_short (offer->session) || strlen (offer->session) > 64 ||
      strspn (offer->session, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") != strlen (offer->session))
    return offer_bad (error, "session");
  offer->part = far_carrier_part (transports, json, &offer->transport, error);
  if (!offer->part)
    return FALSE;
  offer->address = offer_text (offer->part, "address");
  if (!offer_short (offer->person) || strlen (offer->person) > 64)
    return offer_bad (error, "person");
  if (!offer_short (offer->sealed))
    return offer_bad (error, "sealed");
  return offer_numbers (json, offer, error) && offer_choices (json, offer, error);
}
