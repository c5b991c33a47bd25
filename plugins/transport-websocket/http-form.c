/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The second reader: see http-form.h. It keeps no state between calls; where it was it finds again with
 * memrchr() and memchr(), in the line that is under way only. */
#include "config.h"

#include "http-form.h"

#include <string.h>

#include <farwatch/i18n.h>

#define BLANKS_MAX 2  /* empty lines before a request */
#define METHOD_MAX 32 /* the longest that is registered has 17 letters */

typedef enum {
  PART_BEGIN,
  PART_METHOD,
  PART_TARGET,
  PART_VERSION,
  PART_STATUS,
  PART_FIELD,
  PART_NAME,
  PART_VALUE,
  PART_DONE
} WsPart;

typedef struct {
  const guint8 *data;
  gsize size; /* no more than the limit */
  gsize at;
  gsize line;  /* where the line under way begins */
  gsize start; /* where the part under way begins */
  gsize first; /* where the first line begins */
  gboolean answer;
  gboolean counted;
  guint fields; /* lines before this one; only when counted */
  WsPart part;
  const WsHeadLimits *limits;
  WsNo *no;
} Scan;

/* ---- characters ---- */

enum { TOKEN = 1, TARGET = 2, TEXT = 4, ALL = TOKEN | TARGET | TEXT };

/* TOKEN: RFC 9110 section 5.6.2. TARGET: what RFC 3986 lets stand in a URI but '#', as a fragment never
 * travels. TEXT: field values. */
static const guint8 kinds[256] = {
  ['\t'] = TEXT,
  [' '] = TEXT,
  ['!'] = ALL,
  ['"'] = TEXT,
  ['#'] = TOKEN | TEXT,
  ['$' ... '\''] = ALL,
  ['(' ... ')'] = TARGET | TEXT,
  ['*' ... '+'] = ALL,
  [','] = TARGET | TEXT,
  ['-' ... '.'] = ALL,
  ['/'] = TARGET | TEXT,
  ['0' ... '9'] = ALL,
  [':' ... ';'] = TARGET | TEXT,
  ['<'] = TEXT,
  ['='] = TARGET | TEXT,
  ['>'] = TEXT,
  ['?' ... '@'] = TARGET | TEXT,
  ['A' ... 'Z'] = ALL,
  ['['] = TARGET | TEXT,
  ['\\'] = TEXT,
  [']'] = TARGET | TEXT,
  ['^'] = TOKEN | TEXT,
  ['_'] = ALL,
  ['`'] = TOKEN | TEXT,
  ['a' ... 'z'] = ALL,
  ['{'] = TEXT,
  ['|'] = TOKEN | TEXT,
  ['}'] = TEXT,
  ['~'] = ALL,
  [0x80 ... 0xff] = TEXT,
};

gboolean
ws_form_is_token (guint8 c)
{
  return (kinds[c] & TOKEN) != 0;
}

/* ---- lines ---- */

static gboolean
form_no (Scan *scan, guint status, const char *text)
{
  scan->no->status = status;
  scan->no->text = text;
  return FALSE;
}

/* The limits of a program are few: each text is made once. */
G_GNUC_PRINTF (3, 4)
static gboolean
form_over (Scan *scan, guint status, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  return form_no (scan, status, g_intern_string (text));
}

static gboolean
no_request (Scan *scan)
{
  return form_no (scan, 400,
                  scan->answer ? _ ("this is no HTTP/1.1 answer") : _ ("this is no HTTP/1.1 request"));
}

/* At a CR. FALSE also when its LF is not there yet. */
static gboolean
end_line (Scan *scan, WsPart next)
{
  if (scan->at + 1 == scan->size)
    return FALSE;
  if (scan->data[scan->at + 1] != '\n')
    return form_no (scan, 400, _ ("a CR without LF"));
  scan->at += 2;
  scan->line = scan->start = scan->at;
  scan->part = next;
  return TRUE;
}

static gboolean
next_part (Scan *scan, WsPart next)
{
  scan->start = ++scan->at;
  scan->part = next;
  return TRUE;
}

/* ---- the first line ---- */

static gboolean
scan_begin (Scan *scan)
{
  if (scan->data[scan->at] != '\r' || scan->answer) {
    scan->first = scan->line;
    scan->part = scan->answer ? PART_STATUS : PART_METHOD;
    return TRUE;
  }
  return scan->at < 2 * BLANKS_MAX ? end_line (scan, PART_BEGIN) : no_request (scan);
}

static gboolean
scan_method (Scan *scan)
{
  for (; scan->at < scan->size; scan->at++) {
    if (scan->data[scan->at] == ' ' && scan->at > scan->start)
      return next_part (scan, PART_TARGET);
    if (!(kinds[scan->data[scan->at]] & TOKEN) || scan->at - scan->start >= METHOD_MAX)
      return no_request (scan);
  }
  return FALSE;
}

static gboolean
method_is (const Scan *scan, const char *name)
{
  gsize size = strlen (name);

  return scan->start - scan->line == size + 1 && memcmp (scan->data + scan->line, name, size) == 0;
}

