/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entry `stream`: the person's own TLS connection carries the bytes; a ticket lets each of their
 * connections in until the deadline. */
#include "config.h"

#include "access.h"

#include <string.h>

static void
access_entry_stream_free (gpointer stream)
{
  far_stream_free (stream);
}

static void
stream_came (FarStream *stream, const char *from, gpointer user)
{
  AccessSession *session = user;
  if (session->self && session->state == FAR_SESSION_OPEN && session->carrier)
    far_carrier_attach (session->carrier, stream, from);
  else
    far_loop_post (stream->loop, access_entry_stream_free,
                   stream); /* resuming or over: this connection is not served */
}

void
access_stream_post (gpointer data, FarCall *call)
{
  AccessSession *session = access_called_session (data, call);
  if (!session)
    return;
  g_autofree char *person = far_principal_text (call->principal);
  if (strcmp (person, session->person) != 0) {
    far_call_fail_new (call, FAR_ERROR_DENIED, _ ("session '%s' is not yours"), session->id);
  } else if (session->entry != FAR_ENTRY_STREAM) {
    far_call_fail_new (call, FAR_ERROR_CONFLICT, _ ("session '%s' is entered by its port"), session->id);
  } else if (session->state != FAR_SESSION_OPEN && session->state != FAR_SESSION_RESUMING) {
    far_call_fail_new (call, FAR_ERROR_CONFLICT, _ ("session is %s: wait until it is open"),
                       far_session_state_name (session->state));
  } else {
    if (!session->ticket)
      session->ticket = far_ticket_new (session->self->at, session->principal, TRUE,
                                        session->deadline.boottime_us, stream_came, session);
    far_call_secret (call);
    far_call_answer (call, 201, json_pack ("{s:s}", "ticket", session->ticket));
  }
}
