/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two stream ends joined by two single-producer single-consumer rings: the only memory that two loops share.
 *
 * Each side moves one index of a ring and reads the other's. Who finds nothing to do raises a flag, looks
 * once more and then leaves; the other side sees the flag after its own move and posts one wake (at most one
 * waits in each direction). The memory holds bytes as they come, or one slot for each datagram. */
#include "config.h"

#include "stream/slot-ring.h"

#include <string.h>

#define RING_SIZE ((gsize) 256 * 1024)

typedef struct {
  FarSlotRing memory; /* of bytes, or of slots with a datagram each */
  gint eof, gone;     /* by the writer: no more will come; by the reader: nobody reads */
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
  far_slot_ring_clear (&pair->ring[0].memory);
  far_slot_ring_clear (&pair->ring[1].memory);
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
  gsize n = LOAD (ring->memory.head) - ring->memory.tail;
  if (n == 0 && !ended) {
    STORE (ring->reader_waits, 1);
    ended = LOAD (ring->eof);
    n = LOAD (ring->memory.head) - ring->memory.tail;
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

/* Clears burst; FALSE: nothing is shown any more. */
static gboolean
peek_begin (RingEnd *end, FarBurst *burst)
{
  burst->n = 0;
  burst->bytes = 0;
  burst->eof = FALSE;
  return !end->head.closed && LOAD (end->pair->aborted) == NULL;
}

static void
peek_end (RingEnd *end, const FarBurst *burst)
{
  if (burst->n > 0 || !burst->eof)
    return;
  end->eof_seen = TRUE;
  if (is_over (end))
    far_stream_die_soon (&end->head, "closed by the other end");
}

static void
ring_peek (FarStream *stream, FarBurst *burst)
{
  RingEnd *end = (RingEnd *) stream;
  Ring *ring = end->in;
  if (!peek_begin (end, burst))
    return;
  burst->bytes = readable (ring, &burst->eof);
  gsize at = ring->memory.tail % RING_SIZE, first = MIN (burst->bytes, RING_SIZE - at);
  add_frame (burst, ring->memory.data + at, first);
  add_frame (burst, ring->memory.data, burst->bytes - first);
  peek_end (end, burst);
}

static void
ring_peek_datagrams (FarStream *stream, FarBurst *burst)
{
  RingEnd *end = (RingEnd *) stream;
  FarSlotRing *memory = &end->in->memory;
  gboolean ended;
  if (!peek_begin (end, burst))
    return;
  gsize at = memory->tail, last = at + readable (end->in, &ended);
  while (at != last && burst->n < FAR_BURST_FRAMES) {
    FarFrame frame = far_slot_frame (far_slot_ring_next (memory, &at));
    burst->frames[burst->n++] = frame;
    burst->bytes += frame.size;
  }
  burst->eof = ended && at == last;
  peek_end (end, burst);
}

/* A writer that waits is woken when it is worth it, in the end when the ring is empty. */
static void
wake_writer (RingEnd *end)
{
  Ring *ring = end->in;
  if (LOAD (ring->memory.head) - ring->memory.tail <= RING_SIZE / 2 && LOAD (ring->writer_waits) &&
      __atomic_exchange_n (&ring->writer_waits, 0, __ATOMIC_SEQ_CST))
    wake (other_side (end), FAR_READY_WRITE);
}

static void
ring_consume (FarStream *stream, gsize bytes)
{
  RingEnd *end = (RingEnd *) stream;
  STORE (end->in->memory.tail, end->in->memory.tail + bytes);
  wake_writer (end);
}

static void
ring_consume_datagrams (FarStream *stream, gsize frames)
{
  RingEnd *end = (RingEnd *) stream;
  FarSlotRing *memory = &end->in->memory;
  gsize at = memory->tail;
  while (frames-- > 0 && far_slot_ring_next (memory, &at) != NULL)
    ;
  far_slot_ring_drop (memory, at);
  wake_writer (end);
}

static gsize
ring_room (Ring *ring)
{
  return RING_SIZE - (ring->memory.head - LOAD (ring->memory.tail));
}

static gsize
ring_put (Ring *ring, const guint8 *data, gsize size)
{
  gsize n = MIN (size, ring_room (ring)), at = ring->memory.head % RING_SIZE, first = MIN (n, RING_SIZE - at);
  memcpy (ring->memory.data + at, data, first);
  memcpy (ring->memory.data, data + first, n - first);
  STORE (ring->memory.head, ring->memory.head + n);
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

/* FALSE: the frame does not go in now. A reader that empties the ring meanwhile has made room enough; one
 * that does not will see the flag when it takes the next frame. */
static gboolean
put_datagram (Ring *ring, const FarFrame *frame)
{
  const FarSlot slot = far_slot_of_frame (frame);
  if (far_slot_ring_put (&ring->memory, &slot, frame->data))
    return TRUE;
  STORE (ring->writer_waits, 1);
  return far_slot_ring_put (&ring->memory, &slot, frame->data);
}

static gsize
put_datagrams (RingEnd *end, const FarBurst *burst)
{
  guint taken = 0;
  for (; taken < burst->n; taken++) {
    const FarFrame *frame = &burst->frames[taken];
    if (frame->size > FAR_DATAGRAM_MAX)
      end->head.dropped++;
    else if (!put_datagram (end->out, frame))
      break;
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
  gsize taken = stream->klass->datagrams ? put_datagrams (end, burst) : put_all (ring, burst);
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

static const FarStreamClass datagram_ring_class = {
  .name = "ring",
  .datagrams = TRUE,
  .peek = ring_peek_datagrams,
  .consume = ring_consume_datagrams,
  .write = ring_write,
  .shutdown = ring_shutdown,
  .abort = ring_abort,
  .free = ring_free,
};

static FarStream *
end_new (Pair *pair, guint i, FarLoop *loop, const FarStreamClass *klass)
{
  RingEnd *end = g_new0 (RingEnd, 1);
  far_stream_init (&end->head, klass, loop);
  end->pair = pair;
  end->i = i;
  end->out = &pair->ring[i];
  end->in = &pair->ring[!i];
  far_slot_ring_init (&pair->ring[i].memory, RING_SIZE);
  pair->side[i] = (Side){ .pair = pair, .loop = loop, .end = end };
  return &end->head;
}

static void
pair_new (FarLoop *loop[2], FarStream **end[2], const FarStreamClass *klass)
{
  Pair *pair = g_new0 (Pair, 1);
  pair->refs = 2;
  g_mutex_init (&pair->lock);
  for (guint i = 0; i < 2; i++)
    *end[i] = end_new (pair, i, loop[i], klass);
}

void
far_ring_pair (FarLoop *loop_a, FarLoop *loop_b, FarStream **end_a, FarStream **end_b)
{
  pair_new ((FarLoop *[]){ loop_a, loop_b }, (FarStream * *[]){ end_a, end_b }, &ring_class);
}

void
far_ring_pair_datagrams (FarLoop *loop_a, FarLoop *loop_b, FarStream **end_a, FarStream **end_b)
{
  pair_new ((FarLoop *[]){ loop_a, loop_b }, (FarStream * *[]){ end_a, end_b }, &datagram_ring_class);
}
