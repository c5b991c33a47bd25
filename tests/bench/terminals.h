/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One simulated terminal: TLS, the WebSocket upgrade, frames. */
#pragma once
#include <glib.h>
#include <gnutls/gnutls.h>
#include <unistd.h>

typedef enum {
  TERMINAL_IDLE,
  TERMINAL_CONNECTING,
  TERMINAL_SHAKING,
  TERMINAL_UPGRADING,
  TERMINAL_OPEN,
  TERMINAL_WAITING,
  TERMINAL_LOST
} TerminalState;

typedef struct {
  TerminalState state;
  int fd;
  guint number;
  gnutls_session_t tls;
  gnutls_certificate_credentials_t credentials; /* kept while it comes back */
  GByteArray *in, *out;
  gint64 due_us, cap_us, up_us; /* next try; the longest wait before it; since when it is open */
} Terminal;

typedef struct {
  const char *host, *keys, *prefix;
  int port, poll;
  guint count, started, open, lost, turn;
  gint64 cycle_us, next_us;
  gint64 reconnect_us, looked_us; /* reconnect_us 0: whoever is lost stays away */
  guint waiting;
  gulong polls, answers, pings;
  gulong broken, ended; /* tries in vain; links that were up */
  Terminal *terminals;
} Crowd;

/* The certificates of all of them. */
gboolean crowd_prepare (Crowd *crowd);
/* Starts whoever has waited long enough; how many milliseconds the caller may sleep at most. */
int crowd_come_back (Crowd *crowd);
/* Resets all connections. */
void crowd_cut (Crowd *crowd);
void terminal_start (Crowd *crowd, guint index);
void terminal_ready (Crowd *crowd, Terminal *terminal);
void terminal_poll (Crowd *crowd, guint index);
