/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The first look at what came by a connection; the header of this name says what for. A message is cut into
 * lines once, without copying; what is wrong is found in the order in which RFC 3261 would have it answered.
 */
#include "config.h"

#include "sip-text.h"

#include <sodium.h>
#include <string.h>

#define OWN_VIA "Via: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK-"
#define COOKIE "z9hG4bK"

typedef struct {
  const char *raw;
  gsize raw_size; /* with its last CR LF */
  const char *name, *value;
  gsize name_size, value_size; /* the value with its folds, without white space around it */
} Line;

typedef struct {
  const char *start; /* the start line, without CR LF */
  gsize start_size;
  Line lines[SIP_TEXT_HEADERS_MAX];
  guint n;
  gboolean many; /* more than that */
  gboolean foul; /* a line that is no header */
} SipHead;

/* ---- lines ---- */

static gboolean
is_token (const char *text, gsize size)
{
  for (gsize i = 0; i < size; i++)
    if (!g_ascii_isalnum (text[i]) && strchr ("-.!%*_+`'~", text[i]) == NULL)
      return FALSE;
  return size > 0;
}

static gboolean
is_blank (char c)
{
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static gboolean
word_is (const char *text, gsize size, const char *word)
{
  return strlen (word) == size && g_ascii_strncasecmp (text, word, size) == 0;
}

static void
line_cut (Line *line)
{
  const char *colon = memchr (line->raw, ':', line->raw_size), *end = line->raw + line->raw_size;
  line->name = line->raw;
  if (colon == NULL)
    return;
  for (line->name_size = (gsize) (colon - line->raw);
       line->name_size > 0 && is_blank (line->name[line->name_size - 1]);)
    line->name_size--;
  for (line->value = colon + 1; line->value < end && is_blank (*line->value);)
    line->value++;
  while (end > line->value && is_blank (end[-1]))
    end--;
  line->value_size = (gsize) (end - line->value);
}

/* The end of the line at from: behind its CR LF, folds included unless it is the start line. */
static const char *
line_end (const char *from, const char *end, gboolean folds)
{
  const char *lf = from;
  do {
    lf = memchr (lf, '\n', (gsize) (end - lf));
    if (lf == NULL)
      return end;
    lf++;
  } while (folds && lf < end && (*lf == ' ' || *lf == '\t'));
  return lf;
}

/* data: a head whose lines all end in CR LF. */
static void
head_cut (SipHead *head, const char *data, gsize size)
{
  const char *end = data + size - 2, *at = line_end (data, end, FALSE);
  memset (head, 0, sizeof *head);
  head->start = data;
  head->start_size = (gsize) (at - data) - 2;
  while (at < end) {
    const char *next = line_end (at, end, TRUE);
    Line *line = &head->lines[head->n];
    if (head->n == SIP_TEXT_HEADERS_MAX) {
      head->many = TRUE;
      return;
    }
    line->raw = at;
    line->raw_size = (gsize) (next - at);
    line_cut (line);
    head->foul |= !is_token (line->name, line->name_size);
    head->n++;
    at = next;
  }
}

/* Headers that a message has once, with their short forms; "" : none (RFC 3261 20, 7.3.3, and later RFCs). */
static const struct {
  const char *name, *compact;
} single[] = {
  { "from", "f" },
  { "to", "t" },
  { "call-id", "i" },
  { "cseq", "" },
  { "content-length", "l" },
  { "max-forwards", "" },
  { "content-type", "c" },
  { "content-disposition", "" },
  { "expires", "" },
  { "min-expires", "" },
  { "subject", "s" },
  { "privacy", "" },
  { "publication", "" },
  { "date", "" },
  { "mime-version", "" },
  { "organization", "" },
  { "priority", "" },
  { "reply-to", "" },
  { "retry-after", "" },
  { "server", "" },
  { "user-agent", "" },
  { "timestamp", "" },
  { "event", "o" },
  { "refer-to", "r" },
  { "referred-by", "b" },
  { "replaces", "" },
  { "session-expires", "x" },
  { "min-se", "" },
  { "rseq", "" },
  { "rack", "" },
  { "sip-etag", "" },
  { "sip-if-match", "" },
  { "subscription-state", "" },
  { "target-dialog", "" },
  { "join", "" },
  { "identity", "y" },
  { "authentication-info", "" },
  { "refer-sub", "" },
  { "session-id", "" },
  { "relay-permit", "" },
};

static gboolean
line_is (const Line *line, const char *name)
{
  if (word_is (line->name, line->name_size, name))
    return TRUE;
  for (guint i = 0; line->name_size == 1 && i < G_N_ELEMENTS (single); i++)
    if (strcmp (single[i].name, name) == 0)
      return word_is (line->name, 1, single[i].compact);
  return line->name_size == 1 && strcmp (name, "via") == 0 && word_is (line->name, 1, "v");
}

static const Line *
head_find (const SipHead *head, const char *name, guint *times)
{
  const Line *first = NULL;
  guint n = 0;
  for (guint i = 0; i < head->n; i++)
    if (line_is (&head->lines[i], name)) {
      first = first != NULL ? first : &head->lines[i];
      n++;
    }
  if (times != NULL)
    *times = n;
  return first;
}

/* ---- where it ends ---- */

/* Every LF behind a CR, every CR before an LF, no NUL: so nobody sees a line where another sees none. What
 * comes behind a CR at the end is not known yet. */
static gboolean
lines_clean (const guint8 *data, gsize size)
{
  for (gsize i = 0; i < size; i++)
    if (data[i] == '\0' || (data[i] == '\n' && (i == 0 || data[i - 1] != '\r')) ||
        (data[i] == '\r' && i + 1 < size && data[i + 1] != '\n'))
      return FALSE;
  return TRUE;
}

static SipTextState
frame_lost (SipTextFrame *frame, guint code, const char *fault)
{
  frame->code = code;
  frame->fault = fault;
  return SIP_TEXT_LOST;
}

static gboolean
line_number (const Line *line, gsize *number)
{
  *number = 0;
  for (gsize i = 0; i < line->value_size; i++) {
    if (!g_ascii_isdigit (line->value[i]) || *number > G_MAXUINT32 / 10)
      return FALSE;
    *number = *number * 10 + (gsize) (line->value[i] - '0');
  }
  return line->value_size > 0;
}

static SipTextState
frame_body (const char *data, gsize size, gsize max, SipTextFrame *frame)
{
  SipHead head;
  guint times;
  const Line *line;
  head_cut (&head, data, frame->head);
  if (head.many)
    return frame_lost (frame, 400, "Too Many Headers");
  line = head_find (&head, "content-length", &times);
  if (times != 1)
    return frame_lost (frame, 400, times == 0 ? "Missing Content-Length" : "Several Content-Length");
  if (!line_number (line, &frame->body))
    return frame_lost (frame, 400, "Bad Content-Length");
  if (frame->body > max || frame->head > max - frame->body)
    return frame_lost (frame, 413, "Request Entity Too Large");
  return size - frame->head >= frame->body ? SIP_TEXT_WHOLE : SIP_TEXT_MORE;
}

SipTextState
sip_text_frame (const guint8 *data, gsize size, gsize max, SipTextFrame *frame)
{
  const guint8 *end;
  gsize head_max;
  memset (frame, 0, sizeof *frame);
  while (frame->blank < size && (data[frame->blank] == '\r' || data[frame->blank] == '\n'))
    frame->blank++;
  if (frame->blank == size)
    return SIP_TEXT_MORE;
  data += frame->blank;
  size -= frame->blank;
  head_max = MIN (max, SIP_TEXT_HEAD_MAX);
  end = memmem (data, MIN (size, head_max), "\r\n\r\n", 4);
  frame->head = end != NULL ? (gsize) (end - data) + 4 : MIN (size, head_max);
  if (!lines_clean (data, frame->head))
    return frame_lost (frame, 400, "Bad Line End");
  if (end == NULL)
    return size >= head_max ? frame_lost (frame, 413, "Request Entity Too Large") : SIP_TEXT_MORE;
  return frame_body ((const char *) data, size, max, frame);
}

/* ---- refusals ---- */

static void
append (GByteArray *to, const char *text, gsize size)
{
  g_byte_array_append (to, (const guint8 *) text, (guint) size);
}

static void
append_text (GByteArray *to, const char *text)
{
  append (to, text, strlen (text));
}

static gboolean
is_response (const char *start, gsize size)
{
  return size >= 4 && g_ascii_strncasecmp (start, "SIP/", 4) == 0;
}

static gboolean
head_asks (const SipHead *head, const char *method)
{
  gsize size = strlen (method);
  return head->start_size > size && strncmp (head->start, method, size) == 0 && head->start[size] == ' ';
}

/* Answers by the lines that an answer repeats (RFC 3261 8.2.6.2), as they came. */
static void
head_refuse (const SipHead *head, guint code, const char *fault, GByteArray *answer)
{
  static const char *const repeated[] = { "from", "to", "call-id", "cseq" };
  g_autofree char *status = g_strdup_printf ("SIP/2.0 %u %s\r\n", code, fault);
  if (is_response (head->start, head->start_size) || head_asks (head, "ACK") ||
      head_find (head, "via", NULL) == NULL)
    return;
  append_text (answer, status);
  for (guint i = 0; i < head->n; i++)
    if (line_is (&head->lines[i], "via"))
      append (answer, head->lines[i].raw, head->lines[i].raw_size);
  for (guint i = 0; i < G_N_ELEMENTS (repeated); i++) {
    const Line *line = head_find (head, repeated[i], NULL);
    if (line != NULL)
      append (answer, line->raw, line->raw_size);
  }
  append_text (answer, "Content-Length: 0\r\n\r\n");
}

void
sip_text_refuse (const guint8 *data, gsize size, guint code, const char *fault, GByteArray *answer)
{
  SipHead head;
  if (size < 4 || memcmp (data + size - 4, "\r\n\r\n", 4) != 0 || !lines_clean (data, size))
    return;
  head_cut (&head, (const char *) data, size);
  head_refuse (&head, code, fault, answer);
}

/* ---- what is wrong ---- */

static const char *
request_line_fault (const SipHead *head, guint *code)
{
  const char *end = head->start + head->start_size, *uri, *version;
  const char *space = memchr (head->start, ' ', head->start_size);
  if (space == NULL || !is_token (head->start, (gsize) (space - head->start)))
    return "Bad Request Line";
  uri = space + 1;
  version = memchr (uri, ' ', (gsize) (end - uri));
  if (version == NULL || version == uri || !g_ascii_isalpha (*uri) ||
      memchr (uri, ':', (gsize) (version - uri)) == NULL)
    return "Bad Request-URI";
  for (const char *c = uri; c < version; c++)
    if ((guchar) *c <= ' ' || (guchar) *c >= 127 || strchr ("<>\"\\^`{|}", *c) != NULL)
      return "Bad Request-URI";
  version++;
  if (end - version < 5 || !is_response (version, (gsize) (end - version)))
    return "Bad Request Line";
  for (const char *c = version + 4; c < end; c++)
    if (!g_ascii_isdigit (*c) && *c != '.')
      return "Bad Request Line";
  *code = word_is (version, (gsize) (end - version), "SIP/2.0") ? 400 : 505;
  return *code == 505 ? "Version Not Supported" : NULL;
}

static const char *
status_line_fault (const SipHead *head)
{
  const char *line = head->start;
  gboolean good = head->start_size >= 12 && g_ascii_strncasecmp (line, "SIP/2.0 ", 8) == 0 &&
                  line[8] >= '1' && line[8] <= '6' && g_ascii_isdigit (line[9]) &&
                  g_ascii_isdigit (line[10]) && line[11] == ' ';
  return good ? NULL : "Bad Status Line";
}

static const char *
cseq_fault (const SipHead *head, const Line *line, gboolean request)
{
  guint64 number = 0;
  gsize i = 0, size = line->value_size;
  for (; i < size && g_ascii_isdigit (line->value[i]); i++) {
    number = number * 10 + (guint64) (line->value[i] - '0');
    if (number > G_MAXINT32)
      return "Bad CSeq Header";
  }
  if (i == 0 || i == size || !is_blank (line->value[i]))
    return "Bad CSeq Header";
  while (i < size && is_blank (line->value[i]))
    i++;
  if (!is_token (line->value + i, size - i))
    return "Bad CSeq Header";
  if (request && (head->start_size <= size - i || head->start[size - i] != ' ' ||
                  strncmp (head->start, line->value + i, size - i) != 0))
    return "CSeq Does Not Match Method";
  return NULL;
}

static const char *
headers_fault (const SipHead *head, gboolean request)
{
  static const char *const needed[] = { "via", "from", "to", "call-id", "cseq" };
  if (head->foul)
    return "Bad Header";
  for (guint i = 0; i < G_N_ELEMENTS (single); i++) {
    guint times;
    head_find (head, single[i].name, &times);
    if (times > 1)
      return "Header Stands Twice";
  }
  for (guint i = 0; i < G_N_ELEMENTS (needed); i++)
    if (head_find (head, needed[i], NULL) == NULL)
      return "Missing Header";
  return cseq_fault (head, head_find (head, "cseq", NULL), request);
}

/* ---- Via ---- */

/* The first value of a Via line: up to a comma outside of quotes. */
static gsize
via_size (const Line *line)
{
  gboolean quoted = FALSE;
  gsize i = 0;
  for (; i < line->value_size; i++) {
    if (line->value[i] == '\\' && quoted)
      i++;
    else if (line->value[i] == '"')
      quoted = !quoted;
    else if (line->value[i] == ',' && !quoted)
      break;
  }
  return MIN (i, line->value_size);
}

/* One parameter of text, which begins at a ';' outside of quotes: its size with that. */
static gsize
parameter_size (const char *text, gsize size)
{
  gboolean quoted = FALSE;
  gsize i = 1;
  for (; i < size; i++) {
    if (text[i] == '\\' && quoted)
      i++;
    else if (text[i] == '"')
      quoted = !quoted;
    else if (text[i] == ';' && !quoted)
      break;
  }
  return MIN (i, size);
}

static gboolean
parameter_is (const char *text, gsize size, const char *name, const char **value, gsize *value_size)
{
  gsize length = strlen (name), i = 1;
  while (i < size && is_blank (text[i]))
    i++;
  if (size - i < length || g_ascii_strncasecmp (text + i, name, length) != 0)
    return FALSE;
  for (i += length; i < size && is_blank (text[i]);)
    i++;
  if (i < size && text[i] != '=')
    return FALSE;
  for (i = MIN (i + 1, size); i < size && is_blank (text[i]);)
    i++;
  *value = text + i;
  for (*value_size = size - i; *value_size > 0 && is_blank ((*value)[*value_size - 1]);)
    (*value_size)--;
  return TRUE;
}

typedef struct {
  GByteArray *stamped; /* the value as it goes on */
  const char *branch;
  gsize branch_size;
  gboolean maddr, rport;
} Via;

/* The peer's own Via, less what it may not say of itself. */
static void
via_read (Via *via, const char *value, gsize size)
{
  const char *semicolon = memchr (value, ';', size), *text;
  gsize at = semicolon != NULL ? (gsize) (semicolon - value) : size, part, text_size;
  append (via->stamped, value, at);
  for (; at < size; at += part) {
    part = parameter_size (value + at, size - at);
    if (parameter_is (value + at, part, "received", &text, &text_size))
      continue;
    if (parameter_is (value + at, part, "rport", &text, &text_size)) {
      via->rport = TRUE;
      continue;
    }
    if (parameter_is (value + at, part, "maddr", &text, &text_size))
      via->maddr = TRUE;
    else if (parameter_is (value + at, part, "branch", &text, &text_size)) {
      via->branch = text;
      via->branch_size = text_size;
    }
    append (via->stamped, value + at, part);
  }
}

static void
via_stamp (Via *via, const SipTextSource *source)
{
  g_autofree char *received = g_strdup_printf (";received=%s", source->address);
  g_autofree char *rport = g_strdup_printf (";rport=%u", source->port);
  append_text (via->stamped, received);
  if (via->rport)
    append_text (via->stamped, rport);
}

/* By what the stack tells transactions apart: the peer's branch where it is one of RFC 3261, else a hash of
 * what RFC 2543 looked at. The connection's number in it keeps connections from meddling with each other. */
static void
own_via (const SipHead *head, const Via *via, const SipTextSource *source, const Line *line, GByteArray *to)
{
  g_autofree char *start = g_strdup_printf (OWN_VIA "%" G_GUINT64_FORMAT "-", source->flow);
  gsize cookie = strlen (COOKIE);
  append_text (to, start);
  if (via->branch_size > cookie && via->branch_size <= SIP_TEXT_BRANCH_MAX &&
      g_ascii_strncasecmp (via->branch, COOKIE, cookie) == 0 && is_token (via->branch, via->branch_size)) {
    append (to, via->branch + cookie, via->branch_size - cookie);
  } else {
    static const char *const parts[] = { "call-id", "from" };
    const Line *cseq = head_find (head, "cseq", NULL);
    crypto_generichash_state state;
    guint8 hash[16];
    char hex[2 * sizeof hash + 1];
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    crypto_generichash_update (&state, (const guint8 *) line->value, via_size (line));
    for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
      const Line *part = head_find (head, parts[i], NULL);
      crypto_generichash_update (&state, (const guint8 *) part->value, part->value_size);
    }
    crypto_generichash_update (&state, (const guint8 *) cseq->value, strspn (cseq->value, "0123456789"));
    crypto_generichash_final (&state, hash, sizeof hash);
    append_text (to, "old-");
    append_text (to, sodium_bin2hex (hex, sizeof hex, hash, sizeof hash));
  }
  append_text (to, "\r\n");
}

