/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes that meet: of two that were acknowledged none is lost, whoever made them. */
#include "config.h"

#include "unit/access-help.h"

#include "message/router.h"

#include <dlfcn.h>
#include <string.h>

#include <farwatch/clearance.h>

#define PAIRS 15

static void
set_up (void)
{
  cloud_up (NULL);
  terminal_enrol ("t1");
  terminal_link ("t1", TRUE);
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

/* ---- several at once ---- */

/* others: certificates that differ from the one before */
typedef struct {
  guint asked, answered, good, conflicts, others;
  char *certificate, *token;
} Race;

static void
race_answered (FarMessage *answer, gboolean last, gpointer user)
{
  Race *race = user;
  json_t *body = answer->body ? far_message_json (answer, NULL) : NULL;
  race->answered++;
  race->good += answer->status >= 200 && answer->status < 300;
  race->conflicts += answer->status == 409;
  if (text_of (body, "certificate")) {
    race->others += race->certificate && strcmp (race->certificate, text_of (body, "certificate")) != 0;
    g_free (race->certificate);
    race->certificate = g_strdup (text_of (body, "certificate"));
  }
  if (text_of (body, "token")) {
    g_free (race->token);
    race->token = g_strdup (text_of (body, "token"));
  }
  json_decref (body);
}

static gboolean
race_over (gpointer user)
{
  const Race *race = user;
  return race->answered == race->asked;
}

static void
race_ask (Race *race, FarPrincipalKind kind, const char *name, const char *method, const char *resource,
          json_t *body)
{
  g_autoptr (FarPrincipal) who = far_principal_new (kind, name, NULL, "192.0.2.50");
  g_autoptr (FarMessage) message = far_message_request (method, resource, body);
  who->super = kind == FAR_PRINCIPAL_LOCAL;
  race->asked++;
  far_api_submit (who, kind == FAR_PRINCIPAL_LOCAL ? NULL : "nodes", message, race_answered, race);
}

static void
race_run (Race *race, guint good)
{
  ck_assert (run_until (race_over, race));
  ck_assert_uint_eq (race->good, good);
}

/* ---- a terminal's row ---- */

START_TEST (of_two_fields_set_at_once_none_is_lost)
{
  for (guint i = 0; i < PAIRS; i++) {
    g_autofree char *site = g_strdup_printf ("site %u", i), *note = g_strdup_printf ("note %u", i);
    Race race = { 0 };
    race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1", json_pack ("{s:s}", "site", site));
    race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1", json_pack ("{s:s}", "note", note));
    race_run (&race, 2);
    Got got = ask_root ("GET", "terminals/t1", NULL);
    ck_assert_str_eq (text_of (got.body, "site"), site);
    ck_assert_str_eq (text_of (got.body, "note"), note);
  }
  cloud_restart (); /* the rows say the same */
  Got got = ask_root ("GET", "terminals/t1", NULL);
  ck_assert_str_eq (text_of (got.body, "site"), "site 14");
  ck_assert_str_eq (text_of (got.body, "note"), "note 14");
}
END_TEST

/* All that come at once are done, each from what those before it have written. */
START_TEST (many_changes_of_one_terminal_are_all_made)
{
  Race race = { 0 };
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1", json_pack ("{s:s}", "site", "north"));
  for (guint i = 0; i < 20; i++) {
    g_autofree char *note = g_strdup_printf ("note %u", i);
    race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1", json_pack ("{s:s}", "note", note));
  }
  race_run (&race, 21);
  ck_assert_str_eq (text_of (ask_root ("GET", "terminals/t1", NULL).body, "site"), "north");
}
END_TEST

static json_t *
renewal (void)
{
  g_autofree char *keys = terminal_keys ("t1"), *csr = far_trust_csr (keys, "t1", NULL);
  far_clock_advance (G_GINT64_CONSTANT (250) * 24 * 3600 * SECOND);
  return json_pack ("{s:s}", "csr", csr);
}

/* The serial of the new certificate stays known: it goes with the node. */
START_TEST (a_renewal_that_crosses_an_edit_is_kept)
{
  Race race = { 0 };
  json_t *body = renewal ();
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "POST", "renew", body);
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1", json_pack ("{s:s}", "site", "north"));
  race_run (&race, 2);
  g_autofree char *serial = far_trust_serial (race.certificate, NULL);
  ck_assert_str_eq (text_of (ask_root ("GET", "terminals/t1", NULL).body, "site"), "north");
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t1", NULL).status, 204);
  ck_assert (far_trust_revoked (serial, "t1"));
  g_free (race.certificate);
}
END_TEST

