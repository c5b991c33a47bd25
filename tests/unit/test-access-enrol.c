/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nodes join the fleet, and certificates are renewed: the cloud's side. */
#include "config.h"

#include "unit/access-help.h"

static void
set_up (void)
{
  cloud_up (NULL);
  terminal_enrol ("t1");
  terminal_enrol ("t2");
  terminal_link ("t1", TRUE);
  terminal_link ("t2", TRUE);
}

static void
tear_down (void)
{
  cloud_down ();
}

/* ---- enrolment ---- */

START_TEST (test_enrol)
{
  g_autofree char *mine = new_keys ("mine"), *theirs = new_keys ("theirs");
  Got got = ask_root ("POST", "tokens", json_pack ("{s:s}", "for", "1h"));
  g_autofree char *token = g_strdup (text_of (got.body, "token"));
  ck_assert_uint_eq (enrol ("x.y.z", mine, "n1").status, 403);
  ck_assert_uint_eq (enrol ("", mine, "n1").status, 403);
  got = enrol (token, mine, "n1");
  ck_assert_uint_eq (got.status, 200);
  g_autofree char *certificate = g_strdup (text_of (got.body, "certificate")),
                  *ca = g_build_filename (cloud_folder (), "state", "ca", "ca.crt", NULL);
  ck_assert (far_trust_check (certificate, ca, FAR_PURPOSE_NODE_CLIENT, "n1", NULL, NULL, NULL));
  ck_assert (far_statement_check (json_object_get (got.body, "statement"), ca, NULL));
  ck_assert_str_eq (text_of (json_object_get (got.body, "statement"), "authority"), "cloud");
  got = enrol (token, mine, "n1"); /* a lost answer */
  ck_assert_uint_eq (got.status, 200);
  ck_assert_str_eq (text_of (got.body, "certificate"), certificate);
  ck_assert_uint_eq (enrol (token, theirs, "n2").status, 403); /* bound to the first key */
  got = ask_root ("POST", "tokens", json_object ());
  g_autofree char *other = g_strdup (text_of (got.body, "token"));
  ck_assert_uint_eq (enrol (other, theirs, "n1").status, 409); /* the name is taken by another key */
  g_autofree char *replace = replace_token ("n1");
  ck_assert_uint_eq (enrol (replace, theirs, "n9").status, 403); /* made for another node */
  ck_assert_uint_eq (enrol (replace, theirs, "n1").status, 200);
  got = ask_root ("POST", "tokens", json_pack ("{s:s}", "for", "1h"));
  g_autofree char *late = g_strdup (text_of (got.body, "token"));
  far_clock_advance (3601 * SECOND);
  ck_assert_uint_eq (enrol (late, theirs, "n3").status, 403);
}
END_TEST

START_TEST (test_renew)
{
  g_autofree char *keys = terminal_keys ("t1"), *csr = far_trust_csr (keys, "t1", NULL),
                  *other = new_keys ("thief");
  g_autofree char *foreign = far_trust_csr (other, "t1", NULL);
  const gint64 day = 24 * 3600 * SECOND;
  /* too early */
  ck_assert_uint_eq (ask_node ("t1", "POST", "renew", json_pack ("{s:s}", "csr", csr)).status, 409);
  far_clock_advance (250 * day);
  ck_assert_uint_eq (ask_node ("t1", "POST", "renew", json_pack ("{s:s}", "csr", foreign)).status, 403);
  /* it is t2, whatever it says */
  ck_assert_uint_eq (ask_node ("t2", "POST", "renew", json_pack ("{s:s, s:s}", "csr", csr, "node", "t1"))
                         .status,
                     403);
  ck_assert_uint_eq (ask_node ("t1", "POST", "renew", json_pack ("{s:s}", "csr", csr)).status, 200);
  far_clock_advance ((365 + 89) * day); /* expired, without a link: by its key */
  ck_assert_uint_eq (ask_as (FAR_PRINCIPAL_NONE, "", "", "POST", "renew",
                             json_pack ("{s:s, s:s}", "csr", csr, "node", "t1"))
                         .status,
                     200);
  far_clock_advance ((365 + 91) * day);
  ck_assert_uint_eq (ask_as (FAR_PRINCIPAL_NONE, "", "", "POST", "renew",
                             json_pack ("{s:s, s:s}", "csr", csr, "node", "t1"))
                         .status,
                     403);
  /* Its link shows that it has a later one: this cloud was restored from a backup of before. */
  ck_assert_uint_eq (ask_node ("t1", "POST", "renew", json_pack ("{s:s}", "csr", csr)).status, 200);
}
END_TEST

