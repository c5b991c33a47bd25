/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file says which tunnel servers can carry a session: those that the profile draws from and that are up,
 * have the entry's ports and a carrier that the terminal has, too. */
#include "config.h"

#include "access.h"

gboolean
access_tunnel_wanted (const AccessOpts *opts, const char *name)
{
  return !opts->tunnels || !opts->tunnels[0] || g_strv_contains ((const char *const *) opts->tunnels, name);
}

/* Has the terminal this kind? Those that say nothing, and stock ends, have the common ones. */
static gboolean
tunnel_fits (AccessSession *session, const FarCarrierLook *look)
{
  const FarRegistryNode *terminal = far_registry_node (session->terminal);
  gboolean told = terminal && terminal->carriers && !access_is_stock (terminal) &&
                  g_strv_contains ((const char *const *) terminal->carriers, look->kind);
  return look->up && (look->common || told) && (look->ports || session->entry == FAR_ENTRY_STREAM);
}

/* Lower is better: a kind that only some terminals have is there to be used by them, one that this terminal
 * did not reach a while ago is the last resort. */
enum { TUNNELS_OWN, TUNNELS_COMMON, TUNNELS_UNREACHED, TUNNELS_RANKS };

static guint
tunnel_rank (AccessSession *session, const FarCarrierLook *look)
{
  if (access_unreached (session, look->kind))
    return TUNNELS_UNREACHED;
  return look->common ? TUNNELS_COMMON : TUNNELS_OWN;
}

/* Those of the best rank. */
GPtrArray *
access_tunnels (AccessSession *session)
{
  g_autoptr (GPtrArray) all = far_instance_list (FAR_KIND_TRANSPORT);
  GPtrArray *best = g_ptr_array_new_with_free_func (g_free);
  guint best_rank = TUNNELS_RANKS;
  for (guint i = 0; i < all->len; i++) {
    const char *name = far_instance_name (all->pdata[i]);
    FarCarrierLook look;
    if (!access_tunnel_wanted (access_opts (session->self), name) || !far_carrier_look (name, &look) ||
        !tunnel_fits (session, &look))
      continue;
    guint rank = tunnel_rank (session, &look);
    if (rank < best_rank)
      g_ptr_array_set_size (best, 0);
    if (rank <= best_rank)
      g_ptr_array_add (best, g_strdup (name));
    best_rank = MIN (rank, best_rank);
  }
  return best;
}

const char *
access_tunnels_key (AccessSession *session)
{
  g_autoptr (GPtrArray) names = access_tunnels (session);
  FarCarrierLook look;
  return names->len > 0 && far_carrier_look (names->pdata[0], &look) ? look.key : NULL;
}
