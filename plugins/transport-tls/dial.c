/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to a listener: connect, know the server by its certificate, its name and the key of the offer, show
 * the own certificate, say hello. It knows no session: whoever dials is told of a stream or of why there is
 * none. */
#include "config.h"

#include "direct.h"

#include <farwatch/dial.h>
#include <farwatch/event.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define DIAL_US (FAR_DIAL_SECONDS * (gint64) G_USEC_PER_SEC) /* for all of it */
/* Until a listener has shown its certificate, where nothing stands yet: a port that a firewall shuts without
 * a word costs a person so long, then they come by another carrier. */
#define REACH_US (3 * (gint64) G_USEC_PER_SEC)

struct _DirectDial {
  gint refs;
  char *place, *host, *node, *key;
  FarTls *tls;
  FarLoop *loop;
  gint64 until_us, reach_us;
  json_t *hello;     /* NULL: said, or not there yet */
  gboolean answered; /* its hello is answered */
  DirectDialDone done;
  gpointer user;
  /* main */
  FarRequest *connecting; /* NULL: it is over */
  /* loop, then main */
  int fd;
  FarStream *stream;
  DirectConn *conn;
  FarLoopTimer *timer;
  GError *error;
  gboolean said;        /* the hello */
  gboolean over, known; /* known: who must be there is */
  char *stranger;       /* the key of somebody else who is there; NULL: nobody was seen */
};

static void
direct_dial_unref (DirectDial *dial)
{
  if (!g_atomic_int_dec_and_test (&dial->refs))
    return;
  g_free (dial->place);
  g_free (dial->host);
  g_free (dial->node);
  g_free (dial->key);
  g_free (dial->stranger);
  json_decref (dial->hello);
  far_tls_unref (dial->tls);
  g_clear_error (&dial->error);
  g_free (dial);
}

/* ---- how it ends ---- */

/* [main] */
static void
direct_dial_finished (gpointer data)
{
  DirectDial *dial = data;
  dial->done (g_steal_pointer (&dial->stream), dial->error, dial->user);
  direct_dial_unref (dial);
}

/* [loop] takes error; NULL: stream is good */
static void
direct_dial_over (DirectDial *dial, GError *error)
{
  dial->over = TRUE;
  dial->error = error;
  g_clear_pointer (&dial->timer, far_loop_timer_free);
  if (error != NULL && dial->conn != NULL)
    dial->stream = direct_conn_steal (g_steal_pointer (&dial->conn));
  if (error != NULL)
    g_clear_pointer (&dial->stream, far_stream_free);
  far_loop_post (far_loop_main (), direct_dial_finished, dial);
}

/* Until the hello is said, nothing of it is known there. */
static void
direct_dial_fail (DirectDial *dial, FarErrorCode code, const char *why)
{
  direct_dial_over (dial, g_error_new (FAR_ERROR, dial->said ? code : FAR_ERROR_UNAVAILABLE,
                                       _ ("no carrier to %s: %s"), dial->place, why));
}

/* ---- [loop] ---- */

static gboolean
direct_dial_word (DirectConn *conn, json_t *word, gpointer user)
{
  DirectDial *dial = user;
  gboolean up = json_is_true (json_object_get (word, "up")), no = json_object_get (word, "no") != NULL;
  json_decref (word);
  dial->stream = direct_conn_steal (g_steal_pointer (&dial->conn));
  if (up)
    direct_dial_over (dial, NULL);
  else if (no)
    direct_dial_fail (dial, FAR_ERROR_DENIED, _ ("the credential was refused"));
  else
    direct_dial_fail (dial, FAR_ERROR_PROTOCOL, _ ("its answer is not that of a carrier"));
  return FALSE;
}

static void
direct_dial_dead (DirectConn *conn, const char *cause, gpointer user)
{
  DirectDial *dial = user;
  gboolean refused = far_tls_refused (direct_conn_stream (conn));
  dial->conn = NULL; /* freed behind this */
  direct_dial_fail (dial, refused ? FAR_ERROR_DENIED : FAR_ERROR_UNAVAILABLE, cause);
}

static const DirectConnFuncs direct_dial_funcs = { direct_dial_word, direct_dial_dead };

/* The certificate is the fleet's and for a server; here it is asked whose it is. */
static const char *
direct_dial_stranger (DirectDial *dial)
{
  g_autofree char *key = far_tls_peer_key (dial->stream);
  if (g_strcmp0 (far_tls_peer (dial->stream), dial->node) != 0)
    return _ ("its certificate is another node's");
  return g_strcmp0 (key, dial->key) != 0 ? _ ("its key is not the one of the offer") : NULL;
}

static void
direct_dial_say (DirectDial *dial)
{
  dial->said = TRUE;
  direct_conn_say (dial->conn, g_steal_pointer (&dial->hello)); /* a fresh stream takes a record */
  if (dial->answered) {
    far_loop_timer_set (dial->timer, dial->until_us);
    return;
  }
  dial->stream = direct_conn_steal (g_steal_pointer (&dial->conn));
  direct_dial_over (dial, NULL);
}

static void
direct_dial_shaken (FarStream *stream, const GError *error, gpointer user)
{
  DirectDial *dial = user;
  const char *stranger = error == NULL ? direct_dial_stranger (dial) : NULL;
  if (error != NULL || stranger != NULL) {
    g_autofree char *key = far_tls_peer_key (stream);
    if (key != NULL && (stranger != NULL || g_strcmp0 (key, dial->key) != 0))
      dial->stranger = g_steal_pointer (&key);
    direct_dial_fail (dial, FAR_ERROR_UNAVAILABLE, error != NULL ? error->message : stranger);
    return;
  }
  dial->known = TRUE;
  dial->conn = direct_conn_new (g_steal_pointer (&dial->stream), &direct_dial_funcs, dial);
  if (dial->hello != NULL)
    direct_dial_say (dial);
  else
    far_loop_timer_set (dial->timer, dial->until_us);
}

