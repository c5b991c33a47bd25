/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domain: which connections there are, whose they are, who is registered by which. An account may have a
 * few connections (a lost one is noticed late), of which one has its binding; a further one ends the oldest
 * that has none. One that nobody is registered by and nothing comes from is not kept. */
#include "config.h"

#include "registrar.h"

#include <sodium.h>
#include <string.h>

#define IDLE_US (60 * (gint64) G_USEC_PER_SEC)

void
sip_domain_limits (const RegistrarOptions *options, SipDomainLimits *limits)
{
  *limits = (SipDomainLimits){ .registrations = (guint) options->registrations,
                               .per_account = (guint) options->per_account,
                               .expires_s = options->expires / G_USEC_PER_SEC,
                               .min_expires_s = options->min_expires / G_USEC_PER_SEC };
}

SipDomain *
sip_domain_new (FarInstance *at, const RegistrarOptions *options, const char *host, guint port,
                SipDigest *digest)
{
  SipDomain *domain = g_new0 (SipDomain, 1);
  domain->at = at;
  domain->name = g_strdup (options->domain);
  domain->host = g_strdup (host);
  domain->port = port;
  domain->proof = (RegistrarProof) options->proof;
  domain->digest = digest;
  domain->flows = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
  sip_domain_limits (options, &domain->limits);
  domain->bindings = sip_bindings_new (domain->limits.registrations);
  randombytes_buf (domain->key, sizeof domain->key);
  return domain;
}

void
sip_domain_free (SipDomain *domain)
{
  if (domain == NULL)
    return;
  sip_bindings_free (domain->bindings);
  sip_digest_free (domain->digest);
  g_hash_table_unref (domain->flows);
  sodium_memzero (domain->key, sizeof domain->key);
  g_free (domain->name);
  g_free (domain->host);
  g_free (domain);
}

/* ---- whose connections ---- */

/* The oldest that has no binding and is not the newcomer. */
static void
flows_bound (SipDomain *domain, GPtrArray *flows, const SipFlow *newcomer)
{
  for (guint i = 0; flows->len > domain->limits.per_account && i < flows->len; i++) {
    SipFlow *flow = flows->pdata[i];
    if (flow == newcomer || flow->bound || flow->leaving)
      continue;
    flow->leaving = TRUE;
    sip_guest_close (flow->peer, "its account has newer connections");
    return;
  }
}

static void
flow_keep (SipDomain *domain, SipFlow *flow)
{
  GPtrArray *flows = g_hash_table_lookup (domain->flows, flow->account);
  if (flows == NULL) {
    flows = g_ptr_array_new ();
    g_hash_table_insert (domain->flows, g_strdup (flow->account), flows);
  }
  g_ptr_array_add (flows, flow);
  flows_bound (domain, flows, flow);
}

gboolean
sip_domain_prove (SipDomain *domain, SipFlow *flow, const char *account)
{
  if (flow->account != NULL && strcmp (flow->account, account) != 0)
    return FALSE;
  if (flow->account == NULL) {
    flow->account = g_strdup (account);
    flow_keep (domain, flow);
  }
  flow->proved = TRUE;
  sip_guest_proved (flow->peer);
  return TRUE;
}

void
sip_domain_flow_came (SipFlow *flow, gpointer data)
{
  SipDomain *domain = data;
  flow->proved = flow->account != NULL && domain->proof != REGISTRAR_BOTH;
  if (flow->account != NULL)
    flow_keep (domain, flow);
}

void
sip_domain_flow_gone (SipFlow *flow, gpointer data)
{
  SipDomain *domain = data;
  GPtrArray *flows = flow->account != NULL ? g_hash_table_lookup (domain->flows, flow->account) : NULL;
  if (flow->account != NULL)
    sip_bindings_drop (domain->bindings, flow->account, flow->id);
  if (flows != NULL) {
    g_ptr_array_remove (flows, flow);
    if (flows->len == 0)
      g_hash_table_remove (domain->flows, flow->account);
  }
  sip_guest_unref (flow->peer);
}

/* ---- time ---- */

static void
binding_expired (guint64 id, gpointer data)
{
  SipDomain *domain = data;
  SipFlow *flow = sip_stack_flow (domain->stack, id);
  if (flow != NULL)
    flow->bound = FALSE;
}

static void
flow_look (SipFlow *flow, gint64 now_us)
{
  if (flow->bound || flow->leaving || flow->under_way > 0 || now_us - flow->used_us < IDLE_US)
    return;
  flow->leaving = TRUE;
  sip_guest_close (flow->peer, "nobody is registered by it");
}

void
sip_domain_second (gpointer data)
{
  SipDomain *domain = data;
  gint64 now_us = far_clock_boottime_us ();
  GHashTableIter iter;
  gpointer flows;
  sip_bindings_expire (domain->bindings, now_us, binding_expired, domain);
  g_hash_table_iter_init (&iter, domain->flows);
  while (g_hash_table_iter_next (&iter, NULL, &flows))
    for (guint i = 0; i < ((GPtrArray *) flows)->len; i++)
      flow_look (((GPtrArray *) flows)->pdata[i], now_us);
}

/* ---- words ---- */

/* Of our own domain, or of the place where we are reached. No name is looked up. */
gboolean
sip_domain_here (const SipDomain *domain, const SipUri *uri)
{
  g_autofree char *port = g_strdup_printf ("%u", domain->port);
  return uri->host != NULL &&
         (g_ascii_strcasecmp (uri->host, domain->name) == 0 ||
          g_ascii_strcasecmp (uri->host, domain->host) == 0) &&
         (uri->port == NULL || *uri->port == '\0' || strcmp (uri->port, port) == 0);
}

static char *
wall_text (gint64 boottime_us)
{
  return far_clock_format (far_clock_wall_us () + boottime_us - far_clock_boottime_us ());
}

static json_t *
binding_show (SipDomain *domain, const SipBinding *binding)
{
  SipFlow *flow = sip_stack_flow (domain->stack, binding->flow);
  g_autofree char *since = far_clock_format (binding->since_wall_us), *seen = NULL, *expires = NULL,
                  *from = NULL;
  if (flow == NULL)
    return NULL;
  seen = wall_text (sip_guest_seen_us (flow->peer));
  expires = wall_text (binding->expires_us);
  from = g_strdup_printf (strchr (flow->address, ':') != NULL ? "[%s]:%u" : "%s:%u", flow->address,
                          flow->port);
  return json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "account", binding->account, "transport", "tls",
                    "address", from, "contact", binding->contact, "since", since, "seen", seen, "expires",
                    expires);
}

json_t *
sip_domain_show (SipDomain *domain)
{
  g_autoptr (GPtrArray) list = sip_bindings_list (domain->bindings);
  json_t *rows = json_array ();
  for (guint i = 0; i < list->len; i++) {
    json_t *row = binding_show (domain, list->pdata[i]);
    if (row != NULL)
      json_array_append_new (rows, row);
  }
  return rows;
}
