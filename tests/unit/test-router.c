/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages to handlers: who may, what a body must be, what is answered twice, what is told to watchers. */
#include "config.h"

#include "base/node-identity.h"
#include "loop/log.h"
#include "unit/door-help.h"

typedef struct {
  guint calls;
  FarCall *held;
  guint watch, gone;
  json_t *body, *query;
  char *object, *part;
  gsize bytes;
} Seen;

static Seen seen;

static void
handle_answer (gpointer self, FarCall *call)
{
  seen.calls++;
  json_decref (seen.body);
  json_decref (seen.query);
  g_free (seen.object);
  g_free (seen.part);
  seen.body = json_incref (call->body);
  seen.query = json_incref (call->query);
  seen.object = g_strdup (call->object);
  seen.part = g_strdup (call->parts[0]);
  seen.bytes = call->bytes != NULL ? g_bytes_get_size (call->bytes) : 0;
  far_call_answer (call, 200, json_pack ("{s:i}", "calls", (int) seen.calls));
}

static void
handle_hold (gpointer self, FarCall *call)
{
  seen.calls++;
  seen.held = call;
}

static void
handle_fail (gpointer self, FarCall *call)
{
  seen.calls++;
  far_call_fail_new (call, FAR_ERROR_CONFLICT, "%s is taken", call->parts[0]);
}

static void
handle_large (gpointer self, FarCall *call)
{
  g_autofree char *text = g_strnfill (FAR_BODY_MAX, 'x');

  far_call_answer (call, 200, json_pack ("{s:s}", "text", text));
}

static void
handle_refuse (gpointer self, FarCall *call)
{
  far_call_refuse (call, "terminals/hidden", "no right");
}

static void
watch_gone (guint watch, gpointer user)
{
  seen.gone++;
  ck_assert_uint_eq (watch, seen.watch);
}

static void
handle_watch (gpointer self, FarCall *call)
{
  seen.watch = far_call_subscribe (call, watch_gone, NULL);
}

static const FarField fields[] = {
  { "text", FAR_FIELD_STRING, FALSE, "a text", 8 },
  { "number", FAR_FIELD_INT, FALSE, "a number", 10 },
  { "yes", FAR_FIELD_BOOL, FALSE, "a switch" },
  { "long", FAR_FIELD_DURATION, FALSE, "a time", 60 * G_USEC_PER_SEC },
  { "name", FAR_FIELD_NAME, TRUE, "a name" },
  { "list", FAR_FIELD_LIST, FALSE, "a list", 2 },
  { "object", FAR_FIELD_OBJECT, FALSE, "an object" },
  { "any", FAR_FIELD_ANY, FALSE, "anything" },
  { "device", FAR_FIELD_NAME, FALSE, "a device" },
  { NULL, FAR_FIELD_END },
};

static const char *const batch_only[] = { FAR_TYPE_BATCH, NULL }, *const either[] = {
  FAR_TYPE_JSON,
  "image/png",
  NULL,
};

static const FarHandler handlers[] = {
  { "GET", "things", FAR_ACTION_NONE, NULL, NULL, 0, handle_answer, "things" },
  { "GET", "things/{t}", FAR_ACTION_SEE, "terminals/{t}", NULL, 0, handle_answer, "a thing" },
  { "PUT", "things/{t}", FAR_ACTION_MANAGE, "terminals/{t}", fields, 0, handle_answer, "change a thing" },
  { "POST", "asks", FAR_ACTION_CONNECT, "terminals/{body.name}/devices/{body.device}", fields, 0,
    handle_answer, "ask" },
  { "POST", "opens", FAR_ACTION_ANYONE, NULL, fields, 0, handle_answer, "before login" },
  { "POST", "holds", FAR_ACTION_NONE, NULL, NULL, 0, handle_hold, "not answered at once" },
  { "DELETE", "things/{t}", FAR_ACTION_MANAGE, NULL, NULL, 0, handle_fail, "refused" },
  { "GET", "large", FAR_ACTION_NONE, NULL, NULL, 0, handle_large, "too much" },
  { "GET", "refused", FAR_ACTION_NONE, NULL, NULL, 0, handle_refuse, "refused" },
  { "POST", "batches", FAR_ACTION_NODE, NULL, NULL, batch_only, handle_answer, "bytes" },
  { "PUT", "pictures", FAR_ACTION_NONE, NULL, fields, either, handle_answer, "fields or bytes" },
  { "PUT", "nodes/{n}/list", FAR_ACTION_NODE, NULL, NULL, 0, handle_answer, "of a node" },
  { "WATCH", "things/{t}", FAR_ACTION_SEE, "terminals/{t}", NULL, 0, handle_watch, "a thing as it changes" },
  { NULL },
};

