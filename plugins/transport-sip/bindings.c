/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A hash table of bindings, and the names of accounts that have been there: who is known and not there is
 * told otherwise than who was never heard of. */
#include "config.h"

#include "bindings.h"

#include <string.h>

#define KNOWN_MAX 65536

struct _SipBindings {
  GHashTable *table; /* account → SipBinding */
  GHashTable *known; /* set of accounts */
  guint max;
};

typedef struct {
  SipBinding binding; /* first */
  char *account;
} Row;

static void
row_free (gpointer data)
{
  Row *row = data;
  g_free (row->binding.contact);
  g_free (row->binding.call_id);
  g_free (row->account);
  g_free (row);
}

SipBindings *
sip_bindings_new (guint max)
{
  SipBindings *bindings = g_new0 (SipBindings, 1);
  bindings->table = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, row_free);
  bindings->known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  bindings->max = max;
  return bindings;
}

void
sip_bindings_free (SipBindings *bindings)
{
  if (bindings == NULL)
    return;
  g_hash_table_unref (bindings->table);
  g_hash_table_unref (bindings->known);
  g_free (bindings);
}

void
sip_bindings_set_max (SipBindings *bindings, guint max)
{
  bindings->max = max;
}

guint
sip_bindings_count (SipBindings *bindings)
{
  return g_hash_table_size (bindings->table);
}

/* ---- changes ---- */

static void
bindings_insert (SipBindings *bindings, const SipBindingAsk *ask, gint64 since_wall_us)
{
  Row *row = g_new0 (Row, 1);
  row->account = g_strdup (ask->account);
  row->binding = (SipBinding){ .account = row->account,
                               .flow = ask->flow,
                               .contact = g_strdup (ask->contact),
                               .call_id = g_strdup (ask->call_id),
                               .cseq = ask->cseq,
                               .expires_us = ask->now_us + ask->expires_s * G_USEC_PER_SEC,
                               .since_wall_us = since_wall_us };
  g_hash_table_replace (bindings->table, row->account, row);
  if (g_hash_table_size (bindings->known) < KNOWN_MAX)
    g_hash_table_add (bindings->known, g_strdup (ask->account));
}

static gboolean
binding_live (const SipBinding *binding, gint64 now_us)
{
  return binding != NULL && binding->expires_us > now_us;
}

/* Takes away what the contact means; one that is not there is none to be taken. */
static void
bindings_remove (SipBindings *bindings, const SipBinding *old, const SipBindingAsk *ask)
{
  if (old != NULL && (ask->contact == NULL || strcmp (old->contact, ask->contact) == 0))
    g_hash_table_remove (bindings->table, ask->account);
}

SipBindingResult
sip_bindings_put (SipBindings *bindings, const SipBindingAsk *ask, guint64 *replaced)
{
  const SipBinding *old = g_hash_table_lookup (bindings->table, ask->account);
  gint64 since = ask->now_wall_us;
  *replaced = 0;
  if (binding_live (old, ask->now_us) && strcmp (old->call_id, ask->call_id) == 0 && ask->cseq <= old->cseq)
    return SIP_BINDING_OLD;
  if (ask->expires_s == 0) {
    bindings_remove (bindings, old, ask);
    return SIP_BINDING_DONE;
  }
  if (old == NULL && g_hash_table_size (bindings->table) >= bindings->max)
    return SIP_BINDING_FULL;
  if (old != NULL && old->flow != ask->flow)
    *replaced = old->flow;
  else if (binding_live (old, ask->now_us))
    since = old->since_wall_us;
  bindings_insert (bindings, ask, since);
  return SIP_BINDING_DONE;
}

gboolean
sip_bindings_drop (SipBindings *bindings, const char *account, guint64 flow)
{
  const SipBinding *binding = g_hash_table_lookup (bindings->table, account);
  return binding != NULL && binding->flow == flow && g_hash_table_remove (bindings->table, account);
}

void
sip_bindings_expire (SipBindings *bindings, gint64 now_us, void (*gone) (guint64 flow, gpointer user),
                     gpointer user)
{
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, bindings->table);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    guint64 flow = ((Row *) value)->binding.flow;
    if (binding_live (value, now_us))
      continue;
    g_hash_table_iter_remove (&iter);
    gone (flow, user);
  }
}

/* ---- questions ---- */

const SipBinding *
sip_bindings_find (SipBindings *bindings, const char *account, gint64 now_us)
{
  const SipBinding *binding = g_hash_table_lookup (bindings->table, account);
  return binding_live (binding, now_us) ? binding : NULL;
}

gboolean
sip_bindings_known (SipBindings *bindings, const char *account)
{
  return g_hash_table_contains (bindings->known, account);
}

static gint
by_account (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(SipBinding *const *) a)->account, (*(SipBinding *const *) b)->account);
}

GPtrArray *
sip_bindings_list (SipBindings *bindings)
{
  GPtrArray *list = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, bindings->table);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (list, value);
  g_ptr_array_sort (list, by_account);
  return list;
}
