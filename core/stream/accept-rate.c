/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections a second of one address: a token bucket each, in a fixed number of them. It holds five seconds'
 * worth, so that people behind one address who come at the same time come in. */
#include "config.h"

#include "stream/acceptor-private.h"

#include <farwatch/trust.h>

#define SLOTS 1024
#define BURST_SECONDS 5

typedef struct {
  gint64 us;
  double tokens;
} Bucket;

struct _FarRate {
  double per_second;
  guint32 salt;
  Bucket slots[SLOTS]; /* us 0: full */
};

FarRate *
far_rate_new (double per_second)
{
  FarRate *rate = g_new0 (FarRate, 1);
  rate->per_second = per_second;
  rate->salt = far_random_u32 (G_MAXUINT32);
  return rate;
}

gboolean
far_rate_take (FarRate *rate, const struct sockaddr *address, gint64 now_us)
{
  FarNetKey key = far_net_key (address, rate->salt);
  Bucket *bucket = &rate->slots[far_net_key_hash (&key) % SLOTS];
  double full = MAX (BURST_SECONDS * rate->per_second, 1);
  if (key.kind == FAR_NET_NOBODY)
    return TRUE;
  double more = (double) MAX (now_us - bucket->us, 0) / G_USEC_PER_SEC * rate->per_second;
  bucket->tokens = bucket->us == 0 ? full : MIN (bucket->tokens + more, full);
  bucket->us = now_us;
  if (bucket->tokens < 1)
    return FALSE;
  bucket->tokens -= 1;
  return TRUE;
}
