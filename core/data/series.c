/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Series handles: one table for the node, so that a sample carries 4 bytes instead of two names. A source
 * (a node) may have SERIES_PER_SOURCE of them: a peer that invents names fills its own share only. */
#include "config.h"

#include "base/node-part.h"

#include <string.h>

#include <farwatch/sample.h>
#include <farwatch/store.h>
#include <farwatch/thread.h>

#include "message/router.h"
#include "data/sample-private.h"

#define SERIES_PER_SOURCE 4096
#define SERIES_TOTAL (1u << 20)

typedef struct {
  GMutex lock;
  GPtrArray *infos;    /* handle - 1 → FarSeriesInfo */
  GHashTable *handles; /* FarSeriesInfo → handle */
  GHashTable *counts;  /* source → number of series */
} SeriesTable;

static guint
series_hash (gconstpointer key)
{
  const FarSeriesInfo *info = key;

  return g_str_hash (info->source) * 31 + g_str_hash (info->name) * 7 + g_str_hash (info->unit);
}

static gboolean
series_equal (gconstpointer a, gconstpointer b)
{
  const FarSeriesInfo *x = a, *y = b;

  return strcmp (x->name, y->name) == 0 && strcmp (x->source, y->source) == 0 &&
         strcmp (x->unit, y->unit) == 0;
}

static void
series_init (gpointer part)
{
  SeriesTable *table = part;

  table->infos = g_ptr_array_new ();
  table->handles = g_hash_table_new (series_hash, series_equal);
  table->counts = g_hash_table_new (g_str_hash, g_str_equal);
}

static void
series_clear (gpointer part)
{
  SeriesTable *table = part;
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&table->lock);

  for (guint i = 0; i < table->infos->len; i++) {
    g_free (((FarSeriesInfo *) table->infos->pdata[i])->name); /* the other texts are interned */
    g_free (table->infos->pdata[i]);
  }
  g_hash_table_remove_all (table->handles);
  g_hash_table_remove_all (table->counts);
  g_ptr_array_set_size (table->infos, 0);
}

static SeriesTable *
series_table (void)
{
  static const FarNodePart part = { FAR_PART_SERIES, sizeof (SeriesTable), series_init, series_clear };

  return far_node_part (&part);
}

/* Lock held. */
static FarSeries
series_add (SeriesTable *table, const FarSeriesInfo *wanted)
{
  guint count = GPOINTER_TO_UINT (g_hash_table_lookup (table->counts, wanted->source));
  FarSeriesInfo *info;

  if (count >= SERIES_PER_SOURCE || table->infos->len >= SERIES_TOTAL)
    return 0;
  info = g_new (FarSeriesInfo, 1);
  info->source = (char *) g_intern_string (wanted->source);
  info->name = g_strdup (wanted->name);
  info->unit = (char *) g_intern_string (wanted->unit);
  g_ptr_array_add (table->infos, info);
  g_hash_table_insert (table->handles, info, GUINT_TO_POINTER (table->infos->len));
  g_hash_table_insert (table->counts, info->source, GUINT_TO_POINTER (count + 1));
  return table->infos->len;
}

FarSeries
far_series_of (const char *source, const char *name, const char *unit)
{
  SeriesTable *table = series_table ();
  FarSeriesInfo wanted = { (char *) source, (char *) name, (char *) (unit ? unit : "1") };
  FarSeries series;

  g_mutex_lock (&table->lock);
  series = GPOINTER_TO_UINT (g_hash_table_lookup (table->handles, &wanted));
  if (series == 0)
    series = series_add (table, &wanted);
  g_mutex_unlock (&table->lock);
  return series;
}

#define DEVICES "devices/" /* no instance's name has a '/', so that no other series begins so */

char *
far_series_name (FarInstance *at, const char *channel)
{
  const char *device = far_sensor_device (at);
  g_autofree char *own = g_strconcat (far_instance_name (at), ".", channel, NULL);

  return device != NULL ? g_strconcat (DEVICES, device, "/", own, NULL) : g_steal_pointer (&own);
}

FarSeries
far_series (FarInstance *at, const char *channel, const char *unit)
{
  FAR_ON_MAIN ();
  g_autofree char *name = far_series_name (at, channel);

  return far_series_of (far_node_id (), name, unit);
}

char *
far_series_device (const char *name)
{
  const char *device = g_str_has_prefix (name, DEVICES) ? name + strlen (DEVICES) : NULL,
             *end = device != NULL ? strchr (device, '/') : NULL;
  g_autofree char *text = end != NULL ? g_strndup (device, (gsize) (end - device)) : NULL;

  return text != NULL && far_field_name_ok (text) ? g_steal_pointer (&text) : NULL;
}

const FarSeriesInfo *
far_series_info (FarSeries series)
{
  SeriesTable *table = series_table ();
  const FarSeriesInfo *info = NULL;

  g_mutex_lock (&table->lock);
  if (series > 0 && series <= table->infos->len)
    info = g_ptr_array_index (table->infos, series - 1);
  g_mutex_unlock (&table->lock);
  return info;
}

void
far_series_info_free (FarSeriesInfo *info)
{
  if (info == NULL)
    return;
  g_free (info->source);
  g_free (info->name);
  g_free (info->unit);
  g_free (info);
}
