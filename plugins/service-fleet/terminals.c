/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps the terminals as the cloud knows them (spec B1): their rows, their keys, whether they
 * are up. */
#include "config.h"

#include "fleet.h"

#include <string.h>

#define NONCE_WORD 16
#define PAGE 1000 /* terminals of one answer, if it holds so many */

const FarRegistryNode *
fleet_terminal_load (Fleet *self, json_t *row)
{
  const char *id = fleet_text (row, "terminal");
  if (!fleet_name_fits (id))
    return NULL;
  g_autofree char *object = fleet_object (id, NULL);
  g_autoptr (GPtrArray) names = fleet_site_names (row);
  FarRegistryEntry entry = { id, object, (const char *const *) names->pdata, row };
  return far_registry_put (self->at, &entry);
}

void
fleet_terminal_forget (Fleet *self, const char *id)
{
  far_registry_remove (self->at, id);
}

gboolean
fleet_terminal_part (Fleet *self, const char *id, FarPart *part, char **text)
{
  const FarRegistryNode *terminal = id ? far_registry_node (id) : NULL;
  if (!terminal)
    return FALSE;
  *text = fleet_json_text (terminal->row);
  *part = (FarPart){ .kind = FAR_PART_ROW,
                     .table = "terminals",
                     .key = terminal->id,
                     .row = *text,
                     .expect = FLEET_EXPECT_KNOWN };
  return TRUE;
}

void
fleet_registry_cut (Fleet *self, const char *peer, const char *cause)
{
  const char *nodes = fleet_opts (self)->nodes;
  if (nodes)
    far_peer_cut (nodes, peer, cause);
}

void
fleet_registry_peer (Fleet *self, const char *peer, const char *from)
{
  if (far_registry_node (peer))
    return;
  far_log_limited (self->at, peer, "node '%s' from %s is not registered: link cut", peer, from ? from : "?");
  fleet_registry_cut (self, peer, "not registered");
}

/* ---- what people see ---- */

static const char *const terminal_fields[] = { "site", "note", "stock", "ssh", "box", NULL };

/* Who has a right to a device knows of its terminal what it takes to reach the device: whether it is there,
 * since when not, how it is come by. */
static json_t *
terminal_name_show (const FarRegistryNode *terminal, guint devices)
{
  g_autofree char *seen = terminal->seen_us ? far_clock_format (terminal->seen_us) : NULL;
  return json_pack ("{s:s, s:b, s:s?, s:I, s:s?}", "terminal", terminal->id, "connected", terminal->connected,
                    "seen", seen, "devices", (json_int_t) devices, "stock",
                    fleet_text (terminal->row, "stock"));
}

/* What people change of it: a renewal of its certificate is no change that they would have to look at. New
 * reference. */
static json_t *
terminal_seen (const FarRegistryNode *terminal)
{
  json_t *seen = json_object ();
  for (guint i = 0; terminal_fields[i]; i++)
    if (json_object_get (terminal->row, terminal_fields[i]))
      json_object_set (seen, terminal_fields[i], json_object_get (terminal->row, terminal_fields[i]));
  if (json_object_get (terminal->row, "groups"))
    json_object_set (seen, "groups", json_object_get (terminal->row, "groups"));
  return seen;
}

static json_t *
terminal_show (const FarRegistryNode *terminal)
{
  g_autofree char *seen = terminal->seen_us ? far_clock_format (terminal->seen_us) : NULL;
  g_autofree char *polled = terminal->polled_us ? far_clock_format (terminal->polled_us) : NULL;
  json_t *json = json_pack ("{s:s, s:b, s:s?, s:s?, s:s?, s:I, s:s?, s:O?, s:s?, s:s?}", "terminal",
                            terminal->id, "connected", terminal->connected, "from", terminal->from, "seen",
                            seen, "polled", polled, "devices",
                            (json_int_t) g_hash_table_size (terminal->devices), "site",
                            fleet_text (terminal->row, "site"), "groups",
                            json_object_get (terminal->row, "groups"), "note",
                            fleet_text (terminal->row, "note"), "stock", fleet_text (terminal->row, "stock"));
  json_t *fields = terminal_seen (terminal);
  g_autofree char *revision = far_revision (fields);
  json_object_set_new (json, "revision", json_string (revision));
  json_decref (fields);
  if (terminal->skew_told)
    json_object_set_new (json, "skew_us", json_integer (terminal->skew_us));
  return json;
}

