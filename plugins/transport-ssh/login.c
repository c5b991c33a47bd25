/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The endpoint type `ssh-login`: opens a session with a socket pair, one end of which is the stream that the
 * caller joins. */
#include "config.h"

#include "user-connection.h"

#include <farwatch/trust.h>

#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

static const FarOption login_options[] = {
  { .name = "login",
    .type = FAR_OPT_REFS,
    .flags = FAR_OPT_REQUIRED | FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (LoginOptions, login),
    .summary = N_ ("authenticators that are asked, in this order"),
    .ref_kind = FAR_KIND_AUTHENTICATOR },
  { .name = "shell",
    .type = FAR_OPT_REF,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (LoginOptions, shell),
    .summary = N_ ("endpoint that a person without a device talks to"),
    .ref_kind = FAR_KIND_ENDPOINT },
  { .name = "login-time",
    .type = FAR_OPT_DURATION,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (LoginOptions, login_time_us),
    .fallback = "60s",
    .summary = N_ ("time a person has to log in; their client has to exchange keys within 10s"),
    .min = 1000000,
    .max = 600000000 },
  { .name = "max",
    .type = FAR_OPT_INT,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (LoginOptions, max),
    .fallback = "128",
    .summary = N_ ("connections at once"),
    .min = 1,
    .max = 1024 },
  { .name = "channels",
    .type = FAR_OPT_INT,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (LoginOptions, channels),
    .fallback = "256",
    .summary = N_ ("shells, commands and forwarded connections at once in one connection"),
    .min = 1,
    .max = 1024 },
  { .type = FAR_OPT_END },
};

typedef struct {
  FarInstance *at;
  gint *open; /* ssh_users alive, in a counted box: they may outlive the instance */
  SshAuth *auth;
} LoginService;

/* Whoever the authenticators know may come in; what they may do is asked again at each step. [main] */
static gpointer
login_judge (gpointer user, FarPrincipal *principal, const FarVerdict *verdict, const char *name,
             const char *key)
{
  return g_strdup (verdict->principal != NULL ? verdict->principal : principal->name);
}

static SshAuth *
login_auth (LoginService *self, const LoginOptions *options)
{
  SshAuth *auth = ssh_auth_new ((const char *const *) options->login, "ssh", FALSE);

  auth->judge = login_judge;
  auth->free_grant = g_free;
  auth->judge_user = self;
  return auth;
}

static void
login_drop_auth (LoginService *self)
{
  if (self->auth != NULL)
    ssh_auth_stop (self->auth);
  g_clear_pointer (&self->auth, ssh_auth_unref);
}

static gboolean
login_init (gpointer data, FarInstance *at, GError **error)
{
  LoginService *self = data;

  self->at = at;
  self->open = g_atomic_rc_box_new0 (gint);
  return TRUE;
}

static gboolean
login_start (gpointer data, GError **error)
{
  LoginService *self = data;
  g_autofree char *keys = far_node_path ("keys");

  if (!far_trust_keys_create (keys, error))
    return FALSE;
  self->auth = login_auth (self, far_instance_options (self->at));
  far_instance_ready (self->at);
  return TRUE;
}

static gboolean
login_reload (gpointer data, const void *options, GError **error)
{
  LoginService *self = data;

  login_drop_auth (self);
  self->auth = login_auth (self, options);
  return TRUE;
}

static void
login_stop (gpointer data)
{
  login_drop_auth (data);
}

static void
login_fini (gpointer data)
{
  LoginService *self = data;

  g_clear_pointer (&self->open, g_atomic_rc_box_release);
}

/* ---- opening ---- */

typedef struct {
  SshUserConnection *ssh_user;
  FarLoop *loop;
  int fd;
  char *keys;
} LoginBegin;

/* [loop] */
static void
login_user (gpointer data)
{
  LoginBegin *begin = data;

  ssh_user_begin (begin->ssh_user, begin->loop, begin->fd, begin->keys);
  g_free (begin->keys);
  g_free (begin);
}

static void
login_discard (gpointer data)
{
  FarStream *stream = data;

  far_loop_post (stream->loop, (FarLoopFunc) far_stream_free, stream);
}

static void
login_open (gpointer data, const FarEndpointSpec *spec, FarRequest *req)
{
  LoginService *self = data;
  const LoginOptions *options = far_instance_options (self->at);
  LoginBegin *begin;
  int fds[2];

  if (g_atomic_int_get (self->open) >= options->max) {
    far_request_fail_new (req, FAR_ERROR_LIMIT,
                          _ ("the terminal's login service has %" PRId64
                             " connections already (endpoints.%s: option 'max'): try later"),
                          options->max, far_instance_name (self->at));
    return;
  }
  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
    far_request_fail_new (req, FAR_ERROR_LIMIT, "ssh-login: no descriptors left: %s", g_strerror (errno));
    return;
  }
  begin = g_new0 (LoginBegin, 1);
  begin->loop = spec->want_loop != NULL && far_loop_is_io (spec->want_loop) ? spec->want_loop
                                                                            : far_loop_pick ();
  begin->ssh_user = ssh_user_new (far_instance_name (self->at), self->open, self->auth, spec);
  begin->ssh_user->login_time_us = options->login_time_us;
  begin->ssh_user->channels = options->channels;
  begin->fd = fds[1];
  begin->keys = far_node_path ("keys");
  far_request_done (req, far_stream_fd_new (begin->loop, fds[0]), login_discard);
  far_loop_post (begin->loop, login_user, begin);
}

const FarEndpointType ssh_login_type = {
  .type = {
    .kind = FAR_KIND_ENDPOINT,
    .name = "ssh-login",
    .summary = N_ ("the terminal's own login over SSH"),
    .instance_size = sizeof (LoginService),
    .options_size = sizeof (LoginOptions),
    .options = login_options,
    .init = login_init,
    .start = login_start,
    .reload = login_reload,
    .stop = login_stop,
    .fini = login_fini,
  },
  .open = login_open,
};
