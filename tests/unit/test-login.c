/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Login: authenticators in order, one text for every refusal, guesses slowed down across all interfaces;
 * front tickets; people. lint: allow length, the cases share their authenticators. */
#include "config.h"

#include "unit/login-help.h"

START_TEST (the_first_to_know_decides)
{
  Outcome to = { 0 };

  start ("alice", "right", "192.0.2.1", &to);
  ck_assert (run_until (is_noted, &to));
  ck_assert_ptr_nonnull (to.principal);
  ck_assert_int_eq (to.principal->kind, FAR_PRINCIPAL_PERSON);
  ck_assert_str_eq (to.principal->name, "alice");
  ck_assert_str_eq (to.principal->from, "192.0.2.1");
  ck_assert_str_eq (to.principal->groups[0], "ops");
  ck_assert (!to.principal->super);
  ck_assert_int_eq (to.verdict, FAR_VERDICT_ALLOW);
  ck_assert_uint_eq (stands[1].asked, 0);
  outcome_clear (&to);
}
END_TEST

START_TEST (who_defers_leaves_it_to_the_next)
{
  stands[0].verdict = FAR_VERDICT_DEFER;
  ck_assert (try_login ("alice", "right", "a", NULL));
  ck_assert_uint_eq (stands[1].asked, 1);
}
END_TEST

START_TEST (a_denial_ends_it)
{
  int code;

  ck_assert (!try_login ("alice", "wrong", "a", &code));
  ck_assert_int_eq (code, FAR_ERROR_DENIED);
  ck_assert_uint_eq (stands[1].asked, 0);
}
END_TEST

START_TEST (all_defer_is_no)
{
  Outcome denied = { 0 }, deferred = { 0 };

  start ("alice", "wrong", "a", &denied);
  start ("nobody-knows", "odd", "b", &deferred);
  ck_assert (run_until (is_noted, &denied) && run_until (is_noted, &deferred));
  ck_assert_str_eq (denied.error->message, deferred.error->message); /* one text for every cause */
  ck_assert_int_eq (deferred.error->code, FAR_ERROR_DENIED);
  outcome_clear (&denied);
  outcome_clear (&deferred);
}
END_TEST

START_TEST (no_authenticator_is_no)
{
  Outcome to = { 0 };
  const char *const none[] = { NULL }, *const unknown[] = { "third", NULL };

  far_login (none, login_of ("alice", "right", "a"), far_request_new (note, &to, 0));
  ck_assert (run_until (is_noted, &to));
  ck_assert_int_eq (to.error->code, FAR_ERROR_DENIED);
  outcome_clear (&to);
  far_login (unknown, login_of ("alice", "right", "a"), far_request_new (note, &to, 0));
  ck_assert (run_until (is_noted, &to));
  ck_assert_int_eq (to.error->code, FAR_ERROR_DENIED);
  outcome_clear (&to);
}
END_TEST

START_TEST (one_that_breaks_is_no_denial_and_no_admission)
{
  int code;

  stands[0].breaks = TRUE;
  ck_assert (try_login ("alice", "right", "a", NULL));
  ck_assert (!try_login ("alice", "odd", "a", &code));
  for (guint i = 0; i < 20; i++)
    try_login ("alice", "odd", "a", &code);
  ck_assert_int_eq (code, FAR_ERROR_DENIED); /* its fault, not the person's: nobody is locked out */
  ck_assert (try_login ("alice", "right", "a", NULL));
}
END_TEST

START_TEST (busy_is_said_and_not_counted)
{
  int code;

  stands[0].busy = TRUE;
  for (guint i = 0; i < 20; i++) {
    ck_assert (!try_login ("alice", "right", "a", &code));
    ck_assert_int_eq (code, FAR_ERROR_LIMIT);
  }
  stands[0].busy = FALSE;
  ck_assert (try_login ("alice", "right", "a", NULL));
}
END_TEST

START_TEST (a_question_and_its_answer)
{
  Outcome to = { 0 };
  FarLogin *login;

  stands[0].verdict = FAR_VERDICT_ASK;
  start ("alice", "right", "a", &to);
  ck_assert (run_until (is_noted, &to));
  ck_assert_ptr_null (to.error);
  ck_assert_ptr_null (to.principal);
  ck_assert_int_eq (to.verdict, FAR_VERDICT_ASK);
  outcome_clear (&to);
  login = far_login_new (FAR_LOGIN_CONVERSATION, "alice", "ssh", "a");
  login->answers = g_strsplit ("42", ",", 1);
  far_login (both, login, far_request_new (note, &to, 0));
  ck_assert (run_until (is_noted, &to));
  ck_assert_ptr_nonnull (to.principal);
  outcome_clear (&to);
}
END_TEST

