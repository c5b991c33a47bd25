/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people at the node itself hear of it. Who has a right to a device only is told no more than that the
 * terminal is there. */
#include "config.h"

#include "member.h"

static json_t *
terminal_show (Member *self, const FarPrincipal *principal)
{
  g_autoptr (GPtrArray) devices = far_device_list ();
  g_autofree char *object = g_strdup_printf ("terminals/%s", far_node_id ());
  json_t *body = json_pack ("{s:s, s:b}", "terminal", far_node_id (), "connected",
                            far_peer_connected (member_opts (self)->link, ""));
  if (far_authorize_see (principal, object)) {
    json_object_set_new (body, "devices", json_integer (devices->len));
    json_object_set_new (body, "sessions", json_integer (far_sessions_live ()));
  }
  return body;
}

void
member_terminals_get (gpointer self, FarCall *call)
{
  g_autofree char *object = g_strdup_printf ("terminals/%s", far_node_id ());
  json_t *list = json_array ();
  if (far_visible (call->principal, object))
    json_array_append_new (list, terminal_show (self, call->principal));
  far_call_answer (call, 200, json_pack ("{s:o}", "terminals", list));
}

void
member_terminal_get (gpointer self, FarCall *call)
{
  if (member_own (call))
    far_call_answer (call, 200, terminal_show (self, call->principal));
}
