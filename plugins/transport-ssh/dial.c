/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's way to the tunnel end: connect, know Z by its key, prove the node's key, show the token, ask
 * for X. Then the conn moves to the tunnel's loop, and what comes through it is announced on main. (spec B6,
 * B7) */
#include "config.h"

#include "ssh.h"

#include <farwatch/dial.h>

#include <string.h>
#include <unistd.h>

#define TIMEOUT_US (FAR_DIAL_SECONDS * (gint64) G_USEC_PER_SEC) /* for all of it */

typedef enum { STEP_CONNECT, STEP_KNOW, STEP_KEY, STEP_TOKEN, STEP_ASK, STEP_DONE } Step;

struct _Dial {
  gint refs;
  Tunnel *tunnel;
  FarRequest *req;
  char *address, *host, *host_key, *user, *keys, *ciphers;
  guint16 port;
  gint64 until_us;
  FarLoop *loop; /* handshakes */
  /* main */
  FarRequest *connecting; /* NULL: it is over */
  /* loop */
  int fd;
  FarLoopTimer *timer;
  SshConnection *conn;
  Step step;
  char *token;
  gboolean held; /* the token is not to be shown yet: nothing is asked for that needs it */
  ssh_key key;
  GError *error;
};

static void
dial_unref (Dial *dial)
{
  if (!g_atomic_int_dec_and_test (&dial->refs))
    return;
  if (dial->key != NULL)
    ssh_key_free (dial->key);
  far_secret_free (dial->token);
  g_clear_error (&dial->error);
  far_request_unref (dial->req);
  tunnel_unref (dial->tunnel);
  g_free (dial->address);
  g_free (dial->host);
  g_free (dial->host_key);
  g_free (dial->user);
  g_free (dial->keys);
  g_free (dial->ciphers);
  g_free (dial);
}

static Dial *
dial_ref (Dial *dial)
{
  g_atomic_int_inc (&dial->refs);
  return dial;
}

/* [main] */
static void
forget_dial (gpointer data)
{
  Dial *dial = data;
  if (dial->tunnel->dial == dial) {
    dial->tunnel->dial = NULL;
    dial_unref (dial);
  }
  dial_unref (dial);
}

/* Its work is over, at main or at the handshakes' loop; takes error (NULL: the link is up). The answer
 * follows the forgetting: whoever hears it may dial the same session again at once. */
static void
dial_over (Dial *dial, GError *error)
{
  FarRequest *req = far_request_ref (dial->req);
  g_clear_pointer (&dial->timer, far_loop_timer_free);
  far_loop_post (far_loop_main (), forget_dial, dial);
  if (error != NULL)
    far_request_fail (req, error);
  else
    far_request_done (req, NULL, NULL);
  far_request_unref (req);
}

static void
ssh_dial_fail (Dial *dial, FarErrorCode code, const char *why)
{
  dial_over (dial, g_error_new (FAR_ERROR, code, _ ("no tunnel to %s: %s"), dial->address, why));
}

/* ---- what comes through an open link ---- */

typedef struct {
  Tunnel *tunnel;
  Channel *channel;
  char *from;
  FarStream *near_end;
} Arrival;

static void
ssh_dial_arrival_free (Arrival *arrival)
{
  tunnel_unref (arrival->tunnel);
  g_free (arrival->from);
  g_free (arrival);
}

/* [loop of the tunnel] */
static void
arrival_join (gpointer data)
{
  Arrival *arrival = data;
  FarStream *far_end = ssh_conn_channel_stream (arrival->channel);
  arrival->tunnel->n_joins--; /* it counted while it was asked for */
  if (arrival->near_end != NULL && !far_end->closed && !arrival->tunnel->over) {
    tunnel_join (arrival->tunnel, far_end, arrival->near_end, arrival->from, 0);
  } else {
    ssh_stream_discard (arrival->near_end);
    far_stream_free (far_end);
  }
  ssh_dial_arrival_free (arrival);
}

