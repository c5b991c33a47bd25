/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "throttle.h"

#include <arpa/inet.h>
#include <string.h>

#include <farwatch/clock.h>

typedef struct {
  char *key;
  guint tries;         /* failed, and under way */
  gint64 refused_us;   /* boottime until which the source is refused */
  gint64 last_us;
  GList link;
} Tries;

/* The table of the process: guesses through one door count at all; touched on main only. */
static struct {
  GHashTable *by_key;
  GQueue order; /* oldest use first */
} throttle;

static void
tries_free (Tries *tries)
{
  g_queue_unlink (&throttle.order, &tries->link);
  g_hash_table_remove (throttle.by_key, tries->key);
  g_free (tries->key);
  g_free (tries);
}

static void
throttle_age (gint64 now)
{
  GList *head;

  while ((head = g_queue_peek_head_link (&throttle.order)) != NULL) {
    Tries *tries = head->data;

    if (now < MAX (tries->last_us + FAR_THROTTLE_US, tries->refused_us) && throttle.order.length <= FAR_THROTTLE_ENTRIES)
      return;
    tries_free (tries);
  }
}

static Tries *
throttle_find (const char *key)
{
  return throttle.by_key != NULL ? g_hash_table_lookup (throttle.by_key, key) : NULL;
}

static void
throttle_touch (Tries *tries, gint64 now)
{
  tries->last_us = now;
  g_queue_unlink (&throttle.order, &tries->link);
  g_queue_push_tail_link (&throttle.order, &tries->link);
}

static Tries *
throttle_get (const char *key, gint64 now)
{
  Tries *tries = throttle_find (key);

  if (throttle.by_key == NULL)
    throttle.by_key = g_hash_table_new (g_str_hash, g_str_equal);
  if (tries == NULL) {
    tries = g_new0 (Tries, 1);
    tries->key = g_strdup (key);
    tries->link.data = tries;
    g_hash_table_insert (throttle.by_key, tries->key, tries);
    g_queue_push_tail_link (&throttle.order, &tries->link);
  }
  throttle_touch (tries, now);
  return tries;
}

/* Whoever has one IPv6 address has 2^64 of them: the /64 counts. */
static char *
throttle_source (const char *from)
{
  struct in6_addr address;
  char text[INET6_ADDRSTRLEN];

  if (inet_pton (AF_INET6, from, &address) != 1 || IN6_IS_ADDR_V4MAPPED (&address))
    return g_strdup (from);
  memset (address.s6_addr + 8, 0, 8);
  inet_ntop (AF_INET6, &address, text, sizeof text);
  return g_strconcat (text, "/64", NULL);
}

static char *
throttle_pair (const char *name, const char *source)
{
  return g_strconcat (source, "\n", name, NULL);
}

static gint64
throttle_delay (guint tries)
{
  if (tries < FAR_THROTTLE_FREE)
    return 0;
  return (gint64) (1 << MIN (tries - FAR_THROTTLE_FREE, 5)) * G_USEC_PER_SEC;
}

gint64
far_throttle_enter (const char *name, const char *from)
{
  g_autofree char *net = throttle_source (from), *key = throttle_pair (name, net);
  gint64 now = far_clock_boottime_us (), delay;
  Tries *source, *pair;

  throttle_age (now);
  source = throttle_find (net);
  if (source != NULL && source->refused_us > now)
    return -1;
  pair = throttle_find (key);
  source = throttle_get (net, now);
  if ((pair != NULL && pair->tries >= FAR_THROTTLE_TRIES) || source->tries >= FAR_THROTTLE_SOURCE_TRIES) {
    source->refused_us = now + FAR_THROTTLE_US;
    source->tries = 0;
    if (pair != NULL)
      pair->tries = FAR_THROTTLE_FREE; /* afterwards slowly again */
    return -1;
  }
  pair = throttle_get (key, now);
  delay = throttle_delay (pair->tries);
  pair->tries++;
  source->tries++;
  throttle_age (now);
  return delay;
}

static void
throttle_take_back (const char *key)
{
  Tries *tries = throttle_find (key);

  if (tries != NULL && tries->tries > 0)
    tries->tries--;
}

void
far_throttle_leave (const char *name, const char *from, FarTryOutcome outcome)
{
  g_autofree char *net = throttle_source (from), *key = throttle_pair (name, net);
  Tries *pair = throttle_find (key);

  if (outcome == FAR_TRY_FAILED)
    return;
  throttle_take_back (net);
  if (outcome == FAR_TRY_VOID)
    throttle_take_back (key);
  else if (pair != NULL)
    tries_free (pair);
}

guint
far_throttle_count (void)
{
  return throttle.order.length;
}

void
far_throttle_clear (void)
{
  while (throttle.order.head != NULL)
    tries_free (throttle.order.head->data);
  g_clear_pointer (&throttle.by_key, g_hash_table_unref);
}
