/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The devices of this node as its own people see and change them: those of its profile, and those added here
 * at run time (added.c). */
#include "config.h"

#include "member.h"

#include <string.h>

static gboolean
device_seen (const FarDevice *device, const FarPrincipal *principal)
{
  g_autofree char *object = g_strdup_printf ("terminals/%s/devices/%s", far_node_id (), device->name);
  return far_authorize_see (principal, object);
}

/* A right at a terminal is about the terminal itself. */
FarKnows
member_knows (gpointer self, char **parts)
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

gboolean
member_own (FarCall *call)
{
  gboolean own = strcmp (call->parts[0], far_node_id ()) == 0;
  if (!own)
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("this is terminal '%s', not '%s'"), far_node_id (),
                       call->parts[0]);
  return own;
}

static int
member_devices_by_name (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(FarDevice *const *) a)->name, (*(FarDevice *const *) b)->name);
}

/* With its revision; new reference. */
static json_t *
device_show (const FarDevice *device)
{
  json_t *row = member_device_json (device);
  g_autofree char *revision = far_revision (row);
  json_object_set_new (row, "revision", json_string (revision));
  return row;
}

/* A damaged file of added devices is left as it is: nothing is changed until somebody has looked at it. */
static gboolean
device_list_whole (Member *self, FarCall *call)
{
  GError *error = NULL;
  gboolean known = self->added != NULL;
  if (member_added_load (self, &error)) {
    if (!known) /* somebody has repaired it: those devices are here again */
      member_tell (self);
    return TRUE;
  }
  far_call_fail (call, error);
  return FALSE;
}

/* A person who changes one that they have seen. In its turn, so that nothing comes in between. */
static gboolean
member_device_is_seen (FarCall *call)
{
  const FarDevice *device = far_device_find (call->parts[1]);
  json_t *row = device ? member_device_json (device) : NULL;
  g_autofree char *place = g_strdup_printf ("terminals/%s/devices/%s", call->parts[0], call->parts[1]);
  GError *error = NULL;
  gboolean good = far_expect_ok (call, place, row, NULL, &error);
  json_decref (row);
  if (!good)
    far_call_fail (call, error);
  return good;
}

void
member_devices_get (gpointer self, FarCall *call)
{
  g_autoptr (GPtrArray) devices = far_device_list ();
  FarPage page;
  if (!member_own (call))
    return;
  g_ptr_array_sort (devices, member_devices_by_name);
  far_page_begin (&page, call, G_MAXUINT16, 0);
  for (guint i = 0; i < devices->len && !page.next; i++) {
    const FarDevice *device = devices->pdata[i];
    if (device_seen (device, call->principal) && far_page_wants (&page, device->name))
      far_page_take (&page, device->name, device_show (device));
  }
  far_call_answer (call, 200, json_pack ("{s:o, s:s?}", "devices", page.list, "next", page.next));
}

static void
member_devices_put_one (Member *self, FarCall *call)
{
  GError *error = NULL;
  if (!device_list_whole (self, call) || !member_device_is_seen (call))
    return;
  json_object_del (call->body, "expect"); /* what stays is kept as it came */
  if (!member_added_put (self, call, &error))
    far_call_fail (call, error);
}

static void
member_devices_delete_one (Member *self, FarCall *call)
{
  if (!device_list_whole (self, call) || !member_device_is_seen (call))
    return;
  if (!far_device_remove (call->parts[1])) {
    gboolean known = far_device_find (call->parts[1]) != NULL;
    far_call_fail_new (call, known ? FAR_ERROR_CONFLICT : FAR_ERROR_NOT_FOUND,
                       known ? "device '%s' stands in the profile: change it there and reload"
                             : "no device '%s' here",
                       call->parts[1]);
    return;
  }
  member_added_delete (self, call);
}

void
member_device_put (gpointer self, FarCall *call)
{
  if (member_own (call))
    member_added_turn (self, member_devices_put_one, call);
}

void
member_device_delete (gpointer self, FarCall *call)
{
  if (member_own (call))
    member_added_turn (self, member_devices_delete_one, call);
}
