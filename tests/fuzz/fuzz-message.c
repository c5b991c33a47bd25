/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A frame of any interface: decoded, its body read as JSON, and written again: the second reading says the
 * same. parses: core/message/frame.c core/message/message.c */
#include "config.h"

#include "fuzz.h"

#include <farwatch/message.h>

static void
check_round (const FarMessage *message)
{
  g_autoptr (GBytes) bytes = far_message_encode (message);
  g_autoptr (FarMessage) again = NULL;
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  again = far_message_decode (data, size, NULL);
  g_assert_nonnull (again);
  g_assert_cmpstr (again->id, ==, message->id);
  g_assert_cmpstr (again->method, ==, message->method);
  g_assert_cmpstr (again->resource, ==, message->resource);
  g_assert_cmpuint (again->status, ==, message->status);
  g_assert_cmpstr (far_message_header (again, "principal"), ==, far_message_header (message, "principal"));
}

static void
answer_it (const FarMessage *message)
{
  g_autoptr (FarMessage) fine = far_message_answer (message, 200, json_pack ("{s:s}", "a", "b"));
  g_autoptr (GError) why = g_error_new (FAR_ERROR, FAR_ERROR_DENIED, "no %s", "\xff");
  g_autoptr (FarMessage) error = far_message_error (message, why);

  g_assert_true (far_message_check (fine, NULL));
  g_assert_false (far_message_check (error, NULL));
  check_round (fine);
  check_round (error);
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FarMessage) message = far_message_decode (data, size, &error);
  json_t *body;

  if (message == NULL) {
    g_assert_nonnull (error);
    return FALSE;
  }
  body = far_message_json (message, NULL);
  json_decref (body);
  far_message_check (message, NULL);
  check_round (message);
  if (message->method != NULL)
    answer_it (message);
  return TRUE;
}
