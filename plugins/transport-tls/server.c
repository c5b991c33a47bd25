/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The listener: nodes of the fleet come here, for one session each time. A guest has shaken hands with a
 * certificate and says one word, its hello; then main decides whether it is the control connection of a
 * session, by its token, or the terminal's end of a person's connection, by the word that was given for it.
 */
#include "config.h"

#include "direct.h"

#include <farwatch/acceptor.h>
#include <farwatch/trust.h>

#include <string.h>
#include <sys/socket.h>

#define GUEST_US (FAR_GATE_SECONDS * (gint64) G_USEC_PER_SEC)
#define LOOK_US (10 * (gint64) G_USEC_PER_SEC)
#define PER_SECOND 20
#define USER_TIMEOUT_MS 60000u
#define REFUSE_MS 2000

struct _DirectServer {
  gint refs;
  Direct *self; /* [main] NULL: it has stopped */
  FarInstance *at;
  FarLoop *loop;
  FarGate *gate;
  FarTls *tls;
  int fd; /* core's */
  /* loop */
  FarAcceptor *acceptor;
  FarLoopTimer *timer;
  GPtrArray *guests; /* of DirectGuest */
  /* main */
  GPtrArray *waiting; /* of DirectHello: what is revoked has not been read yet */
};

/* Who has not said its hello; [loop]. */
typedef struct {
  DirectServer *server;
  FarPass *pass;
  char *from, *here;
  FarPresented *presented; /* NULL: its handshake is not over */
  FarTlsAccept *accept;    /* NULL: its handshake is over */
  DirectConn *conn;
  FarLoopTimer *patience;
} DirectGuest;

/* A hello on its way to main. */
typedef struct {
  DirectServer *server;
  FarStream *stream;
  FarPass *pass;
  json_t *word;
  char *from, *here, *session;
  FarPresented *presented;
  FarClearance *clearance; /* [main] NULL: main has not heard of it */
} DirectHello;

static void
server_unref (DirectServer *server)
{
  if (!g_atomic_int_dec_and_test (&server->refs))
    return;
  g_ptr_array_unref (server->guests);
  g_ptr_array_unref (server->waiting);
  far_gate_free (server->gate);
  far_tls_unref (server->tls);
  g_free (server);
}

/* ---- hellos, [main] ---- */

static void
hello_free (gpointer data)
{
  DirectHello *hello = data;
  direct_discard (hello->stream);
  g_clear_pointer (&hello->clearance, far_clearance_free);
  far_gate_leave (hello->pass);
  json_decref (hello->word);
  server_unref (hello->server);
  far_presented_unref (hello->presented);
  g_free (hello->from);
  g_free (hello->here);
  g_free (hello->session);
  g_free (hello);
}

static void
hello_refuse_here (gpointer data)
{
  DirectHello *hello = data;
  GByteArray *word = direct_word_write (json_pack ("{s:s}", "no", "refused"));
  far_stream_linger (g_steal_pointer (&hello->stream), word, REFUSE_MS, g_steal_pointer (&hello->pass));
  hello_free (hello);
}

/* One word for every cause. */
static void
hello_refuse (DirectHello *hello)
{
  far_count ("logins", 1);
  g_clear_pointer (&hello->clearance, far_clearance_free);
  far_loop_post (hello->stream->loop, hello_refuse_here, hello);
}

/* What it holds is the session's from now on. */
static DirectCame
hello_came_in (DirectHello *hello)
{
  return (DirectCame){ g_steal_pointer (&hello->pass), g_steal_pointer (&hello->clearance) };
}

/* The session that the token stands for, if this node is the one to come. */
static DirectSession *
hello_session (DirectHello *hello, const char *claim)
{
  Direct *self = hello->server->self;
  const char *id = claim != NULL && g_str_has_prefix (claim, "session/") ? claim + 8 : NULL;
  DirectSession *session = id != NULL && strcmp (id, hello->session) == 0 ? direct_session_find (self, id)
                                                                          : NULL;
  return session != NULL && session->accepts && !session->ending &&
                 g_strcmp0 (session->peer, hello->presented->node) == 0
             ? session
             : NULL;
}

