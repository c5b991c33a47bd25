/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that people added at run time, kept in STATE/devices.json beside those of the profile. Changes come
 * one after the other: each is durable or undone before the next begins, and only then answered. */
#include "config.h"

#include "member.h"

#include <string.h>

#define ADDED_MAX 200
#define CHANGES_MAX 64 /* that wait */

static char *
devices_path (void)
{
  return far_node_path ("devices.json");
}

static gboolean
device_add (Member *self, const char *name, json_t *json, GError **error)
{
  g_autoptr (FarDevice) device = far_device_parse (name, json, TRUE, error);
  FarInstance *at = device ? far_instance_find (FAR_KIND_ENDPOINT, device->endpoint, error) : NULL;
  return at && far_device_address_ok (device, far_instance_type (at), error) &&
         far_device_add (self->at, device, error);
}

/* A device that a profile has meanwhile is left out in silence: the profile wins. */
static void
added_take (Member *self)
{
  const char *name;
  json_t *json;
  json_object_foreach (self->added, name, json) {
    g_autoptr (GError) fault = NULL;
    if (!device_add (self, name, json, &fault) && !g_error_matches (fault, FAR_ERROR, FAR_ERROR_CONFLICT))
      far_log (self->at, G_LOG_LEVEL_WARNING, "device left out: %s", fault->message);
  }
}

gboolean
member_added_load (Member *self, GError **error)
{
  if (self->added)
    return TRUE;
  g_autofree char *path = devices_path ();
  json_error_t where;
  json_t *added = g_file_test (path, G_FILE_TEST_EXISTS)
                      ? json_load_file (path, JSON_REJECT_DUPLICATES, &where)
                      : json_object ();
  if (json_is_object (added)) {
    self->added = added;
    added_take (self);
    return TRUE;
  }
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("%s:%d: %s: the devices added at run time are not known; repair it or move it away"), path,
               added ? 1 : where.line, added ? _ ("no JSON object") : where.text);
  json_decref (added);
  return FALSE;
}

/* A change whose turn comes when those before it are durable or undone: what stood there before it is known
 * then, and what the file holds. */
typedef struct {
  void (*func) (Member *self, FarCall *call);
  FarCall *call;
} AddedTurn;

/* A turn that has nothing to write is over at once. */
static void
added_turns (Member *self)
{
  while (!self->changing && !g_queue_is_empty (&self->changes)) {
    g_autofree AddedTurn *turn = g_queue_pop_head (&self->changes);
    turn->func (self, turn->call);
  }
}

void
member_added_turn (Member *self, void (*func) (Member *self, FarCall *call), FarCall *call)
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
member_added_forget (Member *self)
{
  g_queue_clear_full (&self->changes, g_free);
  g_clear_pointer (&self->added, json_decref);
}

/* One change, until it is durable. `before`: what stood there, NULL: nothing. */
typedef struct {
  Member *self;
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
added_set (Member *self, const char *name, json_t *device)
{
  if (device)
    json_object_set (self->added, name, device);
  else
    json_object_del (self->added, name);
}

static void
added_undo (Member *self, const AddedChange *change)
{
  added_set (self, change->name, change->before);
  far_device_remove (change->name);
  if (change->before)
    device_add (self, change->name, change->before, NULL);
}

static json_t *
device_answer (const FarDevice *device, json_t *before)
{
  json_t *body = member_device_json (device);
  if (before)
    json_object_set (body, "was", before);
  return body;
}

static void
added_answer (Member *self, AddedChange *change, const GError *error)
{
  const FarDevice *device = far_device_find (change->name);
  if (error)
    added_undo (self, change);
  member_tell (self);
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
  Member *self = change->self;
  self->changing = FALSE;
  added_answer (self, change, far_request_error (req));
  added_change_free (change);
  added_turns (self);
}

/* The whole list each time, in the order of the changes. Takes before. */
static void
added_write (Member *self, FarCall *call, json_t *before)
{
  g_autofree char *path = devices_path ();
  char *text = json_dumps (self->added, JSON_INDENT (1) | JSON_SORT_KEYS);
  AddedChange *change = g_new0 (AddedChange, 1);
  *change = (AddedChange){ self, call, g_strdup (call->parts[1]), before };
  self->changing = TRUE;
  far_write_file (path, text, 0600, far_request_of (self->at, added_written, change, added_change_free, 0));
  free (text);
}

gboolean
member_added_put (Member *self, FarCall *call, GError **error)
{
  const char *name = call->parts[1];
  json_t *before = json_object_get (self->added, name);
  if (!before && json_object_size (self->added) >= ADDED_MAX) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_LIMIT,
                 _ ("%d devices were added already: put them into the profile"), ADDED_MAX);
    return FALSE;
  }
  if (!device_add (self, name, call->body, error))
    return FALSE;
  json_incref (before);
  added_set (self, name, call->body);
  added_write (self, call, before);
  return TRUE;
}

void
member_added_delete (Member *self, FarCall *call)
{
  json_t *before = json_incref (json_object_get (self->added, call->parts[1]));
  added_set (self, call->parts[1], NULL);
  added_write (self, call, before);
}
