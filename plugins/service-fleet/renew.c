/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node renews its certificate by its key: the request is signed with it, so that it can be asked for up to
 * 90 days after the old one expired, without a link. The answer may get lost, and whoever saw the request may
 * be the one who asked: the same key gets the same certificate again, until the next one is due. */
#include "config.h"

#include "fleet.h"

#include <string.h>

typedef struct {
  FarCall *call;
  json_t *row;
  guint tries;
} Renewal;

static void renew (Fleet *self, FarCall *call, guint tries);

static void
renewal_free (gpointer data)
{
  Renewal *renewal = data;
  json_decref (renewal->row);
  g_free (renewal);
}

static void
renewal_answer (Fleet *self, FarCall *call, const json_t *row)
{
  far_call_answer (call, 200,
                   json_pack ("{s:s, s:s?}", "certificate", fleet_text (row, "certificate"), "ca",
                              self->ca_pem));
}

static void
renewal_stored (Fleet *self, const GError *error, gpointer user)
{
  Renewal *renewal = user;
  if (!error) {
    fleet_terminal_load (self, renewal->row);
    renewal_answer (self, renewal->call, renewal->row);
  } else if (!fleet_again (self, error, renewal->call, renewal->tries, renew)) {
    far_call_fail (renewal->call, fleet_cannot_record (error));
  }
  renewal_free (renewal);
}

static gboolean
renewal_is_due (Fleet *self, const FarRegistryNode *terminal)
{
  gint64 due_us, until_us;
  fleet_certificate_life (self, terminal->row, &due_us, &until_us);
  return far_clock_wall_us () >= due_us;
}

/* It was renewed, and that one is not the node's first: the node may have an older one still. */
static gboolean
renewal_was_made (Fleet *self, const FarRegistryNode *terminal)
{
  return !renewal_is_due (self, terminal) && json_array_size (json_object_get (terminal->row, "older")) > 0 &&
         fleet_text (terminal->row, "certificate");
}

/* Why not, as a person reads it; NULL: it may. */
static GError *
renewal_fault (Fleet *self, const FarRegistryNode *terminal, const char *spki, gboolean linked)
{
  if (!terminal || g_strcmp0 (fleet_text (terminal->row, "spki"), spki) != 0)
    return g_error_new (FAR_ERROR, FAR_ERROR_DENIED,
                        _ ("no node is registered with this key: enrol it with a join token"));
  gint64 due_us, until_us;
  fleet_certificate_life (self, terminal->row, &due_us, &until_us);
  if (!linked &&
      far_clock_wall_us () > until_us + FLEET_RENEW_AFTER_EXPIRY) /* who has a link has a later one, of after
                                                                      the backup this row is from */
    return g_error_new (
        FAR_ERROR, FAR_ERROR_DENIED,
        _ ("the certificate expired more than 90 days ago: enrol the node with a join token"));
  if (!renewal_is_due (self, terminal) && !renewal_was_made (self, terminal))
    return g_error_new (FAR_ERROR, FAR_ERROR_CONFLICT,
                        _ ("too early: a certificate is renewed from two thirds of its life"));
  return NULL;
}

static void
renew (Fleet *self, FarCall *call, guint tries)
{
  GError *error = NULL;
  const char *csr = fleet_text (call->body, "csr"), *node = fleet_text (call->body, "node");
  if (call->principal->kind == FAR_PRINCIPAL_NODE)
    node = call->principal->name; /* whatever it says */
  g_autofree char *spki = far_trust_key_hash (csr, &error);
  const FarRegistryNode *terminal = far_registry_node (node);
  if (spki)
    error = renewal_fault (self, terminal, spki, call->principal->kind == FAR_PRINCIPAL_NODE);
  if (!error && fleet_opts (self)->authority != FLEET_AUTHORITY_CLOUD)
    error = g_error_new (FAR_ERROR, FAR_ERROR_CONFIG,
                         _ ("the fleet authority is on the admin's machine: enrol again with a new join "
                            "token (`farctl enroll --profile FILE --server "
                            "HOST:PORT`)"));
  if (!error && renewal_was_made (self, terminal)) {
    renewal_answer (self, call, terminal->row);
    return;
  }
  g_autofree char *certificate = error ? NULL : fleet_sign (self, csr, node, &error);
  if (!certificate) {
    far_call_fail (call, error);
    return;
  }
  json_t *row = json_deep_copy (terminal->row);
  fleet_certificate_set (row, certificate);
  Renewal *renewal = g_new0 (Renewal, 1);
  *renewal = (Renewal){ call, json_incref (row), tries };
  fleet_row_put (self, "terminals", terminal->id, row, FLEET_EXPECT_KNOWN, renewal_stored, renewal,
                 renewal_free);
}

void
fleet_renew_post (gpointer self, FarCall *call)
{
  renew (self, call, 0);
}
