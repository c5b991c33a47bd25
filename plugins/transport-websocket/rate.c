/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "rate.h"

#include <farwatch/trust.h>

void
ws_rate_init (WsRate *rate, double all_per_second, double each_per_second, gint64 now_us)
{
  rate->all = all_per_second;
  rate->each = each_per_second;
  rate->salt = far_random_u32 (G_MAXUINT32);
  rate->total = (WsBucket){ .us = now_us, .tokens = all_per_second };
  for (guint i = 0; i < WS_RATE_SLOTS; i++)
    rate->slots[i] = (WsBucket){ .us = now_us, .tokens = each_per_second };
}

/* Fills at `per_second`, holds two seconds' worth. */
static gboolean
has_token (WsBucket *bucket, double per_second, gint64 now_us)
{
  double more = (double) MAX (now_us - bucket->us, 0) / G_USEC_PER_SEC * per_second;

  bucket->us = now_us;
  bucket->tokens = MIN (bucket->tokens + more, 2 * per_second);
  return bucket->tokens >= 1;
}

G_STATIC_ASSERT (WS_RATE_SLOTS == 1 << (32 - 22));

gboolean
ws_rate_take (WsRate *rate, const char *address, gboolean trusted, gint64 now_us)
{
  WsBucket *own = &rate->slots[(guint32) (g_str_hash (address) * (rate->salt | 1)) >> 22];

  if (!trusted && !has_token (own, rate->each, now_us))
    return FALSE;
  if (!has_token (&rate->total, rate->all, now_us))
    return FALSE;
  rate->total.tokens -= 1;
  if (!trusted)
    own->tokens -= 1;
  return TRUE;
}
