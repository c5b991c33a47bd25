/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The accept gate: limits, passes, evictions. Who goes is gate-slots.c's answer. */
#include "config.h"

#include "stream/gate-private.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/instance.h>
#include <farwatch/trust.h>

#define SITE_SHARES 4 /* a /56 may hold so many shares of a /64 */

struct _FarGate {
  gint refs;
  char *name;
  guint32 salt;
  GMutex lock; /* over all that follows */
  FarGateLimits limits;
  GStrv trusted;
  FarSlots *slots;
  FarKnown *known;
  guint total;
  guint64 numbers, refused, evicted;
};

/* ---- life ---- */

static void
gate_take_limits (FarGate *gate, const FarGateLimits *limits)
{
  g_strfreev (gate->trusted);
  gate->limits = *limits;
  gate->limits.trusted = NULL;
  gate->trusted = g_strdupv ((char **) limits->trusted);
}

FarGate *
far_gate_new (const char *name, const FarGateLimits *limits)
{
  FarGate *gate = g_new0 (FarGate, 1);
  gate->refs = 1;
  gate->name = g_strdup (name);
  gate->salt = far_random_u32 (G_MAXUINT32);
  gate->slots = far_slots_new ();
  gate->known = far_known_new ();
  g_mutex_init (&gate->lock);
  gate_take_limits (gate, limits);
  return gate;
}

FarGate *
far_gate_ref (FarGate *gate)
{
  g_atomic_int_inc (&gate->refs);
  return gate;
}

void
far_gate_free (FarGate *gate)
{
  if (gate == NULL || !g_atomic_int_dec_and_test (&gate->refs))
    return;
  far_slots_free (gate->slots);
  far_known_free (gate->known);
  g_strfreev (gate->trusted);
  g_mutex_clear (&gate->lock);
  g_free (gate->name);
  g_free (gate);
}

void
far_gate_set_limits (FarGate *gate, const FarGateLimits *limits)
{
  g_mutex_lock (&gate->lock);
  gate_take_limits (gate, limits);
  g_mutex_unlock (&gate->lock);
}

/* ---- who comes ---- */

typedef struct {
  FarNetKey key;
  gboolean root; /* never refused, never evicted */
  gboolean trusted, known;
} Newcomer;

static gboolean
is_trusted (FarGate *gate, const struct sockaddr *address)
{
  if (gate->trusted == NULL || gate->trusted[0] == NULL)
    return FALSE;
  g_autofree char *text = far_address_text (address);
  for (guint i = 0; gate->trusted[i] != NULL; i++)
    if (far_address_in (text, gate->trusted[i], NULL))
      return TRUE;
  return FALSE;
}

static Newcomer
newcomer_at (FarGate *gate, const struct sockaddr *address)
{
  Newcomer new = { .key = far_net_key (address, gate->salt), .trusted = is_trusted (gate, address) };
  new.known = new.trusted || far_known_has (gate->known, &new.key, far_clock_boottime_us ());
  return new;
}

gboolean
far_gate_knows (FarGate *gate, const struct sockaddr *address)
{
  g_mutex_lock (&gate->lock);
  gboolean known = address != NULL && newcomer_at (gate, address).known;
  g_mutex_unlock (&gate->lock);
  return known;
}

/* ---- limits ---- */

typedef enum { LIMIT_SHARE, LIMIT_SITE, LIMIT_STRANGERS, LIMIT_UNVERIFIED, LIMIT_TOTAL, N_LIMITS } Limit;

static const struct {
  const char *cause, *count;
} limit_texts[N_LIMITS] = {
  [LIMIT_SHARE] = { N_ ("too many connections from this address that have not logged in"),
                    "connections over an address's share" },
  [LIMIT_SITE] = { N_ ("too many connections from this /56 that have not logged in"),
                   "connections over an address's share" },
  [LIMIT_STRANGERS] = { N_ ("too many connections from unknown addresses that have not logged in"),
                        "connections over the limit before login" },
  [LIMIT_UNVERIFIED] = { N_ ("too many connections that have not logged in"),
                         "connections over the limit before login" },
  [LIMIT_TOTAL] = { N_ ("too many connections"), "connections over the limit" },
};

