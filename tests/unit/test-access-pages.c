/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists in pages: whoever follows `next` to its end has seen each row once that was there all the while,
 * whatever ended meanwhile. */
#include "config.h"

#include "node/api.h"
#include "node/handlers-node.h"
#include "unit/access-help.h"

#include <string.h>

#define ROWS 4500
#define PAGES_MAX 6000

static void
set_up (void)
{
  cloud_up (", sessions-each: 1000");
  far_api_start ();
  settle ();
  terminal_enrol ("t1");
  terminal_enrol ("t2");
  terminal_link ("t1", TRUE);
  terminal_link ("t2", TRUE);
  grant ("alice", "connect", "terminals/*");
  grant ("bob", "see", "terminals/t1");
}

static void
tear_down (void)
{
  far_api_stop ();
  cloud_down ();
}

/* One page; *next: caller frees, NULL at the end. */
static json_t *
page (const char *person, const char *resource, const char *key, int limit, char **next)
{
  g_autofree char *escaped = *next ? g_uri_escape_string (*next, NULL, FALSE) : NULL;
  g_autofree char *after = escaped ? g_strdup_printf ("&after=%s", escaped) : g_strdup ("");
  g_autofree char *asked = limit > 0 ? g_strdup_printf ("%s?limit=%d%s", resource, limit, after)
                                     : g_strdup_printf ("%s?x=y%s", resource, after);
  Got got = person ? ask_person (person, "GET", asked, NULL) : ask_root ("GET", asked, NULL);
  ck_assert_msg (got.status == 200, "%s: %u %s", asked, got.status, text_of (got.body, "message"));
  g_free (*next);
  *next = g_strdup (text_of (got.body, "next"));
  return json_object_get (got.body, key);
}

/* Notes the rows of a page; none twice. */
static void
note (GHashTable *seen, json_t *list, const char *field)
{
  json_t *row;
  size_t i;
  json_array_foreach (list, i, row)
    ck_assert_msg (g_hash_table_add (seen, g_strdup (text_of (row, field))), "'%s' came twice",
                   text_of (row, field));
}

/* ---- history ---- */

static char *
history_key (guint i)
{
  return g_strdup_printf ("%020u-x", i + 1);
}

/* Of whom row i is, by the draw's kind: often bob's, seldom, or only behind many that are not. */
static gboolean
is_bobs (GRand *rand, guint kind, guint i)
{
  return kind == 0   ? g_rand_int_range (rand, 0, 3) == 0
         : kind == 1 ? g_rand_int_range (rand, 0, 900) == 0
         : kind == 2 ? i < 30
                     : i == 0 || i == ROWS - 1;
}

static void
history_fill (GRand *rand, guint kind, GHashTable *wanted)
{
  for (guint from = 0; from < ROWS; from += FAR_PARTS_MAX) {
    guint n = MIN (FAR_PARTS_MAX, ROWS - from);
    g_autofree FarPart *parts = g_new0 (FarPart, n);
    g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
    for (guint i = 0; i < n; i++) {
      gboolean bobs = is_bobs (rand, kind, from + i);
      char *key = history_key (from + i);
      char *row = g_strdup_printf (
          "{\"kind\":\"session\",\"session\":\"s%u\",\"terminal\":\"t2\",\"person\":\"person:%s\"}", from + i,
          bobs ? "bob" : "alice");
      g_ptr_array_add (texts, key);
      g_ptr_array_add (texts, row);
      parts[i] = (FarPart){ .kind = FAR_PART_ROW,
                            .table = "history",
                            .key = key,
                            .row = row,
                            .expect = FAR_EXPECT_ANY };
      if (bobs)
        g_hash_table_add (wanted, g_strdup (key));
    }
    far_store_apply ("main", NULL, parts, n, far_request_new (NULL, NULL, 0));
  }
  settle ();
}

