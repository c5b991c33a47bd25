/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many nodes a message has passed: counted where it leaves for another node, judged there and where it
 * comes in. */
#include "config.h"

#include "message/router.h"

#include <farwatch/i18n.h>

#define HOPS_MAX 2 /* as the text says */

static gboolean
hops_of (const FarMessage *message, guint64 *n, GError **error)
{
  const char *text = far_message_header (message, "hops");

  *n = 0;
  if (text == NULL || g_ascii_string_to_unsigned (text, 10, 0, 1000, n, NULL))
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("header hops must be a number"));
  return FALSE;
}

static gboolean
hops_few (guint64 n, GError **error)
{
  if (n <= HOPS_MAX)
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                       _ ("the message has passed too many nodes: 2 at most"));
  return FALSE;
}

gboolean
far_hops_ok (const FarMessage *message, GError **error)
{
  guint64 n;

  return hops_of (message, &n, error) && hops_few (n, error);
}

static void
copy_header (gpointer name, gpointer value, gpointer copy)
{
  far_message_set_header (copy, name, value);
}

static FarMessage *
message_copy (const FarMessage *message)
{
  FarMessage *copy = g_new0 (FarMessage, 1);

  copy->refs = 1;
  copy->id = g_strdup (message->id);
  copy->method = g_strdup (message->method);
  copy->resource = g_strdup (message->resource);
  copy->status = message->status;
  copy->content_type = g_strdup (message->content_type);
  copy->body = message->body != NULL ? g_bytes_ref (message->body) : NULL;
  if (message->headers != NULL)
    g_hash_table_foreach (message->headers, copy_header, copy);
  return copy;
}

FarMessage *
far_hops_count (const FarMessage *message, GError **error)
{
  g_autofree char *text = NULL;
  FarMessage *copy;
  guint64 n;

  if (!hops_of (message, &n, error) || !hops_few (n + 1, error))
    return NULL;
  copy = message_copy (message);
  text = g_strdup_printf ("%" G_GUINT64_FORMAT, n + 1);
  far_message_set_header (copy, "hops", text);
  return copy;
}
