/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who was revoked, removed or replaced does not come back by what they still hold: certificates, keys, join
 * tokens. */
#include "config.h"

#include "unit/access-help.h"

static void
set_up (void)
{
  cloud_up (NULL);
}

static void
set_up_admin (void)
{
  cloud_up_with_fleet (", authority: admin");
}

static void
tear_down (void)
{
  cloud_down ();
}

static gboolean
is_believed (const char *certificate, const char *node)
{
  g_autofree char *ca = g_build_filename (cloud_folder (), "state", "ca", "ca.crt", NULL);
  return far_trust_check (certificate, ca, FAR_PURPOSE_NODE_CLIENT, node, NULL, NULL, NULL);
}

/* A restart finds what counts in the store alone. */
static void
restart_with_nothing_revoked (void)
{
  far_trust_revoked_set (NULL);
  cloud_restart ();
}

static void
assert_revoked (Got got)
{
  ck_assert_uint_eq (got.status, 403);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "revoked"));
}

/* ---- a reload meanwhile ---- */

static gboolean
was_told (gpointer user)
{
  return *(gboolean *) user;
}

static void
told (FarMessage *answer, gboolean last, gpointer user)
{
  *(gboolean *) user = TRUE;
}

/* Another process has the store for a second, as a slow disk would: what is to be written waits, and reads do
 * not. */
static void
store_hold (void)
{
  static const char program[] = "import sqlite3, sys, time\n"
                                "at = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                                "at.execute('begin immediate')\n"
                                "print('held', flush=True)\n"
                                "time.sleep(1)\n"
                                "at.execute('rollback')\n";
  g_autofree char *file = g_build_filename (cloud_folder (), "state", "main.db", NULL);
  const char *const words[] = { "python3", "-c", program, file, NULL };
  int out = -1;
  char held;
  ck_assert (g_spawn_async_with_pipes (NULL, (char **) words, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                                       NULL, &out, NULL, NULL));
  ck_assert_int_eq (read (out, &held, 1), 1);
  close (out);
}

/* What is asked next waits behind that, and who asked is replaced. */
START_TEST (a_removal_that_a_reload_overtakes_counts)
{
  g_autoptr (FarPrincipal) root = far_principal_new (FAR_PRINCIPAL_LOCAL, "root", NULL, "");
  g_autoptr (FarMessage) message = far_message_request ("DELETE", "terminals/t1", NULL);
  g_autofree char *keys = new_keys ("t1"), *token = new_token ("t1");
  Got got = enrol (token, keys, "t1");
  g_autofree char *certificate = g_strdup (text_of (got.body, "certificate"));
  gboolean done = FALSE;
  root->super = TRUE;
  ck_assert (is_believed (certificate, "t1"));
  terminal_link ("t1", TRUE);
  store_hold ();
  far_api_submit (root, NULL, message, told, &done);
  cloud_reload ("type: fleet,", "type: fleet, start: at-once,"); /* another instance, of the same meaning */
  ck_assert (run_until (was_told, &done));
  settle ();
  ck_assert_uint_eq (ask_root ("GET", "terminals/t1", NULL).status, 404);
  ck_assert (!is_believed (certificate, "t1"));
  ck_assert_uint_eq (cloud_nodes ()->cuts->len, 1);
}
END_TEST

/* ---- the join token ---- */

START_TEST (a_spent_token_is_void_with_its_node)
{
  g_autofree char *keys = new_keys ("evil"), *token = new_token ("evil");
  ck_assert_uint_eq (enrol (token, keys, "evil").status, 200);
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/evil", NULL).status, 204);
  for (guint restarted = 0; restarted < 2; restarted++) {
    Got got = enrol (token, keys, "evil");
    ck_assert_uint_eq (got.status, 403);
    ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "token not accepted"));
    ck_assert_uint_eq (ask_root ("GET", "terminals/evil", NULL).status, 404);
    restart_with_nothing_revoked ();
  }
}
END_TEST

