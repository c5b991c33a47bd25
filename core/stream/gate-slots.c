/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who waits before login, by where it comes from, and who goes first.
 *
 * Passes hang at their net (/32, /64, uid), nets at their site (IPv6: /56; else the site is the net itself).
 * Sites stand on a ladder, one rung for each number of evictable passes, one ladder for strangers and one for
 * known addresses: the top rung names the victim's site without a walk. A step of entering costs a site one
 * rung; only the nets of one /56 (256 at most), and the passes of one net that spoke late, are ever walked.
 */
#include "config.h"

#include "stream/gate-private.h"

#define SITE_KNOWN 0x100u /* in the kind of a site's key: strangers and known ones of a /56 are two sites */

/* Sites with equally many: those with a silent pass apart, as these go first. In each the one that came to
 * this number first leads. */
typedef struct {
  GQueue sites[2]; /* FALSE: nobody silent, TRUE: somebody */
} Rung;

typedef struct {
  GArray *rungs; /* Rung, by the number of evictable passes */
  guint top;     /* no site stands above it */
} Ladder;

struct _FarSite {
  FarNetKey key;
  gboolean known;
  GQueue nets;
  guint waiting, evictable, silent;
  GList link; /* on its rung; not on the ladder when nobody is evictable */
};

struct _FarPlaces {
  GHashTable *nets, *sites; /* FarNetKey → FarNet, FarSite; their own keys */
  Ladder ladders[2];
  guint waiting[2];
};

/* ---- ladders ---- */

static void
ladder_init (Ladder *ladder)
{
  ladder->rungs = g_array_new (FALSE, TRUE, sizeof (Rung));
  g_array_set_size (ladder->rungs, 1);
}

static GQueue *
standing (const Ladder *ladder, const FarSite *site)
{
  return &g_array_index (ladder->rungs, Rung, site->evictable).sites[site->silent > 0];
}

static gboolean
rung_is_empty (const Ladder *ladder, guint n)
{
  const Rung *rung = &g_array_index (ladder->rungs, Rung, n);
  return rung->sites[FALSE].length + rung->sites[TRUE].length == 0;
}

static void
step_off (Ladder *ladder, FarSite *site)
{
  if (site->evictable == 0)
    return;
  g_queue_unlink (standing (ladder, site), &site->link);
}

static void
step_on (Ladder *ladder, FarSite *site)
{
  if (site->evictable == 0)
    return;
  if (site->evictable >= ladder->rungs->len)
    g_array_set_size (ladder->rungs, site->evictable + 1);
  g_queue_push_tail_link (standing (ladder, site), &site->link);
  ladder->top = MAX (ladder->top, site->evictable);
}

static void
site_change (FarSlots *slots, FarSite *site, int evictable, int silent)
{
  Ladder *ladder = &slots->ladders[site->known];
  if (evictable == 0 && (site->silent > 0) == (site->silent + (guint) silent > 0)) { /* it keeps its rung */
    site->silent += (guint) silent;
    return;
  }
  step_off (ladder, site);
  site->evictable += (guint) evictable;
  site->silent += (guint) silent;
  step_on (ladder, site);
  while (ladder->top > 0 && rung_is_empty (ladder, ladder->top))
    ladder->top--; /* as many steps as the site has gone down */
}

/* ---- nets and sites ---- */

static FarNetKey
site_key (const FarNetKey *key, gboolean known)
{
  guint64 net = key->kind == FAR_NET_V6 ? key->net & ~G_GUINT64_CONSTANT (0xff) : key->net;
  return (FarNetKey){ net, key->kind | (known ? SITE_KNOWN : 0), key->salt };
}

static FarSite *
site_get (FarSlots *slots, const FarNetKey *net, gboolean known)
{
  FarNetKey key = site_key (net, known);
  FarSite *site = g_hash_table_lookup (slots->sites, &key);
  if (site != NULL)
    return site;
  site = g_new0 (FarSite, 1);
  site->key = key;
  site->known = known;
  site->link.data = site;
  g_hash_table_insert (slots->sites, &site->key, site);
  return site;
}

static void
net_move_in (FarSlots *slots, FarNet *net, gboolean known)
{
  net->site = site_get (slots, &net->key, known);
  g_queue_push_tail_link (&net->site->nets, &net->link);
  net->site->waiting += net->waiting;
  slots->waiting[known] += net->waiting;
  site_change (slots, net->site, (int) (net->silent.length + net->heard.length), (int) net->silent.length);
}

static void
net_move_out (FarSlots *slots, FarNet *net)
{
  FarSite *site = net->site;
  site_change (slots, site, -(int) (net->silent.length + net->heard.length), -(int) net->silent.length);
  site->waiting -= net->waiting;
  slots->waiting[site->known] -= net->waiting;
  g_queue_unlink (&site->nets, &net->link);
  if (site->nets.length == 0)
    g_hash_table_remove (slots->sites, &site->key);
}

static FarNet *
net_get (FarSlots *slots, const FarNetKey *key, gboolean known)
{
  FarNet *net = g_hash_table_lookup (slots->nets, key);
  if (net != NULL && net->site->known == known)
    return net;
  if (net != NULL)
    net_move_out (slots, net);
  else {
    net = g_new0 (FarNet, 1);
    net->key = *key;
    net->link.data = net;
    g_hash_table_insert (slots->nets, &net->key, net);
  }
  net_move_in (slots, net, known);
  return net;
}

