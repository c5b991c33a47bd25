/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file drives one libssh session from a loop's descriptors: reading, writing, its turns, its move to
 * another loop, its end. Channels are channel.c. It is the one place that knows how libssh nests its
 * callbacks. */
#include "config.h"

#include "wire.h"

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

static void wire_turn (gpointer data);

void
wire_tune_fd (int fd)
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
wire_ready (int fd, guint ready, gpointer data)
{
  if (ready == FAR_READY_CLOSED)
    wire_cut (data, "the system does not watch its descriptor");
  else
    wire_turn (data);
}

static void
wire_settle (Wire *wire)
{
  if (wire->fd >= 0)
    wire->watch = far_loop_watch (wire->loop, wire->fd, FAR_READY_READ, wire_ready, wire);
  wire->later = far_deferred_new (wire->loop, wire_turn, wire);
}

static void
wire_unsettle (Wire *wire)
{
  g_clear_pointer (&wire->watch, far_watch_free);
  g_clear_pointer (&wire->later, far_deferred_free);
}

Wire *
wire_new (FarLoop *loop, ssh_session session, int fd, const WireOps *ops, gpointer user)
{
  Wire *wire = g_new0 (Wire, 1);
  wire->refs = 1;
  wire->loop = loop;
  wire->session = session;
  wire->session_fd = fd;
  wire->fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (wire->fd < 0)
    wire->cause = "no descriptors left";
  wire->ops = ops;
  wire->user = user;
  wire->channels = g_ptr_array_new ();
  ssh_set_blocking (session, 0);
  ssh_set_counters (session, &wire->counter, &wire->packets);
  wire_settle (wire);
  far_deferred_ask (wire->later);
  return wire;
}

Wire *
wire_ref (Wire *wire)
{
  g_atomic_int_inc (&wire->refs);
  return wire;
}

void
wire_unref (Wire *wire)
{
  if (!g_atomic_int_dec_and_test (&wire->refs))
    return;
  g_ptr_array_free (wire->channels, TRUE);
  g_free (wire);
}

/* ---- posts that follow it ---- */

typedef struct {
  Wire *wire;
  WireFunc func;
  gpointer data;
  GDestroyNotify free_data;
} Post;

static void
run_post (gpointer data)
{
  Post *post = data;
  FarLoop *loop = g_atomic_pointer_get (&post->wire->loop);
  if (!far_loop_is_here (loop)) { /* it moved while this was on its way */
    far_loop_post (loop, run_post, post);
    return;
  }
  if (!post->wire->dead) {
    post->func (post->wire, post->data);
    wire_kick (post->wire);
  }
  if (post->free_data != NULL)
    post->free_data (post->data);
  wire_unref (post->wire);
  g_free (post);
}

void
wire_post (Wire *wire, WireFunc func, gpointer data, GDestroyNotify free_data)
{
  Post *post = g_new (Post, 1);
  *post = (Post){ wire_ref (wire), func, data, free_data };
  far_loop_post (g_atomic_pointer_get (&wire->loop), run_post, post);
}

/* ---- end ---- */

/* ssh_disconnect() is not called: from libssh 0.10 on it forgets a descriptor that was given to a client's
 * session, and leaves it open; before that it closed it. ssh_free() closes what the session still holds in
 * every version, and a goodbye is heard by nobody once the connection is shut. */
