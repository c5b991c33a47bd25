/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file counts wrong logins by name and source, by source, by network and by name, and says how long
 * the next try has to wait. The table has an end: when it is full, the entries that nobody touched for
 * longest go. Queueing of logins that may be tried is reach/login-queue.c. */
#include "config.h"

#include "auth/throttle.h"

#include "base/node-part.h"

#include <arpa/inet.h>
#include <string.h>

#include <farwatch/clock.h>

#define KNOWN_US (24 * G_TIME_SPAN_HOUR)

typedef struct {
  char *key;
  guint failed, under_way;
  gint64 refused_us; /* boottime until which it is refused */
  gint64 next_us;    /* boottime before which none begins */
  gint64 known_us;   /* a pair: boottime until which it counts as known */
  gint64 last_us;    /* last failure, or since when what has leaked is counted */
  GList link;
} Tries;

/* One table: guesses through one interface count at all; touched on main only. */
typedef struct {
  GHashTable *by_key;
  GQueue order; /* oldest use first */
} Throttle;

static void
throttle_clear (gpointer part)
{
  far_throttle_clear ();
}

static Throttle *
throttle (void)
{
  static const FarNodePart part = { FAR_PART_THROTTLE, sizeof (Throttle), NULL, throttle_clear };

  return far_node_part (&part);
}

static void
tries_free (Tries *tries)
{
  g_queue_unlink (&throttle ()->order, &tries->link);
  g_hash_table_remove (throttle ()->by_key, tries->key);
  g_free (tries->key);
  g_free (tries);
}

static void
throttle_touch (Tries *tries)
{
  g_queue_unlink (&throttle ()->order, &tries->link);
  g_queue_push_tail_link (&throttle ()->order, &tries->link);
}

static gboolean
tries_old (const Tries *tries, gint64 now)
{
  return now >= MAX (tries->last_us + FAR_THROTTLE_US, MAX (tries->refused_us, tries->known_us));
}

/* Looks at the oldest few: one that is under way has its place, and goes back to the end. */
static void
throttle_age (gint64 now)
{
  for (guint i = 0; i < 16 && throttle ()->order.length > 0; i++) {
    Tries *tries = throttle ()->order.head->data;

    if (tries->under_way > 0)
      throttle_touch (tries);
    else if (throttle ()->order.length > FAR_THROTTLE_ENTRIES || tries_old (tries, now))
      tries_free (tries);
    else
      return;
  }
}

static Tries *
throttle_find (const char *key)
{
  return throttle ()->by_key != NULL && key != NULL ? g_hash_table_lookup (throttle ()->by_key, key) : NULL;
}

static Tries *
throttle_get (const char *key)
{
  Tries *tries = throttle_find (key);

  if (throttle ()->by_key == NULL)
    throttle ()->by_key = g_hash_table_new (g_str_hash, g_str_equal);
  if (tries == NULL) {
    tries = g_new0 (Tries, 1);
    tries->key = g_strdup (key);
    tries->link.data = tries;
    tries->last_us = far_clock_boottime_us ();
    g_hash_table_insert (throttle ()->by_key, tries->key, tries);
    g_queue_push_tail_link (&throttle ()->order, &tries->link);
  }
  throttle_touch (tries);
  return tries;
}

/* ---- the keys of a try ---- */

typedef struct {
  char *pair, *source, *net, *name; /* net NULL: none */
} Keys;

static void
keys_clear (Keys *keys)
{
  g_free (keys->pair);
  g_free (keys->source);
  g_free (keys->net);
  g_free (keys->name);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Keys, keys_clear)

/* Whoever has one IPv6 address has 2^64 of them, and often 2^80. NULL: no address of IPv6. */
static char *
throttle_net (const char *from, guint bits)
{
  struct in6_addr address;
  char text[INET6_ADDRSTRLEN];

  if (inet_pton (AF_INET6, from, &address) != 1 || IN6_IS_ADDR_V4MAPPED (&address))
    return NULL;
  memset (address.s6_addr + bits / 8, 0, 16 - bits / 8);
  inet_ntop (AF_INET6, &address, text, sizeof text);
  return g_strdup_printf ("%s/%u", text, bits);
}

