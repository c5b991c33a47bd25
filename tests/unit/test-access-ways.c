/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every way in, by every right: what one may ask with one right alone, as another node, as nobody. A handler
 * without a row here fails the test. */
#include "config.h"

#include "unit/access-help.h"

#include "node/api.h"
#include "node/handlers-node.h"
#include "life/instance-private.h"
#include "profile/loader.h"
#include "life/node.h"
#include "message/router.h"
#include "unit/router-conform.h"

/* Who asks: dave with one right alone. TERMINAL stands for the terminal's name. */
static const struct {
  char letter;
  const char *action, *object;
} rights[] = {
  { 'a', "see", "*" },
  { 'b', "connect", "*" },
  { 'c', "connect-raw", "*" },
  { 'd', "watch", "*" },
  { 'e', "copy", "*" },
  { 'f', "act", "*" },
  { 'g', "approve", "*" },
  { 'h', "manage", "terminals/TERMINAL" },
  { 'i', "manage", "terminals/TERMINAL/devices/web" },
  { 'j', "connect", "terminals/TERMINAL/devices/web" },
  { 'k', "manage", "enrollments" },
  { 'l', "manage", "users/plain" },
  { 'm', "manage", "rights" },
  { 'n', "manage", "node" },
  { 'o', "manage", "groups/pumps" },
  { 'p', "manage", "sites/north" },
  { 'q', "manage", "rights/x" },
  { 'r', "see", "node" },
  { 's', "manage", "terminals/north-1" },
  { 't', "approve", "terminals/TERMINAL" },
  { 'z', "manage", "*" },
};

/* Who asks without a right. */
static const struct {
  char letter;
  FarPrincipalKind kind;
  const char *name;
} others[] = {
  { '0', FAR_PRINCIPAL_NONE, "" },        { '-', FAR_PRINCIPAL_PERSON, "dave" },
  { 'L', FAR_PRINCIPAL_LOCAL, "dave" },   { 'N', FAR_PRINCIPAL_NODE, "TERMINAL" },
  { 'O', FAR_PRINCIPAL_NODE, "north-1" },
};

#define PEOPLE "-L" STAR "hijklmnopqrst"
#define STAR "abcdefgz" /* a right to all there is, of any action */
#define SEES                                                                                                 \
  STAR "h"                                                                                                   \
       "t"              /* the terminal itself */
#define KNOWS SEES "ij" /* that it is there */
#define NOBODY ""

/* opens: who gets through, and nobody else. shows: then it stands in the answer, and in no other one; NULL:
 * then the answer is no refusal. */
typedef struct {
  const char *of, *method, *pattern, *resource, *body, *shows, *opens;
} Way;

