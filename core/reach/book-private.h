/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of the session book: book.c has the sessions and their events, book-time.c their timers,
 * book-write.c and book-row.c what stands on disk, book-load.c what a life before has left, book-show.c and
 * book-history.c what people see. [main] */
#pragma once
#include <farwatch/book.h>

struct _FarBook {
  FarInstance *at;
  const FarSessionKind *kind;
  gpointer self;
  char *store;          /* NULL: nothing is written */
  GHashTable *sessions; /* id → FarSession, each with a reference */
  GHashTable *all;      /* set of those and of the forgotten ones that somebody holds */
  GQueue closed;        /* of FarSession in `sessions`, the oldest first */
  guint live;
  guint others;  /* rows of other owners that were found */
  guint64 epoch; /* of this life */
};

typedef struct _FarSessionInside {
  char *place;             /* key of its history row, and its place in lists */
  gint64 over_us;          /* boottime of its end */
  gboolean counted;        /* in `live` */
  gboolean ending;         /* end() was called */
  FarInstanceTimer *timer; /* what the state waits for */
  GArray *watches;         /* of guint */
  /* writes */
  FarInstanceTimer *due; /* of what is not urgent */
  gboolean writing, dirty, urgent;
  gint64 saved_us; /* boottime of the last write */
} FarSessionInside;

/* book.c */
void far_book_forget (FarBook *book);
void far_book_take_out (FarSession *session);
/* One that never was: out of the book, and whoever watches hears that it is over. */
void far_book_drop (FarSession *session);
/* It counts as live no more. */
void far_book_uncount (FarSession *session);

/* book-time.c: timer and effects of a state that was entered. */
void far_book_entered (FarSession *session, FarSessionState before, FarSessionEvent event);
/* All that it holds goes. */
void far_book_end (FarSession *session);
/* The timer of the state that it is in, for one that was taken up. */
void far_book_wait (FarSession *session);

/* book-write.c. now: else with the next write, or after a while. */
void far_book_save (FarSession *session, gboolean now);

/* book-row.c; texts are the caller's to free. */
void far_book_texts (const FarSession *session, char **row, char **record);
/* Into a session that was made for it. FALSE: the row is not usable. */
gboolean far_book_row_read (FarSession *session, const json_t *row);
char *far_book_json_text (const json_t *json);