/* [main] */
static void
arrival_answered (FarRequest *req, gpointer user)
{
  Arrival *arrival = user;
  const GError *error = far_request_error (req);
  arrival->near_end = error == NULL ? far_request_steal (req) : NULL;
  if (error != NULL) {
    FarCarrierEvent event = { .kind = FAR_CARRIER_REFUSED, .cause = error->message, .from = arrival->from };
    tunnel_tell (arrival->tunnel, &event);
  }
  far_loop_post (arrival->tunnel->loop, arrival_join, arrival);
}

/* [main] */
static void
arrival_ask (gpointer data)
{
  Arrival *arrival = data;
  Tunnel *tunnel = arrival->tunnel;
  FarRequest *req = far_request_new (arrival_answered, arrival, 30000);
  if (tunnel->ending || tunnel->carrier == NULL)
    far_request_fail_new (req, FAR_ERROR_CONFLICT, "the session is over");
  else
    far_carrier_incoming (tunnel->carrier, arrival->from, tunnel->loop, req);
}

static gboolean
ssh_dial_is_ours (Tunnel *tunnel, ssh_message message)
{
  return ssh_message_type (message) == SSH_REQUEST_CHANNEL_OPEN &&
         ssh_message_subtype (message) == SSH_CHANNEL_FORWARDED_TCPIP &&
         ssh_message_channel_request_open_destination_port (message) == tunnel->x &&
         tunnel->n_joins < TUNNEL_JOINS_MAX && !tunnel->over;
}

static gboolean
open_message (SshConnection *conn, ssh_message message, gpointer user)
{
  Tunnel *tunnel = user;
  ssh_conn_enter (conn);
  ssh_channel channel = ssh_dial_is_ours (tunnel, message)
                            ? ssh_message_channel_request_open_reply_accept (message)
                            : NULL;
  if (channel == NULL)
    ssh_message_reply_default (message);
  ssh_conn_leave (conn);
  if (channel == NULL)
    return FALSE;
  Arrival *arrival = g_new0 (Arrival, 1);
  const char *from = ssh_message_channel_request_open_originator (message);
  *arrival = (Arrival){ .tunnel = tunnel_ref (tunnel),
                        .channel = ssh_conn_channel_new (conn, channel, TRUE),
                        .from = g_strdup (from != NULL ? from : "") };
  tunnel->n_joins++;
  far_loop_post (far_loop_main (), arrival_ask, arrival);
  return FALSE;
}

static void
open_dead (SshConnection *conn, const char *cause, gpointer user)
{
  Tunnel *tunnel = user;
  tunnel_link_dead (tunnel, conn, cause);
  tunnel_unref (tunnel);
}

static void
open_arrived (SshConnection *conn, gpointer user)
{
  Tunnel *tunnel = user;
  ssh_tunnel_up (tunnel, conn, FALSE, far_clock_boottime_us ());
}

static const SshConnectionOps open_ops = { .message = open_message,
                                           .arrived = open_arrived,
                                           .dead = open_dead };

/* ---- the steps of a handshake ---- */

typedef enum { GO_ON, WAIT, GIVE_UP } Progress;

static Progress
broken (Dial *dial, FarErrorCode code, const char *where)
{
  if (dial->error == NULL)
    dial->error = g_error_new (FAR_ERROR, code, "%s: %s", where, ssh_get_error (dial->conn->session));
  return GIVE_UP;
}

static Progress
step_connect (Dial *dial, ssh_session session)
{
  int result = ssh_connect (session);
  return result == SSH_OK ? GO_ON : result == SSH_AGAIN ? WAIT : broken (dial, FAR_ERROR_UNAVAILABLE, "SSH");
}

