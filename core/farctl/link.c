/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages over a connected descriptor, one after the other. */
#include "config.h"

#include "ctl.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MS 130000 /* longer than any call may take */

/* ---- bytes ---- */

static gboolean
link_wait (int fd, short events, int timeout_ms, GError **error)
{
  struct pollfd ready = { .fd = fd, .events = events };
  int n;

  do
    n = poll (&ready, 1, timeout_ms);
  while (n < 0 && errno == EINTR);
  if (n > 0)
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("no answer from the daemon"));
  return FALSE;
}

static gboolean
link_broken (GError **error)
{
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("the daemon closed the connection"));
  return FALSE;
}

static gboolean
link_write (int fd, const guint8 *data, gsize size, GError **error)
{
  while (size > 0) {
    gssize n = send (fd, data, size, MSG_NOSIGNAL);

    if (n < 0 && errno == EAGAIN) {
      if (!link_wait (fd, POLLOUT, ANSWER_MS, error))
        return FALSE;
    } else if (n < 0 && errno != EINTR) {
      return link_broken (error);
    } else if (n > 0) {
      data += n;
      size -= (gsize) n;
    }
  }
  return TRUE;
}

/* Exactly so many bytes and not one more: what follows a frame may be a stream. */
static gboolean
link_read (int fd, GByteArray *to, gsize size, int timeout_ms, GError **error)
{
  gsize have = to->len;

  g_byte_array_set_size (to, (guint) (have + size));
  while (size > 0) {
    gssize n = recv (fd, to->data + have, size, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
      return link_broken (error);
    if (n < 0 && !link_wait (fd, POLLIN, timeout_ms, error))
      return FALSE;
    if (n > 0) {
      have += (gsize) n;
      size -= (gsize) n;
    }
  }
  return TRUE;
}

static FarMessage *
link_message (int fd, int timeout_ms, GError **error)
{
  g_autoptr (GByteArray) in = g_byte_array_new ();
  gssize whole;

  if (!link_read (fd, in, 4, timeout_ms, error))
    return NULL;
  while ((whole = far_message_frame_size (in->data, in->len, error)) == 0) {
    guint32 head = (guint32) in->data[0] << 24 | (guint32) in->data[1] << 16 | (guint32) in->data[2] << 8 |
                   in->data[3];

    if (!link_read (fd, in, head, ANSWER_MS, error))
      return NULL;
  }
  if (whole < 0 || !link_read (fd, in, (gsize) whole - in->len, ANSWER_MS, error))
    return NULL;
  return far_message_decode (in->data, in->len, error);
}

static gboolean
link_send (int fd, FarMessage *request, GError **error)
{
  g_autoptr (GBytes) frame = far_message_encode (request);
  gsize size;
  const guint8 *data = g_bytes_get_data (frame, &size);

  return link_write (fd, data, size, error);
}

/* The answer with this id; "0" is a word about the connection. */
static FarMessage *
link_answer (int fd, const char *id, int timeout_ms, GError **error)
{
  while (TRUE) {
    g_autoptr (FarMessage) answer = link_message (fd, timeout_ms, error);

    if (answer == NULL)
      return NULL;
    if (strcmp (answer->id, "0") == 0) {
      if (far_message_check (answer, error))
        link_broken (error);
      return NULL;
    }
    if (strcmp (answer->id, id) == 0)
      return g_steal_pointer (&answer);
  }
}

/* ---- calls ---- */

static gboolean
link_open (Ctl *ctl, GError **error)
{
  if (ctl->fd < 0)
    ctl->fd = ctl_dial (ctl, error);
  return ctl->fd >= 0;
}

static FarMessage *
link_request (Ctl *ctl, const char *method, const char *resource, json_t *body)
{
  FarMessage *request = far_message_request (method, resource, body);

  if (ctl->ticket != NULL)
    far_message_set_header (request, "ticket", ctl->ticket); /* as the people's listener takes it on a link */
  if (ctl->patience_s > 0) {
    g_autofree char *seconds = g_strdup_printf ("%u", ctl->patience_s);

    far_message_set_header (request, "timeout", seconds);
  }
  return request;
}

FarMessage *
ctl_ask (Ctl *ctl, const char *method, const char *resource, json_t *body, GError **error)
{
  g_autoptr (FarMessage) request = NULL;
  g_autoptr (GError) unsent = NULL;

  if (resource == NULL || !ctl_request_ok (method, resource, error) || !link_open (ctl, error)) {
    json_decref (body);
    return NULL;
  }
  request = link_request (ctl, method, resource, body);
  if (!link_send (ctl->fd, request, &unsent)) {
    /* Who was sent away reads why. */
    g_autoptr (FarMessage) word = link_answer (ctl->fd, request->id, 0, error);

    if (word != NULL && error != NULL)
      *error = g_steal_pointer (&unsent);
    return NULL;
  }
  return link_answer (ctl->fd, request->id, ANSWER_MS + (int) ctl->patience_s * 1000, error);
}

/* The node's role, NULL when it does not say: whoever asks may not see it, or the link has ended. */
static char *
link_role (Ctl *ctl, char **node)
{
  json_t *status = ctl_call (ctl, "GET", "status", NULL, NULL);
  char *role = g_strdup (json_string_value (json_object_get (status, "role")));

  *node = g_strdup (json_string_value (json_object_get (status, "node")));
  json_decref (status);
  return role;
}

/* A command of another role, asked of a node that has no such thing: where it belongs says more than what is
 * missing. */
static gboolean
link_elsewhere (Ctl *ctl, FarMessage *answer, GError **error)
{
  g_autofree char *node = NULL, *role = NULL;

  if (far_message_header (answer, "route") == NULL || ctl->command == NULL ||
      ctl->command->place == CTL_ANYWHERE)
    return FALSE; /* lint: allow silent: TRUE is the failure here */
  role = link_role (ctl, &node);
  if (role == NULL || node == NULL)
    return FALSE; /* likewise; lint: allow silent */
  g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
               _ ("`farctl %s` works at a cloud server, and this node, %s (role %s), is none: run it there, "
                  "or say --server HOST:PORT"),
               ctl->command->name, node, role);
  ctl->elsewhere = TRUE;
  return TRUE;
}

