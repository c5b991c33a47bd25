/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people at the terminal itself may see and do: they may end any session here. */
#include "config.h"

#include "agent.h"

#include <string.h>

#define PAGE 40

/* Who has a right to a device only is told no more than that the terminal is there. */
static json_t *
self_show (Agent *self, const FarPrincipal *principal)
{
  g_autoptr (GPtrArray) devices = far_device_list ();
  g_autofree char *object = g_strdup_printf ("terminals/%s", far_node_id ());
  json_t *body = json_pack ("{s:s, s:b}", "terminal", far_node_id (), "connected",
                            far_peer_connected (agent_opts (self)->link, ""));
  if (far_authorize_see (principal, object)) {
    json_object_set_new (body, "devices", json_integer (devices->len));
    json_object_set_new (body, "sessions", json_integer (agent_sessions_live (self)));
  }
  return body;
}

void
agent_terminals_get (gpointer self, FarCall *call)
{
  g_autofree char *object = g_strdup_printf ("terminals/%s", far_node_id ());
  json_t *list = json_array ();
  if (far_visible (call->principal, object))
    json_array_append_new (list, self_show (self, call->principal));
  far_call_answer (call, 200, json_pack ("{s:o}", "terminals", list));
}

void
agent_terminal_get (gpointer self, FarCall *call)
{
  if (strcmp (call->parts[0], far_node_id ()) != 0)
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("this is terminal '%s', not '%s'"), far_node_id (),
                       call->parts[0]);
  else
    far_call_answer (call, 200, self_show (self, call->principal));
}

void
agent_sessions_get (gpointer self, FarCall *call)
{
  far_book_list (((Agent *) self)->book, call, PAGE, FALSE);
}

void
agent_session_resolve (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found)
{
  found->object = agent_session (self, parts[0]) ? g_strdup ("node") : NULL;
  found->unknown = g_strdup_printf (_ ("no session '%s' here"), parts[0]);
}

void
agent_session_get (gpointer self, FarCall *call)
{
  far_call_answer (call, 200, agent_session_show (&agent_session (self, call->parts[0])->base));
}

void
agent_session_delete (gpointer self, FarCall *call)
{
  GError *error = NULL;
  AgentSession *session = agent_session (self, call->parts[0]);
  if (!agent_session_live (session)) {
    far_call_answer (call, 200, agent_session_show (&session->base));
    return;
  }
  agent_session_ref (session);
  if (agent_session_event (session, FAR_SESSION_EV_CLOSE_ASKED, "closed at the terminal", &error))
    far_call_answer (call, 202, agent_session_show (&session->base));
  else
    far_call_fail (call, error);
  agent_session_unref (session);
}
