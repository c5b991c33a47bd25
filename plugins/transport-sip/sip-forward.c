/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request on its way to another connection, and its answers back (RFC 3261 16.6, 16.7, 16.8, 16.10).
 *
 * What the library must not be asked, since it ends in an assertion or at the wrong place: to cancel before
 * a provisional answer has come (the cancelled party could answer the CANCEL that has not been sent), to send
 * a message whose parts it could not read, to answer on a connection that is no more. */
#include "config.h"

#include "sip-stack-private.h"

#include <farwatch/trust.h>

#include <string.h>

#define MAX_FORWARDS 70

/* ---- out ---- */

static void
out_max_forwards (msg_t *message, sip_t *sip)
{
  sip_max_forwards_t fewer[1];
  if (sip->sip_max_forwards == NULL) {
    sip_max_forwards_init (fewer);
    fewer->mf_count = MAX_FORWARDS;
  } else {
    *fewer = *sip->sip_max_forwards;
    fewer->mf_count--;
    sip_header_remove (message, sip, (sip_header_t *) sip->sip_max_forwards);
  }
  sip_add_dup (message, sip, (sip_header_t *) fewer);
}

static gboolean
out_target (msg_t *message, sip_t *sip, const char *target)
{
  sip_request_t *line = sip_request_create (msg_home (message), sip->sip_request->rq_method,
                                            sip->sip_request->rq_method_name, (const url_string_t *) target,
                                            NULL);
  return line != NULL && msg_header_insert (message, (msg_pub_t *) sip, (msg_header_t *) line) >= 0;
}

static gboolean
out_record_route (msg_t *message, sip_t *sip, const char *value)
{
  sip_record_route_t *route = sip_record_route_make (msg_home (message), value);
  return route != NULL && sip_add_dup (message, sip, (sip_header_t *) route) >= 0;
}

/* The message that goes out; NULL: it cannot be made. */
static msg_t *
out_message (SipRequest *request, const SipForward *how)
{
  msg_t *came = nta_incoming_getrequest (request->in), *message = msg_copy (came);
  sip_t *sip = message != NULL ? sip_object (message) : NULL;
  msg_destroy (came);
  if (sip == NULL || sip->sip_error != NULL || sip->sip_request == NULL) {
    msg_destroy (message);
    return NULL;
  }
  sip_via_remove (message, sip); /* the fence's, which is of this machine alone */
  out_max_forwards (message, sip);
  for (guint i = 0; i < how->routes && sip->sip_route != NULL; i++)
    sip_route_remove (message, sip);
  if ((how->target != NULL && !out_target (message, sip, how->target)) ||
      (how->record_route != NULL && !out_record_route (message, sip, how->record_route))) {
    msg_destroy (message);
    return NULL;
  }
  return message;
}

/* ---- back ---- */

/* Frees it; without a caller there is nobody to be told. */
static void
back_fail (SipRequest *request, int code, const char *phrase)
{
  /* What is wrong behind us says nothing about us (16.7). */
  sip_request_answer (request, code == 503 ? 500 : (guint) code, phrase, NULL);
}

/* What the target says for itself comes from who it was asked, about what it was asked. */
static gboolean
back_fits (SipRequest *request, sip_t const *sip)
{
  return sip->sip_error == NULL && sip->sip_status != NULL && sip->sip_cseq != NULL &&
         sip->sip_cseq->cs_method == request->method && sip->sip_from != NULL && sip->sip_to != NULL &&
         sip->sip_call_id != NULL && sip->sip_via != NULL;
}

/* A provisional answer with Require: 100rel that lacks its RSeq would be made reliable by the library. */
static gboolean
back_unreliable (sip_t const *sip)
{
  return sip->sip_status->st_status > 199 || sip->sip_rseq != NULL ||
         !sip_has_feature (sip->sip_require, "100rel");
}

/* The library puts each that is added before the others, so the last comes first. */
static gboolean
back_via (msg_t *message, sip_t *sip, const sip_via_t *list)
{
  sip_via_t one[1];
  if (list == NULL)
    return TRUE;
  if (!back_via (message, sip, list->v_next))
    return FALSE;
  *one = *list;
  one->v_next = NULL;
  return sip_add_dup (message, sip, (sip_header_t *) one) >= 0;
}