START_TEST (a_claim_is_no_person)
{
  Outcome to = { 0 };
  FarLogin *login = far_login_new (FAR_LOGIN_TOKEN, "t1", "tunnel", "a");

  login->secret = g_strdup ("right");
  far_login (both, login, far_request_new (note, &to, 0));
  ck_assert (run_until (is_noted, &to));
  ck_assert_str_eq (to.claim, "session/abc");
  ck_assert_int_eq (to.principal->kind, FAR_PRINCIPAL_NONE);
  give ("r", "*", "see", "*", NULL);
  ck_assert (!far_visible (to.principal, "terminals/t1"));
  far_right_clear ();
  outcome_clear (&to);
}
END_TEST

START_TEST (odd_names_are_refused_unasked)
{
  g_autofree char *longest = g_strnfill (65, 'a');
  const char *const names[] = { "", "a\nb", "\xff", longest };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    ck_assert (!try_login (names[i], "right", "a", NULL));
  ck_assert_uint_eq (stands[0].asked, 0);
}
END_TEST

/* ---- front tickets ---- */

START_TEST (a_ticket_stands_for_its_person)
{
  const char *const groups[] = { "ops", NULL };
  g_autoptr (FarPrincipal) alice = far_principal_new (FAR_PRINCIPAL_PERSON, "alice", groups, "192.0.2.1"),
                           found = NULL, other = NULL;
  g_autofree char *ticket = far_login_ticket_new (alice), *changed = g_strdup (ticket);

  found = far_login_ticket_principal (ticket, "198.51.100.7");
  ck_assert_ptr_nonnull (found);
  ck_assert_str_eq (found->name, "alice");
  ck_assert_str_eq (found->groups[0], "ops");
  ck_assert_str_eq (found->from, "198.51.100.7"); /* where they are now */
  changed[0] = changed[0] == 'a' ? 'b' : 'a';
  ck_assert_ptr_null (far_login_ticket_principal (changed, ""));
  ck_assert_ptr_null (far_login_ticket_principal ("", ""));
  forward (12 * 3600 - 5);
  other = far_login_ticket_principal (ticket, "");
  ck_assert_ptr_nonnull (other);
  forward (10);
  ck_assert_ptr_null (far_login_ticket_principal (ticket, ""));
}
END_TEST

static void
doors_open (void)
{
  far_api_set_login (NULL, both);
  far_api_start ();
}

static void
doors_shut (void)
{
  far_api_stop ();
  run_pending ();
}

/* Who is local and called the same is somebody else. */
START_TEST (a_namesake_ends_no_tickets)
{
  g_autoptr (FarPrincipal) alice = person ("alice", ""),
                           local = far_principal_new (FAR_PRINCIPAL_LOCAL, "alice", NULL, "");
  g_autofree char *ticket = far_login_ticket_new (alice);

  doors_open ();
  ck_assert_uint_eq (ask_as (local, "DELETE", "login", NULL, NULL), 200);
  far_principal_unref (far_login_ticket_principal (ticket, ""));
  ck_assert_uint_eq (far_login_ticket_count (), 1);
  ck_assert_uint_eq (ask_as (alice, "DELETE", "login", NULL, NULL), 200);
  ck_assert_uint_eq (far_login_ticket_count (), 0);
  doors_shut ();
}
END_TEST

START_TEST (tickets_are_revoked_and_bounded)
{
  g_autoptr (FarPrincipal) alice = person ("alice", ""), bob = person ("bob", ""), kept = NULL;
  g_autofree char *a = far_login_ticket_new (alice), *b = far_login_ticket_new (bob);

  far_login_ticket_revoke_name ("alice");
  ck_assert_ptr_null (far_login_ticket_principal (a, ""));
  for (guint i = 0; i < 100; i++)
    g_free (far_login_ticket_new (alice));
  ck_assert_uint_le (far_login_ticket_count (), FAR_FRONT_TICKETS_PER_NAME + 1);
  kept = far_login_ticket_principal (b, "");
  ck_assert_ptr_nonnull (kept); /* alice's many did not push bob's out */
}
END_TEST

START_TEST (a_person_who_ends_before_the_ticket)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  g_autofree char *ticket = NULL;

  alice->until_us = far_clock_wall_us () + 60 * G_USEC_PER_SEC;
  ticket = far_login_ticket_new (alice);
  forward (61);
  ck_assert_ptr_null (far_login_ticket_principal (ticket, ""));
}
END_TEST

/* ---- the handlers ---- */

