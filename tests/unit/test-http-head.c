/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* HTTP heads: each row of http-head-rows.h is read whole, cut in two at every byte, and byte by byte, and
 * must come out the same. */
#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "http-head-rows.h"
#include "http-head.h"
#include "http-other.h"

static const WsHeadLimits limits = { 16384, 8192, 64 };

/* ---- one reading ---- */

typedef struct {
  WsHeadResult result;
  gsize used;
  guint status;
  char *shown; /* DONE: the head in one line */
} Got;

static char *
show_head (const WsHead *head, guint status)
{
  GString *text = g_string_new (NULL);

  if (head->method != NULL)
    g_string_append_printf (text, "%s %s%s%s %u", head->method, head->path, head->query != NULL ? " ?" : "",
                            head->query != NULL ? head->query : "", head->minor);
  else
    g_string_append_printf (text, "%u %u", status, head->minor);
  g_string_append_printf (text, "%s%s%s|", head->keep ? " keep" : "", head->upgrade ? " upgrade" : "",
                          head->expects ? " expects" : "");
  for (guint i = 0; i < head->fields->len; i++) {
    const WsField *field = &g_array_index (head->fields, WsField, i);

    g_string_append_printf (text, "%s%s=%s", i > 0 ? "|" : "", field->name, field->value);
  }
  if (head->has_length)
    g_string_append_printf (text, " length=%" G_GUINT64_FORMAT, head->length);
  return g_string_free (text, FALSE);
}

static void
got_clear (Got *got)
{
  g_clear_pointer (&got->shown, g_free);
}

/* On a copy of exactly this size, so that the sanitizer sees a read of one byte too many. */
static Got
read_once (const char *bytes, gsize size, gsize from, gboolean answer)
{
  g_autofree guint8 *copy = g_malloc (MAX (size, 1));
  g_autoptr (WsHead) head = NULL;
  const char *text = NULL;
  gboolean final = FALSE;
  Got got = { 0 };

  memcpy (copy, bytes, size);
  if (answer)
    got.result = ws_answer_read (copy, size, from, &limits, &got.status, &head, &got.used, &text);
  else
    got.result = ws_head_read (copy, size, from, &limits, &head, &got.used, &got.status, &text, &final);
  ck_assert ((got.result == WS_HEAD_DONE) == (head != NULL));
  ck_assert ((got.result == WS_HEAD_REFUSED) == (text != NULL));
  /* a limit is told with its number */
  ck_assert_msg ((got.status != 414 && got.status != 431) || strstr (text, " at most") != NULL, "%s", text);
  ck_assert (answer || final == (got.result == WS_HEAD_REFUSED));
  if (head != NULL)
    got.shown = show_head (head, got.status);
  return got;
}

/* The first prefix that is not too short, each longer by one. */
static Got
read_byte_by_byte (const char *bytes, gsize size, gboolean answer, gsize *at)
{
  Got got = { WS_HEAD_MORE, 0, 0, NULL };

  for (*at = 1; *at <= size; ++*at) {
    got = read_once (bytes, *at, *at - 1, answer);
    if (got.result != WS_HEAD_MORE)
      break;
  }
  return got;
}

/* ---- the rows ---- */

static char *
escaped (const Row *row)
{
  GString *text = g_string_new (NULL);

  for (gsize i = 0; i < row->size; i++)
    if (row->bytes[i] >= ' ' && row->bytes[i] < 0x7f)
      g_string_append_c (text, row->bytes[i]);
    else
      g_string_append_printf (text, "\\x%02x", (guint8) row->bytes[i]);
  return g_string_free (text, FALSE);
}

static void
expect (const Row *row, const Got *got, gboolean answer, const char *how)
{
  g_autofree char *bytes = escaped (row);

  ck_assert_msg (got->result == (row->status == 0 ? WS_HEAD_DONE : WS_HEAD_REFUSED),
                 "%s, %s: result %d, status %u", bytes, how, got->result, got->status);
  if (row->status != 0) {
    ck_assert_msg (answer || got->status == row->status, "%s, %s: status %u", bytes, how, got->status);
    return;
  }
  ck_assert_msg (strcmp (got->shown, row->shown) == 0, "%s, %s: %s", bytes, how, got->shown);
  ck_assert_msg (got->used == row->size, "%s, %s: %zu bytes", bytes, how, got->used);
}