static FarPrincipal *super;

static void
setup (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  seen = (Seen){ 0 };
  super = root ();
  far_handlers_add (handlers, &seen, NULL);
}

static void
teardown (void)
{
  far_handlers_remove (handlers, &seen);
  run_pending ();
  ck_assert_uint_eq (far_call_count (), 0);
  ck_assert_uint_eq (far_subscription_count (), 0);
  far_dedup_clear ();
  far_right_clear ();
  far_principal_unref (super);
  json_decref (seen.body);
  json_decref (seen.query);
  g_free (seen.object);
  g_free (seen.part);
}

/* ---- finding ---- */

START_TEST (unknown_resources_and_methods)
{
  ck_assert_uint_eq (ask_as (super, "GET", "nothing", NULL, NULL), 404);
  ck_assert_uint_eq (ask_as (super, "GET", "things/a/b", NULL, NULL), 404);
  ck_assert_uint_eq (ask_as (super, "POST", "things", NULL, NULL), 400);
  ck_assert_uint_eq (ask_as (super, "GET", "things/a b", NULL, NULL), 400);
  ck_assert_uint_eq (ask_as (super, "GET", "things/..", NULL, NULL), 400);
  ck_assert_uint_eq (ask_as (super, "GET", "a/b/c/d/e/f/g/h/i", NULL, NULL), 400);
  ck_assert_uint_eq (seen.calls, 0);
}
END_TEST

static json_int_t
counted (const char *what)
{
  json_t *counts = far_counts_json ();
  json_int_t n = json_integer_value (json_object_get (counts, what));

  json_decref (counts);
  return n;
}

/* By cause, so that who looks sees which limit it is. */
START_TEST (what_is_refused_is_counted)
{
  g_autoptr (FarPrincipal) nobody = far_principal_new (FAR_PRINCIPAL_NONE, "", NULL, "192.0.2.1");
  json_int_t missing = counted ("requests for what is not there or not to be seen"),
             login = counted ("requests before a login");

  ask_as (super, "GET", "nothing", NULL, NULL);
  ask_as (nobody, "GET", "things/t1", NULL, NULL);
  ask_as (super, "GET", "things/t1", NULL, NULL);
  ck_assert_int_eq (counted ("requests for what is not there or not to be seen"), missing + 1);
  ck_assert_int_eq (counted ("requests before a login"), login + 1);
}
END_TEST

START_TEST (parts_and_query_reach_the_handler)
{
  ck_assert_uint_eq (ask_as (super, "GET", "things/t-1?after=a%2Fb&x=1+2&empty=&flag", NULL, NULL), 200);
  ck_assert_str_eq (seen.part, "t-1");
  ck_assert_str_eq (seen.object, "terminals/t-1");
  ck_assert_str_eq (json_string_value (json_object_get (seen.query, "after")), "a/b");
  ck_assert_str_eq (json_string_value (json_object_get (seen.query, "x")), "1 2");
  ck_assert_str_eq (json_string_value (json_object_get (seen.query, "flag")), "");
  ck_assert_uint_eq (json_object_size (seen.query), 4);
}
END_TEST

START_TEST (bad_queries_are_refused)
{
  static const char *const bad[] = {
    "things?a=%zz",
    "things?a=%00",
    "things?=x",
    "things?a=1&a=2",
    "things?a=%ff",
    "things?a b=1",
    "things?a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1&l=1&m=1&n=1&o=1&p=1&q=1"
  };

  ck_assert_uint_eq (ask_as (super, "GET", bad[_i], NULL, NULL), 400);
  ck_assert_uint_eq (seen.calls, 0);
}
END_TEST

