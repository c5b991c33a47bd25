/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A transport: messages between two nodes of one machine, through a socket in the file system. One instance
 * is one link to one named node; who is at the other end says the kernel: a process of the same user, or
 * root. (Between machines that takes certificates: transport-websocket.) */
#define _GNU_SOURCE /* struct ucred */
#define FAR_PLUGIN_LICENSE "LGPL-2.1-or-later"
#include <farwatch/acceptor.h>

#include "wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define AGAIN_US G_USEC_PER_SEC

typedef struct {
  char *listen, *connect, *peer;
} UnixOptions;

typedef struct {
  FarInstance *at;
  FarAcceptor *acceptor;   /* it listens, or */
  FarInstanceTimer *timer; /* it dials */
  Wire *wire;              /* NULL: the link is down */
  GHashTable *waiting;     /* id of a request → FarRequest */
  FarPrincipal *principal;
} Unix;

static const UnixOptions *
unix_options (Unix *self)
{
  return far_instance_options (self->at);
}

/* As services name it: whoever dials has one other end only, called "". */
static const char *
unix_peer (Unix *self)
{
  return unix_options (self)->listen != NULL ? unix_options (self)->peer : "";
}

/* ---- the link ---- */

static void
fail_waiting (Unix *self)
{
  GHashTableIter iter;
  gpointer req;

  g_hash_table_iter_init (&iter, self->waiting);
  while (g_hash_table_iter_next (&iter, NULL, &req))
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, _ ("the link to %s was lost before the answer came"),
                          unix_options (self)->peer);
  g_hash_table_remove_all (self->waiting);
}

/* Each answer of the door, and each event of a watch. */
static void
door_answered (FarMessage *answer, gboolean last G_GNUC_UNUSED, gpointer data)
{
  Unix *self = data;

  if (self->wire != NULL)
    wire_send (self->wire, answer);
}

static void
link_message (gpointer data, FarMessage *message)
{
  Unix *self = data;
  g_autofree gpointer id = NULL;
  FarRequest *req = NULL;

  if (message->method != NULL) {
    far_api_submit (self->principal, far_instance_name (self->at), message, door_answered, self);
  } else if (g_hash_table_steal_extended (self->waiting, message->id, &id, (gpointer *) &req)) {
    far_request_done (req, far_message_ref (message), (GDestroyNotify) far_message_unref);
    far_request_unref (req);
  }
}

/* Who asked through the link is gone, and so are the answers to what was asked. */
static void
link_end (Unix *self)
{
  self->wire = NULL;
  far_api_gone (self);
  fail_waiting (self);
  far_peer_changed (self->at, unix_peer (self), FALSE, "unix");
}

static void unix_dial (gpointer data);

static void
link_down (gpointer data, const char *cause)
{
  Unix *self = data;

  far_log (self->at, G_LOG_LEVEL_INFO, "link to %s is down: %s", unix_options (self)->peer, cause);
  link_end (self);
  if (unix_options (self)->connect != NULL)
    far_instance_timer (self->at, &self->timer, far_clock_boottime_us () + AGAIN_US, unix_dial, self);
}

static gboolean
is_ours (int fd)
{
  struct ucred who;
  socklen_t size = sizeof who;

  return getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
         (who.uid == geteuid () || who.uid == 0);
}

/* Takes fd. */
static void
link_up (Unix *self, int fd)
{
  static const WireFuncs funcs = { .message = link_message, .down = link_down };

  if (self->wire != NULL || !is_ours (fd)) {
    far_log_limited (self->at, "refused",
                     self->wire != NULL ? "somebody came while the link is up: refused"
                                        : "a process of another user is at the other end: refused");
    far_count ("links of nodes", 1);
    close (fd);
    return;
  }
  self->wire = wire_new (fd, &funcs, self);
  far_log (self->at, G_LOG_LEVEL_INFO, "link to %s is up", unix_options (self)->peer);
  far_peer_changed (self->at, unix_peer (self), TRUE, "unix");
}

/* ---- listening and dialling ---- */

static void
came (int fd, const struct sockaddr *address G_GNUC_UNUSED, const char *from G_GNUC_UNUSED, FarPass *pass,
      gpointer data)
{
  far_gate_leave (pass);
  link_up (data, fd);
}

static gboolean
unix_listen (Unix *self, GError **error)
{
  const FarAcceptorSpec spec = { .at = self->at, .came = came, .user = self };
  int fd = far_instance_listen (self->at, unix_options (self)->listen, NULL, error);

  if (fd < 0)
    return FALSE;
  self->acceptor = far_acceptor_new (far_loop_main (), fd, &spec);
  return TRUE;
}

