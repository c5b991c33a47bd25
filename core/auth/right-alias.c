/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Further names of objects: a terminal stands at a site and belongs to groups, and a right may name these
 * instead. Core knows names only. */
#include "config.h"

#include "auth/right.h"

#include "base/node-part.h"

#include <string.h>

#include <farwatch/thread.h>

typedef struct {
  gconstpointer owner;
  GStrv names;
} RightAlso;

/* "terminals/t1" → RightAlso. Touched on main only. */
typedef struct {
  GHashTable *by_object;
} RightAliases;

static void
alias_part_clear (gpointer part)
{
  RightAliases *self = part;

  g_clear_pointer (&self->by_object, g_hash_table_unref);
}

static RightAliases *
alias_part (void)
{
  static const FarNodePart part = { FAR_PART_RIGHT_ALIAS, sizeof (RightAliases), NULL, alias_part_clear };

  return far_node_part (&part);
}

static void
also_free (RightAlso *also)
{
  g_strfreev (also->names);
  g_free (also);
}

void
far_right_alias (gconstpointer owner, const char *object, const char *const *names)
{
  FAR_ON_MAIN ();
  RightAlso *known = alias_part ()->by_object != NULL ? g_hash_table_lookup (alias_part ()->by_object, object)
                                                      : NULL,
            *also;

  if (names != NULL && names[0] != NULL) {
    if (alias_part ()->by_object == NULL)
      alias_part ()->by_object = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                        (GDestroyNotify) also_free);
    also = g_new0 (RightAlso, 1);
    *also = (RightAlso){ owner, g_strdupv ((GStrv) names) };
    g_hash_table_replace (alias_part ()->by_object, g_strdup (object), also);
  } else if (known != NULL && known->owner == owner) {
    g_hash_table_remove (alias_part ()->by_object, object);
    if (g_hash_table_size (alias_part ()->by_object) == 0)
      g_clear_pointer (&alias_part ()->by_object, g_hash_table_unref);
  }
}

/* Name, then what stands below the object. */
static GStrv
also_parts (const char *name, const char *below)
{
  g_autofree char *path = g_strconcat (name, below, NULL);

  return g_strsplit (path, "/", -1);
}

/* The object's first two parts are what has further names. */
static gsize
also_head (const char *object)
{
  const char *one = strchr (object, '/'), *two = one != NULL ? strchr (one + 1, '/') : NULL;

  return two != NULL ? (gsize) (two - object) : strlen (object);
}

GPtrArray *
far_right_names (const char *object)
{
  GPtrArray *names = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  gsize head = also_head (object);
  g_autofree char *key = g_strndup (object, head);
  const RightAlso *also = alias_part ()->by_object != NULL
                              ? g_hash_table_lookup (alias_part ()->by_object, key)
                              : NULL;

  g_ptr_array_add (names, g_strsplit (object, "/", -1));
  for (guint i = 0; also != NULL && also->names[i] != NULL; i++)
    g_ptr_array_add (names, also_parts (also->names[i], object + head));
  return names;
}