/* 0: no limit. A quarter of the slots before login is for known ones. */
static guint
limit_value (const FarGateLimits *limits, Limit limit)
{
  switch (limit) {
  case LIMIT_SHARE:
    return limits->per_address;
  case LIMIT_SITE:
    return limits->per_address * SITE_SHARES;
  case LIMIT_STRANGERS:
    return limits->unverified_total - limits->unverified_total / 4;
  case LIMIT_UNVERIFIED:
    return limits->unverified_total;
  default:
    return limits->total;
  }
}

static const char *
limit_option (const FarGateLimits *limits, Limit limit)
{
  const char *share = limits->per_address_option != NULL ? limits->per_address_option : "max-per-address";
  switch (limit) {
  case LIMIT_SHARE:
  case LIMIT_SITE:
    return share;
  case LIMIT_STRANGERS:
  case LIMIT_UNVERIFIED:
    return limits->unverified_option != NULL ? limits->unverified_option : "";
  default:
    return limits->total_option != NULL ? limits->total_option : "max-connections";
  }
}

static gboolean
limit_concerns (const Newcomer *new, Limit limit)
{
  switch (limit) {
  case LIMIT_SHARE:
    return new->key.kind != FAR_NET_NOBODY && !new->trusted && !new->root;
  case LIMIT_SITE:
    return new->key.kind == FAR_NET_V6 && !new->known;
  case LIMIT_STRANGERS:
    return !new->known && !new->root;
  default:
    return TRUE;
  }
}

static guint
limit_count (FarGate *gate, const Newcomer *new, Limit limit)
{
  switch (limit) {
  case LIMIT_SHARE:
    return far_slots_net_waiting (gate->slots, &new->key);
  case LIMIT_SITE:
    return far_slots_site_waiting (gate->slots, &new->key);
  case LIMIT_STRANGERS:
    return far_slots_waiting (gate->slots, FALSE);
  case LIMIT_UNVERIFIED:
    return far_slots_waiting (gate->slots, FALSE) + far_slots_waiting (gate->slots, TRUE);
  default:
    return gate->total;
  }
}

static gboolean
limit_reached (FarGate *gate, const Newcomer *new, Limit limit)
{
  guint value = limit_value (&gate->limits, limit);
  return value != 0 && limit_concerns (new, limit) && limit_count (gate, new, limit) >= value;
}

static FarPass *
limit_candidate (FarGate *gate, const Newcomer *new, Limit limit)
{
  if (limit == LIMIT_SHARE)
    return far_slots_silent_of_net (gate->slots, &new->key);
  if (limit == LIMIT_SITE)
    return far_slots_silent_of_site (gate->slots, &new->key);
  FarPass *victim = far_slots_victim (gate->slots, FALSE);
  return victim != NULL || limit == LIMIT_STRANGERS ? victim : far_slots_victim (gate->slots, TRUE);
}

/* Its first bytes may wait in the kernel for their turn. */
static gboolean
has_spoken (const FarPass *pass)
{
  int bytes = 0;
  return pass->heard || (pass->fd >= 0 && ioctl (pass->fd, FIONREAD, &bytes) == 0 && bytes > 0);
}

/* Who turns out to have spoken is so counted from then on: each is found out once. */
static FarPass *
limit_victim (FarGate *gate, const Newcomer *new, Limit limit)
{
  FarPass *victim;
  while ((victim = limit_candidate (gate, new, limit)) != NULL && !victim->heard && has_spoken (victim))
    far_slots_heard (gate->slots, victim);
  return victim;
}

