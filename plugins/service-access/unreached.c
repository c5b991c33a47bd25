/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A terminal says that it did not reach the carrier that it was offered: where a firewall shuts the port of
 * the direct one its sessions go on by the next kind. It may lie, and each change takes ports and tokens: it
 * is heard about what it was offered and about kinds that not everybody has, so that a session never goes
 * back; and only so often. */
#include "config.h"

#include "access.h"

#include <string.h>

#define MOVES_AT_ONCE                                                                                        \
  16                    /* of one terminal, then one a second: one whose listener is gone loses all at once */
#define AGAIN_AT_ONCE 8 /* of one session; ours asks ever more slowly, the first times at once */

GHashTable *
access_moves_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

/* One a second, and so many at once; due: boottime at which all of these may be taken again. */
static gboolean
unreached_pace (gint64 *due_us, guint at_once)
{
  gint64 now = far_clock_boottime_us (), due = MAX (*due_us, now);
  if (due - now > (at_once - 1) * (gint64) G_USEC_PER_SEC)
    return FALSE;
  *due_us = due + G_USEC_PER_SEC;
  return TRUE;
}

static gboolean
moves_is_over (gpointer terminal, gpointer due_us, gpointer user)
{
  return *(const gint64 *) due_us <= far_clock_boottime_us ();
}

gboolean
access_move_may (AccessSession *session)
{
  GHashTable *moves = session->self->moves;
  g_hash_table_foreach_remove (moves, moves_is_over, NULL);
  gint64 *due_us = g_hash_table_lookup (moves, session->terminal);
  if (!due_us) {
    due_us = g_new0 (gint64, 1);
    g_hash_table_insert (moves, g_strdup (session->terminal), due_us);
  }
  return unreached_pace (due_us, MOVES_AT_ONCE);
}

gboolean
access_again_may (AccessSession *session)
{
  return unreached_pace (&session->renewed_us, AGAIN_AT_ONCE);
}

static gboolean
unreached_here (const AccessSession *session, const char *kind)
{
  for (guint i = 0; i < session->n_unreached; i++)
    if (strcmp (session->unreached[i], kind) == 0)
      return TRUE;
  return FALSE;
}

gboolean
access_unreached (const AccessSession *session, const char *kind)
{
  return unreached_here (session, kind) || far_registry_avoids (session->terminal, kind);
}

void
access_unreached_told (AccessSession *session, const char *kind)
{
  const char *own = session->carrier ? far_carrier_kind (session->carrier) : NULL;
  if (!own || g_strcmp0 (kind, own) != 0 || far_carrier_is_common (session->carrier) ||
      unreached_here (session, own) || session->n_unreached == ACCESS_UNREACHED_MAX)
    return;
  session->unreached[session->n_unreached++] = own;
  gint64 length_us = far_registry_unreached (session->terminal, own);
  g_autofree char *length = length_us ? far_format_duration (length_us) : NULL;
  if (length)
    far_log (session->self->at, G_LOG_LEVEL_WARNING,
             "terminal '%s' does not reach the carrier '%s' here: for %s its sessions come by another one "
             "where there is one",
             session->terminal, own, length);
}

void
access_reached (AccessSession *session)
{
  const char *kind = session->carrier ? far_carrier_kind (session->carrier) : NULL;
  if (kind && far_registry_reached (session->terminal, kind))
    far_log (session->self->at, G_LOG_LEVEL_MESSAGE, "terminal '%s' reaches the carrier '%s' again",
             session->terminal, kind);
}
