/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file starts a cloud server or a terminal's agent inside the test program (access-help.h), asks it
 * as any principal, and waits for answers and for rows to be durable. */
#include "config.h"

#include "unit/access-help.h"

#include "reach/device.h"
#include "life/instance-private.h"
#include "loop/log.h"
#include "node/node-hooks.h"
#include "life/node.h"
#include "life/reload.h"

static struct {
  char *folder, *sections;
  const char *id, *service;
  Got got;
  gboolean waiting;
  guint numbers;
} cloud;

static void
link_plugin (const char *name)
{
  const char *build = g_getenv ("FARWATCH_TEST_BUILDDIR");
  g_autofree char *file = g_strconcat (name, ".so", NULL);
  g_autofree char *real = g_build_filename (build ? build : ".", "plugins", file, NULL),
                  *from = g_canonicalize_filename (real, NULL);
  g_autofree char *to = g_build_filename (cloud.folder, file, NULL);
  ck_assert_msg (g_file_test (from, G_FILE_TEST_EXISTS), "%s is not built", from);
  ck_assert_int_eq (symlink (from, to), 0);
}

static void
barrier_passed (FarRequest *req, gpointer user)
{
  *(gboolean *) user = TRUE;
}

static gboolean
barrier_seen (gpointer passed)
{
  return *(gboolean *) passed;
}

/* The store's writer works in order: when a row written now is durable, everything written before is. What
 * that sets going may write again, a few times in a row. */
void
settle (void)
{
  for (int i = 0; i < 5; i++) {
    gboolean passed = FALSE;
    while (g_main_context_iteration (NULL, FALSE))
      continue;
    if (far_instance_find (FAR_KIND_STORE, "main", NULL)) {
      far_store_put ("main", "barrier", "b", "{}", FAR_EXPECT_ANY,
                     far_request_new (barrier_passed, &passed, 0));
      ck_assert (run_until (barrier_seen, &passed));
    }
  }
  run_pending ();
}

/* The service, and the rest: a file of people may be read later than the service starts. */
static gboolean
service_runs (gpointer name)
{
  GPtrArray *all = far_instances_all ();
  for (guint i = 0; i < all->len; i++)
    if (((const FarInstance *) all->pdata[i])->state == FAR_STATE_STARTING)
      return FALSE;
  return far_instance_find (FAR_KIND_SERVICE, name, NULL) != NULL;
}

static void
profile_write (void)
{
  g_autofree char *state = g_build_filename (cloud.folder, "state", NULL);
  g_autofree char *text = g_strdup_printf ("farwatch: 1\nnode: {id: %s, state: %s}\n%s", cloud.id, state,
                                           cloud.sections);
  write_file (cloud.folder, "node.yaml", text, -1);
}

static void
node_start (void)
{
  g_autofree char *path = g_build_filename (cloud.folder, "node.yaml", NULL);
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GError) error = NULL;
  profile_write ();
  g_autoptr (FarProfile) profile = far_profile_load (path, NULL, faults);
  g_autofree char *said = far_faults_text (faults);
  ck_assert_msg (profile != NULL, "%s", said);
  ck_assert_msg (far_node_open (profile, &error), "%s", error ? error->message : "");
  far_device_profile_set (g_ptr_array_ref (profile->devices));
  far_node_hooks_start ();
  far_instances_start (profile);
  ck_assert_msg (run_until (service_runs, (gpointer) cloud.service), "service '%s' does not run",
                 cloud.service);
}

/* What the node would log, shown on demand. */
static void
keep_quiet (GLogLevelFlags level, const char *path, const char *text, gpointer user)
{
  if (g_getenv ("FARWATCH_TEST_LOG"))
    g_printerr ("# %s: %s\n", path ? path : "-", text);
}

static void
node_prepare (const char *id, const char *service, const char *const *plugins)
{
  far_log_set_sink (keep_quiet, NULL);
  cloud.folder = make_folder ();
  cloud.id = id;
  cloud.service = service;
  g_setenv ("FARWATCH_PLUGIN_DIR", cloud.folder, TRUE);
  for (guint i = 0; plugins[i]; i++)
    link_plugin (plugins[i]);
  link_fixture (cloud.folder, "transport-fake");
}

/* Every service that is built lies there for the loader. */
static void
link_services (void)
{
  const char *build = g_getenv ("FARWATCH_TEST_BUILDDIR"), *name;
  g_autofree char *plugins = g_build_filename (build ? build : ".", "plugins", NULL);
  g_autoptr (GDir) dir = g_dir_open (plugins, 0, NULL);
  while (dir && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *plain = g_str_has_suffix (name, ".so") ? g_strndup (name, strlen (name) - 3) : NULL;
    g_autofree char *there = g_build_filename (cloud.folder, name, NULL);
    if (plain && g_str_has_prefix (name, "service-") && !g_file_test (there, G_FILE_TEST_EXISTS))
      link_plugin (plain);
  }
}

