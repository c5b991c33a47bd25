/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a node has no handler for, and the persons for whom a node speaks: what goes up, in whose name, what
 * the node above takes, and that nothing goes round. */
#include "config.h"

#include "base/node-identity.h"
#include "loop/instance-head.h"
#include "trust/trust-revoked.h"
#include "unit/door-help.h"

#include <farwatch/plugin.h>

/* ---- a transport that keeps what it is given and answers with `answer`; core's look-up is replaced ---- */

typedef struct {
  FarInstanceHead head;
  FarMessage *sent;
  guint n;
  gboolean dialled; /* its one link leads up */
} Stand;

static Stand stand;

static void
stand_send (gpointer self, const char *peer, FarMessage *request, FarRequest *req)
{
  FarMessage *answer = far_message_answer (request, 201, json_pack ("{s:s}", "from", peer));

  g_clear_pointer (&stand.sent, far_message_unref);
  stand.sent = far_message_ref (request);
  stand.n++;
  far_message_set_header (answer, "route", "none");
  far_message_set_header (answer, "more", "1");
  far_request_done (req, answer, (GDestroyNotify) far_message_unref);
}

static gboolean
stand_connected (gpointer self, const char *peer)
{
  return strcmp (peer, stand.dialled ? "" : "t1") == 0;
}

static const FarMessageOps stand_ops = { stand_send, stand_connected };
static const FarTransportType stand_type = { .type = { .kind = FAR_KIND_TRANSPORT }, .messages = &stand_ops };

FarInstance *
far_instance_find (FarKind kind, const char *name, GError **error)
{
  if (kind == FAR_KIND_TRANSPORT && strcmp (name, "nodes") == 0)
    return (FarInstance *) (void *) &stand;
  g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, "no %s", name);
  return NULL;
}

const FarType *
far_instance_type (FarInstance *at)
{
  return &stand_type.type;
}

const char *
far_instance_name (FarInstance *at)
{
  return "nodes";
}

gpointer
far_instance_self (FarInstance *at)
{
  return at;
}

/* ---- handlers ---- */

typedef struct {
  guint calls;
  char *who, *from, *path, *via, *groups;
  guint hops;
  gsize body, fields;
} Seen;

static Seen seen;

static void
seen_clear (void)
{
  g_free (seen.who);
  g_free (seen.from);
  g_free (seen.path);
  g_free (seen.via);
  g_free (seen.groups);
  seen = (Seen){ 0 };
}

static void
handle_note (gpointer self, FarCall *call)
{
  guint calls = seen.calls + 1;

  seen_clear ();
  seen.calls = calls;
  seen.who = far_principal_text (call->principal);
  seen.from = g_strdup (call->principal->from);
  seen.groups = call->principal->groups != NULL ? g_strjoinv (",", call->principal->groups) : NULL;
  seen.path = g_strjoinv ("/", call->parts);
  seen.via = g_strdup (call->via);
  seen.hops = call->hops;
  seen.body = call->message->body != NULL ? g_bytes_get_size (call->message->body) : 0;
  seen.fields = json_object_size (call->body);
}

static void
handle_answer (gpointer self, FarCall *call)
{
  handle_note (self, call);
  far_call_answer (call, 200, json_object ());
}

static void
handle_up (gpointer self, FarCall *call)
{
  handle_note (self, call);
  far_call_forward (call, "nodes", "cloud");
}

static const FarHandler own[] = {
  { "GET", "things", FAR_ACTION_NONE, .handle = handle_answer },
  { "POST", "notes", FAR_ACTION_NODE, .handle = handle_answer },
  { "GET", "terminals/{t}", FAR_ACTION_SEE, .handle = handle_answer },
  { "PUT", "terminals/{t}", FAR_ACTION_MANAGE, .handle = handle_answer },
  { NULL },
};
static const FarHandler
    open_to_all[] = { { FAR_UPSTREAM, FAR_UPSTREAM, FAR_ACTION_NONE, .handle = handle_up }, { NULL } },
    managed[] = { { FAR_UPSTREAM, FAR_UPSTREAM, FAR_ACTION_MANAGE, .handle = handle_up }, { NULL } },
    anyone[] = { { FAR_UPSTREAM, FAR_UPSTREAM, FAR_ACTION_ANYONE, .handle = handle_up }, { NULL } };

static void
setup (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  far_node_identity_set ("front", "/tmp");
  far_handlers_add (own, &stand, NULL);
  far_handlers_add (open_to_all, &stand, NULL);
}

static void
teardown (void)
{
  far_handlers_remove (open_to_all, &stand);
  far_handlers_remove (own, &stand);
  run_pending ();
  ck_assert_uint_eq (far_call_count (), 0);
  far_dedup_clear ();
  far_right_clear ();
  seen_clear ();
  g_clear_pointer (&stand.sent, far_message_unref);
}

