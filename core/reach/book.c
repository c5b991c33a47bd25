/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the book itself, the life of a session in it, and the way of an event: table, effects,
 * watchers, write. What each of these does is in the other files of the book. */
#include "config.h"

#include "reach/book-private.h"

#include "base/node-part.h"

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/thread.h>

#include <string.h>

/* ---- the book ---- */

/* Those of a node that have not stopped. */
typedef struct {
  GPtrArray *books; /* NULL: none yet */
} BookPart;

static void
book_part_clear (gpointer part)
{
  g_clear_pointer (&((BookPart *) part)->books, g_ptr_array_unref);
}

static GPtrArray *
book_list (void)
{
  static const FarNodePart id = { FAR_PART_BOOK, sizeof (BookPart), NULL, book_part_clear };
  BookPart *part = far_node_part (&id);

  if (part->books == NULL)
    part->books = g_ptr_array_new ();
  return part->books;
}

guint
far_sessions_live (void)
{
  FAR_ON_MAIN ();
  GPtrArray *books = book_list ();
  guint n = 0;

  for (guint i = 0; i < books->len; i++)
    n += ((const FarBook *) books->pdata[i])->live;
  return n;
}

FarBook *
far_book_new (FarInstance *at, const FarSessionKind *kind, const char *store, gpointer self)
{
  FAR_ON_MAIN ();
  FarBook *book = g_new0 (FarBook, 1);

  book->at = at;
  book->kind = kind;
  book->self = self;
  book->store = kind->rows != NULL ? g_strdup (store) : NULL;
  book->sessions = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, (GDestroyNotify) far_session_unref);
  book->all = g_hash_table_new (NULL, NULL);
  book->epoch = MAX (far_clock_wall_us () / G_USEC_PER_SEC, 1);
  g_queue_init (&book->closed);
  g_ptr_array_add (book_list (), book);
  return book;
}

gpointer
far_book_self (FarBook *book)
{
  FAR_ON_MAIN ();
  return book->self;
}

/* It is nobody's from now on. */
void
far_book_take_out (FarSession *session)
{
  FarBook *book = session->book;

  far_instance_timer_stop (&session->in->timer);
  far_instance_timer_stop (&session->in->due);
  session->book = NULL;
  g_hash_table_remove (book->all, session);
}

void
far_book_uncount (FarSession *session)
{
  session->book->live -= session->in->counted;
  session->in->counted = FALSE;
}

static void
watches_end (FarSession *session)
{
  g_autoptr (GArray) watches = g_array_copy (session->in->watches); /* its end takes it out */

  for (guint i = 0; i < watches->len; i++)
    far_subscription_event (g_array_index (watches, guint, i), NULL);
}

void
far_book_drop (FarSession *session)
{
  FarBook *book = session->book;

  far_session_ref (session);
  far_book_uncount (session);
  g_queue_remove (&book->closed, session);
  far_book_take_out (session);
  g_hash_table_remove (book->sessions, session->id);
  watches_end (session);
  far_session_unref (session);
}

static void
session_leave (FarSession *session)
{
  if (session->kind->gone != NULL)
    session->kind->gone (session);
  far_book_take_out (session);
}

void
far_book_stop (FarBook *book)
{
  FAR_ON_MAIN ();
  g_autoptr (GList) all = g_hash_table_get_keys (book->all);

  g_ptr_array_remove (book_list (), book);
  for (GList *at = all; at != NULL; at = at->next)
    far_session_ref (at->data); /* the end of one may be the end of another */
  for (GList *at = all; at != NULL; at = at->next) {
    session_leave (at->data);
    far_session_unref (at->data);
  }
}

void
far_book_free (FarBook *book)
{
  FAR_ON_MAIN ();
  if (book == NULL)
    return;
  g_ptr_array_remove (book_list (), book); /* its service was never started */
  g_hash_table_unref (book->sessions);
  g_hash_table_unref (book->all);
  g_queue_clear (&book->closed);
  g_free (book->store);
  g_free (book);
}

FarSession *
far_book_session (FarBook *book, const char *id)
{
  FAR_ON_MAIN ();
  return id != NULL ? g_hash_table_lookup (book->sessions, id) : NULL;
}

GHashTable *
far_book_sessions (FarBook *book)
{
  FAR_ON_MAIN ();
  return book->sessions;
}

GPtrArray *
far_book_live (FarBook *book)
{
  FAR_ON_MAIN ();
  GPtrArray *live = g_ptr_array_new_with_free_func ((GDestroyNotify) far_session_unref);
  GHashTableIter iter;
  gpointer session;

  g_hash_table_iter_init (&iter, book->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &session))
    if (far_session_live (session))
      g_ptr_array_add (live, far_session_ref (session));
  return live;
}

guint
far_book_count (FarBook *book, const char *person)
{
  FAR_ON_MAIN ();
  GHashTableIter iter;
  gpointer session;
  guint n = 0;

  if (person == NULL)
    return book->live;
  g_hash_table_iter_init (&iter, book->sessions);
  while (g_hash_table_iter_next (&iter, NULL, &session))
    n += far_session_live (session) && g_strcmp0 (((FarSession *) session)->person, person) == 0;
  return n;
}

/* ---- closed ones ---- */

static gboolean
is_told (const FarSession *session)
{
  gboolean written = !session->in->writing && !session->in->dirty;

  return written && (session->kind->told == NULL || session->kind->told (session));
}

/* The first that closed, of those whose end is on disk and was heard if there are any. */
static GList *
closed_oldest (FarBook *book)
{
  for (GList *at = book->closed.head; at != NULL; at = at->next)
    if (is_told (at->data))
      return at;
  return book->closed.head;
}

