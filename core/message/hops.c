/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many nodes a message has passed, and which: written where it leaves for another node, judged there and
 * where it comes in. */
#include "config.h"

#include "message/router.h"

#include <farwatch/i18n.h>

#define HOPS_MAX 2 /* as the texts say */
#define VIA_BETWEEN ", "

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

guint
far_hops_of (const FarMessage *message)
{
  guint64 n = 0;

  return hops_of (message, &n, NULL) ? (guint) n : 0;
}

static gboolean
via_bad (GError **error, const char *why)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "via: %s", why);
  return FALSE;
}

/* Each is a node; this one is none of them, or the message goes round. */
static gboolean
via_ok (const FarMessage *message, GError **error)
{
  const char *text = far_message_header (message, "via");
  g_auto (GStrv) nodes = text != NULL ? g_strsplit (text, VIA_BETWEEN, HOPS_MAX + 1) : NULL;

  if (text == NULL)
    return TRUE;
  if (nodes[0] == NULL || g_strv_length (nodes) > HOPS_MAX)
    return via_bad (error, _ ("it must name 1 or 2 nodes, with a comma and a space between"));
  for (guint i = 0; nodes[i] != NULL; i++)
    if (!far_field_name_ok (nodes[i]))
      return via_bad (error, _ ("a name must be 1 to 64 of A-Z a-z 0-9 . _ -"));
  if (g_strv_contains ((const char *const *) nodes, far_node_id ()))
    return via_bad (error, _ ("the message has been at this node already, so it would go round"));
  return TRUE;
}

gboolean
far_hops_ok (const FarMessage *message, GError **error)
{
  guint64 n;

  return hops_of (message, &n, error) && hops_few (n, error) && via_ok (message, error);
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
  const char *before = far_message_header (message, "via");
  g_autofree char *text = NULL, *via = NULL;
  FarMessage *copy;
  guint64 n;

  if (!hops_of (message, &n, error) || !hops_few (n + 1, error) || !via_ok (message, error))
    return NULL;
  copy = message_copy (message);
  text = g_strdup_printf ("%" G_GUINT64_FORMAT, n + 1);
  far_message_set_header (copy, "hops", text);
  via = before != NULL ? g_strconcat (before, VIA_BETWEEN, far_node_id (), NULL) : g_strdup (far_node_id ());
  if (far_node_id ()[0] != '\0')
    far_message_set_header (copy, "via", via);
  return copy;
}
