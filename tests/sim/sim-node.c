/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The nodes of a simulated fleet: their folders, profiles and keys, and how one begins, ends and begins again
 * on what it has on disk. */
#include "config.h"

#include "sim/sim.h"

#include <glib/gstdio.h>
#include <string.h>

#include <farwatch/trust.h>

#include "life/instance-private.h"
#include "node/whole.h"

#define CLOUD                                                                                                \
  "stores: {main: {type: sqlite, path: main.db}}\n"                                                          \
  "authenticators: {tokens: {type: token, store: main}}\n"                                                   \
  "transports: {link: {type: memory}, tunnel: {type: memory}}\n"                                             \
  "services:\n"                                                                                              \
  "  fleet: {type: fleet, store: main, nodes: link}\n"                                                       \
  "  access: {type: access, store: main, nodes: link, tunnels: [tunnel], tokens: tokens}\n"                  \
  "  intake: {type: intake, store: main}\n"                                                                  \
  "rights: [{id: staff, who: ann, action: connect, object: \"*\"}]\n"
#define TERMINAL                                                                                             \
  "stores: {main: {type: file, path: store}}\n"                                                              \
  "transports: {link: {type: memory}, tunnel: {type: memory}}\n"                                             \
  "endpoints: {lan: {type: tcp}}\n"                                                                          \
  "devices: {plc: {endpoint: lan, address: \"127.0.0.1:9\"}}\n"                                              \
  "sensors: {clock: {type: clock, interval: 60s}}\n"                                                         \
  "services:\n"                                                                                              \
  "  member: {type: member, link: link}\n"                                                                   \
  "  agent: {type: agent, link: link, tunnel: tunnel, login: lan, poll: 300s}\n"                             \
  "  uplink: {type: uplink, link: link, interval: 300s}\n"

SimNode *
sim_node_new (Sim *sim, guint number)
{
  SimNode *node = g_new0 (SimNode, 1);

  node->sim = sim;
  node->number = number;
  node->id = number == 0 ? g_strdup ("cloud") : g_strdup_printf ("t%u", number);
  node->from = g_strdup_printf ("192.0.2.%u", number + 1);
  node->dir = g_build_filename (sim->dir, node->id, NULL);
  node->given = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_assert (g_mkdir_with_parents (node->dir, 0700) == 0);
  return node;
}

void
sim_node_free (gpointer data)
{
  SimNode *node = data;

  g_clear_pointer (&node->wire_timer, far_loop_timer_free);
  g_hash_table_unref (node->given);
  g_free (node->id);
  g_free (node->from);
  g_free (node->dir);
  g_free (node);
}

/* ---- what a terminal measures ---- */

/* What its sensor gave: the cloud must have it once. */
static void
note_reading (const FarReading *reading, gpointer user)
{
  SimNode *node = user;

  for (guint i = 0; i < reading->n; i++)
    if (reading->samples[i].type == FAR_VALUE_I64 && node->sim->closed_us == 0)
      g_hash_table_insert (node->given, g_memdup2 (&reading->samples[i].value.i64, sizeof (gint64)), NULL);
}

/* ---- life ---- */

static FarProfile *
profile_of (SimNode *node)
{
  g_autofree char *path = g_build_filename (node->dir, "profile.yaml", NULL);
  g_autofree char *text = g_strdup_printf ("farwatch: 1\nnode: {id: %s, state: %s}\n%s", node->id, node->dir,
                                           node->number == 0 ? CLOUD : TERMINAL);
  g_autoptr (GPtrArray) faults = far_faults_new ();
  FarProfile *profile;

  g_assert (g_file_set_contents (path, text, -1, NULL));
  profile = far_profile_load (path, NULL, faults);
  if (profile == NULL) {
    g_autofree char *said = far_faults_text (faults);

    g_error ("%s", said);
  }
  return profile;
}

static gboolean
has_started (gpointer data)
{
  SimNode *node = data;
  FarNode *before = far_node_enter (node->node);
  GPtrArray *all = far_instances_all ();
  gboolean started = TRUE;

  for (guint i = 0; i < all->len; i++)
    started = started && ((FarInstance *) all->pdata[i])->state == FAR_STATE_RUNNING;
  far_node_enter (before);
  return started;
}