START_TEST (login_by_message)
{
  g_autoptr (FarPrincipal) nobody = far_principal_new (FAR_PRINCIPAL_NONE, NULL, NULL, "192.0.2.1"),
                           found = NULL;
  json_t *body = NULL;

  doors_open ();
  ck_assert_uint_eq (ask_as (nobody, "POST", "login", "{\"name\":\"alice\",\"password\":\"right\"}", &body),
                     200);
  found = far_login_ticket_principal (json_string_value (json_object_get (body, "ticket")), "192.0.2.1");
  ck_assert_str_eq (found->name, "alice");
  json_decref (body);
  ck_assert_uint_eq (ask_as (nobody, "POST", "login", "{\"name\":\"alice\",\"password\":\"wrong\"}", NULL),
                     403);
  /* a claim is no login here */
  ck_assert_uint_eq (ask_as (nobody, "POST", "login", "{\"name\":\"t1\",\"token\":\"right\"}", NULL), 403);
  ck_assert_uint_eq (ask_as (nobody, "POST", "login", "{}", NULL), 400);
  ck_assert_uint_eq (ask_as (nobody, "GET", "login", NULL, NULL), 401);
  ck_assert_uint_eq (ask_as (found, "GET", "login", NULL, &body), 200);
  ck_assert_str_eq (json_string_value (json_object_get (body, "principal")), "person:alice");
  json_decref (body);
  ck_assert_uint_eq (ask_as (found, "DELETE", "login", NULL, NULL), 200);
  ck_assert_uint_eq (far_login_ticket_count (), 0);
  doors_shut ();
}
END_TEST

/* Somebody who is in already, and whose answer was lost: what is kept in memory opens nothing. */
START_TEST (the_answer_of_a_login_is_not_kept)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  g_autoptr (FarMessage)
      request = far_message_request ("POST", "login",
                                     json_pack ("{s:s, s:s}", "name", "alice", "password", "right"));
  g_autofree char *first = NULL, *second = NULL;
  guint count;
  gsize bytes;

  doors_open ();
  for (guint i = 0; i < 2; i++) {
    Heard to = { 0 };
    json_t *body;

    far_api_submit (alice, NULL, request, heard, &to);
    ck_assert (run_until (is_last, &to));
    body = far_message_json (heard_at (&to, 0), NULL);
    *(i == 0 ? &first : &second) = g_strdup (json_string_value (json_object_get (body, "ticket")));
    json_decref (body);
    heard_clear (&to);
  }
  ck_assert_str_ne (first, second);
  far_dedup_counts (&count, &bytes);
  ck_assert_uint_eq (count, 0);
  doors_shut ();
}
END_TEST

START_TEST (login_with_a_question)
{
  g_autoptr (FarPrincipal) nobody = far_principal_new (FAR_PRINCIPAL_NONE, NULL, NULL, "192.0.2.1");
  json_t *body = NULL;

  doors_open ();
  stands[0].verdict = FAR_VERDICT_ASK;
  ck_assert_uint_eq (ask_as (nobody, "POST", "login", "{\"name\":\"alice\",\"password\":\"right\"}", &body),
                     202);
  ck_assert_str_eq (json_string_value (json_array_get (json_object_get (body, "prompts"), 0)), "code");
  json_decref (body);
  ck_assert_uint_eq (ask_as (nobody, "POST", "login",
                             "{\"name\":\"alice\",\"password\":\"right\",\"answers\":[\"42\"]}", &body),
                     200);
  ck_assert_ptr_nonnull (json_object_get (body, "ticket"));
  json_decref (body);
  doors_shut ();
}
END_TEST

START_TEST (people_by_message)
{
  g_autoptr (FarPrincipal) super = root (), alice = person ("alice", "");
  g_autofree char *ticket = far_login_ticket_new (alice);
  json_t *body = NULL, *list;

  doors_open ();
  stands[0].keeps_passwords = TRUE;
  stands[1].keeps_keys = TRUE;
  stands[0].people = json_loads ("[{\"name\":\"bob\",\"groups\":[\"ops\"],\"has_password\":true,\"keys\":0},{"
                                 "\"name\":\"alice\",\"groups\":[],\"has_password\":true,\"keys\":0}]",
                                 0, NULL);
  stands[1].people =
      json_loads ("[{\"name\":\"alice\",\"groups\":[\"dev\"],\"has_password\":false,\"keys\":2}]", 0, NULL);
  ck_assert_uint_eq (ask_as (super, "GET", "users", NULL, &body), 200);
  list = json_object_get (body, "users");
  ck_assert_uint_eq (json_array_size (list), 2);
  ck_assert_str_eq (json_string_value (json_object_get (json_array_get (list, 0), "name")), "alice");
  ck_assert_int_eq (json_integer_value (json_object_get (json_array_get (list, 0), "keys")), 2);
  ck_assert_uint_eq (json_array_size (json_object_get (json_array_get (list, 0), "authenticators")), 2);
  json_decref (body);
  ck_assert_uint_eq (ask_as (alice, "GET", "users", NULL, &body), 200);
  ck_assert_uint_eq (json_array_size (json_object_get (body, "users")), 1); /* herself */
  json_decref (body);
  ck_assert_uint_eq (ask_as (alice, "PUT", "users/alice", "{\"password\":\"new\"}", NULL), 403);
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice",
                             "{\"password\":\"new\",\"key\":\"ssh-ed25519 AAAA\"}", NULL),
                     200);
  ck_assert_str_eq (stands[0].put_secret, "new");
  ck_assert_str_eq (stands[1].put_key, "ssh-ed25519 AAAA");
  ck_assert_ptr_null (far_login_ticket_principal (ticket, "")); /* who changed logs in anew */
  /* no word a right could name */
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice", "{\"groups\":[\"ops\",\"a b\"]}", NULL), 400);
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice", "{\"groups\":[\"\\u0080\"]}", NULL), 400);
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice", "{}", NULL), 400);
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice", "{\"password\":\"\"}", NULL), 400);
  ck_assert_uint_eq (ask_as (super, "DELETE", "users/alice", NULL, NULL), 200);
  ck_assert_uint_eq (ask_as (super, "DELETE", "users/zoe", NULL, NULL), 404);
  doors_shut ();
}
END_TEST