static Got
renew (const char *csr)
{
  return ask_as (FAR_PRINCIPAL_NONE, "", "192.0.2.50", "POST", "renew",
                 json_pack ("{s:s, s:s}", "csr", csr, "node", "t1"));
}

/* Whoever has the request may have it answered, so the answer is worth something to the node alone, and the
 * node can have it again. */
START_TEST (a_lost_answer_to_renew_is_fetched_again)
{
  g_autofree char *keys = terminal_keys ("t1"), *csr = far_trust_csr (keys, "t1", NULL),
                  *other = new_keys ("thief"), *foreign = far_trust_csr (other, "t1", NULL);
  const gint64 day = 24 * 3600 * SECOND;
  ck_assert_uint_eq (renew (csr).status, 409); /* the one it has is the only one */
  far_clock_advance (250 * day);
  Got got = renew (csr);
  ck_assert_uint_eq (got.status, 200);
  g_autofree char *certificate = g_strdup (text_of (got.body, "certificate"));
  for (guint i = 0; i < 3; i++) {
    far_clock_advance (40 * day); /* the old one ends meanwhile */
    got = renew (csr);
    ck_assert_uint_eq (got.status, 200);
    ck_assert_str_eq (text_of (got.body, "certificate"), certificate);
    ck_assert_uint_eq (renew (foreign).status, 403);
    cloud_restart ();
  }
  far_clock_advance (130 * day);
  got = renew (csr);
  ck_assert_uint_eq (got.status, 200);
  ck_assert_str_ne (text_of (got.body, "certificate"), certificate); /* its time has come */
}
END_TEST

static guint
comes_with (const char *token, const char *keys, const char *field, const char *value)
{
  json_t *body = enrol_body (token, keys, "t1");
  json_object_set_new (body, field, json_string (value));
  return ask_as (FAR_PRINCIPAL_NONE, "", "192.0.2.66", "POST", "enroll", body).status;
}

/* The request for a certificate says nothing of the other two keys: who has read it does not put in keys of
 * their own by any token. */
START_TEST (a_request_brings_no_foreign_keys)
{
  g_autofree char *keys = terminal_keys ("t1"), *any = new_token (NULL), *managed = new_token ("t1");
  ck_assert_uint_eq (comes_with (any, keys, "ssh", "ssh-ed25519 AAAA"), 409);
  ck_assert_uint_eq (comes_with (any, keys, "box", "AAAA"), 409);
  ck_assert_uint_eq (enrol (any, keys, "t1").status, 200);
  ck_assert_uint_eq (comes_with (managed, keys, "ssh", "ssh-ed25519 AAAA"), 200); /* by who manages it */
}
END_TEST

/* ---- authority: admin ---- */

static void
set_up_admin (void)
{
  cloud_up_with_fleet (", authority: admin");
}

typedef struct {
  const char *path, *before;
} OwnFile;

static gboolean
is_another (gpointer user)
{
  const OwnFile *file = user;
  g_autofree char *now = NULL;

  return g_file_get_contents (file->path, &now, NULL, NULL) && !g_str_equal (now, file->before);
}

/* The server's own certificate: renewed in time by the authority that is here, for the same names and the
 * same key. */
