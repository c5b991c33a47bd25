/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file shows sessions to people: who may see one, lists in pages, and watches. */
#include "config.h"

#include "reach/book-private.h"

#include <string.h>

#include <farwatch/thread.h>

gboolean
far_session_own (const FarSession *session, const FarPrincipal *principal)
{
  FAR_ON_MAIN ();
  g_autofree char *person = far_principal_text (principal);

  return g_strcmp0 (session->person, person) == 0;
}

gboolean
far_session_visible (const FarSession *session, const FarPrincipal *principal)
{
  FAR_ON_MAIN ();
  if (session->kind->visible != NULL)
    return session->kind->visible (session, principal);
  return far_session_own (session, principal) || far_authorize_see (principal, session->object);
}

FarSession *
far_book_resolve (FarBook *book, const char *id, const FarPrincipal *principal, FarResolved *found)
{
  FAR_ON_MAIN ();
  FarSession *session = far_book_session (book, id);

  if (session == NULL)
    return NULL;
  found->object = g_strdup (session->object);
  found->own = far_session_own (session, principal);
  return session;
}

/* ---- lists ---- */

static int
by_place (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(FarSession *const *) a)->in->place, (*(FarSession *const *) b)->in->place);
}

static GPtrArray *
list_seen (FarBook *book, const FarPrincipal *principal, gboolean closed)
{
  GPtrArray *seen = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer session;

  g_hash_table_iter_init (&iter, book->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &session))
    if ((closed || far_session_live (session)) && far_session_visible (session, principal))
      g_ptr_array_add (seen, session);
  g_ptr_array_sort (seen, by_place);
  return seen;
}

/* Where the next page begins is a time and an id: the session that had them may have ended since. */
void
far_book_list (FarBook *book, FarCall *call, guint most, gboolean closed)
{
  FAR_ON_MAIN ();
  const char *all = json_string_value (json_object_get (call->query, "all"));
  g_autoptr (GPtrArray) seen = list_seen (book, call->principal, closed && g_strcmp0 (all, "yes") == 0);
  FarPage page;

  far_page_begin (&page, call, most, 0);
  for (guint i = 0; i < seen->len && page.next == NULL; i++) {
    const FarSession *session = seen->pdata[i];

    if (far_page_wants (&page, session->in->place))
      far_page_take (&page, session->in->place, session->kind->show (session));
  }
  far_call_answer (call, 200, json_pack ("{s:o, s:s?}", "sessions", page.list, "next", page.next));
}

/* ---- watches ---- */

static void
book_watch_gone (guint watch, gpointer user)
{
  FarSession *session = user;
  GArray *watches = session->in->watches;

  for (guint i = 0; i < watches->len; i++)
    if (g_array_index (watches, guint, i) == watch) {
      g_array_remove_index_fast (watches, i);
      break;
    }
  far_session_unref (session);
}

void
far_session_subscribe (FarSession *session, FarCall *call)
{
  FAR_ON_MAIN ();
  gboolean over = !far_session_live (session);
  guint watch = far_call_subscribe (call, book_watch_gone, far_session_ref (session));

  if (watch == 0)
    return; /* the asker has gone */
  g_array_append_val (session->in->watches, watch);
  far_subscription_event (watch, session->kind->show (session));
  if (over)
    far_subscription_event (watch, NULL);
}

/* A right may have gone while one watched. */
static void
book_watch_tell (const FarSession *session, guint watch)
{
  const FarPrincipal *who = far_subscription_principal (watch);

  if (who != NULL && far_session_visible (session, who))
    far_subscription_event (watch, session->kind->show (session));
  else
    far_subscription_event (watch, NULL);
}

void
far_session_tell (FarSession *session)
{
  FAR_ON_MAIN ();
  g_autoptr (GArray) watches = g_array_copy (session->in->watches); /* an event may end a watch */
  gboolean over = !far_session_live (session);

  for (guint i = 0; i < watches->len; i++) {
    book_watch_tell (session, g_array_index (watches, guint, i));
    if (over)
      far_subscription_event (g_array_index (watches, guint, i), NULL);
  }
}