static guint
submit_by (const char *transport, FarPrincipal *principal, FarMessage *request)
{
  Heard to = { 0 };
  guint status;

  far_api_submit (principal, transport, request, heard, &to);
  ck_assert (run_until (is_last, &to));
  status = heard_at (&to, 0)->status;
  heard_clear (&to);
  return status;
}

static guint
submit (FarPrincipal *principal, FarMessage *request)
{
  return submit_by ("https", principal, request);
}

/* ---- while nobody knows which nodes are revoked ---- */

/* Of all services alike: what a node asks that has come here waits, and so does a person for whom it speaks.
 * The server above, to which this node has dialled, and what it says for a person, does not depend on that.
 */
START_TEST (nodes_wait_but_not_the_server_above)
{
  g_autoptr (FarPrincipal) node = far_principal_new (FAR_PRINCIPAL_NODE, "t1", NULL, ""),
                           claimed = person ("alice", "");
  gboolean dialled = _i == 1;

  claimed->via = g_strdup ("t1");
  stand.dialled = dialled;
  far_peer_changed ((FarInstance *) (void *) &stand, dialled ? "" : "t1", TRUE, "192.0.2.1");
  far_trust_revoked_set_needed (TRUE);
  for (guint known = 0; known < 2; known++) {
    FarPrincipal *const askers[] = { node, claimed };

    for (guint i = 0; i < G_N_ELEMENTS (askers); i++) {
      g_autoptr (FarMessage) request = i == 0 ? far_message_request ("POST", "notes", json_object ())
                                              : far_message_request ("GET", "things", NULL);

      ck_assert_uint_eq (submit_by ("nodes", askers[i], request), dialled || known ? 200 : 503);
    }
    far_trust_revoked_set_known ();
  }
  far_peer_changed ((FarInstance *) (void *) &stand, dialled ? "" : "t1", FALSE, "192.0.2.1");
}
END_TEST

/* ---- what goes up ---- */

START_TEST (what_nobody_has_goes_up)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "192.0.2.1");
  json_t *body = NULL;

  ck_assert_uint_eq (ask_as (alice, "GET", "things", NULL, NULL), 200);
  ck_assert_uint_eq (stand.n, 0);
  ck_assert_uint_eq (ask_as (alice, "PUT", "sites/north?a=1", "{\"x\":1}", &body), 201);
  ck_assert_str_eq (json_string_value (json_object_get (body, "from")), "cloud");
  json_decref (body);
  ck_assert_str_eq (seen.path, "sites/north");
  ck_assert_uint_eq (seen.body, 7);
  ck_assert_uint_eq (seen.fields, 0); /* unchecked, so not parsed either */
  ck_assert_str_eq (stand.sent->method, "PUT");
  ck_assert_str_eq (stand.sent->resource, "sites/north?a=1");
}
END_TEST

START_TEST (what_stays_here)
{
  g_autoptr (FarPrincipal) alice = person ("alice", ""),
                           nobody = far_principal_new (FAR_PRINCIPAL_NONE, "", NULL, ""),
                           node = far_principal_new (FAR_PRINCIPAL_NODE, "t1", NULL, "");

  ck_assert_uint_eq (ask_as (alice, "POST", "things", NULL, NULL), 400); /* here, with another method */
  ck_assert_uint_eq (ask_as (alice, "WATCH", "sites", NULL, NULL), 404);
  ck_assert_uint_eq (ask_as (nobody, "GET", "sites", NULL, NULL), 401);
  ck_assert_uint_eq (ask_as (node, "GET", "sites", NULL, NULL), 404);
  ck_assert_uint_eq (ask_as (alice, FAR_UPSTREAM, "sites", NULL, NULL), 400);
  ck_assert_uint_eq (ask_as (alice, "GET", FAR_UPSTREAM, NULL, NULL), 400);
  ck_assert_uint_eq (seen.calls, 0);
}
END_TEST

/* It is no handler that people find. */
START_TEST (the_hook_is_not_listed)
{
  json_t *list = far_route_list ();

  ck_assert_uint_eq (json_array_size (list), G_N_ELEMENTS (own) - 1);
  json_decref (list);
}
END_TEST