/* A row goes while somebody reads: any, or the one at which the page ended. */
static void
history_end (GRand *rand, const char *next, GHashTable *wanted)
{
  g_autofree char *key = g_rand_boolean (rand) && next
                             ? g_strdup (next)
                             : history_key ((guint) g_rand_int_range (rand, 0, ROWS));
  far_store_put ("main", "history", key, NULL, FAR_EXPECT_ANY, far_request_new (NULL, NULL, 0));
  g_hash_table_remove (wanted, key);
}

START_TEST (history_loses_no_row)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) _i);
  g_autoptr (GHashTable) wanted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
                         seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  char *next = NULL;
  guint pages = 0;
  history_fill (rand, (guint) _i % 4, wanted);
  do {
    note (seen, page ("bob", "history", "history", g_rand_int_range (rand, 1, 41), &next), "key");
    history_end (rand, next, wanted);
  } while (next && ++pages < PAGES_MAX);
  ck_assert_ptr_null (next);
  GHashTableIter iter;
  gpointer key;
  g_hash_table_iter_init (&iter, wanted);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    ck_assert_msg (g_hash_table_contains (seen, key), "row '%s' was lost, draw %d", (char *) key, _i);
}
END_TEST

/* ---- sessions ---- */

static void
session_end (const char *id)
{
  g_autofree char *resource = g_strdup_printf ("sessions/%s", id);
  ck_assert_uint_eq (ask_root ("DELETE", resource, NULL).status, 202);
  if (tunnel_of (id) && !tunnel_of (id)->ended)
    tunnel_tell (tunnel_of (id), FAR_CARRIER_ENDED, "closed");
  ck_assert_str_eq (session_state (id), "closed");
}

/* Bob sees those to t1. One in three ends while he reads, also the one at which his page ended. */
START_TEST (sessions_lose_none)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed ((guint32) _i);
  g_autoptr (GPtrArray) bobs = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  char *next = NULL;
  for (guint i = 0; i < 60; i++) {
    char *id = session_ask ("alice", wish_for (i % 5 == 0 ? "t2" : "t1", NULL));
    if (i % 5 == 0)
      g_free (id);
    else
      g_ptr_array_add (bobs, id);
  }
  do {
    json_t *list = page ("bob", "sessions", "sessions", 0, &next);
    g_autofree char *last = json_array_size (list)
                                ? g_strdup (
                                      text_of (json_array_get (list, json_array_size (list) - 1), "session"))
                                : NULL;
    note (seen, list, "session");
    for (guint i = bobs->len; i > 0; i--)
      if (g_rand_int_range (rand, 0, 6) == 0 || g_strcmp0 (bobs->pdata[i - 1], last) == 0) {
        session_end (bobs->pdata[i - 1]);
        g_ptr_array_remove_index (bobs, i - 1);
      }
  } while (next);
  ck_assert_uint_gt (bobs->len, 5);
  for (guint i = 0; i < bobs->len; i++)
    ck_assert_msg (g_hash_table_contains (seen, bobs->pdata[i]), "a session was lost, draw %d", _i);
}
END_TEST

/* Rows of any size come, only fewer in a page. */
START_TEST (large_rows_come_in_smaller_pages)
{
  g_autofree char *reason = g_strnfill (499, '\x01'); /* six bytes each in JSON */
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
                         rows = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  char *next = NULL;
  for (guint i = 0; i < 40; i++)
    g_free (session_ask ("alice", json_pack ("{s:s, s:s}", "terminal", "t1", "reason", reason)));
  do
    note (seen, page ("bob", "sessions", "sessions", 0, &next), "session");
  while (next);
  ck_assert_uint_eq (g_hash_table_size (seen), 40);
  settle ();
  do
    note (rows, page ("bob", "history", "history", 0, &next), "session");
  while (next);
  ck_assert_uint_eq (g_hash_table_size (rows), 40);
}
END_TEST

/* ---- the rest ---- */

