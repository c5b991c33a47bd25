/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file turns a message into its frame and a frame back into a message, as doc/formats.md says.
 * Everything in a frame comes from a peer, so each limit is checked before memory is taken. */
#include "config.h"

#include "message/frame.h"

#include <string.h>

#include <farwatch/i18n.h>

#define HEADERS_MAX 32

static const char *const frame_methods[] = { "GET", "POST", "PUT", "DELETE", "WATCH", "STREAM", NULL };

gboolean
far_frame_id_ok (const char *id)
{
  gsize n = strspn (id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

  return n >= 1 && n <= 64 && id[n] == '\0';
}

gboolean
far_frame_method_ok (const char *method)
{
  return g_strv_contains (frame_methods, method);
}

gboolean
far_frame_resource_ok (const char *text)
{
  gsize n;

  for (n = 0; text[n] != '\0'; n++)
    if (text[n] <= ' ' || text[n] > '~' || (text[n] == '/' && text[n + 1] == '/') || n >= 1024)
      return FALSE;
  return n > 0 && text[0] != '/';
}

/* jansson goes 2048 levels deep on the caller's stack: count first. */
static gboolean
frame_depth_ok (const char *data, gsize size)
{
  gboolean quoted = FALSE;
  guint depth = 0;

  for (gsize i = 0; i < size; i++) {
    if (quoted && data[i] == '\\')
      i++;
    else if (data[i] == '"')
      quoted = !quoted;
    else if (!quoted && (data[i] == '[' || data[i] == '{') && ++depth > FAR_FRAME_DEPTH)
      return FALSE;
    else if (!quoted && (data[i] == ']' || data[i] == '}') && depth > 0)
      depth--;
  }
  return TRUE;
}

json_t *
far_frame_json (const char *data, gsize size, gsize flags, json_error_t *at)
{
  if (!frame_depth_ok (data, size)) {
    memset (at, 0, sizeof *at);
    at->line = at->column = 1;
    g_strlcpy (at->text, "nested too deep", sizeof at->text);
    return NULL;
  }
  return json_loadb (data, size, flags | JSON_REJECT_DUPLICATES, at);
}

/* ---- encode ---- */

static void
frame_put_headers (json_t *head, GHashTable *headers)
{
  json_t *object;
  GHashTableIter iter;
  gpointer name, value;

  if (headers == NULL || g_hash_table_size (headers) == 0)
    return;
  object = json_object ();
  g_hash_table_iter_init (&iter, headers);
  while (g_hash_table_iter_next (&iter, &name, &value))
    json_object_set_new (object, name, json_string (value));
  json_object_set_new (head, "headers", object);
}

static json_t *
frame_head (const FarMessage *message, gsize body_size)
{
  json_t *head = json_object ();

  json_object_set_new (head, "id", json_string (message->id));
  if (message->method != NULL) {
    json_object_set_new (head, "method", json_string (message->method));
    json_object_set_new (head, "resource", json_string (message->resource));
  } else {
    json_object_set_new (head, "status", json_integer (message->status));
  }
  frame_put_headers (head, message->headers);
  if (message->content_type != NULL)
    json_object_set_new (head, "type", json_string (message->content_type));
  if (body_size > 0)
    json_object_set_new (head, "n", json_integer ((json_int_t) body_size));
  return head;
}

GBytes *
far_message_encode (const FarMessage *message)
{
  gsize body_size = 0;
  const void *body = message->body != NULL ? g_bytes_get_data (message->body, &body_size) : NULL;
  json_t *head = frame_head (message, body_size);
  char *text = json_dumps (head, JSON_COMPACT | JSON_SORT_KEYS);
  gsize head_size = text != NULL ? strlen (text) : 0;
  guint32 length = GUINT32_TO_BE ((guint32) head_size);
  GByteArray *out = g_byte_array_sized_new ((guint) (4 + head_size + body_size));

  g_byte_array_append (out, (const guint8 *) &length, 4);
  if (text != NULL)
    g_byte_array_append (out, (const guint8 *) text, (guint) head_size);
  if (body_size > 0)
    g_byte_array_append (out, body, (guint) body_size);
  free (text);
  json_decref (head);
  return g_byte_array_free_to_bytes (out);
}

/* ---- decode ---- */

static gboolean
frame_bad (GError **error, const char *what)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("bad message frame: %s"), what);
  return FALSE;
}

static guint32
frame_length (const guint8 *data)
{
  return (guint32) data[0] << 24 | (guint32) data[1] << 16 | (guint32) data[2] << 8 | data[3];
}

static json_t *
frame_parse_head (const guint8 *data, gsize head_size, GError **error)
{
  json_error_t at;
  json_t *head = far_frame_json ((const char *) data + 4, head_size, 0, &at);

  if (head == NULL || !json_is_object (head)) {
    frame_bad (error, head == NULL ? at.text : "header is no object");
    json_decref (head);
    return NULL;
  }
  return head;
}

/* The body's size as the header says it; -1: not a size. */
static gssize
frame_body_size (json_t *head)
{
  json_t *n = json_object_get (head, "n");
  const char *type = json_string_value (json_object_get (head, "type"));
  json_int_t limit = g_strcmp0 (type, FAR_TYPE_BATCH) == 0 ? FAR_BATCH_MAX : FAR_BODY_MAX;

  if (n == NULL)
    return 0;
  if (!json_is_integer (n) || json_integer_value (n) < 0 || json_integer_value (n) > limit)
    return -1;
  return (gssize) json_integer_value (n);
}

