/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What people at the terminal itself may see and do: they may end any session here. */
#include "config.h"

#include "agent.h"

#define PAGE 40

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
