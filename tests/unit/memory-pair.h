/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two ends of a stream of datagrams in memory, both at one loop. They keep to the contract of
 * farwatch/stream.h in the strictest reading: what peek showed is freed by the next peek and by consume, READ
 * is told only after peek has shown nothing, WRITE only after write took less than given. */
#pragma once
#include <check.h>
#include <farwatch/stream.h>
#include <string.h>

#define MEMORY_ROOM 16 /* frames that wait in one direction */

typedef struct MemoryPair MemoryPair;

typedef struct {
  FarStream head;
  MemoryPair *pair;
  guint i;
  gboolean wants_read, wants_write, ended, eof_seen, gone;
  GQueue in;      /* MemoryFrame*, sent by the other end */
  GPtrArray *out; /* what the last peek showed; NULL: nothing */
  gint *peeks;    /* NULL: not counted */
} MemoryDatagrams;

struct MemoryPair {
  gint refs;
  MemoryDatagrams *end[2];
  const char *aborted;
};

typedef struct {
  FarFrame frame; /* data is its own, of exactly its size */
} MemoryFrame;

static inline MemoryFrame *
memory_frame_new (const FarFrame *from)
{
  MemoryFrame *copy = g_new (MemoryFrame, 1);
  copy->frame = *from;
  copy->frame.data = g_memdup2 (from->data, from->size);
  return copy;
}

static inline void
memory_frame_free (gpointer data)
{
  MemoryFrame *self = data;
  g_free ((gpointer) self->frame.data);
  g_free (self);
}

static inline MemoryDatagrams *
memory_other (MemoryDatagrams *self)
{
  return self->pair->end[!self->i];
}

static inline void
memory_pair_tell (MemoryDatagrams *self)
{
  guint ready = (self->wants_read ? FAR_READY_READ : 0) | (self->wants_write ? FAR_READY_WRITE : 0);
  self->wants_read = self->wants_write = FALSE;
  far_stream_tell_soon (&self->head, ready);
}

static inline void
memory_pair_peek (FarStream *stream, FarBurst *burst)
{
  MemoryDatagrams *self = (MemoryDatagrams *) stream;
  MemoryDatagrams *other = memory_other (self);
  burst->n = 0;
  burst->bytes = 0;
  burst->eof = FALSE;
  if (self->peeks != NULL)
    g_atomic_int_inc (self->peeks);
  if (stream->closed)
    return;
  g_clear_pointer (&self->out, g_ptr_array_unref);
  self->out = g_ptr_array_new_with_free_func (memory_frame_free);
  for (GList *at = self->in.head; at != NULL && burst->n < FAR_BURST_FRAMES; at = at->next) {
    MemoryFrame *shown = memory_frame_new (&((MemoryFrame *) at->data)->frame);
    g_ptr_array_add (self->out, shown);
    burst->frames[burst->n++] = shown->frame;
    burst->bytes += shown->frame.size;
  }
  burst->eof = burst->n == 0 && (other == NULL || other->ended);
  self->eof_seen |= burst->eof;
  self->wants_read = burst->n == 0 && !burst->eof;
  if (self->eof_seen && other == NULL)
    far_stream_die_soon (stream, "closed by the other end");
}

static inline void
memory_pair_consume (FarStream *stream, gsize frames)
{
  MemoryDatagrams *self = (MemoryDatagrams *) stream;
  ck_assert_uint_le (frames, self->in.length);
  g_clear_pointer (&self->out, g_ptr_array_unref);
  while (frames-- > 0)
    memory_frame_free (g_queue_pop_head (&self->in));
  if (memory_other (self) != NULL && memory_other (self)->wants_write)
    memory_pair_tell (memory_other (self));
}

static inline gsize
memory_pair_write (FarStream *stream, const FarBurst *burst)
{
  MemoryDatagrams *self = (MemoryDatagrams *) stream;
  MemoryDatagrams *other = memory_other (self);
  guint taken = 0;
  ck_assert (!self->ended);
  if (stream->closed || other == NULL)
    return 0;
  for (; taken < burst->n && other->in.length < MEMORY_ROOM; taken++)
    g_queue_push_tail (&other->in, memory_frame_new (&burst->frames[taken]));
  self->wants_write = taken < burst->n;
  if (taken > 0 && other->wants_read)
    memory_pair_tell (other);
  return taken;
}

static inline void
memory_pair_shutdown (FarStream *stream, FarDirection what)
{
  MemoryDatagrams *self = (MemoryDatagrams *) stream;
  if ((what & FAR_DIRECTION_WRITE) == 0)
    return;
  self->ended = TRUE;
  if (memory_other (self) != NULL)
    far_stream_tell_soon (&memory_other (self)->head, FAR_READY_READ);
}

static inline void
memory_pair_abort (FarStream *stream, const char *cause)
{
  MemoryDatagrams *self = (MemoryDatagrams *) stream;
  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = g_intern_string (cause);
  if (memory_other (self) != NULL)
    far_stream_die_soon (&memory_other (self)->head, cause);
}

static inline void
memory_pair_free (FarStream *stream)
{
  MemoryDatagrams *self = (MemoryDatagrams *) stream;
  MemoryDatagrams *other = memory_other (self);
  self->pair->end[self->i] = NULL;
  if (other != NULL && other->eof_seen)
    far_stream_die_soon (&other->head, "closed by the other end");
  else if (other != NULL)
    far_stream_tell_soon (&other->head, FAR_READY_READ);
  else
    g_free (self->pair);
  g_clear_pointer (&self->out, g_ptr_array_unref);
  g_queue_clear_full (&self->in, memory_frame_free);
  g_free (self);
}

static const FarStreamClass memory_pair_class = {
  .name = "memory",
  .datagrams = TRUE,
  .peek = memory_pair_peek,
  .consume = memory_pair_consume,
  .write = memory_pair_write,
  .shutdown = memory_pair_shutdown,
  .abort = memory_pair_abort,
  .free = memory_pair_free,
};

/* [loop], or before anything runs there */
static inline void
memory_pair_new (FarLoop *loop, MemoryDatagrams *end[2])
{
  MemoryPair *pair = g_new0 (MemoryPair, 1);
  for (guint i = 0; i < 2; i++) {
    end[i] = pair->end[i] = g_new0 (MemoryDatagrams, 1);
    far_stream_init (&end[i]->head, &memory_pair_class, loop);
    end[i]->pair = pair;
    end[i]->i = i;
    g_queue_init (&end[i]->in);
  }
}
