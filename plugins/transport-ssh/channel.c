/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A channel as a stream. What arrives is shown in place, inside libssh's data callback, when that comes from
 * the conn's own turn; otherwise, and when the reader is slow, it stays in libssh (the window stays shut) and
 * is drained later. */
#include "config.h"

#include "connection.h"

#include <string.h>

#define PIECE_SIZE                                                                                           \
  65536 /* given to libssh at once: two packets, which it writes together; each write costs, and wakes the   \
           other side */

struct _Channel {
  FarStream head;
  SshConnection *conn; /* a reference */
  ssh_channel channel; /* NULL: the conn is dead */
  struct ssh_channel_callbacks_struct callbacks;
  gint *status; /* of a session, a box shared with the endpoint */
  gboolean opened, session, freed;
  gboolean unread; /* libssh holds bytes */
  gboolean peer_eof, peer_closed, eof_seen;
  gboolean end_wanted, ended; /* our end of input */
  gboolean write_wanted;      /* told when it is possible again */
  gboolean changed;           /* something happened in a nested call */
  const guint8 *show;         /* bytes to read: of libssh (in the callback), of the scratch, or kept */
  gsize size;
  gboolean in_callback;
  guint8 *kept;
  char *host, *from; /* forwarded, while it opens */
  guint16 port, from_port;
};

static Channel *
of_stream (FarStream *stream)
{
  return (Channel *) stream;
}

/* libssh is in the middle of something: neither called again from within its callback, which might handle the
 * very packet that takes away what the callback goes on with, nor from within a call that handles packets. */
static gboolean
is_inside (Channel *self)
{
  return self->in_callback || self->conn->telling > 0 || self->conn->inside > 0;
}

/* ---- what libssh tells ---- */

static void
tell (Channel *self, guint ready)
{
  if (ssh_conn_may_tell (self->conn)) {
    self->conn->telling++;
    far_stream_tell (&self->head, ready);
    self->conn->telling--;
  }
  self->changed = TRUE; /* and once more in the turn: what would have called libssh has waited */
}

static int
on_data (ssh_session session, ssh_channel channel, void *data, uint32_t size, int is_stderr, void *user)
{
  Channel *self = user;
  self->conn->data_bytes += size;
  self->conn->data_packets++;
  if (self->freed || is_stderr)
    return size;
  if (self->size > 0 || !ssh_conn_may_tell (self->conn) || self->head.ready == NULL) {
    self->unread = self->changed = TRUE;
    return 0;
  }
  self->show = data;
  self->size = size;
  self->in_callback = TRUE;
  self->conn->telling++;
  far_stream_tell (&self->head, FAR_READY_READ);
  self->conn->telling--;
  self->in_callback = FALSE;
  gsize left = self->freed ? 0 : self->size;
  self->size = 0;
  self->unread = left > 0;
  return size - left;
}

static void
on_eof (ssh_session session, ssh_channel channel, void *user)
{
  Channel *self = user;
  self->peer_eof = TRUE;
  tell (self, FAR_READY_READ);
}

static void
on_close (ssh_session session, ssh_channel channel, void *user)
{
  Channel *self = user;
  self->peer_closed = self->peer_eof = TRUE;
  self->changed = TRUE;
  if (self->eof_seen)
    far_stream_die_soon (&self->head, "closed by the peer");
  else
    tell (self, FAR_READY_READ);
}

/* ---- reading ---- */

static void
ssh_channel_keep (gpointer owner)
{
  Channel *self = owner;
  self->kept = g_memdup2 (self->show, self->size);
  self->show = self->kept;
}

static void
ssh_channel_drain (Channel *self)
{
  guint8 *memory = far_loop_scratch_take (self->conn->loop, ssh_channel_keep, self);
  ssh_conn_enter (self->conn);
  int got = ssh_channel_read_nonblocking (self->channel, memory, FAR_SCRATCH_SIZE, 0);
  ssh_conn_leave (self->conn);
  if (got > 0) {
    self->show = memory;
    self->size = got;
  } else {
    far_loop_scratch_leave (self->conn->loop, self);
    self->unread = FALSE;
  }
}

static void
saw_eof (Channel *self)
{
  self->eof_seen = TRUE;
  if (self->peer_closed)
    far_stream_die_soon (&self->head, "closed by the peer");
}

static void
chan_peek (FarStream *stream, FarBurst *burst)
{
  Channel *self = of_stream (stream);
  burst->n = 0;
  burst->bytes = 0;
  burst->eof = FALSE;
  if (stream->closed || !self->opened)
    return;
  if (self->size == 0 && self->unread && !is_inside (self))
    ssh_channel_drain (self);
  if (self->size > 0) {
    burst->frames[0] = (FarFrame){ .data = self->show, .size = self->size };
    burst->bytes = self->size;
    burst->n = 1;
  } else if (self->peer_eof && !self->unread) {
    burst->eof = TRUE;
    saw_eof (self);
  }
}

