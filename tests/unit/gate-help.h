/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who comes to a gate from where, and is told on main to go. */
#pragma once
#include "unit/stream-pair.h"
#include <farwatch/gate.h>
#include <netinet/in.h>

typedef struct {
  struct sockaddr_storage store;
} At;

static inline const struct sockaddr *
at (At *address, const char *text)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *) &address->store;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *) &address->store;
  memset (address, 0, sizeof *address);
  if (inet_pton (AF_INET, text, &v4->sin_addr) == 1)
    v4->sin_family = AF_INET;
  else if (inet_pton (AF_INET6, text, &v6->sin6_addr) == 1)
    v6->sin6_family = AF_INET6;
  return (struct sockaddr *) &address->store;
}

static inline FarPass *
enter (FarGate *gate, const char *address)
{
  At place;
  g_autoptr (GError) error = NULL;
  FarPass *pass = far_gate_enter (gate, -1, address != NULL ? at (&place, address) : NULL, &error);
  ck_assert ((pass == NULL) == g_error_matches (error, FAR_ERROR, FAR_ERROR_LIMIT));
  return pass;
}

/* ---- evictions, told on main ---- */

typedef struct {
  FarPass *pass;
  guint evicted;
} Guest;

static inline void
guest_evicted (gpointer data)
{
  ((Guest *) data)->evicted++;
}

static inline void
come (FarGate *gate, Guest *guest, const char *address)
{
  guest->evicted = 0;
  guest->pass = enter (gate, address);
  if (guest->pass != NULL)
    far_gate_evictable (guest->pass, far_loop_main (), guest_evicted, guest);
}

static inline void
come_all (FarGate *gate, Guest *guests, guint n, const char *address)
{
  for (guint i = 0; i < n; i++) {
    come (gate, &guests[i], address);
    ck_assert_ptr_nonnull (guests[i].pass);
  }
}

static inline void
leave_all (Guest *guests, guint n)
{
  for (guint i = 0; i < n; i++)
    far_gate_leave (g_steal_pointer (&guests[i].pass));
}

/* Bit n: the n-th was told to go. */
static inline guint64
gone (const Guest *guests, guint n)
{
  guint64 bits = 0;
  help_spin (3);
  for (guint i = 0; i < n; i++)
    bits |= (guint64) (guests[i].evicted > 0) << i;
  return bits;
}

/* Somebody from there logs in and goes. */
static inline void
make_known (FarGate *gate, const char *address)
{
  FarPass *pass = enter (gate, address);
  ck_assert_ptr_nonnull (pass);
  far_gate_verified (pass);
  far_gate_leave (pass);
}
