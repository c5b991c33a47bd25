/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of one person go one after the other, so that none brings back whom another one removes. Whose
 * password is being changed, or was lately, is remembered: a proof by the password of before counts no more
 * from the moment at which the change was asked for. */
#include "config.h"

#include "reach/people.h"

#include "base/node-part.h"

#include <farwatch/clock.h>

#define CHANGES_MAX 1024 /* names; who was changed longest ago is forgotten first */

typedef struct {
  gint64 at_us;   /* boottime of what came last, a beginning or an end */
  GQueue waiting; /* of Turn; the first is under way */
} PeopleChange;

typedef struct {
  FarPeopleChange go;
  gpointer user;
} Turn;

/* Touched on main only. */
typedef struct {
  GHashTable *by_name;
} PeopleChanges;

static void
people_changes_clear (gpointer part)
{
  PeopleChanges *self = part;

  g_clear_pointer (&self->by_name, g_hash_table_unref);
}

static PeopleChanges *
people_changes (void)
{
  static const FarNodePart part = { FAR_PART_PEOPLE_CHANGE, sizeof (PeopleChanges), NULL,
                                    people_changes_clear };

  return far_node_part (&part);
}

static void
change_forget_oldest (void)
{
  GHashTableIter iter;
  gpointer name, at, oldest = NULL;
  gint64 least = G_MAXINT64;

  g_hash_table_iter_init (&iter, people_changes ()->by_name);
  while (g_hash_table_iter_next (&iter, &name, &at)) {
    const PeopleChange *change = at;

    if (change->waiting.length > 0 || change->at_us >= least)
      continue;
    least = change->at_us;
    oldest = name;
  }
  if (oldest != NULL)
    g_hash_table_remove (people_changes ()->by_name, oldest);
}

static PeopleChange *
change_of (const char *name)
{
  PeopleChange *change;

  if (people_changes ()->by_name == NULL)
    people_changes ()->by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  change = g_hash_table_lookup (people_changes ()->by_name, name);
  if (change != NULL)
    return change;
  if (g_hash_table_size (people_changes ()->by_name) >= CHANGES_MAX)
    change_forget_oldest ();
  change = g_new0 (PeopleChange, 1);
  g_hash_table_insert (people_changes ()->by_name, g_strdup (name), change);
  return change;
}

void
far_people_change_begin (const char *name, FarPeopleChange go, gpointer user)
{
  PeopleChange *change = change_of (name);
  Turn *turn = g_new (Turn, 1);

  *turn = (Turn){ go, user };
  g_queue_push_tail (&change->waiting, turn);
  change->at_us = far_clock_boottime_us ();
  if (change->waiting.length == 1)
    go (user);
}

void
far_people_change_end (const char *name)
{
  PeopleChange *change = change_of (name);
  const Turn *next;

  g_free (g_queue_pop_head (&change->waiting));
  change->at_us = far_clock_boottime_us ();
  next = g_queue_peek_head (&change->waiting);
  if (next != NULL)
    next->go (next->user);
}

gboolean
far_people_changed_since (const char *name, gint64 since_us)
{
  const PeopleChange *change = people_changes ()->by_name != NULL
                                   ? g_hash_table_lookup (people_changes ()->by_name, name)
                                   : NULL;

  return change != NULL && (change->waiting.length > 0 || since_us <= change->at_us);
}

static gboolean
change_is_over (gpointer name G_GNUC_UNUSED, gpointer at, gpointer user G_GNUC_UNUSED)
{
  return ((const PeopleChange *) at)->waiting.length == 0;
}

void
far_people_change_clear (void)
{
  if (people_changes ()->by_name == NULL)
    return;
  g_hash_table_foreach_remove (people_changes ()->by_name, change_is_over, NULL);
  if (g_hash_table_size (people_changes ()->by_name) == 0)
    g_clear_pointer (&people_changes ()->by_name, g_hash_table_unref);
}