static void
chan_consume (FarStream *stream, gsize bytes)
{
  Channel *self = of_stream (stream);
  self->show += bytes;
  self->size -= MIN (bytes, self->size);
  if (self->size > 0 || self->in_callback)
    return;
  far_loop_scratch_leave (stream->loop, self);
  g_clear_pointer (&self->kept, g_free);
}

/* ---- writing ---- */

/* Bytes that may go now; 0: not now. Inside a callback nothing is written: libssh is in the middle of
 * something. */
static guint32
ssh_channel_room (Channel *self)
{
  if (!self->opened || self->ended || is_inside (self) || !ssh_conn_can_write (self->conn))
    return 0;
  return ssh_channel_window_size (self->channel);
}

static int
ssh_channel_put (Channel *self, const guint8 *data, gsize size)
{
  ssh_conn_enter (self->conn);
  int put_ = ssh_channel_write (self->channel, data, size);
  ssh_conn_leave (self->conn);
  return put_;
}

/* How far a burst is written. */
typedef struct {
  const FarBurst *burst;
  guint frame;
  gsize at; /* of that frame */
} SshCursor;

static void
go_on (SshCursor *cursor, gsize bytes)
{
  for (cursor->at += bytes;
       cursor->frame < cursor->burst->n && cursor->at >= cursor->burst->frames[cursor->frame].size;
       cursor->frame++)
    cursor->at -= cursor->burst->frames[cursor->frame].size;
}

/* The next bytes of the burst, at most *size, in one piece: where they lie if they lie so, else put together
 * in room. */
static const guint8 *
next_piece (const SshCursor *cursor, guint8 *room, gsize *size)
{
  const FarFrame *frame = &cursor->burst->frames[cursor->frame];
  gsize n = MIN (*size, frame->size - cursor->at);
  if (n == *size || cursor->frame + 1 == cursor->burst->n) {
    *size = n;
    return frame->data + cursor->at;
  }
  memcpy (room, frame->data + cursor->at, n);
  for (guint i = cursor->frame + 1; i < cursor->burst->n && n < *size; i++) {
    gsize part = MIN (*size - n, cursor->burst->frames[i].size);
    memcpy (room + n, cursor->burst->frames[i].data, part);
    n += part;
  }
  *size = n;
  return room;
}

static gsize
chan_write (FarStream *stream, const FarBurst *burst)
{
  Channel *self = of_stream (stream);
  guint8 together[PIECE_SIZE];
  SshCursor cursor = { burst, 0, 0 };
  gsize taken = 0;
  for (go_on (&cursor, 0); cursor.frame < burst->n && !stream->closed;) {
    gsize n = MIN (ssh_channel_room (self), PIECE_SIZE);
    const guint8 *piece = n > 0 ? next_piece (&cursor, together, &n) : NULL;
    int written = n > 0 ? ssh_channel_put (self, piece, n) : 0;
    if (written <= 0) {
      self->write_wanted = TRUE;
      if (written < 0)
        far_stream_die_soon (stream, "closed by the peer");
      break;
    }
    go_on (&cursor, written);
    taken += written;
  }
  return taken;
}

static void
send_end (Channel *self)
{
  if (self->ended || !self->opened || self->peer_closed)
    return;
  self->ended = TRUE;
  ssh_conn_enter (self->conn);
  if (self->session)
    ssh_channel_request_send_exit_status (self->channel, g_atomic_int_get (self->status));
  ssh_channel_send_eof (self->channel);
  if (self->session) /* the program has ended: nobody waits for more input */
    ssh_channel_close (self->channel);
  ssh_conn_leave (self->conn);
}

static void
chan_shutdown (FarStream *stream, FarDirection what)
{
  Channel *self = of_stream (stream);
  if (!(what & FAR_DIRECTION_WRITE) || self->channel == NULL)
    return;
  self->end_wanted = TRUE;
  if (is_inside (self) || !self->opened)
    ssh_conn_kick (self->conn);
  else
    send_end (self);
}

/* ---- end ---- */

static void
chan_abort (FarStream *stream, const char *cause)
{
  Channel *self = of_stream (stream);
  stream->closed = TRUE;
  if (stream->cause == NULL)
    stream->cause = g_intern_string (cause);
  self->end_wanted = FALSE;
  if (self->channel != NULL)
    ssh_conn_kick (self->conn);
}

static void
forget_bytes (Channel *self)
{
  far_loop_scratch_leave (self->head.loop, self);
  g_clear_pointer (&self->kept, g_free);
  self->size = 0;
}

