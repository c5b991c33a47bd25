/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The session book: the sessions of one service, of whatever kind. The book keeps what all kinds have in
 * common (doc/sessions.md): the state machine with its timers, the rows on disk and the history, watchers,
 * lists, what a restart does. A service declares its kind, a table of functions for what is its own, and has
 * one book. Everything here runs on the main context.
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/message.h>
#include <farwatch/session.h>
#include <farwatch/store.h>
#include <farwatch/tunnel.h>

G_BEGIN_DECLS

typedef struct _FarBook FarBook;
typedef struct _FarSession FarSession;
typedef struct _FarSessionKind FarSessionKind;

/* Flags of a session. */
#define FAR_SESSION_HELD 1u     /* no byte passes until it is released */
#define FAR_SESSION_RECORDED 2u /* what passes is copied */
#define FAR_SESSION_OPAQUE 4u   /* what passes cannot be looked into */

/* What the book knows of a session. Texts are the session's own; times are wall. A service fills what it
 * knows before the first write (far_session_begin) and reads the rest. */
#define FAR_SESSION_FIELDS                                                                                   \
  FarBook *book; /* NULL: its service has gone */                                                            \
  const FarSessionKind *kind;                                                                                \
  gint refs;                                                                                                 \
  char *id, *parent;       /* parent: id of the session under which it was made; NULL: none */               \
  char *owner;             /* the node that keeps it */                                                      \
  guint64 epoch;           /* in which of the owner's lives */                                               \
  FarPrincipal *principal; /* NULL: known by the text alone */                                               \
  char *person;            /* who asked, as text: "person:alice" */                                          \
  char *object, *reason;                                                                                     \
  FarEntry entry;                                                                                            \
  FarSessionState state;                                                                                     \
  guint generation;                                                                                          \
  gint64 for_us, asked_us, opened_us, closed_us;                                                             \
  FarDeadline deadline; /* set before the event TUNNEL_UP that opens it */                                   \
  guint64 bytes_up, bytes_down;                                                                              \
  char *cause, *ended_by;                                                                                    \
  guint flags;                                                                                               \
  json_t *legs, *extra;         /* a list and an object that stand in the row as they are; NULL: none */     \
  struct _FarSessionInside *in; /* the book's alone */

struct _FarSession {
  FAR_SESSION_FIELDS
};

/* A service's own struct of a session begins with it: the fields by their names, and all of them as `base`.
 */
#define FAR_SESSION_BASE                                                                                     \
  union {                                                                                                    \
    FarSession base;                                                                                         \
    struct {                                                                                                 \
      FAR_SESSION_FIELDS                                                                                     \
    };                                                                                                       \
  }

/* The calls that every service makes of its own struct, under its own prefix: PREFIX_ref(), PREFIX_unref(),
 * PREFIX_live(), PREFIX_event(), PREFIX_tell(). */
#define FAR_DEFINE_SESSION(Type, prefix)                                                                     \
  static inline Type *prefix##_ref (Type *session)                                                           \
  {                                                                                                          \
    far_session_ref (&session->base);                                                                        \
    return session;                                                                                          \
  }                                                                                                          \
  static inline void prefix##_unref (Type *session)                                                          \
  {                                                                                                          \
    far_session_unref (&session->base);                                                                      \
  }                                                                                                          \
  static inline gboolean prefix##_live (const Type *session)                                                 \
  {                                                                                                          \
    return far_session_live (&session->base);                                                                \
  }                                                                                                          \
  static inline gboolean prefix##_event (Type *session, FarSessionEvent event, const char *cause,            \
                                         GError **error)                                                     \
  {                                                                                                          \
    return far_session_event (&session->base, event, cause, error);                                          \
  }                                                                                                          \
  static inline void prefix##_tell (Type *session)                                                           \
  {                                                                                                          \
    far_session_tell (&session->base);                                                                       \
  }

/* What a kind of session is. Functions may be NULL unless said otherwise. */
struct _FarSessionKind {
  const char *name;           /* stands in each row: "access" */
  gsize size;                 /* of the service's own struct */
  const char *rows, *history; /* tables of the store, both or none; none: nothing is written */
  const char *word;           /* `kind` of its history rows: "session" */
  gboolean outlives_owner;    /* what it opened goes on when the process of its owner ends; needs found() */
  guint remembered;           /* so many closed ones are known at most */
  gint64 remembered_us;       /* for so long; 0: until they are too many */
  gboolean wait_once;         /* who is permitted a second time has no more time than the first */
  gint64 end_us; /* when end() is not followed by TUNNEL_ENDED for so long, the book says it; 0: it will be */
  /* For how long it may wait to be open. Never NULL. */
  gint64 (*wait_us) (FarSession *session);
  /* It is closing: how long the other end has to close in order before end(); 0: none. */
  gint64 (*grace_us) (FarSession *session, FarSessionEvent event);
  /* A new state, before watchers hear of it. It may make further events. */
  void (*entered) (FarSession *session, FarSessionState before, FarSessionEvent event);
  /* It is closing: all that it holds goes, and TUNNEL_ENDED follows, in here or later. Never NULL. */
  void (*end) (FarSession *session);
  /* Fields of its own, into its row and its history row. */
  void (*row) (const FarSession *session, json_t *row);
  void (*record) (const FarSession *session, json_t *record);
  /* As people see it; new reference. Never NULL where there are watchers or lists. */
  json_t *(*show) (const FarSession *session);
  /* May the principal see it? NULL: their own, and those whose object they may see. */
  gboolean (*visible) (const FarSession *session, const FarPrincipal *principal);
  /* Has the other end heard that it is closed? Those are forgotten first. NULL: it need not. */
  gboolean (*told) (const FarSession *session);
  /* At start: does it go on? Its fields are those of the row; row has the kind's own. */
  gboolean (*found) (FarSession *session, const json_t *row);
  /* At start: this one, of a life before, is over. */
  void (*lost) (FarBook *book, const char *id);
  /* The service goes; what it holds is let go. `book` is NULL afterwards. */
  void (*gone) (FarSession *session);
  /* Its memory goes: what the service's own fields hold. */
  void (*clear) (FarSession *session);
};