START_TEST (an_object_from_the_body)
{
  ck_assert_uint_eq (ask_as (super, "POST", "asks", "{\"name\":\"t1\",\"device\":\"plc\"}", NULL), 200);
  ck_assert_str_eq (seen.object, "terminals/t1/devices/plc");
  ck_assert_uint_eq (ask_as (super, "POST", "asks", "{\"name\":\"t1\"}", NULL), 200);
  ck_assert_str_eq (seen.object, "terminals/t1");
  ck_assert_uint_eq (ask_as (super, "POST", "asks", "{\"name\":\"t1\",\"device\":null}", NULL), 200);
  ck_assert_str_eq (seen.object, "terminals/t1");
}
END_TEST

/* ---- bodies ---- */

static const struct {
  const char *body;
  guint status;
  const char *says;
} bodies[] = {
  { "{\"name\":\"a\"}", 200, NULL },
  { "{\"name\":\"a\",\"text\":\"12345678\",\"number\":10,\"yes\":true,\"long\":\"60s\",\"list\":[\"a\",\"b\"]"
    ",\"object\":{},\"any\":[1]}",
    200, NULL },
  { "{}", 400, "field 'name' is missing" },
  { "{\"name\":\"a b\"}", 400, "must be a name" },
  { "{\"name\":\"-a\"}", 400, "must be a name" },
  { "{\"name\":\"\"}", 400, "must be a name" },
  { "{\"name\":7}", 400, "must be a name" },
  { "{\"name\":null}", 400, "must be a name" },
  { "{\"name\":\"a\",\"text\":\"123456789\"}", 400, "is too long: 8 bytes at most" },
  { "{\"name\":\"a\",\"text\":1}", 400, "must be a text" },
  { "{\"name\":\"a\",\"number\":11}", 400, "is too large: 10 at most" },
  { "{\"name\":\"a\",\"number\":-1}", 400, "must not be negative" },
  { "{\"name\":\"a\",\"number\":1.5}", 400, "must be a whole number" },
  { "{\"name\":\"a\",\"yes\":\"true\"}", 400, "must be true or false" },
  { "{\"name\":\"a\",\"long\":\"soon\"}", 400, "must be a length of time" },
  { "{\"name\":\"a\",\"long\":60}", 400, "must be a length of time" },
  { "{\"name\":\"a\",\"long\":\"61s\"}", 400, "is too long: 1m at most" },
  { "{\"name\":\"a\",\"list\":[1]}", 400, "must be a list of texts" },
  { "{\"name\":\"a\",\"list\":[\"a\",\"b\",\"c\"]}", 400, "must be a list of texts" },
  { "{\"name\":\"a\",\"object\":[]}", 400, "must be an object" },
  { "{\"name\":\"a\",\"surprise\":1}", 400, "known are: text, number" },
  { "[]", 400, "must be a JSON object" },
};

START_TEST (bodies_are_checked)
{
  json_t *answer = NULL;
  guint status = ask_as (super, "PUT", "things/t", bodies[_i].body, &answer);

  ck_assert_msg (status == bodies[_i].status, "%s: %u", bodies[_i].body, status);
  if (bodies[_i].says != NULL)
    ck_assert_msg (strstr (json_string_value (json_object_get (answer, "message")), bodies[_i].says) != NULL,
                   "%s: %s", bodies[_i].body, json_string_value (json_object_get (answer, "message")));
  ck_assert_uint_eq (seen.calls, bodies[_i].status == 200 ? 1 : 0);
  json_decref (answer);
}
END_TEST

static guint
submit_made (FarPrincipal *principal, FarMessage *request)
{
  Heard to = { 0 };
  guint status;

  far_api_submit (principal, NULL, request, heard, &to);
  ck_assert (run_until (is_last, &to));
  status = heard_at (&to, 0)->status;
  heard_clear (&to);
  return status;
}

