/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request as it comes: what the stack must refuse by itself, the view that its user decides by, and the
 * answer. Everything in a view is memory of the message or of the view. */
#include "config.h"

#include "sip-stack-private.h"
#include "sip-text.h"

#include <string.h>

#define USER_MAX 256
#define RETRY_S 5

/* What a view needs beside the message. */
typedef struct {
  char users[4 + SIP_CONTACTS_MAX][USER_MAX];
  guint used;
} Room;

/* ---- life ---- */

static void
request_under_way (SipRequest *request)
{
  request->all.data = request->own.data = request->target.data = request;
  g_queue_push_tail_link (&request->stack->requests, &request->all);
  g_queue_push_tail_link (&request->from->requests, &request->own);
  request->from->flow.under_way++;
}

static SipRequest *
request_new (SipStack *stack, FlowIn *from, nta_incoming_t *in, sip_t const *sip)
{
  SipRequest *request = g_new0 (SipRequest, 1);
  *request = (SipRequest){ .stack = stack, .from = from, .in = in, .method = sip->sip_request->rq_method };
  request->invite = request->method == sip_method_invite;
  request_under_way (request);
  return request;
}

void
sip_request_free (SipRequest *request)
{
  g_queue_unlink (&request->stack->requests, &request->all);
  if (request->from != NULL) {
    g_queue_unlink (&request->from->requests, &request->own);
    request->from->flow.under_way--;
  }
  if (request->to != NULL)
    g_queue_unlink (&request->to->targeted, &request->target);
  if (request->out != NULL)
    nta_outgoing_destroy (request->out);
  if (request->in != NULL)
    nta_incoming_destroy (request->in);
  g_free (request);
}

void
sip_request_drop (SipRequest *request)
{
  sip_request_free (request);
}

/* An answer on a connection that has gone would make the library look for another one. */
void
sip_request_answer (SipRequest *request, guint code, const char *phrase, const char *headers)
{
  if (request->method == sip_method_ack || request->from == NULL || !sip_flow_writable (request->from)) {
    sip_request_free (request);
    return;
  }
  nta_incoming_treply (request->in, (int) code, phrase != NULL ? phrase : sip_status_phrase ((int) code),
                       TAG_IF (headers != NULL, SIPTAG_HEADER_STR (headers)), TAG_END ());
  sip_request_free (request);
}

/* ---- the view ---- */

static const char *
room_user (Room *room, const char *user)
{
  char *to = room->users[room->used];
  if (user == NULL)
    return NULL;
  room->used++;
  if (strlen (user) >= USER_MAX || !sip_text_unescape (user, to))
    *to = '\0';
  return to;
}

static SipUri
view_uri (Room *room, const url_t *url)
{
  return (SipUri){ .scheme = url->url_scheme != NULL ? url->url_scheme : "",
                   .user = room_user (room, url->url_user),
                   .host = url->url_host,
                   .port = url->url_port,
                   .params = url->url_params };
}

static gint64
seconds_of (const char *text)
{
  guint64 value;
  if (text == NULL)
    return -1;
  return g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT32, &value, NULL) ? (gint64) value : G_MAXUINT32;
}

static void
view_contacts (SipView *view, Room *room, su_home_t *home, const sip_contact_t *contact)
{
  for (; contact != NULL; contact = contact->m_next, view->contacts++) {
    if (view->contacts >= SIP_CONTACTS_MAX)
      continue;
    view->contact[view->contacts] = (SipContact){ .any = contact->m_url->url_type == url_any,
                                                  .uri = view_uri (room, contact->m_url),
                                                  .text = url_as_string (home, contact->m_url),
                                                  .expires_s = seconds_of (contact->m_expires) };
  }
}

static const char *
view_list (su_home_t *home, const msg_list_t *list)
{
  GString *text = NULL;
  char *kept;
  for (; list != NULL; list = (const msg_list_t *) list->k_next)
    for (guint i = 0; list->k_items != NULL && list->k_items[i] != NULL; i++) {
      text = text != NULL ? g_string_append (text, ", ") : g_string_new (NULL);
      g_string_append (text, list->k_items[i]);
    }
  if (text == NULL)
    return NULL;
  kept = su_strdup (home, text->str);
  g_string_free (text, TRUE);
  return kept;
}

static const char *const *
view_authorization (SipStack *stack, const msg_auth_t *auth)
{
  g_autofree char *realm = g_strdup_printf ("\"%s\"", stack->realm);
  for (; auth != NULL; auth = auth->au_next) {
    const char *said = auth->au_params != NULL ? msg_params_find (auth->au_params, "realm=") : NULL;
    if (auth->au_scheme != NULL && g_ascii_strcasecmp (auth->au_scheme, "Digest") == 0 && said != NULL &&
        strcmp (said, realm) == 0)
      return (const char *const *) auth->au_params;
  }
  return NULL;
}