/* What a person may do stands in all lists together: who cannot read one of them knows too little to hand
 * over that person's key. */
START_TEST (a_list_that_fails_is_no_empty_list)
{
  g_autoptr (FarPrincipal) super = root (), helper = person ("helper", "");
  json_t *body = NULL;

  doors_open ();
  stands[0].keeps_keys = stands[0].keeps_passwords = TRUE;
  stands[1].people = json_loads ("[{\"name\":\"alice\",\"groups\":[\"bosses\"]}]", 0, NULL);
  give ("helps", "helper", "manage", "users/alice", NULL);
  give ("bosses", "@bosses", "manage", "rights", NULL);
  ck_assert_uint_eq (ask_as (helper, "PUT", "users/alice", "{\"key\":\"ssh-ed25519 AAAA\"}", NULL), 403);
  for (guint i = 0; i < G_N_ELEMENTS (stands); i++) {
    stands[i].lists_not = TRUE;
    ck_assert_uint_eq (ask_as (helper, "PUT", "users/alice", "{\"key\":\"ssh-ed25519 AAAA\"}", NULL), 429);
    ck_assert_uint_eq (ask_as (helper, "PUT", "users/alice", "{\"password\":\"new\"}", NULL), 429);
    ck_assert_uint_eq (ask_as (helper, "PUT", "users/alice/password", "{\"password\":\"new\"}", NULL), 429);
    /* half a list would look like all */
    ck_assert_uint_eq (ask_as (super, "GET", "users", NULL, &body), 429);
    g_clear_pointer (&body, json_decref);
    ck_assert_uint_eq (ask_as (super, "GET", "explain?who=alice&action=manage&object=rights", NULL, NULL),
                       429);
    stands[i].lists_not = FALSE;
    ck_assert_ptr_null (stands[0].put_key);
    ck_assert_ptr_null (stands[0].put_secret);
  }
  doors_shut ();
}
END_TEST

static guint
password (FarPrincipal *who, const char *resource, const char *old, const char *fresh)
{
  g_autofree char *text = old != NULL ? g_strdup_printf ("{\"old\":\"%s\",\"password\":\"%s\"}", old, fresh)
                                      : g_strdup_printf ("{\"password\":\"%s\"}", fresh);

  return ask_as (who, "PUT", resource, text, NULL);
}

START_TEST (ones_own_password)
{
  g_autoptr (FarPrincipal) super = root (), alice = person ("alice", ""), bob = person ("bob", ""),
                           again = NULL;
  g_autofree char *ticket = far_login_ticket_new (alice);
  json_t *body = NULL;

  doors_open ();
  stands[0].keeps_passwords = stands[1].keeps_passwords = TRUE;
  stands[0].people = json_loads ("[{\"name\":\"bob\",\"has_password\":true}]", 0, NULL);
  stands[1].people = json_loads ("[{\"name\":\"alice\",\"has_password\":true}]", 0, NULL);
  /* no right: reads as unknown */
  ck_assert_uint_eq (password (bob, "users/alice/password", NULL, "new"), 404);
  ck_assert_uint_eq (password (alice, "users/alice/password", NULL, "new"), 400);
  ck_assert_uint_eq (password (alice, "users/alice/password", "wrong", "new"), 403);
  ck_assert_uint_eq (password (alice, "users/alice/password", "right", ""), 400);
  ck_assert_uint_eq (password (alice, "users/alice/password", "right", "right"), 400);
  ck_assert_ptr_null (stands[0].put_secret);
  ck_assert_ptr_null (stands[1].put_secret);
  ck_assert_uint_eq (ask_as (alice, "PUT", "users/alice/password", "{\"old\":\"right\",\"password\":\"new\"}",
                             &body),
                     200);
  ck_assert_str_eq (stands[1].put_secret, "new"); /* where she is kept, not where it comes first */
  ck_assert_ptr_null (stands[0].put_secret);
  ck_assert_ptr_null (far_login_ticket_principal (ticket, ""));
  again = far_login_ticket_principal (json_string_value (json_object_get (body, "ticket")), "");
  ck_assert_str_eq (again->name, "alice");
  json_decref (body);
  /* an admin sets one */
  ck_assert_uint_eq (ask_as (super, "PUT", "users/bob/password", "{\"password\":\"other\"}", &body), 200);
  ck_assert_str_eq (stands[0].put_secret, "other");
  ck_assert_ptr_null (json_object_get (body, "ticket"));
  json_decref (body);
  doors_shut ();
}
END_TEST