static void
cloud_make (const char *access_options, const char *fleet_options, gboolean people, const char *services)
{
  static const char *const plugins[] = { "service-access",      "service-fleet",      "store-sqlite",
                                         "authenticator-token", "authenticator-file", NULL };
  node_prepare ("cloud", "access", plugins);
  cloud.sections = g_strdup_printf (
      "stores: {main: {type: sqlite, path: main.db}}\n"
      "authenticators: {tokens: {type: token, store: main}%s}\n"
      "transports: {nodes: {type: fake}, z1: {type: fake}}\n"
      "services: {access: {type: access, store: main, nodes: nodes, tunnels: [z1], tokens: tokens%s},\n"
      "  fleet: {type: fleet, store: main, nodes: nodes%s}%s}\n",
      people ? ", people: {type: file, path: people.yaml}, others: {type: file, path: others.yaml}" : "",
      access_options ? access_options : "", fleet_options ? fleet_options : "", services);
  if (*services)
    link_services ();
  g_autofree char *ca = g_build_filename (cloud.folder, "state", "ca", NULL);
  g_mkdir_with_parents (ca, 0700);
  ck_assert (far_trust_ca_create (ca, "testfleet", NULL));
  node_start ();
}

void
cloud_up (const char *access_options)
{
  cloud_make (access_options, NULL, FALSE, "");
}

void
cloud_up_with_fleet (const char *fleet_options)
{
  cloud_make (NULL, fleet_options, FALSE, "");
}

void
cloud_up_with_people (void)
{
  cloud_make (NULL, NULL, TRUE, "");
}

void
cloud_up_whole (void)
{
  cloud_make (NULL, NULL, TRUE, ", intake: {type: intake, store: main}");
}

static char *
agent_sections (const char *agent_options)
{
  return g_strdup_printf ("authenticators: {people: {type: file, path: people.yaml}}\n"
                          "transports: {nodes: {type: fake}, z1: {type: fake}}\n"
                          "endpoints: {lan: {type: shell}, net: {type: tcp}}\n"
                          "devices: {web: {endpoint: lan, address: \"127.0.0.1:9\"}}\n"
                          "services: {member: {type: member, link: nodes}, agent: {type: agent, link: nodes, "
                          "tunnel: z1, login: lan, in-advance: [people]%s}}\n",
                          agent_options ? agent_options : "");
}

void
agent_reload_with (const char *agent_options)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GError) error = NULL;
  g_free (cloud.sections);
  cloud.sections = agent_sections (agent_options);
  profile_write ();
  ck_assert_msg (far_reload (NULL, NULL, faults, &error), "%s", error ? error->message : "");
  run_pending ();
}

void
agent_up (const char *agent_options)
{
  static const char *const plugins[] = { "service-agent",  "service-member", "authenticator-file",
                                         "endpoint-shell", "endpoint-tcp",   NULL };
  node_prepare ("t1", "agent", plugins);
  cloud.sections = agent_sections (agent_options);
  g_autofree char *keys = g_build_filename (cloud.folder, "state", "keys", NULL);
  g_mkdir_with_parents (keys, 0700);
  ck_assert (far_trust_keys_create (keys, NULL));
  node_start ();
}

static void
node_stop (void)
{
  settle ();
  far_instances_stop ();
  run_pending ();
  far_device_profile_set (NULL);
  far_node_close ();
}

void
cloud_restart (void)
{
  node_stop ();
  node_start ();
}

void
cloud_reload (const char *from, const char *to)
{
  g_auto (GStrv) parts = g_strsplit (cloud.sections, from, 2);
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (GError) error = NULL;
  ck_assert_uint_eq (g_strv_length (parts), 2);
  g_free (cloud.sections);
  cloud.sections = g_strjoinv (to, parts);
  profile_write ();
  ck_assert_msg (far_reload (NULL, NULL, faults, &error), "%s", error ? error->message : "");
  ck_assert (run_until (service_runs, (gpointer) cloud.service));
}

void
cloud_down (void)
{
  node_stop ();
  remove_folder (cloud.folder);
  json_decref (cloud.got.body);
  cloud.got = (Got){ 0 };
  g_clear_pointer (&cloud.folder, g_free);
  g_clear_pointer (&cloud.sections, g_free);
}

Fake *
cloud_fake (const char *name)
{
  FarInstance *at = far_instance_find (FAR_KIND_TRANSPORT, name, NULL);
  ck_assert_ptr_nonnull (at);
  return far_instance_self (at);
}

Fake *
cloud_nodes (void)
{
  return cloud_fake ("nodes");
}
Fake *
cloud_tunnels (void)
{
  return cloud_fake ("z1");
}
const char *
cloud_folder (void)
{
  return cloud.folder;
}