/* Whether the n bytes from text are http:// or https:// as far as they go. */
static gboolean
is_scheme (const guint8 *text, gsize n)
{
  return g_ascii_strncasecmp ((const char *) text, "http://", MIN (n, 7)) == 0 ||
         g_ascii_strncasecmp ((const char *) text, "https://", MIN (n, 8)) == 0;
}

/* The four forms of RFC 9112 section 3.2. */
static gboolean
fits_target (const Scan *scan)
{
  const guint8 *text = scan->data + scan->start;
  gsize n = scan->at - scan->start + 1;

  if (!(kinds[text[n - 1]] & TARGET))
    return FALSE;
  if (text[0] == '*')
    return n == 1 && method_is (scan, "OPTIONS");
  return text[0] == '/' || method_is (scan, "CONNECT") || is_scheme (text, n);
}

static gboolean
scan_target (Scan *scan)
{
  for (; scan->at < scan->size; scan->at++) {
    if (scan->data[scan->at] == ' ' && scan->at > scan->start)
      return next_part (scan, PART_VERSION);
    if (scan->at - scan->start >= scan->limits->line_max)
      return form_over (scan, 414, _ ("the target is too long: %u bytes at most"),
                        (guint) scan->limits->line_max);
    if (scan->data[scan->at] == '#')
      return form_no (scan, 400, _ ("a target has no fragment"));
    if (!fits_target (scan))
      return no_request (scan);
  }
  return FALSE;
}

/* Pattern: 0 stands for a digit, anything else for itself. */
static gboolean
scan_pattern (Scan *scan, const char *pattern)
{
  for (gsize i; scan->at < scan->size && (i = scan->at - scan->start) < strlen (pattern); scan->at++)
    if (pattern[i] == '0' ? !g_ascii_isdigit (scan->data[scan->at]) : scan->data[scan->at] != pattern[i])
      return no_request (scan);
  return scan->at < scan->size;
}

static gboolean
scan_version (Scan *scan)
{
  guint8 major;

  if (!scan_pattern (scan, "HTTP/0.0"))
    return FALSE;
  major = scan->data[scan->start + 5];
  if (scan->data[scan->at] != '\r' || major == '0')
    return no_request (scan);
  if (major != '1')
    return form_no (scan, 505, _ ("this version of HTTP is not spoken here; use HTTP/1.1"));
  return end_line (scan, PART_FIELD);
}

/* A reason may be empty, the space before it not be missing (RFC 9112 section 4). */
static gboolean
scan_status (Scan *scan)
{
  if (!scan_pattern (scan, "HTTP/1.0 000 "))
    return FALSE;
  if (scan->data[scan->start + 9] < '1' || scan->data[scan->start + 9] > '5')
    return no_request (scan);
  for (; scan->at < scan->size && scan->data[scan->at] != '\r'; scan->at++) {
    if (scan->at - scan->line >= scan->limits->line_max)
      return form_over (scan, 431, _ ("a line is too long: %u bytes at most"),
                        (guint) scan->limits->line_max);
    if (!(kinds[scan->data[scan->at]] & TEXT))
      return no_request (scan);
  }
  return scan->at < scan->size && end_line (scan, PART_FIELD);
}

/* ---- field lines ---- */

static guint
lines_between (const guint8 *data, gsize from, gsize to)
{
  guint n = 0;

  for (const guint8 *end; (end = memchr (data + from, '\n', to - from)) != NULL; n++)
    from = (gsize) (end - data) + 1;
  return n;
}

static gboolean
scan_field (Scan *scan)
{
  if (scan->data[scan->at] == '\r')
    return end_line (scan, PART_DONE);
  if (!scan->counted)
    scan->fields = lines_between (scan->data, scan->first, scan->line) - 1;
  scan->counted = TRUE;
  if (scan->fields++ >= scan->limits->fields_max)
    return form_over (scan, 431, _ ("too many fields: %u at most"), scan->limits->fields_max);
  scan->part = PART_NAME;
  return TRUE;
}

static gboolean
scan_name (Scan *scan)
{
  for (; scan->at < scan->size; scan->at++) {
    guint8 c = scan->data[scan->at];

    if (scan->at - scan->line >= scan->limits->line_max)
      return form_over (scan, 431, _ ("a line is too long: %u bytes at most"),
                        (guint) scan->limits->line_max);
    if (c == ':' && scan->at > scan->line)
      return next_part (scan, PART_VALUE);
    if ((c == ' ' || c == '\t') && scan->at == scan->line)
      return form_no (scan, 400, _ ("a line that continues another one"));
    if (!(kinds[c] & TOKEN))
      return form_no (scan, 400, _ ("a field must begin with its name and a colon"));
  }
  return FALSE;
}

static gboolean
scan_value (Scan *scan)
{
  for (; scan->at < scan->size && scan->data[scan->at] != '\r'; scan->at++) {
    if (scan->at - scan->line >= scan->limits->line_max)
      return form_over (scan, 431, _ ("a line is too long: %u bytes at most"),
                        (guint) scan->limits->line_max);
    if (!(kinds[scan->data[scan->at]] & TEXT))
      return form_no (scan, 400, _ ("a control character in a field"));
  }
  return scan->at < scan->size && end_line (scan, PART_FIELD);
}

