/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Enrolments that wait where the authority is on an admin's machine: they are listed, brought back signed
 * (`farctl enroll approve`) or refused. */
#include "config.h"

#include "fleet.h"

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
  FleetEnrol *enrol = user;
  if (!error) {
    fleet_enrol_replace (self, enrol);
    g_hash_table_remove (self->enrollments, enrol->join);
    far_log (self->at, G_LOG_LEVEL_MESSAGE, "node enrolled by approval: %s", enrol->node);
    far_call_answer (enrol->call, 200, json_pack ("{s:s}", "terminal", enrol->node));
  } else if (!fleet_again (self, error, enrol->call, enrol->tries, approve)) {
    far_call_fail (enrol->call, fleet_cannot_record (error));
  }
  fleet_enrol_free (enrol);
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
    fleet_enrol_taken (call, known->id);
    return;
  }
  FleetEnrol *enrol = g_new0 (FleetEnrol, 1);
  *enrol = (FleetEnrol){ call,
                         g_strdup (fleet_text (pending, "terminal")),
                         g_strdup (call->parts[0]),
                         g_strdup (fleet_text (pending, "spki")),
                         NULL,
                         json_pack ("{s:s, s:s}", "box", fleet_text (pending, "box"), "ssh",
                                    fleet_text (pending, "ssh")),
                         .tries = tries };
  enrol->row = fleet_enrol_row (self, enrol, certificate, json_incref (statement));
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
  fleet_enrol_apply (self, enrol, parts, 2, approval_stored);
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
  FleetEnrol *enrol = user;
  if (!error) {
    g_hash_table_remove (self->enrollments, enrol->join);
    far_call_answer (enrol->call, 204, NULL);
  } else if (!fleet_again (self, error, enrol->call, enrol->tries, fleet_enroll_refuse)) {
    far_call_fail (enrol->call, fleet_cannot_record (error));
  }
  fleet_enrol_free (enrol);
}

static void
fleet_enroll_refuse (Fleet *self, FarCall *call, guint tries)
{
  if (!g_hash_table_contains (self->enrollments, call->parts[0])) {
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no enrolment '%s' waits"), call->parts[0]);
    return;
  }
  FleetEnrol *enrol = g_new0 (FleetEnrol, 1);
  *enrol = (FleetEnrol){ .call = call, .join = g_strdup (call->parts[0]), .tries = tries };
  fleet_row_put (self, "enrollments", call->parts[0], NULL, FLEET_EXPECT_KNOWN, fleet_enroll_refusal_stored,
                 enrol, fleet_enrol_free);
}

void
fleet_enrollment_delete (gpointer self, FarCall *call)
{
  fleet_enroll_refuse (self, call, 0);
}
