/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a right to one device shows of its terminal, and how lists are read by who may see a part of them. */
#include "config.h"

#include "node/api.h"
#include "node/local-name.h"
#include "unit/access-help.h"

#include <string.h>

/* bob may reach one device, alice the whole terminal; each had a session. */
static void
set_up (void)
{
  cloud_up (NULL);
  far_api_start ();
  settle ();
  terminal_enrol ("t1");
  terminal_enrol ("t2");
  terminal_link ("t1", TRUE);
  terminal_link ("t2", TRUE);
  Got got = ask_node ("t1", "PUT", "terminals/t1/devices",
                      json_pack ("{s:[{s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}, {s:s, s:s, s:s, s:s}]}",
                                 "devices", "name", "web", "endpoint", "lan", "address", "192.0.2.9:80",
                                 "name", "m1", "endpoint", "lan", "address", "192.0.2.9:502", "line", "bus",
                                 "name", "m2", "endpoint", "lan", "address", "192.0.2.9:503", "line", "bus"));
  ck_assert_uint_eq (got.status, 200);
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1",
                               json_pack ("{s:s, s:s, s:[s]}", "site", "north", "note", "a secret", "groups",
                                          "pumps"))
                         .status,
                     200);
  grant ("alice", "connect", "terminals/*");
  grant ("bob", "connect", "terminals/t1/devices/web");
}

static void
tear_down (void)
{
  far_api_stop ();
  cloud_down ();
}

static json_t *
list_of (const char *person, const char *resource, const char *key)
{
  settle ();
  Got got = ask_person (person, "GET", resource, NULL);
  ck_assert_msg (got.status == 200, "%s: %u %s", resource, got.status, text_of (got.body, "message"));
  return json_object_get (got.body, key);
}

static void
has_only (json_t *object, const char *const *names)
{
  const char *name;
  json_t *value;
  json_object_foreach (object, name, value)
    ck_assert_msg (json_is_null (value) || g_strv_contains (names, name), "'%s' is shown", name);
}

/* Its name and what it takes to reach the device: nothing of where it stands, what it is for, or from where
 * it comes. */
START_TEST (a_terminal_is_known_by_its_name)
{
  static const char *const names[] = {
    "terminal", "connected", "seen", "devices", "stock", "host_key", NULL
  };
  json_t *list = list_of ("bob", "terminals", "terminals");
  ck_assert_uint_eq (json_array_size (list), 1);
  has_only (json_array_get (list, 0), names);
  ck_assert_str_eq (text_of (json_array_get (list, 0), "terminal"), "t1");
  ck_assert_int_eq (int_of (json_array_get (list, 0), "devices"), 1);
  Got got = ask_person ("bob", "GET", "terminals/t1", NULL);
  ck_assert_uint_eq (got.status, 200);
  has_only (got.body, names);
  ck_assert (json_is_true (json_object_get (got.body, "connected")));
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "devices")), 1);
  ck_assert_str_eq (text_of (json_array_get (json_object_get (got.body, "devices"), 0), "device"), "web");
  got = ask_person ("alice", "GET", "terminals/t1", NULL);
  ck_assert_str_eq (text_of (got.body, "site"), "north");
  ck_assert_str_eq (text_of (got.body, "note"), "a secret");
  ck_assert_str_eq (text_of (got.body, "from"), "192.0.2.50");
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "devices")), 3);
  ck_assert_uint_eq (ask_person ("bob", "GET", "terminals/t2", NULL).status, 404);
}
END_TEST