START_TEST (a_message_made_by_an_interface_is_checked_too)
{
  g_autoptr (FarMessage) id = far_message_request ("GET", "things", NULL),
                         method = far_message_request ("FETCH", "things", NULL);
  g_autoptr (FarMessage) resource = far_message_request ("GET", "/things", NULL),
                         large = far_message_request ("PUT", "things/a", NULL);
  g_autoptr (FarMessage) type = far_message_request ("PUT", "things/a", NULL),
                         json = far_message_request ("PUT", "things/a", NULL);

  g_free (id->id);
  id->id = g_strdup ("not good");
  ck_assert_uint_eq (submit_made (super, id), 400);
  g_clear_pointer (&id->id, g_free);
  ck_assert_uint_eq (submit_made (super, id), 400);
  ck_assert_uint_eq (submit_made (super, method), 400);
  ck_assert_uint_eq (submit_made (super, resource), 400);
  large->content_type = g_strdup (FAR_TYPE_JSON);
  large->body = g_bytes_new_take (g_strnfill (FAR_BODY_MAX + 1, ' '), FAR_BODY_MAX + 1);
  ck_assert_uint_eq (submit_made (super, large), 429);
  type->content_type = g_strdup ("text/plain");
  type->body = g_bytes_new_static ("{}", 2);
  ck_assert_uint_eq (submit_made (super, type), 400);
  json->content_type = g_strdup (FAR_TYPE_JSON);
  json->body = g_bytes_new_static ("{", 1);
  ck_assert_uint_eq (submit_made (super, json), 400);
  ck_assert_uint_eq (seen.calls, 0);
}
END_TEST

START_TEST (batches_are_bytes)
{
  g_autoptr (FarPrincipal) node = far_principal_new (FAR_PRINCIPAL_NODE, "t1", NULL, "");
  g_autoptr (FarMessage) request = far_message_request ("POST", "batches?lane=2", NULL),
                         none = far_message_request ("POST", "batches", json_object ());

  request->content_type = g_strdup (FAR_TYPE_BATCH);
  request->body = g_bytes_new_take (g_strnfill (100000, 'b'), 100000);
  ck_assert_uint_eq (submit_made (node, request), 200);
  ck_assert_uint_eq (seen.bytes, 100000);
  ck_assert_uint_eq (submit_made (node, request), 200); /* not kept: it has a key of its own */
  ck_assert_uint_eq (seen.calls, 2);
  ck_assert_uint_eq (submit_made (node, none), 400);
  ck_assert_uint_eq (submit_made (super, request), 403);
}
END_TEST

/* Each of them as what it is; JSON is checked against the fields there, too. */
START_TEST (a_body_of_several_types)
{
  g_autoptr (FarMessage) picture = far_message_request ("PUT", "pictures", NULL),
                         other = far_message_request ("PUT", "pictures", NULL);

  picture->content_type = g_strdup ("image/png");
  picture->body = g_bytes_new_static ("\x89PNG", 4);
  ck_assert_uint_eq (submit_made (super, picture), 200);
  ck_assert_uint_eq (seen.bytes, 4);
  ck_assert_uint_eq (ask_as (super, "PUT", "pictures", "{\"name\":\"n\"}", NULL), 200);
  ck_assert_uint_eq (seen.bytes, 0);
  ck_assert_str_eq (json_string_value (json_object_get (seen.body, "name")), "n");
  ck_assert_uint_eq (ask_as (super, "PUT", "pictures", "{\"name\":1}", NULL), 400);
  ck_assert_uint_eq (ask_as (super, "PUT", "pictures", NULL, NULL), 400); /* the name is missing */
  other->content_type = g_strdup ("image/gif");
  other->body = g_bytes_new_static ("GIF8", 4);
  ck_assert_uint_eq (submit_made (super, other), 400);
  ck_assert_uint_eq (seen.calls, 2);
}
END_TEST

/* The nodes that it has passed; this one is none of them. */
START_TEST (nodes_on_the_way)
{
  const struct {
    const char *via;
    guint status;
  } cases[] = { { "t1", 200 },      { "t1, cloud", 200 }, { "t1, here", 400 }, { "here", 400 }, { "", 400 },
                { "a, b, c", 400 }, { "a,b", 400 },       { "a b", 400 },      { "a, ", 400 } };
  g_autoptr (FarMessage) request = far_message_request ("GET", "things", NULL);

  far_node_identity_set ("here", "/tmp");
  far_message_set_header (request, "via", cases[_i].via);
  ck_assert_uint_eq (submit_made (super, request), cases[_i].status);
}
END_TEST

START_TEST (hops_end)
{
  const struct {
    const char *hops;
    guint status;
  } cases[] = {
    { "0", 200 }, { "2", 200 }, { "3", 400 }, { "x", 400 }, { "-1", 400 }, { "99999999999", 400 }
  };
  g_autoptr (FarMessage) request = far_message_request ("GET", "things", NULL);

  far_message_set_header (request, "hops", cases[_i].hops);
  ck_assert_uint_eq (submit_made (super, request), cases[_i].status);
}
END_TEST

