/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is registered: one binding an account, tied to the connection that it was made by (RFC 3261 10.3). A
 * newer one takes the place of an older one. The table knows no message and no clock of its own.
 * Functions are [one thread]. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef struct _SipBindings SipBindings;

typedef struct {
  const char *account;
  guint64 flow;
  char *contact; /* URI */
  char *call_id;
  guint32 cseq;
  gint64 expires_us, since_wall_us; /* boottime; wall */
} SipBinding;

typedef struct {
  const char *account;
  guint64 flow;
  const char *contact; /* NULL: of all ("*"), with expires_s 0 */
  const char *call_id;
  guint32 cseq;
  gint64 expires_s; /* 0: away with it */
  gint64 now_us, now_wall_us;
} SipBindingAsk;

typedef enum {
  SIP_BINDING_DONE,
  SIP_BINDING_OLD, /* an earlier request than the one that made what stands */
  SIP_BINDING_FULL
} SipBindingResult;

SipBindings *sip_bindings_new (guint max);
void sip_bindings_free (SipBindings *bindings);
void sip_bindings_set_max (SipBindings *bindings, guint max); /* who is in stays */
guint sip_bindings_count (SipBindings *bindings);

/* *replaced: the connection that lost its binding by this; 0: none. */
SipBindingResult sip_bindings_put (SipBindings *bindings, const SipBindingAsk *ask, guint64 *replaced);
/* NULL: not registered at now_us. Valid until the next change. */
const SipBinding *sip_bindings_find (SipBindings *bindings, const char *account, gint64 now_us);
/* Whether the account has been registered since the table was made (some 65536 are remembered). */
gboolean sip_bindings_known (SipBindings *bindings, const char *account);
/* The connection has gone. TRUE: a binding went with it. */
gboolean sip_bindings_drop (SipBindings *bindings, const char *account, guint64 flow);
/* Drops what has run out; gone(flow) for each. */
void sip_bindings_expire (SipBindings *bindings, gint64 now_us, void (*gone) (guint64 flow, gpointer user),
                          gpointer user);
/* All, sorted by account; the container is the caller's. */
GPtrArray *sip_bindings_list (SipBindings *bindings);

G_END_DECLS