/* The offer said which key Z has; any other is refused without a question. */
static Progress
step_know (Dial *dial, ssh_session session)
{
  g_autofree char *line = NULL;
  char *base64 = NULL;
  ssh_key key = NULL;
  if (ssh_get_server_publickey (session, &key) == SSH_OK &&
      ssh_pki_export_pubkey_base64 (key, &base64) == SSH_OK)
    line = g_strdup_printf ("%s %s", ssh_key_type_to_char (ssh_key_type (key)), base64);
  ssh_string_free_char (base64);
  ssh_key_free (key);
  if (line != NULL && strcmp (line, dial->host_key) == 0)
    return GO_ON;
  dial->error = g_error_new (FAR_ERROR, FAR_ERROR_DENIED, "%s",
                             _ ("its host key is not the one of the offer"));
  return GIVE_UP;
}

static Progress
step_key (Dial *dial, ssh_session session)
{
  if (dial->key == NULL && (dial->key = ssh_key_load (dial->keys, &dial->error)) == NULL)
    return GIVE_UP;
  switch (ssh_userauth_publickey (session, NULL, dial->key)) {
  case SSH_AUTH_AGAIN:
    return WAIT;
  case SSH_AUTH_SUCCESS: /* a stock server that knows this key */
    dial->step++;
    return GO_ON;
  case SSH_AUTH_ERROR:
    return broken (dial, FAR_ERROR_UNAVAILABLE, "login");
  default:
    return GO_ON;
  }
}

static Progress
step_token (Dial *dial, ssh_session session)
{
  switch (ssh_userauth_password (session, NULL, dial->token)) {
  case SSH_AUTH_AGAIN:
    return WAIT;
  case SSH_AUTH_SUCCESS:
    g_clear_pointer (&dial->token, far_secret_free);
    return GO_ON;
  case SSH_AUTH_ERROR:
    return broken (dial, FAR_ERROR_UNAVAILABLE, "login");
  default:
    dial->error = g_error_new (FAR_ERROR, FAR_ERROR_DENIED, "%s", _ ("the credential was refused"));
    return GIVE_UP;
  }
}

static Progress
step_ask (Dial *dial, ssh_session session)
{
  int result = ssh_channel_listen_forward (session, "localhost", dial->tunnel->x, NULL);
  if (result == SSH_AGAIN)
    return WAIT;
  return result == SSH_OK ? GO_ON : broken (dial, FAR_ERROR_DENIED, _ ("port X was not granted"));
}

static Progress
do_step (Dial *dial, ssh_session session)
{
  if (dial->held && dial->step > STEP_KEY) {
    ssh_conn_hold (dial->conn);
    return WAIT;
  }
  switch (dial->step) {
  case STEP_CONNECT:
    return step_connect (dial, session);
  case STEP_KNOW:
    return step_know (dial, session);
  case STEP_KEY:
    return step_key (dial, session);
  case STEP_TOKEN:
    return step_token (dial, session);
  default:
    return step_ask (dial, session);
  }
}

static gboolean
handshake_advance (SshConnection *conn, gpointer user)
{
  Dial *dial = user;
  Progress progress = GO_ON;
  ssh_conn_enter (conn);
  while (progress == GO_ON && dial->step < STEP_DONE) {
    progress = do_step (dial, conn->session);
    if (progress == GO_ON)
      dial->step++;
  }
  ssh_conn_leave (conn);
  if (progress == GIVE_UP)
    ssh_conn_cut (conn, "handshake failed");
  if (progress != GO_ON)
    return FALSE;
  ssh_conn_move (conn, dial->tunnel->loop, &open_ops, tunnel_ref (dial->tunnel));
  dial->conn = NULL;
  dial_over (dial, NULL);
  return TRUE;
}

static gboolean
handshake_message (SshConnection *conn, ssh_message message, gpointer user)
{
  return FALSE;
}

static void
handshake_dead (SshConnection *conn, const char *cause, gpointer user)
{
  Dial *dial = user;
  dial->conn = NULL;
  if (dial->error != NULL)
    ssh_dial_fail (dial, dial->error->code, dial->error->message);
  else
    ssh_dial_fail (dial, FAR_ERROR_UNAVAILABLE, cause);
}

static const SshConnectionOps handshake_ops = {
  .advance = handshake_advance,
  .message = handshake_message,
  .dead = handshake_dead,
};

