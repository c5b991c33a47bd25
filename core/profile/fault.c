/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds the faults of a profile: where each is, what is wrong, and the source line to show with
 * it. A line that may hold a secret is not shown. The same list is text for a person and JSON for a
 * message. */
#include "config.h"

#include "profile/fault.h"

#include <string.h>

#include <farwatch/i18n.h>

#include "base/sanitize.h"
#include "base/suggest.h"

#define SHOWN_MAX 50
#define WIDTH_MAX 100 /* columns of a source line that are shown */
#define TAB_WIDTH 8

static void
fault_free (FarFault *fault)
{
  g_free (fault->file);
  g_free (fault->message);
  g_free (fault->excerpt);
  g_free (fault);
}

GPtrArray *
far_faults_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) fault_free);
}

/* One character of a source line as it is shown: its text and the columns it takes. */
typedef struct {
  char text[TAB_WIDTH + 1];
  guint width;
} Cell;

static Cell
cell_of (gunichar c, guint column)
{
  Cell cell = { .width = 1 };

  if (c == '\t') {
    cell.width = TAB_WIDTH - column % TAB_WIDTH;
    memset (cell.text, ' ', cell.width);
    return cell;
  }
  if (!far_sanitize_char (c))
    c = '?';
  cell.width = g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;
  g_unichar_to_utf8 (c, cell.text);
  return cell;
}

/* Does the key, perhaps misspelt, promise a secret? */
static gboolean
sounds_secret (const char *key)
{
  static const char *const words[] = { "password", "passwd",     "passphrase", "secret",
                                       "token",    "credential", "private",    "psk" };

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (strstr (key, words[i]) != NULL || (strlen (words[i]) >= 6 && far_distance (key, words[i]) <= 2))
      return TRUE;
  return FALSE;
}

/* A reference, told as one when the options were checked: `tokens: [NAME]` names an instance. */
static gboolean
value_is_open (const FarSource *source, guint number, const char *line, const char *value, const char *end)
{
  while (value < end && strchr (" [", *value) != NULL)
    value++;
  return far_source_is_open (source, number, (guint) g_utf8_strlen (line, value - line) + 1);
}

/* What stands behind such a key is not shown: the rest of the line, since nobody knows where a misplaced
 * secret ends. */
static const char *
secret_value (const FarSource *source, guint number, const char *line, const char *end)
{
  const char *word = NULL;

  for (const char *at = line; at < end; at++) {
    g_autofree char *key = *at == ':' && word != NULL ? g_ascii_strdown (word, at - word) : NULL;

    if (key != NULL && sounds_secret (g_strstrip (key)) && !value_is_open (source, number, line, at + 1, end))
      return at + 1;
    if (!g_ascii_isalnum (*at) && strchr ("-_ \"'", *at) == NULL)
      word = NULL;
    else if (word == NULL && g_ascii_isalpha (*at))
      word = at;
  }
  return end;
}

/* Source line and caret: tabs as spaces, wide characters as two columns, a long line as the part around the
 * caret. */
static char *
excerpt_line (const FarSource *source, guint number, const char *line, const char *end, guint column)
{
  g_autoptr (GArray) cells = g_array_new (FALSE, FALSE, sizeof (Cell));
  g_autoptr (GString) text = g_string_new (NULL);
  const char *hidden = secret_value (source, number, line, end);
  guint width = 0, caret = 0, from = 0, used = 0;

  for (const char *at = line; at < hidden; at = g_utf8_next_char (at)) {
    Cell cell = cell_of (g_utf8_get_char (at), width);

    if (cells->len + 1 < column)
      caret = width + cell.width;
    width += cell.width;
    g_array_append_val (cells, cell);
  }
  caret = MIN (caret, width);
  from = width > WIDTH_MAX && caret > WIDTH_MAX / 2 ? caret - WIDTH_MAX / 2 : 0;
  if (from > 0)
    g_string_append (text, "…");
  for (guint i = 0; i < cells->len && used < from + WIDTH_MAX; i++) {
    const Cell *cell = &g_array_index (cells, Cell, i);

    if (used >= from) {
      g_string_append (text, cell->text);
    } else if (used + cell->width > from) {
      from = used + cell->width; /* a wide character is not cut in two */
    }
    used += cell->width;
  }
  if (used < width)
    g_string_append (text, "…");
  if (hidden < end)
    g_string_append (text, " ***");
  g_string_append_printf (text, "\n%*s^\n", (int) (caret - from + (from > 0)), "");
  return g_strdup (text->str);
}

