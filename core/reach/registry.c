/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps the registry (farwatch/registry.h): the entries, who writes them, who is told. */
#include "config.h"

#include "reach/registry-private.h"

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/right.h>
#include <farwatch/thread.h>

#include "base/node-part.h"
#include "data/listener.h"
#include "loop/owned.h"
#include "reach/peer.h"

typedef struct {
  FarOwned writer;   /* ends with the instance that writes */
  FarInstance *at;   /* that one; NULL: nobody writes now */
  char *transport;   /* on which its nodes come; NULL: nobody has said it */
  gboolean known;    /* the writer has said all */
  GHashTable *nodes; /* id → FarRegistryHeld; NULL: none */
  FarListeners listeners;
} Registry;

static void
registry_part_clear (gpointer part)
{
  Registry *self = part;

  far_owned_leave (&self->writer);
  far_listeners_clear (&self->listeners);
  g_clear_pointer (&self->nodes, g_hash_table_unref);
  g_clear_pointer (&self->transport, g_free);
  self->at = NULL;
  self->known = FALSE;
}

static Registry *
registry_part (void)
{
  static const FarNodePart part = { FAR_PART_REGISTRY, sizeof (Registry), NULL, registry_part_clear };

  return far_node_part (&part);
}

void
far_registry_forget (void)
{
  registry_part_clear (registry_part ());
}

static void
registry_held_free (gpointer data)
{
  FarRegistryHeld *held = data;

  json_decref (held->seen.row);
  g_hash_table_unref (held->seen.devices);
  g_clear_pointer (&held->old, g_hash_table_unref);
  g_clear_pointer (&held->ways, g_hash_table_unref);
  g_strfreev (held->carriers);
  g_free (held->nonce);
  g_free (held->from);
  g_free (held->object);
  g_free (held->id);
  g_free (held);
}

/* ---- who is told ---- */

static void
registry_listener_call (FarListenerFunc func, gconstpointer event, gpointer user)
{
  ((FarRegistryFunc) func) (event, user);
}

void
far_registry_tell (FarRegistryHeld *held, FarRegistryEventKind kind, const char *device)
{
  FarRegistryEvent event = { .kind = kind, .node = &held->seen, .device = device };

  far_listeners_tell (&registry_part ()->listeners, registry_listener_call, &event);
}

guint
far_registry_listen (FarInstance *at, FarRegistryFunc func, gpointer user)
{
  FAR_ON_MAIN ();
  return far_listeners_add (&registry_part ()->listeners, at, (FarListenerFunc) func, user);
}

void
far_registry_unlisten (guint id)
{
  FAR_ON_MAIN ();
  far_listeners_remove (&registry_part ()->listeners, id);
}

/* ---- reading ---- */

FarRegistryHeld *
far_registry_held (const char *id)
{
  GHashTable *nodes = registry_part ()->nodes;

  return id != NULL && nodes != NULL ? g_hash_table_lookup (nodes, id) : NULL;
}

const FarRegistryNode *
far_registry_node (const char *id)
{
  FAR_ON_MAIN ();
  const FarRegistryHeld *held = far_registry_held (id);

  return held != NULL ? &held->seen : NULL;
}

GPtrArray *
far_registry_nodes (void)
{
  FAR_ON_MAIN ();
  GPtrArray *all = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer held;

  if (registry_part ()->nodes == NULL)
    return all;
  g_hash_table_iter_init (&iter, registry_part ()->nodes);
  while (g_hash_table_iter_next (&iter, NULL, &held))
    g_ptr_array_add (all, &((FarRegistryHeld *) held)->seen);
  return all;
}

gboolean
far_registry_is_known (GError **error)
{
  FAR_ON_MAIN ();
  if (registry_part ()->known)
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                       _ ("which nodes are registered cannot be read here now, since the service that keeps "
                          "them does not run; farctl status tells the server's admin why"));
  return FALSE;
}

/* ---- links ---- */

static void
registry_set_text (char **own, const char **seen, const char *text)
{
  char *copy = g_strdup (text);

  g_free (*own);
  *own = copy;
  *seen = copy;
}

/* What a node said goes with its link. */
static void
registry_link_set (FarRegistryHeld *held, gboolean up, const char *from)
{
  held->seen.connected = up;
  held->seen.seen_us = far_clock_wall_us ();
  if (up)
    registry_set_text (&held->from, &held->seen.from, from);
  else
    registry_set_text (&held->nonce, &held->seen.nonce, NULL);
}

/* What core knows of the node's link, where that differs from what stands in the entry. */
static void
registry_link_look (FarRegistryHeld *held)
{
  const char *from = NULL;
  gboolean up = registry_part ()->transport != NULL &&
                far_peer_is_up (registry_part ()->transport, held->id, &from);

  if (up != held->seen.connected)
    registry_link_set (held, up, from);
}

void
far_registry_link (const char *transport, const char *peer, gboolean up, const char *from)
{
  FarRegistryHeld *held = far_registry_held (peer);

  if (held != NULL && g_strcmp0 (transport, registry_part ()->transport) == 0)
    registry_link_set (held, up, from);
}

