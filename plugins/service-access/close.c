/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end by the user (spec B11): people's connections end at once; the terminal is told at once and by its
 * next poll; when it never reports, Z lets go after `grace`. */
#include "config.h"

#include "access.h"

#define TOLD_TIMEOUT_MS 10000
#define SHUT_TIMEOUT_MS 5000

/* No answer, no harm: poll and grace are there. A terminal that never heard of it (the close was faster than
 * the offer) has nothing to end and nothing to report. */
static void
told (FarRequest *req, gpointer user)
{
  AccessSession *session = user;
  const FarMessage *answer = far_request_error (req) ? NULL : far_request_result (req);
  json_t *body = answer && answer->status == 202 ? far_message_json (answer, NULL) : NULL;
  if (json_is_false (json_object_get (body, "live")) && session->state == FAR_SESSION_CLOSING)
    access_session_event (session, FAR_SESSION_EV_REPORTED, NULL, NULL);
  json_decref (body);
  access_session_unref (session);
}

void
access_session_close_told (AccessSession *session)
{
  const AccessOpts *opts = access_opts (session->self);
  if (!opts->push || !opts->nodes || !far_peer_connected (opts->nodes, session->terminal))
    return;
  g_autofree char *resource = g_strdup_printf ("sessions/%s/close", session->id);
  json_t *body = json_pack ("{s:s}", "cause", session->cause);
  g_autoptr (FarMessage) message = far_message_request ("POST", resource, body);
  far_peer_send (opts->nodes, session->terminal, message,
                 far_request_of (session->self->at, told, access_session_ref (session),
                                 (GDestroyNotify) access_session_unref, TOLD_TIMEOUT_MS));
}

typedef struct {
  FarCall *call;
  AccessSession *session;
} Closing;

static void
closing_free (gpointer data)
{
  Closing *closing = data;
  access_session_unref (closing->session);
  g_free (closing);
}

/* Who asked hears it when no byte passes any more. */
static void
access_close_shut (FarRequest *req, gpointer user)
{
  Closing *closing = user;
  far_call_answer (closing->call, 202, access_session_show (&closing->session->base));
  closing_free (closing);
}

static void
answer_when_shut (Access *self, FarCall *call, AccessSession *session)
{
  Closing *closing = g_new0 (Closing, 1);
  *closing = (Closing){ call, access_session_ref (session) };
  access_tunnel_shut (session,
                      far_request_of (self->at, access_close_shut, closing, closing_free, SHUT_TIMEOUT_MS));
}

void
access_session_delete (gpointer data, FarCall *call)
{
  GError *error = NULL;
  AccessSession *session = access_session (data, call->parts[0]);
  g_autofree char *person = far_principal_text (call->principal);
  if (!access_session_live (session)) { /* the deadline, or somebody else, was faster: it is as they wish */
    far_call_answer (call, 200, access_session_show (&session->base));
    return;
  }
  access_session_ref (session);
  if (far_session_close (&session->base, "closed by the user", person, &error))
    answer_when_shut (data, call, session);
  else
    far_call_fail (call, error);
  access_session_unref (session);
}
