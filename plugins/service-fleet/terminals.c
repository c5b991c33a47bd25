/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file answers who asks for terminals (spec B1): the list, one with its devices, its keys. */
#include "config.h"

#include "fleet.h"

#include <string.h>

#define NONCE_WORD 16
#define PAGE 1000 /* terminals of one answer, if it holds so many */

/* Who has a right to a device knows of its terminal what it takes to reach the device: whether it is there,
 * since when not, how it is come by. */
static json_t *
terminal_name_show (const FarRegistryNode *terminal, guint devices)
{
  g_autofree char *seen = terminal->seen_us ? far_clock_format (terminal->seen_us) : NULL;
  return json_pack ("{s:s, s:b, s:s?, s:I, s:s?}", "terminal", terminal->id, "connected", terminal->connected,
                    "seen", seen, "devices", (json_int_t) devices, "stock",
                    fleet_text (terminal->row, "stock"));
}

static int
by_text (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (a, b);
}

/* Devices the principal may see, in the order of their names: keys of terminal->devices, borrowed. */
static GList *
devices_seen (const FarRegistryNode *terminal, const FarPrincipal *principal)
{
  GList *names = g_list_sort (g_hash_table_get_keys (terminal->devices), by_text), *next;
  for (GList *at = names; at; at = next) {
    g_autofree char *object = fleet_object (terminal->id, at->data);
    next = at->next;
    if (!far_authorize_see (principal, object))
      names = g_list_delete_link (names, at);
  }
  return names;
}

static json_t *
terminal_show_to (const FarRegistryNode *terminal, const FarPrincipal *principal)
{
  g_autofree char *object = fleet_object (terminal->id, NULL);
  if (far_authorize_see (principal, object))
    return fleet_terminal_show (terminal);
  g_autoptr (GList) names = devices_seen (terminal, principal);
  return terminal_name_show (terminal, g_list_length (names));
}

static int
terminals_by_id (gconstpointer a, gconstpointer b)
{
  const FarRegistryNode *const *one = a, *const *two = b;
  return strcmp ((*one)->id, (*two)->id);
}

void
fleet_terminals_get (gpointer data, FarCall *call)
{
  g_autoptr (GPtrArray) all = far_registry_nodes ();
  FarPage page;
  g_ptr_array_sort (all, terminals_by_id);
  far_page_begin (&page, call, PAGE, 0);
  for (guint i = 0; i < all->len && !page.next; i++) {
    const FarRegistryNode *terminal = all->pdata[i];
    if (far_visible (call->principal, terminal->object) && far_page_wants (&page, terminal->id))
      far_page_take (&page, terminal->id, terminal_show_to (terminal, call->principal));
  }
  far_call_answer (call, 200, json_pack ("{s:o, s:s?}", "terminals", page.list, "next", page.next));
}

static void
devices_page (FarPage *page, const FarRegistryNode *terminal, FarCall *call)
{
  g_autoptr (GList) names = devices_seen (terminal, call->principal);
  far_page_begin (page, call, G_MAXUINT16, 0);
  for (GList *at = names; at && !page->next; at = at->next)
    if (far_page_wants (page, at->data))
      far_page_take (page, at->data, fleet_device_show (g_hash_table_lookup (terminal->devices, at->data)));
}

void
fleet_terminal_get (gpointer data, FarCall *call)
{
  const FarRegistryNode *terminal = fleet_called_terminal (call);
  if (!terminal)
    return;
  json_t *body = terminal_show_to (terminal, call->principal);
  FarPage page;
  devices_page (&page, terminal, call);
  json_object_set_new (body, "devices", page.list);
  json_object_set_new (body, "host_key", json_pack ("s?", fleet_text (terminal->row, "ssh")));
  json_object_set_new (body, "next", json_pack ("s?", page.next));
  far_call_answer (call, 200, body);
}

/* What the client needs to seal a login to the terminal and to know its host key: for all who know of the
 * terminal, since who may reach a device comes by the terminal's keys. Each call makes a nonce of its own out
 * of the one that the terminal gave: nobody uses up another's. */
void
fleet_statement_get (gpointer data, FarCall *call)
{
  const FarRegistryNode *terminal = fleet_called_terminal (call);
  if (!terminal)
    return;
  json_t *statement = json_object_get (terminal->row, "statement");
  g_autofree char *seen = terminal->seen_us ? far_clock_format (terminal->seen_us) : NULL;
  g_autofree char *word = far_random_text (NONCE_WORD),
                  *nonce = terminal->nonce ? g_strconcat (terminal->nonce, ".", word, NULL) : NULL;
  if (!statement)
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND,
                       _ ("terminal '%s' has not joined the fleet yet: run `farctl enroll --profile FILE "
                          "--server HOST:PORT` there, with its join token"),
                       terminal->id);
  else
    far_call_answer (call, 200,
                     json_pack ("{s:O, s:s?, s:b, s:s?}", "statement", statement, "nonce", nonce, "connected",
                                terminal->connected, "seen", seen));
}