static gboolean
frame_head_size_ok (guint32 head_size, GError **error)
{
  if (head_size >= 2 && head_size <= FAR_HEADER_MAX)
    return TRUE;
  return frame_bad (error, head_size < 2 ? "header too short" : "header too long");
}

gssize
far_message_frame_size (const guint8 *data, gsize size, GError **error)
{
  guint32 head_size;
  gssize body_size;
  json_t *head;

  if (size < 4)
    return 0;
  head_size = frame_length (data);
  if (!frame_head_size_ok (head_size, error))
    return -1;
  if (size < 4 + (gsize) head_size)
    return 0;
  head = frame_parse_head (data, head_size, error);
  if (head == NULL)
    return -1;
  body_size = frame_body_size (head);
  json_decref (head);
  if (body_size < 0) {
    frame_bad (error, "body too long");
    return -1;
  }
  return 4 + (gssize) head_size + body_size;
}

static gboolean
frame_header_ok (const char *name, json_t *value)
{
  gsize n = strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789-");

  return n >= 1 && n <= 64 && name[n] == '\0' && json_is_string (value);
}

static gboolean
frame_take_headers (FarMessage *message, json_t *headers, GError **error)
{
  const char *name;
  json_t *value;

  if (headers == NULL)
    return TRUE;
  if (!json_is_object (headers) || json_object_size (headers) > HEADERS_MAX)
    return frame_bad (error, "bad headers");
  json_object_foreach (headers, name, value) {
    if (!frame_header_ok (name, value))
      return frame_bad (error, "bad header");
    far_message_set_header (message, name, json_string_value (value));
  }
  return TRUE;
}

static gboolean
frame_take_request (FarMessage *message, json_t *head, GError **error)
{
  const char *method = json_string_value (json_object_get (head, "method"));
  const char *resource = json_string_value (json_object_get (head, "resource"));

  if (json_object_get (head, "status") != NULL)
    return frame_bad (error, "method and status in one message");
  if (method == NULL || !far_frame_method_ok (method))
    return frame_bad (error, "unknown method");
  if (resource == NULL || !far_frame_resource_ok (resource))
    return frame_bad (error, "bad resource");
  message->method = g_strdup (method);
  message->resource = g_strdup (resource);
  return TRUE;
}

static gboolean
frame_take_answer (FarMessage *message, json_t *head, GError **error)
{
  json_t *status = json_object_get (head, "status");

  if (!json_is_integer (status) || json_integer_value (status) < 200 || json_integer_value (status) > 599)
    return frame_bad (error, "neither method nor status");
  if (json_object_get (head, "resource") != NULL)
    return frame_bad (error, "an answer with a resource");
  message->status = (guint) json_integer_value (status);
  return TRUE;
}

static gboolean
frame_take_keys (json_t *head, GError **error)
{
  static const char *const known[] = { "headers", "id", "method", "n", "resource", "status", "type", NULL };
  const char *key;
  json_t *value;

  json_object_foreach (head, key, value)
    if (!g_strv_contains (known, key))
      return frame_bad (error, "unknown key in the header");
  return TRUE;
}

static gboolean
frame_take_type (FarMessage *message, json_t *head, gsize body_size, GError **error)
{
  json_t *type = json_object_get (head, "type");
  const char *text = json_string_value (type);

  if (type == NULL)
    return body_size == 0 || frame_bad (error, "a body without type");
  if (text == NULL || text[0] == '\0' || strlen (text) > 128)
    return frame_bad (error, "bad type");
  message->content_type = g_strdup (text);
  return TRUE;
}

static gboolean
frame_take (FarMessage *message, json_t *head, const guint8 *body, gsize body_size, GError **error)
{
  const char *id = json_string_value (json_object_get (head, "id"));

  if (id == NULL || !far_frame_id_ok (id))
    return frame_bad (error, "bad id");
  message->id = g_strdup (id);
  if (!frame_take_keys (head, error) ||
      !frame_take_headers (message, json_object_get (head, "headers"), error) ||
      !frame_take_type (message, head, body_size, error))
    return FALSE;
  if (message->content_type != NULL)
    message->body = g_bytes_new (body, body_size);
  return json_object_get (head, "method") != NULL ? frame_take_request (message, head, error)
                                                  : frame_take_answer (message, head, error);
}

FarMessage *
far_message_decode (const guint8 *data, gsize size, GError **error)
{
  g_autoptr (FarMessage) message = NULL;
  gssize whole = far_message_frame_size (data, size, error);
  gsize head_size;
  json_t *head;
  gboolean ok;

  if (whole < 0)
    return NULL;
  if (whole == 0 || (gsize) whole != size) {
    frame_bad (error, whole == 0 || (gsize) whole > size ? "cut short" : "bytes after the end");
    return NULL;
  }
  head_size = frame_length (data);
  head = frame_parse_head (data, head_size, error);
  if (head == NULL)
    return NULL;
  message = g_new0 (FarMessage, 1);
  message->refs = 1;
  ok = frame_take (message, head, data + 4 + head_size, size - 4 - head_size, error);
  json_decref (head);
  return ok ? g_steal_pointer (&message) : NULL;
}