void
far_registry_polled (const char *id, const FarRegistryPoll *poll)
{
  FAR_ON_MAIN ();
  FarRegistryHeld *held = far_registry_held (id);

  if (held == NULL)
    return;
  held->seen.polled_us = held->seen.seen_us = far_clock_wall_us ();
  if (poll->has_clock) {
    held->seen.skew_us = CLAMP (poll->clock_us, G_MININT64 / 4, G_MAXINT64 / 4) - held->seen.polled_us;
    held->seen.skew_told = TRUE;
  }
  if (poll->nonce == NULL)
    return;
  registry_set_text (&held->nonce, &held->seen.nonce, poll->nonce);
  g_strfreev (held->carriers);
  held->carriers = g_strdupv (poll->carriers);
  held->seen.carriers = (const char *const *) held->carriers;
}

/* ---- the writer ---- */

static void
registry_writer_gone (gpointer thing)
{
  Registry *self = thing;

  far_owned_leave (&self->writer);
  self->at = NULL;
  self->known = FALSE;
}

static void
registry_mark (gpointer id, gpointer data, gpointer user)
{
  FarRegistryHeld *held = data;
  GHashTableIter iter;
  gpointer name;

  held->stale = TRUE;
  g_clear_pointer (&held->old, g_hash_table_unref);
  held->old = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_iter_init (&iter, held->seen.devices);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    g_hash_table_add (held->old, g_strdup (name));
  registry_link_look (held);
}

static gboolean
registry_is_writer (const FarInstance *at)
{
  return at != NULL && at == registry_part ()->at;
}

gboolean
far_registry_begin (FarInstance *at, const char *transport, GError **error)
{
  FAR_ON_MAIN ();
  Registry *self = registry_part ();

  if (self->at != NULL && self->at != at) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("%s keeps the registry of nodes already"),
                 far_instance_path (self->at));
    return FALSE;
  }
  far_owned_leave (&self->writer);
  far_owned_by (&self->writer, at, registry_writer_gone, self);
  self->at = at;
  self->known = FALSE;
  g_free (self->transport);
  self->transport = g_strdup (transport);
  if (self->nodes == NULL)
    self->nodes = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, registry_held_free);
  g_hash_table_foreach (self->nodes, registry_mark, NULL);
  return TRUE;
}

void
far_registry_complete (FarInstance *at)
{
  FAR_ON_MAIN ();
  Registry *self = registry_part ();
  g_autoptr (GPtrArray) gone = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer held;

  if (!registry_is_writer (at))
    return;
  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, NULL, &held))
    if (((FarRegistryHeld *) held)->stale)
      g_ptr_array_add (gone, g_strdup (((FarRegistryHeld *) held)->id));
    else
      far_registry_devices_settle (held);
  for (guint i = 0; i < gone->len; i++)
    far_registry_remove (at, gone->pdata[i]);
  self->known = TRUE;
}

FarRegistryHeld *
far_registry_own (FarInstance *at, const char *id)
{
  return registry_is_writer (at) ? far_registry_held (id) : NULL;
}

static FarRegistryHeld *
registry_held_new (const char *id)
{
  FarRegistryHeld *held = g_new0 (FarRegistryHeld, 1);

  held->id = g_strdup (id);
  held->seen.id = held->id;
  held->seen.devices = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) json_decref);
  g_hash_table_insert (registry_part ()->nodes, held->id, held);
  registry_link_look (held);
  return held;
}

const FarRegistryNode *
far_registry_put (FarInstance *at, const FarRegistryEntry *entry)
{
  FAR_ON_MAIN ();
  FarRegistryHeld *held = far_registry_own (at, entry->id);
  gboolean is_new = held == NULL;
  json_t *before;

  if (!registry_is_writer (at))
    return NULL;
  if (is_new)
    held = registry_held_new (entry->id);
  before = held->seen.row;
  held->seen.row = json_incref (entry->row);
  held->stale = FALSE;
  registry_set_text (&held->object, &held->seen.object, entry->object);
  far_right_alias (registry_part (), held->object, entry->names);
  if (is_new || !json_equal (before, held->seen.row))
    far_registry_tell (held, is_new ? FAR_REGISTRY_ADDED : FAR_REGISTRY_CHANGED, NULL);
  json_decref (before);
  return &held->seen;
}

void
far_registry_void (FarInstance *at, const char *id, FarRegistryEventKind kind)
{
  FAR_ON_MAIN ();
  FarRegistryHeld *held = far_registry_own (at, id);

  if (held != NULL)
    far_registry_tell (held, kind, NULL);
}

void
far_registry_remove (FarInstance *at, const char *id)
{
  FAR_ON_MAIN ();
  FarRegistryHeld *held = far_registry_own (at, id);

  if (held == NULL)
    return;
  far_registry_tell (held, FAR_REGISTRY_REMOVED, NULL);
  far_right_alias (registry_part (), held->object, NULL);
  g_hash_table_remove (registry_part ()->nodes, held->id);
}
