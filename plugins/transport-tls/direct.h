/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of transport-tls, the direct carrier of sessions over TLS.
 *
 * options.c  what the profile says
 * words.c    the words of a control connection as bytes (doc/formats.md)
 * conn.c     a TLS stream on which words come and go, at its loop
 * link.c     the control connection of one session, seen from main
 * dial.c     the way to a listener
 * session.c  a session at either end: link, deadline, joined connections, events
 * server.c   the listener: who comes, for which session, as control or as a stream
 * client.c   the end that dials
 *
 * Main decides everything; a loop only reads words, one at a time, and passes them on. */
#pragma once
#include <farwatch/clearance.h>
#include <farwatch/gate.h>
#include <farwatch/plugin.h>
#include <farwatch/tls.h>

G_BEGIN_DECLS

#define DIRECT_WORD_MAX 1024  /* bytes of one word, without its length */
#define DIRECT_JOINS_MAX 1024 /* connections at once in one session, whatever the options say */
#define DIRECT_OUT_MAX 65536  /* bytes of words that a peer has not read */
#define DIRECT_WAIT_US (30 * (gint64) G_USEC_PER_SEC) /* a person's connection for the terminal's */
#define DIRECT_VERSION 1

typedef struct {
  char *listen, *advertise, *cert, *key, *ca;
  GStrv login, trusted;
  gint64 connections, per_address, unverified, session_connections;
} DirectOptions;

typedef struct _DirectServer DirectServer;
typedef struct _DirectSession DirectSession;
typedef struct _DirectLink DirectLink;
typedef struct _DirectDial DirectDial;

typedef struct {
  FarInstance *at;
  GHashTable *sessions; /* session → DirectSession */
  char *address;        /* told to terminals; NULL: no listener */
  DirectServer *server; /* NULL: no listener */
  gboolean retired;
} Direct;

/* ---- options (options.c) ---- */

extern const FarOption direct_option_table[];
const DirectOptions *direct_options (Direct *self);

/* ---- words (words.c), [any thread] ---- */

/* length, JSON object; what a control connection says. Takes word. NULL: it is longer than a word may be;
 * much of what is said here was made up by the other side. */
GByteArray *direct_word_write (json_t *word);
/* The word in data, which has size bytes of it, the first two its length. NULL: FAR_ERROR_PROTOCOL. */
json_t *direct_word_read (const guint8 *data, gsize size, GError **error);
/* How many bytes the whole word has, of which size are here; 2 while its length is not; 0: never a word. */
gsize direct_word_size (const guint8 *data, gsize size);
/* A text of a word, NULL where it is none or longer than max. */
const char *direct_word_text (json_t *word, const char *key, gsize max);

/* ---- a stream that carries words (conn.c), all [loop] ---- */

typedef struct _DirectConn DirectConn;

typedef struct {
  /* A word has come; it is taken. FALSE: the connection is not there any more, by one of the two below. */
  gboolean (*word) (DirectConn *conn, json_t *word, gpointer user);
  /* It is dead, and is freed behind this. Not after direct_conn_steal() and direct_conn_free(). */
  void (*over) (DirectConn *conn, const char *cause, gpointer user);
} DirectConnFuncs;

/* Takes stream, which has no user. funcs: borrowed. */
DirectConn *direct_conn_new (FarStream *stream, const DirectConnFuncs *funcs, gpointer user);
/* A word that is too long is not said, and ends the connection: over() is told later. */
void direct_conn_say (DirectConn *conn, json_t *word /* takes */);
/* The stream, behind the last word that was read; what waits to be written has been taken by it or is lost.
 */
FarStream *direct_conn_steal (DirectConn *conn);
FarStream *direct_conn_stream (DirectConn *conn); /* borrowed */
/* TRUE: no word more is read, until FALSE. What the other side says then stays with it. */
void direct_conn_hold (DirectConn *conn, gboolean held);
/* In order, with what was said. NULL is fine. */
void direct_conn_free (DirectConn *conn);

/* ---- the control connection of a session (link.c), all [main] ---- */

/* What a link tells of itself, to who has made it. */
typedef struct {
  void (*word) (json_t *word, gpointer user); /* borrowed */
  void (*over) (const char *cause, gpointer user);
} DirectLinkFuncs;

/* Takes stream, whose hello is over, and pass (NULL: none). */
DirectLink *direct_link_new (FarStream *stream, FarPass *pass, const DirectLinkFuncs *funcs, gpointer user);
void direct_link_say (DirectLink *link, json_t *word /* takes */);
/* Nothing of it is told any more; in order, with what was said. NULL is fine. */
void direct_link_free (DirectLink *link);

/* ---- the way to a listener (dial.c), all [main] ---- */

/* stream NULL: error says why. */
typedef void (*DirectDialDone) (FarStream *stream, const GError *error, gpointer user);

typedef struct {
  const char *host;
  guint16 port;
  const char *node, *key; /* who must be there */
  FarTls *tls;
  gboolean answered; /* the hello is answered; else the stream is good when it is said */
} DirectDialSpec;

