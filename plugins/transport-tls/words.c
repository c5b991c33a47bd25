/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of a control connection: two bytes of length, most significant first, and a JSON object. They are
 * few and short; whatever is longer, deeper or no object is no word, and ends the connection. */
#include "config.h"

#include "direct.h"

#include <string.h>

GByteArray *
direct_word_write (json_t *word)
{
  g_autofree char *text = json_dumps (word, JSON_COMPACT | JSON_SORT_KEYS);
  gsize size = text != NULL ? strlen (text) : 0;
  const guint8 head[2] = { (guint8) (size >> 8), (guint8) size };
  GByteArray *bytes = size > 0 && size <= DIRECT_WORD_MAX ? g_byte_array_new () : NULL;
  if (bytes != NULL) {
    g_byte_array_append (bytes, head, sizeof head);
    g_byte_array_append (bytes, (const guint8 *) text, (guint) size);
  }
  if (text != NULL)
    memset (text, 0, size); /* a hello has the token */
  json_decref (word);
  return bytes;
}

gsize
direct_word_size (const guint8 *data, gsize size)
{
  if (size < 2)
    return 2;
  gsize length = ((gsize) data[0] << 8) | data[1];
  return length >= 2 && length <= DIRECT_WORD_MAX ? length + 2 : 0;
}

json_t *
direct_word_read (const guint8 *data, gsize size, GError **error)
{
  json_t *word = size > 2 && direct_word_size (data, size) == size
                     ? json_loadb ((const char *) data + 2, size - 2, JSON_REJECT_DUPLICATES, NULL)
                     : NULL;
  if (json_is_object (word))
    return word;
  json_decref (word);
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_PROTOCOL, "not a word of a carrier");
  return NULL;
}

const char *
direct_word_text (json_t *word, const char *key, gsize max)
{
  json_t *text = json_object_get (word, key);
  return json_is_string (text) && json_string_length (text) <= max ? json_string_value (text) : NULL;
}
