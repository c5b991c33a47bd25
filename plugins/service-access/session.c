/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kind of session that access has (farwatch/book.h): the book keeps it, this file lets each new state
 * have its effects. How it is shown and written is in session-json.c. */
#include "config.h"

#include "access.h"

#define REMEMBERED 1000

static AccessSession *
access_of (FarSession *session)
{
  return (AccessSession *) session;
}

static gint64
access_kind_wait_us (FarSession *session)
{
  return access_session_wait_us (access_of (session)->self);
}

/* Who asks for the end lets the terminal end in order; where nothing is reserved there is nothing to wait
 * for. */
static gint64
access_kind_grace_us (FarSession *session, FarSessionEvent event)
{
  gboolean waits = event == FAR_SESSION_EV_CLOSE_ASKED && access_of (session)->ports;
  return waits ? access_opts (access_of (session)->self)->grace : 0;
}

static void
access_kind_end (FarSession *session)
{
  access_tunnel_end (access_of (session));
}

static void
session_let_go (AccessSession *session)
{
  if (session->ticket)
    far_ticket_revoke (session->ticket);
  g_clear_pointer (&session->ticket, g_free);
  g_clear_pointer (&session->offer, json_decref);
  g_clear_pointer (&session->login_box, far_secret_free);
  g_clear_pointer (&session->token, far_secret_free);
}

/* Nobody comes in any more by what was given out for it. */
static void
access_kind_lost (FarBook *book, const char *id)
{
  g_autofree char *claim = g_strdup_printf ("session/%s", id);
  far_token_withdraw (access_opts (far_book_self (book))->tokens, claim);
}

static void
access_session_over (AccessSession *session)
{
  session_let_go (session);
  access_rejected_end (session);
  access_kind_lost (session->book, session->id);
  far_log (session->self->at, G_LOG_LEVEL_MESSAGE, "session closed: %s, %s to %s%s%s, %s", session->id,
           session->person, session->terminal, session->device ? "/" : "",
           session->device ? session->device : "", session->cause);
}

static void
access_kind_entered (FarSession *base, FarSessionState before, FarSessionEvent event)
{
  AccessSession *session = access_of (base);
  if (session->state == FAR_SESSION_RESUMING || (session->state == FAR_SESSION_PERMITTED && session->ports))
    access_allocate_renew (session);
  else if (session->state == FAR_SESSION_PERMITTED)
    access_allocate (session);
  else if (session->state == FAR_SESSION_CLOSING)
    access_session_close_told (session);
  else if (session->state == FAR_SESSION_CLOSED)
    access_session_over (session);
}

/* The tunnel end lets go; rows stay as they are and read `restart` at the next start. */
static void
access_kind_gone (FarSession *base)
{
  AccessSession *session = access_of (base);
  session_let_go (session);
  if (session->ports && access_session_live (session))
    access_tunnel_end (session);
  session->self = NULL;
}

static void
access_kind_clear (FarSession *base)
{
  AccessSession *session = access_of (base);
  char *texts[] = { session->request, session->terminal, session->device, session->user,
                    session->from,    session->trouble,  session->tunnel, session->link_to };
  session_let_go (session);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
  g_clear_pointer (&session->ports, far_tunnel_free);
  g_clear_pointer (&session->carrier, far_carrier_unref);
  g_clear_pointer (&session->turned, g_ptr_array_unref);
}

const FarSessionKind access_session_kind = {
  .name = "access",
  .size = sizeof (AccessSession),
  .rows = "sessions",
  .history = "history",
  .word = "session",
  .remembered = REMEMBERED,
  .wait_us = access_kind_wait_us,
  .grace_us = access_kind_grace_us,
  .entered = access_kind_entered,
  .end = access_kind_end,
  .row = access_session_row,
  .record = access_session_record,
  .show = access_session_show,
  .lost = access_kind_lost,
  .gone = access_kind_gone,
  .clear = access_kind_clear,
};
