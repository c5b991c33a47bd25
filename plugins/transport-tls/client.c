/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's way to the listener: connect, know the server by its certificate, its name and the key of
 * the offer, show the own certificate, say hello. The control connection does so once a link, and each
 * person's connection that the server asks for does so again. */
#include "config.h"

#include "direct.h"

#include <farwatch/dial.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DIAL_US (FAR_DIAL_SECONDS * (gint64) G_USEC_PER_SEC) /* for all of it */
#define INCOMING_MS 30000

/* stream NULL: error says why. [main] */
typedef void (*DirectDialDone) (DirectSession *session, FarStream *stream, const GError *error,
                                gpointer user);

struct _DirectDial {
  gint refs;
  char *place, *host, *node, *key;
  FarTls *tls;
  FarLoop *loop;
  gint64 until_us;
  json_t *hello;
  gboolean answered; /* its hello is answered */
  DirectDialDone done;
  gpointer user;
  /* main */
  DirectSession *session;
  FarRequest *connecting; /* NULL: it is over */
  /* loop, then main */
  int fd;
  FarStream *stream;
  DirectConn *conn;
  FarLoopTimer *timer;
  GError *error;
  gboolean over;
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
  DirectSession *session = dial->session;
  dial->done (session, g_steal_pointer (&dial->stream), dial->error, dial->user);
  direct_session_unref (session);
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

static void
direct_dial_fail (DirectDial *dial, FarErrorCode code, const char *why)
{
  direct_dial_over (dial, g_error_new (FAR_ERROR, code, _ ("no carrier to %s: %s"), dial->place, why));
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
direct_dial_shaken (FarStream *stream, const GError *error, gpointer user)
{
  DirectDial *dial = user;
  const char *stranger = error == NULL ? direct_dial_stranger (dial) : NULL;
  if (error != NULL || stranger != NULL) {
    direct_dial_fail (dial, error != NULL ? (FarErrorCode) error->code : FAR_ERROR_DENIED,
                      error != NULL ? error->message : stranger);
    return;
  }
  dial->conn = direct_conn_new (g_steal_pointer (&dial->stream), &direct_dial_funcs, dial);
  direct_conn_say (dial->conn, g_steal_pointer (&dial->hello)); /* a fresh stream takes a record */
  if (dial->answered)
    return;
  dial->stream = direct_conn_steal (g_steal_pointer (&dial->conn));
  direct_dial_over (dial, NULL);
}

static void
direct_dial_late (gpointer data)
{
  direct_dial_fail (data, FAR_ERROR_UNAVAILABLE, _ ("no answer in 20s"));
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
  dial->timer = far_loop_timer (dial->loop, dial->until_us, direct_dial_late, dial);
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

/* ---- on main ---- */

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

/* Borrowed by the caller until done() runs, which comes later. Takes hello. */
static DirectDial *
direct_dial (DirectSession *session, json_t *hello, gboolean answered, DirectDialDone done, gpointer user)
{
  DirectDial *dial = g_new0 (DirectDial, 1);
  *dial = (DirectDial){ .refs = 1,
                        .place = g_strdup_printf ("%s:%u", session->host, session->port),
                        .host = g_strdup (session->host),
                        .node = g_strdup (direct_word_text (session->part, "node", 64)),
                        .key = g_strdup (direct_word_text (session->part, "fingerprint", 128)),
                        .tls = far_tls_ref (session->tls),
                        .loop = far_loop_pick (),
                        .until_us = far_clock_boottime_us () + DIAL_US,
                        .hello = hello,
                        .answered = answered,
                        .done = done,
                        .user = user,
                        .session = direct_session_ref (session),
                        .fd = -1 };
  dial->connecting = far_request_ref (far_request_new (direct_dial_connected, dial, 0)); /* ends by itself */
  far_dial (session->host, session->port, dial->connecting);
  return dial;
}

/* ---- people's connections ---- */

typedef struct {
  DirectSession *session;
  DirectDial *dial;
  json_int_t number;
  guint link; /* which of the session's links has asked */
  char *from, *word;
  FarStream *near_end;
} DirectArrival;

static void
direct_arrival_free (DirectArrival *arrival)
{
  direct_discard (arrival->near_end);
  direct_session_unref (arrival->session);
  g_free (arrival->from);
  far_secret_free (arrival->word);
  g_free (arrival);
}

/* Nothing came of it: both ends hear. */
static void
direct_arrival_fail (DirectArrival *arrival, const char *cause)
{
  DirectSession *session = arrival->session;
  if (session->link != NULL && session->links == arrival->link)
    direct_link_say (session->link, json_pack ("{s:I}", "failed", arrival->number));
  if (!session->ending)
    direct_session_tell (session, FAR_CARRIER_REFUSED, cause, arrival->from);
  direct_arrival_free (arrival);
}

static void
direct_arrival_dialled (DirectSession *session, FarStream *stream, const GError *error, gpointer user)
{
  DirectArrival *arrival = user;
  g_ptr_array_remove_fast (session->dials, arrival->dial);
  if (stream == NULL) {
    direct_arrival_fail (arrival, error->message);
    return;
  }
  if (session->ending || session->link == NULL)
    direct_discard (stream);
  else
    direct_session_join (session, stream, g_steal_pointer (&arrival->near_end), arrival->from, NULL);
  direct_arrival_free (arrival);
}

static void
direct_arrival_answered (FarRequest *req, gpointer user)
{
  DirectArrival *arrival = user;
  DirectSession *session = arrival->session;
  const GError *error = far_request_error (req);
  session->asked--;
  if (error != NULL) {
    direct_arrival_fail (arrival, error->message);
    return;
  }
  arrival->near_end = far_request_steal (req);
  if (session->ending || session->link == NULL) {
    direct_arrival_free (arrival);
    return;
  }
  json_t *hello = json_pack ("{s:i, s:s, s:I, s:s}", "v", DIRECT_VERSION, "session", session->id, "stream",
                             arrival->number, "word", arrival->word);
  arrival->dial = direct_dial (session, hello, FALSE, direct_arrival_dialled, arrival);
  g_ptr_array_add (session->dials, arrival->dial);
}

void
direct_client_asked (DirectSession *session, json_t *asked)
{
  const char *word = direct_word_text (asked, "word", 64), *from = direct_word_text (asked, "from", 64);
  DirectArrival *arrival = g_new0 (DirectArrival, 1);
  *arrival = (DirectArrival){ .session = direct_session_ref (session),
                              .number = json_integer_value (json_object_get (asked, "open")),
                              .link = session->links,
                              .from = g_strdup (from != NULL ? from : ""),
                              .word = g_strdup (word != NULL ? word : "") };
  if (session->joins->len + session->dials->len + session->asked >= DIRECT_JOINS_MAX) {
    direct_arrival_fail (arrival, "too many connections in this session");
    return;
  }
  session->asked++;
  far_carrier_incoming (session->carrier, arrival->from, far_loop_pick (),
                        far_request_new (direct_arrival_answered, arrival, INCOMING_MS));
}

/* ---- the link ---- */

const char *
direct_part_fault (json_t *part)
{
  const char *key = direct_word_text (part, "fingerprint", 128), *node = direct_word_text (part, "node", 64);
  if (node == NULL || *node == '\0')
    return "node";
  return key == NULL || !g_str_has_prefix (key, "sha256:") ? "fingerprint" : NULL;
}

static void
direct_client_up (DirectSession *session, FarStream *stream, const GError *error, gpointer user)
{
  FarRequest *req = user;
  session->dial = NULL;
  if (stream == NULL) {
    far_request_fail (req, g_error_copy (error));
  } else {
    far_request_done (req, NULL, NULL);
    direct_session_up (session, stream, NULL, NULL);
  }
  far_request_unref (req);
}

/* What the server must show: the fleet's certificate for its node's name. NULL and *error. */
static FarTls *
direct_client_tls (DirectSession *session, json_t *part, GError **error)
{
  const DirectOptions *options = direct_options (session->self);
  const FarTlsSpec spec = { .at = session->self->at,
                            .cert = options->cert,
                            .key = options->key,
                            .ca = options->ca,
                            .purpose = FAR_PURPOSE_NODE_SERVER,
                            .name = direct_word_text (part, "node", 64) };
  gboolean changed = FALSE;
  if (session->tls == NULL || !json_equal (session->part, part))
    return far_tls_new (&spec, error);
  far_tls_refresh (session->tls, &changed,
                   NULL); /* the own certificate may have been renewed; else as before */
  return far_tls_ref (session->tls);
}

/* All of it or nothing: by a link that still stands people come in meanwhile. */
static gboolean
direct_client_ready (DirectSession *session, const FarCarrierOpen *spec, GError **error)
{
  g_autofree char *host = NULL;
  guint16 port = 0;
  if (direct_part_fault (spec->part) != NULL || spec->address == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("the offer lacks the node, its key or the address"));
    return FALSE;
  }
  FarTls *tls = far_parse_address (spec->address, &host, &port, error)
                    ? direct_client_tls (session, spec->part, error)
                    : NULL;
  if (tls == NULL)
    return FALSE;
  far_tls_unref (session->tls);
  json_decref (session->part);
  g_free (session->host);
  session->tls = tls;
  session->part = json_incref (spec->part);
  session->host = g_steal_pointer (&host);
  session->port = port;
  return TRUE;
}

void
direct_client_open (gpointer data, const FarCarrierOpen *spec, FarCarrier *carrier, FarRequest *req)
{
  Direct *self = data;
  GError *error = NULL;
  DirectSession *session = direct_session_of (self, carrier);
  if (session == NULL && g_hash_table_lookup (self->sessions, spec->session) == NULL)
    session = direct_session_new (self, carrier, spec->length_us);
  if (session == NULL || session->accepts || session->ending || session->dial != NULL) {
    far_request_fail_new (req, FAR_ERROR_CONFLICT, _ ("session '%s' is being dialled, or over"),
                          spec->session);
    return;
  }
  if (!direct_client_ready (session, spec, &error)) {
    far_request_fail (req, error);
    return;
  }
  json_t *hello = json_pack ("{s:i, s:s, s:s}", "v", DIRECT_VERSION, "session", session->id, "token",
                             spec->token != NULL ? spec->token : "");
  session->dial = direct_dial (session, hello, TRUE, direct_client_up, far_request_ref (req));
}
