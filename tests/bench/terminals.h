/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One simulated terminal: TLS, the WebSocket upgrade, frames. */
#pragma once
#include <glib.h>
#include <gnutls/gnutls.h>
#include <unistd.h>

typedef enum { TERMINAL_IDLE, TERMINAL_CONNECTING, TERMINAL_SHAKING, TERMINAL_UPGRADING, TERMINAL_OPEN, TERMINAL_LOST } TerminalState;

typedef struct {
  TerminalState state;
  int fd;
  guint number;
  gnutls_session_t tls;
  gnutls_certificate_credentials_t credentials;
  GByteArray *in, *out;
} Terminal;

typedef struct {
  const char *host, *keys, *prefix;
  int port, poll;
  guint count, started, open, lost, turn;
  gint64 cycle_us, next_us;
  gulong polls, answers, pings;
  Terminal *terminals;
} Crowd;

gboolean crowd_prepare (Crowd *crowd);
void terminal_start (Crowd *crowd, guint index);
void terminal_ready (Crowd *crowd, Terminal *terminal);
void terminal_poll (Crowd *crowd, guint index);