/* Sessions and history: those to the device, of whomever; not those to the terminal or to another device. */
START_TEST (what_others_did_elsewhere_is_not_seen)
{
  g_autofree char *whole = session_open ("alice", wish_for ("t1", NULL)),
                  *other = session_open ("alice", wish_for ("t1", "m1"));
  g_autofree char *same = session_open ("alice", wish_for ("t1", "web"));
  json_t *list = list_of ("bob", "sessions", "sessions");
  ck_assert_uint_eq (json_array_size (list), 1);
  ck_assert_str_eq (text_of (json_array_get (list, 0), "session"), same);
  const char *const hidden[] = { whole, other };
  for (guint i = 0; i < G_N_ELEMENTS (hidden); i++) {
    g_autofree char *resource = g_strdup_printf ("sessions/%s", hidden[i]),
                    *offer = g_strdup_printf ("sessions/%s/offer", hidden[i]);
    ck_assert_uint_eq (ask_person ("bob", "GET", resource, NULL).status, 404);
    ck_assert_uint_eq (ask_person ("bob", "WATCH", resource, NULL).status, 404);
    ck_assert_uint_eq (ask_person ("bob", "DELETE", resource, NULL).status, 404);
    ck_assert_uint_eq (ask_person ("bob", "POST", offer, NULL).status, 404);
  }
  list = list_of ("bob", "history", "history");
  ck_assert_uint_eq (json_array_size (list), 1);
  ck_assert_str_eq (text_of (json_array_get (list, 0), "session"), same);
  ck_assert_uint_eq (json_array_size (list_of ("alice", "history", "history")), 3);
}
END_TEST

/* Of a line in use one hears that it is, and of whom only where one may see the device it is used for. */
START_TEST (a_line_in_use_tells_no_names)
{
  g_autofree char *first G_GNUC_UNUSED = session_open ("alice", wish_for ("t1", "m1"));
  grant ("bob", "connect", "terminals/t1/devices/m2");
  Got got = ask_person ("bob", "POST", "sessions", wish_for ("t1", "m2"));
  ck_assert_uint_eq (got.status, 409);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "'m2' is in use"));
  ck_assert_ptr_null (strstr (text_of (got.body, "message"), "alice"));
  ck_assert_ptr_null (strstr (text_of (got.body, "message"), "m1"));
}
END_TEST

/* Who may reach a device may have the terminal's keys: without them neither a login in advance nor a host key
 * can be had. */
START_TEST (a_device_right_implies_the_statement)
{
  Got got = ask_person ("bob", "GET", "terminals/t1/statement", NULL);
  ck_assert_msg (got.status == 200, "%u %s", got.status, text_of (got.body, "message"));
  ck_assert_str_eq (text_of (json_object_get (got.body, "statement"), "node"), "t1");
  ck_assert_uint_eq (ask_person ("bob", "GET", "terminals/t2/statement", NULL).status, 404);
  ck_assert_uint_eq (ask_person ("mallory", "GET", "terminals/t1/statement", NULL).status, 404);
}
END_TEST

/* A right to a part of the node's own name is none to the node. */
START_TEST (a_node_is_not_seen_by_a_part)
{
  grant ("bob", "see", "nodes/cloud/tunnels");
  ck_assert_uint_eq (json_array_size (list_of ("bob", "nodes", "nodes")), 0);
}
END_TEST

/* ---- giving rights ---- */

static json_t *
right_body (const char *id, const char *more)
{
  g_autofree char *text = g_strdup_printf (
      "{\"id\":\"%s\",\"who\":\"alice\",\"action\":\"connect\",\"object\":\"terminals/t1\"%s%s}", id,
      more ? "," : "", more ? more : "");
  json_t *body = json_loads (text, 0, NULL);
  ck_assert_ptr_nonnull (body);
  return body;
}

static json_t *
right_kept (const char *id)
{
  json_t *list = json_object_get (ask_root ("GET", "rights", NULL).body, "rights"), *right;
  size_t i;
  json_array_foreach (list, i, right)
    if (g_strcmp0 (text_of (right, "id"), id) == 0)
      return right;
  return NULL;
}

