/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A TLS stream on which words come and go. It takes no byte more from the stream than the word has, so that
 * a stream whose hello has been read can be joined as it is. Everything here runs at the stream's loop. */
#include "config.h"

#include "direct.h"

#include <string.h>

struct _DirectConn {
  FarStream *stream;
  const DirectConnFuncs *funcs;
  gpointer user;
  GByteArray *in, *out; /* a word that is not whole; what the stream has not taken */
  gboolean held;
};

static void
direct_conn_release (DirectConn *conn)
{
  g_byte_array_unref (conn->in);
  g_byte_array_unref (conn->out);
  g_free (conn);
}

/* Dead, of itself or by what it says. */
static void
direct_conn_over (DirectConn *conn, const char *cause)
{
  FarStream *stream = conn->stream;
  conn->funcs->over (conn, cause, conn->user);
  far_stream_take (stream, NULL, NULL);
  far_stream_free (stream);
  direct_conn_release (conn);
}

/* FALSE: it is gone. */
static gboolean
direct_conn_word (DirectConn *conn)
{
  g_autoptr (GError) error = NULL;
  json_t *word = direct_word_read (conn->in->data, conn->in->len, &error);
  if (conn->in->len > 0)
    memset (conn->in->data, 0, conn->in->len); /* it may have been a token */
  g_byte_array_set_size (conn->in, 0);
  if (word != NULL)
    return conn->funcs->word (conn, word, conn->user);
  direct_conn_over (conn, "not a word of a carrier");
  return FALSE;
}

/* As much of the frame as the word lacks. FALSE: the connection is gone. */
static gboolean
direct_conn_take (DirectConn *conn, const FarFrame *frame)
{
  gsize whole = direct_word_size (conn->in->data, conn->in->len), part;
  part = MIN (whole - conn->in->len, frame->size);
  g_byte_array_append (conn->in, frame->data, (guint) part);
  conn->stream->klass->consume (conn->stream, part);
  whole = direct_word_size (conn->in->data, conn->in->len);
  if (whole == 0) {
    direct_conn_over (conn, "not a word of a carrier");
    return FALSE;
  }
  return conn->in->len < whole || conn->in->len == 2 || direct_conn_word (conn);
}

static void
direct_conn_read (DirectConn *conn)
{
  FarBurst burst;
  while (!conn->held) {
    conn->stream->klass->peek (conn->stream, &burst);
    if (burst.n == 0) {
      if (burst.eof)
        direct_conn_over (conn, "closed by the other side");
      return;
    }
    if (!direct_conn_take (conn, &burst.frames[0]))
      return;
  }
}

static void
direct_conn_write (DirectConn *conn)
{
  FarBurst burst = { .n = 1, .bytes = conn->out->len };
  if (conn->out->len == 0)
    return;
  burst.frames[0] = (FarFrame){ .data = conn->out->data, .size = burst.bytes };
  g_byte_array_remove_range (conn->out, 0, (guint) conn->stream->klass->write (conn->stream, &burst));
}

static void
direct_conn_ready (FarStream *stream, guint ready, gpointer user)
{
  DirectConn *conn = user;
  if ((ready & FAR_READY_CLOSED) != 0) {
    direct_conn_over (conn, stream->cause);
    return;
  }
  direct_conn_write (conn);
  direct_conn_read (conn);
}

DirectConn *
direct_conn_new (FarStream *stream, const DirectConnFuncs *funcs, gpointer user)
{
  DirectConn *conn = g_new0 (DirectConn, 1);
  *conn = (DirectConn){ stream, funcs, user, g_byte_array_new (), g_byte_array_new (), FALSE };
  far_stream_take (stream, direct_conn_ready, conn);
  return conn;
}

void
direct_conn_say (DirectConn *conn, json_t *word)
{
  g_autoptr (GByteArray) bytes = direct_word_write (word);
  if (bytes == NULL) {
    far_stream_die_soon (conn->stream, "a word that is too long");
    return;
  }
  g_byte_array_append (conn->out, bytes->data, bytes->len);
  memset (bytes->data, 0, bytes->len);
  direct_conn_write (conn);
  if (conn->out->len > DIRECT_OUT_MAX) /* told outside of this call */
    far_stream_die_soon (conn->stream, "the other side does not read");
}

void
direct_conn_hold (DirectConn *conn, gboolean held)
{
  if (conn->held && !held)
    far_stream_tell_soon (conn->stream, FAR_READY_READ);
  conn->held = held;
}

FarStream *
direct_conn_stream (DirectConn *conn)
{
  return conn->stream;
}

FarStream *
direct_conn_steal (DirectConn *conn)
{
  FarStream *stream = conn->stream;
  far_stream_take (stream, NULL, NULL);
  direct_conn_release (conn);
  return stream;
}

void
direct_conn_free (DirectConn *conn)
{
  if (conn == NULL)
    return;
  GByteArray *rest = conn->out->len > 0 ? g_byte_array_ref (conn->out) : NULL;
  FarStream *stream = direct_conn_steal (conn);
  if (stream->closed) {
    far_stream_free (stream);
    g_clear_pointer (&rest, g_byte_array_unref);
  } else {
    far_stream_linger (stream, rest, 2000, NULL);
  }
}
