/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection of the control socket: frames in, answers out, or a stream from `STREAM tickets/T` on. */
#include "config.h"

#include "node/control.h"

#include "base/node-part.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/loop.h>
#include <farwatch/i18n.h>

typedef struct {
  GSource source;
  gpointer tag;
  FarControlLink *link;
} LinkSource;

struct _FarControlLink {
  int fd;
  LinkSource *source;
  FarPrincipal *principal;
  FarPass *pass;
  FarNode *node; /* whose control socket it came to */
  GByteArray *in;
  GByteArray *out;
  gsize sent;         /* of out */
  guint calls;        /* under way */
  gint64 deadline_us; /* of the frame begun or awaited; 0: none */
  gboolean eof;       /* nothing more will be read */
  gboolean last;      /* close when out is sent */
  gboolean dead;      /* on its way out; nothing is to be touched */
  char *ticket;       /* becomes a stream when out is sent */
  void (*gone) (FarControlLink *link, gpointer user);
  gpointer user;
};

static void link_arm (FarControlLink *link);

/* ---- end ---- */

/* From here on nothing more happens to it; the memory goes with far_control_link_free(). */
static void
link_stop (FarControlLink *link)
{
  link->dead = TRUE;
  far_api_gone (link);
  if (link->source != NULL) {
    g_source_destroy (&link->source->source);
    g_source_unref (&link->source->source);
    link->source = NULL;
  }
  if (link->fd >= 0)
    close (link->fd);
  link->fd = -1;
  g_clear_pointer (&link->pass, far_gate_leave);
}

void
far_control_link_free (FarControlLink *link)
{
  link_stop (link);
  g_byte_array_unref (link->in);
  g_byte_array_unref (link->out);
  far_principal_unref (link->principal);
  g_free (link->ticket);
  g_free (link);
}

static void
link_die (FarControlLink *link)
{
  if (link->dead)
    return;
  link_stop (link);
  link->gone (link, link->user);
}

/* ---- becoming a stream ---- */

/* The link is over, its descriptor lives on at an I/O thread. */
static void
link_become_stream (FarControlLink *link)
{
  FarStream *stream = far_stream_fd_new (far_loop_pick (), link->fd);
  g_autofree char *ticket = g_steal_pointer (&link->ticket);

  link->fd = -1;
  link_die (link);
  far_ticket_redeem (ticket, stream, "");
}

/* ---- out ---- */

static gsize
link_waiting (const FarControlLink *link)
{
  return link->out->len - link->sent;
}

/* FALSE: the connection is broken. */
static gboolean
link_flush (FarControlLink *link)
{
  while (link_waiting (link) > 0) {
    gssize n = send (link->fd, link->out->data + link->sent, link_waiting (link),
                     MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n < 0)
      return errno == EAGAIN || errno == EINTR;
    link->sent += (gsize) n;
  }
  g_byte_array_set_size (link->out, 0);
  link->sent = 0;
  return TRUE;
}

static void
control_link_send (FarControlLink *link, const FarMessage *message)
{
  g_autoptr (GBytes) frame = far_message_encode (message);
  gsize size;
  const guint8 *data = g_bytes_get_data (frame, &size);

  if (link->sent > 0) {
    g_byte_array_remove_range (link->out, 0, (guint) link->sent);
    link->sent = 0;
  }
  g_byte_array_append (link->out, data, (guint) size);
  far_api_busy (link, link_waiting (link) > FAR_CONTROL_OUT);
}

/* Everything that was asked is answered and sent: what comes now? TRUE: the link has ended. */
static gboolean
link_settle (FarControlLink *link)
{
  if (!link_flush (link)) {
    link_die (link);
    return TRUE;
  }
  far_api_busy (link, link_waiting (link) > FAR_CONTROL_OUT);
  if (link_waiting (link) > 0)
    return FALSE;
  if (link->ticket != NULL) {
    link_become_stream (link);
    return TRUE;
  }
  if (link->last || (link->eof && link->calls == 0)) {
    link_die (link);
    return TRUE;
  }
  return FALSE;
}

static void
control_link_answered (FarMessage *answer, gboolean last, gpointer user)
{
  FarControlLink *link = user;

  if (last)
    link->calls--;
  control_link_send (link, answer);
  link_arm (link);
}

/* ---- in ---- */

/* A message about the connection itself has the id "0". */
static void
link_say (FarControlLink *link, const char *id, const GError *error)
{
  FarMessage request = { .refs = 1, .id = (char *) id };
  g_autoptr (FarMessage) answer = far_message_error (&request, error);

  control_link_send (link, answer);
}

static void
link_last_word (FarControlLink *link, const GError *error)
{
  link_say (link, "0", error);
  link->last = TRUE;
  link->deadline_us = far_clock_boottime_us () + FAR_CONTROL_US;
}

