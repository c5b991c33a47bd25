/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file decides for an opening end where it may dial and how it goes on when that came to nothing
 * (farwatch/carrier-course.h). */
#include "config.h"

#include <string.h>

#include <farwatch/carrier-course.h>
#include <farwatch/clock.h>
#include <farwatch/error.h>
#include <farwatch/gate.h>
#include <farwatch/plugin.h>
#include <farwatch/thread.h>

#define REFUSED_ROW 2                               /* times, then another kind is asked for */
#define REFUSED_MAX 5                               /* times that the other end says no */
#define UNREACHED_US (60 * (gint64) G_USEC_PER_SEC) /* it may be flooded, or about to come back */
#define WAIT_DOUBLED_MAX 5
/* Who offers may have no other kind, or not now: what was offered is tried as it is for so long. */
#define ELSEWHERE_US (8 * (gint64) G_USEC_PER_SEC)

/* ---- where ---- */

gboolean
far_carrier_ends_good (char **list, GError **error)
{
  FAR_ON_MAIN ();
  for (char **item = list; item != NULL && *item != NULL; item++) {
    GError *fault = NULL;

    far_address_at ("127.0.0.1", 1, *item, &fault);
    if (fault == NULL)
      continue;
    g_propagate_error (error, fault);
    return FALSE;
  }
  return TRUE;
}

char *
far_carrier_end_place (const char *link, const char *address)
{
  FAR_ON_MAIN ();
  gboolean wildcard = g_str_has_prefix (address, "0.0.0.0:") || g_str_has_prefix (address, "[::]:");

  if (!wildcard || link == NULL)
    return g_strdup (address);
  return g_strdup_printf (strchr (link, ':') != NULL ? "[%s]%s" : "%s%s", link, strrchr (address, ':'));
}

gboolean
far_carrier_end_allowed (char **list, const char *link, const char *address)
{
  FAR_ON_MAIN ();
  g_autofree char *place = far_carrier_end_place (link, address), *host = NULL;
  guint16 port = 0;

  if (!far_parse_address (place, &host, &port, NULL))
    return FALSE;
  if (list == NULL || *list == NULL)
    return link != NULL && far_address_at (host, port, link, NULL);
  for (; *list != NULL; list++)
    if (far_address_at (host, port, *list, NULL))
      return TRUE;
  return FALSE;
}

/* ---- again ---- */

/* Is what was not reached of a kind that need not be? Then the common one may be offered: a firewall may let
 * that through, and nobody waits for it to change its mind. Who cannot be told has no firewall in the way;
 * who has heard it and offers the same again has no other. */
static gboolean
tries_elsewhere (const FarCarrierTries *tries, FarCarrier *carrier, gboolean unreached, gint64 now)
{
  gboolean heard = tries->elsewhere_us != 0 && now < tries->elsewhere_us + ELSEWHERE_US;

  return carrier != NULL && !far_carrier_is_common (carrier) && !heard &&
         (unreached || tries->failures >= REFUSED_ROW);
}

FarCarrierTry
far_carrier_tried (FarCarrierTries *tries, FarCarrier *carrier, const GError *error, gboolean linked)
{
  FAR_ON_MAIN ();
  gint64 now = far_clock_boottime_us ();
  gboolean unreached = error != NULL && g_error_matches (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE);

  if (tries->failures++ == 0)
    tries->failing_us = now;
  if (!tries->opened &&
      (unreached ? now - tries->failing_us >= UNREACHED_US : tries->failures >= REFUSED_MAX))
    return FAR_CARRIER_TRY_NO_MORE;
  if (error == NULL)
    return FAR_CARRIER_TRY_ELSEWHERE;
  if (linked && tries_elsewhere (tries, carrier, unreached, now)) {
    tries->elsewhere_us = now;
    return FAR_CARRIER_TRY_ELSEWHERE;
  }
  return unreached ? FAR_CARRIER_TRY_SAME : FAR_CARRIER_TRY_ANEW;
}

gint64
far_carrier_tries_wait_us (const FarCarrierTries *tries, gboolean elsewhere)
{
  FAR_ON_MAIN ();
  guint failures = elsewhere && tries->failures > 0 ? MIN (tries->failures, WAIT_DOUBLED_MAX + 1) - 1
                                                    : MIN (tries->failures, WAIT_DOUBLED_MAX + 1);

  return failures > 0 ? (gint64) G_USEC_PER_SEC << (failures - 1) : 0;
}

void
far_carrier_tries_up (FarCarrierTries *tries)
{
  FAR_ON_MAIN ();
  *tries = (FarCarrierTries){ .opened = TRUE };
}
