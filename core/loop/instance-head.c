/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The head of every instance: its references and its path. */
#include "config.h"

#include "loop/instance-head.h"

#include <farwatch/thread.h>

FarInstanceHead *
far_instance_head (FarInstance *at)
{
  return (FarInstanceHead *) at;
}

void
far_instance_head_init (FarInstanceHead *head, char *path, void (*free) (FarInstance *at))
{
  *head = (FarInstanceHead){ .refs = 1, .node = far_node_entered (), .path = path, .free = free };
}

FarInstance *
far_instance_ref (FarInstance *at)
{
  g_atomic_int_inc (&far_instance_head (at)->refs);
  return at;
}

void
far_instance_unref (FarInstance *at)
{
  if (at != NULL && g_atomic_int_dec_and_test (&far_instance_head (at)->refs))
    far_instance_head (at)->free (at);
}

const char *
far_instance_path (FarInstance *at)
{
  return far_instance_head (at)->path;
}

void
far_instance_call (FarInstance *at, void (*func) (gpointer data), gpointer data)
{
  FAR_ON_MAIN ();
  FarNode *before = far_node_enter (far_instance_head (at)->node);

  func (data);
  far_node_enter (before);
}