static void
hello_judged (FarRequest *req, gpointer user)
{
  DirectHello *hello = user;
  const FarVerdict *verdict = far_login_verdict (req);
  DirectSession *session;
  if (far_request_error (req) != NULL &&
      !g_error_matches (far_request_error (req), FAR_ERROR, FAR_ERROR_DENIED)) {
    hello_free (hello); /* busy: the token was not looked at, it may come again */
    return;
  }
  session = verdict != NULL && far_request_error (req) == NULL &&
                    far_clearance_state (hello->clearance) == FAR_CLEARANCE_IN
                ? hello_session (hello, verdict->claim)
                : NULL;
  if (session == NULL) {
    far_log_limited (hello->server->at, "claim", "a token for session '%s' came from '%s', %s: refused",
                     hello->session, hello->presented->node, hello->from);
    hello_refuse (hello);
    return;
  }
  far_gate_verified (hello->pass);
  direct_session_up (session, g_steal_pointer (&hello->stream), hello_came_in (hello), hello->here);
  hello_free (hello);
}

static void
hello_control (DirectHello *hello)
{
  Direct *self = hello->server->self;
  const char *token = direct_word_text (hello->word, "token", 256);
  if (token == NULL || hello->presented->key == NULL) {
    hello_refuse (hello);
    return;
  }
  FarLogin *login = far_login_new (FAR_LOGIN_TOKEN, hello->presented->node, "tunnel", hello->from);
  login->secret = g_strdup (token);
  login->key = g_strdup (hello->presented->key);
  far_login ((const char *const *) direct_options (self)->login, login,
             far_request_of (self->at, hello_judged, hello, hello_free, 0));
}

static void
hello_stream (DirectHello *hello)
{
  DirectSession *session = direct_session_find (hello->server->self, hello->session);
  if (session != NULL && session->accepts && session->link != NULL &&
      g_strcmp0 (session->peer, hello->presented->node) == 0)
    direct_session_met (session, hello->word, g_steal_pointer (&hello->stream), hello_came_in (hello));
  else
    far_count ("connections for nobody who waits", 1);
  hello_free (hello);
}

static void
hello_go (DirectHello *hello)
{
  gboolean good = json_integer_value (json_object_get (hello->word, "v")) == DIRECT_VERSION;
  hello->session = g_strdup (direct_word_text (hello->word, "session", 64));
  if (!good || hello->session == NULL)
    hello_refuse (hello);
  else if (json_object_get (hello->word, "stream") != NULL)
    hello_stream (hello);
  else
    hello_control (hello);
}

/* Its certificate was judged while it shook hands; main judges it again before it counts, which may have to
 * wait for what is revoked. Who is told nothing comes again by itself. */
static void
hello_judge (DirectHello *hello)
{
  FarClearanceState state = far_clearance_state (hello->clearance);
  if (state == FAR_CLEARANCE_IN) {
    hello_go (hello);
    return;
  }
  far_log_limited (hello->server->at, hello->presented->node,
                   state == FAR_CLEARANCE_REVOKED
                       ? "'%s' from %s is revoked: not let in"
                       : "'%s' from %s is not let in: which nodes are revoked has not been read",
                   hello->presented->node, hello->from);
  hello_free (hello);
}

/* While its token is looked at, that is asked when the answer is there. */
static void
hello_cleared (gpointer data)
{
  DirectHello *hello = data;
  if (g_ptr_array_remove_fast (hello->server->waiting, hello))
    hello_judge (hello);
}

static void
hello_came (gpointer data)
{
  DirectHello *hello = data;
  if (hello->server->self == NULL) {
    hello_free (hello);
    return;
  }
  hello->clearance = far_clearance_new (hello->presented, TRUE, hello_cleared, hello);
  if (far_clearance_state (hello->clearance) == FAR_CLEARANCE_WAITS)
    g_ptr_array_add (hello->server->waiting, hello);
  else
    hello_judge (hello);
}

/* ---- guests, [loop] ---- */

static void
direct_guest_free (DirectGuest *guest)
{
  g_ptr_array_remove_fast (guest->server->guests, guest);
  g_clear_pointer (&guest->patience, far_loop_timer_free);
  far_gate_leave (guest->pass);
  server_unref (guest->server);
  g_free (guest->from);
  g_free (guest->here);
  far_presented_unref (guest->presented);
  g_free (guest);
}