static const Way ways[] = {
  /* core */
  { "core", "POST", "login", "login", "{\"name\": \"x\", \"password\": \"y\"}", "for nodes",
    "0N" PEOPLE "O" }, /* asked of authenticators, of which there are none here */
  { "core", "DELETE", "login", "login", NULL, NULL, PEOPLE },
  { "core", "GET", "login", "login", NULL, NULL, PEOPLE },
  { "core", "GET", "methods", "methods", NULL, NULL, PEOPLE },
  { "core", "GET", "users", "users", NULL, "plain", STAR "l" },
  { "core", "PUT", "users/{u}", "users/plain", "{\"groups\": [\"readers\"]}", NULL, "lz" },
  { "core", "PUT", "users/{u}", "users/new", "{\"password\": \"x\"}", NULL, "z" },
  { "core", "DELETE", "users/{u}", "users/plain", NULL, NULL, "lz" },
  { "core", "PUT", "users/{u}/password", "users/plain/password", "{\"password\": \"x\"}", NULL, "lz" },
  { "core", "GET", "rights", "rights", NULL, "secret-right", "mz" },
  { "core", "POST", "rights", "rights",
    "{\"id\": \"own\", \"who\": \"dave\", \"action\": \"manage\", \"object\": \"*\"}", NULL, "mz" },
  { "core", "DELETE", "rights/{r}", "rights/x", NULL, NULL, "mqz" },
  { "core", "GET", "explain", "explain?who=zoe&action=see&object=node", NULL, NULL, "mz" },
  { "core", "GET", "explain", "explain?action=see&object=node", NULL, NULL, PEOPLE },
  { "core", "GET", "doctor", "doctor", NULL, NULL, STAR "nr" },
  { "core", "POST", "backup", "backup", NULL, NULL, "nz" },
  { "core", "POST", "clock", "clock", "{\"advance_us\": 1000}", NULL, "nz" },
  /* there is no sensor here; of one that is there: test-kinds */
  { "core", "GET", "sensors/{s}/acts", "sensors/none/acts", NULL, NULL, NOBODY },
  { "core", "POST", "sensors/{s}/acts/{a}", "sensors/none/acts/say", "{}", NULL, NOBODY },
  { "core", "GET", "status", "status", NULL, NULL, STAR "nr" },
  { "core", "GET", "plugins", "plugins", NULL, NULL, STAR "nr" },
  { "core", "GET", "types/{t}", "types/service-access", NULL, NULL, STAR "nr" },
  { "core", "GET", "config", "config", NULL, NULL, "nz" },
  { "core", "POST", "reload", "reload", NULL, NULL, "nz" },
  /* access */
  { "fleet", "GET", "terminals", "terminals", NULL, "plant-7", KNOWS },
  { "fleet", "GET", "terminals/{t}", "terminals/plant-7", NULL, NULL, KNOWS "N" },
  { "fleet", "GET", "terminals/{t}", "terminals/plant-7", NULL, "192.0.2.50",
    SEES "N" }, /* where it stands */
  { "fleet", "PUT", "terminals/{t}", "terminals/plant-7", "{\"note\": \"mine\"}", NULL, "hz" },
  { "fleet", "PUT", "terminals/{t}", "terminals/new", "{\"note\": \"mine\"}", NULL, "z" },
  { "fleet", "PUT", "terminals/{t}", "terminals/plant-7", "{\"groups\": [\"pumps\"]}", NULL, "z" },
  { "fleet", "DELETE", "terminals/{t}", "terminals/plant-7", NULL, NULL, "hz" },
  { "fleet", "GET", "terminals/{t}/statement", "terminals/plant-7/statement", NULL, NULL, KNOWS "N" },
  { "fleet", "PUT", "terminals/{t}/devices", "terminals/plant-7/devices", "{\"devices\": []}", NULL, "N" },
  { "fleet", "PUT", "terminals/{t}/devices/{d}", "terminals/plant-7/devices/web", "{\"note\": \"mine\"}",
    NULL, "hiz" },
  { "fleet", "DELETE", "terminals/{t}/devices/{d}", "terminals/plant-7/devices/web", NULL, NULL, "hiz" },
  { "access", "GET", "nodes", "nodes", NULL, "z1", STAR },
  { "access", "POST", "sessions", "sessions", "{\"terminal\": \"plant-7\"}", NULL, "b" },
  { "access", "POST", "sessions", "sessions", "{\"terminal\": \"plant-7\", \"device\": \"web\"}", NULL,
    "bj" },
  { "access", "GET", "sessions", "sessions", NULL, "OPEN", SEES },
  { "access", "GET", "sessions/{s}", "sessions/OPEN", NULL, NULL, SEES },
  { "access", "WATCH", "sessions/{s}", "sessions/OPEN", NULL, NULL, SEES },
  { "access", "DELETE", "sessions/{s}", "sessions/OPEN", NULL, NULL, "hz" },
  { "access", "POST", "sessions/{s}/approve", "sessions/WAITING/approve", NULL, NULL, "gt" },
  { "access", "POST", "sessions/{s}/stream", "sessions/OPEN/stream", NULL, NULL, NOBODY },
  { "access", "POST", "sessions/{s}/offer", "sessions/OPEN/offer", NULL, NULL, "hz" },
  { "access", "POST", "sessions/{s}/report", "sessions/OPEN/report", "{\"state\": \"closed\"}", NULL,
    "NO" },                                               /* another's is as unknown: nothing comes of it */
  { "access", "POST", "poll", "poll", "{}", NULL, "NO" }, /* each about itself */
  { "access", "GET", "history", "history", NULL, "OPEN", SEES },
  { "fleet", "POST", "tokens", "tokens", "{}", NULL, "kz" },
  { "fleet", "POST", "tokens", "tokens", "{\"node\": \"plant-7\", \"replace\": true}", NULL, "z" },
  { "fleet", "POST", "enroll", "enroll",
    "{\"node\": \"new\", \"token\": \"x\", \"csr\": \"x\", \"box\": \"x\", \"ssh\": \"x\"}",
    "certificate:", "0N" PEOPLE "O" }, /* judged by its token and key */
  { "fleet", "GET", "enrollments", "enrollments", NULL, NULL, "kz" },
  { "fleet", "POST", "enrollments/{n}", "enrollments/none", "{\"certificate\": \"x\", \"statement\": {}}",
    "enrolment", "kz" },
  { "fleet", "DELETE", "enrollments/{n}", "enrollments/none", NULL, "enrolment", "kz" },
  { "fleet", "POST", "renew", "renew", "{\"csr\": \"x\"}", "certificate:", "0N" PEOPLE "O" }, /* by its key */
  /* intake */
  { "intake", "POST", "batches", "batches", "batch", NULL, "NO" },
  { "intake", "GET", "samples", "samples?source=plant-7", NULL, NULL,
    KNOWS }, /* who has a device: its values (test-device-values) */
  /* agent, at terminal t1: "nodes" are the cloud's there */
  { "agent", "POST", "offers", "offers",
    "{\"session\": \"s\", \"generation\": 1, \"address\": \"h:1\", \"host_key\": \"x\", \"x\": 1, "
    "\"for_us\": 1, \"entry\": \"stream\", "
    "\"login\": \"in-band\", \"person\": \"x\", \"sealed\": \"x\"}",
    "host_key", "NO" },
  { "agent", "POST", "poll-now", "poll-now", NULL, NULL, "NO" },
  { "agent", "POST", "sessions/{s}/close", "sessions/none/close", "{}", NULL, "NO" },
  { "member", "GET", "terminals", "terminals", NULL, "t1", KNOWS },
  { "member", "GET", "terminals/{t}", "terminals/t1", NULL, NULL, KNOWS "N" },
  { "member", "GET", "terminals/{t}/devices", "terminals/t1/devices", NULL, "web", SEES "ijN" },
  { "member", "PUT", "terminals/{t}/devices/{d}", "terminals/t1/devices/new",
    "{\"endpoint\": \"lan\", \"address\": \"127.0.0.1:9\"}", NULL, "hz" },
  { "member", "DELETE", "terminals/{t}/devices/{d}", "terminals/t1/devices/web", NULL, NULL,
    "hiz" }, /* stands in the profile: said */
  { "agent", "GET", "sessions", "sessions", NULL, NULL, PEOPLE },
  { "agent", "GET", "sessions/{s}", "sessions/none", NULL, NULL, NOBODY },
  { "agent", "DELETE", "sessions/{s}", "sessions/none", NULL, NULL, NOBODY },
};

