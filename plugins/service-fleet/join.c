/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Join tokens: {id, secret, expires, SHA-256 of the fleet root}, written as ID.FLEET.SECRET. The secret is
 * kept as a hash; a token is bound to the first key that shows it, so that a lost answer can be fetched again
 * by the same key and by no other (security.md: Enrolment). Who gives a token gives what the node will be: a
 * name that is registered, now or by the time the token is used, only by who manages that terminal, and the
 * place of a node that is in only when asked to. */
#include "config.h"

#include "fleet.h"

#include <string.h>

#define JOIN_USUAL (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)
#define JOIN_LONGEST (30 * JOIN_USUAL)
#define JOINS_MAX 10000
#define SECRET_LENGTH 32

typedef struct {
  FarCall *call;
  json_t *row;
  char *secret;
  guint tries;
} NewJoin;

/* Only the digits: the token is one word with dots. */
static const char *
join_fleet (const char *hash)
{
  return g_str_has_prefix (hash, "sha256:") ? hash + strlen ("sha256:") : hash;
}

static json_t *
join_answer (Fleet *self, NewJoin *join)
{
  g_autofree char *path = g_build_filename (fleet_opts (self)->ca, "ca.crt", NULL);
  g_autofree char *fleet = far_trust_file_sha256 (path, NULL);
  const char *id = fleet_text (join->row, "id");
  g_autofree char *expires = far_clock_format (
      json_integer_value (json_object_get (join->row, "expires_us")));
  g_autofree char *token = g_strdup_printf ("%s.%s.%s", id, fleet ? join_fleet (fleet) : "", join->secret);
  return json_pack ("{s:s, s:s, s:s, s:s?, s:s?, s:s}", "token", token, "id", id, "secret", join->secret,
                    "fleet", fleet, "node", fleet_text (join->row, "node"), "expires", expires);
}

static void join_post (Fleet *self, FarCall *call, guint tries);

static void
fleet_join_free (gpointer data)
{
  NewJoin *join = data;
  json_decref (join->row);
  far_secret_free (join->secret);
  g_free (join);
}

static void
join_stored (Fleet *self, const GError *error, gpointer user)
{
  NewJoin *join = user;
  if (!error) {
    g_hash_table_replace (self->joins, g_strdup (fleet_text (join->row, "id")), json_incref (join->row));
    far_call_answer (join->call, 201, join_answer (self, join));
  } else if (!fleet_again (self, error, join->call, join->tries, join_post)) {
    far_call_fail (join->call, fleet_cannot_record (error));
  }
  fleet_join_free (join);
}

static gboolean
join_expired (json_t *row)
{
  return json_integer_value (json_object_get (row, "expires_us")) <= far_clock_wall_us ();
}

/* Expired ones go when a new one is made. */
static void
joins_forget (Fleet *self)
{
  g_autoptr (GList) ids = g_hash_table_get_keys (self->joins);
  for (GList *at = ids; at; at = at->next)
    if (join_expired (g_hash_table_lookup (self->joins, at->data))) {
      fleet_row_put (self, "joins", at->data, NULL, FAR_EXPECT_ANY, NULL, NULL, NULL);
      g_hash_table_remove (self->joins, at->data);
    }
}

static gint64
join_for (FarCall *call, GError **error)
{
  gint64 for_us = JOIN_USUAL;
  json_t *wish = json_object_get (call->body, "for_us");
  const char *text = fleet_text (call->body, "for");
  if (json_is_integer (wish))
    for_us = json_integer_value (wish);
  else if (text && !far_parse_duration (text, &for_us, error))
    return 0;
  if (for_us <= 0 || for_us > JOIN_LONGEST) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("for: a join token lives between 1 us and 30 days"));
    return 0;
  }
  return for_us;
}

/* May the asker give a token for this node? *managed: he manages a terminal of that name, be it registered or
 * not. */
static gboolean
join_node_check (Fleet *self, FarCall *call, const char *node, gboolean replace, gboolean *managed)
{
  g_autofree char *object = node ? fleet_object (node, NULL) : NULL;
  *managed = object && fleet_manages (call->principal, object);
  if (node && !far_object_name_ok (node))
    far_call_fail_new (call, FAR_ERROR_INVALID, _ ("node '%s': an id has 1 to 64 of A-Z a-z 0-9 . _ -"),
                       node);
  else if (!node && replace)
    far_call_fail_new (call, FAR_ERROR_INVALID, _ ("replace: say which node is replaced"));
  else if (!*managed && (replace || far_registry_node (node)))
    far_call_fail_new (call, FAR_ERROR_DENIED,
                       _ ("node '%s' is taken: a join token for it needs the right to manage %s"), node,
                       object);
  else
    return TRUE;
  return FALSE;
}

