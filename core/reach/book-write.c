/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file writes a session: its row while it lives, and its history row, in one transaction (spec B13). One
 * write is under way at a time; what changed meanwhile goes with the next. */
#include "config.h"

#include "reach/book-private.h"

#include <farwatch/clock.h>
#include <farwatch/thread.h>

#define RETRY_US (3 * G_USEC_PER_SEC)
#define EVERY_US (10 * G_USEC_PER_SEC) /* between two writes of a session that are not urgent */
#define EACH_US (G_USEC_PER_SEC / 10)  /* and at most ten a second of all */

/* more: n parts that go with it. */
static void
book_write_now (FarSession *session, gint64 expect, const FarPart *more, guint n, FarRequest *req)
{
  FarSessionInside *in = session->in;
  const FarSessionKind *kind = session->kind;
  g_autofree char *row = NULL, *record = NULL;
  g_autofree FarPart *parts = g_new0 (FarPart, n + 2);

  in->saved_us = far_clock_boottime_us ();
  in->dirty = in->urgent = FALSE;
  far_instance_timer_stop (&in->due);
  far_book_texts (session, &row, &record);
  parts[0] = (FarPart){ .kind = FAR_PART_ROW,
                        .table = kind->rows,
                        .key = session->id,
                        .row = row,
                        .expect = expect };
  parts[1] = (FarPart){ .kind = FAR_PART_ROW,
                        .table = kind->history,
                        .key = in->place,
                        .row = record,
                        .expect = expect };
  for (guint i = 0; i < n; i++)
    parts[i + 2] = more[i];
  far_store_apply (session->book->store, NULL, parts, n + 2, req);
}

/* ---- the first ---- */

typedef struct {
  FarSession *session;
  FarSessionBegun done;
  gpointer user;
  GDestroyNotify dropped;
} BookBegin;

static void
begin_free (BookBegin *begin)
{
  far_session_unref (begin->session);
  g_free (begin);
}

static void
begin_dropped (gpointer data)
{
  BookBegin *begin = data;

  if (begin->dropped != NULL)
    begin->dropped (begin->user);
  begin_free (begin);
}

static void
begun (FarRequest *req, gpointer data)
{
  BookBegin *begin = data;
  FarSession *session = begin->session;
  const GError *error = far_request_error (req);

  session->in->writing = FALSE;
  if (error != NULL)
    far_book_drop (session);
  begin->done (session, error, begin->user);
  if (session->book != NULL && session->in->dirty)
    far_book_save (session, session->in->urgent);
  begin_free (begin);
}

void
far_session_begin (FarSession *session, const FarPart *more, guint n, FarSessionBegun done, gpointer user,
                   GDestroyNotify dropped)
{
  FAR_ON_MAIN ();
  BookBegin *begin;

  if (session->book->store == NULL) {
    done (session, NULL, user);
    return;
  }
  begin = g_new0 (BookBegin, 1);
  *begin = (BookBegin){ far_session_ref (session), done, user, dropped };
  session->in->writing = TRUE;
  book_write_now (session, FAR_EXPECT_ABSENT, more, n,
                  far_request_of (session->book->at, begun, begin, begin_dropped, 0));
}

/* ---- further ones ---- */

static void save_again (gpointer user);

static void
book_saved (FarRequest *req, gpointer user)
{
  FarSession *session = user;
  const GError *error = far_request_error (req);

  if (error != NULL) {
    FarInstance *at = session->book->at;

    far_log_limited (at, "save", "session %s cannot be recorded now, will be tried again: %s", session->id,
                     error->message);
    session->in->dirty = session->in->urgent = TRUE;
    far_instance_after (at, far_clock_boottime_us () + RETRY_US, save_again, session,
                        (GDestroyNotify) far_session_unref);
  } else {
    save_again (session);
  }
}

/* With the reference of the write that is over. */
static void
save_again (gpointer user)
{
  FarSession *session = user;

  session->in->writing = FALSE;
  if (session->book != NULL && session->in->dirty)
    far_book_save (session, session->in->urgent);
  far_session_unref (session);
}

static void
save_due (gpointer user)
{
  far_book_save (user, TRUE);
}

static void
save_later (FarSession *session)
{
  FarBook *book = session->book;
  gint64 every_us = MAX (EVERY_US, book->live * EACH_US);

  if (session->in->due == NULL)
    far_instance_timer (book->at, &session->in->due, session->in->saved_us + every_us, save_due, session);
}

void
far_book_save (FarSession *session, gboolean now)
{
  FarSessionInside *in = session->in;

  if (session->book->store == NULL)
    return;
  in->dirty = TRUE;
  in->urgent |= now;
  if (in->writing)
    return;
  if (!in->urgent) {
    save_later (session);
    return;
  }
  in->writing = TRUE;
  book_write_now (session, FAR_EXPECT_ANY, NULL, 0,
                  far_request_of (session->book->at, book_saved, far_session_ref (session),
                                  (GDestroyNotify) far_session_unref, 0));
}