static json_t *
link_body (Ctl *ctl, FarMessage *answer, GError **error)
{
  if (answer->status >= 400 && link_elsewhere (ctl, answer, error))
    return NULL;
  if (!far_message_check (answer, error))
    return NULL;
  if (answer->body == NULL || g_bytes_get_size (answer->body) == 0)
    return json_object ();
  return far_message_json (answer, error);
}

/* The nodes' interface: it names nothing that could be done next, and its own words say where to go. */
static gboolean
link_nobody_logs_in (Ctl *ctl, const FarMessage *answer, GError **error)
{
  json_t *body = far_message_json (answer, NULL);
  const char *message = json_string_value (json_object_get (body, "message"));
  gboolean nobody = message != NULL && json_object_get (body, "next") == NULL;

  if (nobody)
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, "%s: %s", ctl->server != NULL ? ctl->server : "",
                 message);
  json_decref (body);
  return nobody;
}

/* 401: say what to do at this interface. */
static gboolean
link_login_first (Ctl *ctl, const FarMessage *answer, GError **error)
{
  if (answer->status != 401)
    return FALSE; /* lint: allow silent: TRUE is the failure here */
  if (link_nobody_logs_in (ctl, answer, error))
    return TRUE;
  if (ctl->ticket != NULL && !ctl->only_looks)
    ctl_ticket_forget (ctl);
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
               _ ("not logged in, or the login has ended: farctl --server %s login NAME"),
               ctl->server ? ctl->server : "");
  return TRUE;
}

json_t *
ctl_call (Ctl *ctl, const char *method, const char *resource, json_t *body, GError **error)
{
  g_autoptr (FarMessage) answer = ctl_ask (ctl, method, resource, body, error);

  if (answer == NULL || link_login_first (ctl, answer, error))
    return NULL;
  return link_body (ctl, answer, error);
}

/* ---- watches ---- */

gboolean
ctl_watch (Ctl *ctl, const char *resource, GError **error)
{
  g_autoptr (FarMessage) request = NULL;

  if (!ctl_request_ok ("WATCH", resource, error) || !link_open (ctl, error))
    return FALSE;
  request = link_request (ctl, "WATCH", resource, NULL);
  return link_send (ctl->fd, request, error);
}

json_t *
ctl_watch_next (Ctl *ctl, GError **error)
{
  g_autoptr (FarMessage) event = link_message (ctl->fd, -1, error);

  if (event == NULL || link_login_first (ctl, event, error))
    return NULL;
  if (event->status == 204)
    return NULL;
  return link_body (ctl, event, error);
}

char *
ctl_query (const char *name, const char *value)
{
  g_autofree char *escaped = value != NULL ? g_uri_escape_string (value, NULL, FALSE) : NULL;

  return escaped != NULL ? g_strconcat (name, "=", escaped, NULL) : g_strdup ("");
}

/* ---- streams ---- */

FarStream *
ctl_stream (Ctl *ctl, const char *ticket, GError **error)
{
  g_autofree char *resource = g_strconcat ("tickets/", ticket, NULL);
  g_autoptr (FarMessage) request = NULL, answer = NULL;
  int fd;

  if (ctl->server != NULL)
    return ctl_dial_stream (ctl, ticket, error);
  fd = ctl_dial (ctl, error);
  if (fd < 0)
    return NULL;
  request = link_request (ctl, "STREAM", resource, NULL);
  if (link_send (fd, request, error))
    answer = link_answer (fd, request->id, ANSWER_MS, error);
  if (answer != NULL && far_message_check (answer, error))
    return far_stream_fd_new (far_loop_pick (), fd);
  close (fd);
  return NULL;
}

void
ctl_close (Ctl *ctl)
{
  if (ctl->fd >= 0)
    close (ctl->fd);
  ctl->fd = -1;
}
