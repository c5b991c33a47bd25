/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node comes with a join token and its keys, and gets a certificate and a node statement. `authority:
 * cloud` signs here; `authority: admin` leaves it pending until somebody signs it on their own machine
 * (approve.c). */
#include "config.h"

#include "fleet.h"

#include <string.h>

static json_t *
enrol_answer (Fleet *self, json_t *row)
{
  return json_pack ("{s:s?, s:s?, s:O?, s:s}", "certificate", fleet_text (row, "certificate"), "ca",
                    self->ca_pem, "statement", json_object_get (row, "statement"), "node",
                    fleet_text (row, "terminal"));
}

static void enroll (Fleet *self, FarCall *call, guint tries);

static void
enrol_done (Fleet *self, FleetEnrol *enrol)
{
  const char *number = fleet_text (enrol->row, "number");
  g_hash_table_replace (self->joins, g_strdup (enrol->join), json_incref (enrol->token));
  if (!number) {
    fleet_enrol_replace (self, enrol);
    far_log (self->at, G_LOG_LEVEL_MESSAGE, "node enrolled: %s", enrol->node);
    far_call_answer (enrol->call, 200, enrol_answer (self, enrol->row));
  } else {
    g_hash_table_replace (self->enrollments, g_strdup (number), json_incref (enrol->row));
    far_log (self->at, G_LOG_LEVEL_MESSAGE, "enrolment waits for approval: %s, number %s", enrol->node,
             number);
    far_call_answer (enrol->call, 202, json_pack ("{s:s}", "pending", number));
  }
}

static void
enrol_stored (Fleet *self, const GError *error, gpointer user)
{
  FleetEnrol *enrol = user;
  if (!error)
    enrol_done (self, enrol);
  else if (!fleet_again (self, error, enrol->call, enrol->tries, enroll))
    far_call_fail (enrol->call, fleet_cannot_record (error));
  fleet_enrol_free (enrol);
}

/* The node's row is written and the join token bound in one step: of two keys that race for one token, or of
 * two tokens for one name, one wins, and the other one is judged anew. */
static void
enrol_store (Fleet *self, FleetEnrol *enrol, const char *table, const char *key)
{
  enrol->token = json_copy (g_hash_table_lookup (self->joins, enrol->join));
  json_object_set_new (enrol->token, "key", json_string (enrol->spki));
  json_object_set_new (enrol->token, "used_by", json_string (enrol->node));
  g_autofree char *join_text = fleet_json_text (enrol->token), *row_text = fleet_json_text (enrol->row);
  g_autofree char *terminal_text = NULL;
  FarPart parts[3] = {
    { .kind = FAR_PART_ROW, .table = table, .key = key, .row = row_text, .expect = FLEET_EXPECT_KNOWN },
    { .kind = FAR_PART_ROW,
      .table = "joins",
      .key = enrol->join,
      .row = join_text,
      .expect = FLEET_EXPECT_KNOWN }
  };
  gboolean waits = strcmp (table, "terminals") != 0 &&
                   fleet_terminal_part (self, enrol->node, &parts[2], &terminal_text);
  fleet_enrol_apply (self, enrol, parts, waits ? 3 : 2, enrol_stored);
}

static void
enrol_sign (Fleet *self, FleetEnrol *enrol, const char *csr)
{
  GError *error = NULL;
  g_autofree char *certificate = fleet_sign (self, csr, enrol->node, &error);
  json_t *statement = certificate ? fleet_statement_new (self, enrol->node, enrol->keys, enrol->spki, &error)
                                  : NULL;
  if (!statement) {
    far_call_fail (enrol->call, error);
    fleet_enrol_free (enrol);
    return;
  }
  enrol->row = fleet_enrol_row (self, enrol, certificate, statement);
  enrol_store (self, enrol, "terminals", enrol->node);
}

/* What the token gives goes with what waits: the name may be taken by the time of the approval. */
static void
pending_given (json_t *row, json_t *join)
{
  gboolean own = g_strcmp0 (fleet_text (join, "node"), fleet_text (row, "terminal")) == 0;
  json_object_set_new (row, "managed",
                       json_boolean (own && json_is_true (json_object_get (join, "managed"))));
  json_object_set_new (row, "replace",
                       json_boolean (own && json_is_true (json_object_get (join, "replace"))));
}

