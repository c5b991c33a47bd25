/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is the person's end of a shell session: it hands their bytes to the shell, or to a device's
 * stream once one is joined. It lives at the person's loop, so that a device's bytes never pass the main
 * context. */
#include "config.h"

#include "shell.h"

struct _Outer {
  FarStream head;
  ShellLink *link;
  FarStream *ring;
  FarStream *device; /* NULL: the person talks to the shell */
  FarStream *peeked; /* whose bytes the last peek showed */
  gboolean held;
  gboolean ended;    /* the person's input is over */
  GByteArray *first; /* goes to the device before anything else */
};

ShellLink *
link_ref (ShellLink *link)
{
  g_atomic_int_inc (&link->refs);
  return link;
}

void
link_unref (gpointer data)
{
  ShellLink *link = data;

  if (g_atomic_int_dec_and_test (&link->refs))
    g_free (link);
}

/* ---- to main ---- */

static void
tell_held (gpointer data)
{
  ShellLink *link = data;

  if (link->shell != NULL)
    link->events->held (link->shell);
  link_unref (link);
}

typedef struct {
  ShellLink *link;
  const char *cause; /* interned */
} Over;

static void
tell_over (gpointer data)
{
  Over *over = data;

  if (over->link->shell != NULL)
    over->link->events->device_over (over->link->shell, over->cause);
  link_unref (over->link);
  g_free (over);
}

/* ---- the device's end ---- */

/* Not inside the device's own calls. */
static void
device_over (gpointer data)
{
  Over *over = data;
  Outer *self = over->link->outer;

  if (self != NULL && self->device != NULL) {
    far_stream_free (self->device);
    self->device = NULL;
    self->peeked = NULL;
    g_byte_array_set_size (self->first, 0);
    far_loop_post (far_loop_main (), tell_over, over);
    far_stream_tell (&self->head, FAR_READY_READ | FAR_READY_WRITE);
    return;
  }
  link_unref (over->link);
  g_free (over);
}

static void
device_over_soon (Outer *self, const char *cause)
{
  Over *over = g_new (Over, 1);

  over->link = link_ref (self->link);
  over->cause = g_intern_string (cause != NULL ? cause : "closed");
  far_loop_post (self->head.loop, device_over, over);
}

static void
flush_first (Outer *self)
{
  FarBurst burst = { .n = 1, .bytes = self->first->len };
  gsize taken;

  burst.frames[0] = (FarFrame){ .data = self->first->data, .size = self->first->len };
  taken = self->first->len > 0 ? self->device->klass->write (self->device, &burst) : 0;
  if (taken > 0)
    g_byte_array_remove_range (self->first, 0, (guint) taken);
  if (self->first->len == 0 && self->ended)
    self->device->klass->shutdown (self->device, FAR_DIRECTION_WRITE);
}

static void
device_ready (FarStream *device, guint ready, gpointer user)
{
  Outer *self = user;

  if ((ready & FAR_READY_WRITE) != 0 && self->first->len > 0 && !device->closed)
    flush_first (self);
  if ((ready & FAR_READY_CLOSED) != 0)
    device_over_soon (self, device->cause);
  else
    far_stream_tell (&self->head, ready);
}

static void
ring_ready (FarStream *ring, guint ready, gpointer user)
{
  Outer *self = user;

  if ((ready & FAR_READY_CLOSED) != 0)
    far_stream_die (&self->head, ring->cause);
  else
    far_stream_tell (&self->head, ready);
}

/* ---- the stream ---- */

/* The shell's words first: it wrote them before the device was joined. */
static void
outer_peek (FarStream *stream, FarBurst *burst)
{
  Outer *self = (Outer *) stream;

  self->peeked = self->ring;
  self->ring->klass->peek (self->ring, burst);
  if (burst->n > 0 || burst->eof || self->device == NULL)
    return;
  self->peeked = self->device;
  self->device->klass->peek (self->device, burst);
  if (burst->eof && burst->n == 0)
    device_over_soon (self, "end of device");
  burst->eof = FALSE; /* the shell goes on */
}

static void
outer_consume (FarStream *stream, gsize bytes)
{
  Outer *self = (Outer *) stream;

  if (self->peeked != NULL)
    self->peeked->klass->consume (self->peeked, bytes);
}

static gsize
outer_write (FarStream *stream, const FarBurst *burst)
{
  Outer *self = (Outer *) stream;

  if (self->held || (self->device != NULL && self->first->len > 0))
    return 0;
  return self->device != NULL ? self->device->klass->write (self->device, burst)
                              : self->ring->klass->write (self->ring, burst);
}