/* The request, its first Via line replaced by `stamped` and the rest of that line's values. */
static void
request_write (const SipHead *head, const Line *first, const Via *via, const guint8 *body, gsize body_size,
               GByteArray *to)
{
  gsize skip = via_size (first);
  for (guint i = 0; i < head->n; i++) {
    const Line *line = &head->lines[i];
    if (line != first) {
      append (to, line->raw, line->raw_size);
      continue;
    }
    append_text (to, "Via: ");
    g_byte_array_append (to, via->stamped->data, via->stamped->len);
    append (to, first->value + skip, first->value_size - skip);
    append_text (to, "\r\n");
  }
  append_text (to, "\r\n");
  g_byte_array_append (to, body, (guint) body_size);
}

/* ---- both ways ---- */

static gboolean
request_in (const SipHead *head, const guint8 *body, gsize body_size, const SipTextSource *source,
            GByteArray *to, const char **fault)
{
  g_autoptr (GByteArray) stamped = g_byte_array_new ();
  const Line *first = head_find (head, "via", NULL);
  Via via = { .stamped = stamped };
  via_read (&via, first->value, via_size (first));
  if (via.maddr) {
    *fault = "Via With maddr";
    return FALSE;
  }
  via_stamp (&via, source);
  append (to, head->start, head->start_size + 2);
  own_via (head, &via, source, first, to);
  request_write (head, first, &via, body, body_size, to);
  return TRUE;
}

