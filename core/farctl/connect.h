/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* farctl connect: ask for access, wait until it is open, come in, close. */
#pragma once
#include "ctl.h"

#include <sys/types.h>

#define CONNECT_NO_PORT (-0x10000) /* what nobody types for a port */

typedef struct {
  Ctl *ctl;
  Ctl watch; /* a link of its own for the session's events; its fd is -1 when there is none */
  /* as asked for */
  char *terminal, *device; /* device NULL: the terminal itself */
  char *for_text, *reason, *entry, *login, *user, *address;
  gint64 for_us;
  int listen_port; /* CONNECT_NO_PORT: not asked for */
  gboolean raw, detach, from_stdin, trust_cloud, all_users;
  /* as it is */
  char *session, *host_key, *known_hosts, *off; /* off: the terminal is not connected, since when */
  json_t *row;                                  /* last seen */
  gboolean over;                                /* closed, or not known any more */
  /* the cloud says that it knows no such terminal: then it must not give access to it either */
  gboolean unknown;
  gboolean others_said; /* that somebody else was turned away at the local port */
  gboolean trouble;     /* it was told of a connection that failed */
  int signals;          /* signalfd; -1: none yet */
  pid_t child;          /* 0: none */
  gboolean child_said;  /* the exit code is the child's, or why it could not start */
  gboolean cut;         /* the session ended before the child */
  gboolean pipe;        /* "-": stdin and stdout */
} Connect;

/* connect.c: from now on an interruption ends the session in order */
void connect_block_signals (Connect *connect);

/* connect-ask.c */
gboolean connect_ask (Connect *connect, GError **error); /* until open */
/* of the other side's: may it stand in a command line? */
gboolean connect_is_word (const char *text);
gboolean connect_event (Connect *connect, GError **error); /* takes one event of the watch */
/* the events that are there, or come while nothing has been told */
void connect_last_words (Connect *connect, int ms);
void connect_end (Connect *connect); /* asks to close, waits a little */

/* connect-keys.c */
/* The terminal's keys: statement checked against the fleet's authority; fills host_key and known_hosts.
 * *statement: new reference, may be NULL. Not wanted: goes on without them for a stock end and with
 * --trust-cloud, aloud; sets `unknown` where the cloud knows no such terminal. */
gboolean connect_keys (Connect *connect, gboolean wanted, json_t **statement, char **nonce, GError **error);
/* FALSE: what to say where there are none */
gboolean connect_unvouched (const Connect *connect, const char *cause, GError **error);
char *connect_fingerprint (const char *host_key);                     /* "SHA256:…" */
json_t *connect_ready_lines (const Connect *connect, GError **error); /* {host, port, ssh, plink} */

/* connect-run.c */
/* starts child; 0, or -1 */
int connect_run (Connect *connect, char **argv, const char *host, int port, GError **error);
/* the COMMAND of the command line; 0, or the exit code after saying why */
int connect_run_or_say (Connect *connect, const char *host, int port);
/* until the child or the session ends, or a signal comes; exit code */
int connect_wait (Connect *connect, int listener);
int connect_ssh (Connect *connect); /* stock ssh through `farctl stream` */

/* connect-join.c */
int connect_listen (int port, int *bound, GError **error);
gboolean connect_accept (Connect *connect, int listener, GError **error);
/* peer-uid.c: is the other end of a connection from this machine a program of the user that this one runs as?
 * *uid: whose, -1: nobody's any more. FALSE: the kernel does not tell. */
gboolean connect_peer_is_mine (int fd, gboolean *mine, uid_t *uid, GError **error);
FarStream *connect_open_stream (Ctl *ctl, const char *session, GError **error);
int connect_open_fd (Ctl *ctl, const char *session, GError **error); /* the same behind a descriptor; -1 */
/* How the bytes ended: our input first, and something came back; otherwise, for whatever reason; by a signal.
 */
typedef enum { JOIN_DONE, JOIN_CUT, JOIN_INTERRUPTED } JoinEnd;
/* stdin and stdout with fd; until the other side is done */
JoinEnd connect_join (int fd, int signals);
