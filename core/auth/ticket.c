/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stream tickets: a word that opens one stream at any interface. */
#include "config.h"

#include "auth/ticket.h"

#include "base/node-part.h"

#include <farwatch/clock.h>
#include <farwatch/loop.h>
#include <farwatch/message.h>
#include <farwatch/trust.h>
#include <farwatch/thread.h>

#include "loop/owned.h"

typedef struct {
  FarOwned owned;
  char *text;
  FarPrincipal *principal;
  gboolean reusable;
  gint64 until_us;
  FarTicketFunc stream;
  gpointer user;
  GList link;
} Ticket;

/* In order of issue; touched on main only. */
typedef struct {
  GHashTable *by_text;
  GQueue order;
} Tickets;

static void
tickets_clear (gpointer part)
{
  far_ticket_clear ();
}

static Tickets *
tickets (void)
{
  static const FarNodePart part = { FAR_PART_TICKET, sizeof (Tickets), NULL, tickets_clear };

  return far_node_part (&part);
}

static void
ticket_free (Ticket *ticket)
{
  far_owned_leave (&ticket->owned);
  g_queue_unlink (&tickets ()->order, &ticket->link);
  g_hash_table_remove (tickets ()->by_text, ticket->text);
  g_free (ticket->text);
  far_principal_unref (ticket->principal);
  g_free (ticket);
}

static void
ticket_end (gpointer thing)
{
  ticket_free (thing);
}

static void
ticket_age (void)
{
  gint64 now = far_clock_boottime_us ();

  for (GList *link = tickets ()->order.head, *after; link != NULL; link = after) {
    Ticket *ticket = link->data;

    after = link->next;
    if (ticket->until_us <= now)
      ticket_free (ticket);
  }
  while (tickets ()->order.length >= FAR_TICKETS)
    ticket_free (tickets ()->order.head->data);
}

char *
far_ticket_new (FarInstance *at, const FarPrincipal *principal, gboolean reusable, gint64 until_boot_us,
                FarTicketFunc stream, gpointer user)
{
  FAR_ON_MAIN ();
  Ticket *ticket = g_new0 (Ticket, 1);

  if (tickets ()->by_text == NULL)
    tickets ()->by_text = g_hash_table_new (g_str_hash, g_str_equal);
  ticket_age ();
  *ticket = (Ticket){ .text = far_random_text (32),
                      .principal = far_principal_ref (principal),
                      .reusable = reusable,
                      .until_us = until_boot_us,
                      .stream = stream,
                      .user = user };
  far_owned_by (&ticket->owned, at, ticket_end, ticket);
  ticket->link.data = ticket;
  g_queue_push_tail_link (&tickets ()->order, &ticket->link);
  g_hash_table_insert (tickets ()->by_text, ticket->text, ticket);
  return g_strdup (ticket->text);
}

static Ticket *
ticket_find (const char *text)
{
  Ticket *ticket = tickets ()->by_text != NULL ? g_hash_table_lookup (tickets ()->by_text, text) : NULL;

  if (ticket == NULL || ticket->until_us > far_clock_boottime_us ())
    return ticket;
  ticket_free (ticket);
  return NULL;
}

void
far_ticket_revoke (const char *text)
{
  FAR_ON_MAIN ();
  Ticket *ticket = ticket_find (text);

  if (ticket != NULL)
    ticket_free (ticket);
}

gboolean
far_ticket_valid (const char *text, const FarPrincipal *principal)
{
  FAR_ON_MAIN ();
  const Ticket *ticket = ticket_find (text);

  if (ticket == NULL || principal == NULL)
    return ticket != NULL;
  return ticket->principal->kind == principal->kind &&
         g_str_equal (ticket->principal->name, principal->name) &&
         g_strcmp0 (ticket->principal->via, principal->via) == 0;
}

static void
ticket_free_stream (gpointer data)
{
  far_stream_free (data);
}

void
far_ticket_redeem (const char *text, FarStream *stream, const char *from)
{
  FAR_ON_MAIN ();
  Ticket *ticket = ticket_find (text);
  FarTicketFunc func;
  gpointer user;

  if (ticket == NULL) {
    far_loop_post (stream->loop, ticket_free_stream, stream); /* a stream is freed at its loop */
    return;
  }
  func = ticket->stream;
  user = ticket->user;
  if (!ticket->reusable)
    ticket_free (ticket);
  func (stream, from, user);
}

guint
far_ticket_count (void)
{
  return tickets ()->order.length;
}

void
far_ticket_clear (void)
{
  while (tickets ()->order.head != NULL)
    ticket_free (tickets ()->order.head->data);
  g_clear_pointer (&tickets ()->by_text, g_hash_table_unref);
}