/* The line, without its end; NULL: there is none. */
static const char *
source_line (const FarSource *source, guint number, const char **end)
{
  const char *line = source->text, *stop = source->text + source->size;

  for (guint i = 1; i < number && line != NULL; i++) {
    line = memchr (line, '\n', (gsize) (stop - line));
    line = line != NULL ? line + 1 : NULL;
  }
  if (line == NULL)
    return NULL;
  *end = memchr (line, '\n', (gsize) (stop - line));
  if (*end == NULL)
    *end = stop;
  if (*end > line && (*end)[-1] == '\r')
    (*end)--;
  return line;
}

static char *
excerpt (const FarSource *source, guint number, guint column)
{
  const char *line, *end = NULL;

  if (source->text == NULL || number == 0)
    return NULL;
  line = source_line (source, number, &end);
  if (line == NULL || !g_utf8_validate_len (line, (gsize) (end - line), NULL))
    return NULL;
  return excerpt_line (source, number, line, end, column);
}

static void
fault_add (GPtrArray *faults, FarFaultKind kind, const FarSource *source, guint line, guint column,
           char *message)
{
  FarFault *fault = g_new0 (FarFault, 1);

  fault->kind = kind;
  fault->message = message;
  g_ptr_array_add (faults, fault);
  if (source == NULL)
    return;
  fault->file = g_strdup (source->path);
  fault->file_rank = source->rank;
  fault->line = line;
  fault->column = column;
  if (faults->len <= 2 * SHOWN_MAX)
    fault->excerpt = excerpt (source, line, column);
}

void
far_fault_add (GPtrArray *faults, FarFaultKind kind, const FarYaml *node, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  fault_add (faults, kind, node != NULL ? node->source : NULL, node != NULL ? node->line : 0,
             node != NULL ? node->column : 0, g_strdup_vprintf (format, args));
  va_end (args);
}

void
far_fault_add_at (GPtrArray *faults, FarFaultKind kind, FarSource *source, guint line, guint column,
                  const char *format, ...)
{
  va_list args;

  va_start (args, format);
  fault_add (faults, kind, source, line, column, g_strdup_vprintf (format, args));
  va_end (args);
}

guint
far_faults_errors (GPtrArray *faults)
{
  guint n = 0;

  for (guint i = 0; i < faults->len; i++)
    n += ((const FarFault *) faults->pdata[i])->kind == FAR_FAULT_ERROR;
  return n;
}

static int
fault_compare (gconstpointer a, gconstpointer b)
{
  const FarFault *one = *(FarFault *const *) a, *two = *(FarFault *const *) b;

  if (one->file_rank != two->file_rank)
    return one->file_rank < two->file_rank ? -1 : 1;
  if (one->line != two->line)
    return one->line < two->line ? -1 : 1;
  return one->column == two->column ? 0 : one->column < two->column ? -1 : 1;
}

GStrv
far_faults_former (GPtrArray *faults)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();

  for (guint i = 0; i < faults->len; i++) {
    const FarFault *fault = faults->pdata[i];

    if (fault->kind == FAR_FAULT_FORMER)
      g_ptr_array_add (texts, g_strdup_printf ("%s:%u: %s", fault->file != NULL ? fault->file : "",
                                               fault->line, fault->message));
  }
  g_ptr_array_add (texts, NULL);
  return (GStrv) g_ptr_array_steal (texts, NULL);
}

/* GLib promises that equals keep their order. */
void
far_faults_sort (GPtrArray *faults)
{
  g_ptr_array_sort (faults, fault_compare);
}

static void
fault_append (GString *text, const FarFault *fault)
{
  if (fault->file != NULL)
    g_string_append_printf (text, "%s:", fault->file);
  if (fault->line > 0)
    g_string_append_printf (text, "%u:%u:", fault->line, fault->column);
  g_string_append_printf (text, "%s%s: %s\n", fault->file != NULL ? " " : "",
                          fault->kind == FAR_FAULT_ERROR ? _ ("error") : _ ("warning"), fault->message);
  if (fault->excerpt != NULL)
    g_string_append (text, fault->excerpt);
}

char *
far_faults_text (GPtrArray *faults)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < faults->len && i < SHOWN_MAX; i++)
    fault_append (text, faults->pdata[i]);
  if (faults->len > SHOWN_MAX)
    g_string_append_printf (text, _ ("… and %u more\n"), faults->len - SHOWN_MAX);
  return g_strdup (text->str);
}

json_t *
far_faults_json (GPtrArray *faults)
{
  json_t *list = json_array ();

  for (guint i = 0; i < faults->len; i++) {
    const FarFault *fault = faults->pdata[i];

    json_array_append_new (list, json_pack ("{s:s?, s:i, s:i, s:s, s:s}", "file", fault->file, "line",
                                            (int) fault->line, "column", (int) fault->column, "severity",
                                            fault->kind == FAR_FAULT_ERROR ? "error" : "warning", "message",
                                            fault->message));
  }
  return list;
}
