/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file drives one libssh session from a loop's descriptors: reading, writing, its turns, its move to
 * another loop, its end. Channels are channel.c. It is the one place that knows how libssh nests its
 * callbacks. */
#include "config.h"

#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* libssh reads at most so much at a time: a read of less has taken all there was. After so many reads others
 * have their turn. */
#define READ_SIZE 4096
#define TURN 64
/* What encryption and framing add to the data of one packet (AES-GCM, ChaCha20), at most; nothing else that a
 * peer sends would fit in. */
#define PACKET_EXTRA 49
#define KEEPALIVE_IDLE_S 10
#define KEEPALIVE_EVERY_S 5
#define KEEPALIVE_TRIES 4
#define UNACKED_MS 30000

static void ssh_conn_turn (gpointer data);

void
ssh_conn_tune_fd (int fd)
{
  int on = 1, idle = KEEPALIVE_IDLE_S, every = KEEPALIVE_EVERY_S, tries = KEEPALIVE_TRIES,
      unacked = UNACKED_MS;
  fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_NONBLOCK);
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
  setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof unacked);
}

/* ---- life ---- */

static void
ssh_conn_ready (int fd, guint ready, gpointer data)
{
  SshConnection *conn = data;
  if (ready == FAR_READY_CLOSED)
    ssh_conn_cut (conn, "the system does not watch its descriptor");
  else if (conn->held)
    ssh_conn_cut (conn, "closed by the peer");
  else
    ssh_conn_turn (conn);
}

static void
ssh_conn_settle (SshConnection *conn)
{
  if (conn->fd >= 0)
    conn->watch = far_loop_watch (conn->loop, conn->fd, FAR_READY_READ, ssh_conn_ready, conn);
  conn->later = far_deferred_new (conn->loop, ssh_conn_turn, conn);
}

static void
ssh_conn_unsettle (SshConnection *conn)
{
  g_clear_pointer (&conn->watch, far_watch_free);
  g_clear_pointer (&conn->later, far_deferred_free);
}

SshConnection *
ssh_conn_new (FarLoop *loop, ssh_session session, int fd, const SshConnectionOps *ops, gpointer user)
{
  SshConnection *conn = g_new0 (SshConnection, 1);
  conn->refs = 1;
  conn->loop = loop;
  conn->session = session;
  conn->session_fd = fd;
  conn->fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (conn->fd < 0)
    conn->cause = "no descriptors left";
  conn->ops = ops;
  conn->user = user;
  conn->channels = g_ptr_array_new ();
  ssh_set_blocking (session, 0);
  ssh_set_counters (session, &conn->counter, &conn->packets);
  ssh_conn_settle (conn);
  far_deferred_ask (conn->later);
  return conn;
}

SshConnection *
ssh_conn_ref (SshConnection *conn)
{
  g_atomic_int_inc (&conn->refs);
  return conn;
}

void
ssh_conn_unref (SshConnection *conn)
{
  if (!g_atomic_int_dec_and_test (&conn->refs))
    return;
  g_ptr_array_free (conn->channels, TRUE);
  g_free (conn);
}

/* ---- posts that follow it ---- */

typedef struct {
  SshConnection *conn;
  SshConnectionFunc func;
  gpointer data;
  GDestroyNotify free_data;
} Post;

static void
run_post (gpointer data)
{
  Post *post = data;
  FarLoop *loop = g_atomic_pointer_get (&post->conn->loop);
  if (!far_loop_is_here (loop)) { /* it moved while this was on its way */
    far_loop_post (loop, run_post, post);
    return;
  }
  if (!post->conn->dead) {
    post->func (post->conn, post->data);
    ssh_conn_kick (post->conn);
  }
  if (post->free_data != NULL)
    post->free_data (post->data);
  ssh_conn_unref (post->conn);
  g_free (post);
}

void
ssh_conn_post (SshConnection *conn, SshConnectionFunc func, gpointer data, GDestroyNotify free_data)
{
  Post *post = g_new (Post, 1);
  *post = (Post){ ssh_conn_ref (conn), func, data, free_data };
  far_loop_post (g_atomic_pointer_get (&conn->loop), run_post, post);
}

/* ---- end ---- */

/* ssh_disconnect() is not called: from libssh 0.10 on it forgets a descriptor that was given to a client's
 * session, and leaves it open; before that it closed it. ssh_free() closes what the session still holds in
 * every version, and a goodbye is heard by nobody once the connection is shut. */
