/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the terminal reports (S309, S404). A report that was not heard goes with the next poll. */
#include "config.h"

#include "agent.h"

#include <string.h>

#define REPORT_TIMEOUT_MS 10000
#define TROUBLE_MAX 160 /* bytes; three times as many where they are no UTF-8 */

static void
reported (FarRequest *req, gpointer user)
{
  AgentSession *session = user;
  if (!far_request_error (req) && far_message_check (far_request_result (req), NULL))
    session->reported = TRUE;
  agent_session_unref (session);
}

static FarMessage *
report_message (const char *session, json_t *body)
{
  g_autofree char *resource = g_strdup_printf ("sessions/%s/report", session);
  return far_message_request ("POST", resource, body);
}

void
agent_report (AgentSession *session)
{
  const char *link = agent_opts (session->self)->link;
  if (session->reported || !far_peer_connected (link, ""))
    return;
  g_autoptr (FarMessage)
      message = report_message (session->id,
                                json_pack ("{s:s, s:s, s:I, s:I}", "state",
                                           far_session_state_name (session->state), "cause", session->cause,
                                           "bytes_up", (json_int_t) session->bytes_up, "bytes_down",
                                           (json_int_t) session->bytes_down));
  far_peer_send (link, "", message,
                 far_request_of (session->self->at, reported, agent_session_ref (session),
                                 (GDestroyNotify) agent_session_unref, REPORT_TIMEOUT_MS));
}

/* A person who tries again and again makes one message a second. Unheard, it stands in the log here. */
void
agent_report_trouble (AgentSession *session, const char *cause)
{
  gint64 now = far_clock_boottime_us ();
  const char *link = agent_opts (session->self)->link;
  if (!agent_session_live (session) || !far_peer_connected (link, "") ||
      (session->trouble_us != 0 && now < session->trouble_us + G_USEC_PER_SEC))
    return;
  session->trouble_us = now;
  g_autofree char *text = g_utf8_make_valid (cause, MIN (strlen (cause), TROUBLE_MAX));
  g_autoptr (FarMessage)
      message = report_message (session->id, json_pack ("{s:s, s:s}", "state", "trouble", "cause", text));
  far_peer_send (link, "", message, far_request_of (session->self->at, NULL, NULL, NULL, REPORT_TIMEOUT_MS));
}

/* Unheard: the cloud offers again, and is refused again. */
void
agent_report_refused (Agent *self, const char *session, const GError *error)
{
  const char *link = agent_opts (self)->link;
  if (!session || !far_peer_connected (link, ""))
    return;
  g_autofree char *escaped = g_uri_escape_string (session, NULL, FALSE);
  g_autoptr (FarMessage) message = report_message (escaped, json_pack ("{s:s, s:s}", "state", "refused",
                                                                       "cause", error->message));
  far_peer_send (link, "", message, far_request_of (self->at, NULL, NULL, NULL, REPORT_TIMEOUT_MS));
}
