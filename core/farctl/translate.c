/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon speaks no language but that of its msgids: what it sends and keeps is a msgid with its parameters
 * filled in. Here the msgid is found again, by its text between the parameters, and translated; a parameter
 * of several words is a text in its own right. What comes from elsewhere is never taken for a format. */
#include "config.h"

#include "translate.h"

#include <libintl.h>
#include <string.h>

#include <farwatch/i18n.h>

#define DEPTH_MAX 4
#define LETTERS_MIN 4 /* a msgid with fewer says nothing: "%s: %s" */
#define TEXT_MAX 4096 /* of a line; what is longer stays as it is */
#define SEPARATORS_MAX 8

/* ---- formats ---- */

typedef struct {
  gsize size;  /* of the conversion, from its '%'; 0: none, text cannot be such a format */
  guint place; /* "%2$s": 2; 0: the next */
  char kind;
} Conversion;

static Conversion
conversion_read (const char *at)
{
  gsize size = 1, digits = strspn (at + 1, "0123456789");
  Conversion found = { 0 };

  if (digits > 0 && digits < 3 && at[1 + digits] == '$') {
    found.place = (guint) g_ascii_strtoull (at + 1, NULL, 10);
    size += digits + 1;
  }
  size += strspn (at + size, "-+ #0'123456789.");
  size += strspn (at + size, "hlqjzt");
  if (at[size] == '\0' || strchr ("sducxigf%", at[size]) == NULL)
    return found;
  found.kind = at[size];
  found.size = size + 1;
  return found;
}

