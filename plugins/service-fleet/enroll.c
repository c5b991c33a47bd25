/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node comes with a join token and its keys, and gets a certificate and a node statement. `authority:
 * cloud` signs here; `authority: admin` leaves it pending until somebody signs it on their own machine
 * (`farctl enroll approve`). */
#include "config.h"

#include "fleet.h"

#include <string.h>

typedef struct {
  FarCall *call;
  char *node, *join, *spki;
  json_t *row, *keys, *token; /* token: the join token's row from now on */
  FleetRevocation *revoked;   /* the node that had this name with another key; NULL: none */
  guint tries;
} Enrol;

static void
enrol_free (gpointer data)
{
  Enrol *enrol = data;
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

static json_t *
enrol_answer (Fleet *self, json_t *row)
{
  return json_pack ("{s:s?, s:s?, s:O?, s:s}", "certificate", fleet_text (row, "certificate"), "ca",
                    self->ca_pem, "statement", json_object_get (row, "statement"), "node",
                    fleet_text (row, "terminal"));
}

/* The certificates of the one before are void, and so is what it holds. */
static void
enrol_replace (Fleet *self, Enrol *enrol)
{
  if (enrol->revoked) {
    fleet_revocation_now (self, enrol->revoked);
    fleet_registry_cut (self, enrol->node, "enrolled with another key");
    far_registry_end (self->at, enrol->node, FAR_REGISTRY_REPLACED);
  }
  fleet_terminal_load (self, enrol->row);
}

static void enroll (Fleet *self, FarCall *call, guint tries);

static void
enrol_done (Fleet *self, Enrol *enrol)
{
  const char *number = fleet_text (enrol->row, "number");
  g_hash_table_replace (self->joins, g_strdup (enrol->join), json_incref (enrol->token));
  if (!number) {
    enrol_replace (self, enrol);
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
  Enrol *enrol = user;
  if (!error)
    enrol_done (self, enrol);
  else if (!fleet_again (self, error, enrol->call, enrol->tries, enroll))
    far_call_fail (enrol->call, fleet_cannot_record (error));
  enrol_free (enrol);
}

/* Row and what else must be written with it, in one step. */
static void
enrol_apply (Fleet *self, Enrol *enrol, const FarPart *parts, guint n, FleetDone done)
{
  g_autoptr (GArray) all = g_array_new (FALSE, TRUE, sizeof (FarPart));
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  g_array_append_vals (all, parts, n);
  if (enrol->revoked)
    fleet_revocation_parts (enrol->revoked, all, texts);
  fleet_rows_apply (self, (FarPart *) all->data, all->len, done, enrol, enrol_free);
}

/* The node's row is written and the join token bound in one step: of two keys that race for one token, or of
 * two tokens for one name, one wins, and the other one is judged anew. */
static void
enrol_store (Fleet *self, Enrol *enrol, const char *table, const char *key)
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
  enrol_apply (self, enrol, parts, waits ? 3 : 2, enrol_stored);
}

static json_t *
enrol_row (Fleet *self, Enrol *enrol, const char *certificate, json_t *statement /* takes */)
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

static void
enrol_sign (Fleet *self, Enrol *enrol, const char *csr)
{
  GError *error = NULL;
  g_autofree char *certificate = fleet_sign (self, csr, enrol->node, &error);
  json_t *statement = certificate ? fleet_statement_new (self, enrol->node, enrol->keys, enrol->spki, &error)
                                  : NULL;
  if (!statement) {
    far_call_fail (enrol->call, error);
    enrol_free (enrol);
    return;
  }
  enrol->row = enrol_row (self, enrol, certificate, statement);
  enrol_store (self, enrol, "terminals", enrol->node);
}

static void
enrol_taken (FarCall *call, const char *node)
{
  far_call_fail_new (call, FAR_ERROR_CONFLICT,
                     _ ("the name '%s' is taken: a node with another key gets it by a join token that says "
                        "so (`farctl terminal add --replace %s`)"),
                     node, node);
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

static gboolean
pending_gives (json_t *pending, const FarRegistryNode *known)
{
  json_t *join = json_pack ("{s:s, s:O?, s:O?}", "node", fleet_text (pending, "terminal"), "managed",
                            json_object_get (pending, "managed"), "replace",
                            json_object_get (pending, "replace"));
  gboolean gives = fleet_join_gives (join, known, fleet_text (pending, "spki"), pending);
  json_decref (join);
  return gives;
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
enrol_leave (Fleet *self, Enrol *enrol, const char *csr)
{
  enrol->row = json_pack ("{s:s, s:s}", "terminal", enrol->node, "spki", enrol->spki);
  json_object_update (enrol->row, enrol->keys);
  pending_given (enrol->row, g_hash_table_lookup (self->joins, enrol->join));
  json_t *pending = pending_of (self, enrol->row);
  if (pending) { /* asks again for what still waits */
    far_call_answer (enrol->call, 202, json_pack ("{s:s}", "pending", fleet_text (pending, "number")));
    enrol_free (enrol);
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
  /* the cloud's own name nobody may have */
  if (strcmp (node, far_node_id ()) == 0 || (known && !fleet_join_gives (join, known, spki, keys))) {
    enrol_taken (call, node);
  } else if (!enrol_again (self, call, node, spki, keys)) {
    Enrol *enrol = g_new0 (Enrol, 1);
    *enrol = (Enrol){ call,
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

/* ---- authority: admin ---- */

void
fleet_enrollments_get (gpointer data, FarCall *call)
{
  Fleet *self = data;
  g_autoptr (GList)
      numbers = g_list_sort (g_hash_table_get_keys (self->enrollments), (GCompareFunc) g_strcmp0);
  FarPage page;
  far_page_begin (&page, call, G_MAXUINT16, self->ca_pem ? 2 * strlen (self->ca_pem) : 0);
  for (GList *at = numbers; at && !page.next; at = at->next)
    if (far_page_wants (&page, at->data))
      far_page_take (&page, at->data, json_incref (g_hash_table_lookup (self->enrollments, at->data)));
  far_call_answer (call, 200,
                   json_pack ("{s:o, s:s?, s:s?}", "enrollments", page.list, "ca", self->ca_pem, "next",
                              page.next));
}

static void approve (Fleet *self, FarCall *call, guint tries);

static void
approval_stored (Fleet *self, const GError *error, gpointer user)
{
  Enrol *enrol = user;
  if (!error) {
    enrol_replace (self, enrol);
    g_hash_table_remove (self->enrollments, enrol->join);
    far_log (self->at, G_LOG_LEVEL_MESSAGE, "node enrolled by approval: %s", enrol->node);
    far_call_answer (enrol->call, 200, json_pack ("{s:s}", "terminal", enrol->node));
  } else if (!fleet_again (self, error, enrol->call, enrol->tries, approve)) {
    far_call_fail (enrol->call, fleet_cannot_record (error));
  }
  enrol_free (enrol);
}

/* What came must be from the fleet's root, and for exactly what was asked. */
static gboolean
approval_check (Fleet *self, json_t *pending, const char *certificate, json_t *statement, GError **error)
{
  g_autofree char *ca = g_build_filename (fleet_opts (self)->ca, "ca.crt", NULL),
                  *spki = far_trust_key_hash (certificate, error);
  if (!spki ||
      !far_trust_check (certificate, ca, FAR_PURPOSE_NODE_CLIENT, fleet_text (pending, "terminal"), NULL,
                        NULL, error) ||
      !far_statement_check (statement, ca, error))
    return FALSE;
  const char *const fields[][2] = {
    { "node", "terminal" },
    { "box", "box" },
    { "ssh", "ssh" },
    { "spki", "spki" },
  };
  gboolean same = g_strcmp0 (spki, fleet_text (pending, "spki")) == 0;
  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    same = same && g_strcmp0 (fleet_text (statement, fields[i][0]), fleet_text (pending, fields[i][1])) == 0;
  if (!same)
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 _ ("certificate or statement is not for what node '%s' asked"),
                 fleet_text (pending, "terminal"));
  return same;
}

static void
approve (Fleet *self, FarCall *call, guint tries)
{
  GError *error = NULL;
  json_t *pending = g_hash_table_lookup (self->enrollments, call->parts[0]),
         *statement = json_object_get (call->body, "statement");
  const char *certificate = fleet_text (call->body, "certificate");
  if (!pending) {
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no enrolment '%s' waits"), call->parts[0]);
    return;
  }
  if (!fleet_key_is_good (fleet_text (pending, "spki"), fleet_text (pending, "terminal"), &error) ||
      !approval_check (self, pending, certificate, statement, &error)) {
    far_call_fail (call, error);
    return;
  }
  const FarRegistryNode *known = far_registry_node (fleet_text (pending, "terminal"));
  if (known && !pending_gives (pending, known)) {
    enrol_taken (call, known->id);
    return;
  }
  Enrol *enrol = g_new0 (Enrol, 1);
  *enrol = (Enrol){ call,
                    g_strdup (fleet_text (pending, "terminal")),
                    g_strdup (call->parts[0]),
                    g_strdup (fleet_text (pending, "spki")),
                    NULL,
                    json_pack ("{s:s, s:s}", "box", fleet_text (pending, "box"), "ssh",
                               fleet_text (pending, "ssh")),
                    .tries = tries };
  enrol->row = enrol_row (self, enrol, certificate, json_incref (statement));
  g_autofree char *text = fleet_json_text (enrol->row);
  FarPart parts[] = {
    { .kind = FAR_PART_ROW,
      .table = "terminals",
      .key = enrol->node,
      .row = text,
      .expect = FLEET_EXPECT_KNOWN },
    { .kind = FAR_PART_ROW,
      .table = "enrollments",
      .key = enrol->join,
      .row = NULL,
      .expect = FLEET_EXPECT_KNOWN },
  };
  enrol_apply (self, enrol, parts, 2, approval_stored);
}

void
fleet_enrollment_post (gpointer self, FarCall *call)
{
  approve (self, call, 0);
}

static void fleet_enroll_refuse (Fleet *self, FarCall *call, guint tries);

static void
fleet_enroll_refusal_stored (Fleet *self, const GError *error, gpointer user)
{
  Enrol *enrol = user;
  if (!error) {
    g_hash_table_remove (self->enrollments, enrol->join);
    far_call_answer (enrol->call, 204, NULL);
  } else if (!fleet_again (self, error, enrol->call, enrol->tries, fleet_enroll_refuse)) {
    far_call_fail (enrol->call, fleet_cannot_record (error));
  }
  enrol_free (enrol);
}

static void
fleet_enroll_refuse (Fleet *self, FarCall *call, guint tries)
{
  if (!g_hash_table_contains (self->enrollments, call->parts[0])) {
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no enrolment '%s' waits"), call->parts[0]);
    return;
  }
  Enrol *enrol = g_new0 (Enrol, 1);
  *enrol = (Enrol){ .call = call, .join = g_strdup (call->parts[0]), .tries = tries };
  fleet_row_put (self, "enrollments", call->parts[0], NULL, FLEET_EXPECT_KNOWN, fleet_enroll_refusal_stored,
                 enrol, enrol_free);
}

void
fleet_enrollment_delete (gpointer self, FarCall *call)
{
  fleet_enroll_refuse (self, call, 0);
}
