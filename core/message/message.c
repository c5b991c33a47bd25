/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds a message in memory: requests, answers, errors as answers, headers, and the body as
 * JSON. A message is counted; its wire form is frame.c. */
#include "config.h"

#include <farwatch/message.h>

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/trust.h>

#include "message/frame.h"

static GBytes *
message_json_bytes (json_t *body)
{
  char *text = json_dumps (body, JSON_COMPACT | JSON_ENCODE_ANY);
  GBytes *bytes;

  if (text == NULL)
    return NULL;
  bytes = g_bytes_new (text, strlen (text));
  free (text);
  return bytes;
}

static void
message_set_json (FarMessage *message, json_t *body)
{
  if (body == NULL)
    return;
  message->body = message_json_bytes (body);
  if (message->body != NULL)
    message->content_type = g_strdup (FAR_TYPE_JSON);
  json_decref (body);
}

FarMessage *
far_message_request (const char *method, const char *resource, json_t *body)
{
  FarMessage *message = g_new0 (FarMessage, 1);

  message->refs = 1;
  message->id = far_random_text (20);
  message->method = g_strdup (method);
  message->resource = g_strdup (resource);
  message_set_json (message, body);
  return message;
}

FarMessage *
far_message_answer (const FarMessage *request, guint status, json_t *body)
{
  FarMessage *message = g_new0 (FarMessage, 1);

  message->refs = 1;
  message->id = g_strdup (request->id);
  message->status = status;
  message_set_json (message, body);
  return message;
}

/* The message of an error may hold bytes of a path: JSON takes UTF-8 only. */
static json_t *
message_text (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text ? text : "", -1);

  return json_string (valid);
}

FarMessage *
far_message_error (const FarMessage *request, const GError *error)
{
  json_t *body = json_object ();

  json_object_set_new (body, "error", json_string (far_error_word (error)));
  json_object_set_new (body, "message", message_text (error->message));
  return far_message_answer (request, far_error_status (error), body);
}

FarMessage *
far_message_ref (FarMessage *message)
{
  g_atomic_int_inc (&message->refs);
  return message;
}

void
far_message_unref (FarMessage *message)
{
  if (message == NULL || !g_atomic_int_dec_and_test (&message->refs))
    return;
  g_free (message->id);
  g_free (message->method);
  g_free (message->resource);
  g_free (message->content_type);
  g_clear_pointer (&message->headers, g_hash_table_unref);
  g_clear_pointer (&message->body, g_bytes_unref);
  g_free (message);
}

const char *
far_message_header (const FarMessage *message, const char *name)
{
  return message->headers != NULL ? g_hash_table_lookup (message->headers, name) : NULL;
}

void
far_message_set_header (FarMessage *message, const char *name, const char *value)
{
  if (message->headers == NULL)
    message->headers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (value == NULL)
    g_hash_table_remove (message->headers, name);
  else
    g_hash_table_insert (message->headers, g_strdup (name), g_strdup (value));
}

json_t *
far_message_json (const FarMessage *message, GError **error)
{
  json_error_t at;
  const char *data;
  gsize size = 0;
  json_t *json;

  if (message->body == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("the message has no body: send JSON"));
    return NULL;
  }
  data = g_bytes_get_data (message->body, &size);
  json = far_frame_json (data, size, JSON_DECODE_ANY, &at);
  if (json == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("body is no JSON: line %d, column %d: %s"), at.line,
                 at.column, at.text);
  return json;
}

static void
message_error_from (const FarMessage *answer, GError **error)
{
  json_t *body = answer->body != NULL ? far_message_json (answer, NULL) : NULL;
  const char *word = body != NULL ? json_string_value (json_object_get (body, "error")) : NULL;
  const char *text = body != NULL ? json_string_value (json_object_get (body, "message")) : NULL;
  const char *next = body != NULL ? json_string_value (json_object_get (body, "next")) : NULL;
  FarErrorCode code = word != NULL ? far_error_code (word) : FAR_ERROR_UNAVAILABLE;

  if (text != NULL && next != NULL)
    g_set_error (error, FAR_ERROR, code, "%s; %s", text, next);
  else if (text != NULL)
    g_set_error_literal (error, FAR_ERROR, code, text);
  else
    g_set_error (error, FAR_ERROR, code, _ ("the other side answered with status %u and no reason"),
                 answer->status);
  json_decref (body);
}

gboolean
far_message_check (const FarMessage *answer, GError **error)
{
  if (answer->status < 400)
    return TRUE;
  message_error_from (answer, error);
  return FALSE;
}
