/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection's fence: two directions, each with what is not a whole message yet and what could not be
 * written yet. A direction that cannot write does not read, so a peer that reads nothing holds no memory
 * beyond one message. The stack's side is trusted for its form, but not for its size. */
#include "config.h"

#include "fence.h"

#include "sip-text.h"

#define STACK_MAX ((gsize) 2 * 1024 * 1024) /* of one message that the stack writes */
#define LINGER_MS 2000
#define STEPS_MAX 256 /* messages and reads before others get their turn */

typedef struct {
  FarStream *from, *to;
  GByteArray *in, *out; /* NULL: nothing */
  gsize wanted;         /* bytes in `in` before it is worth another look */
  gboolean over;        /* its input has ended */
} Way;

struct _SipFence {
  gint refs;
  FarLoop *loop;
  /* loop */
  FarStream *peer, *stack;
  Way up, down; /* from the peer; to it */
  SipTextSource source;
  char *address;
  gsize message_max;
  guint faults;
  FarLoopTimer *patience;
  void (*ended) (const char *cause, gpointer user);
  gpointer user;
  const char *cause; /* set: to be ended as soon as nobody is inside */
  gboolean inside;
  gboolean paused; /* the peer is not read before it has read what is there for it */
  /* any thread */
  gint64 seen_us;
};

/* ---- life ---- */

SipFence *
sip_fence_ref (SipFence *fence)
{
  g_atomic_int_inc (&fence->refs);
  return fence;
}

void
sip_fence_unref (gpointer data)
{
  SipFence *fence = data;
  if (!g_atomic_int_dec_and_test (&fence->refs))
    return;
  g_free (fence->address);
  g_free (fence);
}

static void
way_clear (Way *way)
{
  g_clear_pointer (&way->in, g_byte_array_unref);
  g_clear_pointer (&way->out, g_byte_array_unref);
}

/* What is still to be said to the peer (a refusal) goes out behind us. So does the rest of a message to the
 * stack, which then hears that this is the end, and is heard out: it loses memory where a connection ends in
 * the middle of a message, or where an answer of its own fails inside of what it reads. */
static void
stream_drop (FarStream **stream, GByteArray *rest)
{
  far_stream_take (*stream, NULL, NULL);
  if ((*stream)->closed) {
    far_stream_free (*stream);
    g_clear_pointer (&rest, g_byte_array_unref);
  } else {
    far_stream_linger (*stream, rest, LINGER_MS, NULL);
  }
  *stream = NULL;
}

void
sip_fence_end (SipFence *fence, const char *cause)
{
  if (fence->peer == NULL)
    return;
  if (fence->inside) {
    fence->cause = fence->cause != NULL ? fence->cause : cause;
    return;
  }
  g_clear_pointer (&fence->patience, far_loop_timer_free);
  stream_drop (&fence->peer, g_steal_pointer (&fence->down.out));
  stream_drop (&fence->stack, g_steal_pointer (&fence->up.out));
  way_clear (&fence->up);
  way_clear (&fence->down);
  fence->ended (cause, fence->user);
}

/* ---- bytes ---- */

static GByteArray *
fence_bytes (GByteArray **bytes)
{
  if (*bytes == NULL)
    *bytes = g_byte_array_new ();
  return *bytes;
}

static void
fence_skip (GByteArray **bytes, gsize amount)
{
  if (amount > 0)
    g_byte_array_remove_range (*bytes, 0, (guint) amount);
  if ((*bytes)->len == 0)
    g_clear_pointer (bytes, g_byte_array_unref);
}

/* FALSE: the other side takes no more now. */
static gboolean
way_flush (Way *way)
{
  if (way->out != NULL && way->out->len == 0)
    g_clear_pointer (&way->out, g_byte_array_unref);
  while (way->out != NULL) {
    FarBurst burst = { .n = 1, .bytes = way->out->len };
    gsize taken;
    burst.frames[0] = (FarFrame){ .data = way->out->data, .size = burst.bytes };
    taken = way->to->klass->write (way->to, &burst);
    fence_skip (&way->out, taken);
    if (taken < burst.bytes)
      return FALSE;
  }
  return TRUE;
}