static gboolean
back_send (SipRequest *request, nta_outgoing_t *out)
{
  msg_t *message = nta_outgoing_getresponse (out);
  sip_t *sip = message != NULL ? sip_object (message) : NULL;
  msg_t *asked = nta_incoming_getrequest (request->in);
  sip_via_t *via = asked != NULL && sip_object (asked) != NULL ? sip_object (asked)->sip_via : NULL;
  gboolean good = sip != NULL && via != NULL;
  if (good) {
    while (sip->sip_via != NULL)
      sip_via_remove (message, sip);
    good = back_via (message, sip, via);
  }
  if (asked != NULL)
    msg_destroy (asked);
  if (!good) {
    msg_destroy (message);
    return FALSE;
  }
  return nta_incoming_mreply (request->in, message) == 0;
}

/* Of the library: what becomes of a CANCEL is told by the INVITE. */
static int
cancel_came (SipRequest *none, nta_outgoing_t *out, sip_t const *sip)
{
  if (sip == NULL || sip->sip_status->st_status >= 200)
    nta_outgoing_destroy (out);
  return 0;
}

/* The CANCEL of a request that went out as `sent` (9.1). */
static msg_t *
cancel_message (SipRequest *request, const sip_t *sent)
{
  msg_t *message = nta_msg_create (request->stack->agent, 0);
  sip_t *sip = sip_object (message);
  su_home_t *home = msg_home (message);
  sip_via_t via[1] = { *sent->sip_via };
  via->v_next = NULL;
  sip_add_tl (message, sip,
              SIPTAG_REQUEST (sip_request_create (home, SIP_METHOD_CANCEL,
                                                  (const url_string_t *) sent->sip_request->rq_url, NULL)),
              SIPTAG_VIA (via), SIPTAG_FROM (sent->sip_from), SIPTAG_TO (sent->sip_to),
              SIPTAG_CALL_ID (sent->sip_call_id),
              SIPTAG_CSEQ (sip_cseq_create (home, sent->sip_cseq->cs_seq, SIP_METHOD_CANCEL)),
              SIPTAG_MAX_FORWARDS (sent->sip_max_forwards), SIPTAG_ROUTE (sent->sip_route), TAG_END ());
  return message;
}

/* Not by the library's own nta_outgoing_tcancel(): on a connection, that one forgets the INVITE, so that its
 * last answer is neither acknowledged nor passed on. */
static void
back_cancel (SipRequest *request)
{
  msg_t *sent, *message;
  if (!request->cancelled || !request->rings || request->cancel_sent || request->to == NULL ||
      !sip_flow_writable (request->to))
    return;
  request->cancel_sent = TRUE;
  sent = nta_outgoing_getrequest (request->out);
  message = cancel_message (request, sip_object (sent));
  if (nta_outgoing_mcreate (request->stack->agent, cancel_came, NULL, NULL, message,
                            NTATAG_TPORT (request->to->tport), NTATAG_USER_VIA (1), TAG_END ()) == NULL)
    msg_destroy (message);
  msg_destroy (sent);
}

static void
back_provisional (SipRequest *request, nta_outgoing_t *out, int status, sip_t const *sip)
{
  request->rings = TRUE;
  if (request->invite && status > 100 && !request->cancelled)
    request->until_us = far_clock_boottime_us () + request->stack->limits.ringing_us;
  if (status > 100 && request->from != NULL && sip_flow_writable (request->from) && back_unreliable (sip))
    back_send (request, out);
  back_cancel (request);
}

/* Of the library: the target's answers, and what the library says for it (sip NULL, or made by itself). */
static int
back_came (SipRequest *request, nta_outgoing_t *out, sip_t const *sip)
{
  int status = sip != NULL ? sip->sip_status->st_status : nta_outgoing_status (out);
  if (request->creating) {
    request->early = (guint) status;
    return 0;
  }
  if (nta_sip_is_internal (sip)) {
    if (status == 408 && !request->invite)
      back_fail (request, 504, NULL);
    else if (status >= 200)
      back_fail (request, status == 503 ? 430 : status, status == 503 ? "Flow Failed" : NULL);
    return 0;
  }
  if (!back_fits (request, sip))
    return 0;
  if (status < 200) {
    back_provisional (request, out, status, sip);
    return 0;
  }
  if (request->from == NULL)
    sip_request_free (request);
  else if (status == 503 || !sip_flow_writable (request->from) || !back_send (request, out))
    back_fail (request, status == 503 ? 500 : 502, NULL);
  else
    sip_request_free (request);
  return 0;
}