/* FALSE: its stream goes with the hello. */
static gboolean
direct_guest_word (DirectConn *conn, json_t *word, gpointer user)
{
  DirectGuest *guest = user;
  DirectHello *hello = g_new0 (DirectHello, 1);
  far_gate_evictable (guest->pass, NULL, NULL, NULL);
  *hello = (DirectHello){ .server = guest->server,
                          .stream = direct_conn_steal (conn),
                          .pass = g_steal_pointer (&guest->pass),
                          .word = word,
                          .from = g_steal_pointer (&guest->from),
                          .here = g_steal_pointer (&guest->here),
                          .presented = g_steal_pointer (&guest->presented) };
  g_atomic_int_inc (&guest->server->refs);
  far_loop_post (far_loop_main (), hello_came, hello);
  direct_guest_free (guest);
  return FALSE;
}

static void
direct_guest_over (DirectConn *conn, const char *cause, gpointer user)
{
  direct_guest_free (user);
}

static const DirectConnFuncs direct_guest_funcs = { direct_guest_word, direct_guest_over };

static void
direct_guest_end (DirectGuest *guest, const char *cause)
{
  if (guest->accept != NULL) {
    far_tls_accept_cancel (guest->accept, cause);
    return;
  }
  FarStream *stream = direct_conn_steal (g_steal_pointer (&guest->conn));
  far_stream_free (stream);
  direct_guest_free (guest);
}

static void
direct_guest_evicted (gpointer data)
{
  direct_guest_end (data, "others wait");
}

static void
direct_guest_late (gpointer data)
{
  direct_guest_end (data, "too slow");
}

static void
direct_guest_heard (gpointer data)
{
  far_gate_heard (((DirectGuest *) data)->pass);
}

/* Without a certificate of the fleet nobody has business here. */
static void
direct_guest_shaken (FarStream *stream, const char *cause, gpointer user)
{
  DirectGuest *guest = user;
  guest->accept = NULL;
  guest->presented = stream != NULL ? far_tls_presented (stream) : NULL;
  if (guest->presented == NULL || guest->server->acceptor == NULL) {
    if (stream != NULL)
      far_count ("certificates", 1);
    far_stream_free (stream);
    direct_guest_free (guest);
    return;
  }
  guest->patience = far_loop_timer (guest->server->loop, far_clock_boottime_us () + GUEST_US,
                                    direct_guest_late, guest);
  guest->conn = direct_conn_new (stream, &direct_guest_funcs, guest);
}

static const FarTlsAcceptFuncs direct_guest_accept = { direct_guest_heard, direct_guest_shaken };

static char *
direct_address_here (int fd)
{
  struct sockaddr_storage own = { .ss_family = AF_UNSPEC };
  socklen_t size = sizeof own;
  return getsockname (fd, (struct sockaddr *) &own, &size) == 0
             ? far_address_text ((const struct sockaddr *) &own)
             : NULL;
}

static void
direct_server_came (int fd, const struct sockaddr *address, const char *from, FarPass *pass, gpointer user)
{
  DirectServer *server = user;
  DirectGuest *guest = g_new0 (DirectGuest, 1);
  g_atomic_int_inc (&server->refs);
  *guest = (DirectGuest){ .server = server,
                          .pass = pass,
                          .from = g_strdup (from),
                          .here = direct_address_here (fd) };
  g_ptr_array_add (server->guests, guest);
  guest->accept = far_tls_accept (server->tls, server->loop, fd, from, &direct_guest_accept, guest);
  far_gate_evictable (pass, server->loop, direct_guest_evicted, guest);
}

/* ---- life ---- */

static void
direct_server_look (gpointer data)
{
  DirectServer *server = data;
  g_autoptr (GError) error = NULL;
  gboolean changed = FALSE;
  if (!far_tls_refresh (server->tls, &changed, &error))
    far_log_limited (server->at, "certificate", _ ("new certificate is not used: %s"), error->message);
  far_loop_timer_set (server->timer, far_clock_boottime_us () + LOOK_US);
}

static void
direct_server_begin (gpointer data)
{
  DirectServer *server = data;
  const FarAcceptorSpec spec = { .at = server->at,
                                 .gate = server->gate,
                                 .per_second = PER_SECOND,
                                 .nodelay = TRUE,
                                 .user_timeout_ms = USER_TIMEOUT_MS,
                                 .came = direct_server_came,
                                 .user = server };
  server->acceptor = far_acceptor_new (server->loop, server->fd, &spec);
  server->timer = far_loop_timer (server->loop, far_clock_boottime_us () + LOOK_US, direct_server_look,
                                  server);
}

