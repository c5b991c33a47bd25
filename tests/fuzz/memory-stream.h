/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream whose other side is the test: it feeds what the stream shows, says how much the stream takes, and
 * reads what was written.
 *
 * It keeps to the contract of farwatch/stream.h in the strictest reading, so that who relies on more is
 * found: what peek showed is freed by the next peek and by consume; READ is told only after peek has shown
 * nothing, WRITE only after write took less than given; never from inside a call. It asserts what its user
 * owes: no byte consumed that was not shown, nothing written after the end, nothing used after abort.
 *
 * All of it on the one thread of far_loop_main(). */
#pragma once
#include <farwatch/stream.h>

typedef struct {
  FarStream *stream;  /* NULL: freed by its user */
  gsize show;         /* bytes that one peek shows at most; 0: all there is */
  gsize frame;        /* bytes of one of its frames; 0: all in one */
  gboolean early_eof; /* the end is told together with the last bytes */
  GByteArray *fed;    /* and not shown yet */
  guint8 *view;       /* shown and not consumed */
  gsize view_size;
  gsize consumed;      /* since the beginning */
  GByteArray *written; /* the test may take from it */
  gsize room;          /* bytes that write still takes */
  gboolean eof, ended; /* the test has ended; the stream's user has */
  gboolean aborted;
  gboolean wants_read, wants_write;
  guint inside; /* of a call of the stream's user */
} MemoryEnd;

/* What a user of the stream has. end is the test's, and outlives the stream. */
FarStream *memory_stream_new (MemoryEnd *end);
/* Frees what the end holds; the stream must have gone. */
void memory_end_clear (MemoryEnd *end);

/* All of these do nothing when the stream is gone, has died or was aborted. */
void memory_feed (MemoryEnd *end, const guint8 *data, gsize size);
void memory_give_room (MemoryEnd *end, gsize bytes);
void memory_eof (MemoryEnd *end);
void memory_die (MemoryEnd *end, const char *cause);

/* Runs what is posted until nothing is left. An endless loop fails. The number of turns. */
guint memory_settle (void);