static int
by_text (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (a, b);
}

/* Devices the principal may see, in the order of their names: keys of terminal->devices, borrowed. */
static GList *
devices_seen (const FarRegistryNode *terminal, const FarPrincipal *principal)
{
  GList *names = g_list_sort (g_hash_table_get_keys (terminal->devices), by_text), *next;
  for (GList *at = names; at; at = next) {
    g_autofree char *object = fleet_object (terminal->id, at->data);
    next = at->next;
    if (!far_authorize_see (principal, object))
      names = g_list_delete_link (names, at);
  }
  return names;
}

static json_t *
terminal_show_to (const FarRegistryNode *terminal, const FarPrincipal *principal)
{
  g_autofree char *object = fleet_object (terminal->id, NULL);
  if (far_authorize_see (principal, object))
    return terminal_show (terminal);
  g_autoptr (GList) names = devices_seen (terminal, principal);
  return terminal_name_show (terminal, g_list_length (names));
}

static int
terminals_by_id (gconstpointer a, gconstpointer b)
{
  const FarRegistryNode *const *one = a, *const *two = b;
  return strcmp ((*one)->id, (*two)->id);
}

void
fleet_terminals_get (gpointer data, FarCall *call)
{
  g_autoptr (GPtrArray) all = far_registry_nodes ();
  FarPage page;
  g_ptr_array_sort (all, terminals_by_id);
  far_page_begin (&page, call, PAGE, 0);
  for (guint i = 0; i < all->len && !page.next; i++) {
    const FarRegistryNode *terminal = all->pdata[i];
    if (far_visible (call->principal, terminal->object) && far_page_wants (&page, terminal->id))
      far_page_take (&page, terminal->id, terminal_show_to (terminal, call->principal));
  }
  far_call_answer (call, 200, json_pack ("{s:o, s:s?}", "terminals", page.list, "next", page.next));
}

/* One answer for a terminal that is not there and one that may not be seen. */
static const FarRegistryNode *
called_terminal (Fleet *self, FarCall *call)
{
  const FarRegistryNode *terminal = far_registry_node (call->parts[0]);
  if (!terminal)
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no terminal '%s', or no right to it"), call->parts[0]);
  return terminal;
}

static void
devices_page (FarPage *page, const FarRegistryNode *terminal, FarCall *call)
{
  g_autoptr (GList) names = devices_seen (terminal, call->principal);
  far_page_begin (page, call, G_MAXUINT16, 0);
  for (GList *at = names; at && !page->next; at = at->next)
    if (far_page_wants (page, at->data))
      far_page_take (page, at->data, fleet_device_show (g_hash_table_lookup (terminal->devices, at->data)));
}

void
fleet_terminal_get (gpointer data, FarCall *call)
{
  const FarRegistryNode *terminal = called_terminal (data, call);
  if (!terminal)
    return;
  json_t *body = terminal_show_to (terminal, call->principal);
  FarPage page;
  devices_page (&page, terminal, call);
  json_object_set_new (body, "devices", page.list);
  json_object_set_new (body, "host_key", json_pack ("s?", fleet_text (terminal->row, "ssh")));
  json_object_set_new (body, "next", json_pack ("s?", page.next));
  far_call_answer (call, 200, body);
}

/* What the client needs to seal a login to the terminal and to know its host key: for all who know of the
 * terminal, since who may reach a device comes by the terminal's keys. Each call makes a nonce of its own out
 * of the one that the terminal gave: nobody uses up another's. */
