/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A wire is made and let go on the main context; in between its stream is touched only by the I/O thread
 * where it lives. What goes from one to the other is posted, so nothing needs a lock: the last post from the
 * I/O thread is that the wire is down, the last one from main frees it. */
#include "wire.h"

#include <string.h>

#define OUT_MAX (4 * 1024 * 1024) /* bytes that wait for a peer that does not read */

struct _Wire {
  FarLoop *loop;
  const WireFuncs *funcs;
  gpointer owner;    /* [main] NULL: closed */
  FarStream *stream; /* [loop] from here on; NULL: down */
  GByteArray *in, *out;
};

typedef struct {
  Wire *wire;
  GBytes *bytes;       /* to the I/O thread */
  FarMessage *message; /* to main; both NULL: down */
  const char *cause;
} Post;

/* ---- to main ---- */

static void
wire_free (gpointer data)
{
  Wire *wire = data;

  g_byte_array_unref (wire->in);
  g_byte_array_unref (wire->out);
  g_free (wire);
}

/* [main] */
static void
arrived (gpointer data)
{
  Post *post = data;
  Wire *wire = post->wire;
  gpointer owner = wire->owner;

  if (post->message != NULL) {
    if (owner != NULL)
      wire->funcs->message (owner, post->message);
    far_message_unref (post->message);
  } else {
    wire->owner = NULL;
    if (owner != NULL)
      wire->funcs->down (owner, post->cause);
    far_loop_post (wire->loop, wire_free, wire); /* behind what was posted to it before */
  }
  g_free (post);
}

static void
to_main (Wire *wire, FarMessage *message, const char *cause)
{
  Post *post = g_new0 (Post, 1);

  *post = (Post){ .wire = wire, .message = message, .cause = cause };
  far_loop_post (far_loop_main (), arrived, post);
}

/* ---- at loop ---- */

static void
die (Wire *wire, const char *cause)
{
  g_clear_pointer (&wire->stream, far_stream_free);
  to_main (wire, NULL, far_cause (cause));
}

/* Whole frames become messages; the rest waits for more bytes. */
static gboolean
cut_frames (Wire *wire)
{
  gssize size;

  while ((size = far_message_frame_size (wire->in->data, wire->in->len, NULL)) > 0 &&
         (gsize) size <= wire->in->len) {
    FarMessage *message = far_message_decode (wire->in->data, (gsize) size, NULL);

    if (message == NULL)
      return FALSE;
    g_byte_array_remove_range (wire->in, 0, (guint) size);
    to_main (wire, message, NULL);
  }
  return size >= 0;
}

static void
read_all (Wire *wire)
{
  FarBurst batch;

  do {
    wire->stream->klass->peek (wire->stream, &batch);
    for (guint i = 0; i < batch.n; i++)
      g_byte_array_append (wire->in, batch.frames[i].data, (guint) batch.frames[i].size);
    wire->stream->klass->consume (wire->stream, batch.bytes);
    if (!cut_frames (wire)) {
      die (wire, "not the protocol");
      return;
    }
  } while (batch.n > 0 && !batch.eof);
  if (batch.eof)
    die (wire, "closed by the other side");
}

/* write() takes what it can; for the rest it tells when it can take more. */
static void
write_all (Wire *wire)
{
  gsize done = 1;

  while (wire->out->len > 0 && done > 0) {
    FarBurst batch = { .n = 1, .bytes = wire->out->len };

    batch.frames[0] = (FarFrame){ .data = wire->out->data, .size = wire->out->len };
    done = wire->stream->klass->write (wire->stream, &batch);
    g_byte_array_remove_range (wire->out, 0, (guint) done);
  }
  if (wire->out->len > OUT_MAX)
    die (wire, "does not read");
}

static void
ready (FarStream *stream, guint what, gpointer data)
{
  Wire *wire = data;

  if (what & FAR_READY_READ)
    read_all (wire);
  if (wire->stream != NULL && (what & FAR_READY_WRITE))
    write_all (wire);
  if (wire->stream != NULL && (what & FAR_READY_CLOSED))
    die (wire, stream->cause);
}

static void
begin (gpointer data)
{
  Wire *wire = data;

  far_stream_take (wire->stream, ready, wire);
}

static void
send_there (gpointer data)
{
  Post *post = data;
  gsize size;
  const guint8 *bytes = g_bytes_get_data (post->bytes, &size);

  if (post->wire->stream != NULL) {
    g_byte_array_append (post->wire->out, bytes, (guint) size);
    write_all (post->wire);
  }
  g_bytes_unref (post->bytes);
  g_free (post);
}

static void
close_there (gpointer data)
{
  Wire *wire = data;

  if (wire->stream != NULL)
    die (wire, "closed here");
}

/* ---- on main ---- */

Wire *
wire_new (int fd, const WireFuncs *funcs, gpointer owner)
{
  Wire *wire = g_new0 (Wire, 1);

  wire->loop = far_loop_pick ();
  wire->funcs = funcs;
  wire->owner = owner;
  wire->in = g_byte_array_new ();
  wire->out = g_byte_array_new ();
  wire->stream = far_stream_fd_new (wire->loop, fd);
  far_loop_post (wire->loop, begin, wire);
  return wire;
}

void
wire_send (Wire *wire, const FarMessage *message)
{
  Post *post = g_new0 (Post, 1);

  *post = (Post){ .wire = wire, .bytes = far_message_encode (message) };
  far_loop_post (wire->loop, send_there, post);
}

void
wire_close (Wire *wire)
{
  wire->owner = NULL;
  far_loop_post (wire->loop, close_there, wire);
}