static void
outer_shutdown (FarStream *stream, FarDirection what)
{
  Outer *self = (Outer *) stream;

  self->ended |= (what & FAR_DIRECTION_WRITE) != 0;
  self->ring->klass->shutdown (self->ring, what);
  if (self->device != NULL && ((what & FAR_DIRECTION_WRITE) == 0 || self->first->len == 0))
    self->device->klass->shutdown (self->device, what);
}

static void
outer_abort (FarStream *stream, const char *cause)
{
  Outer *self = (Outer *) stream;

  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = g_intern_string (cause);
  self->ring->klass->abort (self->ring, cause);
  if (self->device != NULL)
    self->device->klass->abort (self->device, cause);
}

static void
outer_free (FarStream *stream)
{
  Outer *self = (Outer *) stream;

  self->link->outer = NULL;
  far_stream_free (self->device);
  far_stream_free (self->ring);
  g_byte_array_unref (self->first);
  link_unref (self->link);
  g_free (self);
}

static const FarStreamClass outer_class = {
  .name = "shell",
  .peek = outer_peek,
  .consume = outer_consume,
  .write = outer_write,
  .shutdown = outer_shutdown,
  .abort = outer_abort,
  .free = outer_free,
};

/* ---- from main ---- */

typedef struct {
  ShellLink *link;
  FarStream *stream; /* ring, device */
  FarRequest *req;
  GBytes *first;
} ShellOrder;

static void
order_free (ShellOrder *order)
{
  link_unref (order->link);
  g_clear_pointer (&order->req, far_request_unref);
  g_clear_pointer (&order->first, g_bytes_unref);
  g_free (order);
}

static void
order_post (ShellLink *link, FarStream *stream, FarRequest *req, GBytes *first, FarLoopFunc func)
{
  ShellOrder *order = g_new0 (ShellOrder, 1);

  order->link = link_ref (link);
  order->stream = stream;
  order->req = req != NULL ? far_request_ref (req) : NULL;
  order->first = first;
  far_loop_post (link->loop, func, order);
}

static void
shell_outer_free_at_loop (gpointer stream)
{
  far_stream_free (stream);
}

static void
shell_outer_discard (gpointer stream)
{
  far_loop_post (((FarStream *) stream)->loop, shell_outer_free_at_loop, stream);
}

static void
do_make (gpointer data)
{
  ShellOrder *order = data;
  Outer *self = g_new0 (Outer, 1);

  far_stream_init (&self->head, &outer_class, order->link->loop);
  self->link = link_ref (order->link);
  self->ring = order->stream;
  self->first = g_byte_array_new ();
  order->link->outer = self;
  far_stream_take (self->ring, ring_ready, self);
  far_request_done (order->req, &self->head, shell_outer_discard);
  order_free (order);
}

void
outer_make (ShellLink *link, FarStream *ring, FarRequest *req)
{
  order_post (link, ring, req, NULL, do_make);
}

static void
shell_outer_do_hold (gpointer data)
{
  ShellOrder *order = data;

  if (order->link->outer != NULL)
    order->link->outer->held = TRUE;
  far_loop_post (far_loop_main (), tell_held, link_ref (order->link));
  order_free (order);
}

void
outer_hold (ShellLink *link)
{
  order_post (link, NULL, NULL, NULL, shell_outer_do_hold);
}

/* A device that lives elsewhere is reached through one more pair of rings. */
static FarStream *
bring_loop (FarStream *device, FarLoop *loop, const char *session, const char *target)
{
  const FarPumpSpec spec = { .session = session, .target = target, .inner = "joined" };
  FarStream *near, *away;

  if (device->loop == loop)
    return device;
  far_ring_pair (loop, device->loop, &near, &away);
  far_pump_start (away, device, &spec);
  return near;
}

static void
shell_outer_do_join (gpointer data)
{
  ShellOrder *order = data;
  Outer *self = order->link->outer;
  gsize size = 0;
  const guint8 *bytes = order->first != NULL ? g_bytes_get_data (order->first, &size) : NULL;

  if (self == NULL) {
    if (order->stream != NULL)
      far_stream_free (order->stream);
    order_free (order);
    return;
  }
  self->held = FALSE;
  self->device = order->stream;
  if (self->device != NULL) {
    g_byte_array_append (self->first, bytes, (guint) size);
    far_stream_take (self->device, device_ready, self);
    flush_first (self);
  }
  far_stream_tell (&self->head, FAR_READY_READ | FAR_READY_WRITE);
  order_free (order);
}

void
outer_join (ShellLink *link, FarStream *device, const char *session, const char *target, GBytes *first)
{
  order_post (link, device != NULL ? bring_loop (device, link->loop, session, target) : NULL, NULL, first,
              shell_outer_do_join);
}
