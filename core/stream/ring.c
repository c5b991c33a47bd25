/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two stream ends joined by two single-producer single-consumer rings: the only memory that two loops share.
 *
 * Each side moves one index of a ring and reads the other's. Who finds nothing to do raises a flag, looks
 * once more and then leaves; the other side sees the flag after its own move and posts one wake (at most one
 * waits in each direction). */
#include "config.h"

#include <farwatch/stream.h>
#include <string.h>

#define RING_SIZE ((gsize) 256 * 1024)

typedef struct {
  guint8 *data;
  gsize head, tail; /* bytes ever written, ever read */
  gint eof, gone;   /* by the writer: no more will come; by the reader: nobody reads */
  gint reader_waits, writer_waits;
} Ring;

typedef struct _Pair Pair;

typedef struct {
  FarStream head;
  Pair *pair;
  guint i;
  Ring *in, *out;
  gboolean eof_seen;
} RingEnd;

typedef struct {
  Pair *pair;
  FarLoop *loop;
  RingEnd *end;  /* NULL: freed; [loop] */
  guint wake;    /* ready mask of the wake on its way, 0: none */
  gboolean gone; /* its end was freed and its loop may be: nothing is posted there; [lock] */
} Side;

struct _Pair {
  gint refs;
  GMutex lock;
  Ring ring[2]; /* [i]: written by end i */
  Side side[2];
  const char *aborted; /* interned */
};

#define LOAD(x) __atomic_load_n (&(x), __ATOMIC_SEQ_CST)
#define STORE(x, value) __atomic_store_n (&(x), (value), __ATOMIC_SEQ_CST)

static void
pair_unref (Pair *pair)
{
  if (!g_atomic_int_dec_and_test (&pair->refs))
    return;
  g_mutex_clear (&pair->lock);
  g_free (pair->ring[0].data);
  g_free (pair->ring[1].data);
  g_free (pair);
}

/* The other end is gone: nothing can be written; told when what it sent has been read. */
static gboolean
is_over (RingEnd *end)
{
  return end->eof_seen && LOAD (end->out->gone);
}

static void
on_wake (gpointer data)
{
  Side *side = data;
  guint ready = __atomic_exchange_n (&side->wake, 0, __ATOMIC_SEQ_CST);
  RingEnd *end = side->end;
  const char *aborted = LOAD (side->pair->aborted);
  if (end != NULL && aborted != NULL)
    far_stream_die (&end->head, aborted);
  else if (end != NULL && is_over (end))
    far_stream_die (&end->head, "closed by the other end");
  else if (end != NULL)
    far_stream_tell (&end->head, ready);
  pair_unref (side->pair);
}

static void
wake (Side *side, guint ready)
{
  if (__atomic_fetch_or (&side->wake, ready, __ATOMIC_SEQ_CST) != 0)
    return;
  g_mutex_lock (&side->pair->lock);
  if (!side->gone) {
    g_atomic_int_inc (&side->pair->refs);
    far_loop_post (side->loop, on_wake, side);
  }
  g_mutex_unlock (&side->pair->lock);
}

static Side *
other_side (RingEnd *end)
{
  return &end->pair->side[!end->i];
}

/* Bytes to read; *eof: the writer is done and they are the last. Raises the flag when there is nothing. */
static gsize
readable (Ring *ring, gboolean *eof)
{
  gint ended = LOAD (ring->eof); /* before head: what was written before the end is seen */
  gsize n = LOAD (ring->head) - ring->tail;
  if (n == 0 && !ended) {
    STORE (ring->reader_waits, 1);
    ended = LOAD (ring->eof);
    n = LOAD (ring->head) - ring->tail;
  }
  *eof = ended;
  return n;
}

static void
add_frame (FarBurst *burst, const guint8 *data, gsize size)
{
  if (size > 0)
    burst->frames[burst->n++] = (FarFrame){ .data = data, .size = size };
}

static void
ring_peek (FarStream *stream, FarBurst *burst)
{
  RingEnd *end = (RingEnd *) stream;
  Ring *ring = end->in;
  burst->n = 0;
  burst->bytes = 0;
  burst->eof = FALSE;
  if (stream->closed || LOAD (end->pair->aborted) != NULL)
    return;
  burst->bytes = readable (ring, &burst->eof);
  gsize at = ring->tail % RING_SIZE, first = MIN (burst->bytes, RING_SIZE - at);
  add_frame (burst, ring->data + at, first);
  add_frame (burst, ring->data, burst->bytes - first);
  if (burst->n > 0 || !burst->eof)
    return;
  end->eof_seen = TRUE;
  if (is_over (end))
    far_stream_die_soon (stream, "closed by the other end");
}