static void
alice_ends (void)
{
  far_right_end_person ("alice");
}

static const char *meanwhile = "{\"groups\":[]}";

/* Asks as `who` while the authenticator thinks; meanwhile alice gets other groups (or what else is said), or
 * goes. Status of the answer. */
static guint
ask_across (FarPrincipal *who, const char *method, const char *resource, const char *text, gboolean goes)
{
  g_autoptr (FarPrincipal) super = root ();
  g_autoptr (FarMessage) request = far_message_request (method, resource, json_loads (text, 0, NULL));
  Heard to = { 0 };
  guint status;

  stands[0].holds = TRUE;
  far_api_submit (who, NULL, request, heard, &to);
  run_pending ();
  ck_assert_ptr_nonnull (stands[0].held);
  if (goes)
    json_array_clear (stands[0].people);
  else
    ck_assert_uint_eq (ask_as (super, "PUT", "users/alice", meanwhile, NULL), 200);
  stand_let_go (&stands[0]);
  stands[0].holds = FALSE;
  ck_assert (run_until (is_last, &to));
  status = heard_at (&to, 0)->status;
  heard_clear (&to);
  return status;
}

/* A ticket of before, bought with a password that is changed, must not bring back what a demotion took. */
START_TEST (a_demotion_outlives_a_change_of_password)
{
  g_autoptr (FarPrincipal) alice = person ("alice", ""), later = NULL, seen = NULL;
  g_autofree char *ticket = far_login_ticket_new (alice);
  json_t *body = NULL;

  doors_open ();
  stands[0].keeps_passwords = TRUE;
  stands[0].people = json_loads ("[{\"name\":\"alice\"}]", 0, NULL);
  forward (60);
  seen = far_login_ticket_principal (ticket, "");
  ck_assert_int_eq (seen->since_us, alice->since_us); /* a request is no login */
  ck_assert_uint_eq (ask_across (seen, "PUT", "users/alice/password",
                                 "{\"old\":\"right\",\"password\":\"new\"}", FALSE),
                     409);
  ck_assert_ptr_null (stands[0].put_secret);
  ck_assert_uint_eq (far_login_ticket_count (), 0);
  ck_assert_uint_eq (ask_across (seen, "POST", "login", "{\"name\":\"alice\",\"password\":\"right\"}", FALSE),
                     409);
  ck_assert_uint_eq (far_login_ticket_count (), 0);
  forward (60);
  later = person ("alice", "");
  stands[0].during_put = alice_ends;
  ck_assert_uint_eq (ask_as (later, "PUT", "users/alice/password", "{\"old\":\"right\",\"password\":\"new\"}",
                             &body),
                     200);
  ck_assert_ptr_null (json_object_get (body, "ticket"));
  ck_assert_uint_eq (far_login_ticket_count (), 0);
  json_decref (body);
  doors_shut ();
}
END_TEST

/* Alice as she is logged in now. */
static FarPrincipal *
alice_logs_in (char **ticket)
{
  FarPrincipal *alice = person ("alice", "");

  *ticket = far_login_ticket_new (alice);
  forward (60);
  return alice;
}

/* A change that breaks off has changed something all the same: what was logged in goes by that. */
START_TEST (half_a_change_ends_logins)
{
  static const struct {
    const char *method, *text;
    guint status;
  } rows[] = {
    { "PUT", "{\"groups\":[],\"key\":\"ssh-ed25519 AAAA\"}", 400 },
    { "PUT", "{\"groups\":[],\"password\":\"new\",\"key\":\"ssh-ed25519 AAAA\"}", 400 },
    { "DELETE", NULL, 507 },
  };
  g_autoptr (FarPrincipal) super = root ();

  doors_open ();
  stands[0].keeps_passwords = TRUE; /* and nobody keeps keys */
  stands[1].removes_not = TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *ticket = NULL;
    g_autoptr (FarPrincipal) alice = alice_logs_in (&ticket);

    ck_assert_uint_eq (ask_as (super, rows[i].method, "users/alice", rows[i].text, NULL), rows[i].status);
    ck_assert_ptr_null (far_login_ticket_principal (ticket, ""));
    ck_assert (far_right_login_ended (alice));
  }
  doors_shut ();
}
END_TEST

/* Two keep alice: both are told her groups, the password stays in one; what one of them did not take is said.
 */