static FarTls *
direct_server_tls (Direct *self, GError **error)
{
  const DirectOptions *options = direct_options (self);
  const FarTlsSpec spec = { .at = self->at,
                            .server = TRUE,
                            .cert = options->cert,
                            .key = options->key,
                            .ca = options->ca,
                            .purpose = FAR_PURPOSE_NODE_CLIENT };
  return far_tls_new (&spec, error);
}

DirectServer *
direct_server_new (Direct *self, int fd, GError **error)
{
  const DirectOptions *options = direct_options (self);
  const FarGateLimits limits = { .total = (guint) options->connections,
                                 .per_address = (guint) options->per_address,
                                 .unverified_total = (guint) options->unverified,
                                 .trusted = (const char *const *) options->trusted,
                                 .total_option = "connections",
                                 .per_address_option = "per-address",
                                 .unverified_option = "unverified" };
  FarTls *tls = direct_server_tls (self, error);
  if (tls == NULL)
    return NULL;
  DirectServer *server = g_new0 (DirectServer, 1);
  *server = (DirectServer){ .refs = 1,
                            .self = self,
                            .at = self->at,
                            .loop = far_loop_pick (),
                            .gate = far_gate_new (NULL, &limits),
                            .tls = tls,
                            .fd = fd,
                            .guests = g_ptr_array_new (),
                            .waiting = g_ptr_array_new () };
  far_loop_post (server->loop, direct_server_begin, server);
  return server;
}

static void
direct_server_stop_coming (gpointer data)
{
  DirectServer *server = data;
  g_clear_pointer (&server->acceptor, far_acceptor_free);
  g_clear_pointer (&server->timer, far_loop_timer_free);
  for (guint i = server->guests->len; i-- > 0;)
    direct_guest_end (server->guests->pdata[i], "the listener has ended");
}

void
direct_server_no_new (DirectServer *server)
{
  /* Its socket may be closed as soon as this returns. */
  far_loop_call (server->loop, direct_server_stop_coming, server);
}

void
direct_server_free (DirectServer *server)
{
  if (server == NULL)
    return;
  direct_server_no_new (server);
  server->self = NULL;
  while (server->waiting->len > 0)
    hello_free (g_ptr_array_steal_index_fast (server->waiting, 0));
  server_unref (server);
}

/* ---- reservations ---- */

/* Which key a terminal shall find here: that of the certificate in use, whatever the file has by now. NULL
 * and *error. */
static char *
direct_fingerprint (Direct *self, GError **error)
{
  char *key = far_tls_own_key (self->server->tls);
  if (key == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("'%s' shows no certificate: give it 'cert' and 'key'"), far_instance_name (self->at));
  return key;
}

static void
direct_tunnel_free (gpointer tunnel)
{
  far_tunnel_free (tunnel);
}

static gboolean
direct_may_reserve (Direct *self, const FarCarrierSpec *spec, GError **error)
{
  if (self->server == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("'%s' has no listener: give it 'listen'"),
                 far_instance_name (self->at));
  else if (spec->entry != FAR_ENTRY_STREAM)
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("this carrier has no ports: ask for the entry 'stream'"));
  else if (direct_session_find (self, spec->session) != NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _ ("session '%s' has a carrier already"),
                 spec->session);
  else
    return TRUE;
  return FALSE;
}

void
direct_server_reserve (gpointer data, const FarCarrierSpec *spec, FarCarrier *carrier, FarRequest *req)
{
  Direct *self = data;
  GError *error = NULL;
  g_autofree char *fingerprint = direct_may_reserve (self, spec, &error) ? direct_fingerprint (self, &error)
                                                                         : NULL;
  if (fingerprint == NULL) {
    far_request_fail (req, error);
    return;
  }
  DirectSession *session = direct_session_new (self, carrier, spec->length_us, NULL);
  session->accepts = TRUE;
  session->peer = g_strdup (spec->peer);
  session->joins_max = (guint) direct_options (self)->session_connections;
  FarTunnel *tunnel = g_new0 (FarTunnel, 1);
  tunnel->part = json_pack ("{s:s, s:s, s:s}", "address", self->address, "node", far_node_id (),
                            "fingerprint", fingerprint);
  far_request_done (req, tunnel, direct_tunnel_free);
}
