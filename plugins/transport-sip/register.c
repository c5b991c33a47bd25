/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* REGISTER (RFC 3261 10.3), in its steps: whose domain, what is required, who it is, whose binding, then the
 * contacts, all of them or none. An account has one binding, so one contact that lasts. */
#include "config.h"

#include "registrar.h"

#include <string.h>

#define CONTACT_MAX 512

/* What the contacts ask for, together. */
typedef struct {
  const SipContact *kept; /* the one that shall last; NULL: none */
  gint64 expires_s;
  gboolean all; /* "*" */
} Wish;

static gint64
contact_expires (const SipDomain *domain, const SipView *view, const SipContact *contact)
{
  if (contact->expires_s >= 0)
    return contact->expires_s;
  return view->expires_s >= 0 ? view->expires_s : domain->limits.expires_s;
}

/* 0: fine; else what is answered. */
static guint
contact_fault (const SipContact *contact)
{
  if (g_ascii_strcasecmp (contact->uri.scheme, "sip") != 0 &&
      g_ascii_strcasecmp (contact->uri.scheme, "sips") != 0)
    return 416;
  return contact->uri.host == NULL || contact->text == NULL || strlen (contact->text) > CONTACT_MAX ||
                 strpbrk (contact->text, "?<> \t\r\n\"") != NULL
             ? 400
             : 0;
}

static guint
wish_read (const SipDomain *domain, const SipView *view, Wish *wish)
{
  if (view->contacts > SIP_CONTACTS_MAX)
    return 400;
  for (guint i = 0; i < view->contacts; i++) {
    const SipContact *contact = &view->contact[i];
    gint64 expires_s = contact_expires (domain, view, contact);
    guint fault = contact->any ? 0 : contact_fault (contact);
    if (fault != 0)
      return fault;
    if (contact->any) {
      wish->all = TRUE;
      if (view->contacts != 1 || view->expires_s != 0)
        return 400;
    } else if (expires_s > 0) {
      if (wish->kept != NULL)
        return 403;
      wish->kept = contact;
      wish->expires_s = MIN (expires_s, domain->limits.expires_s);
      if (expires_s < domain->limits.min_expires_s)
        return 423;
    }
  }
  return 0;
}

static void
register_list (SipDomain *domain, SipRequest *request, const char *account)
{
  gint64 now_us = far_clock_boottime_us ();
  const SipBinding *binding = sip_bindings_find (domain->bindings, account, now_us);
  g_autofree char *headers = NULL;
  if (binding != NULL)
    headers = g_strdup_printf ("Contact: <%s>;expires=%" G_GINT64_FORMAT "\n", binding->contact,
                               (binding->expires_us - now_us + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC);
  sip_request_answer (request, 200, NULL, headers);
}

/* The connection that lost its binding is of no more use: its account speaks by another one. */
static void
flow_replaced (SipDomain *domain, guint64 id)
{
  SipFlow *flow = id != 0 ? sip_stack_flow (domain->stack, id) : NULL;
  if (flow == NULL)
    return;
  flow->bound = FALSE;
  flow->leaving = TRUE;
  sip_guest_close (flow->peer, "its account is registered by another connection");
}

static SipBindingResult
register_put (SipDomain *domain, const SipView *view, const char *contact, gint64 expires_s)
{
  const SipBindingAsk ask = { .account = view->flow->account,
                              .flow = view->flow->id,
                              .contact = contact,
                              .call_id = view->call_id,
                              .cseq = view->cseq,
                              .expires_s = expires_s,
                              .now_us = far_clock_boottime_us (),
                              .now_wall_us = far_clock_wall_us () };
  const SipBinding *old = sip_bindings_find (domain->bindings, ask.account, ask.now_us), *now;
  SipFlow *former = old != NULL ? sip_stack_flow (domain->stack, old->flow) : NULL;
  guint64 replaced = 0;
  SipBindingResult result = sip_bindings_put (domain->bindings, &ask, &replaced);
  now = sip_bindings_find (domain->bindings, ask.account, ask.now_us);
  flow_replaced (domain, replaced);
  if (former != NULL && now == NULL)
    former->bound = FALSE;
  view->flow->bound = now != NULL && now->flow == view->flow->id;
  return result;
}

/* What shall go, then what shall last. */
static SipBindingResult
register_do (SipDomain *domain, const SipView *view, const Wish *wish)
{
  SipBindingResult result = SIP_BINDING_DONE;
  if (wish->all)
    return register_put (domain, view, NULL, 0);
  if (wish->kept != NULL)
    return register_put (domain, view, wish->kept->text, wish->expires_s);
  for (guint i = 0; i < view->contacts && result == SIP_BINDING_DONE; i++)
    result = register_put (domain, view, view->contact[i].text, 0);
  return result;
}

static void
register_contacts (SipDomain *domain, SipRequest *request, const SipView *view)
{
  Wish wish = { .kept = NULL };
  guint fault = wish_read (domain, view, &wish);
  g_autofree char *min = g_strdup_printf ("Min-Expires: %" G_GINT64_FORMAT "\n",
                                          domain->limits.min_expires_s);
  if (fault != 0) {
    sip_request_answer (request, fault, fault == 403 ? "One Contact Only" : NULL, fault == 423 ? min : NULL);
    return;
  }
  switch (register_do (domain, view, &wish)) {
  case SIP_BINDING_OLD:
    sip_request_answer (request, 500, "Out Of Order", NULL);
    return;
  case SIP_BINDING_FULL:
    sip_request_answer (request, 503, NULL, "Retry-After: 60\n");
    return;
  case SIP_BINDING_DONE:
  default:
    register_list (domain, request, view->flow->account);
  }
}

void
sip_register (SipDomain *domain, SipRequest *request, const SipView *view)
{
  g_autofree char *unsupported = NULL;
  if (view->require != NULL) {
    unsupported = g_strdup_printf ("Unsupported: %s\n", view->require);
    sip_request_answer (request, 420, NULL, unsupported);
  } else if (!sip_domain_here (domain, &view->to) || view->to.user == NULL ||
             !far_object_name_ok (view->to.user)) {
    sip_request_answer (request, 404, NULL, NULL);
  } else if (sip_proxy_proved (domain, request, view, FALSE)) {
    if (strcmp (view->to.user, view->flow->account) != 0)
      sip_request_answer (request, 403, NULL, NULL);
    else
      register_contacts (domain, request, view);
  }
}