START_TEST (test_own_certificate)
{
  static const char *const names[] = { "cloud.example", "192.0.2.10", "2001:db8::10", NULL };
  const gint64 day = 24 * 3600 * SECOND;
  g_autofree char *keys = g_build_filename (cloud_folder (), "state", "keys", NULL),
                  *ca = g_build_filename (cloud_folder (), "state", "ca", NULL);
  g_autofree char *root = g_build_filename (ca, "ca.crt", NULL), *path = far_trust_path (keys, "node.crt"),
                  *first = NULL, *same = NULL, *fresh = NULL;
  g_mkdir_with_parents (keys, 0700);
  ck_assert (far_trust_keys_create (keys, NULL));
  g_autofree char *csr = far_trust_csr (keys, "cloud", NULL);
  first = far_trust_sign (ca, csr, "cloud", names, TRUE, 30, NULL);
  ck_assert (g_file_set_contents (path, first, -1, NULL));
  far_clock_advance (15 * day);
  run_pending ();
  ck_assert (g_file_get_contents (path, &same, NULL, NULL));
  ck_assert_str_eq (same, first);
  far_clock_advance (6 * day);
  OwnFile file = { path, first };
  ck_assert (run_until (is_another, &file)); /* another thread writes it */
  ck_assert (g_file_get_contents (path, &fresh, NULL, NULL));
  for (guint i = 0; names[i]; i++)
    ck_assert (far_trust_check (fresh, root, FAR_PURPOSE_NODE_SERVER, names[i], NULL, NULL, NULL));
  g_autofree char *key_before = far_trust_key_hash (first, NULL),
                  *key_after = far_trust_key_hash (fresh, NULL);
  ck_assert_str_eq (key_before, key_after);
  gint64 from_us, until_us;
  ck_assert (far_trust_life (fresh, &from_us, &until_us, NULL));
  ck_assert_int_gt (until_us, far_clock_wall_us () + 28 * day);
}
END_TEST

START_TEST (test_admin)
{
  g_autofree char *keys = new_keys ("a1"), *ca = g_build_filename (cloud_folder (), "state", "ca", NULL);
  Got got = ask_root ("POST", "tokens", json_object ());
  g_autofree char *token = g_strdup (text_of (got.body, "token"));
  got = enrol (token, keys, "a1");
  ck_assert_uint_eq (got.status, 202);
  g_autofree char *number = g_strdup (text_of (got.body, "pending")),
                  *resource = g_strdup_printf ("enrollments/%s", number);
  got = enrol (token, keys, "a1");
  ck_assert_uint_eq (got.status, 202);
  ck_assert_str_eq (text_of (got.body, "pending"), number);
  got = ask_root ("GET", "enrollments", NULL);
  json_t *row = json_array_get (json_object_get (got.body, "enrollments"), 0);
  g_autofree char *csr = g_strdup (text_of (row, "csr")),
                  *certificate = far_trust_sign (ca, csr, "a1", NULL, FALSE, 30, NULL);
  json_t *plain = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "node", "a1", "box", text_of (row, "box"), "ssh",
                             text_of (row, "ssh"), "spki", text_of (row, "spki"), "authority", "admin");
  json_t *wrong = json_deep_copy (plain);
  json_object_set_new (wrong, "box", json_string ("swapped"));
  json_t *statement = far_statement_sign (ca, plain, NULL), *bad = far_statement_sign (ca, wrong, NULL);
  ck_assert_uint_eq (ask_root ("POST", resource,
                               json_pack ("{s:s, s:o}", "certificate", certificate, "statement", bad))
                         .status,
                     400);
  ck_assert_uint_eq (ask_root ("POST", resource,
                               json_pack ("{s:s, s:o}", "certificate", certificate, "statement", statement))
                         .status,
                     200);
  got = enrol (token, keys, "a1");
  ck_assert_uint_eq (got.status, 200);
  ck_assert_str_eq (text_of (got.body, "certificate"), certificate);
}
END_TEST

/* Signed as an admin does, for so many days. The certificate; caller frees. */
static char *
approve_days (const char *number, guint days)
{
  g_autofree char *ca = g_build_filename (cloud_folder (), "state", "ca", NULL),
                  *resource = g_strdup_printf ("enrollments/%s", number);
  Got got = ask_root ("GET", "enrollments", NULL);
  json_t *row = json_array_get (json_object_get (got.body, "enrollments"), 0);
  const char *node = text_of (row, "terminal");
  char *certificate = far_trust_sign (ca, text_of (row, "csr"), node, NULL, FALSE, days, NULL);
  json_t *statement = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "node", node, "box", text_of (row, "box"),
                                 "ssh", text_of (row, "ssh"), "spki", text_of (row, "spki"), "authority",
                                 "admin");
  statement = far_statement_sign (ca, statement, NULL);
  ck_assert_uint_eq (ask_root ("POST", resource,
                               json_pack ("{s:s, s:o}", "certificate", certificate, "statement", statement))
                         .status,
                     200);
  return certificate;
}

