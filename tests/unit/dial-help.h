/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A name server made of a table, which can be silent, and addresses of loopback that do not answer. */
#pragma once
#include "stream/dial-private.h"
#include "unit/stream-pair.h"

#define NAME "cloud.example"

/* What the name server says: addresses in this order, or a fault; or nothing at all until it is let go. */
static struct {
  const char *addresses[8];
  int fault;
  GMutex lock;
  GCond cond;
  gboolean silent;
  gint asked;
} names;

static inline struct addrinfo *
chain (const char *service)
{
  struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM },
                  *first = NULL, **end = &first;
  for (guint i = 0; i < G_N_ELEMENTS (names.addresses) && names.addresses[i] != NULL; i++) {
    ck_assert_int_eq (getaddrinfo (names.addresses[i], service, &hints, end), 0);
    while (*end != NULL)
      end = &(*end)->ai_next;
  }
  return first;
}

static inline int
ask (const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
  ck_assert (!far_loop_is_here (far_loop_main ()));
  g_atomic_int_inc (&names.asked);
  g_mutex_lock (&names.lock);
  while (names.silent && g_str_equal (host, NAME))
    g_cond_wait (&names.cond, &names.lock);
  g_mutex_unlock (&names.lock);
  *found = names.fault == 0 ? chain (service) : NULL;
  return names.fault;
}

static inline void
let_go (void)
{
  g_mutex_lock (&names.lock);
  names.silent = FALSE;
  g_cond_broadcast (&names.cond);
  g_mutex_unlock (&names.lock);
}

/* ---- listeners ---- */

static inline int
listen_at (const char *host, guint16 *port, int backlog)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons (*port) };
  socklen_t size = sizeof at;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  inet_pton (AF_INET, host, &at.sin_addr);
  setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ck_assert_int_eq (bind (fd, (struct sockaddr *) &at, sizeof at) | listen (fd, backlog), 0);
  ck_assert_int_eq (getsockname (fd, (struct sockaddr *) &at, &size), 0);
  *port = ntohs (at.sin_port);
  return fd;
}

/* A listener whose queue is full: what else comes is not answered. */
typedef struct {
  int listener, fill[4];
} Hole;

static inline Hole
hole_at (const char *host, guint16 *port)
{
  Hole hole = { .listener = listen_at (host, port, 0) };
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons (*port) };
  inet_pton (AF_INET, host, &at.sin_addr);
  for (guint i = 0; i < G_N_ELEMENTS (hole.fill); i++) {
    hole.fill[i] = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    connect (hole.fill[i], (struct sockaddr *) &at, sizeof at);
  }
  return hole;
}

static inline void
hole_close (Hole *hole)
{
  close (hole->listener);
  for (guint i = 0; i < G_N_ELEMENTS (hole->fill); i++)
    close (hole->fill[i]);
}