void
sim_node_start (SimNode *node)
{
  g_autoptr (FarProfile) profile = NULL;
  g_autoptr (GError) error = NULL;
  FarNode *before;

  node->node = far_node_new ();
  before = far_node_enter (node->node);
  profile = profile_of (node);
  if (!far_node_whole_open (profile, NULL, &error))
    g_error ("%s: %s", node->id, error->message);
  far_instances_start (profile);
  sim_plug (node);
  if (node->number > 0)
    far_sample_listen (NULL, note_reading, node);
  far_node_enter (before);
  if (!sim_run (node->sim, has_started, node))
    g_error ("%s does not start", node->id);
}

void
sim_node_stop (SimNode *node)
{
  FarNode *before = far_node_enter (node->node);

  far_node_whole_stop ();
  far_node_enter (before);
  far_node_free (node->node);
  node->node = NULL;
}

/* ---- the cloud is asked ---- */

typedef struct {
  gboolean answered;
  guint status;
  json_t *body;
} SimReply;

static void
reply_noted (FarMessage *answer, gboolean last, gpointer user)
{
  SimReply *reply = user;

  *reply = (SimReply){ TRUE, answer->status, answer->body != NULL ? far_message_json (answer, NULL) : NULL };
}

static gboolean
has_reply (gpointer data)
{
  return ((SimReply *) data)->answered;
}

json_t *
sim_ask (Sim *sim, const char *person, const char *method, const char *resource, json_t *body, guint *status)
{
  gboolean root = person == NULL, nobody = !root && *person == '\0';
  g_autoptr (FarPrincipal) who = far_principal_new (root     ? FAR_PRINCIPAL_LOCAL
                                                    : nobody ? FAR_PRINCIPAL_NONE
                                                             : FAR_PRINCIPAL_PERSON,
                                                    root ? "root" : person, NULL, "198.51.100.7");
  g_autoptr (FarMessage) message = far_message_request (method, resource, body);
  FarNode *before = far_node_enter (sim->cloud->node);
  SimReply reply = { FALSE, 0, NULL };

  who->super = root;
  far_api_submit (who, root ? NULL : nobody ? "link" : "people", message, reply_noted, &reply);
  far_node_enter (before);
  if (!sim_run (sim, has_reply, &reply))
    g_error ("%s %s is not answered", method, resource);
  *status = reply.status;
  return reply.body;
}

static json_t *
ask_good (Sim *sim, const char *person, const char *resource, json_t *body)
{
  guint status;
  json_t *answer = sim_ask (sim, person, "POST", resource, body, &status);

  if (status >= 300)
    g_error ("POST %s: %u %s", resource, status, json_string_value (json_object_get (answer, "message")));
  return answer;
}

static void
write_key (const char *keys, const char *name, const json_t *answer, const char *field)
{
  g_autofree char *path = g_build_filename (keys, name, NULL);

  g_assert (g_file_set_contents (path, json_string_value (json_object_get (answer, field)), -1, NULL));
}

void
sim_node_enrol (SimNode *node)
{
  g_autofree char *keys = g_build_filename (node->dir, "keys", NULL), *csr = NULL, *box = NULL, *ssh = NULL;
  json_t *token, *answer;

  g_assert (g_mkdir_with_parents (keys, 0700) == 0 && far_trust_keys_create (keys, NULL));
  csr = far_trust_csr (keys, node->id, NULL);
  box = far_trust_box_public (keys, NULL);
  ssh = far_trust_ssh_public (keys, NULL);
  token = ask_good (node->sim, NULL, "tokens", json_pack ("{s:s}", "node", node->id));
  answer = ask_good (node->sim, "", "enroll",
                     json_pack ("{s:s, s:O, s:s, s:s, s:s}", "node", node->id, "token",
                                json_object_get (token, "token"), "csr", csr, "box", box, "ssh", ssh));
  write_key (keys, "node.crt", answer, "certificate");
  write_key (keys, "ca.crt", answer, "ca");
  json_decref (token);
  json_decref (answer);
}