/* Those that still wait for it, too: whoever has its disk may have them. */
START_TEST (tokens_made_for_a_node_go_with_it)
{
  g_autofree char *keys = new_keys ("evil"), *fresh = new_keys ("fresh"), *token = new_token ("evil"),
                  *waits = new_token ("evil"), *other = new_token (NULL);
  ck_assert_uint_eq (enrol (token, keys, "evil").status, 200);
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/evil", NULL).status, 204);
  ck_assert_uint_eq (enrol (waits, fresh, "evil").status, 403);
  ck_assert_uint_eq (enrol (other, fresh, "evil").status, 200);
}
END_TEST

/* The one who was replaced holds a token for that very name. */
START_TEST (who_was_replaced_does_not_replace_in_turn)
{
  g_autofree char *old = new_keys ("old"), *now = new_keys ("now"), *first = new_token ("n1"), *again = NULL;
  ck_assert_uint_eq (enrol (first, old, "n1").status, 200);
  g_autofree char *second = replace_token ("n1");
  ck_assert_uint_eq (enrol (second, now, "n1").status, 200);
  for (guint restarted = 0; restarted < 2; restarted++) {
    ck_assert_uint_eq (enrol (first, old, "n1").status, 403);
    ck_assert_uint_eq (enrol (second, now, "n1").status, 200); /* a lost answer of the one who is in */
    restart_with_nothing_revoked ();
  }
  again = replace_token ("n1");
  assert_revoked (enrol (again, old, "n1"));
}
END_TEST

/* ---- the key ---- */

START_TEST (a_revoked_key_enrols_no_more)
{
  g_autofree char *keys = new_keys ("evil"), *fresh = new_keys ("fresh"), *token = new_token (NULL);
  ck_assert_uint_eq (enrol (token, keys, "evil").status, 200);
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/evil", NULL).status, 204);
  for (guint restarted = 0; restarted < 2; restarted++) {
    g_autofree char *same = new_token ("evil"), *another = new_token (NULL);
    assert_revoked (enrol (same, keys, "evil"));
    assert_revoked (enrol (another, keys, "other"));
    restart_with_nothing_revoked ();
  }
  g_autofree char *good = new_token ("evil");
  ck_assert_uint_eq (enrol (good, fresh, "evil").status, 200); /* the name is free for others */
}
END_TEST

/* A certificate nobody remembers the serial of is void by its key. */
START_TEST (a_revoked_key_voids_every_certificate)
{
  g_autofree char *keys = new_keys ("evil"), *token = new_token (NULL),
                  *csr = far_trust_csr (keys, "evil", NULL);
  g_autofree char *ca = g_build_filename (cloud_folder (), "state", "ca", NULL),
                  *unknown = far_trust_sign (ca, csr, "evil", NULL, FALSE, 30, NULL);
  Got got = enrol (token, keys, "evil");
  g_autofree char *known = g_strdup (text_of (got.body, "certificate"));
  ck_assert (is_believed (known, "evil") && is_believed (unknown, "evil"));
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/evil", NULL).status, 204);
  for (guint restarted = 0; restarted < 2; restarted++) {
    ck_assert (!is_believed (known, "evil"));
    ck_assert (!is_believed (unknown, "evil"));
    restart_with_nothing_revoked ();
  }
}
END_TEST

/* ---- authority: admin ---- */

static char *
waits_as (const char *token, const char *keys, const char *name)
{
  Got got = enrol (token, keys, name);
  ck_assert_uint_eq (got.status, 202);
  return g_strconcat ("enrollments/", text_of (got.body, "pending"), NULL);
}

static Got
approve (const char *resource)
{
  g_autofree char *ca = g_build_filename (cloud_folder (), "state", "ca", NULL);
  json_t *list = json_incref (json_object_get (ask_root ("GET", "enrollments", NULL).body, "enrollments")),
         *row = NULL;
  for (size_t i = 0; i < json_array_size (list); i++)
    if (g_str_has_suffix (resource, text_of (json_array_get (list, i), "number")))
      row = json_array_get (list, i);
  g_autofree char *certificate = row ? far_trust_sign (ca, text_of (row, "csr"), text_of (row, "terminal"),
                                                       NULL, FALSE, 30, NULL)
                                     : NULL;
  json_t *statement = row ? json_pack ("{s:s, s:s, s:s, s:s, s:s}", "node", text_of (row, "terminal"), "box",
                                       text_of (row, "box"), "ssh", text_of (row, "ssh"), "spki",
                                       text_of (row, "spki"), "authority", "admin")
                          : NULL;
  json_t *signed_one = statement ? far_statement_sign (ca, statement, NULL) : json_object ();
  json_decref (list);
  return ask_root ("POST", resource,
                   json_pack ("{s:s, s:o}", "certificate", certificate ? certificate : "none", "statement",
                              signed_one));
}

