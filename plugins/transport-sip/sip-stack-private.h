/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of the stack: the one place that sees sofia-sip. */
#pragma once
#include "sip-stack.h"

#define SU_ROOT_MAGIC_T struct _SipStack
#define SU_WAKEUP_ARG_T struct _SipStack
#define NTA_AGENT_MAGIC_T struct _SipStack
#define NTA_LEG_MAGIC_T struct _SipStack
#define NTA_INCOMING_MAGIC_T struct _SipRequest
#define NTA_OUTGOING_MAGIC_T struct _SipRequest

#include <sofia-sip/su_log.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>

G_BEGIN_DECLS

/* A flow as the stack has it. */
typedef struct {
  SipFlow flow; /* first */
  SipStack *stack;
  guint local;     /* port by which it is known at the stack's socket */
  tport_t *tport;  /* NULL: nothing has come by it yet */
  GQueue requests; /* of SipRequest: from it */
  GQueue targeted; /* to it */
} FlowIn;

struct _SipStack {
  gint refs;
  FarInstance *at;
  FarLoop *loop;
  GThread *thread;
  int wake; /* eventfd */
  gint stopping;
  void (*begun) (const GError *error, gpointer user); /* [main] NULL: nobody is told */
  gpointer begun_user;
  GError *error;
  /* loop */
  SipStackSpec spec;
  char *host, *port_text, *realm;
  SipStackLimits limits;
  su_root_t *root;
  nta_agent_t *agent;
  nta_leg_t *leg;
  tport_t *primary;
  guint listens; /* its loopback port */
  guint64 last_flow;
  GHashTable *by_port, *by_id; /* of FlowIn */
  GQueue requests;             /* of SipRequest: under way, the oldest first */
  FarLoopTimer *tick;
};

struct _SipRequest {
  SipStack *stack;
  FlowIn *from, *to; /* NULL: gone, or not forwarded */
  nta_incoming_t *in;
  nta_outgoing_t *out;
  sip_method_t method;
  gboolean invite, rings, cancelled, cancel_sent;
  gboolean creating;      /* inside of the call that makes `out` */
  guint early;            /* what failed in there */
  gint64 until_us;        /* boottime */
  GList all, own, target; /* links of the three queues */
};

/* sip-request.c */
int sip_request_came (SipStack *stack, nta_leg_t *leg, nta_incoming_t *in, sip_t const *sip);
void sip_request_free (SipRequest *request);
/* sip-forward.c */
void sip_forward_expire (SipStack *stack);
/* Its caller or its target has gone. */
void sip_forward_abandon (SipRequest *request);
void sip_forward_target_gone (SipRequest *request);
/* sip-stack.c */
FlowIn *sip_stack_by_tport (SipStack *stack, tport_t *tport);
gboolean sip_flow_writable (const FlowIn *flow);

G_END_DECLS