/* ---- taking up where it was ---- */

static gsize
form_after (const guint8 *data, gsize from, gsize to, int c)
{
  const guint8 *found = memchr (data + from, c, to - from);

  return found == NULL ? 0 : (gsize) (found - data) + 1;
}

static void
resume_first_line (Scan *scan)
{
  gsize target, version;

  if (scan->at == scan->line)
    return;
  scan->part = scan->answer ? PART_STATUS : PART_METHOD;
  if (scan->answer || (target = form_after (scan->data, scan->line, scan->at, ' ')) == 0)
    return;
  version = form_after (scan->data, target, scan->at, ' ');
  scan->part = version == 0 ? PART_TARGET : PART_VERSION;
  scan->start = version == 0 ? target : version;
}

static void
form_resume (Scan *scan, gsize from)
{
  const guint8 *end;
  gsize value;

  scan->at = from > 0 && scan->data[from - 1] == '\r' ? from - 1 : from;
  end = scan->at > 0 ? memrchr (scan->data, '\n', scan->at) : NULL;
  scan->line = scan->start = end == NULL ? 0 : (gsize) (end - scan->data) + 1;
  while (!scan->answer && scan->first < MIN (scan->line, 2 * BLANKS_MAX) && scan->data[scan->first] == '\r')
    scan->first += 2;
  if (scan->line <= scan->first) {
    resume_first_line (scan);
    return;
  }
  value = form_after (scan->data, scan->line, scan->at, ':');
  scan->part = scan->at == scan->line ? PART_FIELD : value == 0 ? PART_NAME : PART_VALUE;
}

/* ---- */

static gboolean
scan_on (Scan *scan)
{
  static gboolean (*const parts[]) (Scan *) = { scan_begin,  scan_method, scan_target, scan_version,
                                                scan_status, scan_field,  scan_name,   scan_value };

  while (scan->part != PART_DONE)
    if (scan->at >= scan->size || !parts[scan->part](scan))
      return FALSE;
  return TRUE;
}

WsHeadResult
ws_form_read (const guint8 *data, gsize size, gsize from, const WsHeadLimits *limits, gboolean answer,
              gsize *end, WsNo *why)
{
  Scan scan = { .data = data,
                .size = MIN (size, limits->size_max),
                .answer = answer,
                .limits = limits,
                .no = why };

  *why = (WsNo){ 0, NULL };
  form_resume (&scan, MIN (from, scan.size));
  if (scan_on (&scan)) {
    *end = scan.at;
    return WS_HEAD_DONE;
  }
  if (why->status == 0 && size >= limits->size_max)
    form_over (&scan, scan.part == PART_TARGET ? 414 : 431,
               scan.part == PART_TARGET ? _ ("the target is too long: %u bytes at most")
                                        : _ ("the head is too large: %u bytes at most"),
               (guint) limits->size_max);
  return why->status == 0 ? WS_HEAD_MORE : WS_HEAD_REFUSED;
}

/* ---- a head that is whole ---- */

static WsSpan
trimmed (const guint8 *data, gsize from, gsize to)
{
  while (from < to && (data[from] == ' ' || data[from] == '\t'))
    from++;
  while (to > from && (data[to - 1] == ' ' || data[to - 1] == '\t'))
    to--;
  return (WsSpan){ from, to - from };
}

/* Where the first line's CR is. */
static gsize
split_first_line (WsForm *form, const guint8 *data, gsize end, gboolean answer)
{
  gsize at = form->first, cr = form_after (data, at, end, '\r') - 1;

  if (answer) {
    form->minor = data[at + 7] - '0';
    form->status = (guint) (data[at + 9] - '0') * 100 + (guint) (data[at + 10] - '0') * 10 +
                   (guint) (data[at + 11] - '0');
    return cr;
  }
  form->method = (WsSpan){ at, form_after (data, at, end, ' ') - 1 - at };
  at += form->method.size + 1;
  form->target = (WsSpan){ at, form_after (data, at, end, ' ') - 1 - at };
  form->minor = data[cr - 1] - '0';
  return cr;
}

void
ws_form_init (WsForm *form, const guint8 *data, gsize end, gboolean answer)
{
  gsize cr;

  *form = (WsForm){ .lines = g_array_sized_new (FALSE, FALSE, sizeof (WsLine), 16) };
  while (data[form->first] == '\r')
    form->first += 2;
  cr = split_first_line (form, data, end, answer);
  for (gsize at = cr + 2; data[at] != '\r'; at = cr + 2) {
    gsize value = form_after (data, at, end, ':');
    WsLine line = { .name = { at, value - 1 - at } };

    cr = form_after (data, value, end, '\r') - 1;
    line.value = trimmed (data, value, cr);
    g_array_append_val (form->lines, line);
  }
}

void
ws_form_clear (WsForm *form)
{
  g_clear_pointer (&form->lines, g_array_unref);
}
