/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which kinds of carrier a terminal did not reach: where a firewall shuts the port of the direct one, the
 * first session waits for that and falls back to the next kind, and those after it begin with that one. It is
 * kept in memory, for a while and for the address that the terminal's link comes from, since another network
 * may have another firewall. */
#include "config.h"

#include "access.h"

#define UNREACHED_US (3600 * (gint64) G_USEC_PER_SEC)

typedef struct {
  char *from; /* of the terminal's link then; NULL: there was none */
  gint64 until_us;
} Unreached;

static void
unreached_free (gpointer data)
{
  g_free (((Unreached *) data)->from);
  g_free (data);
}

GHashTable *
access_unreached_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, unreached_free);
}

static gboolean
unreached_is_over (gpointer key, gpointer value, gpointer user)
{
  return ((const Unreached *) value)->until_us <= far_clock_boottime_us ();
}

static char *
unreached_key (const char *terminal, const char *kind)
{
  return g_strconcat (terminal, "/", kind, NULL);
}

void
access_unreached_note (Access *self, const char *terminal, const char *from, const char *kind)
{
  Unreached *unreached = g_new0 (Unreached, 1);
  *unreached = (Unreached){ g_strdup (from), far_clock_boottime_us () + UNREACHED_US };
  g_hash_table_foreach_remove (self->unreached, unreached_is_over, NULL);
  g_hash_table_replace (self->unreached, unreached_key (terminal, kind), unreached);
  far_log_limited (self->at, terminal,
                   "terminal '%s' does not reach the carrier '%s' here: for an hour its sessions come by "
                   "another one where there is one",
                   terminal, kind);
}

gboolean
access_unreached (Access *self, const char *terminal, const char *from, const char *kind)
{
  g_autofree char *key = unreached_key (terminal, kind);
  const Unreached *unreached = g_hash_table_lookup (self->unreached, key);
  return unreached && unreached->until_us > far_clock_boottime_us () &&
         g_strcmp0 (unreached->from, from) == 0;
}