/* Of the library: a CANCEL of the caller's, or that its side ran out of time. */
static int
caller_said (SipRequest *request, nta_incoming_t *in, sip_t const *sip)
{
  if (sip != NULL && sip->sip_request != NULL && sip->sip_request->rq_method == sip_method_cancel) {
    request->cancelled = TRUE;
    request->until_us = MIN (request->until_us, far_clock_boottime_us () + request->stack->limits.answer_us);
    back_cancel (request);
  }
  return 0;
}

/* ---- going out ---- */

static void
forward_ack (SipRequest *request, msg_t *message)
{
  g_autofree char *branch = far_random_text (24);
  nta_outgoing_t *out = nta_outgoing_mcreate (request->stack->agent, NULL, NULL, NULL, message,
                                              NTATAG_TPORT (request->to->tport), NTATAG_STATELESS (1),
                                              NTATAG_BRANCH_KEY (branch), TAG_END ());
  if (out == NULL)
    msg_destroy (message);
  sip_request_free (request);
}

/* What fails in here is told to back_came() before there is an `out`. */
static void
forward_send (SipRequest *request, msg_t *message)
{
  g_autofree char *random = far_random_text (24), *branch = g_strdup_printf ("z9hG4bK%s", random);
  request->creating = TRUE;
  request->out = nta_outgoing_mcreate (request->stack->agent, back_came, request, NULL, message,
                                       NTATAG_TPORT (request->to->tport), NTATAG_BRANCH_KEY (branch),
                                       NTATAG_PASS_100 (1), TAG_END ());
  request->creating = FALSE;
  if (request->out == NULL) {
    msg_destroy (message);
    back_fail (request, 500, NULL);
  } else if (request->early >= 200) {
    back_fail (request, 430, "Flow Failed");
  }
}

void
sip_request_forward (SipRequest *request, const SipForward *how)
{
  FlowIn *to = (FlowIn *) how->to;
  gboolean ack = request->method == sip_method_ack;
  msg_t *message;
  if (!sip_flow_writable (to)) {
    back_fail (request, 430, "Flow Failed");
    return;
  }
  message = out_message (request, how);
  if (message == NULL) {
    back_fail (request, 400, NULL);
    return;
  }
  request->to = to;
  g_queue_push_tail_link (&to->targeted, &request->target);
  if (ack) {
    forward_ack (request, message);
    return;
  }
  nta_incoming_bind (request->in, caller_said, request);
  request->until_us = far_clock_boottime_us () + (request->invite ? request->stack->limits.ringing_us
                                                                  : request->stack->limits.answer_us);
  forward_send (request, message);
}

/* ---- ends ---- */

void
sip_forward_target_gone (SipRequest *request)
{
  g_queue_unlink (&request->to->targeted, &request->target);
  request->to = NULL;
  if (request->out != NULL)
    nta_outgoing_destroy (g_steal_pointer (&request->out));
  back_fail (request, 430, "Flow Failed");
}

/* Nobody is there for an answer. Who rings is told to stop, and kept until it has: its last answer wants an
 * ACK. */
void
sip_forward_abandon (SipRequest *request)
{
  g_queue_unlink (&request->from->requests, &request->own);
  request->from->flow.under_way--;
  request->from = NULL;
  if (!request->invite || request->out == NULL || request->to == NULL) {
    sip_request_free (request);
    return;
  }
  nta_incoming_destroy (g_steal_pointer (&request->in));
  request->cancelled = TRUE;
  request->until_us = far_clock_boottime_us () + request->stack->limits.answer_us;
  back_cancel (request);
}

/* Timer C, and the same for all others. */
void
sip_forward_expire (SipStack *stack)
{
  gint64 now = far_clock_boottime_us ();
  GList *next;
  for (GList *link = stack->requests.head; link != NULL; link = next) {
    SipRequest *request = link->data;
    next = link->next;
    if (request->until_us == 0 || request->until_us > now)
      continue;
    if (request->invite && request->rings && !request->cancelled) {
      request->cancelled = TRUE;
      request->until_us = now + stack->limits.answer_us;
      back_cancel (request);
    } else {
      back_fail (request, request->invite ? (request->cancelled ? 487 : 408) : 504, NULL);
    }
  }
}