static void
close_session (Wire *wire)
{
  struct linger linger = { 1, 0 };
  setsockopt (wire->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
  shutdown (wire->fd, SHUT_RDWR);
  if (wire->event != NULL) {
    ssh_event_remove_session (wire->event, wire->session);
    ssh_event_free (wire->event);
  }
  /* a client's session takes its descriptor when it connects */
  gboolean left = !wire->begun && ssh_get_fd (wire->session) < 0;
  ssh_free (wire->session);
  wire->session = NULL;
  if (left)
    close (wire->session_fd);
  if (wire->fd >= 0)
    close (wire->fd);
  wire->fd = -1;
}

static void
channels_die (Wire *wire, const char *cause)
{
  for (guint i = 0; i < wire->channels->len; i++)
    wire_channel_wire_dead (wire->channels->pdata[i], cause);
}

static void
wire_end (Wire *wire)
{
  const char *cause = wire->cause;
  WIRE_RULE (far_loop_is_here (wire->loop) && !wire->dead && !wire->in_turn && wire->inside == 0 &&
             wire->telling == 0);
  wire->dead = TRUE;
  wire_unsettle (wire);
  channels_die (wire, cause);
  close_session (wire);
  if (wire->ops->dead != NULL)
    wire->ops->dead (wire, cause, wire->user);
  wire_unref (wire);
}

void
wire_cut (Wire *wire, const char *cause)
{
  if (wire->dead)
    return;
  if (wire->cause == NULL)
    wire->cause = g_intern_string (cause);
  wire_kick (wire);
}

/* ---- turns ---- */

static void ssh_wire_wait_for_more (Wire *wire);

void
wire_enter (Wire *wire)
{
  WIRE_RULE (far_loop_is_here (wire->loop));
  WIRE_RULE (wire->session != NULL);
  WIRE_RULE (wire->telling == 0);
  if (wire->inside++ == 0)
    wire->seen = wire->counter.in_bytes;
}

/* A packet that was changed on the way leaves libssh in a state of error with the connection standing: it
 * would wait for ever. */
static gboolean
is_broken (Wire *wire)
{
  return !ssh_is_connected (wire->session) ||
         (ssh_get_status (wire->session) & (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0;
}

/* Packets that were handled meanwhile have left messages and data behind. */
void
wire_leave (Wire *wire)
{
  if (--wire->inside > 0)
    return;
  if (wire->counter.in_bytes != wire->seen || is_broken (wire))
    wire_kick (wire); /* within a turn as well: it may be past the place where it looks */
  else if (!wire->in_turn)
    ssh_wire_wait_for_more (wire);
}

gboolean
wire_may_tell (Wire *wire)
{
  return wire->in_turn && wire->inside == 0;
}

gboolean
wire_can_write (Wire *wire)
{
  return !wire->dead && wire->cause == NULL && !(ssh_get_status (wire->session) & SSH_WRITE_PENDING);
}

void
wire_kick (Wire *wire)
{
  if (!wire->dead)
    far_deferred_ask (wire->later);
}

void
wire_pause (Wire *wire, gboolean pause)
{
  wire->paused = pause;
  wire_kick (wire);
}

static const char *
session_cause (Wire *wire)
{
  return ssh_get_disconnect_message (wire->session) != NULL ? "closed by the peer" : "connection lost";
}

/* One read and what it brings; TRUE: there may be more to read. */
static gboolean
poll_once (Wire *wire)
{
  guint64 before = wire->counter.in_bytes;
  WIRE_RULE (wire->in_turn && wire->inside == 0 && wire->telling == 0);
  int result = ssh_event_dopoll (wire->event, 0);
  if (wire->cause == NULL && (result == SSH_ERROR || is_broken (wire)))
    wire->cause = session_cause (wire);
  return result == SSH_OK && wire->counter.in_bytes - before >= READ_SIZE;
}

static gboolean
take_message (Wire *wire)
{
  ssh_message message = ssh_message_get (wire->session);
  if (message == NULL) {
    if (wire->cause == NULL && is_broken (wire))
      wire->cause = session_cause (wire);
    return FALSE;
  }
  if (!wire->ops->message (wire, message, wire->user))
    ssh_message_free (message);
  return TRUE;
}

static gboolean
still_goes (Wire *wire)
{
  return wire->cause == NULL && wire->next_loop == NULL;
}

/* Since messages were last asked for there came nothing, or one packet of data: then there is none, and
 * asking costs a system call. */
static gboolean
only_data (Wire *wire)
{
  guint64 brought = wire->counter.in_bytes - wire->asked;
  return brought == 0 || (wire->data_packets == 1 && brought >= wire->data_bytes &&
                          brought - wire->data_bytes <= PACKET_EXTRA);
}

/* FALSE: there may be more of them. */
static gboolean
take_messages (Wire *wire)
{
  guint left = TURN;
  gboolean all = only_data (wire);
  while (!all && left > 0 && still_goes (wire) && !wire->paused) {
    all = !take_message (wire);
    left--;
  }
  if (all) {
    wire->asked = wire->counter.in_bytes;
    wire->data_packets = wire->data_bytes = 0;
  }
  return left > 0;
}

/* Whether there may be more to do at once. */
static gboolean
read_some (Wire *wire)
{
  guint left = TURN;
  while (left > 0 && still_goes (wire) && poll_once (wire))
    left--;
  return !take_messages (wire) || left == 0;
}

static void
get_ready (Wire *wire)
{
  wire->begun = TRUE;
  if (wire->ops->advance != NULL && !wire->ops->advance (wire, wire->user))
    return;
  wire->ready = TRUE;
  wire->event = ssh_event_new ();
  ssh_event_add_session (wire->event, wire->session);
}

static void
channels_turn (Wire *wire)
{
  for (guint i = 0; i < wire->channels->len; i++)
    wire_channel_turn (wire->channels->pdata[i]);
  for (guint i = 0; i < wire->channels->len;)
    if (wire_channel_reap (wire->channels->pdata[i]))
      g_ptr_array_remove_index_fast (wire->channels, i);
    else
      i++;
}

static void
ssh_wire_wait_for_more (Wire *wire)
{
  guint wait = wire->paused ? 0 : FAR_READY_READ;
  /* while it shakes hands libssh may wait for a first chance to write; later only what it holds back counts
   */
  int pending = ssh_get_status (wire->session) | (wire->ready ? 0 : ssh_get_poll_flags (wire->session));
  if (pending & SSH_WRITE_PENDING)
    wait |= FAR_READY_WRITE;
  far_watch_set (wire->watch, wait);
}

static void
ssh_wire_check_limits (Wire *wire)
{
  const char *cause = NULL;
  if (wire->cause == NULL && wire->ops->may_go_on != NULL && !wire->ops->may_go_on (wire, &cause, wire->user))
    wire->cause = g_intern_string (cause);
}

static void
arrive (gpointer data)
{
  Wire *wire = data;
  wire_settle (wire);
  if (wire->ops->arrived != NULL)
    wire->ops->arrived (wire, wire->user);
  wire_turn (wire);
  wire_unref (wire);
}

/* The last act on the old loop: from the post on the new one may be at it. */
static void
move_away (Wire *wire)
{
  FarLoop *loop = wire->next_loop;
  wire_unsettle (wire);
  wire->ops = wire->next_ops;
  wire->user = wire->next_user;
  wire->next_loop = NULL;
  wire->paused = FALSE;
  g_atomic_pointer_set (&wire->loop, loop);
  far_loop_post (loop, arrive, wire_ref (wire));
}

void
wire_move (Wire *wire, FarLoop *loop, const WireOps *ops, gpointer user)
{
  wire->next_loop = loop;
  wire->next_ops = ops;
  wire->next_user = user;
  wire_kick (wire);
}

static gboolean
do_turn (Wire *wire)
{
  gboolean more = FALSE;
  ssh_wire_check_limits (wire);
  if (still_goes (wire) && !wire->ready)
    get_ready (wire);
  if (still_goes (wire) && wire->ready && !wire->paused)
    more = read_some (wire);
  else if (still_goes (wire) && wire->ready)
    poll_once (wire); /* lets out what waits to be written, and sees the peer go */
  if (still_goes (wire))
    channels_turn (wire);
  ssh_wire_check_limits (wire);
  return more;
}

static void
wire_turn (gpointer data)
{
  Wire *wire = data;
  if (wire->dead || wire->in_turn)
    return;
  wire_ref (wire);
  wire->in_turn = TRUE;
  gboolean more = wire->next_loop == NULL && do_turn (wire);
  wire->in_turn = FALSE;
  if (wire->next_loop != NULL) /* also with a cause to end: its new user shall hear of that at loop */
    move_away (wire);
  else if (wire->cause != NULL)
    wire_end (wire);
  else {
    ssh_wire_wait_for_more (wire);
    if (more)
      wire_kick (wire);
  }
  wire_unref (wire);
}