START_TEST (the_right_of_the_hook_is_asked)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");

  far_handlers_remove (open_to_all, &stand);
  ck_assert_uint_eq (ask_as (alice, "GET", "sites", NULL, NULL), 404);
  far_handlers_add (managed, &stand, NULL);
  ck_assert_uint_eq (ask_as (alice, "GET", "sites", NULL, NULL), 404);
  give ("r1", "alice", "see", "node", NULL);
  ck_assert_uint_eq (ask_as (alice, "GET", "sites", NULL, NULL), 403);
  ck_assert_uint_eq (seen.calls, 0);
  give ("r2", "alice", "manage", "node", NULL);
  ck_assert_uint_eq (ask_as (alice, "GET", "sites", NULL, NULL), 201);
  far_handlers_remove (managed, &stand);
  far_handlers_add (anyone, &stand, NULL);
  ck_assert_uint_eq (ask_as (alice, "GET", "sites", NULL, NULL), 404);
  far_handlers_remove (anyone, &stand);
  ck_assert_uint_eq (seen.calls, 1);
}
END_TEST

static const char *
sent (const char *header)
{
  const char *text = far_message_header (stand.sent, header);

  return text != NULL ? text : "none";
}

START_TEST (in_whose_name_it_goes)
{
  static const char *const groups[] = { "ops", "Domain Users", "dev", NULL };
  g_autoptr (FarPrincipal) alice = far_principal_new (FAR_PRINCIPAL_PERSON, "alice", groups, "192.0.2.1");
  g_autoptr (FarMessage) request = far_message_request ("PUT", "sites/north", NULL);
  g_autofree char *first = NULL;

  far_message_set_header (request, "timeout", "7");
  far_message_set_header (request, "ticket", "secret");
  ck_assert_uint_eq (submit (alice, request), 201);
  ck_assert_str_eq (sent ("delegated"), "alice");
  ck_assert_str_eq (sent ("delegated-groups"), "ops,dev");
  ck_assert_str_eq (sent ("hops"), "1");
  ck_assert_str_eq (sent ("via"), "front");
  ck_assert_str_eq (sent ("timeout"), "7");
  ck_assert_str_eq (sent ("ticket"), "none");
  first = g_strdup (stand.sent->id);
  ck_assert_str_ne (first, request->id);
  ck_assert_uint_eq (submit (alice, request), 201); /* kept by the node that does it, not here */
  ck_assert_uint_eq (stand.n, 2);
  ck_assert_str_eq (stand.sent->id, first);
}
END_TEST

/* Another person's message of the same id is another message above. */
START_TEST (ids_of_two_persons)
{
  g_autoptr (FarPrincipal) alice = person ("alice", ""), bob = person ("bob", "");
  g_autoptr (FarMessage) request = far_message_request ("PUT", "sites/north", NULL);
  g_autofree char *first = NULL;

  ck_assert_uint_eq (submit (alice, request), 201);
  first = g_strdup (stand.sent->id);
  ck_assert_uint_eq (submit (bob, request), 201);
  ck_assert_str_ne (stand.sent->id, first);
}
END_TEST

START_TEST (who_is_not_passed_on)
{
  g_autoptr (FarPrincipal) super = root (), bob = far_principal_new (FAR_PRINCIPAL_LOCAL, "bob", NULL, ""),
                           node = far_principal_new (FAR_PRINCIPAL_NODE, "t1", NULL, "");
  g_autoptr (FarMessage) delegated = far_message_request ("GET", "sites", NULL);

  give ("r", "node:t1", "see", "**", NULL);
  far_message_set_header (delegated, "delegated", "alice");
  ck_assert_uint_eq (ask_as (super, "GET", "sites", NULL, NULL), 403);
  ck_assert_uint_eq (ask_as (bob, "GET", "sites", NULL, NULL), 403);
  ck_assert_uint_eq (submit (node, delegated), 403); /* t1's ceiling would be lost above */
  ck_assert_uint_eq (seen.calls, 3);
  ck_assert_uint_eq (stand.n, 0);
}
END_TEST

START_TEST (nothing_goes_round)
{
  g_autoptr (FarPrincipal) alice = person ("alice", ""),
                           cloud = far_principal_new (FAR_PRINCIPAL_NODE, "cloud", NULL, "");
  g_autoptr (FarMessage) far = far_message_request ("GET", "sites", NULL);

  give ("r", "node:cloud", "see", "**", NULL);
  ck_assert_uint_eq (ask_as (alice, "GET", "sites", NULL, NULL), 201);
  ck_assert_uint_eq (seen.calls, 1);
  ck_assert_uint_eq (submit (cloud, stand.sent), 400); /* the node above has handed it up to this one */
  far_message_set_header (far, "hops", "2");
  far_message_set_header (far, "via", "a, b");
  ck_assert_uint_eq (submit (alice, far), 400);
  ck_assert_uint_eq (stand.n, 1);
}
END_TEST

/* ---- what the node above takes ---- */