START_TEST (groups_go_to_all_who_keep_the_person)
{
  g_autoptr (FarPrincipal) super = root ();
  json_t *body = NULL;

  doors_open ();
  for (guint i = 0; i < G_N_ELEMENTS (stands); i++) {
    stands[i].keeps_passwords = stands[i].keeps_keys = TRUE;
    stands[i].people = json_loads ("[{\"name\":\"alice\",\"groups\":[\"ops\"]}]", 0, NULL);
  }
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice", "{\"groups\":[],\"password\":\"new\"}", NULL), 200);
  ck_assert_uint_eq (stands[0].puts, 1);
  ck_assert_uint_eq (stands[1].puts, 1);
  ck_assert_str_eq (stands[0].put_secret, "new");
  ck_assert_ptr_null (stands[1].put_secret);
  stands[1].puts_not = TRUE;
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice", "{\"groups\":[],\"key\":\"ssh-ed25519 AAAA\"}",
                             &body),
                     507);
  ck_assert_ptr_nonnull (strstr (json_string_value (json_object_get (body, "message")),
                                 "'second' gives the groups of before still"));
  ck_assert_ptr_null (stands[0].put_key);
  json_decref (body);
  doors_shut ();
}
END_TEST

/* A key alone goes to who keeps the person, as the rest does. */
START_TEST (a_key_goes_to_who_keeps_the_person)
{
  g_autoptr (FarPrincipal) super = root ();

  doors_open ();
  stands[0].keeps_keys = stands[1].keeps_keys = TRUE;
  stands[1].people = json_loads ("[{\"name\":\"alice\",\"groups\":[\"ops\"]}]", 0, NULL);
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice", "{\"key\":\"ssh-ed25519 AAAA\"}", NULL), 200);
  ck_assert_ptr_null (stands[0].put_key);
  ck_assert_str_eq (stands[1].put_key, "ssh-ed25519 AAAA");
  doors_shut ();
}
END_TEST

START_TEST (a_key_is_judged_before_all_else)
{
  static const char *const keys[] = { "junk",           "ssh-ed25519",  "ssh-ed25519 ",      "ssh-ed25519 A!",
                                      "some-type AAAA", "ssh-\\n AAAA", "ssh-a\\u0080 AAAA", "" };
  g_autoptr (FarPrincipal) super = root (), alice = NULL, seen = NULL;
  g_autofree char *ticket = NULL;

  doors_open ();
  stands[0].keeps_keys = stands[0].keeps_passwords = TRUE;
  alice = alice_logs_in (&ticket);
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autofree char *text = g_strdup_printf ("{\"groups\":[],\"password\":\"new\",\"key\":\"%s\"}", keys[i]);

    ck_assert_msg (ask_as (super, "PUT", "users/alice", text, NULL) == 400, "%s", text);
  }
  ck_assert_uint_eq (stands[0].puts + stands[1].puts, 0);
  seen = far_login_ticket_principal (ticket, "");
  ck_assert_ptr_nonnull (seen);
  ck_assert (!far_right_login_ended (alice));
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice",
                             "{\"key\":\"sk-ssh-ed25519@openssh.com AAAA alice@home\"}", NULL),
                     200);
  doors_shut ();
}
END_TEST

START_TEST (a_password_brings_nobody_back)
{
  g_autoptr (FarPrincipal) super = root (), alice = person ("alice", "");

  doors_open ();
  stands[0].keeps_passwords = TRUE;
  stands[0].people = json_loads ("[{\"name\":\"alice\"}]", 0, NULL);
  ck_assert_uint_eq (ask_across (alice, "PUT", "users/alice/password",
                                 "{\"old\":\"right\",\"password\":\"new\"}", TRUE),
                     404);
  ck_assert_uint_eq (password (super, "users/alice/password", NULL, "new"), 404);
  ck_assert_ptr_null (stands[0].put_secret);
  doors_shut ();
}
END_TEST

/* Two who know the old password change it at once, or an admin takes it from whom it was stolen: the proof is
 * of a password that is none by then. */
START_TEST (a_password_is_changed_by_one_proof_once)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  Heard first = { 0 }, second = { 0 };

  doors_open ();
  stands[0].keeps_passwords = stands[0].holds = TRUE;
  stands[0].people = json_loads ("[{\"name\":\"alice\"}]", 0, NULL);
  for (guint i = 0; i < 2; i++) {
    g_autoptr (FarMessage) request = far_message_request ("PUT", "users/alice/password",
                                                          json_pack ("{s:s, s:s}", "old", "right", "password",
                                                                     i == 0 ? "first" : "second"));

    far_api_submit (alice, NULL, request, heard, i == 0 ? &first : &second);
    run_pending ();
  }
  while (stands[0].held != NULL)
    stand_let_go (&stands[0]);
  ck_assert (run_until (is_last, &first) && run_until (is_last, &second));
  ck_assert_uint_eq (heard_at (&first, 0)->status, 200);
  ck_assert_uint_eq (heard_at (&second, 0)->status, 409);
  ck_assert_str_eq (stands[0].put_secret, "first");
  heard_clear (&first);
  heard_clear (&second);
  stands[0].holds = FALSE;
  forward (1);
  meanwhile = "{\"password\":\"reset\"}";
  ck_assert_uint_eq (ask_across (alice, "PUT", "users/alice/password",
                                 "{\"old\":\"right\",\"password\":\"stolen\"}", FALSE),
                     409);
  ck_assert_str_eq (stands[0].put_secret, "reset");
  doors_shut ();
}
END_TEST