/* The conditions of a right do not go because somebody gives it again. */
START_TEST (a_right_is_replaced_when_asked_for)
{
  Got got =
      ask_root ("POST", "rights",
                right_body ("r",
                            "\"needs\":\"approval\",\"longest\":\"30m\",\"hours\":\"mon-fri 08:00-18:00\""));
  ck_assert_msg (got.status == 201, "%u %s", got.status, text_of (got.body, "message"));
  ck_assert_str_eq (text_of (json_object_get (got.body, "right"), "needs"), "approval");
  ck_assert_ptr_null (json_object_get (got.body, "was"));
  got = ask_root ("POST", "rights", right_body ("r", NULL));
  ck_assert_uint_eq (got.status, 409);
  ck_assert_ptr_nonnull (
      strstr (text_of (got.body, "message"),
              "alice may connect terminals/t1, hours mon-fri 08:00-18:00, longest 30m, needs approval"));
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "--replace"));
  ck_assert_str_eq (text_of (right_kept ("r"), "longest"), "30m");
  got =
      ask_root ("POST", "rights",
                right_body ("r",
                            "\"needs\":\"approval\",\"longest\":\"30m\",\"hours\":\"mon-fri 08:00-18:00\""));
  ck_assert_uint_eq (got.status, 200); /* the same again: nothing is changed */
  got = ask_root ("POST", "rights", right_body ("r", "\"needs\":\"approval\",\"replace\":true"));
  ck_assert_uint_eq (got.status, 201);
  ck_assert_str_eq (text_of (json_object_get (got.body, "was"), "longest"), "30m");
  ck_assert_ptr_null (json_object_get (json_object_get (got.body, "right"), "longest"));
  ck_assert_ptr_null (json_object_get (json_object_get (got.body, "right"), "replace"));
  far_api_stop ();
  cloud_restart ();
  far_api_start ();
  settle ();
  ck_assert_str_eq (text_of (right_kept ("r"), "needs"), "approval");
  ck_assert_ptr_null (text_of (right_kept ("r"), "hours"));
}
END_TEST

/* Two admins who look at the same right and then change it: the second one hears of the first, whether they
 * come one after the other or at once. */
START_TEST (a_right_is_changed_from_what_was_seen)
{
  ck_assert_uint_eq (ask_root ("POST", "rights", right_body ("r", "\"longest\":\"30m\"")).status, 201);
  g_autofree char *seen = g_strdup (text_of (right_kept ("r"), "revision")),
                  *first = g_strdup_printf (
                      "\"longest\":\"30m\",\"needs\":\"approval\",\"replace\":true,\"expect\":\"%s\"", seen);
  g_autofree char *second = g_strdup_printf ("\"longest\":\"10m\",\"replace\":true,\"expect\":\"%s\"", seen),
                  *gone = g_strdup_printf ("rights/r?expect=%s", seen);
  ck_assert_uint_eq (ask_root ("POST", "rights", right_body ("r", first)).status, 201);
  Got got = ask_root ("POST", "rights", right_body ("r", second));
  ck_assert_uint_eq (got.status, 409);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"),
                                 "rights/r was changed by somebody else since you looked, it is now: alice "
                                 "may connect terminals/t1, longest 30m, needs approval"));
  ck_assert_uint_eq (ask_root ("DELETE", gone, NULL).status, 409);
  ck_assert_str_eq (text_of (right_kept ("r"), "needs"), "approval");
  g_autofree char *now = g_strdup_printf ("rights/r?expect=%s", text_of (right_kept ("r"), "revision"));
  got = ask_root ("DELETE", now, NULL);
  ck_assert_uint_eq (got.status, 200);
  ck_assert_str_eq (text_of (json_object_get (got.body, "was"), "needs"), "approval");
  got = ask_root ("POST", "rights", right_body ("r", second));
  ck_assert_uint_eq (got.status, 409);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "not there any more"));
}
END_TEST

typedef struct {
  guint answered, good, conflicts;
  char *message;
} Pair;

static void
pair_answered (FarMessage *answer, gboolean last, gpointer user)
{
  Pair *pair = user;
  json_t *body = answer->body ? far_message_json (answer, NULL) : NULL;
  pair->answered++;
  pair->good += answer->status / 100 == 2;
  pair->conflicts += answer->status == 409;
  if (answer->status == 409 && !pair->message)
    pair->message = g_strdup (text_of (body, "message"));
  json_decref (body);
}

static gboolean
pair_over (gpointer user)
{
  return ((Pair *) user)->answered == 2;
}

static void
pair_ask (Pair *pair, const char *method, const char *resource, json_t *body)
{
  g_autoptr (FarPrincipal) root = far_principal_new (FAR_PRINCIPAL_LOCAL, "root", NULL, NULL);
  g_autoptr (FarMessage) message = far_message_request (method, resource, body);
  root->super = TRUE;
  far_api_submit (root, NULL, message, pair_answered, pair);
}