/* Asked for twice, under the link and beside it: one is made, and each answer has it. */
START_TEST (renewals_that_meet_make_one_certificate)
{
  Race race = { 0 };
  json_t *body = renewal ();
  for (guint i = 0; i < 3; i++)
    race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "POST", "renew", json_copy (body));
  json_object_set_new (body, "node", json_string ("t1"));
  race_ask (&race, FAR_PRINCIPAL_NONE, "", "POST", "renew", json_copy (body));
  race_run (&race, 4);
  ck_assert_uint_eq (race.others, 0);
  cloud_restart ();
  ck_assert_str_eq (text_of (ask_node ("t1", "POST", "renew", body).body, "certificate"), race.certificate);
  g_free (race.certificate);
}
END_TEST

/* The certificate that was just made goes with the node: nobody holds one that a removed node may come with.
 */
START_TEST (a_renewal_before_a_removal_goes_with_it)
{
  Race race = { 0 };
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "POST", "renew", renewal ());
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "DELETE", "terminals/t1", NULL);
  race_run (&race, 2);
  g_autofree char *serial = far_trust_serial (race.certificate, NULL);
  ck_assert (far_trust_revoked (serial, NULL));
  cloud_restart ();
  ck_assert (far_trust_revoked (serial, NULL));
  g_free (race.certificate);
}
END_TEST

/* And with the name when another node takes it: the renewal of the one before takes nothing from who has
 * come. */
START_TEST (a_renewal_that_meets_a_replacement_gives_way)
{
  json_t *body = renewal ();
  g_autofree char *fresh = new_keys ("fresh"), *token = replace_token ("t1");
  Race race = { 0 };
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "POST", "renew", json_copy (body));
  race_ask (&race, FAR_PRINCIPAL_NONE, "", "POST", "enroll", enrol_body (token, fresh, "t1"));
  ck_assert (run_until (race_over, &race));
  ck_assert_uint_eq (ask_node ("t1", "POST", "renew", body).status, 403); /* by the key of before */
  g_autofree char *serial = far_trust_serial (race.certificate, NULL);
  ck_assert (!far_trust_revoked (serial, NULL));
  g_autofree char *csr = far_trust_csr (fresh, "t1", NULL);
  far_clock_advance (G_GINT64_CONSTANT (250) * 24 * 3600 * SECOND);
  ck_assert_uint_eq (ask_node ("t1", "POST", "renew", json_pack ("{s:s}", "csr", csr)).status, 200);
  g_free (race.certificate);
}
END_TEST

static guint writes_that_fail;

/* In place of core's: some writes come to nothing. */
void
far_store_apply (const char *store, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  void (*real) (const char *, const FarBatchKey *, const FarPart *, guint,
                FarRequest *) = dlsym (RTLD_NEXT, "far_store_apply");
  if (writes_that_fail > 0) {
    writes_that_fail--;
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "the disk does not answer");
    return;
  }
  real (store, key, parts, n, req);
}

/* What was signed and not recorded was given to nobody: the node asks again, and the one that it gets is the
 * one that is known. */
START_TEST (a_renewal_that_is_not_recorded_is_made_again)
{
  json_t *body = renewal ();
  writes_that_fail = 1;
  Got got = ask_node ("t1", "POST", "renew", json_copy (body));
  ck_assert_uint_eq (got.status, 507);
  ck_assert_ptr_null (text_of (got.body, "certificate"));
  cloud_restart ();
  g_autofree char *certificate = g_strdup (
      text_of (ask_node ("t1", "POST", "renew", json_copy (body)).body, "certificate"));
  ck_assert_ptr_nonnull (certificate);
  g_autofree char *serial = far_trust_serial (certificate, NULL);
  ck_assert (!far_trust_revoked (serial, "t1"));
  cloud_restart ();
  ck_assert_str_eq (text_of (ask_node ("t1", "POST", "renew", body).body, "certificate"), certificate);
}
END_TEST

