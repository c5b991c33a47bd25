/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps lists of listeners (listener.h): those who leave while all are told are marked, and taken
 * out when the outermost telling has ended. */
#include "config.h"

#include "data/listener.h"

#include "loop/owned.h"

typedef struct {
  FarOwned owned;
  FarListeners *of;
  guint id;
  FarListenerFunc func; /* NULL: gone */
  gpointer user;
} ListenerEntry;

static void
listeners_sweep (FarListeners *of)
{
  for (guint i = of->list != NULL ? of->list->len : 0; i > 0; i--)
    if (((ListenerEntry *) of->list->pdata[i - 1])->func == NULL)
      g_ptr_array_remove_index (of->list, i - 1);
  if (of->list != NULL && of->list->len == 0)
    g_clear_pointer (&of->list, g_ptr_array_unref);
}

static void
listener_entry_end (gpointer thing)
{
  ListenerEntry *entry = thing;
  FarListeners *of = entry->of;

  far_owned_leave (&entry->owned);
  entry->func = NULL;
  if (of->depth == 0)
    listeners_sweep (of);
}

guint
far_listeners_add (FarListeners *to, FarInstance *at, FarListenerFunc func, gpointer user)
{
  ListenerEntry *entry = g_new0 (ListenerEntry, 1);

  entry->of = to;
  entry->id = ++to->last_id;
  entry->func = func;
  entry->user = user;
  far_owned_by (&entry->owned, at, listener_entry_end, entry);
  if (to->list == NULL)
    to->list = g_ptr_array_new_with_free_func (g_free);
  g_ptr_array_add (to->list, entry);
  return entry->id;
}

void
far_listeners_remove (FarListeners *from, guint id)
{
  for (guint i = 0; from->list != NULL && i < from->list->len; i++) {
    ListenerEntry *entry = from->list->pdata[i];

    if (entry->id == id && entry->func != NULL) {
      listener_entry_end (entry);
      return;
    }
  }
}

void
far_listeners_tell (FarListeners *to, FarListenerCall call, gconstpointer thing)
{
  guint n = to->list != NULL ? to->list->len : 0;

  to->depth++;
  for (guint i = 0; i < n; i++) {
    const ListenerEntry *entry = to->list->pdata[i];

    if (entry->func != NULL)
      call (entry->func, thing, entry->user);
  }
  to->depth--;
  if (to->depth == 0)
    listeners_sweep (to);
}

/* Instances that are still there end them no more. */
void
far_listeners_clear (FarListeners *list)
{
  for (guint i = 0; list->list != NULL && i < list->list->len; i++)
    far_owned_leave (&((ListenerEntry *) list->list->pdata[i])->owned);
  g_clear_pointer (&list->list, g_ptr_array_unref);
}