gboolean
sip_text_in (const guint8 *data, const SipTextFrame *frame, const SipTextSource *source, GByteArray *to,
             GByteArray *answer, const char **fault)
{
  const guint8 *body = data + frame->blank + frame->head;
  guint code = 400;
  SipHead head;
  gboolean response;
  head_cut (&head, (const char *) data + frame->blank, frame->head);
  response = is_response (head.start, head.start_size);
  *fault = response ? status_line_fault (&head) : request_line_fault (&head, &code);
  if (*fault == NULL || code == 505)
    *fault = code == 505 ? *fault : headers_fault (&head, !response);
  if (*fault == NULL && response) {
    g_byte_array_append (to, data + frame->blank, (guint) (frame->head + frame->body));
    return TRUE;
  }
  if (*fault == NULL && request_in (&head, body, frame->body, source, to, fault))
    return TRUE;
  head_refuse (&head, code, *fault, answer);
  return FALSE;
}

void
sip_text_out (const guint8 *data, const SipTextFrame *frame, GByteArray *to)
{
  const char *text = (const char *) data + frame->blank;
  gsize size = frame->head + frame->body;
  SipHead head;
  head_cut (&head, text, frame->head);
  const Line *via = head_find (&head, "via", NULL);
  if (via == NULL || !is_response (head.start, head.start_size) || via->raw_size <= strlen (OWN_VIA) ||
      memcmp (via->raw, OWN_VIA, strlen (OWN_VIA)) != 0) {
    append (to, text, size);
    return;
  }
  append (to, text, (gsize) (via->raw - text));
  append (to, via->raw + via->raw_size, size - (gsize) (via->raw - text) - via->raw_size);
}

gboolean
sip_text_unescape (const char *from, char *to)
{
  for (; *from != '\0'; from++) {
    int high = 0, low = 0;
    if (*from != '%') {
      *to++ = *from;
      continue;
    }
    high = g_ascii_xdigit_value (from[1]);
    low = high >= 0 ? g_ascii_xdigit_value (from[2]) : -1;
    if (high < 0 || low < 0 || (high == 0 && low == 0))
      return FALSE;
    *to++ = (char) (high * 16 + low);
    from += 2;
  }
  *to = '\0';
  return TRUE;
}
