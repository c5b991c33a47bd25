/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal is the authority for its devices: those of its profile, and those added here at run time (kept
 * in STATE/devices.json). The cloud gets the list at link-up and after each change. */
#include "config.h"

#include "agent.h"

#include <string.h>

#define TELL_TIMEOUT_MS 15000
#define ADDED_MAX 200
#define CHANGES_MAX 64 /* that wait */

static json_t *
device_json (const FarDevice *device)
{
  json_t *applications = json_array ();
  for (guint i = 0; device->applications && device->applications[i]; i++)
    json_array_append_new (applications, json_string (device->applications[i]));
  return json_pack ("{s:s, s:s, s:s?, s:s?, s:i, s:b, s:o}", "name", device->name, "endpoint",
                    device->endpoint, "address", device->address, "line", device->line, "weight",
                    device->weight, "inspect", device->inspect_required, "applications", applications);
}

static gboolean
device_seen (const FarDevice *device, const FarPrincipal *principal)
{
  g_autofree char *object = g_strdup_printf ("terminals/%s/devices/%s", far_node_id (), device->name);
  return far_authorize_see (principal, object);
}

/* All, for the cloud. */
static json_t *
devices_json (void)
{
  g_autoptr (GPtrArray) devices = far_device_list ();
  json_t *list = json_array ();
  for (guint i = 0; i < devices->len; i++)
    json_array_append_new (list, device_json (devices->pdata[i]));
  return list;
}

/* ---- to the cloud ---- */

static void
devices_told (FarRequest *req, gpointer user)
{
  Agent *self = user;
  g_autoptr (GError) error = far_request_error (req) ? g_error_copy (far_request_error (req)) : NULL;
  if (!error)
    far_message_check (far_request_result (req), &error);
  if (error) {
    far_log_limited (self->at, "devices", "the list of devices did not reach the cloud: %s", error->message);
    self->devices_again = TRUE;
    agent_poll_soon (self, 2 * G_USEC_PER_SEC);
  }
}

void
agent_devices_tell (Agent *self)
{
  const char *link = agent_opts (self)->link;
  self->devices_again = !far_peer_connected (link, "");
  if (self->devices_again)
    return;
  g_autofree char *resource = g_strdup_printf ("terminals/%s/devices", far_node_id ());
  g_autoptr (FarMessage)
      message = far_message_request ("PUT", resource, json_pack ("{s:o}", "devices", devices_json ()));
  far_peer_send (link, "", message, far_request_of (self->at, devices_told, self, NULL, TELL_TIMEOUT_MS));
}

/* ---- on disk ---- */

static char *
devices_path (void)
{
  return far_node_path ("devices.json");
}

static gboolean
device_add (const char *name, json_t *json, GError **error)
{
  g_autoptr (FarDevice) device = far_device_parse (name, json, TRUE, error);
  FarInstance *at = device ? far_instance_find (FAR_KIND_ENDPOINT, device->endpoint, error) : NULL;
  return at && far_device_address_ok (device, far_instance_type (at), error) &&
         far_device_add (device, error);
}

gboolean
agent_devices_load (Agent *self, GError **error)
{
  g_autofree char *path = devices_path ();
  json_error_t where;
  self->added = json_object ();
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  json_t *added = json_load_file (path, JSON_REJECT_DUPLICATES, &where), *json;
  if (!json_is_object (added)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("%s:%d: %s; repair it or move it away"), path,
                 where.line, where.text);
    json_decref (added);
    return FALSE;
  }
  const char *name;
  json_object_foreach (added, name, json) {
    g_autoptr (GError) fault = NULL;
    if (!device_add (name, json, &fault) && !g_error_matches (fault, FAR_ERROR, FAR_ERROR_CONFLICT))
      far_log (self->at, G_LOG_LEVEL_WARNING, "device left out: %s", fault->message);
  }
  json_decref (self->added);
  self->added = added;
  return TRUE;
}

