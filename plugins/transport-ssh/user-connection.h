/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The terminal's own login service (spec B8, in band): an endpoint whose stream is the far side of an SSH
 * server session, a ssh_user. */
#pragma once
#include "auth.h"

G_BEGIN_DECLS

typedef struct {
  char **login;
  char *shell;
  gint64 login_time_us, max, channels;
} LoginOptions;

/* One person's SSH connection: what the ops of its conn know. Freed with the last reference, on any thread.
 */
typedef struct {
  gint refs;
  gint *open; /* the instance's count of ssh_users, in a box with references */
  /* constant */
  char *instance;                        /* name of the endpoint instance, looked up on main each time */
  char *session, *device, *from, *asker; /* of the spec; device NULL: the terminal itself */
  gint64 deadline_us, login_time_us, channels;
  FarLoop *loop;
  /* [loop] */
  SshAuth *auth; /* until it begins */
  Login login;
  gint64 began_us, login_until_us;
  /* its client has done its part of the key exchange: now a person may type */
  gboolean speaks_ssh;
  char *person;        /* after login */
  GPtrArray *talks;    /* session channels that have not asked for their work yet */
  guint n_open;        /* channels */
  FarLoopTimer *timer; /* wakes the conn when the time for login is over */
} SshUserConnection;

SshUserConnection *
ssh_user_new (const char *instance, gint *open, SshAuth *auth, const FarEndpointSpec *spec);
SshUserConnection *ssh_user_ref (SshUserConnection *ssh_user);
void ssh_user_unref (SshUserConnection *ssh_user);
/* Begins on a connected descriptor, taken; keys: folder of the host key. [loop] */
void ssh_user_begin (SshUserConnection *ssh_user, FarLoop *loop, int fd, const char *keys);

/* A request of a person who is logged in. Takes the message (TRUE) or leaves it to be freed. [loop] */
gboolean ssh_user_work (SshUserConnection *ssh_user, SshConnection *conn, ssh_message message);
void ssh_user_work_end (SshUserConnection *ssh_user);                /* the conn is dead */
gboolean ssh_user_refuse (SshConnection *conn, ssh_message message); /* answers no; FALSE */

extern const FarEndpointType ssh_login_type;

G_END_DECLS