/* Who says what they have seen is refused also while the other change is on its way to the disk. */
START_TEST (of_two_changes_of_a_right_at_once_one_is_refused)
{
  for (guint i = 0; i < 2; i++) {
    Pair pair = { 0 };
    ask_root ("POST", "rights", right_body ("r", "\"longest\":\"30m\",\"replace\":true"));
    g_autofree char *seen = g_strdup (text_of (right_kept ("r"), "revision")),
                    *gone = g_strdup_printf ("rights/r?expect=%s", seen);
    g_autofree char *other = g_strdup_printf ("\"longest\":\"10m\",\"replace\":true,\"expect\":\"%s\"", seen);
    pair_ask (&pair, "POST", "rights", right_body ("r", "\"longest\":\"20m\",\"replace\":true"));
    pair_ask (&pair, i == 0 ? "POST" : "DELETE", i == 0 ? "rights" : gone,
              i == 0 ? right_body ("r", other) : NULL);
    ck_assert (run_until (pair_over, &pair));
    ck_assert_uint_eq (pair.good, 1);
    ck_assert_uint_eq (pair.conflicts, 1);
    ck_assert_ptr_nonnull (strstr (pair.message, "longest 20m; nothing was changed: look again"));
    ck_assert_str_eq (text_of (right_kept ("r"), "longest"), "20m");
    g_free (pair.message);
  }
}
END_TEST

/* Who replaces a right all the time keeps nobody from taking it back. */
START_TEST (who_says_no_revision_is_not_refused)
{
  for (guint i = 0; i < 2; i++) {
    Pair pair = { 0 };
    ask_root ("POST", "rights", right_body ("r", "\"longest\":\"30m\",\"replace\":true"));
    pair_ask (&pair, "POST", "rights", right_body ("r", "\"longest\":\"20m\",\"replace\":true"));
    pair_ask (&pair, i == 0 ? "POST" : "DELETE", i == 0 ? "rights" : "rights/r",
              i == 0 ? right_body ("r", "\"longest\":\"10m\",\"replace\":true") : NULL);
    ck_assert (run_until (pair_over, &pair));
    ck_assert_msg (pair.good == 2, "%u: %s", i, pair.message);
    ck_assert (i == 0 ? g_strcmp0 (text_of (right_kept ("r"), "longest"), "10m") == 0
                      : right_kept ("r") == NULL);
  }
  far_api_stop ();
  cloud_restart ();
  far_api_start ();
  settle ();
  ck_assert_ptr_null (right_kept ("r"));
}
END_TEST

static void
write_beside (const char *more)
{
  json_t *right = more != NULL ? right_body ("r", more) : NULL;
  char *text = right != NULL ? json_dumps (right, 0) : NULL;
  far_store_put ("main", "rights", "r", text, FAR_EXPECT_ANY, far_request_new (NULL, NULL, 0));
  settle ();
  free (text);
  json_decref (right);
}

/* What another process has written is not written over unseen by who says what they saw, and is in force from
 * then on; who does not say it is told what was. */
START_TEST (a_right_of_another_process_is_taken)
{
  ck_assert_uint_eq (ask_root ("POST", "rights", right_body ("r", NULL)).status, 201);
  g_autofree char *seen = g_strdup_printf ("\"longest\":\"1h\",\"replace\":true,\"expect\":\"%s\"",
                                           text_of (right_kept ("r"), "revision"));
  write_beside ("\"longest\":\"5m\"");
  ck_assert_uint_eq (ask_root ("POST", "rights", right_body ("r", seen)).status, 409);
  ck_assert_str_eq (text_of (right_kept ("r"), "longest"), "5m");
  write_beside ("\"longest\":\"7m\"");
  Got got = ask_root ("POST", "rights", right_body ("r", "\"longest\":\"1h\",\"replace\":true"));
  ck_assert_uint_eq (got.status, 201);
  ck_assert_str_eq (text_of (json_object_get (got.body, "was"), "longest"), "7m");
  g_autofree char *gone = g_strdup_printf ("rights/r?expect=%s", text_of (right_kept ("r"), "revision"));
  write_beside (NULL);
  ck_assert_uint_eq (ask_root ("DELETE", gone, NULL).status, 409);
  ck_assert_ptr_null (right_kept ("r"));
}
END_TEST