void
fleet_statement_get (gpointer data, FarCall *call)
{
  const FarRegistryNode *terminal = called_terminal (data, call);
  if (!terminal)
    return;
  json_t *statement = json_object_get (terminal->row, "statement");
  g_autofree char *seen = terminal->seen_us ? far_clock_format (terminal->seen_us) : NULL;
  g_autofree char *word = far_random_text (NONCE_WORD),
                  *nonce = terminal->nonce ? g_strconcat (terminal->nonce, ".", word, NULL) : NULL;
  if (!statement)
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND,
                       _ ("terminal '%s' has not joined the fleet yet: run `farctl enroll --profile FILE "
                          "--server HOST:PORT` there, with its join token"),
                       terminal->id);
  else
    far_call_answer (call, 200,
                     json_pack ("{s:O, s:s?, s:b, s:s?}", "statement", statement, "nonce", nonce, "connected",
                                terminal->connected, "seen", seen));
}

/* ---- changes ---- */

typedef struct {
  FarCall *call;
  json_t *row, *was;
  guint status, tries;
} FleetRegistryChange;

static void fleet_registry_put (Fleet *self, FarCall *call, guint tries);

static void
fleet_registry_change_free (gpointer data)
{
  FleetRegistryChange *change = data;
  json_decref (change->row);
  json_decref (change->was);
  g_free (change);
}

static void
terminal_stored (Fleet *self, const GError *error, gpointer user)
{
  FleetRegistryChange *change = user;
  if (!error) {
    json_t *body = terminal_show (fleet_terminal_load (self, change->row));
    if (change->was)
      json_object_set (body, "was", change->was);
    far_call_answer (change->call, change->status, body);
  } else if (!fleet_again (self, error, change->call, change->tries, fleet_registry_put)) {
    far_call_fail (change->call, fleet_cannot_record (error));
  }
  fleet_registry_change_free (change);
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
  json_t *seen = known ? terminal_seen (known) : NULL;
  g_autofree char *place = fleet_object (call->parts[0], NULL);
  gboolean good = far_expect_ok (call, place, seen, NULL, &error);
  json_decref (seen);
  if (!good)
    far_call_fail (call, error);
  return good;
}

static void
fleet_registry_put (Fleet *self, FarCall *call, guint tries)
{
  const char *id = call->parts[0], *stock = fleet_text (call->body, "stock");
  const FarRegistryNode *known = far_registry_node (id);
  GError *error = NULL;
  if (!fleet_name_fits (id)) {
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
  for (guint i = 0; terminal_fields[i]; i++)
    if (fleet_text (call->body, terminal_fields[i]))
      json_object_set (row, terminal_fields[i], json_object_get (call->body, terminal_fields[i]));
  if (json_object_get (call->body, "groups"))
    json_object_set (row, "groups", json_object_get (call->body, "groups"));
  if (!fleet_site_check (call->principal, known ? known->row : NULL, row, &error)) {
    json_decref (row);
    far_call_fail (call, error);
    return;
  }
  FleetRegistryChange *change = g_new0 (FleetRegistryChange, 1);
  *change = (FleetRegistryChange){ call, json_incref (row), known ? terminal_seen (known) : NULL,
                                   known ? 200 : 201, tries };
  fleet_row_put (self, "terminals", id, row, FLEET_EXPECT_KNOWN, terminal_stored, change,
                 fleet_registry_change_free);
}

void
fleet_terminal_put (gpointer self, FarCall *call)
{
  fleet_registry_put (self, call, 0);
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

static void
terminal_removed (Fleet *self, const GError *error, gpointer user)
{
  Removal *removal = user;
  if (!error) {
    fleet_revocation_now (self, removal->gone);
    fleet_registry_cut (self, removal->gone->terminal, "revoked");
    fleet_terminal_forget (self, removal->gone->terminal);
    far_call_answer (removal->call, 204, NULL);
  } else if (!fleet_again (self, error, removal->call, removal->tries, terminal_delete)) {
    if (error->domain == FLEET_PARTLY) { /* its key is revoked by the first step */
      fleet_registry_cut (self, removal->gone->terminal, "revoked");
      far_registry_end (self->at, removal->gone->terminal, FAR_REGISTRY_REMOVED);
    }
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
  const FarRegistryNode *terminal = called_terminal (self, call);
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