/* ---- a node with something to see ---- */

static struct {
  char *open, *waiting;
} sessions;

static void
cloud_fill (void)
{
  json_t *two = json_pack ("{s:s, s:s, s:s, s:s, s:s}", "id", "two", "who", "carol", "action", "connect",
                           "object", "terminals/*", "needs", "approval");
  ck_assert (far_right_set (two, NULL));
  json_decref (two);
  grant ("alice", "connect", "terminals/*");
  ck_assert_uint_eq (ask_root ("POST", "rights",
                               json_pack ("{s:s, s:s, s:s, s:s}", "id", "secret-right", "who", "zoe",
                                          "action", "see", "object", "terminals/north-1"))
                         .status,
                     201);
  ck_assert_uint_eq (ask_root ("POST", "rights",
                               json_pack ("{s:s, s:s, s:s, s:s}", "id", "x", "who", "zoe", "action", "see",
                                          "object", "terminals/north-1"))
                         .status,
                     201);
  Got got = ask_root ("PUT", "users/plain", json_pack ("{s:s, s:[s]}", "password", "x", "groups", "readers"));
  ck_assert_msg (got.status == 200, "%u %s", got.status, text_of (got.body, "message"));
  terminal_enrol ("plant-7");
  terminal_enrol ("north-1");
  terminal_link ("plant-7", TRUE);
  json_t *devices = json_pack ("{s:[{s:s, s:s, s:s}]}", "devices", "name", "web", "endpoint", "lan",
                               "address", "127.0.0.1:9");
  ck_assert_uint_eq (ask_node ("plant-7", "PUT", "terminals/plant-7/devices", devices).status, 200);
  sessions.open = session_open ("alice", wish_for ("plant-7", NULL));
  sessions.waiting = g_strdup (
      text_of (ask_person ("carol", "POST", "sessions", wish_for ("plant-7", NULL)).body, "session"));
  ck_assert_str_eq (session_state (sessions.waiting), "awaiting approval");
}

static gboolean
is_terminal (const Way *way)
{
  return strcmp (way->of, "agent") == 0 || strcmp (way->of, "member") == 0;
}

static void
node_up (const Way *way)
{
  far_api_start ();
  if (is_terminal (way)) {
    agent_up (NULL);
  } else {
    cloud_up_whole ();
    cloud_fill ();
  }
  far_handlers_node_start (far_node_state_dir ());
}

static void
node_down (void)
{
  far_handlers_node_stop ();
  cloud_down ();
  far_api_stop ();
  g_clear_pointer (&sessions.open, g_free);
  g_clear_pointer (&sessions.waiting, g_free);
}