static void
close_session (SshConnection *conn)
{
  struct linger linger = { 1, 0 };
  setsockopt (conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  shutdown (conn->fd, SHUT_RDWR);
  if (conn->event != NULL) {
    ssh_event_remove_session (conn->event, conn->session);
    ssh_event_free (conn->event);
  }
  /* A client's session takes its descriptor when it connects. */
  gboolean left = !conn->begun && ssh_get_fd (conn->session) < 0;
  ssh_free (conn->session);
  conn->session = NULL;
  if (left)
    close (conn->session_fd);
  if (conn->fd >= 0)
    close (conn->fd);
  conn->fd = -1;
}

static void
channels_die (SshConnection *conn, const char *cause)
{
  for (guint i = 0; i < conn->channels->len; i++)
    ssh_conn_channel_wire_dead (conn->channels->pdata[i], cause);
}

static void
ssh_conn_end (SshConnection *conn)
{
  const char *cause = conn->cause;
  WIRE_RULE (far_loop_is_here (conn->loop) && !conn->dead && !conn->in_turn && conn->inside == 0 &&
             conn->telling == 0);
  conn->dead = TRUE;
  ssh_conn_unsettle (conn);
  channels_die (conn, cause);
  close_session (conn);
  if (conn->ops->dead != NULL)
    conn->ops->dead (conn, cause, conn->user);
  ssh_conn_unref (conn);
}

void
ssh_conn_cut (SshConnection *conn, const char *cause)
{
  if (conn->dead)
    return;
  if (conn->cause == NULL)
    conn->cause = g_intern_string (cause);
  ssh_conn_kick (conn);
}

/* ---- turns ---- */

static void ssh_connection_wait_for_more (SshConnection *conn);

void
ssh_conn_enter (SshConnection *conn)
{
  WIRE_RULE (far_loop_is_here (conn->loop));
  WIRE_RULE (conn->session != NULL);
  WIRE_RULE (conn->telling == 0);
  if (conn->inside++ == 0)
    conn->seen = conn->counter.in_bytes;
}

/* A packet that was changed on the way leaves libssh in a state of error with the connection standing: it
 * would wait for ever. */
static gboolean
is_broken (SshConnection *conn)
{
  return !ssh_is_connected (conn->session) ||
         (ssh_get_status (conn->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0;
}

/* Packets that were handled meanwhile have left messages and data behind. */
void
ssh_conn_leave (SshConnection *conn)
{
  if (--conn->inside > 0)
    return;
  if (conn->counter.in_bytes != conn->seen || is_broken (conn))
    ssh_conn_kick (conn); /* within a turn as well: it may be past the place where it looks */
  else if (!conn->in_turn)
    ssh_connection_wait_for_more (conn);
}

gboolean
ssh_conn_may_tell (SshConnection *conn)
{
  return conn->in_turn && conn->inside == 0;
}

gboolean
ssh_conn_can_write (SshConnection *conn)
{
  return !conn->dead && conn->cause == NULL && !(ssh_get_status (conn->session) & SSH_WRITE_PENDING);
}

void
ssh_conn_kick (SshConnection *conn)
{
  if (!conn->dead)
    far_deferred_ask (conn->later);
}

void
ssh_conn_hold (SshConnection *conn)
{
  conn->held = TRUE;
}

void
ssh_conn_let_go (SshConnection *conn)
{
  conn->held = FALSE;
  ssh_conn_kick (conn);
}

void
ssh_conn_pause (SshConnection *conn, gboolean pause)
{
  conn->paused = pause;
  ssh_conn_kick (conn);
}

static const char *
session_cause (SshConnection *conn)
{
  return ssh_get_disconnect_message (conn->session) != NULL ? "closed by the peer" : "connection lost";
}

/* One read and what it brings; TRUE: there may be more to read. */
static gboolean
poll_once (SshConnection *conn)
{
  guint64 before = conn->counter.in_bytes;
  WIRE_RULE (conn->in_turn && conn->inside == 0 && conn->telling == 0);
  int result = ssh_event_dopoll (conn->event, 0);
  if (conn->cause == NULL && (result == SSH_ERROR || is_broken (conn)))
    conn->cause = session_cause (conn);
  return result == SSH_OK && conn->counter.in_bytes - before >= READ_SIZE;
}

static gboolean
take_message (SshConnection *conn)
{
  ssh_message message = ssh_message_get (conn->session);
  if (message == NULL) {
    if (conn->cause == NULL && is_broken (conn))
      conn->cause = session_cause (conn);
    return FALSE;
  }
  if (!conn->ops->message (conn, message, conn->user))
    ssh_message_free (message);
  return TRUE;
}

static gboolean
still_goes (SshConnection *conn)
{
  return conn->cause == NULL && conn->next_loop == NULL;
}

/* Since messages were last asked for there came nothing, or one packet of data: then there is none, and
 * asking costs a system call. */
static gboolean
only_data (SshConnection *conn)
{
  guint64 brought = conn->counter.in_bytes - conn->asked;
  return brought == 0 || (conn->data_packets == 1 && brought >= conn->data_bytes &&
                          brought - conn->data_bytes <= PACKET_EXTRA);
}

/* FALSE: there may be more of them. */
static gboolean
take_messages (SshConnection *conn)
{
  guint left = TURN;
  gboolean all = only_data (conn);
  while (!all && left > 0 && still_goes (conn) && !conn->paused) {
    all = !take_message (conn);
    left--;
  }
  if (all) {
    conn->asked = conn->counter.in_bytes;
    conn->data_packets = conn->data_bytes = 0;
  }
  return left > 0;
}

/* Whether there may be more to do at once. */
static gboolean
read_some (SshConnection *conn)
{
  guint left = TURN;
  while (left > 0 && still_goes (conn) && poll_once (conn))
    left--;
  return !take_messages (conn) || left == 0;
}

static void
get_ready (SshConnection *conn)
{
  conn->begun = TRUE;
  if (conn->ops->advance != NULL && !conn->ops->advance (conn, conn->user))
    return;
  conn->ready = TRUE;
  conn->event = ssh_event_new ();
  ssh_event_add_session (conn->event, conn->session);
}

static void
channels_turn (SshConnection *conn)
{
  for (guint i = 0; i < conn->channels->len; i++)
    ssh_conn_channel_turn (conn->channels->pdata[i]);
  for (guint i = 0; i < conn->channels->len;)
    if (ssh_conn_channel_reap (conn->channels->pdata[i]))
      g_ptr_array_remove_index_fast (conn->channels, i);
    else
      i++;
}

static void
ssh_connection_wait_for_more (SshConnection *conn)
{
  guint wait = conn->paused ? 0 : FAR_READY_READ;
  /* While it shakes hands libssh may wait for a first chance to write; later only what it holds back counts.
   */
  int pending = ssh_get_status (conn->session) | (conn->ready ? 0 : ssh_get_poll_flags (conn->session));
  if ((pending & SSH_WRITE_PENDING) && !conn->held)
    wait |= FAR_READY_WRITE;
  far_watch_set (conn->watch, wait);
}

static void
ssh_connection_check_limits (SshConnection *conn)
{
  const char *cause = NULL;
  if (conn->cause == NULL && conn->ops->may_go_on != NULL && !conn->ops->may_go_on (conn, &cause, conn->user))
    conn->cause = g_intern_string (cause);
}

static void
arrive (gpointer data)
{
  SshConnection *conn = data;
  ssh_conn_settle (conn);
  if (conn->ops->arrived != NULL)
    conn->ops->arrived (conn, conn->user);
  ssh_conn_turn (conn);
  ssh_conn_unref (conn);
}

/* The last act on the old loop: from the post on the new one may be at it. */
static void
move_away (SshConnection *conn)
{
  FarLoop *loop = conn->next_loop;
  ssh_conn_unsettle (conn);
  conn->ops = conn->next_ops;
  conn->user = conn->next_user;
  conn->next_loop = NULL;
  conn->paused = FALSE;
  g_atomic_pointer_set (&conn->loop, loop);
  far_loop_post (loop, arrive, ssh_conn_ref (conn));
}

void
ssh_conn_move (SshConnection *conn, FarLoop *loop, const SshConnectionOps *ops, gpointer user)
{
  conn->next_loop = loop;
  conn->next_ops = ops;
  conn->next_user = user;
  ssh_conn_kick (conn);
}

static gboolean
do_turn (SshConnection *conn)
{
  gboolean more = FALSE;
  ssh_connection_check_limits (conn);
  if (still_goes (conn) && !conn->ready && !conn->held)
    get_ready (conn);
  if (still_goes (conn) && conn->ready && !conn->paused)
    more = read_some (conn);
  else if (still_goes (conn) && conn->ready)
    poll_once (conn); /* lets out what waits to be written, and sees the peer go */
  if (still_goes (conn))
    channels_turn (conn);
  ssh_connection_check_limits (conn);
  return more;
}

static void
ssh_conn_turn (gpointer data)
{
  SshConnection *conn = data;
  if (conn->dead || conn->in_turn)
    return;
  ssh_conn_ref (conn);
  conn->in_turn = TRUE;
  gboolean more = conn->next_loop == NULL && do_turn (conn);
  conn->in_turn = FALSE;
  if (conn->next_loop != NULL) /* also with a cause to end: its new user shall hear of that at loop */
    move_away (conn);
  else if (conn->cause != NULL)
    ssh_conn_end (conn);
  else {
    ssh_connection_wait_for_more (conn);
    if (more)
      ssh_conn_kick (conn);
  }
  ssh_conn_unref (conn);
}
