/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file lets another node answer a call: the request goes to it in the name of the asker, and what it
 * answers is the call's answer. Whether the asker may is judged there, as node and person. */
#include "config.h"

#include "message/router.h"

#include <farwatch/thread.h>

/* A little more than the longest time that an asker may wait (node/api.c): a call that nobody waits for any
 * more is given up, too. */
#define FORWARD_TIMEOUT_MS (125 * 1000)

static void
forward_answered (FarRequest *req, gpointer user)
{
  FarCall *call = user;

  if (far_request_error (req) != NULL)
    far_call_fail (call, g_error_copy (far_request_error (req)));
  else
    far_call_answer_as (call, far_request_result (req));
}

/* If the call's instance goes first, core ends the call behind its fini(), so nothing is left to do. */
static FarRequest *
forward_request (FarCall *call)
{
  FarInstance *at = call->answer->at;

  return at != NULL ? far_request_of (at, forward_answered, call, NULL, FORWARD_TIMEOUT_MS)
                    : far_request_new (forward_answered, call, FORWARD_TIMEOUT_MS);
}

void
far_call_forward (FarCall *call, const char *transport, const char *peer)
{
  FAR_ON_MAIN ();
  GError *error = NULL;
  g_autoptr (FarMessage) request = far_delegated_request (call->principal, call->message, &error);

  if (request == NULL)
    far_call_fail (call, error);
  else
    far_peer_send (transport, peer, request, forward_request (call));
}
