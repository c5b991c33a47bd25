/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Folders of spools, cut and changed as a kill, a power cut or a bad disk does. */
#pragma once
#include <check.h>
#include <farwatch/spool.h>
#include <glib/gstdio.h>
#include <string.h>

static const guint8 spool_key[FAR_SPOOL_KEY_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static inline char *
spool_folder (void)
{
  char *top = g_dir_make_tmp ("spool-XXXXXX", NULL), *folder = g_build_filename (top, "s", NULL);
  g_free (top);
  return folder;
}

static inline void
spool_folder_remove (char *folder)
{
  g_autofree char *top = g_path_get_dirname (folder);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    g_unlink (path);
  }
  g_rmdir (folder);
  g_rmdir (top);
  g_free (folder);
}

static inline FarSpool *
spool_open_with (const char *folder, const guint8 *key, guint64 budget, gsize segment)
{
  g_autoptr (GError) error = NULL;
  const FarSpoolSpec spec = { .folder = folder, .key = key, .budget = budget, .segment = segment };
  FarSpool *spool = far_spool_open (&spec, &error);
  ck_assert_msg (spool != NULL, "%s", error != NULL ? error->message : "");
  return spool;
}

/* The n-th record: its number as text, and more the larger it is. */
static inline char *
spool_text (guint64 n)
{
  return g_strdup_printf ("record %" G_GUINT64_FORMAT " %0*d", n, (int) (n % 23), 7);
}

static inline void
spool_add (FarSpool *spool, guint64 n)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = spool_text (n);
  guint64 number = far_spool_append (spool, text, strlen (text), (gint64) n * 1000, &error);
  ck_assert_msg (number == n, "%s", error != NULL ? error->message : "another number");
}

/* The next one is record n. */
static inline void
spool_expect (FarSpoolReader *reader, guint64 n)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = spool_text (n);
  FarSpoolItem item = { 0 };
  FarSpoolRead read = far_spool_reader_next (reader, &item, &error);
  ck_assert_msg (read == FAR_SPOOL_RECORD, "record %" G_GUINT64_FORMAT ": %d %s", n, read,
                 error != NULL ? error->message : "");
  ck_assert_uint_eq (item.sequence, n);
  ck_assert_int_eq (item.time_us, (gint64) n * 1000);
  ck_assert_uint_eq (item.size, strlen (text));
  ck_assert_mem_eq (item.data, text, item.size);
}

static inline void
spool_expect_gap (FarSpoolReader *reader, guint64 from, guint64 lost)
{
  FarSpoolItem item = { 0 };
  ck_assert_int_eq (far_spool_reader_next (reader, &item, NULL), FAR_SPOOL_GAP);
  ck_assert_uint_eq (item.sequence, from);
  ck_assert_uint_eq (item.lost, lost);
}

static inline void
spool_expect_nothing (FarSpoolReader *reader)
{
  FarSpoolItem item = { 0 };
  ck_assert_int_eq (far_spool_reader_next (reader, &item, NULL), FAR_SPOOL_NOTHING);
}

static inline FarSpoolReader *
spool_reader (const char *folder, const guint8 *key, const char *name)
{
  FarSpoolReader *reader = far_spool_reader_open (folder, key, name, NULL);
  ck_assert_ptr_nonnull (reader);
  return reader;
}

static inline char *
spool_file (const char *folder, guint64 first)
{
  return g_strdup_printf ("%s/%016" G_GINT64_MODIFIER "x.spool", folder, first);
}