static void
run_row (const Row *row, gboolean answer)
{
  g_autofree char *more = g_malloc (row->size + 8);
  gsize at, cut;
  Got got = read_once (row->bytes, row->size, 0, answer);

  expect (row, &got, answer, "whole");
  got_clear (&got);
  memcpy (more, row->bytes, row->size);
  memcpy (more + row->size, "\0\n GET /", 8);
  got = read_once (more, row->size + 8, 0, answer);
  expect (row, &got, answer, "with more behind it");
  got_clear (&got);
  got = read_byte_by_byte (row->bytes, row->size, answer, &at);
  expect (row, &got, answer, "byte by byte");
  got_clear (&got);
  for (cut = 0; cut < row->size; cut++) {
    got = read_once (row->bytes, cut, 0, answer);
    ck_assert_int_eq (got.result, cut < at ? WS_HEAD_MORE : WS_HEAD_REFUSED);
    if (got.result == WS_HEAD_MORE)
      got = read_once (row->bytes, row->size, cut, answer);
    expect (row, &got, answer, "in two");
    got_clear (&got);
  }
}

static void
run_rows (const Row *rows, gsize n, gboolean answer)
{
  for (gsize i = 0; i < n; i++)
    run_row (&rows[i], answer);
}

START_TEST (first_lines_are_judged)
{
  run_rows (first_lines, G_N_ELEMENTS (first_lines), FALSE);
}
END_TEST

START_TEST (targets_are_judged)
{
  run_rows (targets, G_N_ELEMENTS (targets), FALSE);
}
END_TEST

START_TEST (hosts_are_judged)
{
  run_rows (hosts, G_N_ELEMENTS (hosts), FALSE);
}
END_TEST

START_TEST (fields_are_judged)
{
  run_rows (fields, G_N_ELEMENTS (fields), FALSE);
}
END_TEST

START_TEST (lengths_are_judged)
{
  run_rows (lengths, G_N_ELEMENTS (lengths), FALSE);
}
END_TEST

START_TEST (courses_are_judged)
{
  run_rows (courses, G_N_ELEMENTS (courses), FALSE);
}
END_TEST

START_TEST (answers_are_judged)
{
  run_rows (answers, G_N_ELEMENTS (answers), TRUE);
}
END_TEST

/* Another protocol hears so with its first wrong byte: it may wait for us before it says more. */
START_TEST (strangers_are_refused_at_once)
{
  gsize at;

  for (gsize i = 0; i < G_N_ELEMENTS (strangers); i++) {
    Got got = read_byte_by_byte (strangers[i].row.bytes, strangers[i].row.size, FALSE, &at);

    ck_assert_msg (at == strangers[i].at, "%s: after %zu bytes", strangers[i].name, at);
    got_clear (&got);
    run_row (&strangers[i].row, FALSE);
  }
}
END_TEST

/* ---- limits ---- */

/* Cut at some places only: the sizes are large. */
static void
run_large (const GString *head, guint status, const char *what)
{
  for (gsize cut = 0; cut < head->len; cut += 97) {
    Got got = read_once (head->str, cut, 0, FALSE);

    if (got.result == WS_HEAD_MORE)
      got = read_once (head->str, head->len, cut, FALSE);
    ck_assert_msg (got.result == (status == 0 ? WS_HEAD_DONE : WS_HEAD_REFUSED) && got.status == status,
                   "%s, cut at %zu: %u", what, cut, got.status);
    ck_assert (status != 0 || got.used == head->len);
    got_clear (&got);
  }
}

static void
append_filled (GString *text, const char *before, gsize n, const char *behind)
{
  g_string_append (text, before);
  for (gsize i = 0; i < n; i++)
    g_string_append_c (text, 'x');
  g_string_append (text, behind);
}

START_TEST (long_targets)
{
  for (guint over = 0; over < 2; over++) {
    g_autoptr (GString) head = g_string_new (NULL);

    append_filled (head, "GET /", limits.line_max - 1 + over, " HTTP/1.1\r\nHost: a\r\n\r\n");
    run_large (head, over == 0 ? 0 : 414, "target");
  }
}
END_TEST

