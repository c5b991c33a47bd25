/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds for every spool, however it is sealed and whenever what it has is on the disk: what was written
 * is read, whatever was torn off, changed, dropped, forgotten or full. test-spool runs it for every kind
 * there is; a further one adds its row to spool_kinds. */
#pragma once
#include "data/spool-private.h"
#include "unit/spool-help.h"

#include <signal.h>
#include <sys/resource.h>

typedef struct {
  const char *name;
  const guint8 *key; /* NULL: in the clear */
  FarSpoolSync sync;
} SpoolKind;

static const SpoolKind spool_kinds[] = {
  { "clear", NULL, FAR_SPOOL_SYNC_ASKED },
  { "sealed", spool_key, FAR_SPOOL_SYNC_ASKED },
  { "clear, each record at once", NULL, FAR_SPOOL_SYNC_RECORD },
  { "sealed, each segment at once", spool_key, FAR_SPOOL_SYNC_SEGMENT },
};

#define N_SPOOL_KINDS G_N_ELEMENTS (spool_kinds)

static inline FarSpool *
conform_spool_open (const char *folder, const SpoolKind *kind, guint64 budget, gsize segment)
{
  g_autoptr (GError) error = NULL;
  const FarSpoolSpec spec = { .folder = folder,
                              .key = kind->key,
                              .budget = budget,
                              .segment = segment,
                              .sync = kind->sync };
  FarSpool *spool = far_spool_open (&spec, &error);
  ck_assert_msg (spool != NULL, "%s: %s", kind->name, error != NULL ? error->message : "");
  return spool;
}

static inline FarSpoolReader *
conform_spool_reader (const char *folder, const SpoolKind *kind, const char *name)
{
  return spool_reader (folder, kind->key, name);
}

static inline void
conform_spool_written_and_read (const SpoolKind *kind)
{
  char *folder = spool_folder ();
  FarSpool *spool = conform_spool_open (folder, kind, 0, 4096);
  g_autoptr (FarSpoolReader) one = conform_spool_reader (folder, kind, "one"),
                             two = conform_spool_reader (folder, kind, NULL);
  spool_expect_nothing (one);
  for (guint64 n = 1; n <= 300;
       n++) { /* over many segments; one reader follows at once, the other by and by */
    spool_add (spool, n);
    spool_expect (one, n);
    spool_expect_nothing (one);
    if (n > 50)
      spool_expect (two, n - 50);
  }
  for (guint64 n = 251; n <= 300; n++)
    spool_expect (two, n);
  spool_expect_nothing (two);
  far_spool_close (spool);
  spool_folder_remove (folder);
}

static inline void
conform_spool_positions_are_durable_by_name (const SpoolKind *kind)
{
  char *folder = spool_folder ();
  FarSpool *spool = conform_spool_open (folder, kind, 0, 1024);
  for (guint64 n = 1; n <= 60; n++)
    spool_add (spool, n);
  for (guint64 n = 1; n <= 60; n += 20) {
    g_autoptr (FarSpoolReader) reader = conform_spool_reader (folder, kind, "uplink");
    for (guint64 i = n; i < n + 20; i++)
      spool_expect (reader, i);
    ck_assert (far_spool_reader_commit (reader, NULL));
  }
  g_autoptr (FarSpoolReader) again = conform_spool_reader (folder, kind, "uplink");
  spool_expect_nothing (again);
  g_autoptr (FarSpoolReader) other = conform_spool_reader (folder, kind, "copy");
  spool_expect (other, 1);
  ck_assert_ptr_null (far_spool_reader_open (folder, kind->key, "../x", NULL));
  ck_assert_ptr_null (far_spool_reader_open (folder, kind->key, "", NULL));
  far_spool_close (spool);
  spool_folder_remove (folder);
}