/* ---- requests ---- */

static void
answered (FarMessage *answer, gboolean last, gpointer user)
{
  json_decref (cloud.got.body);
  cloud.got = (Got){ answer->status, answer->body ? far_message_json (answer, NULL) : NULL };
  cloud.waiting = FALSE;
}

static gboolean
was_answered (gpointer data)
{
  return !cloud.waiting;
}

static Got
ask_message (FarPrincipal *who, FarMessage *message)
{
  FarPrincipalKind kind = who->kind;
  cloud.waiting = TRUE;
  far_api_submit (who,
                  kind == FAR_PRINCIPAL_NODE    ? "nodes"
                  : kind == FAR_PRINCIPAL_LOCAL ? NULL
                                                : "people",
                  message, answered, NULL);
  ck_assert_msg (run_until (was_answered, NULL), "%s %s was not answered", message->method,
                 message->resource);
  return cloud.got;
}

static Got
ask_principal (FarPrincipal *who, const char *method, const char *resource, json_t *body)
{
  g_autoptr (FarMessage) message = far_message_request (method, resource, body);
  return ask_message (who, message);
}

Got
ask_as (FarPrincipalKind kind, const char *name, const char *from, const char *method, const char *resource,
        json_t *body)
{
  g_autoptr (FarPrincipal) who = far_principal_new (kind, name, NULL, from);
  who->super = kind == FAR_PRINCIPAL_LOCAL && strcmp (name, "root") == 0;
  return ask_principal (who, method, resource, body);
}

Got
ask_member (const char *name, const char *group, const char *method, const char *resource, json_t *body)
{
  const char *const groups[] = { group, NULL };
  g_autoptr (FarPrincipal) who = far_principal_new (FAR_PRINCIPAL_PERSON, name, groups, "192.0.2.77");
  return ask_principal (who, method, resource, body);
}

Got
ask_root (const char *method, const char *resource, json_t *body)
{
  return ask_as (FAR_PRINCIPAL_LOCAL, "root", "", method, resource, body);
}
Got
ask_person (const char *name, const char *method, const char *resource, json_t *body)
{
  return ask_as (FAR_PRINCIPAL_PERSON, name, "192.0.2.77", method, resource, body);
}
Got
ask_node (const char *name, const char *method, const char *resource, json_t *body)
{
  return ask_as (FAR_PRINCIPAL_NODE, name, "192.0.2.50", method, resource, body);
}
Got
ask_node_with (const char *name, const char *header, const char *value, const char *method,
               const char *resource, json_t *body)
{
  g_autoptr (FarPrincipal) who = far_principal_new (FAR_PRINCIPAL_NODE, name, NULL, "192.0.2.50");
  g_autoptr (FarMessage) message = far_message_request (method, resource, body);
  far_message_set_header (message, header, value);
  return ask_message (who, message);
}

const char *
text_of (const json_t *json, const char *key)
{
  return json_string_value (json_object_get (json, key));
}
gint64
int_of (const json_t *json, const char *key)
{
  return json_integer_value (json_object_get (json, key));
}

void
grant (const char *who, const char *action, const char *object)
{
  g_autofree char *id = g_strdup_printf ("g%u", ++cloud.numbers);
  g_autoptr (GError) error = NULL;
  json_t *right = json_pack ("{s:s, s:s, s:s, s:s}", "id", id, "who", who, "action", action, "object",
                             object);
  ck_assert_msg (far_right_set (right, &error), "%s", error ? error->message : "");
  json_decref (right);
}

/* ---- terminals ---- */

char *
terminal_keys (const char *name)
{
  return g_build_filename (cloud.folder, name, "keys", NULL);
}

char *
new_keys (const char *name)
{
  char *keys = terminal_keys (name);
  g_mkdir_with_parents (keys, 0700);
  ck_assert (far_trust_keys_create (keys, NULL));
  return keys;
}

char *
new_token (const char *node)
{
  Got got = ask_root ("POST", "tokens", json_pack ("{s:s*}", "node", node));
  ck_assert_uint_eq (got.status, 201);
  return g_strdup (text_of (got.body, "token"));
}

char *
replace_token (const char *node)
{
  Got got = ask_root ("POST", "tokens", json_pack ("{s:s, s:b}", "node", node, "replace", TRUE));
  ck_assert_uint_eq (got.status, 201);
  return g_strdup (text_of (got.body, "token"));
}

json_t *
enrol_body (const char *token, const char *keys, const char *name)
{
  g_autofree char *csr = far_trust_csr (keys, name, NULL), *box = far_trust_box_public (keys, NULL),
                  *ssh = far_trust_ssh_public (keys, NULL);
  return json_pack ("{s:s, s:s, s:s, s:s, s:s}", "node", name, "token", token, "csr", csr, "box", box, "ssh",
                    ssh);
}

