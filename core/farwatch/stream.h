/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream: one end of what a pump joins. Ends come from transports and endpoints; services never see bytes.
 *
 * It has a loop, the one thread that may touch it. Reading is peek + consume: peek() shows a burst of at most
 * FAR_BURST_FRAMES frames in memory of the stream (or the loop's scratch), valid until the next call on any
 * stream of that loop or until the callback returns; consume() says how much was taken; the rest stays with
 * the stream, and that is the back-pressure. write() takes what it can. Nothing blocks.
 *
 * A frame is bytes, or one datagram, as the class says. A byte stream shows no empty frame; an empty datagram
 * is one like any other. consume() and write() count bytes of a byte stream and whole frames of a datagram
 * stream, so that sizes are kept whatever joins two ends. The GSO fields carry what virtio_net_hdr carries,
 * so that super-packets (64 KiB) can pass whole; a byte stream leaves them 0. Datagrams that cannot be passed
 * on (longer than FAR_DATAGRAM_MAX or than what is below carries, refused by the network) are taken, dropped
 * and counted, never cut.
 *
 * A stream tells its user by ready(): READ = peek may show something, WRITE = write may take something again,
 * CLOSED = the stream has died (cause in far_stream_cause()). ready() may come from inside an event of the
 * library below but never from inside peek, consume, write, shutdown or abort. Edge rule: after peek showed
 * nothing (or write took less than given) ready() will come; before that it need not. The user may free the
 * stream inside ready(). End of input: peek returns 0 frames and eof is TRUE. When the peer has closed
 * altogether, the stream shows what came before, then eof, and dies only after that; a reset or abort kills
 * it at once. Who is told CLOSED after eof may therefore end in order. consume() invalidates what peek
 * showed. Until then the user may change the bytes where they lie (WebSocket unmasks there): the next peek
 * shows them changed.
 * Functions are [loop] unless their comment says otherwise. */
#pragma once
#include <farwatch/gate.h>
#include <farwatch/loop.h>

G_BEGIN_DECLS

#define FAR_BURST_FRAMES 64
/* The longest datagram: a TSO packet of 64 KiB with its link header. */
#define FAR_DATAGRAM_MAX ((gsize) 65 * 1024)

typedef struct {
  const guint8 *data;
  gsize size;
  guint16 gso_size;   /* 0: bytes, or one plain datagram */
  guint16 csum_start; /* as in virtio_net_hdr; 0: checksum complete */
  guint16 csum_offset;
  guint8 gso_type;
  guint8 flags;
} FarFrame;

typedef struct {
  guint n;
  gsize bytes;  /* sum of the frames' sizes */
  gboolean eof; /* no more will come, after these frames */
  FarFrame frames[FAR_BURST_FRAMES];
} FarBurst;

typedef struct _FarStream FarStream;

typedef enum { FAR_DIRECTION_READ = 1, FAR_DIRECTION_WRITE = 2, FAR_DIRECTION_BOTH = 3 } FarDirection;

/* All [loop]. */
typedef struct {
  /* "fd", "datagram", "tls", "websocket", "ssh-channel", "ring" */
  const char *name;
  gboolean datagrams; /* frames are datagrams, never merged or cut */
  gboolean movable;   /* may change loop while it has no user      */
  /* fills burst; never an error: death is told by ready(CLOSED) */
  void (*peek) (FarStream *stream, FarBurst *burst);
  /* bytes, or frames when datagrams */
  void (*consume) (FarStream *stream, gsize amount);
  /* what was taken, from the front, bytes or frames; less than given: ready(WRITE) follows */
  gsize (*write) (FarStream *stream, const FarBurst *burst);
  /* orderly: WRITE = send what was taken, then end of input to the peer */
  void (*shutdown) (FarStream *stream, FarDirection what);
  /* at once, nothing delivered late (SO_LINGER 0) */
  void (*abort) (FarStream *stream, const char *cause);
  /* movable only; called on the old loop, ends on the new */
  void (*move) (FarStream *stream, FarLoop *loop);
  /* orderly close when still open; frees the struct */
  void (*free) (FarStream *stream);
  /* bytes that write() took and the kernel has not; NULL: never any */
  gsize (*waiting) (FarStream *stream);
} FarStreamClass;

typedef void (*FarStreamReady) (FarStream *stream, guint ready, gpointer user);

/* Head of every implementation's struct. */
struct _FarStream {
  const FarStreamClass *klass;
  FarLoop *loop;
  FarStreamReady ready; /* set by the one user of the stream; NULL: told to nobody */
  gpointer user;
  const char *cause; /* static or interned: why it died; NULL while alive       */
  gboolean closed;
  FarDeferred *soon; /* tells soon_ready outside of the call that found it out */
  guint soon_ready;
  guint64 dropped; /* datagrams that were taken and not passed on */
  /* static or interned: it takes nothing any more, though what came before is still read; NULL: it does */
  const char *broken;
};

/* How much a burst of this stream is: bytes, or frames when datagrams. */
static inline gsize
far_stream_amount (const FarStream *stream, const FarBurst *burst)
{
  return stream->klass->datagrams ? burst->n : burst->bytes;
}

/* Fills the head, before anybody has the stream. [any thread] */
void far_stream_init (FarStream *stream, const FarStreamClass *klass, FarLoop *loop);
/* Takes or leaves the stream: at most one user. After taking, ready(READ|WRITE) comes once on its own. [loop]
 */
void far_stream_take (FarStream *stream, FarStreamReady ready, gpointer user);
/* For implementations: tells the user, if there is one. [loop] */
void far_stream_tell (FarStream *stream, guint ready);
/* For implementations: marks it dead with a cause (interned) and tells CLOSED once. [loop] */
void far_stream_die (FarStream *stream, const char *cause);
/* The same, told from the loop's queue: for use inside peek, consume, write, shutdown. [loop] */
void far_stream_tell_soon (FarStream *stream, guint ready);
void far_stream_die_soon (FarStream *stream, const char *cause);
/* Causes are kept for good, as any thread may read one. What peers make up is kept up to a number of texts;
 * more of them read "closed". [any thread] */
const char *far_cause (const char *text);
/* For implementations of move: the stream lives at loop from now on. [old loop] */
void far_stream_moved (FarStream *stream, FarLoop *loop);
void far_stream_free (FarStream *stream); /* [loop]; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarStream, far_stream_free)

/* For who has done with a stream and wants its last words to arrive: takes stream (it has no user) and rest
 * (NULL: none), writes rest, sends the end of input, throws away what comes, and frees the stream when the
 * other side has ended or for_ms are over; what waits then is dropped (abort). It takes pass (NULL: none)
 * too: who has not logged in can be evicted meanwhile, and the place is given back when the descriptor is.
 * [loop] and the pass's. */
void far_stream_linger (FarStream *stream, GByteArray *rest, guint for_ms, FarPass *pass);

/* A stream on a connected stream descriptor (TCP, unix, pipe pair); takes fd, makes it non-blocking. Movable.
 * loop: an I/O thread's. [any thread]; the descriptor is watched from the first peek or write that would
 * block. */
FarStream *far_stream_fd_new (FarLoop *loop, int fd);
/* Two ends joined by a pair of single-producer rings of 256 KiB, one end living at each loop: how two pinned
 * ends meet. Freed one by one, each at its loop. [any thread] */
void far_ring_pair (FarLoop *loop_a, FarLoop *loop_b, FarStream **end_a, FarStream **end_b);
/* The same for datagrams: each takes its size, rounded up, and a head of 32 bytes of the 256 KiB. A burst
 * points into the ring. [any thread] */
void far_ring_pair_datagrams (FarLoop *loop_a, FarLoop *loop_b, FarStream **end_a, FarStream **end_b);
/* A stream of datagrams on a socket that keeps their sizes: SOCK_SEQPACKET, a connected SOCK_DGRAM, UDP;
 * takes fd. longest: bytes of the longest datagram that may come, at most FAR_DATAGRAM_MAX; longer ones are
 * dropped. Only SEQPACKET has an end of input. GSO fields cannot be carried: frames that have them are
 * dropped. Its memory, 256 KiB at most, is kept from the first read on. Movable; a duplicate of fd (dup(2))
 * makes a second stream for far_pump_start_split(). loop: an I/O thread's. [any thread] */
FarStream *far_stream_datagram_new (FarLoop *loop, int fd, gsize longest);

G_END_DECLS