/* Also one whose change was told as failed and is in the store all the same. */
START_TEST (a_right_of_another_process_is_taken_back_at_once)
{
  ck_assert_uint_eq (ask_root ("POST", "rights", right_body ("r", NULL)).status, 201);
  write_beside ("\"longest\":\"5m\"");
  Got got = ask_root ("DELETE", "rights/r", NULL);
  ck_assert_msg (got.status == 200, "%u %s", got.status, text_of (got.body, "message"));
  ck_assert_ptr_null (right_kept ("r"));
  far_api_stop ();
  cloud_restart ();
  far_api_start ();
  settle ();
  ck_assert_ptr_null (right_kept ("r"));
}
END_TEST

/* Groups, sites, devices: whoever names the revision they saw changes that and nothing else. */
START_TEST (a_terminal_is_changed_from_what_was_seen)
{
  g_autofree char *seen = g_strdup (text_of (ask_root ("GET", "terminals/t1", NULL).body, "revision"));
  ck_assert_ptr_nonnull (seen);
  Got got = ask_root ("PUT", "terminals/t1",
                      json_pack ("{s:[s, s], s:s}", "groups", "pumps", "day", "expect", seen));
  ck_assert_uint_eq (got.status, 200);
  ck_assert_str_eq (json_string_value (
                        json_array_get (json_object_get (json_object_get (got.body, "was"), "groups"), 0)),
                    "pumps");
  got = ask_root ("PUT", "terminals/t1",
                  json_pack ("{s:[s, s], s:s}", "groups", "pumps", "night", "expect", seen));
  ck_assert_uint_eq (got.status, 409);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "\"day\""));
  g_autofree char *gone = g_strdup_printf ("terminals/t1?expect=%s", seen);
  ck_assert_uint_eq (ask_root ("DELETE", gone, NULL).status, 409);
}
END_TEST

static json_t *
device_shown (const char *name)
{
  json_t *list = json_object_get (ask_root ("GET", "terminals/t1", NULL).body, "devices"), *device;
  size_t i;
  json_array_foreach (list, i, device)
    if (g_strcmp0 (text_of (device, "device"), name) == 0)
      return device;
  return NULL;
}

START_TEST (a_device_is_changed_from_what_was_seen)
{
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/plc",
                               json_pack ("{s:s, s:s}", "note", "a", "expect", "none"))
                         .status,
                     200);
  g_autofree char *seen = g_strdup (text_of (device_shown ("plc"), "revision")),
                  *gone = g_strdup_printf ("terminals/t1/devices/plc?expect=%s", seen);
  Got got = ask_root ("PUT", "terminals/t1/devices/plc",
                      json_pack ("{s:s, s:s}", "note", "b", "expect", seen));
  ck_assert_uint_eq (got.status, 200);
  ck_assert_str_eq (text_of (json_object_get (got.body, "was"), "note"), "a");
  ck_assert_uint_eq (ask_root ("PUT", "terminals/t1/devices/plc",
                               json_pack ("{s:s, s:s}", "address", "192.0.2.1:1", "expect", seen))
                         .status,
                     409);
  ck_assert_uint_eq (ask_root ("DELETE", gone, NULL).status, 409);
  ck_assert_str_eq (text_of (device_shown ("plc"), "note"), "b");
}
END_TEST

/* Also one that this process does not hold: its row was bad, or another's is on its way to the disk. */
START_TEST (a_row_of_the_store_is_not_overwritten)
{
  far_store_put ("main", "rights", "r", "{\"id\":\"r\",\"surprise\":1}", FAR_EXPECT_ANY,
                 far_request_new (NULL, NULL, 0));
  settle ();
  ck_assert_uint_eq (ask_root ("POST", "rights", right_body ("r", NULL)).status, 409);
  ck_assert_ptr_null (right_kept ("r"));
}
END_TEST

static const char *
warned (const char *who, const char *object, const char *more)
{
  static guint n; /* of the test program, which is one process a test */
  g_autofree char *id = g_strdup_printf ("w%u", ++n);
  json_t *body = json_pack ("{s:s, s:s, s:s, s:s, s:s*}", "id", id, "who", who, "action", "connect", "object",
                            object, "until", more);
  Got got = ask_root ("POST", "rights", body);
  ck_assert_msg (got.status == 201, "%u %s", got.status, text_of (got.body, "message"));
  return json_string_value (json_array_get (json_object_get (got.body, "warnings"), 0));
}

