/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What core ends with an instance: a list in its head. */
#include "config.h"

#include "loop/owned.h"

#include "loop/instance-head.h"

void
far_owned_by (FarOwned *owned, FarInstance *at, void (*end) (gpointer thing), gpointer thing)
{
  *owned = (FarOwned){ .at = at, .link = { .data = owned }, .end = end, .thing = thing };
  if (at != NULL)
    g_queue_push_tail_link (&far_instance_head (at)->owned, &owned->link);
}

void
far_owned_leave (FarOwned *owned)
{
  if (owned->at != NULL)
    g_queue_unlink (&far_instance_head (owned->at)->owned, &owned->link);
  owned->at = NULL;
}

void
far_owned_end (FarInstance *at)
{
  GList *link;

  while ((link = g_queue_peek_head_link (&far_instance_head (at)->owned)) != NULL) {
    FarOwned *owned = link->data;

    far_owned_leave (owned);
    owned->end (owned->thing);
  }
}