static void
destroy (Channel *self)
{
  ssh_conn_unref (self->conn);
  g_free (self->host);
  g_free (self->from);
  if (self->status != NULL)
    g_atomic_rc_box_release (self->status);
  g_free (self);
}

/* libssh may be in the middle of this very channel: it goes after the turn. */
static void
chan_free (FarStream *stream)
{
  Channel *self = of_stream (stream);
  if (!self->in_callback)
    forget_bytes (self);
  self->freed = TRUE;
  if (self->channel == NULL)
    destroy (self);
  else
    ssh_conn_kick (self->conn);
}

/* A channel that does not open yet waits: to close it now would upset the peer (OpenSSH drops the whole
 * connection). */
gboolean
ssh_conn_channel_reap (Channel *self)
{
  if (!self->freed || self->host != NULL)
    return FALSE;
  WIRE_RULE (self->channel != NULL && !self->in_callback && self->conn->inside == 0);
  ssh_conn_enter (self->conn);
  ssh_remove_channel_callbacks (self->channel, &self->callbacks);
  if (self->opened && self->end_wanted)
    send_end (self);
  if (self->opened)
    ssh_channel_close (self->channel);
  ssh_channel_free (self->channel);
  ssh_conn_leave (self->conn);
  destroy (self);
  return TRUE;
}

void
ssh_conn_channel_wire_dead (Channel *self, const char *cause)
{
  WIRE_RULE (self->channel != NULL && !self->in_callback);
  ssh_remove_channel_callbacks (self->channel, &self->callbacks);
  self->channel = NULL; /* goes with the session */
  if (self->freed)
    destroy (self);
  else
    far_stream_die (&self->head, cause);
}

/* ---- turn ---- */

static void
try_open (Channel *self)
{
  ssh_conn_enter (self->conn);
  int result = ssh_channel_open_reverse_forward (self->channel, self->host, self->port, self->from,
                                                 self->from_port);
  ssh_conn_leave (self->conn);
  if (result == SSH_AGAIN)
    return;
  g_clear_pointer (&self->host, g_free);
  self->opened = result == SSH_OK;
  if (!self->opened && !self->freed)
    far_stream_die (&self->head, "refused by the terminal");
  else
    self->write_wanted = self->changed = TRUE;
}

void
ssh_conn_channel_turn (Channel *self)
{
  guint ready = 0;
  if (self->host != NULL)
    try_open (self);
  if (self->freed || self->head.closed)
    return;
  if (self->end_wanted && !self->ended)
    send_end (self);
  if (self->changed)
    ready |= FAR_READY_READ;
  self->changed = FALSE;
  if (self->write_wanted && ssh_channel_room (self) > 0) {
    self->write_wanted = FALSE;
    ready |= FAR_READY_WRITE;
  }
  if (ready != 0)
    far_stream_tell (&self->head, ready);
}

/* ---- life ---- */

static const FarStreamClass channel_class = {
  .name = "ssh-channel",
  .peek = chan_peek,
  .consume = chan_consume,
  .write = chan_write,
  .shutdown = chan_shutdown,
  .abort = chan_abort,
  .free = chan_free,
};

Channel *
ssh_conn_channel_new (SshConnection *conn, ssh_channel channel, gboolean opened)
{
  Channel *self = g_new0 (Channel, 1);
  far_stream_init (&self->head, &channel_class, conn->loop);
  self->conn = ssh_conn_ref (conn);
  self->channel = channel;
  self->opened = opened;
  /* What came while nobody listened. */
  self->unread = opened;
  self->peer_eof = opened && ssh_channel_is_eof (channel);
  self->peer_closed = opened && ssh_channel_is_closed (channel);
  self->callbacks = (struct ssh_channel_callbacks_struct){ .userdata = self,
                                                           .channel_data_function = on_data,
                                                           .channel_eof_function = on_eof,
                                                           .channel_close_function = on_close };
  ssh_callbacks_init (&self->callbacks);
  ssh_set_channel_callbacks (channel, &self->callbacks);
  g_ptr_array_add (conn->channels, self);
  return self;
}

Channel *
ssh_conn_channel_forward (SshConnection *conn, const char *host, guint16 port, const char *from,
                          guint16 from_port)
{
  Channel *self = ssh_conn_channel_new (conn, ssh_channel_new (conn->session), FALSE);
  self->host = g_strdup (host);
  self->port = port;
  self->from = g_strdup (from);
  self->from_port = from_port;
  try_open (self);
  return self;
}

void
ssh_conn_channel_set_session (Channel *channel, gint *status)
{
  channel->session = TRUE;
  channel->status = g_atomic_rc_box_acquire (status);
}

FarStream *
ssh_conn_channel_stream (Channel *channel)
{
  return &channel->head;
}

ssh_channel
ssh_conn_channel_raw (Channel *channel)
{
  return channel->channel;
}
