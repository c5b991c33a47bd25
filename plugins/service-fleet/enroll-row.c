/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an enrolment makes of a node, whoever signs it: its row, what is written with that in one step, and
 * what ends with the node that had the name before. */
#include "config.h"

#include "fleet.h"

void
fleet_enrol_free (gpointer data)
{
  FleetEnrol *enrol = data;
  g_free (enrol->node);
  g_free (enrol->join);
  g_free (enrol->spki);
  json_decref (enrol->row);
  json_decref (enrol->keys);
  json_decref (enrol->token);
  g_clear_pointer (&enrol->revoked, fleet_revocation_free);
  g_free (enrol);
}

char *
fleet_sign (Fleet *self, const char *csr, const char *node, GError **error)
{
  const FleetOpts *opts = fleet_opts (self);
  guint days = MAX (1, opts->certificate / (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC));
  return far_trust_sign (opts->ca, csr, node, NULL, FALSE, days, error);
}

json_t *
fleet_statement_new (Fleet *self, const char *node, json_t *keys, const char *spki, GError **error)
{
  g_autofree char *issued = far_clock_format (far_clock_wall_us ());
  json_t *statement = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s}", "node", node, "box",
                                 fleet_text (keys, "box"), "ssh", fleet_text (keys, "ssh"), "spki", spki,
                                 "authority", "cloud", "issued", issued);
  return far_statement_sign (fleet_opts (self)->ca, statement, error);
}

/* The certificates of the one before are void, and so is what it holds. */
void
fleet_enrol_replace (Fleet *self, FleetEnrol *enrol)
{
  if (enrol->revoked)
    fleet_revocation_now (self, enrol->revoked);
  fleet_terminal_load (self, enrol->row);
}

/* Row and what else must be written with it, in one step. */
void
fleet_enrol_apply (Fleet *self, FleetEnrol *enrol, const FarPart *parts, guint n, FleetDone done)
{
  g_autoptr (GArray) all = g_array_new (FALSE, TRUE, sizeof (FarPart));
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  g_array_append_vals (all, parts, n);
  if (enrol->revoked)
    fleet_revocation_parts (enrol->revoked, all, texts);
  fleet_rows_apply (self, (FarPart *) all->data, all->len, done, enrol, fleet_enrol_free);
}

json_t *
fleet_enrol_row (Fleet *self, FleetEnrol *enrol, const char *certificate, json_t *statement /* takes */)
{
  const FarRegistryNode *known = far_registry_node (enrol->node);
  json_t *row = known ? json_deep_copy (known->row)
                      : json_pack ("{s:s, s:I}", "terminal", enrol->node, "added_us",
                                   (json_int_t) far_clock_wall_us ());
  if (g_strcmp0 (fleet_text (row, "spki"), enrol->spki) != 0 && fleet_text (row, "serial")) {
    enrol->revoked = fleet_revocation_new (self, row, FALSE);
    json_object_del (row, "older");
    json_object_del (row, "serial");
  }
  json_object_update (row, enrol->keys);
  json_object_set_new (row, "spki", json_string (enrol->spki));
  fleet_certificate_set (row, certificate);
  json_object_set_new (row, "statement", statement);
  return row;
}

void
fleet_enrol_taken (FarCall *call, const char *node)
{
  far_call_fail_new (call, FAR_ERROR_CONFLICT,
                     _ ("the name '%s' is taken: a node with another key gets it by a join token that says "
                        "so (`farctl terminal add --replace %s`)"),
                     node, node);
}