static void
ring_consume (FarStream *stream, gsize bytes)
{
  RingEnd *end = (RingEnd *) stream;
  Ring *ring = end->in;
  STORE (ring->tail, ring->tail + bytes);
  /* a writer that waits is woken when it is worth it, in the end when the ring is empty */
  if (LOAD (ring->head) - ring->tail <= RING_SIZE / 2 && LOAD (ring->writer_waits) &&
      __atomic_exchange_n (&ring->writer_waits, 0, __ATOMIC_SEQ_CST))
    wake (other_side (end), FAR_READY_WRITE);
}

static gsize
ring_room (Ring *ring)
{
  return RING_SIZE - (ring->head - LOAD (ring->tail));
}

static gsize
ring_put (Ring *ring, const guint8 *data, gsize size)
{
  gsize n = MIN (size, ring_room (ring)), at = ring->head % RING_SIZE, first = MIN (n, RING_SIZE - at);
  memcpy (ring->data + at, data, first);
  memcpy (ring->data, data + first, n - first);
  STORE (ring->head, ring->head + n);
  return n;
}

static gsize
put_all (Ring *ring, const FarBurst *burst)
{
  gsize taken = 0;
  for (guint i = 0; i < burst->n; i++) {
    gsize done = 0;
    while (done < burst->frames[i].size) {
      gsize n = ring_put (ring, burst->frames[i].data + done, burst->frames[i].size - done);
      done += n;
      taken += n;
      if (n > 0)
        continue;
      STORE (ring->writer_waits, 1);
      if (ring_room (ring) <= RING_SIZE / 2) /* the reader will pass the half and see the flag */
        return taken;
    }
  }
  return taken;
}

static gsize
ring_write (FarStream *stream, const FarBurst *burst)
{
  RingEnd *end = (RingEnd *) stream;
  Ring *ring = end->out;
  if (stream->closed || LOAD (ring->gone) || LOAD (ring->eof) || LOAD (end->pair->aborted) != NULL)
    return 0;
  gsize taken = put_all (ring, burst);
  if (taken > 0 && LOAD (ring->reader_waits) &&
      __atomic_exchange_n (&ring->reader_waits, 0, __ATOMIC_SEQ_CST))
    wake (other_side (end), FAR_READY_READ);
  return taken;
}

static void
ring_shutdown (FarStream *stream, FarDirection what)
{
  RingEnd *end = (RingEnd *) stream;
  if (what & FAR_DIRECTION_WRITE)
    STORE (end->out->eof, 1);
  if (what & FAR_DIRECTION_READ)
    STORE (end->in->gone, 1);
  wake (other_side (end), (what & FAR_DIRECTION_WRITE ? FAR_READY_READ : 0) |
                              (what & FAR_DIRECTION_READ ? FAR_READY_WRITE : 0));
}

static void
ring_abort (FarStream *stream, const char *cause)
{
  RingEnd *end = (RingEnd *) stream;
  const char *none = NULL, *why = g_intern_string (cause);
  __atomic_compare_exchange_n (&end->pair->aborted, &none, why, FALSE, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = why;
  wake (other_side (end), FAR_READY_READ | FAR_READY_WRITE);
}

static void
ring_free (FarStream *stream)
{
  RingEnd *end = (RingEnd *) stream;
  ring_shutdown (stream, FAR_DIRECTION_BOTH);
  end->pair->side[end->i].end = NULL;
  g_mutex_lock (&end->pair->lock);
  end->pair->side[end->i].gone = TRUE;
  g_mutex_unlock (&end->pair->lock);
  pair_unref (end->pair);
  g_free (end);
}

static const FarStreamClass ring_class = {
  .name = "ring",
  .peek = ring_peek,
  .consume = ring_consume,
  .write = ring_write,
  .shutdown = ring_shutdown,
  .abort = ring_abort,
  .free = ring_free,
};

static FarStream *
end_new (Pair *pair, guint i, FarLoop *loop)
{
  RingEnd *end = g_new0 (RingEnd, 1);
  far_stream_init (&end->head, &ring_class, loop);
  end->pair = pair;
  end->i = i;
  end->out = &pair->ring[i];
  end->in = &pair->ring[!i];
  pair->ring[i].data = g_malloc (RING_SIZE);
  pair->side[i] = (Side){ .pair = pair, .loop = loop, .end = end };
  return &end->head;
}

void
far_ring_pair (FarLoop *loop_a, FarLoop *loop_b, FarStream **end_a, FarStream **end_b)
{
  Pair *pair = g_new0 (Pair, 1);
  pair->refs = 2;
  g_mutex_init (&pair->lock);
  *end_a = end_new (pair, 0, loop_a);
  *end_b = end_new (pair, 1, loop_b);
}
