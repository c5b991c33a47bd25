/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handshakes of servers: who is silent costs a descriptor and a small struct; who has said something gets its
 * turn. */
#include "config.h"

#include "base/node-part.h"

#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/tls.h>

#define LIMIT_US (FAR_TLS_SHAKE_SECONDS * (gint64) G_USEC_PER_SEC)
#define NICE 5 /* the I/O threads come first */

typedef enum { SILENT, QUEUED, SHAKING, OVER } Phase;

struct _FarTlsAccept {
  gint refs; /* [any thread] */
  FarTls *tls;
  FarLoop *loop;
  char *from;
  FarTlsAcceptFuncs funcs;
  gpointer user;
  const char *wish; /* cancelled with this; written at loop, read after a post */
  /* [handshake thread] */
  Phase phase;
  int fd; /* until the stream has it; -1 */
  FarWatch *watch;
  FarLoopTimer *timer;
  FarStream *stream;
  const char *cause;
  GList link;    /* in the queue of those who wait */
  FarNode *node; /* whose listener took it: it may be another's end that gives it its turn */
};

/* Of the process. [handshake thread] */
static struct {
  GQueue waiting;
  guint under_way;
} turns;

static void
lower_priority (gpointer data)
{
  setpriority (PRIO_PROCESS, (id_t) syscall (SYS_gettid), NICE);
}

static FarLoop *
shake_loop (void)
{
  static gsize loop;

  if (g_once_init_enter (&loop)) {
    FarLoop *made = far_loop_io_new ("tls-handshakes");

    far_loop_post (made, lower_priority, NULL);
    g_once_init_leave (&loop, (gsize) made);
  }
  return (FarLoop *) loop;
}

static void
accept_unref (FarTlsAccept *self)
{
  if (!g_atomic_int_dec_and_test (&self->refs))
    return;
  far_tls_unref (self->tls);
  g_free (self->from);
  g_free (self);
}

/* ---- the end, at loop ---- */

static void
done_at_loop (gpointer data)
{
  FarTlsAccept *self = data;

  if (self->wish != NULL && self->stream != NULL) { /* cancelled while it was on its way here */
    self->stream->klass->abort (self->stream, self->wish);
    g_clear_pointer (&self->stream, far_stream_free);
    self->cause = self->wish;
  }
  self->funcs.done (g_steal_pointer (&self->stream), self->cause, self->user);
  accept_unref (self);
}

/* Off the stack of the stream that told the end of its handshake. */
static void
accept_hand_over (gpointer data)
{
  FarTlsAccept *self = data;

  if (self->stream != NULL && self->cause == NULL)
    self->stream->klass->move (self->stream, self->loop);
  else
    g_clear_pointer (&self->stream, far_stream_free);
  if (self->stream == NULL && self->cause == NULL)
    self->cause = "closed during the TLS handshake";
  far_loop_post (self->loop, done_at_loop, self);
}

static void begin_waiting (void);

static void
accept_over (FarTlsAccept *self, const char *cause)
{
  Phase phase = self->phase;

  self->phase = OVER;
  self->cause = cause;
  g_clear_pointer (&self->timer, far_loop_timer_free);
  g_clear_pointer (&self->watch, far_watch_free);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
  if (self->stream != NULL)
    far_tls_shake (self->stream, NULL, NULL);
  if (phase == QUEUED)
    g_queue_unlink (&turns.waiting, &self->link);
  far_loop_post (shake_loop (), accept_hand_over, self);
  if (phase != SHAKING)
    return;
  turns.under_way--;
  begin_waiting ();
}

/* ---- turns ---- */

static void
accept_shaken (FarStream *stream, const GError *error, gpointer user)
{
  accept_over (user, error == NULL ? NULL : far_cause (error->message));
}

static void
accept_begin (FarTlsAccept *self)
{
  FarNode *before = far_node_enter (self->node);
  FarStream *below = far_stream_fd_new (shake_loop (), self->fd);

  self->fd = -1;
  self->phase = SHAKING;
  turns.under_way++;
  far_loop_timer_set (self->timer, far_clock_boottime_us () + LIMIT_US);
  self->stream = far_stream_tls_new (self->tls, below, self->from);
  far_tls_shake (self->stream, accept_shaken, self);
  far_node_enter (before);
}

static void
begin_waiting (void)
{
  while (turns.under_way < FAR_TLS_SHAKES_MAX && turns.waiting.head != NULL)
    accept_begin (g_queue_pop_head_link (&turns.waiting)->data);
}

static void
accept_take_turn (FarTlsAccept *self)
{
  g_clear_pointer (&self->watch, far_watch_free);
  if (self->funcs.heard != NULL)
    self->funcs.heard (self->user);
  self->phase = QUEUED;
  g_queue_push_tail_link (&turns.waiting, &self->link);
  begin_waiting ();
}

static void
accept_first_byte (int fd, guint ready, gpointer data)
{
  FarTlsAccept *self = data;
  int there = 0;

  if (ioctl (fd, FIONREAD, &there) == 0 && there > 0)
    accept_take_turn (self);
  else
    accept_over (self, "closed before a byte came");
}

/* Late, or is it us who are? What waits in the socket has not been looked at yet. While it waits for its turn
 * its clock stands still. */
static void
accept_late (gpointer data)
{
  FarTlsAccept *self = data;
  int there = 0;

  if (self->phase == QUEUED)
    return;
  if (self->phase == SILENT && ioctl (self->fd, FIONREAD, &there) == 0 && there > 0)
    accept_take_turn (self);
  else
    accept_over (self, "too slow");
}

static void
accept_look (gpointer data)
{
  FarTlsAccept *self = data;

  if (self->phase != SILENT)
    return;
  self->timer = far_loop_timer (shake_loop (), far_clock_boottime_us () + LIMIT_US, accept_late, self);
  self->watch = far_loop_watch (shake_loop (), self->fd, FAR_READY_READ, accept_first_byte, self);
}

FarTlsAccept *
far_tls_accept (FarTls *tls, FarLoop *loop, int fd, const char *from, const FarTlsAcceptFuncs *funcs,
                gpointer user)
{
  FarTlsAccept *self = g_new0 (FarTlsAccept, 1);

  self->refs = 1;
  self->node = far_node_entered ();
  self->tls = far_tls_ref (tls);
  self->loop = loop;
  self->fd = fd;
  self->from = g_strdup (from);
  self->funcs = *funcs;
  self->user = user;
  self->link.data = self;
  far_loop_post (shake_loop (), accept_look, self);
  return self;
}

static void
accept_cancel (gpointer data)
{
  FarTlsAccept *self = data;

  if (self->phase != OVER)
    accept_over (self, self->wish);
  accept_unref (self);
}

void
far_tls_accept_cancel (FarTlsAccept *self, const char *cause)
{
  if (self->wish != NULL)
    return;
  self->wish = cause;
  g_atomic_int_inc (&self->refs);
  far_loop_post (shake_loop (), accept_cancel, self);
}
