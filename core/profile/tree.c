/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree: making, finding, comparing, merging. How it is read stands in tree-read.c. */
#include "config.h"

#include "profile/tree.h"

#include <jansson.h>
#include <stdlib.h>

#include <farwatch/i18n.h>

FarSource *
far_source_new (const char *path, guint rank)
{
  FarSource *source = g_new0 (FarSource, 1);

  source->refs = 1;
  source->rank = rank;
  source->path = g_strdup (path);
  return source;
}

FarSource *
far_source_ref (FarSource *source)
{
  g_atomic_int_inc (&source->refs);
  return source;
}

void
far_source_unref (FarSource *source)
{
  if (source == NULL || !g_atomic_int_dec_and_test (&source->refs))
    return;
  g_free (source->path);
  g_free (source->text);
  g_clear_pointer (&source->open, g_array_unref);
  g_free (source);
}

void
far_source_open (const FarYaml *node)
{
  guint64 place = (guint64) node->line << 32 | node->column;

  if (node->source == NULL)
    return;
  if (node->source->open == NULL)
    node->source->open = g_array_new (FALSE, FALSE, sizeof place);
  g_array_append_val (node->source->open, place);
}

gboolean
far_source_is_open (const FarSource *source, guint line, guint column)
{
  guint64 place = (guint64) line << 32 | column;

  for (guint i = 0; source->open != NULL && i < source->open->len; i++)
    if (g_array_index (source->open, guint64, i) == place)
      return TRUE;
  return FALSE;
}

FarYaml *
far_yaml_scalar (const char *text)
{
  FarYaml *node = g_new0 (FarYaml, 1);

  node->kind = FAR_YAML_SCALAR;
  node->plain = TRUE;
  node->text = g_strdup (text);
  return node;
}

void
far_yaml_free (FarYaml *node)
{
  if (node == NULL)
    return;
  g_clear_pointer (&node->keys, g_ptr_array_unref);
  g_clear_pointer (&node->items, g_ptr_array_unref);
  g_clear_pointer (&node->source, far_source_unref);
  g_free (node->text);
  g_free (node);
}

static gboolean
tree_find (const FarYaml *map, const char *key, guint *index)
{
  if (map == NULL || map->kind != FAR_YAML_MAP)
    return FALSE;
  for (guint i = 0; i < map->keys->len; i++) {
    const FarYaml *node = map->keys->pdata[i];

    if (g_str_equal (node->text, key)) {
      *index = i;
      return TRUE;
    }
  }
  return FALSE;
}

FarYaml *
far_yaml_get (const FarYaml *map, const char *key)
{
  guint index;

  return tree_find (map, key, &index) ? map->items->pdata[index] : NULL;
}

FarYaml *
far_yaml_key (const FarYaml *map, const char *key)
{
  guint index;

  return tree_find (map, key, &index) ? map->keys->pdata[index] : NULL;
}

gboolean
far_yaml_is_nothing (const FarYaml *node)
{
  static const char *const nothing[] = { "", "~", "null", "Null", "NULL", NULL };

  return node->kind == FAR_YAML_SCALAR && node->plain && g_strv_contains (nothing, node->text);
}

static gboolean
equal_lists (const FarYaml *a, const FarYaml *b)
{
  for (guint i = 0; i < a->items->len; i++)
    if (!far_yaml_equal (a->items->pdata[i], b->items->pdata[i]))
      return FALSE;
  return TRUE;
}

static gboolean
equal_maps (const FarYaml *a, const FarYaml *b)
{
  for (guint i = 0; i < a->keys->len; i++) {
    const FarYaml *key = a->keys->pdata[i], *other = far_yaml_get (b, key->text);

    if (other == NULL || !far_yaml_equal (a->items->pdata[i], other))
      return FALSE;
  }
  return TRUE;
}

gboolean
far_yaml_equal (const FarYaml *a, const FarYaml *b)
{
  if (a == NULL || b == NULL || a->kind != b->kind)
    return a == b;
  if (a->kind == FAR_YAML_SCALAR)
    return a->plain == b->plain && g_str_equal (a->text, b->text);
  if (a->items->len != b->items->len)
    return FALSE;
  return a->kind == FAR_YAML_LIST ? equal_lists (a, b) : equal_maps (a, b);
}