static void
devices_put (guint n)
{
  json_t *list = json_array ();
  for (guint i = 0; i < n; i++)
    json_array_append_new (list, json_pack ("{s:o, s:s, s:s}", "name", json_sprintf ("d%03u", i), "endpoint",
                                            "lan", "address", "h:1"));
  Got got = ask_node ("t1", "PUT", "terminals/t1/devices", json_pack ("{s:o}", "devices", list));
  ck_assert_msg (got.status == 200, "%u %s", got.status, text_of (got.body, "message"));
}

/* As many as a terminal may have. */
START_TEST (many_devices_are_shown)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
                         few = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  char *next = NULL;
  guint pages = 0;
  devices_put (500);
  do {
    note (seen, page ("bob", "terminals/t1", "devices", 0, &next), "device");
    pages++;
  } while (next);
  ck_assert_uint_eq (g_hash_table_size (seen), 500);
  ck_assert_uint_gt (pages, 1);
  ck_assert_uint_lt (pages, 5);
  note (few, page ("bob", "terminals/t1", "devices", 7, &next), "device");
  ck_assert_uint_eq (g_hash_table_size (few), 7);
  ck_assert_str_eq (next, "d006");
  ask_root ("DELETE", "terminals/t1/devices/d006", NULL); /* where the page ended */
  note (few, page ("bob", "terminals/t1", "devices", 7, &next), "device");
  ck_assert_uint_eq (g_hash_table_size (few), 14);
  ck_assert (g_hash_table_contains (few, "d007"));
  g_free (next);
}
END_TEST

START_TEST (many_terminals_are_shown)
{
  g_autofree char *note_text = g_strnfill (499, '\x01');
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  char *next = NULL;
  for (guint i = 0; i < 30; i++) {
    g_autofree char *resource = g_strdup_printf ("terminals/m%02u", i);
    ck_assert_uint_eq (ask_root ("PUT", resource, json_pack ("{s:s}", "note", note_text)).status, 201);
  }
  do
    note (seen, page (NULL, "terminals", "terminals", 1000, &next), "terminal");
  while (next);
  ck_assert_uint_eq (g_hash_table_size (seen), 32);
}
END_TEST

/* Rights in pages, while those at which a page ended are taken back. */
START_TEST (rights_lose_none)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  char *next = NULL;
  guint taken = 0;
  for (guint i = 0; i < 400; i++) {
    json_t *right = json_pack ("{s:o, s:s, s:s, s:s}", "id", json_sprintf ("r%03u", (i * 7) % 400), "who",
                               "alice", "action", "see", "object", "terminals/t1");
    ck_assert (far_right_set (right, NULL));
    json_decref (right);
  }
  do {
    note (seen, page (NULL, "rights", "rights", 0, &next), "id");
    if (next) {
      g_autofree char *resource = g_strdup_printf ("rights/%s", next);
      ck_assert_uint_eq (ask_root ("DELETE", resource, NULL).status, 200);
      taken++;
    }
  } while (next);
  ck_assert_uint_gt (taken, 2);
  ck_assert_uint_eq (g_hash_table_size (seen), 402); /* with the two of set_up() */
}
END_TEST

/* ---- of the node itself ---- */

/* Names of all rows, two a page. */
static GHashTable *
pages_of (const char *resource, const char *key, const char *field)
{
  GHashTable *seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *next = NULL;
  guint pages = 0;
  do {
    g_autofree char *asked = next ? g_strdup_printf ("%s?limit=2&after=%s", resource, next)
                                  : g_strdup_printf ("%s?limit=2", resource);
    Got got = ask_root ("GET", asked, NULL);
    json_t *list = json_object_get (got.body, key);
    const char *name;
    json_t *value;
    ck_assert_uint_eq (got.status, 200);
    if (field)
      note (seen, list, field);
    else
      json_object_foreach (list, name, value)
        ck_assert_msg (g_hash_table_add (seen, g_strdup (name)), "'%s' came twice", name);
    ck_assert_uint_le (field ? json_array_size (list) : json_object_size (list), 2);
    g_free (next);
    next = g_strdup (text_of (got.body, "next"));
  } while (next && ++pages < 200);
  ck_assert_uint_gt (pages, 1);
  return seen;
}