/* ---- answers ---- */

START_TEST (failures_and_large_answers)
{
  json_t *body = NULL;

  ck_assert_uint_eq (ask_as (super, "DELETE", "things/a", NULL, &body), 409);
  ck_assert_str_eq (json_string_value (json_object_get (body, "message")), "a is taken");
  json_decref (body);
  ck_assert_uint_eq (ask_as (super, "GET", "large", NULL, &body), 429);
  json_decref (body);
}
END_TEST

START_TEST (the_same_message_is_not_run_again)
{
  g_autoptr (FarMessage) request = far_message_request ("PUT", "things/a", json_pack ("{s:s}", "name", "n")),
                         other = NULL, read = NULL;
  g_autoptr (FarPrincipal) alice = person ("alice", "");

  give ("r", "alice", "manage", "terminals/*", NULL);
  ck_assert_uint_eq (submit_made (super, request), 200);
  ck_assert_uint_eq (submit_made (super, request), 200);
  ck_assert_uint_eq (seen.calls, 1);
  ck_assert_uint_eq (submit_made (alice, request), 200); /* another sender: another message */
  ck_assert_uint_eq (seen.calls, 2);
  ck_assert_uint_eq (submit_made (alice, request), 200);
  far_right_remove ("r");
  ck_assert_uint_eq (submit_made (alice, request), 404); /* the answer was for who had the right */
  ck_assert_uint_eq (seen.calls, 2);
  other = far_message_request ("PUT", "things/b", NULL);
  g_free (other->id);
  other->id = g_strdup (request->id);
  ck_assert_uint_eq (submit_made (super, other), 409);
  forward (601);
  ck_assert_uint_eq (submit_made (super, request), 200);
  ck_assert_uint_eq (seen.calls, 3);
  read = far_message_request ("GET", "things", NULL);
  ck_assert_uint_eq (submit_made (super, read), 200);
  ck_assert_uint_eq (submit_made (super, read), 200);
  ck_assert_uint_eq (seen.calls, 5); /* reading again is reading again */
}
END_TEST

START_TEST (refusals_of_a_handler_are_kept_too)
{
  g_autoptr (FarMessage) request = far_message_request ("DELETE", "things/a", NULL);

  ck_assert_uint_eq (submit_made (super, request), 409);
  ck_assert_uint_eq (submit_made (super, request), 409);
  ck_assert_uint_eq (seen.calls, 1);
}
END_TEST

START_TEST (nobody_is_not_one_sender)
{
  g_autoptr (FarMessage) request = far_message_request ("POST", "opens", json_pack ("{s:s}", "name", "n"));
  g_autoptr (FarPrincipal) nobody = far_principal_new (FAR_PRINCIPAL_NONE, NULL, NULL, "192.0.2.1");

  ck_assert_uint_eq (submit_made (nobody, request), 200);
  ck_assert_uint_eq (submit_made (nobody, request), 200);
  ck_assert_uint_eq (seen.calls, 2);
}
END_TEST

START_TEST (kept_answers_are_bounded)
{
  guint count;
  gsize bytes;

  for (guint i = 0; i < FAR_DEDUP_COUNT + 100; i++) {
    g_autoptr (FarMessage)
        request = far_message_request ("PUT", "things/a", json_pack ("{s:s}", "name", "n"));

    submit_made (super, request);
  }
  far_dedup_counts (&count, &bytes);
  ck_assert_uint_eq (count, FAR_DEDUP_COUNT);
  ck_assert_uint_le (bytes, FAR_DEDUP_BYTES);
}
END_TEST

START_TEST (two_wait_for_one_call)
{
  g_autoptr (FarMessage) request = far_message_request ("POST", "holds", NULL);
  Heard first = { 0 }, second = { 0 };

  far_api_submit (super, NULL, request, heard, &first);
  far_api_submit (super, NULL, request, heard, &second);
  run_pending ();
  ck_assert_uint_eq (seen.calls, 1);
  far_call_answer (seen.held, 201, NULL);
  run_pending ();
  ck_assert_uint_eq (heard_at (&first, 0)->status, 201);
  ck_assert_uint_eq (heard_at (&second, 0)->status, 201);
  heard_clear (&first);
  heard_clear (&second);
}
END_TEST