START_TEST (a_right_to_nothing_is_refused_or_warned_of)
{
  static const char *const known[] = { "terminals",
                                       "terminals/t1",
                                       "terminals/t*",
                                       "terminals/t1/devices/web",
                                       "terminals/*/devices/m?",
                                       "sites/north",
                                       "sites/nor*/devices/web",
                                       "groups/pumps",
                                       "nodes/cloud",
                                       "*",
                                       "rights",
                                       "node",
                                       "enrollments",
                                       "users/bob" };
  static const char *const unknown[] = { "terminals/t9",
                                         "terminals/x*",
                                         "terminals/t1/devices/wep",
                                         "terminals/t2/devices/web",
                                         "sites/south",
                                         "sites/north/devices/x",
                                         "groups/fans",
                                         "nodes/other" };
  Got got = ask_root ("POST", "rights",
                      json_pack ("{s:s, s:s, s:s}", "who", "alice", "action", "connect", "object",
                                 "terminal/t1"));
  ck_assert_uint_eq (got.status, 400);
  ck_assert_ptr_nonnull (strstr (text_of (got.body, "message"), "'terminal'"));
  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    ck_assert_msg (warned ("alice", known[i], NULL) == NULL, "warned of %s", known[i]);
  for (guint i = 0; i < G_N_ELEMENTS (unknown); i++)
    ck_assert_msg (warned ("alice", unknown[i], NULL) != NULL, "not warned of %s", unknown[i]);
  ck_assert_ptr_nonnull (strstr (warned ("node:t9", "terminals/t1", NULL), "no node t9"));
  ck_assert_ptr_null (warned ("node:t1", "terminals/t1", NULL));
  ck_assert_ptr_nonnull (strstr (warned ("alice", "terminals/t1", "2020-01-01"), "2020-01-01"));
  ck_assert_ptr_null (warned ("alice", "terminals/t1", "2999-01-01"));
}
END_TEST

/* What the profile has, too: doctor looks at all of them. */
START_TEST (doctor_tells_of_strange_rights)
{
  grant ("alice", "connect", "terminals/t9/devices/x");
  json_t *list = json_object_get (ask_root ("GET", "doctor", NULL).body, "findings"), *finding;
  size_t i;
  guint seen = 0;
  json_array_foreach (list, i, finding)
    if (strcmp (text_of (finding, "what"), "rights") == 0) {
      ck_assert_str_eq (text_of (finding, "level"), "warn");
      ck_assert_ptr_nonnull (
          strstr (text_of (finding, "text"),
                  "alice may connect terminals/t9/devices/x: there is no terminals/t9/devices/x now"));
      seen++;
    }
  ck_assert_uint_eq (seen, 1);
}
END_TEST

/* Who may look at the node and not manage rights hears that something is strange, not whose rights there are.
 */
START_TEST (doctor_tells_rights_to_who_manages_them)
{
  grant ("alice", "connect", "terminals/t9/devices/x");
  grant ("bob", "see", "node");
  Got got = ask_person ("bob", "GET", "doctor", NULL);
  ck_assert_uint_eq (got.status, 200);
  g_autofree char *text = json_dumps (got.body, 0);
  ck_assert_ptr_null (strstr (text, "alice"));
  ck_assert_ptr_null (strstr (text, "t9"));
  ck_assert_ptr_nonnull (strstr (text, "who manages rights is told which"));
}
END_TEST

/* ---- users of this machine ---- */

static const struct {
  const char *who, *odd;
} locals[] = {
  { "local:no-such-user-here", "this machine has no user no-such-user-here now" },
  { "local:nobody", "user nobody may not use the control socket: usermod -aG farwatch nobody" },
  { "local:root", NULL },
  { "local:uid-4000000", NULL }, /* a number that has no name */
};

static gboolean
says (json_t *list, const char *text)
{
  json_t *one;
  size_t i;
  json_array_foreach (list, i, one)
    if (g_strcmp0 (json_string_value (one), text) == 0)
      return TRUE;
  return FALSE;
}