Got
enrol (const char *token, const char *keys, const char *name)
{
  return ask_as (FAR_PRINCIPAL_NONE, "", "192.0.2.50", "POST", "enroll", enrol_body (token, keys, name));
}

void
terminal_enrol (const char *name)
{
  g_autofree char *keys = new_keys (name), *token = new_token (name);
  Got got = enrol (token, keys, name);
  ck_assert_uint_eq (got.status, 200);
  ck_assert_ptr_nonnull (text_of (got.body, "certificate"));
}

void
terminal_link (const char *name, gboolean up)
{
  Fake *nodes = cloud_nodes ();
  if (up)
    g_hash_table_add (nodes->peers, g_strdup (name));
  else
    g_hash_table_remove (nodes->peers, name);
  far_peer_changed (nodes->at, name, up, "192.0.2.50");
  settle ();
}

json_t *
terminal_credential (const char *name, json_t *offer)
{
  g_autofree char *keys = terminal_keys (name);
  g_autoptr (GError) error = NULL;
  json_t *plain = far_seal_open (keys, text_of (offer, "sealed"), &error);
  ck_assert_msg (plain != NULL, "%s", error ? error->message : "");
  return plain;
}

/* ---- what was sent ---- */

FakeSent *
last_sent (const char *prefix)
{
  GPtrArray *sent = cloud_nodes ()->sent;
  for (guint i = sent->len; i > 0; i--) {
    FakeSent *one = sent->pdata[i - 1];
    if (g_str_has_prefix (one->resource, prefix))
      return one;
  }
  return NULL;
}

static void
message_free (gpointer message)
{
  far_message_unref (message);
}

void
answer_sent (FakeSent *sent, guint status, json_t *body)
{
  ck_assert (!sent->answered);
  sent->answered = TRUE;
  far_request_done (sent->req, far_message_answer (sent->message, status, body), message_free);
  settle ();
}

FakeTunnel *
tunnel_of (const char *session)
{
  GPtrArray *tunnels = cloud_tunnels ()->tunnels;
  for (guint i = tunnels->len; i > 0; i--)
    if (strcmp (((FakeTunnel *) tunnels->pdata[i - 1])->session, session) == 0)
      return tunnels->pdata[i - 1];
  return NULL;
}

void
tunnel_tell (FakeTunnel *tunnel, FarCarrierEventKind kind, const char *cause)
{
  ck_assert (!tunnel->ended);
  tunnel->ended = kind == FAR_CARRIER_ENDED;
  FarCarrierEvent event = { .kind = kind,
                            .session = tunnel->session,
                            .cause = cause,
                            .from = "192.0.2.77",
                            .bytes_up = 100,
                            .bytes_down = 2000 };
  if (kind == FAR_CARRIER_UP)
    event.deadline_boot_us = far_clock_boottime_us () + tunnel->length_us;
  far_carrier_tell (tunnel->carrier, &event);
  settle ();
}

/* ---- sessions ---- */

json_t *
wish_for (const char *terminal, const char *device)
{
  return json_pack ("{s:s, s:s?, s:I, s:s}", "terminal", terminal, "device", device, "for_us",
                    (json_int_t) (600 * SECOND), "reason", "test");
}

char *
session_ask (const char *person, json_t *wish)
{
  Got got = ask_person (person, "POST", "sessions", wish);
  ck_assert_msg (got.status == 201, "%u %s", got.status, text_of (got.body, "message"));
  char *id = g_strdup (text_of (got.body, "session"));
  settle ();
  return id;
}

char *
session_open (const char *person, json_t *wish)
{
  char *id = session_ask (person, wish);
  FakeSent *push = last_sent ("offers");
  ck_assert_ptr_nonnull (push);
  ck_assert_str_eq (text_of (push->body, "session"), id);
  answer_sent (push, 202, json_object ());
  ck_assert_str_eq (session_state (id), "opening");
  tunnel_tell (tunnel_of (id), FAR_CARRIER_UP, NULL);
  ck_assert_str_eq (session_state (id), "open");
  return id;
}

json_t *
session_body (const char *id)
{
  g_autofree char *resource = g_strdup_printf ("sessions/%s", id);
  Got got = ask_root ("GET", resource, NULL);
  return got.status == 200 ? got.body : NULL;
}

const char *
session_state (const char *id)
{
  json_t *body = session_body (id);
  return body ? text_of (body, "state") : "gone";
}

json_t *
history_of (const char *session)
{
  g_autofree char *resource = g_strdup_printf ("history?session=%s", session);
  settle ();
  Got got = ask_root ("GET", resource, NULL);
  return json_array_get (json_object_get (got.body, "history"), 0);
}
