/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream of datagrams on a socket that keeps their sizes: SOCK_SEQPACKET, SOCK_DGRAM, connected UDP. Many
 * are read by one system call into memory of the stream, and many are sent by one. Only SEQPACKET has an end
 * of input; what a network does not take is dropped and counted, as networks do. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <farwatch/stream.h>
#include <sys/socket.h>
#include <unistd.h>

/* What one read takes at most, in bytes and so in datagrams of the longest size. */
#define READ_MEMORY ((gsize) 256 * 1024)
#define ERRORS_AT_ONCE 16
/* Reads of one peek that may bring only what is too long; then others of the loop have their turn. */
#define READS_AT_ONCE 4
#define CONTROL_SIZE CMSG_SPACE (sizeof (struct ucred))

typedef struct {
  FarStream head;
  int fd;
  gsize longest;
  guint slots;       /* datagrams that memory holds */
  gboolean internet; /* errors are about a datagram and not about the socket */
  gboolean ends;     /* SEQPACKET: a read of nothing may be the end of input */
  gboolean eof;
  FarWatch *watch;
  guint8 *memory;                    /* NULL: nothing was read yet */
  FarFrame frames[FAR_BURST_FRAMES]; /* read; those from `at` to `n` are not consumed */
  guint at, n;
} DatagramStream;

static const char *
datagram_cause (int code)
{
  return code == ECONNRESET || code == EPIPE || code == ECONNREFUSED ? "connection reset" : g_strerror (code);
}

static void
datagram_ready (int fd, guint ready, gpointer data)
{
  DatagramStream *self = data;
  if (ready == FAR_READY_CLOSED)
    far_stream_die (&self->head, "the system does not watch its descriptor");
  else
    far_stream_tell (&self->head, FAR_READY_READ | (ready & FAR_READY_WRITE));
}

static void
datagram_wait (DatagramStream *self)
{
  if (self->watch == NULL)
    self->watch = far_loop_watch (self->head.loop, self->fd,
                                  FAR_READY_READ | FAR_READY_WRITE | FAR_READY_EDGE, datagram_ready, self);
}

/* ---- reading ---- */

static void
datagram_break (DatagramStream *self, const char *cause)
{
  self->head.broken = far_cause (cause);
  if (self->eof)
    far_stream_die_soon (&self->head, cause);
  else
    far_stream_tell_soon (&self->head, FAR_READY_READ);
}