/* The first Via is the fence's. */
static gboolean
view_looped (SipStack *stack, const sip_via_t *via)
{
  for (via = via->v_next; via != NULL; via = via->v_next)
    if (via->v_host != NULL && g_ascii_strcasecmp (via->v_host, stack->host) == 0 &&
        strcmp (via->v_port != NULL ? via->v_port : "5061", stack->port_text) == 0)
      return TRUE;
  return FALSE;
}

static void
view_fill (SipView *view, Room *room, SipRequest *request, su_home_t *home, sip_t const *sip)
{
  SipStack *stack = request->stack;
  *view = (SipView){
    .flow = &request->from->flow,
    .method = sip->sip_request->rq_method_name,
    .target = view_uri (room, sip->sip_request->rq_url),
    .from = view_uri (room, sip->sip_from->a_url),
    .to = view_uri (room, sip->sip_to->a_url),
    .target_text = url_as_string (home, sip->sip_request->rq_url),
    .from_tag = sip->sip_from->a_tag,
    .to_tag = sip->sip_to->a_tag,
    .call_id = sip->sip_call_id->i_id,
    .cseq = sip->sip_cseq->cs_seq,
    .max_forwards = sip->sip_max_forwards != NULL ? (gint) MIN (sip->sip_max_forwards->mf_count, 255) : -1,
    .looped = view_looped (stack, sip->sip_via),
    .expires_s = sip->sip_expires == NULL
                     ? -1
                     : (gint64) (sip->sip_expires->ex_date != 0 ? G_MAXUINT32 : sip->sip_expires->ex_delta),
    .require = view_list (home, (const msg_list_t *) sip->sip_require),
    .proxy_require = view_list (home, (const msg_list_t *) sip->sip_proxy_require),
    .authorization = view_authorization (stack, sip->sip_authorization),
    .proxy_authorization = view_authorization (stack, sip->sip_proxy_authorization)
  };
  if (sip->sip_route != NULL)
    view->route = view_uri (room, sip->sip_route->r_url);
  for (const sip_route_t *route = sip->sip_route; route != NULL; route = route->r_next)
    view->routes++;
  view_contacts (view, room, home, sip->sip_contact);
}

/* ---- one comes ---- */

static gboolean
request_complete (sip_t const *sip)
{
  return sip->sip_error == NULL && sip->sip_request != NULL && sip->sip_from != NULL && sip->sip_to != NULL &&
         sip->sip_call_id != NULL && sip->sip_cseq != NULL && sip->sip_via != NULL;
}

/* Too many under way: who asks again later is told when. */
static gboolean
request_room (SipRequest *request)
{
  const SipStackLimits *limits = &request->stack->limits;
  if (request->method == sip_method_ack || (request->stack->requests.length <= limits->transactions &&
                                            request->from->flow.under_way <= limits->per_flow))
    return TRUE;
  far_count ("SIP requests", 1);
  sip_request_answer (request, 503, NULL, "Retry-After: " G_STRINGIFY (RETRY_S) "\n");
  return FALSE;
}

static void
request_hand_over (SipRequest *request, sip_t const *sip)
{
  SipStack *stack = request->stack;
  su_home_t home[1] = { SU_HOME_INIT (home) };
  Room room = { .used = 0 };
  SipView view;
  view_fill (&view, &room, request, home, sip);
  stack->spec.request (request, &view, stack->spec.user);
  su_home_deinit (home);
}

/* An ACK, which is not answered, has no way back. */
static tport_t *
request_tport (SipStack *stack, nta_incoming_t *in)
{
  tport_t *tport = nta_incoming_transport (stack->agent, in, NULL);
  msg_t *message = tport == NULL ? nta_incoming_getrequest (in) : NULL;
  if (message == NULL)
    return tport;
  tport = tport_delivered_by (nta_agent_tports (stack->agent), message);
  msg_destroy (message);
  return tport != NULL ? tport_ref (tport) : NULL;
}

static FlowIn *
request_flow (SipStack *stack, nta_incoming_t *in)
{
  tport_t *tport = request_tport (stack, in);
  FlowIn *flow = tport != NULL ? sip_stack_by_tport (stack, tport) : NULL;
  if (tport != NULL)
    tport_unref (tport);
  return flow;
}

/* Of the library: 0 is "mine". A CANCEL that comes here has no transaction. */
int
sip_request_came (SipStack *stack, nta_leg_t *leg, nta_incoming_t *in, sip_t const *sip)
{
  FlowIn *flow = request_flow (stack, in);
  SipRequest *request;
  if (flow == NULL) {
    nta_incoming_destroy (in);
    return 0;
  }
  request = request_new (stack, flow, in, sip);
  if (!request_complete (sip))
    sip_request_answer (request, 400, NULL, NULL);
  else if (request->method == sip_method_cancel)
    sip_request_answer (request, 481, NULL, NULL);
  else if (request_room (request))
    request_hand_over (request, sip);
  return 0;
}
