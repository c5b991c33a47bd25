/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A resource that stands for another object: who may is asked of that one, before its handler runs. */
#include "config.h"

#include "unit/door-help.h"

static guint runs, resolves;
static gboolean is_gone;

static void
find (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found)
{
  resolves++;
  found->unknown = g_strdup_printf ("no visit %s", parts[0]);
  if (is_gone || strcmp (parts[0], "v1") != 0)
    return;
  found->object = g_strdup ("terminals/t1");
  found->own = g_strcmp0 (principal->name, "olga") == 0;
  found->refused = g_strdup ("this visit is not yours");
}

static void
find_hidden (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found)
{
  found->object = g_strdup ("terminals/t1");
  found->unknown = g_strdup ("nothing here");
}

static void
handle (gpointer self, FarCall *call)
{
  runs++;
  far_call_answer (call, 200, json_pack ("{s:s}", "object", call->object));
}

static void
handle_last (gpointer self, FarCall *call)
{
  is_gone = TRUE;
  handle (self, call);
}

static const FarHandler handlers[] = {
  { "GET", "visits/{v}", FAR_ACTION_SEE, NULL, NULL, 0, handle, "one", find },
  { "PUT", "visits/{v}", FAR_ACTION_MANAGE, NULL, NULL, 0, handle, "change one", find },
  { "DELETE", "visits/{v}", FAR_ACTION_MANAGE, NULL, NULL, 0, handle_last, "end one", find },
  { "GET", "hidden/{v}", FAR_ACTION_MANAGE, NULL, NULL, 0, handle, "one", find_hidden },
  { NULL },
};

static void
setup (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  far_handlers_add (handlers, NULL, NULL);
  give ("m", "mona", "manage", "terminals/t1", NULL);
  give ("s", "sven", "see", "terminals/t1", NULL);
  give ("o", "otto", "manage", "terminals/t2", NULL);
}

static void
teardown (void)
{
  far_handlers_remove (handlers, NULL);
  run_pending ();
  ck_assert_uint_eq (far_call_count (), 0);
  far_dedup_clear ();
  far_right_clear ();
}

typedef struct {
  const char *who, *method, *resource;
  guint status;
  const char *says;
} Row;

static const Row rows[] = {
  { "mona", "GET", "visits/v1", 200, NULL },
  { "sven", "GET", "visits/v1", 200, NULL },
  { "olga", "GET", "visits/v1", 200, NULL }, /* her own, without a right */
  { "otto", "GET", "visits/v1", 404, "no visit v1" },
  { "mona", "GET", "visits/v2", 404, "no visit v2" },
  { "mona", "PUT", "visits/v1", 200, NULL },
  { "olga", "PUT", "visits/v1", 200, NULL },
  { "sven", "PUT", "visits/v1", 403, "this visit is not yours" },
  { "otto", "PUT", "visits/v1", 404, "no visit v1" },
  { "mona", "GET", "hidden/v1", 200, NULL },
  { "sven", "GET", "hidden/v1", 404, "nothing here" }, /* no word for who may see it only */
};

START_TEST (who_may_is_asked_of_what_it_stands_for)
{
  const Row *row = &rows[_i];
  g_autoptr (FarPrincipal) who = person (row->who, "");
  json_t *body = NULL;
  guint status = ask_as (who, row->method, row->resource, NULL, &body);

  ck_assert_msg (status == row->status, "%s %s %s: %u", row->who, row->method, row->resource, status);
  ck_assert_uint_eq (runs, status == 200 ? 1 : 0);
  ck_assert_str_eq (json_string_value (json_object_get (body, status == 200 ? "object" : "message")),
                    status == 200 ? "terminals/t1" : row->says);
  json_decref (body);
}
END_TEST

/* Nodes act about themselves, and nobody learns anything before a login: it is not even looked for. */
START_TEST (others_get_no_further_than_the_interface)
{
  g_autoptr (FarPrincipal) node = far_principal_new (FAR_PRINCIPAL_NODE, "t1", NULL, ""),
                           nobody = far_principal_new (FAR_PRINCIPAL_NONE, "", NULL, "");

  ck_assert_uint_eq (ask_as (node, "GET", "visits/v1", NULL, NULL), 404);
  ck_assert_uint_eq (ask_as (nobody, "GET", "visits/v1", NULL, NULL), 401);
  ck_assert_uint_eq (resolves + runs, 0);
}
END_TEST

static guint
sent_again (FarPrincipal *who, FarMessage *request)
{
  Heard to = { 0 };
  guint status;

  far_api_submit (who, NULL, request, heard, &to);
  ck_assert (run_until (is_last, &to));
  status = heard_at (&to, 0)->status;
  heard_clear (&to);
  return status;
}

START_TEST (what_ended_it_is_answered_again)
{
  g_autoptr (FarPrincipal) mona = person ("mona", "");
  g_autoptr (FarMessage) request = far_message_request ("DELETE", "visits/v1", NULL);

  ck_assert_uint_eq (sent_again (mona, request), 200);
  ck_assert_uint_eq (sent_again (mona, request), 200); /* there is none now; what was answered is kept */
  ck_assert_uint_eq (runs, 1);
  ck_assert_uint_eq (ask_as (mona, "DELETE", "visits/v1", NULL, NULL), 404);
}
END_TEST

/* A right is for what it stands for, not for "visits". */
START_TEST (it_brings_no_family_of_rights)
{
  g_autoptr (GError) error = NULL;
  json_t *right = json_pack ("{s:s, s:s, s:s}", "who", "mona", "action", "see", "object", "visits/v1");

  far_right_family_learn (handlers);
  ck_assert (!far_right_family_ok (right, &error));
  json_decref (right);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("resolve");
  TCase *tc = tcase_create ("resolve");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_loop_test (tc, who_may_is_asked_of_what_it_stands_for, 0, G_N_ELEMENTS (rows));
  tcase_add_test (tc, others_get_no_further_than_the_interface);
  tcase_add_test (tc, what_ended_it_is_answered_again);
  tcase_add_test (tc, it_brings_no_family_of_rights);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
