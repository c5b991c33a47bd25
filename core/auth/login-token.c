/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Front tickets: who logged in acts with a word core issued. Kept as a hash, so that what memory or a core
 * file shows opens nothing. */
#include "config.h"

#include "auth/login-token.h"

#include "base/node-part.h"

#include <farwatch/clock.h>
#include <farwatch/login.h>
#include <farwatch/trust.h>
#include <farwatch/thread.h>

typedef struct {
  char *hash;
  FarPrincipal *principal;
  gint64 until_us; /* boottime */
} FrontTicket;

/* Oldest first; touched on main only. */
typedef struct {
  GQueue queue;
} LoginTokens;

static void
login_tokens_clear (gpointer part)
{
  far_login_ticket_clear ();
}

static LoginTokens *
login_tokens (void)
{
  static const FarNodePart part = { FAR_PART_LOGIN_TOKEN, sizeof (LoginTokens), NULL, login_tokens_clear };

  return far_node_part (&part);
}

static void
front_free (FrontTicket *ticket)
{
  g_free (ticket->hash);
  far_principal_unref (ticket->principal);
  g_free (ticket);
}

static void
front_age (void)
{
  FrontTicket *oldest;

  while ((oldest = g_queue_peek_head (&login_tokens ()->queue)) != NULL &&
         oldest->until_us <= far_clock_boottime_us ())
    front_free (g_queue_pop_head (&login_tokens ()->queue));
}

static void
front_drop_oldest_of (const char *name)
{
  guint n = 0;

  for (GList *link = login_tokens ()->queue.tail, *before; link != NULL; link = before) {
    before = link->prev;
    if (g_str_equal (((FrontTicket *) link->data)->principal->name, name) &&
        ++n >= FAR_FRONT_TICKETS_PER_NAME) {
      front_free (link->data);
      g_queue_delete_link (&login_tokens ()->queue, link);
    }
  }
  if (login_tokens ()->queue.length >= FAR_FRONT_TICKETS)
    front_free (g_queue_pop_head (&login_tokens ()->queue));
}

char *
far_login_ticket_new (const FarPrincipal *principal)
{
  FAR_ON_MAIN ();
  FrontTicket *ticket = g_new0 (FrontTicket, 1);
  char *text = far_random_text (43); /* 256 bits */

  front_age ();
  front_drop_oldest_of (principal->name);
  ticket->hash = far_sha256_text (text);
  ticket->principal = far_principal_ref (principal);
  ticket->until_us = far_clock_boottime_us () + FAR_FRONT_TICKET_US;
  g_queue_push_tail (&login_tokens ()->queue, ticket);
  return text;
}

/* Rights may be bound to an address: it is the one seen now, not that of the login. */
static FarPrincipal *
front_principal (const FarPrincipal *principal, const char *from)
{
  FarPrincipal *now = far_principal_new (principal->kind, principal->name,
                                         (const char *const *) principal->groups, from);

  now->until_us = principal->until_us;
  /* A request is no new login: what ends the person's logins ends this one. */
  now->since_us = principal->since_us;
  return now;
}

FarPrincipal *
far_login_ticket_principal (const char *text, const char *from)
{
  FAR_ON_MAIN ();
  g_autofree char *hash = far_sha256_text (text);

  front_age ();
  for (GList *link = login_tokens ()->queue.head; link != NULL; link = link->next) {
    const FrontTicket *ticket = link->data;

    if (!far_equal_secret (ticket->hash, hash))
      continue;
    if (ticket->principal->until_us != 0 && ticket->principal->until_us <= far_clock_wall_us ())
      return NULL;
    return front_principal (ticket->principal, from);
  }
  return NULL;
}

void
far_login_ticket_revoke_name (const char *name)
{
  FAR_ON_MAIN ();
  for (GList *link = login_tokens ()->queue.head, *after; link != NULL; link = after) {
    FrontTicket *ticket = link->data;

    after = link->next;
    if (g_str_equal (ticket->principal->name, name)) {
      front_free (ticket);
      g_queue_delete_link (&login_tokens ()->queue, link);
    }
  }
}

guint
far_login_ticket_count (void)
{
  return login_tokens ()->queue.length;
}

void
far_login_ticket_clear (void)
{
  g_queue_clear_full (&login_tokens ()->queue, (GDestroyNotify) front_free);
}