/* ---- one question ---- */

static char *
filled (const Way *way, const char *text)
{
  g_autoptr (GString) out = g_string_new (text);
  g_string_replace (out, "TERMINAL", is_terminal (way) ? "t1" : "plant-7", 0);
  g_string_replace (out, "OPEN", sessions.open ? sessions.open : "", 0);
  g_string_replace (out, "WAITING", sessions.waiting ? sessions.waiting : "", 0);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

typedef struct {
  guint n, status;
  char *text;
} Heard;

static void
heard (FarMessage *answer, gboolean last, gpointer user)
{
  Heard *to = user;
  if (to->n++ > 0)
    return;
  to->status = answer->status;
  to->text = answer->body ? g_strndup (g_bytes_get_data (answer->body, NULL), g_bytes_get_size (answer->body))
                          : g_strdup ("");
}

static gboolean
is_heard (gpointer to)
{
  return ((Heard *) to)->n > 0;
}

static FarMessage *
question (const Way *way)
{
  gboolean batch = g_strcmp0 (way->body, "batch") == 0;
  g_autofree char *resource = filled (way, way->resource);
  FarMessage *message = far_message_request (way->method, resource,
                                             way->body && !batch ? json_loads (way->body, 0, NULL) : NULL);
  if (batch) {
    message->content_type = g_strdup (FAR_TYPE_BATCH);
    message->body = g_bytes_new_static ("x", 1);
  }
  return message;
}

static gboolean
is_opened (const Way *way, FarPrincipalKind kind, const char *name)
{
  g_autofree char *who = filled (way, name), *shows = way->shows ? filled (way, way->shows) : NULL;
  g_autoptr (FarPrincipal) principal = far_principal_new (kind, who, NULL, "192.0.2.77");
  g_autoptr (FarMessage) message = question (way);
  g_autofree char *text = NULL;
  Heard to = { 0 };
  far_api_submit (principal,
                  kind == FAR_PRINCIPAL_NODE    ? "nodes"
                  : kind == FAR_PRINCIPAL_LOCAL ? NULL
                                                : "people",
                  message, heard, &to);
  ck_assert (run_until (is_heard, &to));
  far_api_gone (&to);
  text = to.text;
  if (g_getenv ("FARWATCH_TEST_LOG"))
    g_printerr ("# %s %s as %s: %u %.160s\n", way->method, way->resource, who, to.status, text);
  return shows ? strstr (text, shows) != NULL : to.status != 401 && to.status != 403 && to.status != 404;
}

static gboolean
is_opened_by (const Way *way, guint right)
{
  g_autofree char *object = filled (way, rights[right].object);
  json_t *json = json_pack ("{s:s, s:s, s:s, s:s}", "id", "one", "who", "dave", "action",
                            rights[right].action, "object", object);
  ck_assert (far_right_set (json, NULL));
  json_decref (json);
  gboolean opened = is_opened (way, FAR_PRINCIPAL_PERSON, "dave");
  far_right_remove ("one");
  return opened;
}

/* What there is, as root sees it. */
static char *
state_of (const Way *way)
{
  static const char *const cloud[] = { "users",    "rights",      "terminals", "terminals/plant-7",
                                       "sessions", "enrollments", NULL };
  static const char *const agent[] = { "terminals/t1", "terminals/t1/devices", "sessions", NULL };
  GString *text = g_string_new (NULL);
  for (const char *const *at = is_terminal (way) ? agent : cloud; *at; at++) {
    Got got = ask_root ("GET", *at, NULL);
    json_t *session;
    size_t i;
    json_array_foreach (json_object_get (got.body, "sessions"), i, session)
      json_object_del (session, "left_us");
    char *body = json_dumps (got.body, JSON_SORT_KEYS);
    ck_assert_uint_eq (got.status, 200);
    g_string_append_printf (text, "%s: %s\n", *at, body);
    free (body);
  }
  return g_string_free (text, FALSE);
}

/* ---- the table ---- */

static char
letter_of (guint who)
{
  return who < G_N_ELEMENTS (others) ? others[who].letter : rights[who - G_N_ELEMENTS (others)].letter;
}

/* Those who must not get through ask first; what somebody may do changes the node, so that each of them finds
 * a new one. */
START_TEST (each_way_opens_to_whom_it_should)
{
  const Way *way = &ways[_i];
  g_autoptr (GString) wrong = g_string_new (NULL);
  /* what is open to all changes nothing */
  gboolean changes = strcmp (way->method, "GET") != 0 && strcmp (way->method, "WATCH") != 0 &&
                     strlen (way->opens) < 10;
  node_up (way);
  g_autofree char *before = state_of (way), *after = NULL;
  for (guint turn = 0; turn < 2; turn++) {
    for (guint who = 0; who < G_N_ELEMENTS (others) + G_N_ELEMENTS (rights); who++) {
      gboolean meant = strchr (way->opens, letter_of (who)) != NULL;
      if (meant != (turn == 1))
        continue;
      gboolean opened = who < G_N_ELEMENTS (others) ? is_opened (way, others[who].kind, others[who].name)
                                                    : is_opened_by (way, who - G_N_ELEMENTS (others));
      if (opened != meant)
        g_string_append_printf (wrong, " %c %s", letter_of (who), opened ? "gets through" : "is refused");
      if (opened && changes) {
        node_down ();
        node_up (way);
      }
    }
    if (turn == 0)
      after = state_of (way);
  }
  node_down ();
  gsize at = 0;
  while (before[at] != '\0' && before[at] == after[at])
    at++;
  ck_assert_msg (before[at] == after[at], "%s %s %s: who was refused has changed …%.200s… to …%.200s…",
                 way->of, way->method, way->resource, before + at - MIN (at, 100),
                 after + at - MIN (at, 100));
  ck_assert_msg (wrong->len == 0, "%s %s %s:%s", way->of, way->method, way->resource, wrong->str);
}
END_TEST

/* ---- nothing is left out ---- */

static void
missing (GString *text, const char *of, const char *method, const char *pattern)
{
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    if (strcmp (ways[i].of, of) == 0 && strcmp (ways[i].method, method) == 0 &&
        strcmp (ways[i].pattern, pattern) == 0)
      return;
  g_string_append_printf (text, "\n  %s: %s %s", of, method, pattern);
}

/* Each table alone, and none of them repeats a row of another. */
static void
core_conforms (GString *wrong)
{
  const FarHandler *const *tables = far_api_tables (), *first;
  for (guint i = 0; tables[i]; i++) {
    handlers_conform ("core", tables[i], wrong);
    for (guint before = 0; before < i; before++)
      if (far_handlers_shared (tables[before], tables[i], &first) > 0)
        g_string_append_printf (wrong, "\n  core: %s %s stands in two tables", first->method, first->pattern);
      else if ((first = far_handlers_shared_verb (tables[before], tables[i])) != NULL)
        g_string_append_printf (wrong, "\n  core: the verb %s stands in two tables", first->verb);
  }
}

/* Core's handlers, and those of each service that is built. */
START_TEST (each_handler_has_a_row)
{
  const FarLoaderRules rules = { 0 };
  g_autoptr (GString) text = g_string_new (NULL), wrong = g_string_new (NULL);
  g_autoptr (GDir) dir = NULL;
  const char *name;
  guint services = 0;
  far_api_start ();
  far_handlers_node_start ("");
  json_t *list = far_route_list (), *line;
  size_t i;
  json_array_foreach (list, i, line)
    missing (text, "core", text_of (line, "method"), text_of (line, "resource"));
  ck_assert_uint_gt (json_array_size (list), 15);
  json_decref (list);
  far_handlers_node_stop ();
  far_api_stop ();
  core_conforms (wrong);
  cloud_up_whole ();
  dir = g_dir_open (cloud_folder (), 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *type_name = g_str_has_prefix (name, "service-") && g_str_has_suffix (name, ".so")
                                     ? g_strndup (name + 8, strlen (name) - 11)
                                     : NULL;
    const FarType *type = type_name ? far_loader_type (FAR_KIND_SERVICE, type_name, &rules, NULL) : NULL;
    ck_assert_msg (!type_name || type, "%s cannot be loaded", name);
    services += type != NULL;
    if (type)
      handlers_conform (type_name, ((const FarServiceType *) type)->handlers, wrong);
    for (const FarHandler *at = type ? ((const FarServiceType *) type)->handlers : NULL; at && at->method;
         at++)
      missing (text, type_name, at->method, at->pattern);
  }
  cloud_down ();
  ck_assert_msg (wrong->len == 0, "tables of handlers:%s", wrong->str);
  ck_assert_uint_gt (services, 3);
  ck_assert_msg (text->len == 0, "who may ask these, and what for? Give each a row:%s", text->str);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  Suite *suite = suite_create ("access-ways");
  TCase *cases = tcase_create ("ways"), *rows = tcase_create ("rows");
  tcase_set_timeout (cases, 120);
  tcase_set_timeout (rows, 120);
  tcase_add_test (rows, each_handler_has_a_row);
  tcase_add_loop_test (cases, each_way_opens_to_whom_it_should, 0, G_N_ELEMENTS (ways));
  suite_add_tcase (suite, rows);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