/* FALSE: there is nothing more to read now. */
static gboolean
way_read (Way *way)
{
  FarBurst burst;
  way->from->klass->peek (way->from, &burst);
  for (guint i = 0; i < burst.n; i++)
    g_byte_array_append (fence_bytes (&way->in), burst.frames[i].data, (guint) burst.frames[i].size);
  if (burst.n > 0)
    way->from->klass->consume (way->from, burst.bytes);
  way->over |= burst.eof;
  return burst.n > 0;
}

/* ---- from the peer ---- */

static void
fence_late (gpointer data)
{
  sip_fence_end (data, "half a message");
}

/* Set as long as there is a piece of a message. */
static void
fence_patience (SipFence *fence)
{
  if (fence->up.in == NULL)
    g_clear_pointer (&fence->patience, far_loop_timer_free);
  else if (fence->patience == NULL)
    fence->patience = far_loop_timer (fence->loop, far_clock_boottime_us () + SIP_FENCE_MESSAGE_US,
                                      fence_late, fence);
}

/* Line ends between messages are pings; each two of them want one back. */
static void
fence_blank (SipFence *fence, gsize blank)
{
  if (blank >= 4)
    g_byte_array_append (fence_bytes (&fence->down.out), (const guint8 *) "\r\n", 2);
}

static void
fence_fault (SipFence *fence, const char *fault)
{
  far_count ("SIP messages", 1);
  if (++fence->faults > SIP_FENCE_FAULTS_MAX)
    fence->cause = "too many bad messages";
  g_debug ("flow %" G_GUINT64_FORMAT ": %s", fence->source.flow, fault);
}

static void
fence_lost (SipFence *fence, const SipTextFrame *frame)
{
  fence_fault (fence, frame->fault);
  sip_text_refuse (fence->up.in->data + frame->blank, frame->head, frame->code, frame->fault,
                   fence_bytes (&fence->down.out));
  fence->cause = "no message of SIP";
}

/* FALSE: the next message is not whole. */
static gboolean
fence_up_one (SipFence *fence)
{
  Way *way = &fence->up;
  SipTextFrame frame;
  const char *fault = NULL;
  if (way->in == NULL || way->in->len < way->wanted)
    return FALSE;
  way->wanted = 0;
  switch (sip_text_frame (way->in->data, way->in->len, fence->message_max, &frame)) {
  case SIP_TEXT_LOST:
    fence_lost (fence, &frame);
    return FALSE;
  case SIP_TEXT_MORE:
    fence_blank (fence, frame.blank);
    if (frame.blank + frame.head < way->in->len)
      way->wanted = frame.head + frame.body;
    fence_skip (&way->in, frame.blank);
    return FALSE;
  case SIP_TEXT_WHOLE:
  default:
    fence_blank (fence, frame.blank);
    if (!sip_text_in (way->in->data, &frame, &fence->source, fence_bytes (&way->out),
                      fence_bytes (&fence->down.out), &fault))
      fence_fault (fence, fault);
    fence_skip (&way->in, frame.blank + frame.head + frame.body);
    g_clear_pointer (&fence->patience, far_loop_timer_free);
    return fence->cause == NULL;
  }
}

/* FALSE: enough for now. A peer that does not read what it is answered is not read either. */
static gboolean
fence_up_step (SipFence *fence, gboolean *more)
{
  fence->paused = fence->down.out != NULL && fence->down.out->len > 0;
  if (!way_flush (&fence->up) || fence->paused)
    return FALSE;
  if (fence_up_one (fence))
    return TRUE;
  *more = fence->cause == NULL && way_read (&fence->up);
  if (*more)
    __atomic_store_n (&fence->seen_us, far_clock_boottime_us (), __ATOMIC_RELAXED);
  return *more;
}

