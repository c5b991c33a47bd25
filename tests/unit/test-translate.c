/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words of daemons are found again in the catalogue and translated; nothing that came from elsewhere becomes
 * a format. */
#include "config.h"

#include "unit/core-help.h"

#include "farctl/translate.h"

#include <libintl.h>
#include <locale.h>

/* ---- the parts ---- */

static const struct {
  const char *msgid, *text, *args; /* args: joined by '|'; NULL: does not fit */
} matches[] = {
  { "no right", "no right", "" },
  { "no right", "no rights", NULL },
  { "no terminal '%s'", "no terminal 't1'", "t1" },
  { "no terminal '%s'", "no terminal 't1", NULL },
  { "no terminal '%s', or no right", "no terminal 'a', or no b', or no right", "a', or no b" },
  { "'%s' and '%s' or", "'a' and 'b' and 'c' or", "a|b' and 'c" },
  { "%s has %d sessions", "t1 has 12 sessions", "t1|12" },
  { "%s has %d sessions", "t1 has many sessions", NULL },
  { "%s has %d sessions", "t1 has  sessions", NULL },
  { "%u of %u", "3 of 4", "3|4" },
  { "at %g %%", "at 0.5 %", "0.5" },
  { "cannot record: %s; nothing", "cannot record: no room; at all; nothing",
    "no room; at all" }, /* to the end */
  { "%-15s %.200s!", "a b c!", "a|b c" },
  { "%1$s and %2$s", "x and y", "x|y" },
  { "%*d", "  1", NULL },
  { "%n", "x", NULL },
  { "100%", "100%", NULL },
  { "%lu bytes", "7 bytes", "7" },
  { "%c is no letter", "? is no letter", "?" },
  { "%s", "", "" },
};

START_TEST (texts_fit_their_msgid)
{
  g_autoptr (GPtrArray) args = ctl_translate_match (matches[_i].msgid, matches[_i].text);
  g_autofree char *joined = NULL;

  ck_assert_msg ((args != NULL) == (matches[_i].args != NULL), "%s", matches[_i].msgid);
  if (args == NULL)
    return;
  g_ptr_array_add (args, NULL);
  joined = g_strjoinv ("|", (char **) args->pdata);
  ck_assert_str_eq (joined, matches[_i].args);
}
END_TEST

static const struct {
  const char *format, *filled;
} fills[] = {
  { "%s, %s", "%n%s, b" },
  { "%2$s, %1$s", "b, %n%s" },
  { "%2$s", "b" },
  { "100 %% of %s", "100 % of %n%s" },
  { "%s %s %s", NULL },
  { "%3$s", NULL },
  { "%", NULL },
  { "%s%", NULL },
  { "%5$s", NULL },
  { "%n", NULL },
  { "", "" },
};

/* What looks like a format and is a parameter stays as it is. */
START_TEST (formats_are_filled)
{
  g_autoptr (GPtrArray) args = g_ptr_array_new ();
  g_autofree char *filled = NULL;

  g_ptr_array_add (args, (gpointer) "%n%s");
  g_ptr_array_add (args, (gpointer) "b");
  filled = ctl_translate_fill (fills[_i].format, args);
  ck_assert_msg (g_strcmp0 (filled, fills[_i].filled) == 0, "%s: %s", fills[_i].format,
                 filled != NULL ? filled : "nothing");
}
END_TEST

/* ---- with a catalogue ---- */

static const char po[] =
    "msgid \"\"\nmsgstr \"Content-Type: text/plain; charset=UTF-8\\n\"\n"
    "msgid \"no right\"\nmsgstr \"kein Recht\"\n"
    "msgid \"expired\"\nmsgstr \"abgelaufen\"\n"
    "msgid \"no access to '%s' (%s): %s\"\nmsgstr \"(%2$s) kein Zugang zu '%1$s': %3$s\"\n"
    "msgid \"cannot record: %s; nothing was changed\"\nmsgstr \"nicht aufgezeichnet: %s; nichts geändert\"\n"
    "msgid \"no room on the disk\"\nmsgstr \"kein Platz\"\n"
    "msgid \"%s: %s\"\nmsgstr \"%2$s - %1$s\"\n"
    "#, c-format\nmsgid \"%<PRId64> bytes are there\"\nmsgstr \"%<PRId64> Bytes da\"\n";