/* What comes after a removal finds nothing; it brings nothing back. */
START_TEST (nothing_brings_a_removed_terminal_back)
{
  Race race = { 0 };
  json_t *body = renewal ();
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "DELETE", "terminals/t1", NULL);
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "POST", "renew", body);
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1/devices/plc",
            json_pack ("{s:s}", "note", "x"));
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "PUT", "terminals/t1/devices",
            json_pack ("{s:[{s:s}]}", "devices", "name", "plc"));
  race_run (&race, 1);
  ck_assert_ptr_null (race.certificate);
  ck_assert_uint_eq (ask_root ("GET", "terminals/t1", NULL).status, 404);
  cloud_restart ();
  ck_assert_uint_eq (ask_root ("GET", "terminals/t1", NULL).status, 404);
}
END_TEST

/* The removal takes along every token for the terminal that was asked for before it, also one that is just
 * being written. */
START_TEST (a_token_on_its_way_goes_with_its_terminal)
{
  for (guint restarted = 0; restarted < 2; restarted++) {
    Race race = { 0 };
    g_autofree char *keys = new_keys (restarted ? "second" : "first");
    race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "POST", "tokens", json_pack ("{s:s}", "node", "t1"));
    race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "DELETE", "terminals/t1", NULL);
    race_run (&race, 2);
    if (restarted)
      cloud_restart ();
    ck_assert_uint_eq (enrol (race.token, keys, "t1").status, 403);
    ck_assert_uint_eq (ask_root ("GET", "terminals/t1", NULL).status, 404);
    g_free (race.token);
    g_autofree char *again = new_token ("t1");
    ck_assert_uint_eq (enrol (again, keys, "t1").status, 200);
  }
}
END_TEST

/* Asked for after the removal it is one for a new terminal, judged as such. */
START_TEST (a_token_behind_a_removal_is_judged_after_it)
{
  Race race = { 0 };
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "DELETE", "terminals/t1", NULL);
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "POST", "tokens", json_pack ("{s:s}", "node", "t1"));
  race_run (&race, 2);
  g_autofree char *keys = new_keys ("first");
  ck_assert_uint_eq (enrol (race.token, keys, "t1").status, 200);
  g_free (race.token);
}
END_TEST

/* An enrolment that waits for its approval is nothing else: it would bring the node back. */
START_TEST (an_enrolment_on_its_way_goes_with_its_terminal)
{
  Race race = { 0 };
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1", json_object ()).status, 201);
  g_autofree char *keys = new_keys ("mine"), *token = new_token ("t1");
  race_ask (&race, FAR_PRINCIPAL_NONE, "", "POST", "enroll", enrol_body (token, keys, "t1"));
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "DELETE", "terminals/t1", NULL);
  race_run (&race, 2);
  for (guint restarted = 0; restarted < 2; restarted++) {
    ck_assert_uint_eq (json_array_size (
                           json_object_get (ask_root ("GET", "enrollments", NULL).body, "enrollments")),
                       0);
    cloud_restart ();
  }
}
END_TEST

/* ---- devices ---- */

/* A person registers one while the terminal lists its own. */
START_TEST (a_device_added_while_the_terminal_lists_its_own_is_kept)
{
  Race race = { 0 };
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "PUT", "terminals/t1/devices",
            json_pack ("{s:[{s:s}]}", "devices", "name", "web"));
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1/devices/plc",
            json_pack ("{s:s}", "note", "x"));
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "PUT", "terminals/t1/devices",
            json_pack ("{s:[{s:s}]}", "devices", "name", "meter"));
  race_run (&race, 3);
  for (guint restarted = 0; restarted < 2; restarted++) {
    /* meter, plc */
    ck_assert_uint_eq (json_array_size (
                           json_object_get (ask_root ("GET", "terminals/t1", NULL).body, "devices")),
                       2);
    cloud_restart ();
  }
}
END_TEST

/* What the terminal has confirmed meanwhile is not written over by what a person meant to register. */
START_TEST (a_device_that_is_confirmed_meanwhile_stays_so)
{
  Race race = { 0 };
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "PUT", "terminals/t1/devices",
            json_pack ("{s:[{s:s, s:s}]}", "devices", "name", "web", "note", "its own"));
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1/devices/web",
            json_pack ("{s:s}", "note", "another"));
  race_run (&race, 2);
  json_t *device = json_array_get (json_object_get (ask_root ("GET", "terminals/t1", NULL).body, "devices"),
                                   0);
  ck_assert_str_eq (text_of (device, "note"), "its own");
  ck_assert (json_is_true (json_object_get (device, "confirmed")));
}
END_TEST