static void
join_make (Fleet *self, FarCall *call, const char *node, gint64 for_us, gboolean managed, gboolean replace,
           guint tries)
{
  g_autofree char *id = far_random_text (12);
  NewJoin *join = g_new0 (NewJoin, 1);
  join->call = call;
  join->tries = tries;
  join->secret = far_random_text (SECRET_LENGTH);
  g_autofree char *hash = far_sha256_text (join->secret);
  join->row = json_pack ("{s:s, s:s, s:I, s:s?, s:b, s:b}", "id", id, "hash", hash, "expires_us",
                         (json_int_t) (far_clock_wall_us () + for_us), "node", node, "managed", managed,
                         "replace", replace);
  g_autofree char *text = fleet_json_text (join->row), *terminal = NULL;
  FarPart parts[2] = {
    { .kind = FAR_PART_ROW, .table = "joins", .key = id, .row = text, .expect = FAR_EXPECT_ABSENT }
  };
  guint n = fleet_terminal_part (self, node, &parts[1], &terminal) ? 2 : 1;
  fleet_rows_apply (self, parts, n, join_stored, join, fleet_join_free);
}

static void
join_post (Fleet *self, FarCall *call, guint tries)
{
  GError *error = NULL;
  const char *node = fleet_text (call->body, "node");
  gboolean replace = json_is_true (json_object_get (call->body, "replace")), managed;
  gint64 for_us = join_for (call, &error);
  far_call_secret (call);
  joins_forget (self);
  if (!for_us) {
    far_call_fail (call, error);
    return;
  }
  if (!join_node_check (self, call, node, replace, &managed))
    return;
  if (g_hash_table_size (self->joins) >= JOINS_MAX) {
    far_call_fail_new (call, FAR_ERROR_LIMIT, _ ("%d join tokens wait already: let some expire"), JOINS_MAX);
    return;
  }
  join_make (self, call, node, for_us, managed, replace, tries);
}

void
fleet_join_post (gpointer self, FarCall *call)
{
  join_post (self, call, 0);
}

gboolean
fleet_keys_same (json_t *row, json_t *keys)
{
  return g_strcmp0 (fleet_text (row, "box"), fleet_text (keys, "box")) == 0 &&
         g_strcmp0 (fleet_text (row, "ssh"), fleet_text (keys, "ssh")) == 0;
}

/* The signature of a request covers neither ssh nor box: who read it could send it with others, so these are
 * changed by who manages the terminal. */
gboolean
fleet_join_gives (json_t *join, const FarRegistryNode *known, const char *key, json_t *keys)
{
  const char *has = fleet_text (known->row, "spki");
  gboolean same = has && strcmp (has, key) == 0;
  if (same && fleet_keys_same (known->row, keys))
    return TRUE;
  return g_strcmp0 (fleet_text (join, "node"), known->id) == 0 &&
         json_is_true (json_object_get (join, "managed")) &&
         (!has || same || json_is_true (json_object_get (join, "replace")));
}

/* Why a token is not good, for the log; NULL: it is. */
static const char *
join_fault (json_t *row, const char *secret, const char *key, const char *node)
{
  g_autofree char *hash = far_sha256_text (secret);
  const char *bound = row ? fleet_text (row, "key") : NULL, *wanted = row ? fleet_text (row, "node") : NULL;
  const char *used = row ? fleet_text (row, "used_by") : NULL;
  if (!far_equal_secret (hash, row ? fleet_text (row, "hash") : "") || !row)
    return "unknown";
  if (join_expired (row))
    return "expired";
  if (bound && strcmp (bound, key) != 0)
    return "used by another key";
  if ((wanted && strcmp (wanted, node) != 0) || (used && strcmp (used, node) != 0)) /* one token, one node */
    return "made for another node";
  return NULL;
}

json_t *
fleet_join_check (Fleet *self, const char *token, const char *key, const char *node, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (token, ".", 4); /* id.fleet.secret, or id.secret */
  guint n = g_strv_length (parts);
  json_t *row = n >= 2 ? g_hash_table_lookup (self->joins, parts[0]) : NULL;
  const char *fault = join_fault (row, n >= 2 ? parts[n - 1] : "", key, node);
  if (!fault)
    return row;
  far_log_limited (self->at, "join", "enrolment of '%s' refused: join token %s", node, fault);
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
               _ ("join token not accepted: unknown, expired, used by another key or made for another node; "
                  "ask for a new one"));
  return NULL;
}