static char *folder;

static void
catalogue_make (void)
{
  g_autofree char *in = NULL, *messages = NULL, *out = NULL, *command = NULL;
  int status = 0;

  folder = make_folder ();
  messages = g_build_filename (folder, "de", "LC_MESSAGES", NULL);
  in = g_build_filename (folder, "de.po", NULL);
  out = g_build_filename (messages, "farwatch.mo", NULL);
  command = g_strdup_printf ("msgfmt -o %s %s", out, in);
  g_mkdir_with_parents (messages, 0700);
  ck_assert (g_file_set_contents (in, po, -1, NULL));
  ck_assert (g_spawn_command_line_sync (command, NULL, NULL, &status, NULL) && status == 0);
  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_setenv ("LANGUAGE", "de", TRUE);
  setlocale (LC_ALL, "");
  bindtextdomain ("farwatch", folder);
}

static void
catalogue_remove (void)
{
  remove_folder (folder);
}

static const struct {
  const char *text, *words;
} texts[] = {
  { "no right", "kein Recht" },
  { "something else", "something else" },
  { "", "" },
  { "no access to 'expired' (connect): no right",
    "(connect) kein Zugang zu 'expired': kein Recht" }, /* a name stays a name */
  { "cannot record: no room on the disk; nothing was changed",
    "nicht aufgezeichnet: kein Platz; nichts geändert" },
  { "t1: no right", "t1: kein Recht" },
  { "no right; POST login", "kein Recht; POST login" },
  { "9223372036854775807 bytes are there", "9223372036854775807 Bytes da" },
  { "no right\nno right\n", "kein Recht\nkein Recht\n" },
  { "a: b: c: d: e: f: g: h: i: j: no right",
    "a: b: c: d: e: f: g: h: i: j: no right" }, /* looked for in so many places and no more */
};

START_TEST (words_are_translated)
{
  g_autofree char *words = ctl_translate (texts[_i].text);

  ck_assert_str_eq (words, texts[_i].words);
}
END_TEST

/* A file that was cut anywhere is read as far as it goes. */
START_TEST (a_catalogue_that_is_cut_is_no_harm)
{
  g_autofree char *path = g_build_filename (folder, "de", "LC_MESSAGES", "farwatch.mo", NULL), *data = NULL;
  gsize size = 0;

  ck_assert (g_file_get_contents (path, &data, &size, NULL));
  for (gsize n = 0; n < size; n++) {
    g_autoptr (GPtrArray) msgids = NULL;

    ck_assert (g_file_set_contents (path, data, (gssize) n, NULL));
    msgids = ctl_catalogue ();
    ck_assert_uint_le (msgids->len, 8);
  }
  for (gsize n = 0; n < size; n++) {
    g_autoptr (GPtrArray) msgids = NULL;

    data[n] ^= 0x5a;
    ck_assert (g_file_set_contents (path, data, (gssize) size, NULL));
    msgids = ctl_catalogue ();
    data[n] ^= 0x5a;
  }
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("translate");
  TCase *parts = tcase_create ("parts"), *catalogue = tcase_create ("catalogue");

  tcase_add_loop_test (parts, texts_fit_their_msgid, 0, G_N_ELEMENTS (matches));
  tcase_add_loop_test (parts, formats_are_filled, 0, G_N_ELEMENTS (fills));
  suite_add_tcase (suite, parts);
  tcase_set_timeout (catalogue, 60);
  tcase_add_checked_fixture (catalogue, catalogue_make, catalogue_remove);
  tcase_add_loop_test (catalogue, words_are_translated, 0, G_N_ELEMENTS (texts));
  tcase_add_test (catalogue, a_catalogue_that_is_cut_is_no_harm);
  suite_add_tcase (suite, catalogue);
  return run_suite (suite);
}
