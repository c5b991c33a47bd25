/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file reads what lives before this one have left. Their sessions are over, and so is what they held:
 * they are closed with the cause `restart`, before anything new is taken. Of a kind that outlives its owner,
 * those that go on are taken up. Rows of other owners, and of other kinds, are left as they are. */
#include "config.h"

#include "reach/book-private.h"

#include <farwatch/clock.h>
#include <farwatch/thread.h>

#include <string.h>

#define ROWS_AT_ONCE FAR_ROWS_MAX

typedef struct {
  FarBook *book;
  FarBookLoaded done;
  GPtrArray *rows;  /* of json_t: those of this node */
  GPtrArray *taken; /* of FarSession: those that go on */
  GPtrArray *over;  /* those of them that are closed */
  char *last;       /* key of the last one read */
  GPtrArray *texts; /* memory of the parts */
  GArray *parts;    /* of FarPart */
  guint at, n;      /* those under way */
} BookLoad;

static const char *
text_of (const json_t *row, const char *key)
{
  return json_string_value (json_object_get (row, key));
}

static void
load_free (gpointer data)
{
  BookLoad *load = data;

  g_ptr_array_unref (load->taken);
  g_ptr_array_unref (load->over);
  g_ptr_array_unref (load->rows);
  g_ptr_array_unref (load->texts);
  g_array_unref (load->parts);
  g_free (load->last);
  g_free (load);
}

/* They are on disk under this epoch, with what has happened since; or they are not ours. */
static void
taken_go_on (BookLoad *load, const GError *error)
{
  for (guint i = 0; i < load->taken->len; i++) {
    FarSession *session = load->taken->pdata[i];

    session->in->writing = FALSE;
    if (error != NULL)
      far_book_drop (session);
    else if (session->in->dirty)
      far_book_save (session, session->in->urgent);
  }
}

static void
load_end (BookLoad *load, const GError *error)
{
  FarBook *book = load->book;

  taken_go_on (load, error);
  if (book->others > 0)
    far_log (book->at, G_LOG_LEVEL_MESSAGE,
             "sessions of other nodes found: %u; if this node had another id before, they stay as they are",
             book->others);
  for (guint i = 0; error == NULL && i < load->over->len; i++)
    far_log (load->book->at, G_LOG_LEVEL_MESSAGE, "session closed by the restart: %s",
             text_of (load->over->pdata[i], "session"));
  load->done (load->book->self, error);
  load_free (load);
}

static FarRequest *
load_request (BookLoad *load, FarDone done)
{
  return far_request_of (load->book->at, done, load, load_free, 0);
}

/* ---- what becomes of a row ---- */

static void
part_add (BookLoad *load, const char *table, const char *key, char *text /* takes */)
{
  FarPart part = { .kind = FAR_PART_ROW, .table = table, .key = key, .row = text, .expect = FAR_EXPECT_ANY };

  if (text != NULL)
    g_ptr_array_add (load->texts, text);
  g_array_append_val (load->parts, part);
}

/* How long it really was open is not known: until it was last heard of at the latest. */
static char *
record_closed (json_t *record)
{
  g_autofree char *now = far_clock_format (far_clock_wall_us ());
  FarSessionState state = FAR_SESSION_OPEN;

  far_session_state_parse (text_of (record, "state"), &state);
  far_session_apply (&state, FAR_SESSION_EV_RESTART, NULL);
  json_object_set_new (record, "state", json_string (far_session_state_name (state)));
  json_object_set_new (record, "cause", json_string (far_session_event_name (FAR_SESSION_EV_RESTART)));
  json_object_set_new (record, "closed", json_string (now));
  return far_book_json_text (record);
}

static void
row_close (BookLoad *load, json_t *row)
{
  const FarSessionKind *kind = load->book->kind;
  const char *id = text_of (row, "session"), *key = text_of (row, "history");
  json_t *record = json_object_get (row, "record");

  if (kind->lost != NULL)
    kind->lost (load->book, id);
  if (key != NULL && json_is_object (record))
    part_add (load, kind->history, key, record_closed (record));
  part_add (load, kind->rows, id, NULL);
  g_ptr_array_add (load->over, row);
}

static gboolean
row_goes_on (FarSession *session, const json_t *row)
{
  return far_book_row_read (session, row) &&
         (session->state == FAR_SESSION_OPEN || session->state == FAR_SESSION_RESUMING) &&
         !far_deadline_over (&session->deadline) && session->kind->found (session, row);
}