/* ---- another process at the same store ---- */

static void
row_read (FarRequest *req, gpointer user)
{
  GPtrArray *rows = far_request_result (req);
  json_t **row = user;
  for (guint i = 0; rows && i < rows->len; i++)
    if (strcmp (((FarRow *) rows->pdata[i])->key, "t1") == 0)
      *row = json_loads (((FarRow *) rows->pdata[i])->row, 0, NULL);
}

static gboolean
row_seen (gpointer user)
{
  return *(json_t **) user != NULL;
}

static json_t *
terminal_row (void)
{
  json_t *row = NULL;
  far_store_rows ("main", "terminals", NULL, NULL, 100, FALSE, far_request_new (row_read, &row, 0));
  ck_assert (run_until (row_seen, &row));
  return row;
}

START_TEST (what_another_process_wrote_is_kept)
{
  json_t *row = terminal_row ();
  json_object_set_new (row, "note", json_string ("from elsewhere"));
  g_autofree char *text = json_dumps (row, JSON_COMPACT);
  json_decref (row);
  far_store_put ("main", "terminals", "t1", text, FAR_EXPECT_ANY, NULL);
  settle ();
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1", json_pack ("{s:s}", "site", "north")).status, 200);
  row = terminal_row ();
  ck_assert_str_eq (text_of (row, "site"), "north");
  ck_assert_str_eq (text_of (row, "note"), "from elsewhere");
  json_decref (row);
}
END_TEST

START_TEST (what_another_process_removed_stays_away)
{
  far_store_put ("main", "terminals", "t1", NULL, FAR_EXPECT_ANY, NULL);
  settle ();
  ck_assert_uint_eq (ask_node ("t1", "POST", "renew", renewal ()).status, 403);
  ck_assert_uint_eq (ask_root ("GET", "terminals/t1", NULL).status, 404);
}
END_TEST

/* ---- the store reads nothing for a moment ---- */

static guint reads_that_fail;
static const char *table_that_fails = "devices";

/* In place of core's: some reads of one table fail. */
void
far_store_rows (const char *store, const char *table, const FarFilterTerm *filter, const char *after,
                guint limit, gboolean descending, FarRequest *req)
{
  void (*real) (const char *, const char *, const FarFilterTerm *, const char *, guint, gboolean,
                FarRequest *) = dlsym (RTLD_NEXT, "far_store_rows");
  if (strcmp (table, table_that_fails) == 0 && reads_that_fail > 0) {
    reads_that_fail--;
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "the disk does not answer");
    return;
  }
  real (store, table, filter, after, limit, descending, req);
}

/* A terminal's row counts as known only together with its devices: else a device that another process has
 * removed would come back. */
START_TEST (devices_that_cannot_be_read_are_not_taken_for_known)
{
  ck_assert_uint_eq (ask_node ("t1", "PUT", "terminals/t1/devices",
                               json_pack ("{s:[{s:s, s:s}]}", "devices", "name", "web", "note", "its own"))
                         .status,
                     200);
  json_t *row = terminal_row ();
  g_autofree char *text = json_dumps (row, JSON_COMPACT);
  json_decref (row);
  far_store_put ("main", "devices", "t1/web", NULL, FAR_EXPECT_ANY, NULL);
  far_store_put ("main", "terminals", "t1", text, FAR_EXPECT_ANY, NULL);
  settle ();
  reads_that_fail = 2;
  Got got = ask_root ("PUT", "terminals/t1/devices/web", json_pack ("{s:s}", "note", "registered"));
  ck_assert_uint_eq (reads_that_fail, 0);
  ck_assert_uint_eq (got.status, 200);
  ck_assert (json_is_false (json_object_get (got.body, "confirmed")));
  ck_assert_str_eq (text_of (got.body, "note"), "registered");
}
END_TEST

static FarClearance *
link_of (const char *certificate)
{
  g_autofree char *serial = far_trust_serial (certificate, NULL);
  g_autoptr (FarPresented) presented = far_presented_new ("t1", serial, NULL);
  return far_clearance_new (presented, TRUE, NULL, NULL);
}