FarSlots *
far_slots_new (void)
{
  FarSlots *slots = g_new0 (FarSlots, 1);
  slots->nets = g_hash_table_new_full (far_net_key_hash, far_net_key_equal, NULL, g_free);
  slots->sites = g_hash_table_new_full (far_net_key_hash, far_net_key_equal, NULL, g_free);
  for (guint i = 0; i < 2; i++)
    ladder_init (&slots->ladders[i]);
  return slots;
}

void
far_slots_free (FarSlots *slots)
{
  for (guint i = 0; i < 2; i++)
    g_array_free (slots->ladders[i].rungs, TRUE);
  g_hash_table_unref (slots->nets);
  g_hash_table_unref (slots->sites);
  g_free (slots);
}

/* ---- counts ---- */

guint
far_slots_waiting (const FarSlots *slots, gboolean known)
{
  return slots->waiting[known];
}

guint
far_slots_net_waiting (const FarSlots *slots, const FarNetKey *key)
{
  const FarNet *net = g_hash_table_lookup (slots->nets, key);
  return net != NULL ? net->waiting : 0;
}

static const FarSite *
strangers_of (const FarSlots *slots, const FarNetKey *net)
{
  FarNetKey key = site_key (net, FALSE);
  return g_hash_table_lookup (slots->sites, &key);
}

guint
far_slots_site_waiting (const FarSlots *slots, const FarNetKey *key)
{
  const FarSite *site = strangers_of (slots, key);
  return site != NULL ? site->waiting : 0;
}

/* ---- passes ---- */

void
far_slots_enter (FarSlots *slots, FarPass *pass, gboolean known)
{
  pass->net = net_get (slots, &pass->key, known);
  pass->net->waiting++;
  pass->net->site->waiting++;
  slots->waiting[known]++;
}

void
far_slots_leave (FarSlots *slots, FarPass *pass)
{
  FarNet *net = pass->net;
  far_slots_withdraw (slots, pass);
  net->waiting--;
  net->site->waiting--;
  slots->waiting[net->site->known]--;
  pass->net = NULL;
  if (net->waiting > 0)
    return;
  net_move_out (slots, net);
  g_hash_table_remove (slots->nets, &net->key);
}

static GQueue *
queue_of (const FarPass *pass)
{
  return pass->heard ? &pass->net->heard : &pass->net->silent;
}

/* By age: nearly always the youngest comes, at the end. */
static void
queue_up (FarPass *pass)
{
  GQueue *queue = queue_of (pass);
  GList *before = queue->tail;
  while (before != NULL && ((FarPass *) before->data)->number > pass->number)
    before = before->prev;
  pass->link.data = pass;
  g_queue_insert_after_link (queue, before, &pass->link);
}

void
far_slots_offer (FarSlots *slots, FarPass *pass)
{
  if (pass->evictable)
    return;
  pass->evictable = TRUE;
  queue_up (pass);
  site_change (slots, pass->net->site, 1, !pass->heard);
}

void
far_slots_withdraw (FarSlots *slots, FarPass *pass)
{
  if (!pass->evictable)
    return;
  pass->evictable = FALSE;
  g_queue_unlink (queue_of (pass), &pass->link);
  site_change (slots, pass->net->site, -1, pass->heard ? 0 : -1);
}

void
far_slots_heard (FarSlots *slots, FarPass *pass)
{
  gboolean evictable = pass->evictable;
  if (pass->heard)
    return;
  if (evictable)
    g_queue_unlink (queue_of (pass), &pass->link);
  pass->heard = TRUE;
  if (!evictable)
    return;
  queue_up (pass);
  site_change (slots, pass->net->site, 0, -1);
}

/* ---- who goes ---- */

/* Of equals one with a silent pass. */
static const FarNet *
fullest_net (const FarSite *site, gboolean silent)
{
  const FarNet *best = NULL;
  guint most = 0;
  for (const GList *link = site->nets.head; link != NULL; link = link->next) {
    const FarNet *net = link->data;
    guint n = 2 * (net->silent.length + net->heard.length) + (net->silent.length > 0);
    if (silent && net->silent.length == 0)
      continue;
    if (n > most) {
      most = n;
      best = net;
    }
  }
  return best;
}

FarPass *
far_slots_victim (const FarSlots *slots, gboolean known)
{
  const Ladder *ladder = &slots->ladders[known];
  const Rung *rung = &g_array_index (ladder->rungs, Rung, ladder->top);
  if (ladder->top == 0)
    return NULL;
  const FarSite *site = g_queue_peek_head ((GQueue *) &rung->sites[rung->sites[TRUE].length > 0]);
  const FarNet *net = fullest_net (site, FALSE);
  return g_queue_peek_head ((GQueue *) (net->silent.length > 0 ? &net->silent : &net->heard));
}

FarPass *
far_slots_silent_of_net (const FarSlots *slots, const FarNetKey *key)
{
  FarNet *net = g_hash_table_lookup (slots->nets, key);
  return net != NULL ? g_queue_peek_head (&net->silent) : NULL;
}

FarPass *
far_slots_silent_of_site (const FarSlots *slots, const FarNetKey *key)
{
  const FarSite *site = strangers_of (slots, key);
  const FarNet *net = site != NULL ? fullest_net (site, TRUE) : NULL;
  return net != NULL ? g_queue_peek_head ((GQueue *) &net->silent) : NULL;
}
