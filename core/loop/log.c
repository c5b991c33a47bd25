/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log lines: one write(2) each, to stderr; with the level as "<N>" when stderr is the journal. */
#include "config.h"

#include "loop/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sanitize.h"

#define LINE_MAX_BYTES 4096

static struct {
  gboolean journal, debug;
  void (*sink) (GLogLevelFlags level, const char *path, const char *text, gpointer user);
  gpointer sink_user;
} far_log_to;

typedef struct {
  GLogLevelFlags level;
  int syslog; /* RFC 5424, table 2 */
  const char *word;
} Level;

static const Level levels[] = {
  { G_LOG_LEVEL_ERROR, 3, "error: " },
  { G_LOG_LEVEL_CRITICAL, 3, "error: " },
  { G_LOG_LEVEL_WARNING, 4, "warning: " },
  { G_LOG_LEVEL_MESSAGE, 5, "" },
  { G_LOG_LEVEL_INFO, 6, "" },
  { G_LOG_LEVEL_DEBUG, 7, "debug: " },
};

static const Level *
level_row (GLogLevelFlags level)
{
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    if (level & levels[i].level)
      return &levels[i];
  return &levels[3];
}

/* Texts hold what peers sent: no line of its own, no escape sequence for the terminal that shows the log,
 * nothing that turns or hides the rest. */
static void
append_plain (GString *line, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  for (const char *at = valid; *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    if (!far_sanitize_char (c))
      g_string_append_printf (line, "\\x%02x", c);
    else
      g_string_append_unichar (line, c);
  }
}

static void
append_time (GString *line)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *text = g_date_time_format (now, "%H:%M:%S");

  g_string_append_printf (line, "%s.%03d ", text, g_date_time_get_microsecond (now) / 1000);
}

static void
line_write (GString *line)
{
  gssize done;

  if (line->len >= LINE_MAX_BYTES) {
    g_autofree char *valid = NULL;

    g_string_truncate (line, LINE_MAX_BYTES - 8);
    valid = g_utf8_make_valid (line->str, -1);
    g_string_assign (line, valid);
    g_string_append (line, "…");
  }
  g_string_append_c (line, '\n');
  done = write (STDERR_FILENO, line->str, line->len);
  (void) done; /* nowhere to complain to */
}

void
far_log_line (GLogLevelFlags level, const char *path, const char *text)
{
  const Level *row = level_row (level);
  g_autoptr (GString) line = g_string_sized_new (256);

  if (far_log_to.sink != NULL)
    far_log_to.sink (level, path, text, far_log_to.sink_user);
  if ((level & G_LOG_LEVEL_DEBUG) && !far_log_to.debug)
    return;
  if (far_log_to.journal)
    g_string_append_printf (line, "<%d>", row->syslog);
  else
    append_time (line);
  g_string_append (line, far_log_to.journal ? "" : row->word);
  if (path != NULL)
    g_string_append_printf (line, "%s: ", path);
  append_plain (line, text);
  line_write (line);
}

void
far_log (FarInstance *at, GLogLevelFlags level, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  far_log_line (level, at != NULL ? far_instance_path (at) : NULL, text);
}

void
far_log_limited (FarInstance *at, const char *key, const char *format, ...)
{
  const char *path = at != NULL ? far_instance_path (at) : NULL;
  g_autofree char *text = NULL;
  guint more;
  va_list args;

  if (!far_log_limit_due (path, format, key, &more))
    return;
  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  if (more > 0) {
    g_autofree char *first = g_steal_pointer (&text);

    text = g_strdup_printf ("%s (and %u more like it since the last time)", first, more);
  }
  far_log_line (G_LOG_LEVEL_WARNING, path, text);
}

void
far_log_set_sink (void (*func) (GLogLevelFlags level, const char *path, const char *text, gpointer user),
                  gpointer user)
{
  far_log_to.sink_user = user;
  far_log_to.sink = func;
}

static GLogWriterOutput
log_from_glib (GLogLevelFlags level, const GLogField *fields, gsize n, gpointer user)
{
  const char *domain = NULL, *text = "";

  for (gsize i = 0; i < n; i++) {
    if (g_str_equal (fields[i].key, "MESSAGE"))
      text = fields[i].value;
    if (g_str_equal (fields[i].key, "GLIB_DOMAIN"))
      domain = fields[i].value;
  }
  far_log_line (level, domain, text);
  return G_LOG_WRITER_HANDLED;
}

/* $JOURNAL_STREAM is "device:inode" of the stream that systemd gave; it is inherited, so stderr must be that
 * very file. */
static gboolean
stderr_is_journal (void)
{
  const char *stream = g_getenv ("JOURNAL_STREAM");
  struct stat st;
  g_autofree char *own = NULL;

  if (stream == NULL || fstat (STDERR_FILENO, &st) != 0)
    return FALSE;
  own = g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64) st.st_dev,
                         (guint64) st.st_ino);
  return g_str_equal (own, stream);
}

void
far_log_open (gboolean debug)
{
  far_log_to.journal = stderr_is_journal ();
  far_log_to.debug = debug;
  g_log_set_writer_func (log_from_glib, NULL, NULL);
}