static guint
enrol_by_new_token (const char *keys, const char *node, char **number, char **certificate)
{
  g_autofree char *token = new_token (node);
  Got got = enrol (token, keys, node);
  if (number)
    *number = got.status == 202 ? g_strdup (text_of (got.body, "pending")) : NULL;
  if (certificate)
    *certificate = got.status == 200 ? g_strdup (text_of (got.body, "certificate")) : NULL;
  return got.status;
}

/* How long a certificate is good says who signs it, not the option `certificate`: a node may ask for the next
 * one from two thirds of what it has, and gets the old one before that. */
START_TEST (what_an_admin_signed_for_a_time_is_signed_anew_in_time)
{
  const gint64 day = 24 * 3600 * SECOND;
  g_autofree char *keys = new_keys ("a1"), *first = NULL, *again = NULL, *number = NULL, *next = NULL;
  ck_assert_uint_eq (enrol_by_new_token (keys, "a1", &number, NULL), 202);
  first = approve_days (number, 30);
  far_clock_advance (19 * day);
  ck_assert_uint_eq (enrol_by_new_token (keys, "a1", NULL, &again), 200);
  ck_assert_str_eq (again, first);
  far_clock_advance (2 * day);
  g_clear_pointer (&number, g_free);
  ck_assert_uint_eq (enrol_by_new_token (keys, "a1", &number, NULL), 202);
  next = approve_days (number, 700);
  ck_assert_str_ne (next, first);
  far_clock_advance (400 * day);
  g_clear_pointer (&again, g_free);
  ck_assert_uint_eq (enrol_by_new_token (keys, "a1", NULL, &again), 200);
  ck_assert_str_eq (again, next);
}
END_TEST

#define WAITING 60

/* More wait than one answer holds: every one of them can be read, and so approved or refused. */
START_TEST (all_that_waits_is_shown)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *keys = new_keys ("many"), *next = NULL;
  for (guint i = 0; i < WAITING; i++) {
    g_autofree char *name = g_strdup_printf ("n%u", i), *token = new_token (name);
    ck_assert_uint_eq (enrol (token, keys, name).status, 202);
  }
  for (guint pages = 0; pages == 0 || next; pages++) {
    g_autofree char *resource = next ? g_strconcat ("enrollments?after=", next, NULL)
                                     : g_strdup ("enrollments");
    Got got = ask_root ("GET", resource, NULL);
    json_t *list = json_object_get (got.body, "enrollments");
    ck_assert_msg (got.status == 200 && pages < WAITING && json_array_size (list) > 0, "%s: %u", resource,
                   got.status);
    for (gsize i = 0; i < json_array_size (list); i++)
      ck_assert (g_hash_table_add (seen, g_strdup (text_of (json_array_get (list, i), "number"))));
    g_free (next);
    next = g_strdup (text_of (got.body, "next"));
  }
  ck_assert_uint_eq (g_hash_table_size (seen), WAITING);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-enrol");
  TCase *cases = tcase_create ("enrol"), *admin = tcase_create ("admin");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, test_enrol);
  tcase_add_test (cases, test_renew);
  tcase_add_test (cases, a_lost_answer_to_renew_is_fetched_again);
  tcase_add_test (cases, a_request_brings_no_foreign_keys);
  tcase_add_test (cases, test_own_certificate);
  tcase_set_timeout (admin, 60);
  tcase_add_checked_fixture (admin, set_up_admin, tear_down);
  tcase_add_test (admin, test_admin);
  tcase_add_test (admin, what_an_admin_signed_for_a_time_is_signed_anew_in_time);
  tcase_add_test (admin, all_that_waits_is_shown);
  suite_add_tcase (suite, cases);
  suite_add_tcase (suite, admin);
  return run_suite (suite);
}
