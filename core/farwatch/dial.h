/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Dialling: from a name and a port to a connected TCP descriptor, as RFC 8305 says (Happy Eyeballs).
 *
 * The name is looked up in a thread of its own, so that main never waits and a look-up that hangs holds
 * nobody up (16 at once, 64 wait, more are FAR_ERROR_LIMIT). Addresses are tried in the system's order (RFC
 * 6724), the two families in turn: the next one 250 ms after the last began, or at once when one has failed.
 * The first that connects wins, the others are closed. */
#pragma once
#include <farwatch/request.h>
#include <sys/socket.h>

G_BEGIN_DECLS

#define FAR_DIAL_SECONDS 20 /* for all of it */

/* host: a name, or an address in numbers (no brackets). Ends req with a descriptor for far_dial_take(), or
 * with an error of one line: place, cause, next step, and when several addresses were tried, how each ended.
 * FAR_ERROR_UNAVAILABLE: unknown name, no name server, no network, unreachable, refused, no answer in
 * FAR_DIAL_SECONDS; FAR_ERROR_LIMIT: too many look-ups. A time limit of req itself cuts such a text off: give
 * it none, or a longer one. When req ends otherwise (far_request_cancel(), its time limit), all that was
 * begun is closed at that moment. [main] */
void far_dial (const char *host, guint16 port, FarRequest *req);

/* Inside done(): the descriptor: non-blocking, close-on-exec, TCP_NODELAY. The caller closes it. -1 when req
 * ended with an error, or when it was taken already; one that nobody takes is closed with req. [main] */
int far_dial_take (FarRequest *req);

/* The address that host (no brackets) is in numbers, with port: for connect() or bind(). FALSE: it is a name;
 * no name server is asked. [any thread] */
gboolean
far_address_number (const char *host, guint16 port, struct sockaddr_storage *address, socklen_t *size);

G_END_DECLS