START_TEST (long_lines)
{
  static const char *const befores[] = { "GET / HTTP/1.1\r\nHost: a\r\nX:", "GET / HTTP/1.1\r\nHost: a\r\n" };
  static const char *const behinds[] = { "\r\n\r\n", ":\r\n\r\n" };

  for (guint i = 0; i < 4; i++) {
    g_autoptr (GString) head = g_string_new (NULL);

    append_filled (head, befores[i / 2], limits.line_max - 2 + i / 2 + i % 2, behinds[i / 2]);
    run_large (head, i % 2 == 0 ? 0 : 431, "line");
  }
}
END_TEST

START_TEST (many_fields)
{
  for (guint over = 0; over < 2; over++) {
    g_autoptr (GString) head = g_string_new ("GET / HTTP/1.1\r\nHost: a\r\n");
    Got got;
    gsize at;

    for (guint i = 1; i < limits.fields_max + over; i++)
      g_string_append_printf (head, "x%u:\r\n", i);
    got = read_byte_by_byte (head->str, head->len, FALSE, &at);
    ck_assert_uint_eq (got.status, over == 0 ? 0 : 431);
    /* with the first byte of one too many */
    ck_assert_uint_eq (at, over == 0 ? head->len + 1 : head->len - strlen ("64:\r\n"));
    g_string_append (head, "\r\n");
    run_large (head, over == 0 ? 0 : 431, "fields");
  }
}
END_TEST

START_TEST (large_heads)
{
  for (guint over = 0; over < 2; over++) {
    g_autoptr (GString) head = g_string_new ("GET / HTTP/1.1\r\nHost: a\r\n");
    gsize rest;

    for (guint i = 0; i < 3; i++)
      append_filled (head, "X: ", 4000, "\r\n");
    rest = limits.size_max - head->len - strlen ("X: \r\n\r\n");
    append_filled (head, "X: ", rest + over, "\r\n\r\n");
    ck_assert_uint_eq (head->len, limits.size_max + over);
    run_large (head, over == 0 ? 0 : 431, "head");
  }
}
END_TEST

/* Whatever comes: with size_max bytes there is a verdict. */
START_TEST (nothing_is_waited_for_beyond_the_limit)
{
  static const char *const begins[] = { "GET / HTTP/1.1\r\n", "GET /", "GET / HTTP/1.1\r\nHost: a\r\nX:" };
  const WsHeadLimits small = { 100, 8192, 64 };

  for (guint i = 0; i < G_N_ELEMENTS (begins); i++) {
    g_autoptr (GString) text = g_string_new (NULL);
    WsHead *head;
    const char *why;
    gboolean final;
    guint status;
    gsize used;

    append_filled (text, begins[i], 100, "");
    ck_assert_int_eq (ws_head_read ((const guint8 *) text->str, 99, 0, &small, &head, &used, &status, &why,
                                    &final),
                      WS_HEAD_MORE);
    ck_assert_int_eq (ws_head_read ((const guint8 *) text->str, 100, 99, &small, &head, &used, &status, &why,
                                    &final),
                      WS_HEAD_REFUSED);
    ck_assert_uint_eq (status, i == 1 ? 414 : 431);
    ck_assert (final);
  }
}
END_TEST

/* Of this thread alone, whatever else the machine does meanwhile. */
static gint64
spent_us (void)
{
  struct timespec at;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &at);
  return at.tv_sec * G_USEC_PER_SEC + at.tv_nsec / 1000;
}

/* 16 KiB of one byte a call, in lines as long as they may be: not looked at from the beginning each time. */
START_TEST (dribble_is_cheap)
{
  g_autoptr (GString) head = g_string_new ("GET / HTTP/1.1\r\nHost: a\r\n");
  gint64 begin = spent_us ();
  WsHeadResult result = WS_HEAD_MORE;
  WsHead *made = NULL;
  const char *why;
  gboolean final;
  guint status;
  gsize used;

  append_filled (head, "X: ", 8000, "\r\n");
  append_filled (head, "X: ", 8000, "\r\n\r\n");
  for (gsize at = 1; at <= head->len; at++) {
    ck_assert_int_eq (result, WS_HEAD_MORE);
    result = ws_head_read ((const guint8 *) head->str, at, at - 1, &limits, &made, &used, &status, &why,
                           &final);
  }
  ck_assert_int_eq (result, WS_HEAD_DONE);
  ck_assert_int_lt (spent_us () - begin, G_USEC_PER_SEC / 2);
  ws_head_free (made);
}
END_TEST

/* ---- the comparison ---- */

/* http-parser finds less fault than the second reader, so no bytes are known that both take and read
 * differently: the test tampers with what the second one read. */