/* A kill at any byte: all whole records before are read, writing goes on, and the new ones are read too. */
static inline void
conform_spool_cut_at_every_byte (const SpoolKind *kind)
{
  enum { N = 6 };
  char *folder = spool_folder ();
  gsize ends[N + 1] = { SPOOL_HEAD_SIZE }, size = 0;
  g_autofree char *bytes = NULL, *path = spool_file (folder, 1);
  FarSpool *spool = conform_spool_open (folder, kind, 0, 0);
  for (guint64 n = 1; n <= N; n++) {
    spool_add (spool, n);
    ends[n] = far_spool_size (spool);
  }
  far_spool_close (spool);
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  ck_assert_uint_eq (size, ends[N]);
  for (gsize cut = 0; cut <= size; cut++) {
    guint64 whole = 0;
    while (whole < N && ends[whole + 1] <= cut)
      whole++;
    ck_assert (g_file_set_contents (path, bytes, (gssize) cut, NULL));
    spool = conform_spool_open (folder, kind, 0, 0);
    spool_add (spool, whole + 1);
    spool_add (spool, whole + 2);
    far_spool_close (spool);
    g_autoptr (FarSpoolReader) reader = conform_spool_reader (folder, kind, NULL);
    for (guint64 n = 1; n <= whole + 2; n++)
      spool_expect (reader, n);
    spool_expect_nothing (reader);
    g_autofree char *next = spool_file (folder, whole + 1);
    if (whole > 0)
      ck_assert_int_eq (g_unlink (next), 0);
  }
  spool_folder_remove (folder);
}

/* Any flipped bit costs at most the records it touches and what cannot be told from it; nothing wrong is ever
 * shown, and the next segment is read. */
static inline void
conform_spool_flipped_bits (const SpoolKind *kind)
{
  enum { N = 5 };
  char *folder = spool_folder ();
  gsize size = 0;
  g_autofree char *bytes = NULL, *path = spool_file (folder, 1);
  FarSpool *spool = conform_spool_open (folder, kind, 0, 0);
  for (guint64 n = 1; n <= N; n++)
    spool_add (spool, n);
  far_spool_close (spool);
  spool = conform_spool_open (folder, kind, 0, 0); /* a segment of its own */
  spool_add (spool, N + 1);
  far_spool_close (spool);
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  for (gsize bit = 0; bit < size * 8; bit += 3) {
    guint64 due = 1;
    FarSpoolItem item;
    FarSpoolRead read;
    bytes[bit / 8] ^= (char) (1 << (bit % 8));
    ck_assert (g_file_set_contents (path, bytes, (gssize) size, NULL));
    bytes[bit / 8] ^= (char) (1 << (bit % 8));
    g_autoptr (FarSpoolReader) reader = conform_spool_reader (folder, kind, NULL);
    while ((read = far_spool_reader_next (reader, &item, NULL)) != FAR_SPOOL_NOTHING) {
      g_autofree char *text = spool_text (item.sequence);
      ck_assert_int_ne (read, FAR_SPOOL_ERROR);
      ck_assert_uint_ge (item.sequence, due);
      if (read == FAR_SPOOL_RECORD)
        ck_assert_mem_eq (item.data, text, item.size);
      due = item.sequence + (read == FAR_SPOOL_RECORD ? 1 : item.lost);
    }
    ck_assert_uint_eq (due, N + 2);
  }
  spool_folder_remove (folder);
}

/* One damaged byte in a record costs that record. */
static inline void
conform_spool_one_damaged_record (const SpoolKind *kind)
{
  char *folder = spool_folder ();
  gsize size = 0;
  g_autofree char *bytes = NULL, *path = spool_file (folder, 1);
  FarSpool *spool = conform_spool_open (folder, kind, 0, 0);
  gsize first = 0;
  for (guint64 n = 1; n <= 3; n++) {
    spool_add (spool, n);
    first = n == 1 ? far_spool_size (spool) : first;
  }
  far_spool_close (spool);
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  bytes[first + SPOOL_RECORD_HEAD_SIZE + 2] ^= 1;
  ck_assert (g_file_set_contents (path, bytes, (gssize) size, NULL));
  g_autoptr (FarSpoolReader) reader = conform_spool_reader (folder, kind, NULL);
  spool_expect (reader, 1);
  spool_expect_gap (reader, 2, 1);
  spool_expect (reader, 3);
  spool_folder_remove (folder);
}

