/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream that nobody uses any more but that still has something to say: its last bytes go out, then the end
 * of input, and what the other side still sends is thrown away for a moment. A close with unread bytes would
 * make the kernel reset the connection, and the last word would be lost with it. */
#include "config.h"

#include "loop/loop-private.h"
#include "stream/pump-private.h"

#include <farwatch/clock.h>
#include <farwatch/stream.h>
#include <farwatch/thread.h>

#define DISCARD_MAX (256 * 1024) /* then the other side does not listen anyway */

typedef struct {
  FarStream *stream;
  GByteArray *rest; /* NULL: all is written */
  gsize at, discarded;
  gboolean ended; /* the end of input is sent */
  FarLoopTimer *timer;
  FarPass *pass; /* NULL: none */
} Linger;

static gint lingering; /* atomic: how many there are */

static void
linger_free (Linger *self)
{
  far_loop_timer_free (self->timer);
  far_stream_take (self->stream, NULL, NULL);
  far_stream_free (self->stream);
  g_clear_pointer (&self->rest, g_byte_array_unref);
  far_gate_leave (self->pass);
  g_free (self);
  g_atomic_int_add (&lingering, -1);
}

static void
linger_cut (Linger *self, const char *cause)
{
  if (!self->stream->closed)
    self->stream->klass->abort (self->stream, cause);
  linger_free (self);
}

/* What the kernel has goes out by itself. What it has not would go on waiting in the stream, beyond the place
 * that the pass stands for. */
static void
linger_late (gpointer data)
{
  Linger *self = data;
  FarStream *stream = self->stream;

  if (self->rest != NULL || (stream->klass->waiting != NULL && stream->klass->waiting (stream) > 0))
    linger_cut (self, "too slow");
  else
    linger_free (self);
}

static void
linger_evicted (gpointer data)
{
  linger_cut (data, "others wait");
}

static void
linger_write (Linger *self)
{
  FarBurst burst = { .n = 1 };

  if (self->rest != NULL) {
    burst.bytes = self->rest->len - self->at;
    burst.frames[0] = (FarFrame){ .data = self->rest->data + self->at, .size = burst.bytes };
    gsize taken = self->stream->klass->write (self->stream, &burst);
    self->at += taken;
    if (taken < far_stream_amount (self->stream, &burst))
      return;
    g_clear_pointer (&self->rest, g_byte_array_unref);
  }
  if (!self->ended)
    self->stream->klass->shutdown (self->stream, FAR_DIRECTION_WRITE);
  self->ended = TRUE;
}

/* TRUE: there is nothing more to wait for. */
static gboolean
linger_read (Linger *self)
{
  for (guint turn = 0; turn < 16; turn++) {
    FarBurst burst;

    self->stream->klass->peek (self->stream, &burst);
    if (burst.n == 0)
      return burst.eof;
    self->discarded += burst.bytes + burst.n; /* empty ones count too */
    self->stream->klass->consume (self->stream, far_stream_amount (self->stream, &burst));
  }
  far_stream_tell_soon (self->stream, FAR_READY_READ);
  return FALSE;
}

static void
linger_ready (FarStream *stream, guint ready, gpointer user)
{
  Linger *self = user;
  gboolean over;

  if ((ready & FAR_READY_CLOSED) != 0 || stream->closed) {
    linger_free (self);
    return;
  }
  if (!self->ended)
    linger_write (self);
  over = linger_read (self);
  if (self->ended && (over || self->discarded > DISCARD_MAX))
    linger_free (self);
}

void
far_stream_linger (FarStream *stream, GByteArray *rest, guint for_ms, FarPass *pass)
{
  FAR_ON_LOOP (stream->loop);
  Linger *self = g_new0 (Linger, 1);

  g_atomic_int_inc (&lingering);
  self->stream = stream;
  self->rest = rest;
  self->pass = pass;
  if (pass != NULL)
    far_gate_evictable (pass, stream->loop, linger_evicted, self);
  self->timer = far_loop_timer (stream->loop, far_clock_boottime_us () + for_ms * G_GINT64_CONSTANT (1000),
                                linger_late, self);
  far_stream_take (stream, linger_ready, self);
}

#define SETTLE_STEP_MS 5

static void
nothing (gpointer data)
{
}

void
far_streams_settle (guint timeout_ms)
{
  gint64 end = g_get_monotonic_time () + timeout_ms * G_GINT64_CONSTANT (1000);

  while ((far_pumps_alive () > 0 || g_atomic_int_get (&lingering) > 0) && g_get_monotonic_time () < end) {
    FarLoopTimer *timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + SETTLE_STEP_MS * 1000,
                                          nothing, NULL);

    g_main_context_iteration (NULL, TRUE);
    far_loop_timer_free (timer);
  }
}