/* A change whose turn comes when those before it are durable or undone: what stood there before it is known
 * then, and what the file holds. */
typedef struct {
  void (*func) (Agent *self, FarCall *call);
  FarCall *call;
} AddedTurn;

/* A turn that has nothing to write is over at once. */
static void
added_turns (Agent *self)
{
  while (!self->changing && !g_queue_is_empty (&self->changes)) {
    g_autofree AddedTurn *turn = g_queue_pop_head (&self->changes);
    turn->func (self, turn->call);
  }
}

static void
added_turn (Agent *self, void (*func) (Agent *self, FarCall *call), FarCall *call)
{
  if (g_queue_get_length (&self->changes) >= CHANGES_MAX) {
    far_call_fail_new (call, FAR_ERROR_LIMIT, _ ("%d changes of devices wait already: try again"),
                       CHANGES_MAX);
    return;
  }
  AddedTurn *turn = g_new (AddedTurn, 1);
  *turn = (AddedTurn){ func, call };
  g_queue_push_tail (&self->changes, turn);
  added_turns (self);
}

void
agent_devices_forget (Agent *self)
{
  g_queue_clear_full (&self->changes, g_free);
}

/* One change, until it is durable. `before`: what stood there, NULL: nothing. */
typedef struct {
  Agent *self;
  FarCall *call;
  char *name;
  json_t *before;
} AddedChange;

static void
added_change_free (gpointer data)
{
  AddedChange *change = data;
  g_free (change->name);
  json_decref (change->before);
  g_free (change);
}

static void
added_set (Agent *self, const char *name, json_t *device)
{
  if (device)
    json_object_set (self->added, name, device);
  else
    json_object_del (self->added, name);
}

static void
added_undo (Agent *self, const AddedChange *change)
{
  added_set (self, change->name, change->before);
  far_device_remove (change->name);
  if (change->before)
    device_add (change->name, change->before, NULL);
}

static json_t *
device_answer (const FarDevice *device, json_t *before)
{
  json_t *body = device_json (device);
  if (before)
    json_object_set (body, "was", before);
  return body;
}

static void
added_answer (Agent *self, AddedChange *change, const GError *error)
{
  const FarDevice *device = far_device_find (change->name);
  if (error)
    added_undo (self, change);
  agent_devices_tell (self);
  if (error)
    far_call_fail (change->call, g_error_copy (error));
  else if (device)
    far_call_answer (change->call, 200, device_answer (device, change->before));
  else
    far_call_answer (change->call, 204, NULL);
}

static void
added_written (FarRequest *req, gpointer user)
{
  AddedChange *change = user;
  Agent *self = change->self;
  self->changing = FALSE;
  added_answer (self, change, far_request_error (req));
  added_change_free (change);
  added_turns (self);
}

/* The whole list each time, in the order of the changes. Takes before. */
static void
added_write (Agent *self, FarCall *call, json_t *before)
{
  g_autofree char *path = devices_path ();
  char *text = json_dumps (self->added, JSON_INDENT (1) | JSON_SORT_KEYS);
  AddedChange *change = g_new0 (AddedChange, 1);
  *change = (AddedChange){ self, call, g_strdup (call->parts[1]), before };
  self->changing = TRUE;
  far_write_file (path, text, 0600, far_request_of (self->at, added_written, change, added_change_free, 0));
  free (text);
}

/* ---- this node's own people ---- */

/* A right at a terminal is about the terminal itself. */
FarKnows
agent_knows (gpointer self, char **parts)
{
  if (strcmp (parts[0], "terminals") != 0)
    return FAR_KNOWS_NOT_MINE;
  if (!g_pattern_match_simple (parts[1], far_node_id ()))
    return FAR_KNOWS_NONE;
  g_autoptr (GPtrArray) devices = far_device_list ();
  for (guint i = 0; parts[2] && parts[3] && i < devices->len; i++)
    if (g_pattern_match_simple (parts[3], ((const FarDevice *) devices->pdata[i])->name))
      return FAR_KNOWS_IT;
  return parts[2] && parts[3] ? FAR_KNOWS_NONE : FAR_KNOWS_IT;
}