static void
merge_into_map (FarYaml *base, FarYaml *over)
{
  if (over->kind == FAR_YAML_MAP)
    far_yaml_merge (base, over);
  else
    far_yaml_free (over);
}

void
far_yaml_merge (FarYaml *base, FarYaml *over)
{
  for (guint i = 0; i < over->keys->len; i++) {
    FarYaml *key = over->keys->pdata[i], *value = over->items->pdata[i];
    guint index;

    over->keys->pdata[i] = NULL;
    over->items->pdata[i] = NULL;
    if (!tree_find (base, key->text, &index)) {
      g_ptr_array_add (base->keys, key);
      g_ptr_array_add (base->items, value);
      continue;
    }
    if (((FarYaml *) base->items->pdata[index])->kind == FAR_YAML_MAP &&
        (value->kind == FAR_YAML_MAP || far_yaml_is_nothing (value))) {
      merge_into_map (base->items->pdata[index], value);
      far_yaml_free (key);
      continue;
    }
    far_yaml_free (base->items->pdata[index]);
    base->items->pdata[index] = value;
    far_yaml_free (base->keys->pdata[index]);
    base->keys->pdata[index] = key;
  }
  far_yaml_free (over);
}

static gpointer
copy_node (gconstpointer node, gpointer unused)
{
  return far_yaml_copy (node);
}

static GPtrArray *
copy_nodes (GPtrArray *nodes)
{
  return nodes != NULL ? g_ptr_array_copy (nodes, copy_node, NULL) : NULL;
}

FarYaml *
far_yaml_copy (const FarYaml *node)
{
  FarYaml *copy = g_new (FarYaml, 1);

  *copy = *node;
  copy->source = node->source != NULL ? far_source_ref (node->source) : NULL;
  copy->text = g_strdup (node->text);
  copy->keys = copy_nodes (node->keys);
  copy->items = copy_nodes (node->items);
  return copy;
}

void
far_yaml_add (FarYaml *map, FarYaml *key, FarYaml *value)
{
  g_ptr_array_add (map->keys, key);
  g_ptr_array_add (map->items, value);
}

gboolean
far_yaml_take (FarYaml *map, const char *key, FarYaml **key_out, FarYaml **value_out)
{
  guint index;

  if (!tree_find (map, key, &index))
    return FALSE;
  *key_out = g_ptr_array_steal_index (map->keys, index);
  *value_out = g_ptr_array_steal_index (map->items, index);
  return TRUE;
}

static void
flow_append (GString *text, const FarYaml *node)
{
  if (node->kind == FAR_YAML_SCALAR && node->plain && strpbrk (node->text, ",[]{}#") == NULL) {
    g_string_append (text, node->text);
    return;
  }
  if (node->kind == FAR_YAML_SCALAR) {
    json_t *json = json_string (node->text);
    char *quoted = json_dumps (json, JSON_ENCODE_ANY | JSON_ENSURE_ASCII); /* which is YAML as well */

    g_string_append (text, quoted);
    free (quoted);
    json_decref (json);
    return;
  }
  g_string_append_c (text, node->kind == FAR_YAML_MAP ? '{' : '[');
  for (guint i = 0; i < node->items->len; i++) {
    g_string_append (text, i > 0 ? ", " : "");
    if (node->kind == FAR_YAML_MAP)
      g_string_append_printf (text, "%s: ", ((const FarYaml *) node->keys->pdata[i])->text);
    flow_append (text, node->items->pdata[i]);
  }
  g_string_append_c (text, node->kind == FAR_YAML_MAP ? '}' : ']');
}

char *
far_yaml_flow (const FarYaml *node)
{
  GString *text = g_string_new (NULL);

  flow_append (text, node);
  return g_string_free (text, FALSE);
}

const char *
far_yaml_kind_name (const FarYaml *node)
{
  return node->kind == FAR_YAML_MAP    ? _ ("a map")
         : node->kind == FAR_YAML_LIST ? _ ("a list")
                                       : _ ("a value");
}

char *
far_yaml_place (const FarYaml *node)
{
  if (node == NULL || node->source == NULL)
    return g_strdup ("");
  return g_strdup_printf ("%s:%u", node->source->path, node->line);
}
