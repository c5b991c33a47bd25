/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is a stream in memory for fuzz targets, with the contract that memory-stream.h describes. */
#include "config.h"

#include "fuzz/memory-stream.h"

#include <string.h>

#define TURNS_MAX 20000

typedef struct {
  FarStream head;
  MemoryEnd *end;
} MemoryStream;

static MemoryEnd *
end_of (FarStream *stream)
{
  return ((MemoryStream *) stream)->end;
}

/* Always in memory of its own size, so that the sanitizer sees a read beyond it or after its time. */
static void
replace_view (MemoryEnd *end, const guint8 *kept, gsize kept_size, gsize more)
{
  guint8 *view = kept_size + more == 0 ? NULL : g_malloc (kept_size + more);

  if (kept_size > 0)
    memcpy (view, kept, kept_size);
  if (more > 0) {
    memcpy (view + kept_size, end->fed->data, more);
    g_byte_array_remove_range (end->fed, 0, (guint) more);
  }
  g_free (end->view);
  end->view = view;
  end->view_size = kept_size + more;
}

static void
cut_frames (const MemoryEnd *end, FarBurst *batch)
{
  gsize at = 0;

  while (at < end->view_size && batch->n < FAR_BURST_FRAMES) {
    gsize size = end->view_size - at;

    if (end->frame > 0 && batch->n + 1 < FAR_BURST_FRAMES)
      size = MIN (size, end->frame);
    batch->frames[batch->n++] = (FarFrame){ .data = end->view + at, .size = size };
    batch->bytes += size;
    at += size;
  }
}

static void
memory_peek (FarStream *stream, FarBurst *batch)
{
  MemoryEnd *end = end_of (stream);
  gsize room = end->show == 0 ? G_MAXSIZE : end->show;

  end->inside++;
  batch->n = 0;
  batch->bytes = 0;
  batch->eof = FALSE;
  if (!stream->closed) {
    replace_view (end, end->view, end->view_size,
                  room > end->view_size ? MIN (room - end->view_size, end->fed->len) : 0);
    cut_frames (end, batch);
    end->wants_read = batch->n == 0;
    batch->eof = end->eof && end->fed->len == 0 && (batch->n == 0 || end->early_eof);
  }
  end->inside--;
}

static void
memory_consume (FarStream *stream, gsize bytes)
{
  MemoryEnd *end = end_of (stream);

  g_assert (!end->aborted && bytes <= end->view_size);
  end->consumed += bytes;
  replace_view (end, end->view + bytes, end->view_size - bytes, 0);
}

static gsize
memory_write (FarStream *stream, const FarBurst *batch)
{
  MemoryEnd *end = end_of (stream);
  gsize taken = 0, sum = 0;

  g_assert (!end->aborted && !end->ended && batch->n <= FAR_BURST_FRAMES);
  if (stream->closed)
    return 0;
  for (guint i = 0; i < batch->n; i++) {
    gsize part = MIN (batch->frames[i].size, end->room);

    if (part > 0)
      g_byte_array_append (end->written, batch->frames[i].data, (guint) part);
    sum += batch->frames[i].size;
    end->room -= part;
    taken += part;
  }
  g_assert (sum == batch->bytes);
  end->wants_write = taken < batch->bytes;
  return taken;
}

static void
memory_shutdown (FarStream *stream, FarDirection what)
{
  MemoryEnd *end = end_of (stream);

  g_assert (!end->aborted);
  if ((what & FAR_DIRECTION_WRITE) != 0)
    end->ended = TRUE;
}

static void
memory_abort (FarStream *stream, const char *cause)
{
  MemoryEnd *end = end_of (stream);

  g_assert (!end->aborted && cause != NULL);
  end->aborted = TRUE;
  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = far_cause (cause);
}

static void
memory_move (FarStream *stream, FarLoop *loop)
{
  far_stream_moved (stream, loop);
}

static void
memory_free (FarStream *stream)
{
  MemoryEnd *end = end_of (stream);

  g_assert (end->inside == 0 && end->stream == stream);
  end->stream = NULL;
  replace_view (end, NULL, 0, 0);
  g_free (stream);
}

static const FarStreamClass memory_class = {
  .name = "memory",
  .movable = TRUE,
  .peek = memory_peek,
  .consume = memory_consume,
  .write = memory_write,
  .shutdown = memory_shutdown,
  .abort = memory_abort,
  .move = memory_move,
  .free = memory_free,
};

/* ---- the test's side ---- */

FarStream *
memory_stream_new (MemoryEnd *end)
{
  MemoryStream *self = g_new0 (MemoryStream, 1);

  far_stream_init (&self->head, &memory_class, far_loop_main ());
  self->end = end;
  end->stream = &self->head;
  end->fed = g_byte_array_new ();
  end->written = g_byte_array_new ();
  return &self->head;
}

void
memory_end_clear (MemoryEnd *end)
{
  g_assert (end->stream == NULL);
  g_clear_pointer (&end->fed, g_byte_array_unref);
  g_clear_pointer (&end->written, g_byte_array_unref);
}

static gboolean
lives (const MemoryEnd *end)
{
  return end->stream != NULL && !end->stream->closed;
}

static void
tell_read (MemoryEnd *end)
{
  if (!end->wants_read)
    return;
  end->wants_read = FALSE;
  far_stream_tell (end->stream, FAR_READY_READ);
}

void
memory_feed (MemoryEnd *end, const guint8 *data, gsize size)
{
  if (!lives (end) || end->eof || size == 0)
    return;
  g_byte_array_append (end->fed, data, (guint) size);
  tell_read (end);
}

void
memory_give_room (MemoryEnd *end, gsize bytes)
{
  end->room += bytes;
  if (!lives (end) || !end->wants_write || bytes == 0)
    return;
  end->wants_write = FALSE;
  far_stream_tell (end->stream, FAR_READY_WRITE);
}

void
memory_eof (MemoryEnd *end)
{
  if (!lives (end) || end->eof)
    return;
  end->eof = TRUE;
  tell_read (end);
}

void
memory_die (MemoryEnd *end, const char *cause)
{
  if (lives (end))
    far_stream_die (end->stream, cause);
}

guint
memory_settle (void)
{
  guint turns = 0;

  far_loop_main ();
  while (g_main_context_iteration (NULL, FALSE))
    g_assert (++turns < TURNS_MAX);
  return turns;
}