static gboolean
own_node (FarCall *call)
{
  gboolean own = strcmp (call->parts[0], far_node_id ()) == 0;
  if (!own)
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("this is terminal '%s', not '%s'"), far_node_id (),
                       call->parts[0]);
  return own;
}

static int
agent_devices_by_name (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(FarDevice *const *) a)->name, (*(FarDevice *const *) b)->name);
}

/* With its revision; new reference. */
static json_t *
device_show (const FarDevice *device)
{
  json_t *row = device_json (device);
  g_autofree char *revision = far_revision (row);
  json_object_set_new (row, "revision", json_string (revision));
  return row;
}

/* A person who changes one that they have seen. In its turn, so that nothing comes in between. */
static gboolean
agent_device_is_seen (FarCall *call)
{
  const FarDevice *device = far_device_find (call->parts[1]);
  json_t *row = device ? device_json (device) : NULL;
  g_autofree char *place = g_strdup_printf ("terminals/%s/devices/%s", call->parts[0], call->parts[1]);
  GError *error = NULL;
  gboolean good = far_expect_ok (call, place, row, NULL, &error);
  json_decref (row);
  if (!good)
    far_call_fail (call, error);
  return good;
}

void
agent_devices_get (gpointer self, FarCall *call)
{
  g_autoptr (GPtrArray) devices = far_device_list ();
  FarPage page;
  if (!own_node (call))
    return;
  g_ptr_array_sort (devices, agent_devices_by_name);
  far_page_begin (&page, call, G_MAXUINT16, 0);
  for (guint i = 0; i < devices->len && !page.next; i++) {
    const FarDevice *device = devices->pdata[i];
    if (device_seen (device, call->principal) && far_page_wants (&page, device->name))
      far_page_take (&page, device->name, device_show (device));
  }
  far_call_answer (call, 200, json_pack ("{s:o, s:s?}", "devices", page.list, "next", page.next));
}

static void
agent_devices_put_one (Agent *self, FarCall *call)
{
  GError *error = NULL;
  const char *name = call->parts[1];
  if (!agent_device_is_seen (call))
    return;
  json_object_del (call->body, "expect"); /* what stays is kept as it came */
  json_t *before = json_incref (json_object_get (self->added, name));
  if (!before && json_object_size (self->added) >= ADDED_MAX) {
    far_call_fail_new (call, FAR_ERROR_LIMIT, _ ("%d devices were added already: put them into the profile"),
                       ADDED_MAX);
  } else if (!device_add (name, call->body, &error)) {
    far_call_fail (call, error);
  } else {
    added_set (self, name, call->body);
    added_write (self, call, json_incref (before));
  }
  json_decref (before);
}

static void
agent_devices_delete_one (Agent *self, FarCall *call)
{
  if (!agent_device_is_seen (call))
    return;
  if (!far_device_remove (call->parts[1])) {
    gboolean known = far_device_find (call->parts[1]) != NULL;
    far_call_fail_new (call, known ? FAR_ERROR_CONFLICT : FAR_ERROR_NOT_FOUND,
                       known ? "device '%s' stands in the profile: change it there and reload"
                             : "no device '%s' here",
                       call->parts[1]);
    return;
  }
  json_t *before = json_incref (json_object_get (self->added, call->parts[1]));
  added_set (self, call->parts[1], NULL);
  added_write (self, call, before);
}

void
agent_device_put (gpointer self, FarCall *call)
{
  if (own_node (call))
    added_turn (self, agent_devices_put_one, call);
}

void
agent_device_delete (gpointer self, FarCall *call)
{
  if (own_node (call))
    added_turn (self, agent_devices_delete_one, call);
}
