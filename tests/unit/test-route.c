/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which handler a request goes to, and what a table of handlers must be. */
#include "config.h"

#include "unit/router-conform.h"

static void
handle (gpointer self, FarCall *call)
{
}

static void
ways_add (const FarHandler *table, gpointer self)
{
  far_handlers_add (table, self, NULL);
}

static const FarHandler *
ways_find (const char *method, const char *path, gpointer *self, GStrv *values, gboolean *known)
{
  json_t *query = NULL;
  g_auto (GStrv) parts = far_route_split (path, &query, NULL);
  const FarRoute *route;

  json_decref (query);
  g_clear_pointer (values, g_strfreev);
  route = far_route_find (method, parts, values, known);
  *self = route != NULL ? route->self : NULL;
  return route != NULL ? route->handler : NULL;
}

START_TEST (the_router_conforms)
{
  static const RouterWays ways = { ways_add, far_handlers_remove, ways_find, far_message_from_verb };

  router_conforms (&ways);
}
END_TEST

START_TEST (a_bad_table_is_told)
{
  static const char *const no_types[] = { NULL };
  static const FarField fields[] = { { "name", FAR_FIELD_NAME, TRUE, "a name" }, { NULL } };
  static const FarHandler good[] = {
    { "GET", "a/{b}", .handle = handle, .summary = "s" },
    { "PUT", "a/{b}", .object = "b/{b}/{body.name}", .fields = fields, .handle = handle, .summary = "s" },
    { NULL },
  };
  static const FarHandler hook[] = { { FAR_UPSTREAM, FAR_UPSTREAM, .handle = handle }, { NULL } };
  static const FarHandler bad[] = {
    { "LOOK", "a", .handle = handle, .summary = "s" },
    { "GET", "a//b", .handle = handle, .summary = "s" },
    { "GET", "b/{c", .handle = handle, .summary = "s" },
    { "GET", "c", .object = "terminals/{t}", .handle = handle, .summary = "s" },
    { "POST", "d", .object = "terminals/{body.none}", .fields = fields, .handle = handle, .summary = "s" },
    { "GET", "e", .summary = "s" },
    { "PUT", "g", .content = no_types, .handle = handle, .summary = "s" },
    { "GET", "f/{x}", .handle = handle, .summary = "s" },
    { "GET", "f/{y}", .handle = handle, .summary = "s" },
    { "GET", "h", .handle = handle, .summary = "s", .verb = "Look" },
    { "GET", "i", .handle = handle, .summary = "s", .verb = "look" },
    { "GET", "j", .handle = handle, .summary = "s", .verb = "look" },
    { FAR_UPSTREAM, "k", .handle = handle },
    { FAR_UPSTREAM, FAR_UPSTREAM, .action = FAR_ACTION_ANYONE, .handle = handle },
    { "GET", "k", .handle = handle, .summary = "s", .verb = "a-verb-of-25-letters-or-so" },
    { NULL },
  };
  g_autoptr (GString) wrong = g_string_new (NULL);

  handlers_conform ("test", good, wrong);
  handlers_conform ("test", hook, wrong);
  ck_assert_str_eq (wrong->str, "");
  handlers_conform ("test", bad, wrong);
  ck_assert_str_eq (wrong->str, "\n  test: LOOK a is no method\n  test: GET a//b is no pattern of a path\n  "
                                "test: GET b/{c is no pattern of a path"
                                "\n  test: GET c has an object with a {…} that neither pattern nor body has"
                                "\n  test: POST d has an object with a {…} that neither pattern nor body has"
                                "\n  test: GET e lacks its handler or its summary\n  test: PUT g takes what "
                                "is no type of a body\n  test: GET f/{y} stands twice"
                                "\n  test: GET h has a verb that is none"
                                "\n  test: GET j has a verb that stands twice"
                                "\n  test: * k is no upstream hook\n  test: * * is no upstream hook"
                                "\n  test: GET k has a verb that is none");
}
END_TEST

/* The names in {…} say nothing; a longer or another pattern is another request. */
START_TEST (the_same_request)
{
  static const FarHandler a[] = {
    { "GET", "terminals/{t}" },
    { "PUT", "terminals/{t}/devices/{d}" },
    { "GET", "{any}" },
    { FAR_UPSTREAM, FAR_UPSTREAM },
    { NULL },
  };
  static const FarHandler b[] = {
    { "GET", "terminals" },
    { "PUT", "terminals/{x}" },
    { "GET", "terminals/x" },
    { "GET", "terminals/{terminal}" },
    { "PUT", "terminals/{t}/devices/{device}" },
    { "PUT", "terminals/{t}/devices" },
    { "GET", "any" },
    { FAR_UPSTREAM, FAR_UPSTREAM },
    { NULL },
  };
  const FarHandler *first = NULL;

  ck_assert_uint_eq (far_handlers_shared (a, b, &first), 3);
  ck_assert_ptr_eq (first, &b[3]);
  ck_assert_uint_eq (far_handlers_shared (b, a, &first), 3);
  ck_assert_ptr_eq (first, &a[0]);
  ck_assert_uint_eq (far_handlers_shared (a, NULL, &first), 0);
  ck_assert_uint_eq (far_handlers_shared (NULL, a, &first), 0);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("route");
  TCase *tc = tcase_create ("route");

  tcase_add_test (tc, the_router_conforms);
  tcase_add_test (tc, a_bad_table_is_told);
  tcase_add_test (tc, the_same_request);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