/* The budget drops the oldest segments; readers that were behind are told how many records they missed. */
static inline void
conform_spool_budget (const SpoolKind *kind)
{
  char *folder = spool_folder ();
  FarSpool *spool = conform_spool_open (folder, kind, 8192, 0);
  g_autoptr (FarSpoolReader) reader = conform_spool_reader (folder, kind, "slow");
  FarSpoolItem item;
  spool_add (spool, 1);
  spool_expect (reader, 1);
  ck_assert (far_spool_reader_commit (reader, NULL));
  for (guint64 n = 2; n <= 1000; n++) {
    spool_add (spool, n);
    ck_assert_uint_le (far_spool_size (spool), 8192);
  }
  g_autoptr (FarSpoolReader) again = conform_spool_reader (folder, kind, "slow");
  ck_assert_int_eq (far_spool_reader_next (again, &item, NULL), FAR_SPOOL_GAP);
  ck_assert_uint_eq (item.sequence, 2);
  for (guint64 n = 2 + item.lost; n <= 1000; n++)
    spool_expect (again, n);
  ck_assert_uint_gt (item.lost, 500);
  ck_assert_uint_lt (item.lost, 950);
  guint8 much[9000] = { 0 };
  g_autoptr (GError) error = NULL;
  ck_assert_uint_eq (far_spool_append (spool, much, sizeof much, 0, &error), 0);
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID));
  far_spool_close (spool);
  spool_folder_remove (folder);
}

/* What nobody needs any more goes, segment by segment, but not what is written to; numbers go on, and no
 * reader that is further is told a gap. */
static inline void
conform_spool_forgotten (const SpoolKind *kind)
{
  char *folder = spool_folder ();
  FarSpool *spool = conform_spool_open (folder, kind, 0, 1024);
  g_autofree char *first = spool_file (folder, 1);
  g_autoptr (FarSpoolReader) reader = conform_spool_reader (folder, kind, "uplink");
  for (guint64 n = 1; n <= 100; n++)
    spool_add (spool, n);
  for (guint64 n = 1; n <= 60; n++)
    spool_expect (reader, n);
  ck_assert (far_spool_reader_commit (reader, NULL));
  guint64 before = far_spool_size (spool);
  far_spool_forget (spool, 2);
  ck_assert_uint_eq (far_spool_size (spool), before);
  far_spool_forget (spool, 61);
  ck_assert (!g_file_test (first, G_FILE_TEST_EXISTS));
  ck_assert_uint_lt (far_spool_size (spool), before - before / 3);
  g_autoptr (FarSpoolReader) again = conform_spool_reader (folder, kind, "uplink");
  for (guint64 n = 61; n <= 100; n++)
    spool_expect (again, n);
  ck_assert (far_spool_reader_commit (again, NULL));
  far_spool_forget (spool, 101);
  ck_assert_uint_le (far_spool_size (spool), 1024);
  ck_assert_uint_gt (far_spool_size (spool), 0);
  far_spool_close (spool);
  spool = conform_spool_open (folder, kind, 0, 1024);
  far_spool_forget (spool, 101);
  ck_assert_uint_eq (far_spool_size (spool), 0);
  spool_add (spool, 101);
  spool_expect (again, 101);
  far_spool_close (spool);
  spool_folder_remove (folder);
}

/* A full disk (here: the largest size of a file): the error says so, nothing half is read, and when there is
 * room again the same number is written. */