void
far_control_turn_away (int fd, GError *error)
{
  const FarMessage request = { .refs = 1, .id = (char *) "0" };
  g_autoptr (FarMessage) answer = far_message_error (&request, error);
  g_autoptr (GBytes) frame = far_message_encode (answer);

  /* A new socket's buffer takes it whole; if not, the peer learns less. */
  if (send (fd, g_bytes_get_data (frame, NULL), g_bytes_get_size (frame), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    errno = 0;
  g_error_free (error);
  close (fd);
}

static void
link_take_stream (FarControlLink *link, const FarMessage *request)
{
  const char *ticket = g_str_has_prefix (request->resource, "tickets/")
                           ? request->resource + strlen ("tickets/")
                           : "";
  g_autoptr (GError) error = NULL;
  g_autoptr (FarMessage) answer = NULL;

  if (!far_ticket_valid (ticket, link->principal))
    g_set_error_literal (&error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                         _ ("no such ticket, or it has ended; ask for a new one"));
  else if (link->calls > 0)
    g_set_error_literal (&error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("answers are still under way on this connection: open another for the stream"));
  answer = error != NULL ? far_message_error (request, error) : far_message_answer (request, 200, NULL);
  control_link_send (link, answer);
  if (error == NULL)
    link->ticket = g_strdup (ticket);
}

static void
link_take (FarControlLink *link, FarMessage *request)
{
  g_autoptr (GError) error = NULL;

  if (request->method == NULL) {
    g_set_error_literal (&error, FAR_ERROR, FAR_ERROR_PROTOCOL,
                         _ ("an answer came where a request was expected"));
    link_last_word (link, error);
  } else if (g_str_equal (request->method, "STREAM")) {
    link_take_stream (link, request);
  } else {
    link->calls++;
    far_api_submit (link->principal, NULL, request, control_link_answered, link);
  }
}

static gboolean
link_takes_more (const FarControlLink *link)
{
  return !link->last && link->ticket == NULL && link->calls < FAR_CONTROL_CALLS &&
         link_waiting (link) <= FAR_CONTROL_OUT;
}

static gboolean
link_reads_more (const FarControlLink *link)
{
  return !link->eof && link_takes_more (link);
}

/* Size of the frame at the front, when all of it is there. */
static gssize
link_frame (FarControlLink *link, GError **error)
{
  gssize size = far_message_frame_size (link->in->data, link->in->len, error);

  if (size > FAR_CONTROL_FRAME) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL,
                 _ ("the message is too large for this door (the limit is %d KiB)"),
                 FAR_CONTROL_FRAME / 1024);
    return -1;
  }
  return size > (gssize) link->in->len ? 0 : size;
}

static void
link_take_frames (FarControlLink *link)
{
  g_autoptr (GError) error = NULL;
  gssize size = 0;

  while (link_takes_more (link) && (size = link_frame (link, &error)) > 0) {
    g_autoptr (FarMessage) request = far_message_decode (link->in->data, (gsize) size, &error);

    g_byte_array_remove_range (link->in, 0, (guint) size);
    link->deadline_us = 0;
    if (link->pass != NULL)
      far_gate_verified (link->pass);
    if (request == NULL)
      break;
    link_take (link, request);
  }
  if (error != NULL)
    link_last_word (link, error);
  else if (link->in->len > 0 && link->ticket != NULL)
    link_die (link); /* bytes before the 200: nobody can tell which belong to the stream */
  else if (link->in->len > 0 && size == 0 && link->deadline_us == 0)
    link->deadline_us = far_clock_boottime_us () + FAR_CONTROL_US;
}

static void
control_link_read (FarControlLink *link)
{
  guint8 buffer[16384];
  gssize n = recv (link->fd, buffer, sizeof buffer, MSG_DONTWAIT);

  if (n > 0 && link->pass != NULL)
    far_gate_heard (link->pass);
  if (n > 0)
    g_byte_array_append (link->in, buffer, (guint) n);
  else if (n == 0)
    link->eof = TRUE;
  else if (errno != EAGAIN && errno != EINTR)
    link_die (link);
}

static gboolean
link_dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  FarControlLink *link = ((LinkSource *) source)->link;
  FarNode *before = far_node_enter (link->node);
  GIOCondition ready = g_source_query_unix_fd (source, ((LinkSource *) source)->tag);

  if ((ready & G_IO_IN) != 0 && link_reads_more (link))
    control_link_read (link);
  else if ((ready & (G_IO_HUP | G_IO_ERR)) != 0)
    link_die (link);
  link_arm (link);
  far_node_enter (before);
  return link->dead ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

/* Takes what is there, sends what can be sent, waits for the rest. */
static void
link_arm (FarControlLink *link)
{
  GIOCondition wanted = 0;

  if (link->dead)
    return;
  link_take_frames (link);
  if (link->dead || link_settle (link))
    return;
  if (link_reads_more (link))
    wanted |= G_IO_IN;
  if (link_waiting (link) > 0)
    wanted |= G_IO_OUT;
  g_source_modify_unix_fd (&link->source->source, link->source->tag, wanted);
}

FarControlLink *
far_control_link_new (int fd, FarPrincipal *principal, FarPass *pass,
                      void (*gone) (FarControlLink *link, gpointer user), gpointer user)
{
  static GSourceFuncs funcs = { NULL, NULL, link_dispatch, NULL, NULL, NULL };
  FarControlLink *link = g_new0 (FarControlLink, 1);

  link->fd = fd;
  link->principal = principal;
  link->pass = pass;
  link->node = far_node_entered ();
  link->in = g_byte_array_new ();
  link->out = g_byte_array_new ();
  link->deadline_us = far_clock_boottime_us () + FAR_CONTROL_US;
  link->gone = gone;
  link->user = user;
  link->source = (LinkSource *) g_source_new (&funcs, sizeof (LinkSource));
  link->source->link = link;
  link->source->tag = g_source_add_unix_fd (&link->source->source, fd, G_IO_IN);
  g_source_set_static_name (&link->source->source, "farwatch control");
  g_source_attach (&link->source->source, NULL);
  return link;
}

gint64
far_control_link_deadline (const FarControlLink *link)
{
  return link->deadline_us;
}

void
far_control_link_end (FarControlLink *link, const GError *error)
{
  if (!link->last) {
    link_last_word (link, error);
    link_flush (link);
  }
  link_die (link);
}

void
far_control_link_late (FarControlLink *link)
{
  g_autoptr (GError)
      error = g_error_new_literal (FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("no complete message in 10 s"));

  far_control_link_end (link, error);
}