START_TEST (an_answer_that_never_comes)
{
  g_autoptr (FarMessage) request = far_message_request ("POST", "holds", NULL);
  Heard to = { 0 }, again = { 0 };

  far_api_submit (super, NULL, request, heard, &to);
  forward (29);
  ck_assert_uint_eq (to.n, 0);
  forward (2);
  ck_assert_uint_eq (heard_at (&to, 0)->status, 503);
  /* it still runs: nothing is done twice, and nobody waits for ever */
  far_api_submit (super, NULL, request, heard, &again);
  run_pending ();
  ck_assert_uint_eq (heard_at (&again, 0)->status, 503);
  heard_clear (&again);
  ck_assert_uint_eq (seen.calls, 1);
  far_call_answer (seen.held, 200, NULL); /* late: told to nobody, harms nobody */
  run_pending ();
  ck_assert_uint_eq (to.n, 1);
  heard_clear (&to);
}
END_TEST

START_TEST (who_is_gone_hears_nothing)
{
  g_autoptr (FarMessage) request = far_message_request ("POST", "holds", NULL),
                         other = far_message_request ("GET", "things", NULL);
  Heard to = { 0 };

  far_api_submit (super, NULL, request, heard, &to);
  far_api_submit (super, NULL, other, heard, &to); /* answered, not yet delivered */
  far_api_gone (&to);
  far_call_answer (seen.held, 200, NULL);
  run_pending ();
  ck_assert_uint_eq (to.n, 0);
}
END_TEST

START_TEST (a_service_that_stops_leaves_nobody_waiting)
{
  g_autoptr (FarMessage) request = far_message_request ("POST", "holds", NULL);
  Heard to = { 0 };

  far_api_submit (super, NULL, request, heard, &to);
  far_handlers_remove (handlers, &seen);
  run_pending ();
  ck_assert_uint_eq (heard_at (&to, 0)->status, 503);
  far_call_answer (seen.held, 200, NULL);
  far_handlers_add (handlers, &seen, NULL);
  heard_clear (&to);
}
END_TEST

/* ---- watches ---- */

static void
start_watch (FarPrincipal *principal, Heard *to)
{
  g_autoptr (FarMessage) request = far_message_request ("WATCH", "things/t", NULL);

  far_api_submit (principal, NULL, request, heard, to);
  ck_assert_uint_ne (seen.watch, 0);
}

START_TEST (events_are_numbered_and_end)
{
  Heard to = { 0 };

  start_watch (super, &to);
  far_subscription_event (seen.watch, json_object ());
  far_subscription_event (seen.watch, json_object ());
  far_subscription_event (seen.watch, NULL);
  far_subscription_event (seen.watch, json_object ()); /* after the end: nothing */
  run_pending ();
  ck_assert_uint_eq (to.n, 3);
  ck_assert_str_eq (far_message_header (heard_at (&to, 0), "event"), "1");
  ck_assert_str_eq (far_message_header (heard_at (&to, 1), "event"), "2");
  ck_assert_str_eq (far_message_header (heard_at (&to, 1), "more"), "1");
  ck_assert_uint_eq (heard_at (&to, 2)->status, 204);
  ck_assert (to.last);
  ck_assert_uint_eq (seen.gone, 1); /* whoever ends it: the handler lets go in one place */
  heard_clear (&to);
}
END_TEST

START_TEST (a_watcher_that_goes)
{
  Heard to = { 0 };

  start_watch (super, &to);
  far_api_gone (&to);
  ck_assert_uint_eq (seen.gone, 1);
  far_subscription_event (seen.watch, json_object ());
  run_pending ();
  ck_assert_uint_eq (to.n, 0);
}
END_TEST

static void
handle_late_watch (gpointer self, FarCall *call)
{
  seen.held = call;
}

static const FarHandler late_handlers[] = {
  { "WATCH", "late", FAR_ACTION_NONE, NULL, NULL, 0, handle_late_watch, "late" }, { NULL }
};

START_TEST (a_watcher_that_went_before_it_began)
{
  g_autoptr (FarMessage) request = far_message_request ("WATCH", "late", NULL);
  Heard to = { 0 };

  far_handlers_add (late_handlers, &seen, NULL);
  far_api_submit (super, NULL, request, heard, &to);
  far_api_gone (&to);
  seen.watch = 0;
  ck_assert_uint_eq (far_call_subscribe (seen.held, watch_gone, NULL), 0);
  ck_assert_uint_eq (seen.gone, 1);
  far_handlers_remove (late_handlers, &seen);
}
END_TEST

