/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file replays the seeds of a fuzz target and mutations of them where there is no libFuzzer. The
 * mutations are the same in each run, so that a failure in CI is one here. */
#include "config.h"

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

char *
fuzz_text (const guint8 *data, gsize size)
{
  char *text = g_malloc (size + 1);

  if (size > 0)
    memcpy (text, data, size);
  text[size] = '\0';
  return text;
}

#ifdef FAR_LIBFUZZER

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  fuzz_one (data, size);
  return 0;
}

#else

#ifndef RUNS_PER_SEED /* a target with a dear run has fewer, by its local.mk */
#define RUNS_PER_SEED 300
#endif
#define LARGEST (256 * 1024)

/* The same numbers in each run: a failure in CI is one here. */
typedef struct {
  guint64 state;
} Dice;

static guint throw (Dice * dice, guint below)
{
  dice->state ^= dice->state << 13;
  dice->state ^= dice->state >> 7;
  dice->state ^= dice->state << 17;
  return below > 0 ? (guint) ((dice->state >> 11) % below) : 0;
}

static void
mutate_once (GByteArray *bytes, Dice *dice)
{
  static const guint8 odd[] = { 0,    1,   0x7f, 0x80, 0xff, '\n', '\t', '"', '\'',
                                '\\', ':', '-',  '{',  '[',  '&',  '*',  '%', ' ' };
  guint at = throw (dice, bytes->len);
  guint length = 1 + throw (dice, 16);
  guint8 some[16];

  switch (throw (dice, 5)) {
  case 0:
    if (bytes->len > 0)
      bytes->data[at] ^= (guint8) (1u << throw (dice, 8));
    return;
  case 1:
    if (bytes->len > 0)
      bytes->data[at] = odd[throw (dice, G_N_ELEMENTS (odd))];
    return;
  case 2:
    if (at + length < bytes->len)
      g_byte_array_remove_range (bytes, at, length);
    return;
  case 3:
    if (at + length < bytes->len && bytes->len < LARGEST) {
      memcpy (some, bytes->data + at, length);
      g_byte_array_append (bytes, some, length);
    }
    return;
  default:
    if (bytes->len > 1)
      g_byte_array_set_size (bytes, at + 1);
  }
}

/* Each run on a copy of exactly its size, so that the sanitizer sees a read of one byte too many. */
static gboolean
run_on (const guint8 *data, gsize size)
{
  g_autofree guint8 *copy = g_malloc (size > 0 ? size : 1);

  if (size > 0)
    memcpy (copy, data, size);
  return fuzz_one (copy, size);
}

static gboolean
replay (const char *path, const char *name, guint runs)
{
  g_autofree char *seed = NULL;
  gsize size = 0;
  Dice dice = { 0x9e3779b97f4a7c15u };
  gboolean accepted;

  if (!g_file_get_contents (path, &seed, &size, NULL))
    return FALSE;
  accepted = run_on ((const guint8 *) seed, size);
  for (guint run = 0; run < runs; run++) {
    g_autoptr (GByteArray) bytes = g_byte_array_new ();

    g_byte_array_append (bytes, (const guint8 *) seed, (guint) size);
    for (guint times = 1 + throw (&dice, 4); times > 0; times--)
      mutate_once (bytes, &dice);
    run_on (bytes->data, bytes->len);
  }
  return g_str_has_prefix (name, "good-") ? accepted : g_str_has_prefix (name, "bad-") ? !accepted : TRUE;
}

static int
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* The seeds of the target whose program this is: "fuzz-NAME" reads corpus/NAME. */
static char *
corpus_folder (const char *program)
{
  g_autofree char *base = g_path_get_basename (program);
  const char *name = strstr (base, "fuzz-");
  const char *source = g_getenv ("FARWATCH_TEST_SRCDIR");

  return g_build_filename (source ? source : ".", "tests", "fuzz", "corpus",
                           name ? name + strlen ("fuzz-") : base, NULL);
}

static GPtrArray *
list_seeds (const char *folder)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, by_name);
  return names;
}

/* Given files instead, each is run once: how a crash is looked at. */
int
main (int argc, char **argv)
{
  g_autofree char *folder = corpus_folder (argv[0]);
  g_autoptr (GPtrArray) names = list_seeds (folder);
  const char *more = g_getenv ("FARWATCH_FUZZ_RUNS");
  guint runs = more ? (guint) g_ascii_strtoull (more, NULL, 10) : RUNS_PER_SEED;
  int failed = names->len == 0 && argc < 2;

  for (int i = 1; i < argc; i++)
    g_print ("%s: %s\n", argv[i], replay (argv[i], "", 0) ? "read" : "cannot be read");
  if (argc > 1)
    return EXIT_SUCCESS;
  g_print ("1..%u\n", MAX (names->len, 1));
  if (failed)
    g_print ("not ok 1 - no seeds in %s\n", folder);
  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    g_autofree char *path = g_build_filename (folder, name, NULL);
    gboolean ok = replay (path, name, runs);

    failed += !ok;
    g_print ("%s %u - %s\n", ok ? "ok" : "not ok", i + 1, name);
  }
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