/* ---- connecting ---- */

static void
ssh_dial_set_options (Dial *dial, ssh_session session)
{
  gboolean no = FALSE;
  int port = dial->port;
  g_autofree char *key_type = g_strndup (dial->host_key, strcspn (dial->host_key, " "));
  ssh_options_set (session, SSH_OPTIONS_PROCESS_CONFIG, &no);
  ssh_options_set (session, SSH_OPTIONS_HOST, dial->host);
  ssh_options_set (session, SSH_OPTIONS_PORT, &port);
  ssh_options_set (session, SSH_OPTIONS_USER, dial->user);
  ssh_options_set (session, SSH_OPTIONS_HOSTKEYS, key_type);
  ssh_options_set (session, SSH_OPTIONS_KNOWNHOSTS, "/dev/null");
  ssh_options_set (session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
  ssh_options_set (session, SSH_OPTIONS_CIPHERS_C_S, dial->ciphers);
  ssh_options_set (session, SSH_OPTIONS_CIPHERS_S_C, dial->ciphers);
  ssh_options_set (session, SSH_OPTIONS_FD, &dial->fd);
}

static void
dial_late (gpointer data)
{
  Dial *dial = data;
  ssh_conn_cut (dial->conn, _ ("no answer in 20s"));
}

static void
shake_hands (gpointer data)
{
  Dial *dial = data;
  ssh_session session = ssh_new ();
  int fd = dial->fd;
  if (session == NULL) {
    close (fd);
    ssh_dial_fail (dial, FAR_ERROR_INTERNAL, "out of memory");
    return;
  }
  ssh_conn_tune_fd (fd);
  ssh_dial_set_options (dial, session);
  dial->conn = ssh_conn_new (dial->loop, session, fd, &handshake_ops, dial);
  dial->timer = far_loop_timer (dial->loop, dial->until_us, dial_late, dial);
}

typedef struct {
  Dial *dial;
  char *token;
} Show;

/* A dial that is over has no use for it. */
static void
do_show (gpointer data)
{
  Show *show = data;
  Dial *dial = show->dial;
  if (dial->held)
    dial->token = g_steal_pointer (&show->token);
  dial->held = FALSE;
  if (dial->conn != NULL)
    ssh_conn_let_go (dial->conn);
  far_secret_free (show->token);
  dial_unref (dial);
  g_free (show);
}

static void
do_cancel (gpointer data)
{
  Dial *dial = data;
  if (dial->conn != NULL)
    ssh_conn_cut (dial->conn, "cancelled");
  dial_unref (dial);
}

/* ---- on main ---- */

static void
dial_cancel (Tunnel *tunnel)
{
  Dial *dial = tunnel->dial;

  if (dial == NULL)
    return;
  if (dial->connecting != NULL)
    far_request_cancel (dial->connecting);
  far_loop_post (dial->loop, do_cancel, dial_ref (dial)); /* it may have been connected already */
}

static void
dial_show (Dial *dial, const char *token)
{
  Show *show = g_new (Show, 1);
  *show = (Show){ dial_ref (dial), g_strdup (token) };
  far_loop_post (dial->loop, do_show, show);
}

static const TunnelEnd client_end = { .ending = dial_cancel };

/* Whatever keeps the tunnel end from being reached, the credential was not shown, so the same one may be
 * tried again: UNAVAILABLE. */
static void
connected (FarRequest *req, gpointer user)
{
  Dial *dial = user;
  const GError *error = far_request_error (req);
  g_clear_pointer (&dial->connecting, far_request_unref);
  if (error != NULL) {
    dial_over (dial, g_error_new_literal (FAR_ERROR, FAR_ERROR_UNAVAILABLE, error->message));
    return;
  }
  dial->fd = far_dial_take (req);
  far_loop_post (dial->loop, shake_hands, dial);
}

/* ---- the offer's part ---- */

static guint16
ssh_part_x (json_t *part)
{
  json_int_t x = json_integer_value (json_object_get (part, "x"));
  return x >= 1 && x <= G_MAXUINT16 ? (guint16) x : 0;
}

static const char *
ssh_part_host_key (json_t *part)
{
  const char *key = json_string_value (json_object_get (part, "host_key"));
  return key != NULL && strlen (key) <= 4096 && g_str_has_prefix (key, "ssh-") ? key : NULL;
}

/* At a server that is not ours somebody may be called otherwise; no offer says so. */
static const char *
ssh_part_user (json_t *part)
{
  const char *user = json_string_value (json_object_get (part, "user"));
  return user != NULL ? user : far_node_id ();
}

const char *
client_part_fault (json_t *part)
{
  if (ssh_part_host_key (part) == NULL)
    return "host_key";
  return ssh_part_x (part) == 0 ? "x" : NULL;
}

static Dial *
dial_new (Ssh *self, Tunnel *tunnel, const FarCarrierOpen *spec, FarRequest *req)
{
  Dial *dial = g_new0 (Dial, 1);
  *dial = (Dial){ .refs = 2,
                  .tunnel = tunnel_ref (tunnel),
                  .req = far_request_ref (req),
                  .address = g_strdup (spec->address),
                  .host_key = g_strdup (ssh_part_host_key (spec->part)),
                  .user = g_strdup (ssh_part_user (spec->part)),
                  .token = g_strdup (spec->token),
                  .held = spec->token == NULL,
                  .keys = g_strdup (self->keys),
                  .ciphers = g_strdup (ssh_options (self)->ciphers),
                  .until_us = far_clock_boottime_us () + TIMEOUT_US,
                  .loop = ssh_handshakes (self),
                  .fd = -1 };
  return dial;
}

/* NULL: somebody else has a tunnel for this session here. */
static Tunnel *
tunnel_for (Ssh *self, const FarCarrierOpen *spec, FarCarrier *carrier)
{
  Tunnel *tunnel = tunnel_find (self, spec->session);
  if (tunnel != NULL)
    return tunnel->carrier == carrier ? tunnel : NULL;
  tunnel = tunnel_new (self, &client_end, carrier, spec->length_us);
  tunnel->x = ssh_part_x (spec->part);
  tunnel_unref (tunnel);
  return tunnel;
}

static void
client_dial (Ssh *self, Tunnel *tunnel, const FarCarrierOpen *spec, FarRequest *req)
{
  GError *error = NULL;
  Dial *dial = dial_new (self, tunnel, spec, req);
  if (!far_parse_address (spec->address, &dial->host, &dial->port, &error)) {
    far_request_fail (req, error);
    dial->refs = 1;
    dial_unref (dial);
    return;
  }
  tunnel->dial = dial;
  dial->connecting = far_request_ref (far_request_new (connected, dial, 0)); /* ends by itself */
  far_dial (dial->host, dial->port, dial->connecting);
}

void
client_show (gpointer data, FarCarrier *carrier, const char *token)
{
  Tunnel *tunnel = tunnel_find (data, far_carrier_session (carrier));
  if (tunnel != NULL && tunnel->carrier == carrier && tunnel->dial != NULL)
    dial_show (tunnel->dial, token);
}

void
client_open (gpointer data, const FarCarrierOpen *spec, FarCarrier *carrier, FarRequest *req)
{
  Ssh *self = data;
  Tunnel *tunnel = tunnel_for (self, spec, carrier);
  if (tunnel == NULL || tunnel->ending || tunnel->dial != NULL || tunnel->x != ssh_part_x (spec->part))
    far_request_fail_new (req, FAR_ERROR_CONFLICT, _ ("session '%s' is being dialled, or over"),
                          spec->session);
  else if (client_part_fault (spec->part) != NULL || spec->address == NULL)
    far_request_fail_new (req, FAR_ERROR_INVALID, "%s", _ ("the offer lacks the host key or the address"));
  else
    client_dial (self, tunnel, spec, req);
}
