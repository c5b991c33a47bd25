/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logging in over a conn: takes the peer's login requests, has core decide on main, answers. Both servers use
 * it: the tunnel end, where a terminal shows a token, and the terminal's own login service, where a person
 * shows a password or a key. */
#pragma once
#include "connection.h"

G_BEGIN_DECLS

#define GUARD_TRIES 3

/* Of an instance; immutable, but for what only main touches. */
typedef struct {
  gint refs;
  gboolean tokens; /* passwords are tokens; a key proves the bearer, and does not log in by itself */
  const char *listener;
  /* main */
  GStrv authenticators;
  GPtrArray *waiting; /* FarRequest: logins that are being decided; NULL: stopped */
  /* [main] after far_login() allowed: what it means, NULL: refused all the same; free_grant for what nobody
   * took. */
  gpointer (*judge) (gpointer user, FarPrincipal *principal, const FarVerdict *verdict, const char *name,
                     const char *key);
  GDestroyNotify free_grant;
  gpointer judge_user;
} SshAuth;

SshAuth *ssh_auth_new (const char *const *authenticators, const char *listener, gboolean tokens);
SshAuth *ssh_auth_ref (SshAuth *auth);
void ssh_auth_unref (gpointer auth);
/* No login is decided any more; those under way are refused. [main] */
void ssh_auth_stop (SshAuth *auth);

/* One peer at the listener. [loop of its conn] */
typedef struct {
  SshAuth *auth;
  char *from, *asker; /* asker: for whom another node opened the way here; NULL: nobody told */
  char *name;         /* of the last request: answers of a conversation carry none */
  char *key;          /* verified */
  guint tries, asked;
  ssh_message message; /* being decided */
  gboolean interactive;
  /* [loop] it is in; takes grant */
  void (*passed) (SshConnection *conn, gpointer grant, const char *key, gpointer user);
  gpointer user;
} Login;

void login_begin (Login *login, SshAuth *auth, SshConnection *conn, const char *from, const char *asker);
void ssh_login_end (Login *login);
/* TRUE: keeps the message. */
gboolean login_message (Login *login, SshConnection *conn, ssh_message message);

G_END_DECLS
