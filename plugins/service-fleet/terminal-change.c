/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* People register terminals, change and remove them: who adds one does not mean to change another, whoever
 * changes one has seen it, and what was given to one ends with it. */
#include "config.h"

#include "fleet.h"

typedef struct {
  FarCall *call;
  json_t *row, *was;
  guint status, tries;
} FleetTerminalChange;

static void terminal_change (Fleet *self, FarCall *call, guint tries);

static void
fleet_terminal_change_free (gpointer data)
{
  FleetTerminalChange *change = data;
  json_decref (change->row);
  json_decref (change->was);
  g_free (change);
}

static void
terminal_stored (Fleet *self, const GError *error, gpointer user)
{
  FleetTerminalChange *change = user;
  if (!error) {
    json_t *body = fleet_terminal_show (fleet_terminal_load (self, change->row));
    if (change->was)
      json_object_set (body, "was", change->was);
    far_call_answer (change->call, change->status, body);
  } else if (!fleet_again (self, error, change->call, change->tries, terminal_change)) {
    far_call_fail (change->call, fleet_cannot_record (error));
  }
  fleet_terminal_change_free (change);
}

/* Who enrolled has its keys in a signed statement: they change by enrolling again, not by hand. */
static gboolean
changes_enrolled_key (const FarRegistryNode *known, json_t *body)
{
  const char *const fields[] = { "ssh", "box" };
  gboolean changes = FALSE;
  for (guint i = 0; known && fleet_text (known->row, "spki") && i < G_N_ELEMENTS (fields); i++)
    changes = changes || (fleet_text (body, fields[i]) &&
                          g_strcmp0 (fleet_text (body, fields[i]), fleet_text (known->row, fields[i])) != 0);
  return changes;
}

/* Who adds one does not mean to change another, and who changes one does not mean to make it. */
static gboolean
terminal_is_meant (const FarRegistryNode *known, FarCall *call)
{
  json_t *fresh = json_object_get (call->body, "new");
  const char *id = call->parts[0];
  if (json_is_false (fresh) && !known)
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND,
                       _ ("no terminal '%s'; `farctl terminal add %s` registers it"), id, id);
  else if (json_is_true (fresh) && known && fleet_text (known->row, "spki"))
    far_call_fail_new (call, FAR_ERROR_CONFLICT,
                       _ ("terminal '%s' is enrolled already: `farctl terminal set %s …` changes it, `farctl "
                          "terminal add --replace %s` lets another node take its place"),
                       id, id, id);
  else if (json_is_true (fresh) && known)
    far_call_fail_new (call, FAR_ERROR_CONFLICT,
                       _ ("terminal '%s' is registered already: `farctl terminal set %s …` changes it, "
                          "`farctl enroll token %s` makes a join token for it"),
                       id, id, id);
  else
    return TRUE;
  return FALSE;
}

/* Each field by itself is a change of its own; groups, though, are given all at once. */
static gboolean
terminal_is_seen (const FarRegistryNode *known, FarCall *call)
{
  GError *error = NULL;
  json_t *seen = known ? fleet_terminal_seen (known) : NULL;
  g_autofree char *place = fleet_object (call->parts[0], NULL);
  gboolean good = far_expect_ok (call, place, seen, NULL, &error);
  json_decref (seen);
  if (!good)
    far_call_fail (call, error);
  return good;
}