/* The very same wish: of the same keys, by a token that gives the same. */
static json_t *
pending_of (Fleet *self, json_t *wish)
{
  static const char *const fields[] = { "terminal", "spki", "managed", "replace" };
  GHashTableIter iter;
  gpointer row;
  g_hash_table_iter_init (&iter, self->enrollments);
  while (g_hash_table_iter_next (&iter, NULL, &row)) {
    gboolean same = fleet_keys_same (row, wish);
    for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
      same = same && json_equal (json_object_get (row, fields[i]), json_object_get (wish, fields[i]));
    if (same)
      return row;
  }
  return NULL;
}

static void
enrol_leave (Fleet *self, FleetEnrol *enrol, const char *csr)
{
  enrol->row = json_pack ("{s:s, s:s}", "terminal", enrol->node, "spki", enrol->spki);
  json_object_update (enrol->row, enrol->keys);
  pending_given (enrol->row, g_hash_table_lookup (self->joins, enrol->join));
  json_t *pending = pending_of (self, enrol->row);
  if (pending) { /* asks again for what still waits */
    far_call_answer (enrol->call, 202, json_pack ("{s:s}", "pending", fleet_text (pending, "number")));
    fleet_enrol_free (enrol);
    return;
  }
  g_autofree char *number = far_random_text (6);
  g_autofree char *asked = far_clock_format (far_clock_wall_us ());
  json_t *more = json_pack ("{s:s, s:s, s:s, s:s}", "number", number, "csr", csr, "asked", asked, "from",
                            enrol->call->principal->from ? enrol->call->principal->from : "");
  json_object_update (enrol->row, more);
  json_decref (more);
  enrol_store (self, enrol, "enrollments", number);
}

static gboolean
enrol_fresh (Fleet *self, const FarRegistryNode *known)
{
  gint64 due_us, until_us;
  fleet_certificate_life (self, known->row, &due_us, &until_us);
  return far_clock_wall_us () < due_us;
}

/* A lost answer, fetched again by the same key. */
static gboolean
enrol_again (Fleet *self, FarCall *call, const char *node, const char *spki, json_t *keys)
{
  const FarRegistryNode *known = far_registry_node (node);
  if (!known || g_strcmp0 (fleet_text (known->row, "spki"), spki) != 0 ||
      !fleet_text (known->row, "certificate") || !fleet_keys_same (known->row, keys) ||
      !enrol_fresh (self, known))
    return FALSE;
  far_call_answer (call, 200, enrol_answer (self, known->row));
  return TRUE;
}

static void
enroll (Fleet *self, FarCall *call, guint tries)
{
  GError *error = NULL;
  const char *node = fleet_text (call->body, "node"), *csr = fleet_text (call->body, "csr");
  g_autofree char *spki = far_trust_key_hash (csr, &error);
  json_t *join = spki ? fleet_join_check (self, fleet_text (call->body, "token"), spki, node, &error) : NULL;
  if (!join || !fleet_key_is_good (spki, node, &error)) {
    far_call_fail (call, error);
    return;
  }
  if (!self->ca_pem) {
    far_call_fail_new (
        call, FAR_ERROR_CONFIG,
        _ ("this cloud has no fleet authority in %s: run `farctl ca init --profile FILE --name HOST`"),
        fleet_opts (self)->ca);
    return;
  }
  json_t *keys = json_pack ("{s:s, s:s}", "box", fleet_text (call->body, "box"), "ssh",
                            fleet_text (call->body, "ssh"));
  const FarRegistryNode *known = far_registry_node (node);
  /* The cloud's own name nobody may have. */
  if (strcmp (node, far_node_id ()) == 0 || (known && !fleet_join_gives (join, known, spki, keys))) {
    fleet_enrol_taken (call, node);
  } else if (!enrol_again (self, call, node, spki, keys)) {
    FleetEnrol *enrol = g_new0 (FleetEnrol, 1);
    *enrol = (FleetEnrol){ call,
                           g_strdup (node),
                           g_strdup (fleet_text (join, "id")),
                           g_strdup (spki),
                           NULL,
                           json_incref (keys),
                           .tries = tries };
    if (fleet_opts (self)->authority == FLEET_AUTHORITY_CLOUD)
      enrol_sign (self, enrol, csr);
    else
      enrol_leave (self, enrol, csr);
  }
  json_decref (keys);
}

void
fleet_enroll_post (gpointer self, FarCall *call)
{
  enroll (self, call, 0);
}
