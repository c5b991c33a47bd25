/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's own login service (spec B8, in band): an endpoint whose stream is the far side of an SSH server session. */
#pragma once
#include "wire.h"

G_BEGIN_DECLS

typedef struct {
  char **login;
  char *shell;
  gint64 login_time_us, max;
} LoginOptions;

/* One person's SSH connection: what the ops of its wire know. Freed with the last reference, on any thread. */
typedef struct {
  gint refs;
  gint *open;                          /* the instance's count of these, in a box with references */
  /* constant */
  char *instance;                      /* name of the endpoint instance, looked up on main each time */
  char *session, *device, *from;       /* of the spec; device NULL: the terminal itself */
  gint64 deadline_us, login_until_us;
  /* [home] */
  gboolean kex_done;
  guint failures, channels;
  char *person;                        /* after login */
  char *user;                          /* name of the first try: it may not change */
  GPtrArray *ptys;                     /* channels that asked for a terminal */
  FarHomeTimer *timer;                 /* wakes the wire when the time for login is over */
} LoginSession;

LoginSession *login_session_new (const char *instance, gint *open, const FarEndpointSpec *spec);
LoginSession *login_session_ref (LoginSession *self);
void login_session_unref (LoginSession *self);
/* Begins on a connected descriptor, taken; key: path of the host key. [home] */
void login_session_begin (LoginSession *self, FarHome *home, int fd, const char *key);

/* Take the message (TRUE) or leave it to be freed. [home] */
gboolean login_auth_message (LoginSession *self, Wire *wire, ssh_message message);
gboolean login_open_message (LoginSession *self, Wire *wire, ssh_message message);
gboolean login_channel_message (LoginSession *self, Wire *wire, ssh_message message);
gboolean login_refuse (ssh_message message); /* answers no; FALSE */

/* Options of the instance, NULL when it is gone. [main] */
const LoginOptions *login_options_find (const char *instance);

extern const FarEndpointType login_type;

G_END_DECLS
