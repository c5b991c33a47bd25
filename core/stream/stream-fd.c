/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream on a descriptor. It reads into the loop's scratch memory; only what a blocked reader leaves, and
 * somebody else then displaces, is kept in memory of its own: an idle stream owns none. */
#include "config.h"

#include "loop/loop-private.h"
#include <errno.h>
#include <fcntl.h>
#include <farwatch/stream.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* A little less than 64 KiB: carriers that cut at 32 KiB, heads included, then make two full packets of it
 * and no crumb. */
#define READ_SIZE (FAR_SCRATCH_SIZE - 64)

typedef struct {
  FarStream head;
  int fd;
  gboolean socket, tcp, eof;
  gboolean drained; /* nothing to read until the watch tells of more */
  /* The watch has told of an end or of urgent data, once: a short read may have stopped before either, so
   * reads go on until they find nothing. */
  gboolean ending;
  FarWatch *watch;
  const guint8 *show; /* read and not consumed: in the scratch or in kept */
  gsize size;
  guint8 *kept;
} FdStream;

static const char *
cause_of (int code)
{
  switch (code) {
  case ECONNRESET:
  case EPIPE:
    return "connection reset";
  case ETIMEDOUT:
    return "connection timed out";
  default:
    return g_strerror (code);
  }
}