char *
far_throttle_source (const FarTry *try)
{
  g_autofree char *net = throttle_net (try->from, 64);
  const char *from = net != NULL ? net : try->from;

  if (try->told == NULL)
    return g_strdup (from);
  return try->told[0] != '\0' ? g_strdup_printf ("%s (in the session of %s)", from, try->told)
                              : g_strdup_printf ("%s (as told)", from);
}

static Keys
throttle_keys (const FarTry *try)
{
  Keys keys = { .source = far_throttle_source (try) };

  keys.pair = g_strconcat (keys.source, "\n", try->name, NULL);
  keys.net = try->told == NULL ? throttle_net (try->from, 48) : NULL;
  keys.name = g_strconcat (try->told != NULL ? try->interface : "", "\n\n", try->name, NULL);
  return keys;
}

/* ---- may it begin ---- */

/* One leaks away each time that it takes to allow another. */
static guint
tries_left_over (Tries *tries, guint limit, gint64 now)
{
  gint64 each_us = FAR_THROTTLE_US / limit, n;

  if (tries == NULL)
    return 0;
  n = MIN ((now - tries->last_us) / each_us, tries->failed);
  tries->failed -= n;
  tries->last_us = tries->failed == 0 ? now : tries->last_us + n * each_us;
  return tries->failed;
}

static guint
pair_failed (Tries *pair, gint64 now)
{
  if (pair != NULL && pair->failed > 0 && now >= pair->last_us + FAR_THROTTLE_US)
    pair->failed = 0;
  return pair != NULL ? pair->failed : 0;
}

static gint64
throttle_delay (guint steps)
{
  return steps == 0 ? 0 : (gint64) (1 << MIN (steps - 1, 5)) * G_USEC_PER_SEC;
}

static gboolean
tries_refused (const Tries *tries, gint64 now)
{
  return tries != NULL && tries->refused_us > now;
}

static char *
throttle_why (const char *name, const char *source, guint limit)
{
  return g_strdup_printf (
      "too many refused logins%s%s from %s (the limit is %u): no more are tried for 10 minutes",
      name != NULL ? " as " : "", name != NULL ? name : "", source[0] != '\0' ? source : "this machine",
      limit);
}

static gboolean
throttle_refuses (const FarTry *try, const Keys *keys, gboolean known, gint64 now, char **why)
{
  if (tries_refused (throttle_find (keys->pair), now))
    *why = throttle_why (try->name, keys->source, FAR_THROTTLE_TRIES);
  else if (!known && tries_refused (throttle_find (keys->source), now))
    *why = throttle_why (NULL, keys->source, FAR_THROTTLE_SOURCE_TRIES);
  else if (!known && tries_refused (throttle_find (keys->net), now))
    *why = throttle_why (NULL, keys->net, FAR_THROTTLE_NET_TRIES);
  return *why != NULL;
}

/* How many may be under way where so many have failed: as many as would be free, or one. */
static guint
throttle_places (guint free, guint failed, guint at_once)
{
  return MAX (MIN (failed < free ? free - failed : 1, at_once), 1);
}

static gboolean
throttle_full (const FarTry *try, const Keys *keys, gint64 now)
{
  Tries *pair = throttle_find (keys->pair), *source = throttle_find (keys->source);
  guint of_pair = throttle_places (try->token ? FAR_THROTTLE_TRIES : FAR_THROTTLE_FREE,
                                   pair_failed (pair, now), G_MAXUINT);
  guint of_source = throttle_places (FAR_THROTTLE_SOURCE_TRIES,
                                     tries_left_over (source, FAR_THROTTLE_SOURCE_TRIES, now),
                                     try->token ? G_MAXUINT : FAR_THROTTLE_AT_ONCE);

  return (pair != NULL && pair->under_way >= of_pair) || (source != NULL && source->under_way >= of_source);
}

/* When a name is guessed from everywhere, strangers wait; where another node tells who they are, one after
 * the other. */
static gint64
throttle_name_wait (const FarTry *try, const Keys *keys, gint64 since_us, gint64 now)
{
  Tries *name = throttle_find (keys->name);
  guint failed = tries_left_over (name, FAR_THROTTLE_NAME_FREE, now);

  if (failed < FAR_THROTTLE_NAME_FREE)
    return 0;
  return try->told != NULL ? name->next_us : since_us + throttle_delay (failed / FAR_THROTTLE_NAME_FREE);
}