/* A socket of this machine answers at once. */
static void
unix_dial (gpointer data)
{
  Unix *self = data;
  const char *path = unix_options (self)->connect;
  struct sockaddr_un to = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  gboolean fits = g_strlcpy (to.sun_path, path, sizeof to.sun_path) < sizeof to.sun_path;

  if (fd >= 0 && fits && connect (fd, (const struct sockaddr *) &to, sizeof to) == 0) {
    link_up (self, fd);
  } else {
    far_log_limited (self->at, "dial", "no connection to %s: %s", path,
                     fits ? g_strerror (errno) : _ ("the path is too long"));
    if (fd >= 0)
      close (fd);
  }
  if (self->wire == NULL)
    far_instance_timer (self->at, &self->timer, far_clock_boottime_us () + AGAIN_US, unix_dial, self);
}

/* ---- what services ask ---- */

static gboolean
unix_connected (gpointer data, const char *peer)
{
  Unix *self = data;

  return self->wire != NULL && (*peer == '\0' || g_str_equal (peer, unix_options (self)->peer));
}

static void
unix_send (gpointer data, const char *peer, FarMessage *request, FarRequest *req)
{
  Unix *self = data;

  if (!unix_connected (self, peer)) {
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, _ ("no link to %s"),
                          *peer != '\0' ? peer : unix_options (self)->peer);
    return;
  }
  g_hash_table_replace (self->waiting, g_strdup (request->id), far_request_ref (req));
  wire_send (self->wire, request);
}

static void
unix_cut (gpointer data, const char *peer, const char *cause)
{
  Unix *self = data;

  if (!unix_connected (self, peer))
    return;
  wire_close (self->wire);
  link_down (self, cause);
}

/* ---- life ---- */

static gboolean
unix_init (gpointer data, FarInstance *at, GError **error)
{
  Unix *self = data;
  const UnixOptions *options = far_instance_options (at);

  self->at = at;
  self->waiting = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) far_request_unref);
  self->principal = far_principal_new (FAR_PRINCIPAL_NODE, options->peer, NULL, "unix");
  if ((options->listen == NULL) != (options->connect == NULL))
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG,
                       _ ("a link has one of the two: listen, or connect"));
  return FALSE;
}

static gboolean
unix_start (gpointer data, GError **error)
{
  Unix *self = data;

  if (unix_options (self)->listen != NULL && !unix_listen (self, error))
    return FALSE;
  if (unix_options (self)->listen == NULL)
    far_instance_timer (self->at, &self->timer, far_clock_boottime_us (), unix_dial, self);
  far_instance_ready (self->at);
  return TRUE;
}

static void
unix_stop (gpointer data)
{
  Unix *self = data;

  g_clear_pointer (&self->acceptor, far_acceptor_free);
  if (self->wire == NULL)
    return;
  wire_close (self->wire);
  link_end (self);
}

static void
unix_fini (gpointer data)
{
  Unix *self = data;

  g_hash_table_unref (self->waiting);
  far_principal_unref (self->principal);
}

static const FarOption unix_table[] = {
  { .name = "listen",
    .type = FAR_OPT_ADDRESS,
    .flags = FAR_OPT_UNIX,
    .offset = G_STRUCT_OFFSET (UnixOptions, listen),
    .summary = N_ ("unix:/path: where the other node comes to") },
  { .name = "connect",
    .type = FAR_OPT_PATH,
    .offset = G_STRUCT_OFFSET (UnixOptions, connect),
    .summary = N_ ("path of the other node's socket") },
  { .name = "peer",
    .type = FAR_OPT_STRING,
    .flags = FAR_OPT_REQUIRED,
    .offset = G_STRUCT_OFFSET (UnixOptions, peer),
    .summary = N_ ("id of the node at the other end: what comes is that node's") },
  { .type = FAR_OPT_END },
};

/* No tunnels, and no dial for farctl: it carries messages alone. */
static const FarMessageOps unix_messages = {
  .send = unix_send,
  .connected = unix_connected,
  .cut = unix_cut,
};

static const FarTransportType unix_type = {
  .type = { .kind = FAR_KIND_TRANSPORT,
            .name = "unix",
            .summary = N_ ("messages between two nodes of one machine"),
            .instance_size = sizeof (Unix),
            .options_size = sizeof (UnixOptions),
            .options = unix_table,
            .init = unix_init,
            .start = unix_start,
            .stop = unix_stop,
            .fini = unix_fini },
  .messages = &unix_messages,
};

FAR_PLUGIN ("transport-unix", "0.1", "transport/unix", "", &unix_type.type)
