/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds for every service that writes the registry (farwatch/registry.h), tried on one: what it adds is
 * found and told, its own restart is told to nobody, and what hangs on a node ends when that is removed or
 * its name goes to another key, and only then. A program that includes it says how its service is asked. */
#pragma once
#include <check.h>
#include <string.h>

#include <farwatch/registry.h>

typedef struct {
  void (*add) (const char *id);                        /* registers it */
  void (*device) (const char *id, const char *device); /* puts a device behind it */
  void (*replace) (const char *id);                    /* another key takes its name */
  void (*remove) (const char *id);
  void (*restart) (void); /* the writer goes and comes again; it keeps what it has on disk */
} RegistryConform;

#define CONFORM_NODE "conform-1"

static struct {
  guint told[FAR_REGISTRY_REMOVED + 1], of_device, without; /* without: told of one that was not found */
} registry_told;

static void
registry_conform_hear (const FarRegistryEvent *event, gpointer user)
{
  if (strcmp (event->node->id, CONFORM_NODE) != 0)
    return;
  registry_told.without += far_registry_node (event->node->id) != event->node;
  if (event->device)
    registry_told.of_device++;
  else
    registry_told.told[event->kind]++;
}

static guint
registry_conform_count (FarRegistryEventKind kind)
{
  guint n = registry_told.told[kind];
  registry_told.told[kind] = 0;
  return n;
}

static void
registry_conform_quiet (void)
{
  for (guint i = 0; i <= FAR_REGISTRY_REMOVED; i++)
    ck_assert_msg (registry_told.told[i] == 0, "event %u was told %u times more", i, registry_told.told[i]);
  ck_assert_uint_eq (registry_told.of_device, 0);
}

static void
registry_conform_begins (const RegistryConform *with)
{
  ck_assert (far_registry_is_known (NULL));
  ck_assert_ptr_null (far_registry_node (CONFORM_NODE));
  with->add (CONFORM_NODE);
  const FarRegistryNode *node = far_registry_node (CONFORM_NODE);
  ck_assert_ptr_nonnull (node);
  ck_assert (g_str_has_suffix (node->object, "/" CONFORM_NODE));
  ck_assert_uint_eq (registry_conform_count (FAR_REGISTRY_ADDED), 1);
  with->device (CONFORM_NODE, "plc");
  ck_assert (g_hash_table_contains (node->devices, "plc"));
  ck_assert_uint_eq (registry_told.of_device, 1);
  registry_told.of_device = 0;
  registry_conform_quiet ();
}

static void
registry_conform_restarts (const RegistryConform *with)
{
  const FarRegistryNode *node = far_registry_node (CONFORM_NODE);
  g_autofree char *row = json_dumps (node->row, JSON_SORT_KEYS);
  with->restart ();
  ck_assert (far_registry_is_known (NULL));
  ck_assert_ptr_eq (far_registry_node (CONFORM_NODE), node);
  g_autofree char *after = json_dumps (node->row, JSON_SORT_KEYS);
  ck_assert_str_eq (after, row);
  ck_assert (g_hash_table_contains (node->devices, "plc"));
  registry_conform_quiet ();
}

static void
registry_conform_ends (const RegistryConform *with)
{
  with->replace (CONFORM_NODE);
  ck_assert_uint_eq (registry_conform_count (FAR_REGISTRY_REPLACED), 1);
  registry_conform_count (FAR_REGISTRY_CHANGED); /* its row may have changed, once or twice */
  ck_assert_ptr_nonnull (far_registry_node (CONFORM_NODE));
  registry_conform_quiet ();
  with->remove (CONFORM_NODE);
  ck_assert_uint_eq (registry_conform_count (FAR_REGISTRY_REMOVED), 1);
  ck_assert_ptr_null (far_registry_node (CONFORM_NODE));
  registry_conform_quiet ();
  with->restart ();
  ck_assert_ptr_null (far_registry_node (CONFORM_NODE));
  registry_conform_quiet ();
}

/* The whole course; afterwards the registry is as it was before. */
static void
registry_conform (const RegistryConform *with)
{
  guint id = far_registry_listen (NULL, registry_conform_hear, NULL);
  memset (&registry_told, 0, sizeof registry_told);
  registry_conform_begins (with);
  registry_conform_restarts (with);
  registry_conform_ends (with);
  ck_assert_uint_eq (registry_told.without, 0);
  far_registry_unlisten (id);
}
