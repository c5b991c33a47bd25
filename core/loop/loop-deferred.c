/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds one thing that is to be done at the end of a loop's turn, once however often it was
 * asked for. Streams use it to call their users outside of their own calls. */
#include "config.h"

#include <farwatch/loop.h>

#include "base/node-part.h"

struct _FarDeferred {
  gint refs;
  gint waits; /* atomic */
  FarLoop *loop;
  FarLoopFunc func; /* NULL: cancelled; [loop] */
  gpointer data;
  FarNode *node; /* of who made it, whoever asks */
};

FarDeferred *
far_deferred_new (FarLoop *loop, FarLoopFunc func, gpointer data)
{
  FarDeferred *later = g_new0 (FarDeferred, 1);
  later->refs = 1;
  later->loop = loop;
  later->func = func;
  later->data = data;
  later->node = far_node_entered ();
  return later;
}

static void
later_unref (FarDeferred *later)
{
  if (g_atomic_int_dec_and_test (&later->refs))
    g_free (later);
}

static void
run_later (gpointer data)
{
  FarDeferred *later = data;
  FarNode *before = far_node_enter (later->node);
  g_atomic_int_set (&later->waits, 0);
  if (later->func != NULL)
    later->func (later->data);
  far_node_enter (before);
  later_unref (later);
}

void
far_deferred_ask (FarDeferred *later)
{
  if (!g_atomic_int_compare_and_exchange (&later->waits, 0, 1))
    return;
  g_atomic_int_inc (&later->refs);
  far_loop_post (later->loop, run_later, later);
}

void
far_deferred_free (FarDeferred *later)
{
  if (later == NULL)
    return;
  later->func = NULL;
  later_unref (later);
}