static void
evict (FarPass *pass)
{
  FarGate *gate = pass->gate;
  far_slots_leave (gate->slots, pass);
  pass->state = FAR_PASS_EVICTED;
  gate->total--;
  gate->evicted++;
  far_count ("evicted connections", 1);
  far_deferred_ask (pass->later);
}

/* One goes for one that comes: when a limit was lowered, those who are in stay. N_LIMITS: there is room. */
static Limit
make_room (FarGate *gate, const Newcomer *new)
{
  for (Limit limit = 0; limit < N_LIMITS; limit++) {
    if (!limit_reached (gate, new, limit))
      continue;
    FarPass *victim = limit_victim (gate, new, limit);
    if (victim == NULL && !new->root)
      return limit;
    if (victim != NULL)
      evict (victim);
  }
  return N_LIMITS;
}

static GError *
refusal (FarGate *gate, Limit limit)
{
  const char *option = limit_option (&gate->limits, limit);
  guint value = limit_value (&gate->limits, limit);
  g_autofree char *bound = *option != '\0'
                               ? g_strdup_printf (_ ("the limit is %u, by option %s"), value, option)
                               : g_strdup_printf (_ ("the limit is %u"), value);
  gate->refused++;
  far_count (limit_texts[limit].count, 1);
  return g_error_new (FAR_ERROR, FAR_ERROR_LIMIT, "%s%s%s (%s)", gate->name != NULL ? gate->name : "",
                      gate->name != NULL ? ": " : "", _ (limit_texts[limit].cause), bound);
}

/* ---- passes ---- */

static FarPass *
pass_new (FarGate *gate, int fd, const Newcomer *new)
{
  FarPass *pass = g_new0 (FarPass, 1);
  pass->gate = far_gate_ref (gate);
  pass->fd = fd;
  pass->key = new->key;
  pass->never_evicted = new->root;
  pass->entered_us = far_clock_boottime_us ();
  pass->number = gate->numbers++;
  gate->total++;
  far_slots_enter (gate->slots, pass, new->known);
  return pass;
}

/* Under the lock, and unlocks. */
static FarPass *
enter (FarGate *gate, int fd, const Newcomer *new, GError **error)
{
  Limit limit = make_room (gate, new);
  GError *fault = limit < N_LIMITS ? refusal (gate, limit) : NULL;
  FarPass *pass = fault == NULL ? pass_new (gate, fd, new) : NULL;
  g_mutex_unlock (&gate->lock);
  if (fault != NULL)
    g_propagate_error (error, fault);
  return pass;
}

FarPass *
far_gate_enter (FarGate *gate, int fd, const struct sockaddr *address, GError **error)
{
  g_mutex_lock (&gate->lock);
  Newcomer new = newcomer_at (gate, address);
  return enter (gate, fd, &new, error);
}

FarPass *
far_gate_enter_uid (FarGate *gate, int fd, guint uid, GError **error)
{
  Newcomer new = { .key = { uid, FAR_NET_UID, gate->salt }, .root = uid == 0 };
  g_mutex_lock (&gate->lock);
  new.known = new.root || far_known_has (gate->known, &new.key, far_clock_boottime_us ());
  return enter (gate, fd, &new, error);
}

/* [loop] */
static void
run_evicted (gpointer data)
{
  FarPass *pass = data;
  FarLoopFunc evicted = NULL;
  g_mutex_lock (&pass->gate->lock);
  if (pass->state == FAR_PASS_EVICTED) {
    pass->state = FAR_PASS_TOLD;
    evicted = pass->evicted;
  }
  g_mutex_unlock (&pass->gate->lock);
  if (evicted != NULL)
    evicted (pass->data);
}