START_TEST (a_service_that_stops_ends_its_watches)
{
  Heard to = { 0 };

  start_watch (super, &to);
  far_handlers_remove (handlers, &seen);
  run_pending ();
  ck_assert (to.last);
  ck_assert_uint_eq (seen.gone, 1);
  far_handlers_add (handlers, &seen, NULL);
  heard_clear (&to);
}
END_TEST

START_TEST (a_slow_watcher_gets_a_gap)
{
  Heard to = { 0 };

  start_watch (super, &to);
  far_api_busy (&to, TRUE);
  for (guint i = 0; i < FAR_SUBSCRIPTION_EVENTS; i++)
    far_subscription_event (seen.watch, json_object ());
  run_pending ();
  ck_assert_uint_eq (to.n, 0);
  far_api_busy (&to, FALSE);
  run_pending ();
  ck_assert_uint_eq (to.n, FAR_SUBSCRIPTION_EVENTS);
  far_api_busy (&to, TRUE);
  for (guint i = 0; i <= FAR_SUBSCRIPTION_EVENTS; i++)
    far_subscription_event (seen.watch, json_object ());
  run_pending ();
  ck_assert_uint_eq (to.n, FAR_SUBSCRIPTION_EVENTS + 1);
  ck_assert (to.last);
  ck_assert_uint_eq (heard_at (&to, FAR_SUBSCRIPTION_EVENTS)->status, 429);
  ck_assert_uint_eq (seen.gone, 1);
  far_api_gone (&to);
  heard_clear (&to);
}
END_TEST

START_TEST (a_watcher_loses_the_right)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  Heard to = { 0 };

  give ("r", "alice", "see", "terminals/t", NULL);
  start_watch (alice, &to);
  far_subscription_event (seen.watch, json_object ());
  far_right_remove ("r");
  far_subscription_event (seen.watch, json_object ());
  run_pending ();
  ck_assert_uint_eq (to.n, 2);
  ck_assert_uint_eq (heard_at (&to, 1)->status, 403);
  ck_assert_uint_eq (seen.gone, 1);
  heard_clear (&to);
}
END_TEST

/* ---- who may ---- */

START_TEST (unknown_and_forbidden_read_the_same)
{
  g_autoptr (FarPrincipal) alice = person ("alice", "");
  json_t *unseen = NULL, *refused = NULL, *seen_thing = NULL;

  ck_assert_uint_eq (ask_as (alice, "GET", "things/t1", NULL, &unseen), 404);
  ck_assert_uint_eq (ask_as (alice, "GET", "refused", NULL, &refused), 404);
  ck_assert (json_equal (unseen, refused));
  give ("r", "alice", "see", "terminals/t1", NULL);
  ck_assert_uint_eq (ask_as (alice, "PUT", "things/t1", "{\"name\":\"n\"}", &seen_thing), 403);
  ck_assert_str_eq (json_string_value (json_object_get (seen_thing, "message")), "terminals/t1: no right");
  json_decref (unseen);
  json_decref (refused);
  json_decref (seen_thing);
}
END_TEST

START_TEST (who_has_not_logged_in_is_told_so)
{
  g_autoptr (FarPrincipal) nobody = far_principal_new (FAR_PRINCIPAL_NONE, NULL, NULL, "");

  ck_assert_uint_eq (ask_as (nobody, "GET", "things", NULL, NULL), 401);
  /* nothing is learnt before login */
  ck_assert_uint_eq (ask_as (nobody, "GET", "no-such-resource", NULL, NULL), 401);
  ck_assert_uint_eq (ask_as (nobody, "POST", "opens", "{\"name\":\"n\"}", NULL), 200);
}
END_TEST

/* "things/{t}" → "things/x" */
static char *
with_names (const char *pattern)
{
  g_auto (GStrv) parts = g_strsplit (pattern, "/", -1);

  for (guint i = 0; parts[i] != NULL; i++)
    if (parts[i][0] == '{') {
      g_free (parts[i]);
      parts[i] = g_strdup ("x");
    }
  return g_strjoinv ("/", parts);
}