static const struct {
  const char *resource, *key, *field, *gone, *behind;
} node_lists[] = {
  { "status", "instances", "path", "services.aa", "stores.main" },
  { "config", "config", NULL, "services.aa", "transports.nodes.type" },
  { "plugins", "plugins", "name", "store-aa", "store-sqlite" },
};

/* Behind a name that is not there any more the list goes on. */
START_TEST (lists_of_the_node_lose_none)
{
  const char *resource = node_lists[_i].resource, *key = node_lists[_i].key, *field = node_lists[_i].field;
  far_handlers_node_start ("");
  g_autoptr (GHashTable) paged = pages_of (resource, key, field);
  Got got = ask_root ("GET", resource, NULL);
  json_t *all = json_object_get (got.body, key);
  ck_assert_uint_eq (g_hash_table_size (paged), field ? json_array_size (all) : json_object_size (all));
  g_autofree char *asked = g_strdup_printf ("%s?after=%s", resource, node_lists[_i].gone);
  got = ask_root ("GET", asked, NULL);
  g_autofree char *text = json_dumps (json_object_get (got.body, key), JSON_COMPACT),
                  *wanted = g_strdup_printf ("\"%s\"", node_lists[_i].behind);
  ck_assert_msg (strstr (text, wanted) != NULL, "%s: %s", asked, text);
  far_handlers_node_stop ();
}
END_TEST

/* Why somebody may, with more rights than an answer holds, while rights come and go. */
START_TEST (explain_loses_none)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *next = NULL;
  guint taken = 0;
  for (guint i = 0; i < 700; i++) {
    json_t *right = json_pack ("{s:o, s:s, s:s, s:s}", "id", json_sprintf ("r%03u", (i * 11) % 700), "who",
                               "carol", "action", "see", "object", "terminals/t1");
    ck_assert (far_right_set (right, NULL));
    json_decref (right);
  }
  do {
    g_autofree char *asked = g_strdup_printf ("explain?who=carol&action=see&object=terminals/t1%s%s",
                                              next ? "&after=" : "", next ? next : "");
    Got got = ask_root ("GET", asked, NULL);
    json_t *line;
    size_t i;
    ck_assert_msg (got.status == 200, "%u %s", got.status, text_of (got.body, "message"));
    ck_assert_str_eq (text_of (got.body, "result"), "allow");
    json_array_foreach (json_object_get (got.body, "rights"), i, line)
      ck_assert (g_hash_table_add (seen, g_strdup (text_of (json_object_get (line, "right"), "id"))));
    g_free (next);
    next = g_strdup (text_of (got.body, "next"));
    if (next) {
      far_right_remove (next);
      taken++;
    }
  } while (next);
  ck_assert_uint_gt (taken, 2);
  ck_assert_uint_eq (g_hash_table_size (seen), 700);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("access-pages");
  TCase *tc = tcase_create ("access-pages");

  tcase_add_checked_fixture (tc, set_up, tear_down);
  tcase_set_timeout (tc, 120);
  tcase_add_loop_test (tc, history_loses_no_row, 0, 8);
  tcase_add_loop_test (tc, sessions_lose_none, 0, 3);
  tcase_add_test (tc, large_rows_come_in_smaller_pages);
  tcase_add_test (tc, many_devices_are_shown);
  tcase_add_test (tc, many_terminals_are_shown);
  tcase_add_test (tc, rights_lose_none);
  tcase_add_test (tc, explain_loses_none);
  tcase_add_loop_test (tc, lists_of_the_node_lose_none, 0, G_N_ELEMENTS (node_lists));
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