void
far_gate_evictable (FarPass *pass, FarLoop *loop, FarLoopFunc evicted, gpointer data)
{
  FarGate *gate = pass->gate;
  g_mutex_lock (&gate->lock);
  FarDeferred *old = g_steal_pointer (&pass->later);
  pass->evicted = evicted;
  pass->data = data;
  if (loop != NULL && !pass->never_evicted)
    pass->later = far_deferred_new (loop, run_evicted, pass);
  if (pass->state == FAR_PASS_WAITING && pass->later != NULL)
    far_slots_offer (gate->slots, pass);
  else if (pass->state == FAR_PASS_WAITING)
    far_slots_withdraw (gate->slots, pass);
  else if (pass->state == FAR_PASS_EVICTED && pass->later != NULL)
    far_deferred_ask (pass->later); /* decided before it moved here */
  g_mutex_unlock (&gate->lock);
  far_deferred_free (old);
}

void
far_gate_heard (FarPass *pass)
{
  FarGate *gate = pass->gate;
  g_mutex_lock (&gate->lock);
  if (pass->state == FAR_PASS_WAITING)
    far_slots_heard (gate->slots, pass);
  g_mutex_unlock (&gate->lock);
}

void
far_gate_verified (FarPass *pass)
{
  FarGate *gate = pass->gate;
  FarDeferred *old = NULL;
  g_mutex_lock (&gate->lock);
  if (pass->state == FAR_PASS_WAITING || pass->state == FAR_PASS_EVICTED) {
    if (pass->state == FAR_PASS_WAITING)
      far_slots_leave (gate->slots, pass);
    else
      gate->total++; /* it stays after all */
    pass->state = FAR_PASS_VERIFIED;
    far_known_add (gate->known, &pass->key, far_clock_boottime_us ());
    old = g_steal_pointer (&pass->later);
  }
  g_mutex_unlock (&gate->lock);
  far_deferred_free (old);
}

void
far_gate_leave (FarPass *pass)
{
  if (pass == NULL)
    return;
  FarGate *gate = pass->gate;
  g_mutex_lock (&gate->lock);
  if (pass->state == FAR_PASS_VERIFIED)
    /* A link of weeks is known when it comes back after a cut. */
    far_known_add (gate->known, &pass->key, far_clock_boottime_us ());
  if (pass->state == FAR_PASS_WAITING)
    far_slots_leave (gate->slots, pass);
  if (pass->state == FAR_PASS_WAITING || pass->state == FAR_PASS_VERIFIED)
    gate->total--;
  g_mutex_unlock (&gate->lock);
  far_deferred_free (pass->later);
  g_free (pass);
  far_gate_free (gate);
}

static guint64
bytes_received (int fd)
{
  struct tcp_info info = { 0 };
  socklen_t size = sizeof info;
  return getsockopt (fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
}

G_STATIC_ASSERT (FAR_GATE_BYTES == 48 * 1024 && FAR_GATE_SECONDS == 10); /* as the causes say */

gboolean
far_gate_over (FarPass *pass, const char **cause)
{
  g_mutex_lock (&pass->gate->lock);
  gboolean verified = pass->state == FAR_PASS_VERIFIED;
  g_mutex_unlock (&pass->gate->lock);
  if (verified)
    return FALSE;
  if (pass->fd >= 0 &&
      bytes_received (pass->fd) > FAR_GATE_BYTES) /* first: some owners have a clock of their own */
    *cause = "too many bytes before login (the limit is 48 KiB)";
  else if (far_clock_boottime_us () - pass->entered_us >= FAR_GATE_SECONDS * (gint64) G_USEC_PER_SEC)
    *cause = "too slow (the limit is 10 s until the login)";
  else
    return FALSE;
  return TRUE;
}

FarGateCounts
far_gate_counts (FarGate *gate)
{
  FarGateCounts counts = { 0 };
  g_mutex_lock (&gate->lock);
  counts.now = gate->total;
  counts.known = far_slots_waiting (gate->slots, TRUE);
  counts.unverified = counts.known + far_slots_waiting (gate->slots, FALSE);
  counts.refused = gate->refused;
  counts.evicted = gate->evicted;
  g_mutex_unlock (&gate->lock);
  return counts;
}