/* A service `fleet` that begins again while its store is away: who was revoked stays out, and all others come
 * in as before, links that are up among them. The first time is another matter: nobody knows anything then.
 */
START_TEST (a_list_that_cannot_be_read_again_stays_in_force)
{
  g_autofree char *keys = new_keys ("t2"), *token = new_token ("t2");
  Got got = enrol (token, keys, "t2");
  g_autofree char *gone = g_strdup (text_of (got.body, "certificate"));
  ck_assert_uint_eq (ask_root ("DELETE", "terminals/t2", NULL).status, 204);
  table_that_fails = "revoked";
  reads_that_fail = 1;
  cloud_reload ("type: fleet,", "type: fleet, start: at-once,"); /* another instance, of the same meaning */
  settle ();
  ck_assert_uint_eq (reads_that_fail, 0);
  ck_assert_ptr_null (far_instance_find (FAR_KIND_SERVICE, "fleet", NULL));
  ck_assert (far_trust_revoked_known ());
  g_autoptr (FarClearance) revoked = link_of (gone), good = NULL;
  g_autoptr (FarPresented) other = far_presented_new ("t1", "0a01", NULL);
  good = far_clearance_new (other, TRUE, NULL, NULL);
  ck_assert_int_eq (far_clearance_state (revoked), FAR_CLEARANCE_REVOKED);
  ck_assert_int_eq (far_clearance_state (good), FAR_CLEARANCE_IN);
}
END_TEST

/* ---- the service stops ---- */

/* Each asker is told, and no call stays behind whose write ends when nobody is there any more. */
START_TEST (a_service_that_stops_leaves_no_call)
{
  Race race = { 0 };
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1", json_pack ("{s:s}", "site", "north"));
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "POST", "tokens", json_pack ("{s:s}", "node", "t7"));
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "GET", "history", NULL);
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "PUT", "terminals/t1/devices/plc",
            json_pack ("{s:s, s:s}", "endpoint", "lan", "address", "127.0.0.1:1"));
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "PUT", "terminals/t1/devices", json_pack ("{s:[]}", "devices"));
  race_ask (&race, FAR_PRINCIPAL_NODE, "t1", "POST", "renew", renewal ());
  race_ask (&race, FAR_PRINCIPAL_LOCAL, "root", "DELETE", "terminals/t1", NULL);
  ck_assert_uint_gt (far_call_count (), 0);
  cloud_restart ();
  ck_assert (run_until (race_over, &race));
  settle ();
  ck_assert_uint_eq (far_call_count (), 0);
  g_free (race.certificate);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-race");
  TCase *cases = tcase_create ("race");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, of_two_fields_set_at_once_none_is_lost);
  tcase_add_test (cases, many_changes_of_one_terminal_are_all_made);
  tcase_add_test (cases, a_renewal_that_crosses_an_edit_is_kept);
  tcase_add_test (cases, renewals_that_meet_make_one_certificate);
  tcase_add_test (cases, a_renewal_before_a_removal_goes_with_it);
  tcase_add_test (cases, a_renewal_that_meets_a_replacement_gives_way);
  tcase_add_test (cases, a_renewal_that_is_not_recorded_is_made_again);
  tcase_add_test (cases, nothing_brings_a_removed_terminal_back);
  tcase_add_test (cases, a_token_on_its_way_goes_with_its_terminal);
  tcase_add_test (cases, a_token_behind_a_removal_is_judged_after_it);
  tcase_add_test (cases, a_device_added_while_the_terminal_lists_its_own_is_kept);
  tcase_add_test (cases, a_device_that_is_confirmed_meanwhile_stays_so);
  tcase_add_test (cases, what_another_process_wrote_is_kept);
  tcase_add_test (cases, what_another_process_removed_stays_away);
  tcase_add_test (cases, devices_that_cannot_be_read_are_not_taken_for_known);
  tcase_add_test (cases, a_list_that_cannot_be_read_again_stays_in_force);
  tcase_add_test (cases, a_service_that_stops_leaves_no_call);
  suite_add_tcase (suite, cases);
  TCase *admin = tcase_create ("admin");
  tcase_set_timeout (admin, 60);
  tcase_add_checked_fixture (admin, set_up_admin, tear_down);
  tcase_add_test (admin, an_enrolment_on_its_way_goes_with_its_terminal);
  suite_add_tcase (suite, admin);
  return run_suite (suite);
}