static void
terminal_change (Fleet *self, FarCall *call, guint tries)
{
  const char *id = call->parts[0], *stock = fleet_text (call->body, "stock");
  const FarRegistryNode *known = far_registry_node (id);
  GError *error = NULL;
  if (!far_object_name_ok (id)) {
    far_call_fail_new (
        call, FAR_ERROR_INVALID,
        _ ("terminal '%s': an id has 1 to 64 of A-Z a-z 0-9 . _ - and starts with a letter or digit"), id);
    return;
  }
  if (!terminal_is_meant (known, call) || !terminal_is_seen (known, call))
    return;
  if (stock && *stock && g_strcmp0 (stock, "host-login") != 0) {
    far_call_fail_new (call, FAR_ERROR_INVALID, _ ("stock: only 'host-login' is known, not '%s'"), stock);
    return;
  }
  if (changes_enrolled_key (known, call->body)) {
    far_call_fail_new (
        call, FAR_ERROR_CONFLICT,
        _ ("terminal '%s' is enrolled: its keys change by enrolling again with a join token made for it"),
        id);
    return;
  }
  json_t *row = known
                    ? json_deep_copy (known->row)
                    : json_pack ("{s:s, s:I}", "terminal", id, "added_us", (json_int_t) far_clock_wall_us ());
  for (guint i = 0; fleet_terminal_fields[i]; i++)
    if (fleet_text (call->body, fleet_terminal_fields[i]))
      json_object_set (row, fleet_terminal_fields[i], json_object_get (call->body, fleet_terminal_fields[i]));
  if (json_object_get (call->body, "groups"))
    json_object_set (row, "groups", json_object_get (call->body, "groups"));
  if (!fleet_site_check (call->principal, known ? known->row : NULL, row, &error)) {
    json_decref (row);
    far_call_fail (call, error);
    return;
  }
  FleetTerminalChange *change = g_new0 (FleetTerminalChange, 1);
  *change = (FleetTerminalChange){ call, json_incref (row), known ? fleet_terminal_seen (known) : NULL,
                                   known ? 200 : 201, tries };
  fleet_row_put (self, "terminals", id, row, FLEET_EXPECT_KNOWN, terminal_stored, change,
                 fleet_terminal_change_free);
}

void
fleet_terminal_put (gpointer self, FarCall *call)
{
  terminal_change (self, call, 0);
}

typedef struct {
  FarCall *call;
  FleetRevocation *gone;
  guint tries;
} Removal;

static void terminal_delete (Fleet *self, FarCall *call, guint tries);

static void
removal_free (gpointer data)
{
  Removal *removal = data;
  fleet_revocation_free (removal->gone);
  g_free (removal);
}

/* Its key is revoked by the first step, whatever the later ones met. */
static void
removal_begun (Fleet *self, const GError *error, const FleetRevocation *gone)
{
  if (error->domain != FLEET_PARTLY && !(gone->key && far_trust_revoked_key (gone->key)))
    return;
  fleet_link_cut (self, gone->terminal, "revoked");
  far_registry_void (self->at, gone->terminal, FAR_REGISTRY_REVOKED);
}

static void
terminal_removed (Fleet *self, const GError *error, gpointer user)
{
  Removal *removal = user;
  if (!error) {
    fleet_revocation_now (self, removal->gone);
    fleet_link_cut (self, removal->gone->terminal, "revoked");
    fleet_terminal_forget (self, removal->gone->terminal);
    far_call_answer (removal->call, 204, NULL);
  } else {
    removal_begun (self, error, removal->gone);
    if (!fleet_again (self, error, removal->call, removal->tries, terminal_delete))
      far_call_fail (removal->call, fleet_cannot_record (error));
  }
  removal_free (removal);
}

static void
part_delete (GArray *parts, const char *table, const char *key, gint64 expect)
{
  FarPart part = { .kind = FAR_PART_ROW, .table = table, .key = key, .expect = expect };
  g_array_append_val (parts, part);
}

/* Revoked: the row goes with its devices and with the tokens that would bring it back, its key and
 * certificates are remembered, the live link is cut, sessions end. Its own row goes last: as long as it is
 * there, the removal can be asked for again. */
static void
terminal_delete (Fleet *self, FarCall *call, guint tries)
{
  const FarRegistryNode *terminal = fleet_called_terminal (call);
  if (!terminal || !terminal_is_seen (terminal, call))
    return;
  g_autoptr (GArray) parts = g_array_new (FALSE, TRUE, sizeof (FarPart));
  g_autoptr (GPtrArray) keys = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GList) names = g_hash_table_get_keys (terminal->devices);
  Removal *removal = g_new0 (Removal, 1);
  *removal = (Removal){ call, fleet_revocation_new (self, terminal->row, TRUE), tries };
  fleet_revocation_parts (removal->gone, parts, keys);
  for (GList *at = names; at; at = at->next) {
    char *key = g_strdup_printf ("%s/%s", terminal->id, (char *) at->data);
    g_ptr_array_add (keys, key);
    part_delete (parts, "devices", key, FAR_EXPECT_ANY);
  }
  part_delete (parts, "terminals", terminal->id, FLEET_EXPECT_KNOWN);
  fleet_rows_apply (self, (FarPart *) parts->data, parts->len, terminal_removed, removal, removal_free);
}

void
fleet_terminal_delete (gpointer self, FarCall *call)
{
  terminal_delete (self, call, 0);
}