/* Until the hello is said nothing was shown that is of use to anybody: whatever keeps the dial from that,
 * also somebody else at that place, is FAR_ERROR_UNAVAILABLE; of somebody else an event says more.
 * Borrowed by the caller until done() runs, which comes later, once, also when it was cancelled. Takes hello
 * (NULL: it comes later). */
DirectDial *direct_dial_new (const DirectDialSpec *spec, json_t *hello, DirectDialDone done, gpointer user);
void direct_dial_cancel (DirectDial *dial);
/* The hello of one that had none; takes it. Before that one came all else is done. */
void direct_dial_show (DirectDial *dial, json_t *hello);
/* Inside of done(): whether the right one was found there, or somebody else, as an event of at. */
void direct_dial_tell (const DirectDial *dial, FarInstance *at);

/* ---- a session (session.c), all [main] ---- */

/* The other end wants a connection for a person; word is borrowed. */
typedef void (*DirectAsked) (DirectSession *session, json_t *word);

struct _DirectSession {
  gint refs;
  Direct *self; /* NULL: the instance has stopped */
  char *id;
  FarCarrier *carrier;     /* NULL: ENDED was told */
  DirectLink *link;        /* NULL: none now */
  FarClearance *clearance; /* of who has that link; NULL: dialled from here */
  guint links;             /* how many there have been */
  GPtrArray *joins;        /* of DirectJoin */
  guint64 done_up, done_down;
  gint64 length_us, deadline_us; /* deadline: 0 before the first acknowledgement */
  FarLoopTimer *timer;           /* of the deadline */
  gboolean ending, shut;
  GPtrArray *shut_waits; /* of FarRequest */
  const char *cause;
  /* the accepting end */
  gboolean accepts;
  char *peer; /* node that must come */
  guint joins_max;
  GQueue waiting; /* of DirectWaiting: people whom the terminal's connection has not met yet */
  guint number;   /* of the newest of them; at the opening end: that this link has asked for */
  guint due;      /* so many that were asked for have not failed */
  FarLoopTimer *patience;
  /* the opening end */
  DirectAsked asked_for;
  FarTls *tls;
  json_t *part;
  char *host;
  guint16 port;
  DirectDial *dial; /* of a link under way */
  GPtrArray *dials; /* of DirectDial: streams under way; they count as joins */
  guint asked;      /* streams for which the other end is being opened; they count too */
};

/* asked: of the opening end; NULL: the accepting one. */
DirectSession *direct_session_new (Direct *self, FarCarrier *carrier, gint64 length_us, DirectAsked asked);
DirectSession *direct_session_ref (DirectSession *session);
void direct_session_unref (gpointer session);
/* Of this instance, by its handle; NULL: none. */
DirectSession *direct_session_of (Direct *self, FarCarrier *carrier);
/* Also of an older instance of this name that still holds it. */
DirectSession *direct_session_find (Direct *self, const char *id);
void
direct_session_tell (DirectSession *session, FarCarrierEventKind kind, const char *cause, const char *from);
/* Who has come from the other end, and holds a place for it. */
typedef struct {
  FarPass *pass;           /* NULL: none */
  FarClearance *clearance; /* NULL: dialled from here */
} DirectCame;
void direct_came_clear (DirectCame *came);
/* A link is acknowledged. Takes stream and what is in came. here: as in FarCarrierEvent. */
void direct_session_up (DirectSession *session, FarStream *stream, DirectCame came, const char *here);
/* Joins a person's end a with b; takes both, and what is in came. */
void
direct_session_join (DirectSession *session, FarStream *a, FarStream *b, const char *from, DirectCame came);
void direct_session_attach (DirectSession *session, FarStream *stream, const char *from);
/* The terminal's connection for a person has come. Takes stream and what is in came. */
void direct_session_met (DirectSession *session, json_t *hello, FarStream *stream, DirectCame came);
void direct_session_set_deadline (DirectSession *session, gint64 boottime_us);
void direct_session_shut (DirectSession *session, const char *cause, FarRequest *req);
void direct_session_end (DirectSession *session, const char *cause);
void direct_session_abandon (DirectSession *session); /* the instance stops: ENDED is told now */
void direct_discard (FarStream *stream);              /* [any thread] frees it at its loop */

/* ---- the listener (server.c), all [main] ---- */

DirectServer *direct_server_new (Direct *self, int fd, GError **error);
void direct_server_no_new (DirectServer *server);
void direct_server_free (DirectServer *server); /* NULL is fine */
void direct_server_reserve (gpointer self, const FarCarrierSpec *spec, FarCarrier *carrier, FarRequest *req);

/* ---- the client (client.c), all [main] ---- */

void direct_client_open (gpointer self, const FarCarrierOpen *spec, FarCarrier *carrier, FarRequest *req);
void direct_client_show (gpointer self, FarCarrier *carrier, const char *token);
const char *direct_part_fault (json_t *part);

G_END_DECLS