static guint
submit_for (FarPrincipal *sender, const char *method, const char *resource, const char *name,
            const char *groups)
{
  g_autoptr (FarMessage) request = far_message_request (method, resource, NULL);

  far_message_set_header (request, "delegated", name);
  far_message_set_header (request, "delegated-groups", groups);
  far_message_set_header (request, "hops", "1");
  far_message_set_header (request, "via", "edge");
  return submit (sender, request);
}

START_TEST (a_node_speaks_for_a_person)
{
  g_autoptr (FarPrincipal) edge = far_principal_new (FAR_PRINCIPAL_NODE, "edge", NULL, "192.0.2.9");

  give ("n", "node:edge", "manage", "terminals/t1", NULL);
  ck_assert_uint_eq (submit_for (edge, "GET", "things", "alice", "ops,dev"), 200);
  ck_assert_str_eq (seen.who, "person:alice via node:edge");
  ck_assert_str_eq (seen.groups, "ops,dev");
  ck_assert_str_eq (seen.from, "");
  ck_assert_str_eq (seen.via, "edge");
  ck_assert_uint_eq (seen.hops, 1);
}
END_TEST

/* Node and person must both have the right; an address of a right is not the node's. */
START_TEST (never_more_than_node_and_person)
{
  g_autoptr (FarPrincipal) edge = far_principal_new (FAR_PRINCIPAL_NODE, "edge", NULL, "192.0.2.9");

  give ("n", "node:edge", "manage", "terminals/t1", NULL);
  ck_assert_uint_eq (submit_for (edge, "PUT", "terminals/t1", "alice", NULL), 404);
  give ("a", "alice", "manage", "terminals/*", NULL);
  ck_assert_uint_eq (submit_for (edge, "PUT", "terminals/t1", "alice", NULL), 200);
  ck_assert_uint_eq (submit_for (edge, "PUT", "terminals/t2", "alice", NULL), 404);
  ck_assert_uint_eq (submit_for (edge, "PUT", "terminals/t1", "bob", NULL), 404);
  give ("g", "@ops", "manage", "terminals/t1", NULL);
  ck_assert_uint_eq (submit_for (edge, "PUT", "terminals/t1", "bob", "ops"), 200);
  give ("a", "alice", "manage", "terminals/*", "\"from\":\"192.0.2.0/24\"");
  ck_assert_uint_eq (submit_for (edge, "PUT", "terminals/t1", "alice", NULL), 403);
}
END_TEST

START_TEST (who_speaks_for_nobody)
{
  g_autoptr (FarPrincipal) edge = far_principal_new (FAR_PRINCIPAL_NODE, "edge", NULL, ""), super = root (),
                           bob = person ("bob", ""),
                           nobody = far_principal_new (FAR_PRINCIPAL_NONE, "", NULL, "");

  ck_assert_uint_eq (submit_for (edge, "GET", "things", "alice", NULL), 403);
  give ("o", "node:edge", "see", "terminals/t1", "\"until\":\"2001-01-01\"");
  ck_assert_uint_eq (submit_for (edge, "GET", "things", "alice", NULL), 403);
  give ("n", "node:edge", "see", "terminals/t1", NULL);
  ck_assert_uint_eq (submit_for (super, "GET", "things", "alice", NULL), 403);
  ck_assert_uint_eq (submit_for (bob, "GET", "things", "alice", NULL), 403);
  ck_assert_uint_eq (submit_for (nobody, "GET", "things", "alice", NULL), 403);
  ck_assert_uint_eq (submit_for (edge, "GET", "things", "al ice", NULL), 400);
  ck_assert_uint_eq (submit_for (edge, "GET", "things", "", NULL), 400);
  ck_assert_uint_eq (submit_for (edge, "GET", "things", "alice", "ops,,dev"), 400);
  ck_assert_uint_eq (submit_for (edge, "GET", "things", NULL, "ops"), 400);
  ck_assert_uint_eq (seen.calls, 0);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("upstream");
  TCase *tc = tcase_create ("upstream");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_loop_test (tc, nodes_wait_but_not_the_server_above, 0, 2);
  tcase_add_test (tc, what_nobody_has_goes_up);
  tcase_add_test (tc, what_stays_here);
  tcase_add_test (tc, the_hook_is_not_listed);
  tcase_add_test (tc, the_right_of_the_hook_is_asked);
  tcase_add_test (tc, in_whose_name_it_goes);
  tcase_add_test (tc, ids_of_two_persons);
  tcase_add_test (tc, who_is_not_passed_on);
  tcase_add_test (tc, nothing_goes_round);
  tcase_add_test (tc, a_node_speaks_for_a_person);
  tcase_add_test (tc, never_more_than_node_and_person);
  tcase_add_test (tc, who_speaks_for_nobody);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