/* Told when such a right is given, with the list of rights, and by the doctor. */
START_TEST (local_names_are_looked_up)
{
  const char *odd = locals[_i].odd;
  Got got = ask_root ("POST", "rights",
                      json_pack ("{s:s, s:s, s:s, s:s}", "id", "r", "who", locals[_i].who, "action", "see",
                                 "object", "node"));
  ck_assert_uint_eq (got.status, 201);
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "warnings")), odd ? 1 : 0);
  ck_assert (!odd || says (json_object_get (got.body, "warnings"), odd));
  got = ask_root ("GET", "rights?odd=yes", NULL);
  json_t *rights = json_object_get (got.body, "rights"), *right;
  size_t i;
  guint seen = 0;
  json_array_foreach (rights, i, right)
    if (g_strcmp0 (text_of (right, "id"), "r") == 0) {
      seen++;
      ck_assert_uint_eq (json_array_size (json_object_get (right, "odd")), odd ? 1 : 0);
    }
  ck_assert_uint_eq (seen, 1);
  g_autofree char *question = g_strdup_printf ("explain?who=%s&action=see&object=node", locals[_i].who);
  got = ask_root ("GET", question, NULL);
  ck_assert_str_eq (text_of (got.body, "result"), "allow");
  ck_assert_uint_eq (json_array_size (json_object_get (got.body, "odd")), odd ? 1 : 0);
  ck_assert (!odd || says (json_object_get (got.body, "odd"), odd));
  got = ask_root ("GET", "doctor", NULL);
  g_autofree char *text = json_dumps (got.body, 0),
                  *wanted = odd ? g_strdup_printf ("r: %s may see node: %s", locals[_i].who, odd) : NULL;
  ck_assert_msg (odd ? strstr (text, wanted) != NULL : strstr (text, "r: local:") == NULL, "%s", text);
  got = ask_person ("dave", "GET", "rights?odd=yes", NULL);
  g_autofree char *own = json_dumps (got.body, 0);
  ck_assert_ptr_null (strstr (own, "odd"));
}
END_TEST

START_TEST (a_local_name_is_of_its_number)
{
  g_autofree char *root = far_local_name (0), *none = far_local_name (4000000),
                  *stranger = far_local_name_odd ("daemon", "no-such-group"),
                  *member = far_local_name_odd ("daemon", "daemon");
  ck_assert_str_eq (root, "root");
  ck_assert_str_eq (none, "uid-4000000");
  ck_assert_str_eq (stranger, "user daemon may not use the control socket: usermod -aG no-such-group daemon");
  ck_assert_ptr_null (member);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("access-rights");
  TCase *tc = tcase_create ("access-rights");

  tcase_add_checked_fixture (tc, set_up, tear_down);
  tcase_set_timeout (tc, 60);
  tcase_add_test (tc, a_terminal_is_known_by_its_name);
  tcase_add_test (tc, what_others_did_elsewhere_is_not_seen);
  tcase_add_test (tc, a_line_in_use_tells_no_names);
  tcase_add_test (tc, a_device_right_implies_the_statement);
  tcase_add_test (tc, a_node_is_not_seen_by_a_part);
  tcase_add_test (tc, a_right_is_replaced_when_asked_for);
  tcase_add_test (tc, a_right_is_changed_from_what_was_seen);
  tcase_add_test (tc, of_two_changes_of_a_right_at_once_one_is_refused);
  tcase_add_test (tc, who_says_no_revision_is_not_refused);
  tcase_add_test (tc, a_right_of_another_process_is_taken);
  tcase_add_test (tc, a_right_of_another_process_is_taken_back_at_once);
  tcase_add_test (tc, a_terminal_is_changed_from_what_was_seen);
  tcase_add_test (tc, a_device_is_changed_from_what_was_seen);
  tcase_add_test (tc, a_row_of_the_store_is_not_overwritten);
  tcase_add_test (tc, a_right_to_nothing_is_refused_or_warned_of);
  tcase_add_test (tc, doctor_tells_of_strange_rights);
  tcase_add_test (tc, doctor_tells_rights_to_who_manages_them);
  tcase_add_loop_test (tc, local_names_are_looked_up, 0, G_N_ELEMENTS (locals));
  tcase_add_test (tc, a_local_name_is_of_its_number);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
