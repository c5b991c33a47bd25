/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fence: what stands between one peer's TLS stream and the stack. It hands whole messages over, one way
 * as sip_text_in() makes them, the other as sip_text_out() does, and refuses the rest by itself; it answers
 * pings (RFC 5626 4.4.1), and ends a connection that sends half a message and then nothing, or too much that
 * is no message. It lives at the loop of its streams. */
#pragma once
#include <farwatch/plugin.h>

G_BEGIN_DECLS

#define SIP_FENCE_MESSAGE_US (10 * (gint64) G_USEC_PER_SEC) /* for a message, from its first byte on */
#define SIP_FENCE_FAULTS_MAX 16                             /* bad messages of one connection */

typedef struct _SipFence SipFence;

typedef struct {
  guint64 flow;
  const char *address; /* of the peer; copied */
  guint port;
  gsize message_max;
  /* [loop] Once, when it has ended: its streams are gone. cause: static or interned. */
  void (*ended) (const char *cause, gpointer user);
  gpointer user;
} SipFenceSpec;

/* Takes both streams, which have no user. The caller has one reference. [loop] */
SipFence *sip_fence_new (FarStream *peer, FarStream *stack, const SipFenceSpec *spec);
SipFence *sip_fence_ref (SipFence *fence); /* [any thread] */
void sip_fence_unref (gpointer fence);     /* [any thread] */
/* Ends it at its loop; one that has ended already is fine. cause: static. [any thread] */
void sip_fence_close (SipFence *fence, const char *cause);
/* The same at once: ended() has run when it returns. [loop] */
void sip_fence_end (SipFence *fence, const char *cause);
/* When something last came from the peer (boottime, us). [any thread] */
gint64 sip_fence_seen_us (SipFence *fence);

G_END_DECLS