static Heard login_heard;

/* Judged by the password that is being replaced. */
static void
login_meanwhile (void)
{
  g_autoptr (FarPrincipal) none = far_principal_new (FAR_PRINCIPAL_NONE, "", NULL, "");
  g_autoptr (FarMessage)
      request = far_message_request ("POST", "login",
                                     json_pack ("{s:s, s:s}", "name", "alice", "password", "right"));

  far_api_submit (none, NULL, request, heard, &login_heard);
}

/* What was judged by the password of before gives no ticket, whenever it ends. */
START_TEST (a_login_of_the_old_password_gives_no_ticket)
{
  g_autoptr (FarPrincipal) super = root (), none = far_principal_new (FAR_PRINCIPAL_NONE, "", NULL, "");

  doors_open ();
  stands[0].keeps_passwords = TRUE;
  stands[0].people = json_loads ("[{\"name\":\"alice\"}]", 0, NULL);
  meanwhile = "{\"password\":\"reset\"}";
  ck_assert_uint_eq (ask_across (none, "POST", "login", "{\"name\":\"alice\",\"password\":\"right\"}", FALSE),
                     409);
  ck_assert_uint_eq (far_login_ticket_count (), 0);
  forward (1);
  stands[0].during_put = login_meanwhile;
  ck_assert_uint_eq (ask_as (super, "PUT", "users/alice", "{\"password\":\"another\"}", NULL), 200);
  ck_assert (run_until (is_last, &login_heard));
  ck_assert_uint_eq (heard_at (&login_heard, 0)->status, 409);
  heard_clear (&login_heard);
  ck_assert_uint_eq (far_login_ticket_count (), 0);
  stands[0].during_put = NULL;
  forward (1);
  ck_assert_uint_eq (ask_as (none, "POST", "login", "{\"name\":\"alice\",\"password\":\"right\"}", NULL),
                     200);
  ck_assert_uint_eq (far_login_ticket_count (), 1);
  doors_shut ();
}
END_TEST

/* The file could not be written to the end, or nobody said in time whether it was: the tickets go, as with
 * any change. */
START_TEST (a_change_of_password_that_breaks_off_ends_tickets)
{
  g_autofree char *ticket = NULL;
  g_autoptr (FarPrincipal) alice = alice_logs_in (&ticket);

  doors_open ();
  stands[0].keeps_passwords = stands[0].puts_not = TRUE;
  stands[0].people = json_loads ("[{\"name\":\"alice\"}]", 0, NULL);
  ck_assert_uint_eq (password (alice, "users/alice/password", "right", "new"), 507);
  ck_assert_ptr_null (far_login_ticket_principal (ticket, ""));
  doors_shut ();
}
END_TEST

/* Who is removed while their new password is on its way to the file is not made again by it. */
START_TEST (changes_of_one_person_go_one_after_the_other)
{
  Outcome put = { 0 }, removed = { 0 }, key = { 0 };

  stands[0].keeps_passwords = stands[0].keeps_keys = TRUE;
  stands[0].people = json_loads ("[{\"name\":\"alice\"}]", 0, NULL);
  far_users_put ("alice", "new", NULL, "ssh-ed25519 AAAA", NULL, NULL, far_request_new (note, &put, 0));
  far_users_remove ("alice", far_request_new (note, &removed, 0));
  far_users_put ("alice", NULL, NULL, "ssh-ed25519 BBBB", NULL, NULL, far_request_new (note, &key, 0));
  ck_assert (run_until (is_noted, &key));
  ck_assert_uint_eq (put.n, 1);
  ck_assert_uint_eq (removed.n, 1);
  ck_assert_uint_eq (stands[0].puts_before_removal, 2);
  ck_assert_uint_eq (stands[0].puts, 3);
  far_users_change_clear ();
}
END_TEST

/* A stolen ticket is no way to guess: tries for the old password count as logins. */
START_TEST (guesses_of_the_old_password_count)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "192.0.2.9");
  gint64 at_us;
  char *why;

  doors_open ();
  for (guint i = 0; i < 3; i++)
    ck_assert_uint_eq (password (alice, "users/alice/password", "wrong", "new"), 403);
  ck_assert_int_eq (far_throttle_enter (&(FarTry){ .name = "alice", .from = "192.0.2.9" }, 0, &at_us, &why),
                    FAR_THROTTLE_LATER);
  ck_assert_int_gt (at_us, far_clock_boottime_us ());
  doors_shut ();
}
END_TEST