FarThrottleWord
far_throttle_enter (const FarTry *try, gint64 since_us, gint64 *at_us, char **why)
{
  g_auto (Keys) keys = throttle_keys (try);
  gint64 now = far_clock_boottime_us ();
  gboolean known;
  Tries *pair;

  *at_us = 0;
  *why = NULL;
  throttle_age (now);
  pair = throttle_find (keys.pair);
  known = pair != NULL && pair->known_us > now;
  if (throttle_refuses (try, &keys, known, now, why))
    return FAR_THROTTLE_REFUSED;
  if (throttle_full (try, &keys, now))
    return FAR_THROTTLE_LATER;
  *at_us = MAX (pair != NULL ? pair->next_us : 0, known ? 0 : throttle_name_wait (try, &keys, since_us, now));
  if (*at_us > now)
    return FAR_THROTTLE_LATER;
  throttle_get (keys.pair)->under_way++;
  throttle_get (keys.source)->under_way++;
  if (try->told != NULL)
    throttle_get (keys.name)->next_us = now + FAR_THROTTLE_TOLD_US;
  return FAR_THROTTLE_GO;
}

/* ---- how it ended ---- */

static void
throttle_fail_pair (const char *key, gboolean undecided, gint64 now)
{
  Tries *pair = throttle_get (key);

  pair->failed = pair_failed (pair, now);
  if (!undecided || pair->failed < FAR_THROTTLE_FREE + 3)
    pair->failed++;
  pair->last_us = now;
  if (pair->failed >= FAR_THROTTLE_FREE)
    pair->next_us = now + throttle_delay (pair->failed - FAR_THROTTLE_FREE + 1);
  if (pair->failed < FAR_THROTTLE_TRIES)
    return;
  pair->refused_us = now + FAR_THROTTLE_US;
  pair->last_us = pair->refused_us;
  pair->failed = FAR_THROTTLE_FREE; /* afterwards slowly again */
}

static void
throttle_fail (const char *key, guint limit, gboolean undecided, gint64 now)
{
  Tries *tries = key != NULL ? throttle_get (key) : NULL;

  if (tries == NULL || (tries_left_over (tries, limit, now) + 1 >= limit && undecided))
    return;
  if (++tries->failed < limit)
    return;
  tries->refused_us = now + FAR_THROTTLE_US;
  tries->failed = 0;
}

/* A name is never refused: it only leaks more slowly than it is guessed. */
static void
throttle_fail_name (const char *key, gint64 now)
{
  Tries *name = throttle_get (key);

  tries_left_over (name, FAR_THROTTLE_NAME_FREE, now);
  name->failed = MIN (name->failed + 1, 8 * FAR_THROTTLE_NAME_FREE);
}

static void
throttle_succeed (const char *key, gint64 now)
{
  Tries *pair = throttle_get (key);

  pair->failed = 0;
  pair->next_us = 0;
  pair->known_us = now + KNOWN_US;
}

static void
throttle_took_leave (const char *key)
{
  Tries *tries = throttle_find (key);

  if (tries != NULL && tries->under_way > 0)
    tries->under_way--;
}

void
far_throttle_leave (const FarTry *try, FarTryOutcome outcome)
{
  g_auto (Keys) keys = throttle_keys (try);
  gint64 now = far_clock_boottime_us ();
  gboolean undecided = outcome == FAR_TRY_UNDECIDED;

  throttle_took_leave (keys.pair);
  throttle_took_leave (keys.source);
  if (outcome == FAR_TRY_SUCCEEDED)
    throttle_succeed (keys.pair, now);
  if (outcome != FAR_TRY_FAILED && !undecided)
    return;
  throttle_fail_pair (keys.pair, undecided, now);
  throttle_fail (keys.source, FAR_THROTTLE_SOURCE_TRIES, undecided, now);
  throttle_fail (keys.net, FAR_THROTTLE_NET_TRIES, undecided, now);
  if (!undecided)
    throttle_fail_name (keys.name, now);
}

guint
far_throttle_count (void)
{
  return throttle ()->order.length;
}

void
far_throttle_clear (void)
{
  while (throttle ()->order.head != NULL)
    tries_free (throttle ()->order.head->data);
  g_clear_pointer (&throttle ()->by_key, g_hash_table_unref);
}