/* FALSE: it is to be closed. */
static gboolean
row_take_up (BookLoad *load, json_t *row)
{
  FarBook *book = load->book;
  const char *id = text_of (row, "session");
  FarSession *session;
  char *text, *record;

  if (!book->kind->outlives_owner)
    return FALSE;
  session = far_session_new (book, id);
  if (!row_goes_on (session, row)) {
    far_book_drop (session);
    return FALSE;
  }
  session->in->writing = TRUE; /* what happens to it goes behind this write */
  g_ptr_array_add (load->taken, far_session_ref (session));
  far_book_wait (session);
  far_book_texts (session, &text, &record);
  part_add (load, book->kind->rows, session->id, text);
  part_add (load, book->kind->history, session->in->place, record);
  return TRUE;
}

/* ---- the writes ---- */

static void load_write (BookLoad *load);

static void
load_written (FarRequest *req, gpointer user)
{
  BookLoad *load = user;
  const GError *error = far_request_error (req);

  load->at += load->n;
  if (error != NULL || load->at == load->parts->len)
    load_end (load, error);
  else
    load_write (load);
}

/* What is more than the store takes in one step goes in several; a row and its history may be in two, and a
 * restart in between does the rest: the row goes after its history is closed. */
static void
load_write (BookLoad *load)
{
  load->n = MIN (FAR_PARTS_MAX, load->parts->len - load->at);
  far_store_apply (load->book->store, NULL, &g_array_index (load->parts, FarPart, load->at), load->n,
                   load_request (load, load_written));
}

static void
load_judge (BookLoad *load)
{
  for (guint i = 0; i < load->rows->len; i++)
    if (!row_take_up (load, load->rows->pdata[i]))
      row_close (load, load->rows->pdata[i]);
  if (load->parts->len > 0)
    load_write (load);
  else
    load_end (load, NULL);
}

/* ---- the rows ---- */

static void load_page (BookLoad *load);

static gboolean
row_is_anothers (const json_t *row)
{
  const char *owner = text_of (row, "owner");

  return owner != NULL && strcmp (owner, far_node_id ()) != 0;
}

static gboolean
row_is_ours (const FarBook *book, const json_t *row)
{
  const char *kind = text_of (row, "kind");

  return text_of (row, "session") != NULL && !row_is_anothers (row) &&
         (kind == NULL || strcmp (kind, book->kind->name) == 0);
}

static void
row_came (BookLoad *load, const FarRow *stored)
{
  json_t *row = json_loads (stored->row, 0, NULL);
  FarBook *book = load->book;
  guint64 epoch = (guint64) json_integer_value (json_object_get (row, "epoch"));

  book->others += row != NULL && row_is_anothers (row);
  if (row != NULL && row_is_ours (book, row)) {
    book->epoch = MAX (book->epoch, epoch + 1);
    g_ptr_array_add (load->rows, json_incref (row));
  }
  json_decref (row);
}

static void
page_read (FarRequest *req, gpointer user)
{
  BookLoad *load = user;
  const GError *error = far_request_error (req);
  GPtrArray *page = error == NULL ? far_request_result (req) : NULL;

  for (guint i = 0; page != NULL && i < page->len; i++)
    row_came (load, page->pdata[i]);
  if (error != NULL) {
    load_end (load, error);
  } else if (page->len == ROWS_AT_ONCE) {
    g_free (load->last);
    load->last = g_strdup (((const FarRow *) page->pdata[page->len - 1])->key);
    load_page (load);
  } else {
    load_judge (load);
  }
}

static void
load_page (BookLoad *load)
{
  far_store_rows (load->book->store, load->book->kind->rows, NULL, load->last, ROWS_AT_ONCE, FALSE,
                  load_request (load, page_read));
}

void
far_book_load (FarBook *book, FarBookLoaded done)
{
  FAR_ON_MAIN ();
  BookLoad *load = g_new0 (BookLoad, 1);

  load->book = book;
  load->done = done;
  load->taken = g_ptr_array_new_with_free_func ((GDestroyNotify) far_session_unref);
  load->over = g_ptr_array_new ();
  load->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) json_decref);
  load->texts = g_ptr_array_new_with_free_func (g_free);
  load->parts = g_array_new (FALSE, TRUE, sizeof (FarPart));
  load_page (load);
}