/* ---- the book ---- */

/* at: the service's instance, self: given back by far_book_self(). store: name of an instance; NULL for a
 * kind that writes nothing. kind: borrowed for ever. Freed with far_book_free(). */
FarBook *far_book_new (FarInstance *at, const FarSessionKind *kind, const char *store, gpointer self);
/* In the service's stop(): every session loses its book, after gone(). */
void far_book_stop (FarBook *book);
/* In fini(), after that. NULL ok. */
void far_book_free (FarBook *book);
/* What was given as self. */
gpointer far_book_self (FarBook *book);
/* Reads what lives before have left, closes it or takes it up, then calls done, with the error of the store
 * if there was one. Before anything new is taken. For a kind with tables. */
typedef void (*FarBookLoaded) (gpointer self, const GError *error);
void far_book_load (FarBook *book, FarBookLoaded done);
/* NULL: not known here (id NULL ok). Borrowed. */
FarSession *far_book_session (FarBook *book, const char *id);
/* id → FarSession: live ones, and closed ones for a while. Borrowed; not to be kept over an event. */
GHashTable *far_book_sessions (FarBook *book);
/* Those that are not closed, each with a reference that goes with the array (full). */
GPtrArray *far_book_live (FarBook *book);
/* How many are not closed; person NULL: of all. */
guint far_book_count (FarBook *book, const char *person);

/* How many are not closed in all books of this node. */
guint far_sessions_live (void);

/* ---- a session ---- */

/* In the book from now on, as requested; the book has the reference, the result is borrowed. id NULL: a new
 * one. */
FarSession *far_session_new (FarBook *book, const char *id);
/* A reference more; returns session. It may outlive its book, which is NULL then. */
FarSession *far_session_ref (FarSession *session);
/* A reference less; with the last one it is freed, after clear(). */
void far_session_unref (FarSession *session);
/* Is it not closed? */
gboolean far_session_live (const FarSession *session);
/* The first write: its rows and, in the same transaction, n further parts. done with error NULL: it is
 * durable and may go on; else it is in the book no more. dropped(user) instead, if the service goes first. */
typedef void (*FarSessionBegun) (FarSession *session, const GError *error, gpointer user);
void far_session_begin (FarSession *session, const FarPart *more, guint n, FarSessionBegun done,
                        gpointer user, GDestroyNotify dropped);
/* The one way on. cause: why, for ends (NULL: the event's name). FALSE: refused, nothing happened. */
gboolean far_session_event (FarSession *session, FarSessionEvent event, const char *cause, GError **error);
/* The event CLOSE_ASKED, by somebody who then stands in the history (NULL: nobody). FALSE: refused. */
gboolean far_session_close (FarSession *session, const char *cause, const char *by, GError **error);
/* Counters as somebody tells them; they never fall. They are written now and then. */
void far_session_counted (FarSession *session, guint64 bytes_up, guint64 bytes_down);
/* Something that is shown has changed: watchers hear of it. */
void far_session_tell (FarSession *session);

/* ---- for handlers ---- */

/* Did the principal ask for it? */
gboolean far_session_own (const FarSession *session, const FarPrincipal *principal);
/* May they see it? The kind says so, or: it is their own, or a right lets them see its object. */
gboolean far_session_visible (const FarSession *session, const FarPrincipal *principal);
/* Object and ownership of session `id` into found; the words are the service's. NULL: there is none. */
FarSession *
far_book_resolve (FarBook *book, const char *id, const FarPrincipal *principal, FarResolved *found);
/* Answers {"sessions", "next"} with those the caller may see, oldest first (of a kind without a history: by
 * their ids), in pages of `most`; with the query all=yes the closed ones as well, where `closed` allows it.
 */
void far_book_list (FarBook *book, FarCall *call, guint most, gboolean closed);
/* Answers a WATCH with the session as it is, then with each change. */
void far_session_subscribe (FarSession *session, FarCall *call);
/* Answers {"history", "next"} with the rows of the history that the caller may see, newest first. names:
 * words of the query by which rows are chosen, fields of the rows; NULL-terminated. */
typedef gboolean (*FarHistorySees) (const json_t *row, const FarPrincipal *principal);
void far_book_history (FarBook *book, FarCall *call, const char *const *names, FarHistorySees sees);

/* Key of a history row: they sort by time. Caller frees. [any thread] */
char *far_history_key (gint64 wall_us, const char *id);

G_END_DECLS