/* Literal text up to the next conversion, "%%" being a '%'; *at goes on behind it. */
static char *
literal_read (const char **at)
{
  g_autoptr (GString) text = g_string_new (NULL);

  while (**at != '\0' && (**at != '%' || (*at)[1] == '%')) {
    g_string_append_c (text, **at);
    *at += **at == '%' ? 2 : 1;
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static gboolean
fits (char kind, const char *text, gsize size)
{
  if (kind == 's')
    return TRUE;
  if (kind == 'c')
    return size == 1;
  return size > 0 &&
         strspn (text, kind == 'd' || kind == 'u' || kind == 'i' ? "-0123456789" : "-+.0123456789abcdefin") >=
             size;
}

/* Where a parameter ends: before the next place at which the text goes on as the msgid does; the last one of
 * all goes on to the end. */
static const char *
parameter_end (const char *text, const char *literal, gboolean last)
{
  gsize size = strlen (text), tail = strlen (literal);

  if (!last)
    return strstr (text, literal);
  return size >= tail && strcmp (text + size - tail, literal) == 0 ? text + size - tail : NULL;
}

GPtrArray *
ctl_translate_match (const char *msgid, const char *text)
{
  g_autoptr (GPtrArray) args = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *first = literal_read (&msgid);

  if (!g_str_has_prefix (text, first))
    return NULL;
  text += strlen (first);
  while (*msgid != '\0') {
    Conversion conversion = conversion_read (msgid);
    g_autofree char *literal = (msgid += conversion.size, conversion.size > 0 ? literal_read (&msgid) : NULL);
    const char *end = literal != NULL ? parameter_end (text, literal, *msgid == '\0') : NULL;

    if (end == NULL || !fits (conversion.kind, text, (gsize) (end - text)))
      return NULL;
    g_ptr_array_add (args, g_strndup (text, (gsize) (end - text)));
    text = end + strlen (literal);
  }
  return *text == '\0' ? g_steal_pointer (&args) : NULL;
}

char *
ctl_translate_fill (const char *format, const GPtrArray *args)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint next = 1; *format != '\0'; next++) {
    g_autofree char *literal = literal_read (&format);
    Conversion conversion = *format != '\0' ? conversion_read (format) : (Conversion){ 0 };
    guint place = conversion.place > 0 ? conversion.place : next;

    g_string_append (text, literal);
    if (*format == '\0')
      break;
    if (conversion.size == 0 || place > args->len)
      return NULL;
    g_string_append (text, args->pdata[place - 1]);
    format += conversion.size;
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* ---- the catalogue ---- */

static GPtrArray *msgids; /* read when first needed, and kept */

static guint
letters (const char *msgid)
{
  guint n = 0;

  while (*msgid != '\0') {
    g_autofree char *literal = literal_read (&msgid);

    for (const char *at = literal; *at != '\0'; at++)
      n += g_ascii_isalpha (*at);
    msgid += *msgid != '\0' ? MAX (conversion_read (msgid).size, 1) : 0;
  }
  return n;
}

/* The msgid that says most of the text itself. */
static const char *
msgid_of (const char *text, GPtrArray **args)
{
  const char *best = NULL;
  guint most = LETTERS_MIN - 1;

  for (guint i = 0; i < msgids->len; i++) {
    const char *msgid = msgids->pdata[i];
    g_autoptr (GPtrArray) found = *msgid == '%' || *msgid == *text ? ctl_translate_match (msgid, text) : NULL;

    if (found != NULL && letters (msgid) > most) {
      most = letters (msgid);
      best = msgid;
      g_clear_pointer (args, g_ptr_array_unref);
      *args = g_steal_pointer (&found);
    }
  }
  return best;
}

/* ---- texts ---- */

static char *words_of (const char *text, guint depth);

/* NULL: the catalogue has nothing like it. */
static char *
words_whole (const char *text, guint depth)
{
  g_autoptr (GPtrArray) args = NULL;
  const char *known = *text != '\0' ? dgettext (FAR_GETTEXT_DOMAIN, text) : text, *msgid;

  if (known != text)
    return g_strdup (known);
  msgid = msgid_of (text, &args);
  for (guint i = 0; msgid != NULL && i < args->len; i++)
    if (strchr (args->pdata[i], ' ') != NULL) { /* names are one word: they are nobody's text */
      char *words = words_of (args->pdata[i], depth + 1);

      g_free (args->pdata[i]);
      args->pdata[i] = words;
    }
  return msgid != NULL ? ctl_translate_fill (dgettext (FAR_GETTEXT_DOMAIN, msgid), args) : NULL;
}

/* "PLACE: CAUSE; NEXT", put together from several: what stands behind a separator may be known. */
static char *
words_behind (const char *text, guint depth)
{
  const char *at = text;

  for (guint i = 0; i < SEPARATORS_MAX && (at = strpbrk (at, ":;")) != NULL; i++, at++) {
    g_autofree char *front = NULL, *left = NULL, *right = NULL;

    if (at[1] != ' ')
      continue;
    front = g_strndup (text, (gsize) (at - text));
    left = words_whole (front, depth);
    right = words_whole (at + 2, depth);
    if (left != NULL && right == NULL)
      right = words_of (at + 2, depth + 1);
    if (right != NULL)
      return g_strdup_printf ("%s%c %s", left != NULL ? left : front, *at, right);
  }
  return NULL;
}

static char *
words_of (const char *text, guint depth)
{
  char *words = depth < DEPTH_MAX ? words_whole (text, depth) : NULL;

  if (words == NULL && depth < DEPTH_MAX)
    words = words_behind (text, depth);
  return words != NULL ? words : g_strdup (text);
}

static char *
words_of_lines (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    if (strlen (lines[i]) <= TEXT_MAX) {
      char *words = words_of (lines[i], 0);

      g_free (lines[i]);
      lines[i] = words;
    }
  return g_strjoinv ("\n", lines);
}

char *
ctl_translate (const char *text)
{
  if (msgids == NULL)
    msgids = ctl_catalogue ();
  if (text == NULL || msgids->len == 0)
    return g_strdup (text);
  return words_of_lines (text);
}

const char *
ctl_translated (const char *text)
{
  g_autofree char *words = ctl_translate (text);

  return words != NULL ? g_intern_string (words) : NULL;
}