static void
fence_up (SipFence *fence)
{
  gboolean more = TRUE;
  guint steps = 0;
  while (fence->cause == NULL && steps < STEPS_MAX && fence_up_step (fence, &more))
    steps++;
  if (steps == STEPS_MAX)
    far_stream_tell_soon (fence->peer, FAR_READY_READ);
  fence_patience (fence);
  if (fence->up.over && fence->cause == NULL)
    fence->cause = "closed by the peer";
}

/* ---- to the peer ---- */

/* FALSE: the next message is not whole. */
static gboolean
fence_down_one (SipFence *fence)
{
  Way *way = &fence->down;
  SipTextFrame frame;
  if (way->in == NULL || way->in->len < way->wanted)
    return FALSE;
  way->wanted = 0;
  switch (sip_text_frame (way->in->data, way->in->len, STACK_MAX, &frame)) {
  case SIP_TEXT_LOST:
    fence->cause = "the stack wrote no message";
    return FALSE;
  case SIP_TEXT_MORE:
    if (frame.blank + frame.head < way->in->len)
      way->wanted = frame.head + frame.body;
    fence_skip (&way->in, frame.blank);
    return FALSE;
  case SIP_TEXT_WHOLE:
  default:
    sip_text_out (way->in->data, &frame, fence_bytes (&way->out));
    fence_skip (&way->in, frame.blank + frame.head + frame.body);
    return TRUE;
  }
}

static void
fence_down (SipFence *fence)
{
  while (way_flush (&fence->down) && fence->cause == NULL)
    if (!fence_down_one (fence) && fence->cause == NULL && !way_read (&fence->down))
      break;
  if (fence->down.over && fence->cause == NULL)
    fence->cause = "closed by the stack";
}

/* ---- events ---- */

static void
fence_ready (FarStream *stream, guint ready, gpointer user)
{
  SipFence *fence = user;
  if (fence->inside)
    return;
  if ((ready & FAR_READY_CLOSED) != 0) {
    sip_fence_end (fence, stream->cause);
    return;
  }
  fence->inside = TRUE;
  fence_up (fence);
  fence_down (fence);
  if (fence->paused && (fence->down.out == NULL || fence->down.out->len == 0))
    far_stream_tell_soon (fence->peer, FAR_READY_READ);
  fence->inside = FALSE;
  if (fence->cause != NULL)
    sip_fence_end (fence, fence->cause);
}

SipFence *
sip_fence_new (FarStream *peer, FarStream *stack, const SipFenceSpec *spec)
{
  SipFence *fence = g_new0 (SipFence, 1);
  *fence = (SipFence){ .refs = 1,
                       .loop = peer->loop,
                       .peer = peer,
                       .stack = stack,
                       .up = { .from = peer, .to = stack },
                       .down = { .from = stack, .to = peer },
                       .address = g_strdup (spec->address),
                       .message_max = spec->message_max,
                       .ended = spec->ended,
                       .user = spec->user,
                       .seen_us = far_clock_boottime_us () };
  fence->source = (SipTextSource){ spec->flow, fence->address, spec->port };
  far_stream_take (peer, fence_ready, fence);
  far_stream_take (stack, fence_ready, fence);
  return fence;
}

typedef struct {
  SipFence *fence;
  const char *cause;
} FenceClosing;

static void
fence_close_here (gpointer data)
{
  FenceClosing *closing = data;
  sip_fence_end (closing->fence, closing->cause);
  sip_fence_unref (closing->fence);
  g_free (closing);
}

void
sip_fence_close (SipFence *fence, const char *cause)
{
  FenceClosing *closing = g_new (FenceClosing, 1);
  *closing = (FenceClosing){ sip_fence_ref (fence), cause };
  far_loop_post (fence->loop, fence_close_here, closing);
}

gint64
sip_fence_seen_us (SipFence *fence)
{
  return __atomic_load_n (&fence->seen_us, __ATOMIC_RELAXED);
}
