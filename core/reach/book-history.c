/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file reads the history for people: newest first, in pages, those rows that the asker may see. */
#include "config.h"

#include "reach/book-private.h"

#include <farwatch/thread.h>

#define PAGE_MAX 40 /* rows of one answer: a body has its limit */
#define LOOKED_AT_MAX 2000
#define NAMES_MAX 16

typedef struct {
  FarCall *call;
  FarHistorySees sees;
  guint limit;
  json_t *list;
  gsize size;
} BookHistory;

static void
history_free (gpointer data)
{
  BookHistory *history = data;

  json_decref (history->list);
  g_free (history);
}

/* FALSE: it has no room in this page. */
static gboolean
history_add (BookHistory *history, const FarRow *row)
{
  json_t *json = json_loads (row->row, 0, NULL);
  gboolean fits = TRUE;

  if (json != NULL && history->sees (json, history->call->principal)) {
    json_object_set_new (json, "key", json_string (row->key));
    fits = far_page_add (history->list, &history->size, json);
  }
  json_decref (json);
  return fits;
}

static void
history_answer (BookHistory *history, GPtrArray *rows)
{
  guint looked = 0;
  const FarRow *last;
  gboolean more;

  while (looked < rows->len && json_array_size (history->list) < history->limit &&
         history_add (history, rows->pdata[looked]))
    looked++;
  /* The last row looked at, shown or not: behind 2000 that the asker may not see there may be one of theirs.
   */
  more = looked < rows->len || rows->len == LOOKED_AT_MAX;
  last = looked > 0 ? rows->pdata[looked - 1] : NULL;
  far_call_answer (history->call, 200,
                   json_pack ("{s:O, s:s?}", "history", history->list, "next",
                              more && last != NULL ? last->key : NULL));
}

static void
history_read (FarRequest *req, gpointer user)
{
  BookHistory *history = user;
  const GError *error = far_request_error (req);

  if (error != NULL)
    far_call_fail (history->call, g_error_copy (error));
  else
    history_answer (history, far_request_result (req));
  history_free (history);
}

static const char *
book_query_text (const FarCall *call, const char *name)
{
  return json_string_value (json_object_get (call->query, name));
}

void
far_book_history (FarBook *book, FarCall *call, const char *const *names, FarHistorySees sees)
{
  FAR_ON_MAIN ();
  FarFilterTerm filter[NAMES_MAX + 1] = { { NULL, NULL } };
  BookHistory *history = g_new0 (BookHistory, 1);
  guint64 limit = PAGE_MAX;
  const char *text = book_query_text (call, "limit");

  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 1, PAGE_MAX, &limit, NULL))
    limit = PAGE_MAX;
  *history = (BookHistory){ call, sees, (guint) limit, json_array (), 0 };
  for (guint i = 0, n = 0; names[i] != NULL && n < NAMES_MAX; i++)
    if (book_query_text (call, names[i]) != NULL)
      filter[n++] = (FarFilterTerm){ names[i], book_query_text (call, names[i]) };
  far_store_rows (book->store, book->kind->history, filter, book_query_text (call, "after"), LOOKED_AT_MAX,
                  TRUE, far_request_of (book->at, history_read, history, history_free, 0));
}