/* A reset after the end of input shows nowhere else. */
static void
fd_ready (int fd, guint ready, gpointer data)
{
  FdStream *self = data;
  int code = 0;
  socklen_t size = sizeof code;
  self->ending |= (ready & (FAR_READY_END | FAR_READY_CLOSED)) != 0;
  if (ready & FAR_READY_READ)
    self->drained = FALSE;
  if (ready == FAR_READY_CLOSED)
    far_stream_die (&self->head, "the system does not watch its descriptor");
  else if ((ready & FAR_READY_CLOSED) && self->eof && self->socket &&
           getsockopt (fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 && code != 0)
    far_stream_die (&self->head, cause_of (code));
  else
    far_stream_tell (&self->head, ready & (FAR_READY_READ | FAR_READY_WRITE));
}

static void
fd_wait (FdStream *self)
{
  if (self->watch == NULL)
    self->watch = far_loop_watch (self->head.loop, self->fd,
                                  FAR_READY_READ | FAR_READY_WRITE | FAR_READY_EDGE, fd_ready, self);
}

static void
fd_save (gpointer owner)
{
  FdStream *self = owner;
  self->kept = g_memdup2 (self->show, self->size);
  self->show = self->kept;
}

static void
fd_forget (FdStream *self)
{
  far_loop_scratch_leave (self->head.loop, self);
  g_clear_pointer (&self->kept, g_free);
  self->size = 0;
}

/* Dies when there is nothing left to read, so that a last answer before a reset is seen. */
static void
fd_break (FdStream *self, const char *cause)
{
  self->head.broken = far_cause (cause);
  self->drained = FALSE;
  if (self->eof)
    far_stream_die_soon (&self->head, cause);
  else
    far_stream_tell_soon (&self->head, FAR_READY_READ);
}

/* A read that took less than it asked for has emptied the socket, see epoll(7): another one would only learn
 * that. What comes later is told as an edge. */
static gboolean
is_drained (const FdStream *self, gsize got)
{
  return got < READ_SIZE && self->tcp && self->watch != NULL && !self->ending && self->head.broken == NULL;
}

static void
fd_read (FdStream *self)
{
  guint8 *memory = far_loop_scratch_take (self->head.loop, fd_save, self);
  gssize got;
  do
    got = read (self->fd, memory, READ_SIZE);
  while (got < 0 && errno == EINTR);
  if (got > 0) {
    self->show = memory;
    self->size = got;
    self->drained = is_drained (self, got);
    return;
  }
  int code = errno;
  far_loop_scratch_leave (self->head.loop, self);
  if (got == 0) {
    self->eof = TRUE;
    if (self->head.broken != NULL)
      far_stream_die_soon (&self->head, self->head.broken);
  } else if (code == EAGAIN)
    fd_wait (self);
  else
    far_stream_die_soon (&self->head, cause_of (code));
}

static void
fd_peek (FarStream *stream, FarBurst *burst)
{
  FdStream *self = (FdStream *) stream;
  burst->n = 0;
  burst->bytes = 0;
  burst->eof = FALSE;
  if (stream->closed)
    return;
  if (self->size == 0 && !self->eof && !self->drained)
    fd_read (self);
  if (self->size > 0) {
    burst->frames[0] = (FarFrame){ .data = self->show, .size = self->size };
    burst->bytes = self->size;
    burst->n = 1;
  } else
    burst->eof = self->eof;
}

static void
fd_consume (FarStream *stream, gsize bytes)
{
  FdStream *self = (FdStream *) stream;
  self->show += bytes;
  self->size -= MIN (bytes, self->size);
  if (self->size == 0)
    fd_forget (self);
}

static gssize
send_some (FdStream *self, struct iovec *parts, guint n)
{
  struct msghdr message = { .msg_iov = parts, .msg_iovlen = n };
  gssize sent;
  do
    sent = self->socket ? sendmsg (self->fd, &message, MSG_NOSIGNAL) : writev (self->fd, parts, n);
  while (sent < 0 && errno == EINTR);
  return sent;
}

/* Steps over sent bytes; the number of parts that are done. */
static guint
advance (struct iovec *parts, guint n, gsize sent)
{
  guint done = 0;
  while (done < n && sent >= parts[done].iov_len)
    sent -= parts[done++].iov_len;
  if (done < n) {
    parts[done].iov_base = (guint8 *) parts[done].iov_base + sent;
    parts[done].iov_len -= sent;
  }
  return done;
}

static gsize
fd_write (FarStream *stream, const FarBurst *burst)
{
  FdStream *self = (FdStream *) stream;
  struct iovec parts[FAR_BURST_FRAMES];
  gsize taken = 0;
  guint done = 0;
  for (guint i = 0; i < burst->n; i++)
    parts[i] = (struct iovec){ (gpointer) burst->frames[i].data, burst->frames[i].size };
  while (taken < burst->bytes && !stream->closed && self->head.broken == NULL) {
    gssize sent = send_some (self, parts + done, burst->n - done);
    if (sent < 0) {
      if (errno == EAGAIN)
        fd_wait (self);
      else
        fd_break (self, cause_of (errno));
      break;
    }
    taken += sent;
    done += advance (parts + done, burst->n - done, sent);
  }
  return taken;
}

static void
fd_shutdown (FarStream *stream, FarDirection what)
{
  FdStream *self = (FdStream *) stream;
  if (self->fd >= 0 && self->socket)
    shutdown (self->fd, what == FAR_DIRECTION_BOTH   ? SHUT_RDWR
                        : what == FAR_DIRECTION_READ ? SHUT_RD
                                                     : SHUT_WR);
}

static void
fd_close (FdStream *self)
{
  g_clear_pointer (&self->watch, far_watch_free);
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
  fd_forget (self);
}

static void
fd_abort (FarStream *stream, const char *cause)
{
  FdStream *self = (FdStream *) stream;
  struct linger at_once = { 1, 0 }; /* an orderly close goes on sending what the kernel holds */
  if (self->fd >= 0 && self->socket)
    setsockopt (self->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  fd_close (self);
  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = g_intern_string (cause);
}

static void
fd_move (FarStream *stream, FarLoop *loop)
{
  FdStream *self = (FdStream *) stream;
  if (self->size > 0 && self->kept == NULL)
    fd_save (self);
  far_loop_scratch_leave (stream->loop, self);
  g_clear_pointer (&self->watch, far_watch_free);
  self->drained = FALSE;
  far_stream_moved (stream, loop);
}

static void
fd_free (FarStream *stream)
{
  fd_close ((FdStream *) stream);
  g_free (stream);
}

static const FarStreamClass fd_class = {
  .name = "fd",
  .movable = TRUE,
  .peek = fd_peek,
  .consume = fd_consume,
  .write = fd_write,
  .shutdown = fd_shutdown,
  .abort = fd_abort,
  .move = fd_move,
  .free = fd_free,
};

static gboolean
is_tcp (int fd)
{
  int protocol = 0;
  socklen_t size = sizeof protocol;
  return getsockopt (fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 && protocol == IPPROTO_TCP;
}

FarStream *
far_stream_fd_new (FarLoop *loop, int fd)
{
  FdStream *self = g_new0 (FdStream, 1);
  struct stat about;
  far_stream_init (&self->head, &fd_class, loop);
  self->fd = fd;
  self->socket = fstat (fd, &about) == 0 && S_ISSOCK (about.st_mode);
  self->tcp = self->socket && is_tcp (fd);
  fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
  return &self->head;
}
