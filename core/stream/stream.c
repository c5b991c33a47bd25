/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all streams share: the user, and telling it. */
#include "config.h"

#include <farwatch/stream.h>
#include <farwatch/thread.h>

void
far_stream_init (FarStream *stream, const FarStreamClass *klass, FarLoop *loop)
{
  stream->klass = klass;
  stream->loop = loop;
}

void
far_stream_take (FarStream *stream, FarStreamReady ready, gpointer user)
{
  FAR_ON_LOOP (stream->loop);
  stream->ready = ready;
  stream->user = user;
  if (ready != NULL)
    far_stream_tell_soon (stream, FAR_READY_READ | FAR_READY_WRITE | (stream->closed ? FAR_READY_CLOSED : 0));
}

void
far_stream_tell (FarStream *stream, guint ready)
{
  FAR_ON_LOOP (stream->loop);
  if (stream->ready != NULL)
    stream->ready (stream, ready, stream->user);
}

static void
tell_now (gpointer data)
{
  FarStream *stream = data;
  guint ready = stream->soon_ready;
  stream->soon_ready = 0;
  far_stream_tell (stream, ready);
}

void
far_stream_tell_soon (FarStream *stream, guint ready)
{
  FAR_ON_LOOP (stream->loop);
  if (stream->ready == NULL) /* nobody to tell; who takes the stream is told all there is */
    return;
  if (stream->soon == NULL)
    stream->soon = far_deferred_new (stream->loop, tell_now, stream);
  stream->soon_ready |= ready;
  far_deferred_ask (stream->soon);
}

#define CAUSES_MAX 1024

const char *
far_cause (const char *text)
{
  static gint kept;

  if (g_quark_try_string (text) != 0 || g_atomic_int_add (&kept, 1) < CAUSES_MAX)
    return g_intern_string (text);
  g_atomic_int_add (&kept, -1);
  return "closed";
}

static gboolean
mark_dead (FarStream *stream, const char *cause)
{
  if (stream->closed)
    return FALSE;
  stream->closed = TRUE;
  stream->cause = far_cause (cause);
  return TRUE;
}

void
far_stream_die (FarStream *stream, const char *cause)
{
  FAR_ON_LOOP (stream->loop);
  if (mark_dead (stream, cause))
    far_stream_tell (stream, FAR_READY_CLOSED);
}

void
far_stream_die_soon (FarStream *stream, const char *cause)
{
  FAR_ON_LOOP (stream->loop);
  if (mark_dead (stream, cause))
    far_stream_tell_soon (stream, FAR_READY_CLOSED);
}

void
far_stream_moved (FarStream *stream, FarLoop *loop)
{
  g_clear_pointer (&stream->soon, far_deferred_free);
  stream->soon_ready = 0;
  stream->loop = loop;
}

void
far_stream_free (FarStream *stream)
{
  if (stream == NULL)
    return;
  FAR_ON_LOOP (stream->loop);
  g_clear_pointer (&stream->soon, far_deferred_free);
  /* The struct may live on for a turn of its library, whose events have no listener any more. */
  stream->ready = NULL;
  stream->klass->free (stream);
}
