/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A batch of samples from a terminal: read, and merged into another, which reads the same.
 * parses: core/data/batch-read.c */
#include "config.h"

#include "fuzz.h"

#include <farwatch/sample.h>

static void
count (const FarReading *group, const FarSeriesInfo *series, guint n_series, gpointer user)
{
  for (guint i = 0; i < group->n; i++)
    g_assert_cmpuint (group->samples[i].series, <=, n_series);
  (*(guint *) user)++;
}

static void
take (const FarReading *group, gpointer user)
{
  for (guint i = 0; i < group->n; i++)
    g_assert_nonnull (far_series_info (group->samples[i].series));
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) batch = g_bytes_new (data, size);
  g_autoptr (GBytes) merged = NULL;
  g_autoptr (GError) error = NULL;
  FarBatchBuilder *builder;
  guint groups = 0, again = 0;

  if (!far_batch_read (batch, count, &groups, &error)) {
    g_assert_nonnull (error);
    g_assert_cmpuint (groups, ==, 0);
    return FALSE;
  }
  builder = far_batch_builder_new ();
  g_assert_true (far_batch_builder_merge (builder, batch, NULL));
  merged = far_batch_builder_end (builder);
  g_assert_true (far_batch_read (merged, count, &again, NULL));
  g_assert_cmpuint (again, ==, groups);
  g_assert_true (far_batch_foreach (batch, "t1", take, &again, NULL));
  return TRUE;
}
