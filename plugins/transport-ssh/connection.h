/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A conn: one libssh session on one loop, driven by the loop's descriptors. A session and its channels never
 * cross threads, except as a whole and with no channel open (ssh_conn_move). libssh handles packets also
 * inside calls that only mean to write, so its callbacks may come nested; what is told to streams is told
 * only from the conn's own turn, everything else waits for it. */
#pragma once
#include <farwatch/plugin.h>

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

G_BEGIN_DECLS

typedef struct _SshConnection SshConnection;
typedef struct _Channel Channel;

/* What we promise libssh (README, "Rules of libssh"): looked at in builds with sanitizers, where breaking a
 * rule shall be seen before its effects are. */
#ifdef FAR_SANITIZED
#define WIRE_RULE(holds) g_assert (holds)
#else
#define WIRE_RULE(holds) ((void) 0)
#endif

typedef struct {
  /* Key exchange, connecting, logging in at the other side: called at each turn until it says TRUE. NULL:
   * nothing to do first. */
  gboolean (*advance) (SshConnection *conn, gpointer user);
  /* A request of the peer. TRUE: it keeps the message and answers later; FALSE: freed. */
  gboolean (*message) (SshConnection *conn, ssh_message message, gpointer user);
  /* Asked at every turn and before each: FALSE cuts the conn with *cause. NULL: nothing to ask. */
  gboolean (*may_go_on) (SshConnection *conn, const char **cause, gpointer user);
  /* It has come to its new loop. NULL: no matter. */
  void (*arrived) (SshConnection *conn, gpointer user);
  /* The conn is dead (its channels are already told); last call. It frees itself afterwards. */
  void (*dead) (SshConnection *conn, const char *cause, gpointer user);
} SshConnectionOps;

struct _SshConnection {
  gint refs;
  FarLoop *loop; /* changes once at most, on the old loop; read by ssh_conn_post() */
  ssh_session session;
  ssh_event event; /* made when advance() is done */
  /* Ours, a second number of the same connection: libssh closes its own whenever it sees the end, and by the
   * next line another thread may have a connection of that number, which we would cut, or take from its
   * watch. -1: dead. */
  int fd;
  int session_fd; /* the session's; a number only, not to be used */
  const SshConnectionOps *ops;
  gpointer user;
  /* [loop] */
  FarWatch *watch;
  FarDeferred *later;
  GPtrArray *channels;
  guint inside;    /* depth of our calls into libssh */
  guint telling;   /* callbacks of libssh that are under way: nothing of it may be called */
  gboolean begun;  /* advance() was asked: the session has its descriptor */
  gboolean ready;  /* advance() has said TRUE */
  gboolean paused; /* reads nothing: an answer is awaited */
  gboolean held;   /* its handshake waits for somebody here */
  gboolean in_turn, dead;
  const char *cause;                 /* cut: why */
  struct ssh_counter_struct counter; /* bytes of the connection */
  struct ssh_counter_struct packets;
  guint64 seen;                     /* bytes read before the call that is under way */
  guint64 asked;                    /* bytes read before messages were last asked for; since then: */
  guint64 data_bytes, data_packets; /* what channels were told of */
  FarLoop *next_loop;               /* it is to move */
  const SshConnectionOps *next_ops;
  gpointer next_user;
};

/* Takes session; fd: its descriptor, taken with it. [loop] */
SshConnection *
ssh_conn_new (FarLoop *loop, ssh_session session, int fd, const SshConnectionOps *ops, gpointer user);
SshConnection *ssh_conn_ref (SshConnection *conn); /* [any thread] */
void ssh_conn_unref (SshConnection *conn);         /* [any thread] */
/* Runs func(conn, data) on the conn's loop, wherever it has moved to; not at all when it is dead by then
 * (free_data is called). [any thread] */
typedef void (*SshConnectionFunc) (SshConnection *conn, gpointer data);
void ssh_conn_post (SshConnection *conn, SshConnectionFunc func, gpointer data, GDestroyNotify free_data);
/* Soon a turn. [loop] */
void ssh_conn_kick (SshConnection *conn);
/* From within advance(): the handshake waits for somebody here, until let_go(). What comes meanwhile is the
 * end of the connection: nothing was asked that could be answered. [loop] */
void ssh_conn_hold (SshConnection *conn);
void ssh_conn_let_go (SshConnection *conn);
/* No reading until it is taken back. [loop] */
void ssh_conn_pause (SshConnection *conn, gboolean pause);
/* Soon the conn lives at loop, with another user; no channel may exist, and what it reads from then on goes
 * to the new one. [loop] */
void ssh_conn_move (SshConnection *conn, FarLoop *loop, const SshConnectionOps *ops, gpointer user);
/* Ends it at once (reset, nothing delivered late). dead() follows, later. [loop] */
void ssh_conn_cut (SshConnection *conn, const char *cause);
/* Around calls into libssh that may handle packets. [loop] */
void ssh_conn_enter (SshConnection *conn);
void ssh_conn_leave (SshConnection *conn);
/* TRUE: a callback comes from the conn's own turn and may tell streams at once. */
gboolean ssh_conn_may_tell (SshConnection *conn);
gboolean ssh_conn_can_write (SshConnection *conn);

/* Keep-alive, no delay, close-on-exec, non-blocking. A dead peer shows within half a minute. */
void ssh_conn_tune_fd (int fd);

/* ---- channels ---- */

/* Takes channel. from: who, for messages. opened: it is open already; else it opens as a forwarded connection
 * (ssh_conn_channel_forward). [loop] */
Channel *ssh_conn_channel_new (SshConnection *conn, ssh_channel channel, gboolean opened);
/* A session channel: an exit status goes before the end, the one in the box (atomic rc; a reference is
 * taken). */
void ssh_conn_channel_set_session (Channel *channel, gint *status);
FarStream *ssh_conn_channel_stream (Channel *channel);
ssh_channel ssh_conn_channel_raw (Channel *channel);
/* Opens a forwarded-tcpip channel to the peer: host as the peer wrote it in its request. [loop] */
Channel *ssh_conn_channel_forward (SshConnection *conn, const char *host, guint16 port, const char *from,
                                   guint16 from_port);

/* For the conn: */
void ssh_conn_channel_turn (Channel *channel);     /* tells what has changed */
gboolean ssh_conn_channel_reap (Channel *channel); /* TRUE: it is gone */
void ssh_conn_channel_wire_dead (Channel *channel, const char *cause);

G_END_DECLS
