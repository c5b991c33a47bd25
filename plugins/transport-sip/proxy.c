/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of a request (RFC 3261 16.3 to 16.6), decided in the order of that text: is it one that can
 * be passed on, who asks, where does it go. It goes to an account of the own domain, by the connection that
 * the account is registered by, and nowhere else. */
#include "config.h"

#include "registrar.h"

#include <string.h>

#define ALLOW "Allow: REGISTER, OPTIONS, INVITE, ACK, BYE, CANCEL\nAccept: application/sdp\n"

/* ---- who asks ---- */

static void
proxy_challenge (SipDomain *domain, SipRequest *request, const SipView *view, gboolean proxy, gboolean stale)
{
  g_autofree char *value = sip_digest_challenge (domain->digest, view->flow->id, far_clock_boottime_us (),
                                                 stale);
  g_autofree char *header = g_strdup_printf ("%s: %s\n", proxy ? "Proxy-Authenticate" : "WWW-Authenticate",
                                             value);
  sip_request_answer (request, proxy ? 407 : 401, NULL, header);
}

static gboolean
proxy_login (SipDomain *domain, SipRequest *request, const SipView *view, gboolean proxy)
{
  const char *const *params = proxy ? view->proxy_authorization : view->authorization;
  const SipDigestAsk ask = { .method = view->method,
                             .uri = view->target_text,
                             .flow = view->flow->id,
                             .now_us = far_clock_boottime_us (),
                             .nonce = &view->flow->nonce,
                             .nonce_count = &view->flow->nonce_count };
  const char *user = NULL;
  SipDigestVerdict verdict = params != NULL ? sip_digest_check (domain->digest, params, &ask, &user)
                                            : SIP_DIGEST_BAD;
  if (verdict != SIP_DIGEST_GOOD) {
    if (params != NULL && verdict == SIP_DIGEST_BAD) {
      far_count ("logins", 1);
      far_log_limited (domain->at, "digest", _ ("a login by digest from %s failed"), view->flow->address);
    }
    proxy_challenge (domain, request, view, proxy, verdict == SIP_DIGEST_STALE);
    return FALSE;
  }
  if (far_object_name_ok (user) && sip_domain_prove (domain, view->flow, user))
    return TRUE;
  sip_request_answer (request, 403, NULL, NULL);
  return FALSE;
}

/* A connection proves itself once. */
gboolean
sip_proxy_proved (SipDomain *domain, SipRequest *request, const SipView *view, gboolean proxy)
{
  if (view->flow->proved || (domain->digest != NULL && strcmp (view->method, "ACK") != 0 &&
                             proxy_login (domain, request, view, proxy)))
    return TRUE;
  if (domain->digest == NULL)
    sip_request_answer (request, 403, NULL, NULL);
  else if (strcmp (view->method, "ACK") == 0)
    sip_request_drop (request);
  return FALSE;
}

/* ---- where to ---- */

static void
proxy_forward (SipDomain *domain, SipRequest *request, const SipView *view, const SipBinding *binding,
               gboolean in_dialog, guint routes)
{
  SipFlow *flow = sip_stack_flow (domain->stack, binding->flow);
  g_autofree char *word = NULL, *record_route = NULL;
  if (flow == NULL) {
    sip_request_answer (request, 430, "Flow Failed", NULL);
    return;
  }
  if (strcmp (view->method, "INVITE") == 0) {
    word = sip_route_word (domain->key, view->flow->account, binding->account);
    record_route = g_strdup_printf ("<sip:%s@%s:%u;transport=tls;lr>", word, domain->host, domain->port);
  }
  const SipForward how = { .to = flow,
                           .target = in_dialog ? NULL : binding->contact,
                           .routes = routes,
                           .record_route = record_route };
  sip_request_forward (request, &how);
}

static void
to_account (SipDomain *domain, SipRequest *request, const SipView *view, const char *account,
            gboolean in_dialog, guint routes)
{
  const SipBinding *binding = sip_bindings_find (domain->bindings, account, far_clock_boottime_us ());
  if (binding != NULL)
    proxy_forward (domain, request, view, binding, in_dialog, routes);
  else if (sip_bindings_known (domain->bindings, account) ||
           (domain->digest != NULL && sip_digest_knows (domain->digest, account)))
    sip_request_answer (request, 480, NULL, "Retry-After: 30\n");
  else
    sip_request_answer (request, 404, NULL, NULL);
}

/* By the Record-Route of its INVITE, which led both sides to put this in front of it. */
static void
in_dialog (SipDomain *domain, SipRequest *request, const SipView *view)
{
  g_autofree char *other = sip_route_other (domain->key, view->route.user, view->flow->account);
  if (other == NULL || view->routes != 1)
    sip_request_answer (request, 403, NULL, NULL);
  else
    to_account (domain, request, view, other, TRUE, 1);
}

static gboolean
route_here (const SipDomain *domain, const SipView *view)
{
  return view->routes == 0 || (view->routes == 1 && sip_domain_here (domain, &view->route));
}

static void
proxy_send (SipDomain *domain, SipRequest *request, const SipView *view)
{
  if (view->routes > 0 && sip_domain_here (domain, &view->route) && view->route.user != NULL)
    in_dialog (domain, request, view);
  else if (!route_here (domain, view) || !sip_domain_here (domain, &view->target))
    sip_request_answer (request, 403, "Foreign Domain", NULL);
  else if (view->target.user != NULL && far_object_name_ok (view->target.user))
    to_account (domain, request, view, view->target.user, FALSE, view->routes);
  else if (view->target.user == NULL && strcmp (view->method, "OPTIONS") == 0)
    sip_request_answer (request, 200, NULL, ALLOW);
  else
    sip_request_answer (request, 404, NULL, NULL);
}

/* ---- is it one ---- */

static gboolean
scheme_good (const SipUri *uri)
{
  return g_ascii_strcasecmp (uri->scheme, "sip") == 0 || g_ascii_strcasecmp (uri->scheme, "sips") == 0;
}

/* 16.3 in its order; 0: fine. */
static guint
proxy_fault (const SipView *view)
{
  if (!scheme_good (&view->target))
    return 416;
  if (view->target.host == NULL)
    return 400;
  if (view->max_forwards == 0)
    return 483;
  if (view->looped)
    return 482;
  return view->proxy_require != NULL ? 420 : 0;
}

/* Nobody speaks in another's name. */
static gboolean
from_good (const SipDomain *domain, const SipView *view)
{
  return scheme_good (&view->from) && sip_domain_here (domain, &view->from) && view->from.user != NULL &&
         strcmp (view->from.user, view->flow->account) == 0;
}

void
sip_proxy_request (SipRequest *request, const SipView *view, gpointer data)
{
  SipDomain *domain = data;
  guint fault = proxy_fault (view);
  g_autofree char *unsupported = NULL;
  view->flow->used_us = far_clock_boottime_us ();
  if (fault != 0) {
    if (fault == 420)
      unsupported = g_strdup_printf ("Unsupported: %s\n", view->proxy_require);
    sip_request_answer (request, fault, NULL, unsupported);
  } else if (strcmp (view->method, "REGISTER") == 0 && view->target.user == NULL &&
             sip_domain_here (domain, &view->target)) {
    sip_register (domain, request, view);
  } else if (sip_proxy_proved (domain, request, view, TRUE)) {
    if (!from_good (domain, view))
      sip_request_answer (request, 403, NULL, NULL);
    else
      proxy_send (domain, request, view);
  }
}