static inline void
conform_spool_full_disk (const SpoolKind *kind)
{
  char *folder = spool_folder ();
  struct rlimit before, small = { 700, RLIM_INFINITY };
  g_autoptr (GError) error = NULL;
  guint64 n = 1;
  FarSpool *spool = conform_spool_open (folder, kind, 0, 0);
  signal (SIGXFSZ, SIG_IGN);
  ck_assert_int_eq (getrlimit (RLIMIT_FSIZE, &before), 0);
  small.rlim_max = before.rlim_max;
  ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &small), 0);
  for (g_autofree char *text = g_strnfill (300, 'x'); far_spool_append (spool, text, 300, 0, &error) != 0;)
    n++;
  ck_assert_uint_eq (n, 2);
  ck_assert_msg (g_error_matches (error, FAR_ERROR, FAR_ERROR_FULL), "%s", error->message);
  ck_assert_int_eq (setrlimit (RLIMIT_FSIZE, &before), 0);
  spool_add (spool, 2);
  spool_add (spool, 3);
  g_autoptr (FarSpoolReader) reader = conform_spool_reader (folder, kind, NULL);
  FarSpoolItem item;
  ck_assert_int_eq (far_spool_reader_next (reader, &item, NULL), FAR_SPOOL_RECORD);
  ck_assert_uint_eq (item.size, 300);
  spool_expect (reader, 2);
  spool_expect (reader, 3);
  spool_expect_nothing (reader);
  far_spool_close (spool);
  spool_folder_remove (folder);
}

/* What a reader had and a power cut took back is not written again under the same number. */
static inline void
conform_spool_numbers_go_on_behind_readers (const SpoolKind *kind)
{
  char *folder = spool_folder ();
  g_autofree char *path = spool_file (folder, 1);
  FarSpool *spool = conform_spool_open (folder, kind, 0, 0);
  for (guint64 n = 1; n <= 10; n++)
    spool_add (spool, n);
  far_spool_close (spool);
  g_autoptr (FarSpoolReader) reader = conform_spool_reader (folder, kind, "uplink");
  for (guint64 n = 1; n <= 10; n++)
    spool_expect (reader, n);
  ck_assert (far_spool_reader_commit (reader, NULL));
  ck_assert_int_eq (g_unlink (path), 0);
  spool = conform_spool_open (folder, kind, 0, 0);
  spool_add (spool, 11);
  g_autoptr (FarSpoolReader) again = conform_spool_reader (folder, kind, "uplink");
  spool_expect (again, 11);
  far_spool_close (spool);
  spool_folder_remove (folder);
}

/* A segment that cannot be read is not taken for a torn one, which would be removed. */
static inline void
conform_spool_damage_is_kept (const SpoolKind *kind)
{
  char *folder = spool_folder ();
  gsize size = 0;
  g_autofree char *bytes = NULL, *path = spool_file (folder, 1);
  FarSpool *spool = conform_spool_open (folder, kind, 0, 0);
  spool_add (spool, 1);
  far_spool_close (spool);
  ck_assert (g_file_get_contents (path, &bytes, &size, NULL));
  bytes[30] ^= 1; /* in the head */
  ck_assert (g_file_set_contents (path, bytes, (gssize) size, NULL));
  spool = conform_spool_open (folder, kind, 0, 0);
  spool_add (spool, 2);
  far_spool_close (spool);
  ck_assert (g_file_test (path, G_FILE_TEST_EXISTS));
  g_autoptr (FarSpoolReader) reader = conform_spool_reader (folder, kind, NULL);
  spool_expect (reader, 2);
  spool_folder_remove (folder);
}

static inline void
conform_spool_one_writer (const SpoolKind *kind)
{
  char *folder = spool_folder ();
  const FarSpoolSpec spec = { .folder = folder, .key = kind->key };
  g_autoptr (GError) error = NULL;
  FarSpool *spool = conform_spool_open (folder, kind, 0, 0);
  ck_assert_ptr_null (far_spool_open (&spec, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT));
  far_spool_close (spool);
  spool = conform_spool_open (folder, kind, 0, 0);
  far_spool_close (spool);
  spool_folder_remove (folder);
}
