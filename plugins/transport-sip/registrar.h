/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of the service `registrar`. Three threads: main has the instance, its options and the list for
 * people; an I/O thread has the listener, TLS and the fences; the stack's thread has what is decided about
 * messages, the *domain*. They hand over by message. */
#pragma once
#include "bindings.h"
#include "digest.h"
#include "route.h"
#include "sip-stack.h"

#include <farwatch/acceptor.h>
#include <farwatch/plugin.h>
#include <farwatch/tls.h>

G_BEGIN_DECLS

typedef enum { REGISTRAR_CERTIFICATE, REGISTRAR_DIGEST, REGISTRAR_EITHER, REGISTRAR_BOTH } RegistrarProof;

typedef struct {
  char *listen, *domain, *advertise, *cert, *key, *ca, *users;
  int proof; /* RegistrarProof */
  gint64 connections, unverified, per_address;
  GStrv trusted;
  gint64 per_account, registrations, transactions, per_connection, message_size;
  gint64 expires, min_expires, answer, ringing;
} RegistrarOptions;

extern const FarOption registrar_option_table[];

/* ---- the listener (server.c) ---- */

typedef struct _SipServer SipServer;
typedef struct _SipGuest SipGuest;

/* fd is core's. [main] */
SipServer *
sip_server_new (FarInstance *at, const RegistrarOptions *options, int fd, SipStack *stack, GError **error);
void sip_server_reload (SipServer *server, const RegistrarOptions *options); /* [main] */
/* All of it ends; the socket may be closed when this returns. NULL is fine. [main] */
void sip_server_free (SipServer *server);
/* Of a flow's `peer`. [any thread] */
void sip_guest_close (SipGuest *guest, const char *cause);
void sip_guest_proved (SipGuest *guest);
gint64 sip_guest_seen_us (SipGuest *guest);
void sip_guest_unref (gpointer guest);

/* ---- the domain, [loop] of the stack ---- */

typedef struct {
  guint registrations, per_account;
  gint64 expires_s, min_expires_s;
} SipDomainLimits;

typedef struct {
  FarInstance *at;
  SipStack *stack;
  char *name, *host; /* of the domain; of our own URIs */
  guint port;
  RegistrarProof proof;
  SipDigest *digest; /* NULL: none */
  SipBindings *bindings;
  SipDomainLimits limits;
  GHashTable *flows; /* account → GPtrArray of its flows, the oldest first */
  guint8 key[SIP_ROUTE_KEY];
} SipDomain;

/* domain.c */
SipDomain *sip_domain_new (FarInstance *at, const RegistrarOptions *options, const char *host, guint port,
                           SipDigest *digest /* takes */);
void sip_domain_free (SipDomain *domain); /* NULL is fine */
void sip_domain_limits (const RegistrarOptions *options, SipDomainLimits *limits);
void sip_domain_flow_came (SipFlow *flow, gpointer domain);
void sip_domain_flow_gone (SipFlow *flow, gpointer domain);
void sip_domain_second (gpointer domain);
/* The flow has proved to be an account's. FALSE: it is another's already. */
gboolean sip_domain_prove (SipDomain *domain, SipFlow *flow, const char *account);
gboolean sip_domain_here (const SipDomain *domain, const SipUri *uri);
json_t *sip_domain_show (SipDomain *domain);

/* proxy.c */
void sip_proxy_request (SipRequest *request, const SipView *view, gpointer domain);
/* FALSE: the request has been answered. */
gboolean sip_proxy_proved (SipDomain *domain, SipRequest *request, const SipView *view, gboolean proxy);
/* register.c */
void sip_register (SipDomain *domain, SipRequest *request, const SipView *view);

G_END_DECLS