/* Two that wait for one free name: the second is judged by what its token gives when it is approved, when the
 * name is taken. */
START_TEST (an_approval_replaces_nobody_unasked)
{
  g_autofree char *keys = new_keys ("dup"), *other = new_keys ("other"), *token = new_token (NULL),
                  *second = new_token (NULL), *stolen = new_token (NULL);
  g_autofree char *first = waits_as (token, keys, "dup"), *later = waits_as (second, other, "dup");
  json_t *body = enrol_body (stolen, keys, "dup");
  json_object_set_new (body, "ssh", json_string ("ssh-ed25519 AAAA"));
  Got got = ask_as (FAR_PRINCIPAL_NONE, "", "192.0.2.66", "POST", "enroll", body);
  g_autofree char *fake = g_strconcat ("enrollments/", text_of (got.body, "pending"), NULL);
  ck_assert_str_ne (fake, first); /* not the same wish: it has other keys */
  ck_assert_uint_eq (approve (first).status, 200);
  ck_assert_uint_eq (approve (later).status, 409);
  ck_assert_uint_eq (approve (fake).status, 409);
  g_autofree char *replace = replace_token ("dup"), *asked = waits_as (replace, other, "dup");
  cloud_restart ();
  ck_assert_uint_eq (approve (asked).status, 200);
}
END_TEST

/* What waits for an approval goes with its node: of that name, and of that key under any name. */
START_TEST (what_waits_for_approval_goes_too)
{
  g_autofree char *keys = new_keys ("evil"), *other = new_keys ("other"), *token = new_token ("evil"),
                  *second = replace_token ("evil"), *third = new_token ("x");
  g_autofree char *first = waits_as (token, keys, "evil"), *as_x = waits_as (third, keys, "x");
  ck_assert_uint_eq (approve (first).status, 200);
  g_autofree char *renewed = waits_as (second, other, "evil");
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/evil", NULL).status, 204);
  ck_assert_uint_eq (approve (renewed).status, 404);
  ck_assert_uint_eq (approve (as_x).status, 404);
  ck_assert_uint_eq (enrol (token, keys, "evil").status, 403);
}
END_TEST

/* The key was revoked while it waited. */
START_TEST (a_revoked_key_is_not_approved)
{
  g_autofree char *keys = new_keys ("x"), *token = new_token ("x"), *resource = waits_as (token, keys, "x"),
                  *csr = far_trust_csr (keys, "x", NULL);
  g_autofree char *hash = far_trust_key_hash (csr, NULL);
  far_trust_revoked_add (hash);
  assert_revoked (approve (resource));
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-revoke");
  TCase *cases = tcase_create ("revoke"), *admin = tcase_create ("admin");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, a_spent_token_is_void_with_its_node);
  tcase_add_test (cases, tokens_made_for_a_node_go_with_it);
  tcase_add_test (cases, who_was_replaced_does_not_replace_in_turn);
  tcase_add_test (cases, a_revoked_key_enrols_no_more);
  tcase_add_test (cases, a_revoked_key_voids_every_certificate);
  tcase_add_test (cases, a_removal_that_a_reload_overtakes_counts);
  tcase_set_timeout (admin, 60);
  tcase_add_checked_fixture (admin, set_up_admin, tear_down);
  tcase_add_test (admin, what_waits_for_approval_goes_too);
  tcase_add_test (admin, an_approval_replaces_nobody_unasked);
  tcase_add_test (admin, a_revoked_key_is_not_approved);
  suite_add_tcase (suite, cases);
  suite_add_tcase (suite, admin);
  return run_suite (suite);
}
