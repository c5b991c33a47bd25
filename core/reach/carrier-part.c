/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A carrier's own part of an offer: where it stands, and whether a credential has the same. Parts of kinds
 * that are older than the object `carrier` stand in the offer itself, so that nodes of any age understand
 * each other (doc/carriers.md). */
#include "config.h"

#include "reach/carrier-part.h"

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/plugin.h>
#include <farwatch/thread.h>

#define TEXT_MAX 4096

static const FarCarrierOps *
carrier_part_ops (const char *transport, const char **kind, GError **error)
{
  FarInstance *at = far_instance_find (FAR_KIND_TRANSPORT, transport, error);
  if (at == NULL)
    return NULL;
  *kind = far_instance_type (at)->name;
  return ((const FarTransportType *) far_instance_type (at))->carrier;
}

void
far_carrier_part_write (json_t *json, const char *kind, const FarCarrierOps *ops, json_t *part)
{
  if (ops->flat != NULL) {
    json_object_update (json, part);
    return;
  }
  json_t *own = json_copy (part);
  json_object_set_new (own, "kind", json_string (kind));
  json_object_set_new (json, "carrier", own);
}

/* ---- reading ---- */

/* `wanted` NULL: the offer names no kind. */
static gboolean
carrier_part_fits (const FarCarrierOps *ops, const char *kind, const char *wanted)
{
  if (ops == NULL || ops->open == NULL)
    return FALSE;
  return wanted != NULL ? ops->flat == NULL && strcmp (kind, wanted) == 0 : ops->flat != NULL;
}

static json_t *
carrier_part_take (const FarCarrierOps *ops, json_t *offer)
{
  json_t *part = ops->flat == NULL ? json_incref (json_object_get (offer, "carrier")) : json_object ();
  for (guint i = 0; ops->flat != NULL && ops->flat[i] != NULL; i++)
    json_object_set (part, ops->flat[i], json_object_get (offer, ops->flat[i]));
  return part;
}

static const char *
carrier_part_fault (const FarCarrierOps *ops, json_t *part)
{
  const char *address = json_string_value (json_object_get (part, "address"));
  g_autofree char *host = NULL;
  guint16 port = 0;
  if (address == NULL || strlen (address) > TEXT_MAX || !far_parse_address (address, &host, &port, NULL) ||
      port == 0)
    return "address";
  return ops->check != NULL ? ops->check (part) : NULL;
}

static json_t *
carrier_part_read (const FarCarrierOps *ops, json_t *offer, GError **error)
{
  json_t *part = carrier_part_take (ops, offer);
  const char *fault = carrier_part_fault (ops, part);
  if (fault == NULL)
    return part;
  g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("offer without a usable %s"), fault);
  json_decref (part);
  return NULL;
}

json_t *
far_carrier_part (const char *const *transports, json_t *offer, const char **transport, GError **error)
{
  FAR_ON_MAIN ();
  json_t *carrier = json_object_get (offer, "carrier");
  const char *wanted = json_string_value (json_object_get (carrier, "kind")), *kind = NULL;
  g_autoptr (GError) why = NULL;
  if (carrier != NULL && wanted == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("offer without a usable %s"), "carrier");
    return NULL;
  }
  for (guint i = 0; transports != NULL && transports[i] != NULL; i++) {
    const FarCarrierOps *ops = carrier_part_ops (transports[i], &kind, why == NULL ? &why : NULL);
    if (!carrier_part_fits (ops, kind, wanted))
      continue;
    *transport = transports[i];
    return carrier_part_read (ops, offer, error);
  }
  if (why != NULL)
    g_propagate_error (error, g_steal_pointer (&why));
  else if (wanted != NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                 _ ("no transport here carries sessions of kind '%s'"), wanted);
  else
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                         _ ("no transport here carries what is offered"));
  return NULL;
}

/* ---- comparing ---- */

static const char *
carrier_part_differs (json_t *one, json_t *other)
{
  const char *key;
  json_t *value;
  json_object_foreach (one, key, value) {
    json_t *same = json_object_get (other, key);
    if (same == NULL || !json_equal (value, same))
      return key;
  }
  return NULL;
}

const char *
far_carrier_part_other (json_t *part, json_t *credential)
{
  FAR_ON_MAIN ();
  json_t *own = json_object_get (credential, "carrier");
  const char *fault;
  if (json_object_get (part, "kind") == NULL)
    return own != NULL ? "carrier" : carrier_part_differs (part, credential);
  fault = carrier_part_differs (part, own);
  return fault != NULL ? fault : carrier_part_differs (own, part);
}