/* Every handler × every sort of principal without rights: only what is open to all, or to nodes about
 * themselves, runs. */
START_TEST (sweep_default_deny)
{
  g_autoptr (FarPrincipal) nobody = far_principal_new (FAR_PRINCIPAL_NONE, NULL, NULL, ""),
                           alice = person ("alice", "");
  g_autoptr (FarPrincipal) bob = far_principal_new (FAR_PRINCIPAL_LOCAL, "bob", NULL, ""),
                           node = far_principal_new (FAR_PRINCIPAL_NODE, "x", NULL, "");
  g_autoptr (FarPrincipal) claim = person ("alice", "");
  FarPrincipal *const all[] = { nobody, alice, bob, node, claim };

  claim->via = g_strdup ("x");
  for (const FarHandler *handler = handlers; handler->method != NULL; handler++)
    for (guint i = 0; i < G_N_ELEMENTS (all); i++) {
      g_autofree char *resource = with_names (handler->pattern);
      gboolean logged_in = all[i] != nobody && all[i] != node;
      gboolean runs = handler->action == FAR_ACTION_ANYONE ||
                      (handler->action == FAR_ACTION_NONE && logged_in) ||
                      (handler->action == FAR_ACTION_NODE && all[i] == node && handler->content == NULL);
      guint status, before = seen.calls;

      if (handler->handle == handle_hold || (handler->handle == handle_watch && runs))
        continue;
      status = ask_as (all[i], handler->method, resource, handler->fields != NULL ? "{\"name\":\"n\"}" : NULL,
                       NULL);
      if (handler->handle == handle_answer)
        ck_assert_msg ((seen.calls > before) == runs, "%s %s as %u ran", handler->method, resource, i);
      if (!runs)
        ck_assert_msg (status == 401 || status == 403 || status == 404 || status == 400, "%s %s as %u: %u",
                       handler->method, resource, i, status);
    }
}
END_TEST

START_TEST (the_list_of_methods)
{
  json_t *list = far_route_list ();

  ck_assert_uint_eq (json_array_size (list), G_N_ELEMENTS (handlers) - 1);
  json_decref (list);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("router");
  TCase *tc = tcase_create ("router");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_set_timeout (tc, 60);
  tcase_add_test (tc, unknown_resources_and_methods);
  tcase_add_test (tc, what_is_refused_is_counted);
  tcase_add_test (tc, parts_and_query_reach_the_handler);
  tcase_add_loop_test (tc, bad_queries_are_refused, 0, 7);
  tcase_add_test (tc, an_object_from_the_body);
  tcase_add_loop_test (tc, bodies_are_checked, 0, G_N_ELEMENTS (bodies));
  tcase_add_test (tc, a_message_made_by_an_interface_is_checked_too);
  tcase_add_test (tc, batches_are_bytes);
  tcase_add_test (tc, a_body_of_several_types);
  tcase_add_loop_test (tc, hops_end, 0, 6);
  tcase_add_loop_test (tc, nodes_on_the_way, 0, 9);
  tcase_add_test (tc, failures_and_large_answers);
  tcase_add_test (tc, the_same_message_is_not_run_again);
  tcase_add_test (tc, refusals_of_a_handler_are_kept_too);
  tcase_add_test (tc, nobody_is_not_one_sender);
  tcase_add_test (tc, kept_answers_are_bounded);
  tcase_add_test (tc, two_wait_for_one_call);
  tcase_add_test (tc, an_answer_that_never_comes);
  tcase_add_test (tc, who_is_gone_hears_nothing);
  tcase_add_test (tc, a_service_that_stops_leaves_nobody_waiting);
  tcase_add_test (tc, events_are_numbered_and_end);
  tcase_add_test (tc, a_watcher_that_goes);
  tcase_add_test (tc, a_watcher_that_went_before_it_began);
  tcase_add_test (tc, a_service_that_stops_ends_its_watches);
  tcase_add_test (tc, a_slow_watcher_gets_a_gap);
  tcase_add_test (tc, a_watcher_loses_the_right);
  tcase_add_test (tc, unknown_and_forbidden_read_the_same);
  tcase_add_test (tc, who_has_not_logged_in_is_told_so);
  tcase_add_test (tc, sweep_default_deny);
  tcase_add_test (tc, the_list_of_methods);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
