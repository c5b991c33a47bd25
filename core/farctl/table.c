/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tables. At a terminal they keep to its width: the widest columns give way and their cells go on in the next
 * line, so nothing is lost. What is longer than the window goes through a pager. To a pipe or file they are
 * as wide as they are. */
#include "config.h"

#include "ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GAP 2
#define NARROW 12   /* columns give way down to this, */
#define NARROWEST 6 /* and, where that is not enough, to this */

/* ---- text as a terminal shows it ---- */

static guint
table_width (const char *text)
{
  guint width = 0;

  for (; *text != '\0'; text = g_utf8_next_char (text)) {
    gunichar c = g_utf8_get_char (text);

    width += g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;
  }
  return width;
}

/* How many bytes of it fit, broken behind a space if there is one; *next: where the rest begins. */
static gsize
table_piece (const char *text, guint width, const char **next)
{
  const char *at = text, *space = NULL;
  guint used = 0;

  while (*at != '\0') {
    const char *after = g_utf8_next_char (at);
    g_autofree char *one = g_strndup (at, (gsize) (after - at));

    used += table_width (one);
    if (used > width && at > text)
      break;
    if (*at == ' ' && at > text)
      space = at;
    at = after;
  }
  if (*at != '\0' && *at != ' ' && space != NULL)
    at = space;
  *next = at + strspn (at, " ");
  return (gsize) (at - text);
}

/* ---- lines ---- */

static void
table_pad (GString *line, guint width)
{
  for (guint have = table_width (line->str); have < width; have++)
    g_string_append_c (line, ' ');
}

/* One row, in as many lines as its longest cell needs. */
static void
table_row (GString *out, char **cells, const guint *widths, guint n)
{
  g_autofree const char **rest = g_memdup2 (cells, n * sizeof *cells);
  gboolean more = TRUE;

  while (more) {
    g_autoptr (GString) line = g_string_new (NULL);
    guint column = 0;

    more = FALSE;
    for (guint i = 0; i < n; i++) {
      const char *piece = rest[i];
      gsize size = table_piece (piece, widths[i], &rest[i]);

      table_pad (line, column);
      g_string_append_len (line, piece, (gssize) size);
      column += widths[i] + GAP;
      more = more || *rest[i] != '\0';
    }
    g_string_append_printf (out, "%s\n", g_strchomp (line->str));
  }
}

/* ---- widths ---- */

static guint
table_total (const guint *widths, guint n)
{
  guint total = GAP * (n - 1);

  for (guint i = 0; i < n; i++)
    total += widths[i];
  return total;
}

static void
table_fit (guint *widths, guint n, guint room, guint narrowest)
{
  while (room > 0 && table_total (widths, n) > room) {
    guint widest = 0;

    for (guint i = 1; i < n; i++)
      widest = widths[i] > widths[widest] ? i : widest;
    if (widths[widest] <= narrowest)
      return;
    widths[widest]--;
  }
}

/* ---- the terminal ---- */

static struct winsize
table_window (void)
{
  struct winsize window = { 0 };

  if (!isatty (STDOUT_FILENO) || ioctl (STDOUT_FILENO, TIOCGWINSZ, &window) != 0)
    return (struct winsize){ 0 };
  return window;
}

static gboolean
table_write (int fd, const char *text)
{
  gsize left = strlen (text);

  while (left > 0) {
    gssize n = write (fd, text, left);

    if (n < 0 && errno != EINTR)
      return FALSE;
    text += MAX (n, 0);
    left -= (gsize) MAX (n, 0);
  }
  return TRUE;
}

/* FALSE: there is none. Who leaves it early has read enough. */
static gboolean
table_page (const char *text)
{
  const char *wanted = g_getenv ("FARWATCH_PAGER") != NULL ? g_getenv ("FARWATCH_PAGER") : g_getenv ("PAGER");
  g_auto (GStrv) env = g_environ_setenv (g_get_environ (), "LESS", "FRX", FALSE), argv = NULL;
  GPid pager;
  int to;

  if (!g_shell_parse_argv (wanted != NULL ? wanted : "less", NULL, &argv, NULL) ||
      !g_spawn_async_with_pipes (NULL, argv, env, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                                 &pager, &to, NULL, NULL, NULL))
    return FALSE;
  table_write (to, text);
  close (to);
  while (waitpid (pager, NULL, 0) < 0 && errno == EINTR)
    ;
  g_spawn_close_pid (pager);
  return TRUE;
}

static void
table_show (const char *text, guint rows)
{
  guint lines = 0;

  for (const char *at = text; (at = strchr (at, '\n')) != NULL; at++)
    lines++;
  fflush (stdout);
  if (rows == 0 || lines < rows || !table_page (text))
    fputs (text, stdout);
}

/* ---- tables ---- */

static guint
table_columns (const CtlColumn *columns)
{
  guint n = 0;

  while (columns[n].field != NULL)
    n++;
  return n;
}

static char **
table_cells (json_t *row, const CtlColumn *columns, guint n, guint *widths)
{
  char **cells = g_new0 (char *, n + 1);

  for (guint i = 0; i < n; i++) {
    cells[i] = row == NULL ? g_strdup (_ (columns[i].title)) : ctl_cell (row, &columns[i]);
    widths[i] = MAX (widths[i], table_width (cells[i]));
  }
  return cells;
}

void
ctl_table (json_t *list, const CtlColumn *columns, const char *empty)
{
  guint n = table_columns (columns);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  g_autofree guint *widths = g_new0 (guint, n);
  g_autoptr (GString) out = g_string_new (NULL);
  struct winsize window = table_window ();

  if (json_array_size (list) == 0) {
    puts (empty);
    return;
  }
  g_ptr_array_add (lines, table_cells (NULL, columns, n, widths));
  for (gsize row = 0; row < json_array_size (list); row++)
    g_ptr_array_add (lines, table_cells (json_array_get (list, row), columns, n, widths));
  table_fit (widths, n, window.ws_col, NARROW);
  table_fit (widths, n, window.ws_col, NARROWEST);
  for (guint i = 0; i < lines->len; i++)
    table_row (out, lines->pdata[i], widths, n);
  table_show (out->str, window.ws_row);
}