static gboolean
closed_is_due (FarBook *book, GList *at)
{
  const FarSession *session = at != NULL ? at->data : NULL;
  gint64 keep_us = book->kind->remembered_us;

  if (session == NULL || book->closed.length > book->kind->remembered)
    return session != NULL;
  return keep_us > 0 && is_told (session) && far_clock_boottime_us () > session->in->over_us + keep_us;
}

void
far_book_forget (FarBook *book)
{
  GList *at;

  while (closed_is_due (book, (at = closed_oldest (book)))) {
    FarSession *session = at->data;

    g_queue_delete_link (&book->closed, at);
    g_hash_table_remove (book->sessions, session->id);
  }
}

/* ---- a session ---- */

FarSession *
far_session_new (FarBook *book, const char *id)
{
  FAR_ON_MAIN ();
  FarSession *session = g_malloc0 (book->kind->size);

  session->book = book;
  session->kind = book->kind;
  session->refs = 1;
  session->id = id != NULL ? g_strdup (id) : far_session_id_new ();
  session->owner = g_strdup (far_node_id ());
  session->epoch = book->epoch;
  session->state = FAR_SESSION_REQUESTED;
  session->asked_us = far_clock_wall_us ();
  session->in = g_new0 (FarSessionInside, 1);
  session->in->place = book->kind->history != NULL ? far_history_key (session->asked_us, session->id)
                                                   : g_strdup (session->id);
  session->in->watches = g_array_new (FALSE, FALSE, sizeof (guint));
  g_hash_table_replace (book->sessions, session->id, session);
  g_hash_table_add (book->all, session);
  session->in->counted = TRUE;
  book->live++;
  return session;
}

FarSession *
far_session_ref (FarSession *session)
{
  FAR_ON_MAIN ();
  session->refs++;
  return session;
}

static void
inside_free (FarSessionInside *in)
{
  far_instance_timer_stop (&in->timer);
  far_instance_timer_stop (&in->due);
  g_array_unref (in->watches);
  g_free (in->place);
  g_free (in);
}

static void
book_session_free (FarSession *session)
{
  char *texts[] = { session->id,     session->parent, session->owner, session->person,
                    session->object, session->reason, session->cause, session->ended_by };

  if (session->book != NULL)
    far_book_take_out (session);
  if (session->kind->clear != NULL)
    session->kind->clear (session);
  inside_free (session->in);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
  g_clear_pointer (&session->principal, far_principal_unref);
  json_decref (session->legs);
  json_decref (session->extra);
  g_free (session);
}

void
far_session_unref (FarSession *session)
{
  FAR_ON_MAIN ();
  if (--session->refs == 0)
    book_session_free (session);
}

gboolean
far_session_live (const FarSession *session)
{
  FAR_ON_MAIN ();
  return session->state != FAR_SESSION_CLOSED;
}

/* ---- events ---- */

static void
cause_note (FarSession *session, FarSessionEvent event, const char *cause)
{
  gboolean ends = session->state == FAR_SESSION_CLOSING || session->state == FAR_SESSION_CLOSED;

  if (ends && session->cause == NULL)
    session->cause = g_strdup (cause != NULL ? cause : far_session_event_name (event));
}

static gboolean
event_take (FarSession *session, FarSessionEvent event, GError **error)
{
  if (session->book != NULL)
    return far_session_apply (&session->state, event, error);
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("the service has stopped; try again"));
  return FALSE;
}

/* What passes bytes, and what is over, is on disk at once; the rest goes with the next write. */
static gboolean
state_is_urgent (FarSessionState state)
{
  return state == FAR_SESSION_OPEN || state == FAR_SESSION_CLOSED;
}

gboolean
far_session_event (FarSession *session, FarSessionEvent event, const char *cause, GError **error)
{
  FAR_ON_MAIN ();
  FarSessionState before = session->state, now;

  if (!event_take (session, event, error))
    return FALSE;
  cause_note (session, event, cause);
  now = session->state;
  far_session_ref (session);
  if (now != before)
    far_book_entered (session, before, event);
  else if (event == FAR_SESSION_EV_REPORTED && now == FAR_SESSION_CLOSING)
    far_book_end (session);
  if (now != before && session->state == now &&
      session->book != NULL) { /* else a further step has told and saved */
    far_session_tell (session);
    far_book_save (session, state_is_urgent (now));
  }
  if (now == FAR_SESSION_CLOSED && now != before && session->book != NULL)
    far_book_forget (session->book); /* those first that are on disk */
  far_session_unref (session);
  return TRUE;
}

gboolean
far_session_close (FarSession *session, const char *cause, const char *by, GError **error)
{
  FAR_ON_MAIN ();
  gboolean goes = far_session_step (session->state, FAR_SESSION_EV_CLOSE_ASKED).kind == FAR_STEP_GO;

  if (goes && session->ended_by == NULL)
    session->ended_by = g_strdup (by);
  return far_session_event (session, FAR_SESSION_EV_CLOSE_ASKED, cause, error);
}

void
far_session_counted (FarSession *session, guint64 bytes_up, guint64 bytes_down)
{
  FAR_ON_MAIN ();
  gboolean moved = bytes_up > session->bytes_up || bytes_down > session->bytes_down;

  session->bytes_up = MAX (session->bytes_up, bytes_up);
  session->bytes_down = MAX (session->bytes_down, bytes_down);
  if (moved && session->book != NULL && far_session_live (session))
    far_book_save (session, FALSE);
}

char *
far_history_key (gint64 wall_us, const char *id)
{
  return g_strdup_printf ("%020" G_GINT64_FORMAT "-%s", wall_us, id);
}
