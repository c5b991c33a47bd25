/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of one person go one after the other, so that none brings back whom another one removes. Whose
 * password is being changed, or was lately, is remembered: a proof by the password of before counts no more
 * from the moment at which the change was asked for. */
#include "config.h"

#include "reach/users.h"

#include "base/node-part.h"

#include <farwatch/clock.h>

#define CHANGES_MAX 1024 /* names; who was changed longest ago is forgotten first */

typedef struct {
  gint64 at_us;   /* boottime of what came last, a beginning or an end */
  GQueue waiting; /* of Turn; the first is under way */
} UsersChange;

typedef struct {
  FarUsersChange go;
  gpointer user;
} Turn;

/* Touched on main only. */
typedef struct {
  GHashTable *by_name;
} UsersChanges;

static void
users_changes_clear (gpointer part)
{
  UsersChanges *self = part;

  g_clear_pointer (&self->by_name, g_hash_table_unref);
}

static UsersChanges *
users_changes (void)
{
  static const FarNodePart part = { FAR_PART_USERS_CHANGE, sizeof (UsersChanges), NULL, users_changes_clear };

  return far_node_part (&part);
}

static void
change_forget_oldest (void)
{
  GHashTableIter iter;
  gpointer name, at, oldest = NULL;
  gint64 least = G_MAXINT64;

  g_hash_table_iter_init (&iter, users_changes ()->by_name);
  while (g_hash_table_iter_next (&iter, &name, &at)) {
    const UsersChange *change = at;

    if (change->waiting.length > 0 || change->at_us >= least)
      continue;
    least = change->at_us;
    oldest = name;
  }
  if (oldest != NULL)
    g_hash_table_remove (users_changes ()->by_name, oldest);
}

static UsersChange *
change_of (const char *name)
{
  UsersChange *change;

  if (users_changes ()->by_name == NULL)
    users_changes ()->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  change = g_hash_table_lookup (users_changes ()->by_name, name);
  if (change != NULL)
    return change;
  if (g_hash_table_size (users_changes ()->by_name) >= CHANGES_MAX)
    change_forget_oldest ();
  change = g_new0 (UsersChange, 1);
  g_hash_table_insert (users_changes ()->by_name, g_strdup (name), change);
  return change;
}

void
far_users_change_begin (const char *name, FarUsersChange go, gpointer user)
{
  UsersChange *change = change_of (name);
  Turn *turn = g_new (Turn, 1);

  *turn = (Turn){ go, user };
  g_queue_push_tail (&change->waiting, turn);
  change->at_us = far_clock_boottime_us ();
  if (change->waiting.length == 1)
    go (user);
}

void
far_users_change_end (const char *name)
{
  UsersChange *change = change_of (name);
  const Turn *next;

  g_free (g_queue_pop_head (&change->waiting));
  change->at_us = far_clock_boottime_us ();
  next = g_queue_peek_head (&change->waiting);
  if (next != NULL)
    next->go (next->user);
}

gboolean
far_users_changed_since (const char *name, gint64 since_us)
{
  const UsersChange *change = users_changes ()->by_name != NULL
                                  ? g_hash_table_lookup (users_changes ()->by_name, name)
                                  : NULL;

  return change != NULL && (change->waiting.length > 0 || since_us <= change->at_us);
}

static gboolean
change_is_over (gpointer name G_GNUC_UNUSED, gpointer at, gpointer user G_GNUC_UNUSED)
{
  return ((const UsersChange *) at)->waiting.length == 0;
}

void
far_users_change_clear (void)
{
  if (users_changes ()->by_name == NULL)
    return;
  g_hash_table_foreach_remove (users_changes ()->by_name, change_is_over, NULL);
  if (g_hash_table_size (users_changes ()->by_name) == 0)
    g_clear_pointer (&users_changes ()->by_name, g_hash_table_unref);
}