static void
direct_dial_late (gpointer data)
{
  DirectDial *dial = data;
  direct_dial_fail (dial, FAR_ERROR_UNAVAILABLE,
                    dial->answered && dial->conn == NULL ? _ ("no answer in 3s") : _ ("no answer in 20s"));
}

/* A link may be silent for hours: the kernel asks whether its other side is still there. */
static void
direct_tune (int fd)
{
  const int on = 1, idle_s = 15, between_s = 5, times = 3, timeout_ms = 30000;
  setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPINTVL, &between_s, sizeof between_s);
  setsockopt (fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
  setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static void
direct_dial_begin (gpointer data)
{
  DirectDial *dial = data;
  direct_tune (dial->fd);
  dial->stream = far_stream_tls_new (dial->tls, far_stream_fd_new (dial->loop, dial->fd), dial->host);
  dial->timer = far_loop_timer (dial->loop, dial->answered ? dial->reach_us : dial->until_us,
                                direct_dial_late, dial);
  far_tls_shake (dial->stream, direct_dial_shaken, dial);
}

static void
direct_dial_cancelled (gpointer data)
{
  DirectDial *dial = data;
  if (!dial->over)
    direct_dial_fail (dial, FAR_ERROR_UNAVAILABLE, _ ("cancelled"));
  direct_dial_unref (dial);
}

typedef struct {
  DirectDial *dial;
  json_t *hello;
} DirectShow;

static void
direct_dial_shown (gpointer data)
{
  DirectShow *show = data;
  DirectDial *dial = show->dial;
  if (dial->over || dial->said || dial->hello != NULL) {
    json_decref (show->hello);
  } else {
    dial->hello = show->hello;
    dial->until_us = far_clock_boottime_us () + DIAL_US;
    if (dial->conn != NULL)
      direct_dial_say (dial);
  }
  direct_dial_unref (dial);
  g_free (show);
}

/* ---- on main ---- */

void
direct_dial_show (DirectDial *dial, json_t *hello)
{
  if (dial->connecting != NULL) { /* its loop has not begun */
    dial->hello = hello;
    return;
  }
  if (dial->fd < 0) { /* nor will it */
    json_decref (hello);
    return;
  }
  DirectShow *show = g_new (DirectShow, 1);
  *show = (DirectShow){ dial, hello };
  g_atomic_int_inc (&dial->refs);
  far_loop_post (dial->loop, direct_dial_shown, show);
}

void
direct_dial_cancel (DirectDial *dial)
{
  if (dial->connecting != NULL) {
    far_request_cancel (dial->connecting);
    return;
  }
  g_atomic_int_inc (&dial->refs);
  far_loop_post (dial->loop, direct_dial_cancelled, dial);
}

/* One matter, whatever places were offered: no peer can fill the node's list of events. */
void
direct_dial_tell (const DirectDial *dial, FarInstance *at)
{
  if (dial->stranger != NULL)
    far_event_raise (
        at, FAR_SEVERITY_WARNING, "stranger",
        _ ("somebody else answers at %s, where node '%s' should: the key there is %s, that of the "
           "node %s; nothing was shown to it, see what listens there"),
        dial->place, dial->node, dial->stranger, dial->key);
  else if (dial->known)
    far_event_clear (at, "stranger", _ ("node '%s' answers at %s"), dial->node, dial->place);
}

/* Whatever keeps the server from being reached, the token was not shown: UNAVAILABLE. */
static void
direct_dial_connected (FarRequest *req, gpointer user)
{
  DirectDial *dial = user;
  const GError *error = far_request_error (req);
  g_clear_pointer (&dial->connecting, far_request_unref);
  if (error != NULL) {
    dial->over = TRUE;
    dial->error = g_error_new_literal (FAR_ERROR, FAR_ERROR_UNAVAILABLE, error->message);
    far_loop_post (far_loop_main (), direct_dial_finished, dial);
    return;
  }
  dial->fd = far_dial_take (req);
  far_loop_post (dial->loop, direct_dial_begin, dial);
}

DirectDial *
direct_dial_new (const DirectDialSpec *spec, json_t *hello, DirectDialDone done, gpointer user)
{
  DirectDial *dial = g_new0 (DirectDial, 1);
  *dial = (DirectDial){ .refs = 1,
                        .place = g_strdup_printf ("%s:%u", spec->host, spec->port),
                        .host = g_strdup (spec->host),
                        .node = g_strdup (spec->node),
                        .key = g_strdup (spec->key),
                        .tls = far_tls_ref (spec->tls),
                        .loop = far_loop_pick (),
                        .until_us = far_clock_boottime_us () + DIAL_US,
                        .reach_us = far_clock_boottime_us () + REACH_US,
                        .hello = hello,
                        .answered = spec->answered,
                        .done = done,
                        .user = user,
                        .fd = -1 };
  dial->connecting = far_request_ref (
      far_request_new (direct_dial_connected, dial,
                       spec->answered ? REACH_US / 1000 : 0)); /* else it ends by itself */
  far_dial (spec->host, spec->port, dial->connecting);
  return dial;
}