START_TEST (explain_by_message)
{
  g_autoptr (FarPrincipal) super = root (), alice = person ("alice", "");
  json_t *body = NULL;

  doors_open ();
  stands[0].people = json_loads ("[{\"name\":\"bob\",\"groups\":[\"ops\"]}]", 0, NULL);
  give ("r", "@ops", "connect", "terminals/t", "\"longest\":\"5m\"");
  ck_assert_uint_eq (ask_as (super, "GET", "explain?who=bob&action=connect&object=terminals/t&for=4m", NULL,
                             &body),
                     200);
  /* the group was looked up */
  ck_assert_str_eq (json_string_value (json_object_get (body, "result")), "allow");
  json_decref (body);
  ck_assert_uint_eq (ask_as (super, "GET", "explain?who=bob&action=connect&object=terminals/t&for=6m", NULL,
                             &body),
                     200);
  ck_assert_str_eq (json_string_value (json_object_get (body, "cause")), "too long");
  json_decref (body);
  ck_assert_uint_eq (ask_as (alice, "GET", "explain?action=connect&object=terminals/t", NULL, &body), 200);
  ck_assert_str_eq (json_string_value (json_object_get (body, "result")), "deny");
  json_decref (body);
  ck_assert_uint_eq (ask_as (alice, "GET", "explain?who=bob&action=connect&object=terminals/t", NULL, NULL),
                     404);
  ck_assert_uint_eq (ask_as (super, "GET", "explain?who=bob", NULL, NULL), 400);
  ck_assert_uint_eq (ask_as (super, "GET", "explain?who=bob&action=fly&object=x", NULL, NULL), 400);
  doors_shut ();
}
END_TEST

START_TEST (rights_without_a_store)
{
  g_autoptr (FarPrincipal) super = root ();

  doors_open ();
  ck_assert_uint_eq (ask_as (super, "POST", "rights",
                             "{\"who\":\"a\",\"action\":\"see\",\"object\":\"terminals/x\"}", NULL),
                     500);
  ck_assert_uint_eq (ask_as (super, "POST", "rights", "{\"who\":\"a\",\"action\":\"fly\",\"object\":\"x\"}",
                             NULL),
                     400);
  ck_assert_uint_eq (ask_as (super, "DELETE", "rights/none", NULL, NULL), 404);
  doors_shut ();
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("login");
  TCase *tc = tcase_create ("login");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_set_timeout (tc, 60);
  tcase_add_test (tc, the_first_to_know_decides);
  tcase_add_test (tc, who_defers_leaves_it_to_the_next);
  tcase_add_test (tc, a_denial_ends_it);
  tcase_add_test (tc, all_defer_is_no);
  tcase_add_test (tc, no_authenticator_is_no);
  tcase_add_test (tc, one_that_breaks_is_no_denial_and_no_admission);
  tcase_add_test (tc, busy_is_said_and_not_counted);
  tcase_add_test (tc, a_question_and_its_answer);
  tcase_add_test (tc, a_claim_is_no_person);
  tcase_add_test (tc, odd_names_are_refused_unasked);
  tcase_add_test (tc, a_ticket_stands_for_its_person);
  tcase_add_test (tc, a_namesake_ends_no_tickets);
  tcase_add_test (tc, tickets_are_revoked_and_bounded);
  tcase_add_test (tc, a_person_who_ends_before_the_ticket);
  tcase_add_test (tc, login_by_message);
  tcase_add_test (tc, the_answer_of_a_login_is_not_kept);
  tcase_add_test (tc, login_with_a_question);
  tcase_add_test (tc, people_by_message);
  tcase_add_test (tc, a_list_that_fails_is_no_empty_list);
  tcase_add_test (tc, ones_own_password);
  tcase_add_test (tc, a_demotion_outlives_a_change_of_password);
  tcase_add_test (tc, half_a_change_ends_logins);
  tcase_add_test (tc, groups_go_to_all_who_keep_the_person);
  tcase_add_test (tc, a_key_goes_to_who_keeps_the_person);
  tcase_add_test (tc, a_key_is_judged_before_all_else);
  tcase_add_test (tc, a_password_brings_nobody_back);
  tcase_add_test (tc, changes_of_one_person_go_one_after_the_other);
  tcase_add_test (tc, a_password_is_changed_by_one_proof_once);
  tcase_add_test (tc, a_login_of_the_old_password_gives_no_ticket);
  tcase_add_test (tc, a_change_of_password_that_breaks_off_ends_tickets);
  tcase_add_test (tc, guesses_of_the_old_password_count);
  tcase_add_test (tc, explain_by_message);
  tcase_add_test (tc, rights_without_a_store);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