static WsLine *
line_of (WsForm *form, guint i)
{
  return &g_array_index (form->lines, WsLine, i);
}

static void
tamper (WsForm *form, guint how)
{
  const WsLine one = *line_of (form, 2);

  switch (how) {
  case 0:
    form->target.size--;
    return;
  case 1:
    form->target.at++;
    return;
  case 2:
    form->minor = 0;
    return;
  case 3:
    g_array_remove_index (form->lines, 2);
    return;
  case 4:
    g_array_append_val (form->lines, one);
    return;
  case 5:
    line_of (form, 1)->name.size--;
    return;
  case 6:
    line_of (form, 1)->value.size--;
    return;
  case 7:
    line_of (form, 1)->value.at++;
    return;
  case 8:
    *line_of (form, 1) = one; /* the same text at another place */
    return;
  case 9:
    form->method.size--;
    return;
  default:
    return;
  }
}

START_TEST (readers_that_differ)
{
  static const char bytes[] = "PUT /a HTTP/1.1\r\nHost: a\r\nX: yz \r\nX: yz\r\nEmpty: \r\n\r\n";
  static const char answer[] = "HTTP/1.1 101 x\r\n\r\n";
  const guint8 *data = (const guint8 *) bytes;
  g_auto (WsForm) form = { 0 };

  for (guint how = 0; how <= 10; how++) {
    g_auto (WsForm) other = { 0 };

    ws_form_init (&other, data, strlen (bytes), FALSE);
    tamper (&other, how);
    ck_assert_msg (ws_other_agrees (data, strlen (bytes), &other) == (how == 10), "%u", how);
  }
  ws_form_init (&form, (const guint8 *) answer, strlen (answer), TRUE);
  ck_assert (ws_other_agrees ((const guint8 *) answer, strlen (answer), &form));
  form.status = 102;
  ck_assert (!ws_other_agrees ((const guint8 *) answer, strlen (answer), &form));
}
END_TEST

/* ---- questions to a head ---- */

START_TEST (tokens)
{
  static const char bytes[] =
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: a ,\tBc,, d e\r\nConnection:\r\nConnection: f\r\nX:\r\n\r\n";
  static const struct {
    const char *token;
    gboolean there;
  } rows[] = {
    { "a", TRUE },   { "A", TRUE },  { "bc", TRUE }, { "b", FALSE }, { "bcd", FALSE },
    { "d e", TRUE }, { "d", FALSE }, { "f", TRUE },  { "g", FALSE },
  };
  g_autoptr (WsHead) head = NULL;
  const char *why;
  gboolean final;
  guint status;
  gsize used;

  ck_assert_int_eq (ws_head_read ((const guint8 *) bytes, strlen (bytes), 0, &limits, &head, &used, &status,
                                  &why, &final),
                    WS_HEAD_DONE);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    ck_assert_msg (ws_head_has_token (head, "connection", rows[i].token) == rows[i].there, "%s",
                   rows[i].token);
  ck_assert (!ws_head_has_token (head, "upgrade", "a"));
  ck_assert_str_eq (ws_head_field (head, "connection"), "a ,\tBc,, d e, , f");
  ck_assert_str_eq (ws_head_field (head, "x"), "");
  ck_assert_ptr_null (ws_head_field (head, "y"));
  ck_assert_str_eq (head->target, "/");
  ws_head_free (NULL);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("http-head");
  TCase *tcase = tcase_create ("http-head");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 60);
  tcase_add_test (tcase, first_lines_are_judged);
  tcase_add_test (tcase, targets_are_judged);
  tcase_add_test (tcase, hosts_are_judged);
  tcase_add_test (tcase, fields_are_judged);
  tcase_add_test (tcase, lengths_are_judged);
  tcase_add_test (tcase, courses_are_judged);
  tcase_add_test (tcase, answers_are_judged);
  tcase_add_test (tcase, strangers_are_refused_at_once);
  tcase_add_test (tcase, long_targets);
  tcase_add_test (tcase, long_lines);
  tcase_add_test (tcase, many_fields);
  tcase_add_test (tcase, large_heads);
  tcase_add_test (tcase, nothing_is_waited_for_beyond_the_limit);
  tcase_add_test (tcase, dribble_is_cheap);
  tcase_add_test (tcase, readers_that_differ);
  tcase_add_test (tcase, tokens);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
