/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handshakes a second: for each address and in all. Bounded: addresses share 1024 counters by hash, so a stranger can at worst slow down those
 * who share a counter with him. Time is the caller's. */
#pragma once
#include <glib.h>

#define WS_RATE_SLOTS 1024

typedef struct { gint64 us; double tokens; } WsBucket;
typedef struct { double all, each; guint32 salt; WsBucket total, slots[WS_RATE_SLOTS]; } WsRate;

void ws_rate_init (WsRate *rate, double all_per_second, double each_per_second, gint64 now_us);
gboolean ws_rate_take (WsRate *rate, const char *address, gboolean trusted, gint64 now_us);