static gssize
receive_many (DatagramStream *self, struct mmsghdr *messages)
{
  struct iovec parts[FAR_BURST_FRAMES];
  gssize got;
  guint tries = 0;
  if (self->memory == NULL)
    self->memory = g_malloc (self->slots * self->longest);
  for (guint i = 0; i < self->slots; i++) {
    parts[i] = (struct iovec){ self->memory + i * self->longest, self->longest };
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  do /* an error that the network told is about a datagram that was sent */
    got = recvmmsg (self->fd, messages, self->slots, MSG_DONTWAIT, NULL);
  while (got < 0 && (errno == EINTR || (self->internet && errno != EAGAIN && tries++ < ERRORS_AT_ONCE)));
  return got;
}

/* With SO_PASSCRED each message brings its sender's credentials, an empty one too; the end of input brings
 * none. */
static gboolean
is_end (const DatagramStream *self, const struct mmsghdr *message)
{
  return self->ends && message->msg_len == 0 && message->msg_hdr.msg_controllen == 0;
}

static void
keep_frames (DatagramStream *self, const struct mmsghdr *messages, guint n)
{
  self->at = self->n = 0;
  for (guint i = 0; i < n && !self->eof; i++) {
    if (is_end (self, &messages[i]))
      self->eof = TRUE;
    else if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
      self->head.dropped++;
    else
      self->frames[self->n++] = (FarFrame){ .data = self->memory + i * self->longest,
                                            .size = messages[i].msg_len };
  }
}

/* FALSE: nothing is there now, or ever. */
static gboolean
datagram_read (DatagramStream *self)
{
  struct mmsghdr messages[FAR_BURST_FRAMES] = { 0 };
  union {
    struct cmsghdr align;
    guint8 bytes[CONTROL_SIZE];
  } control[FAR_BURST_FRAMES];
  for (guint i = 0; i < self->slots && self->ends; i++) {
    messages[i].msg_hdr.msg_control = &control[i];
    messages[i].msg_hdr.msg_controllen = sizeof control[i];
  }
  gssize got = receive_many (self, messages);
  if (got >= 0) {
    keep_frames (self, messages, (guint) got);
    return got > 0 && !self->eof;
  }
  if (errno != EAGAIN)
    far_stream_die_soon (&self->head, datagram_cause (errno));
  else if (self->head.broken != NULL)
    far_stream_die_soon (&self->head, self->head.broken);
  else
    datagram_wait (self);
  return FALSE;
}

/* Reads until something is there to show. */
static void
datagram_fill (DatagramStream *self)
{
  for (guint i = 0; i < READS_AT_ONCE; i++)
    if (self->at < self->n || self->eof || !datagram_read (self))
      return;
  if (self->at == self->n) /* all of them were too long */
    far_stream_tell_soon (&self->head, FAR_READY_READ);
}

static void
datagram_peek (FarStream *stream, FarBurst *burst)
{
  DatagramStream *self = (DatagramStream *) stream;
  burst->n = 0;
  burst->bytes = 0;
  burst->eof = FALSE;
  if (stream->closed)
    return;
  datagram_fill (self);
  for (guint i = self->at; i < self->n; i++) {
    burst->frames[burst->n++] = self->frames[i];
    burst->bytes += self->frames[i].size;
  }
  burst->eof = self->eof && burst->n == 0;
  if (burst->eof && self->head.broken != NULL)
    far_stream_die_soon (stream, self->head.broken);
}

static void
datagram_consume (FarStream *stream, gsize frames)
{
  DatagramStream *self = (DatagramStream *) stream;
  self->at += MIN (frames, self->n - self->at);
}

/* ---- writing ---- */

/* What such a socket cannot carry would arrive as something else. */
static gboolean
is_plain (const DatagramStream *self, const FarFrame *frame)
{
  return frame->gso_size == 0 && frame->csum_start == 0 && frame->gso_type == 0;
}

/* How many of the frames from `from` on go out by one call. */
static guint
datagram_prepare (const DatagramStream *self, const FarBurst *burst, guint from, struct mmsghdr *messages,
                  struct iovec *parts)
{
  guint n = 0;
  for (guint i = from; i < burst->n && is_plain (self, &burst->frames[i]); i++, n++) {
    parts[n] = (struct iovec){ (gpointer) burst->frames[i].data, burst->frames[i].size };
    messages[n].msg_hdr.msg_iov = &parts[n];
    messages[n].msg_hdr.msg_iovlen = 1;
  }
  return n;
}

/* The datagram that was not taken: TRUE: it is dropped, the next ones may go. */
static gboolean
datagram_refused (DatagramStream *self, int code)
{
  if (code == EAGAIN) {
    datagram_wait (self);
    return FALSE;
  }
  if (!self->internet && code != EMSGSIZE && code != ENOBUFS) {
    datagram_break (self, datagram_cause (code));
    return FALSE;
  }
  self->head.dropped++;
  return TRUE;
}

static gsize
datagram_write (FarStream *stream, const FarBurst *burst)
{
  DatagramStream *self = (DatagramStream *) stream;
  struct mmsghdr messages[FAR_BURST_FRAMES] = { 0 };
  struct iovec parts[FAR_BURST_FRAMES];
  guint taken = 0;
  while (taken < burst->n && !stream->closed && self->head.broken == NULL) {
    guint n = datagram_prepare (self, burst, taken, messages, parts);
    if (n == 0) {
      stream->dropped++;
      taken++;
      continue;
    }
    int sent = sendmmsg (self->fd, messages, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0)
      taken += (guint) sent;
    else if (errno != EINTR && !datagram_refused (self, errno))
      break;
    else if (errno != EINTR)
      taken++;
  }
  return taken;
}

/* ---- the end ---- */

static void
datagram_shutdown (FarStream *stream, FarDirection what)
{
  DatagramStream *self = (DatagramStream *) stream;
  if (self->fd >= 0)
    shutdown (self->fd, what == FAR_DIRECTION_BOTH   ? SHUT_RDWR
                        : what == FAR_DIRECTION_READ ? SHUT_RD
                                                     : SHUT_WR);
}

static void
datagram_close (DatagramStream *self)
{
  g_clear_pointer (&self->watch, far_watch_free);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
  self->at = self->n = 0;
  g_clear_pointer (&self->memory, g_free);
}

static void
datagram_abort (FarStream *stream, const char *cause)
{
  datagram_close ((DatagramStream *) stream);
  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = g_intern_string (cause);
}

static void
datagram_move (FarStream *stream, FarLoop *loop)
{
  DatagramStream *self = (DatagramStream *) stream;
  g_clear_pointer (&self->watch, far_watch_free);
  far_stream_moved (stream, loop);
}

static void
datagram_free (FarStream *stream)
{
  datagram_close ((DatagramStream *) stream);
  g_free (stream);
}

static const FarStreamClass datagram_class = {
  .name = "datagram",
  .datagrams = TRUE,
  .movable = TRUE,
  .peek = datagram_peek,
  .consume = datagram_consume,
  .write = datagram_write,
  .shutdown = datagram_shutdown,
  .abort = datagram_abort,
  .move = datagram_move,
  .free = datagram_free,
};

static int
socket_number (int fd, int option)
{
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt (fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

FarStream *
far_stream_datagram_new (FarLoop *loop, int fd, gsize longest)
{
  DatagramStream *self = g_new0 (DatagramStream, 1);
  int domain = socket_number (fd, SO_DOMAIN), on = 1;
  far_stream_init (&self->head, &datagram_class, loop);
  self->fd = fd;
  self->longest = CLAMP (longest, 1, FAR_DATAGRAM_MAX);
  self->slots = CLAMP (READ_MEMORY / self->longest, 1, FAR_BURST_FRAMES);
  self->internet = domain == AF_INET || domain == AF_INET6;
  self->ends = socket_number (fd, SO_TYPE) == SOCK_SEQPACKET &&
               setsockopt (fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0;
  return &self->head;
}
