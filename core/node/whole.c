/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In which order the rooms of a node begin and end. */
#include "config.h"

#include "node/whole.h"

#include "auth/right.h"
#include "life/instance-private.h"
#include "life/node.h"
#include "loop/executor.h"
#include "node/api.h"
#include "node/handlers-node.h"
#include "node/node-hooks.h"
#include "reach/device.h"
#include "reach/peer.h"
#include "reach/registry-private.h"

gboolean
far_node_whole_open (FarProfile *profile, const char *state, GError **error)
{
  if (!far_node_open (profile, error))
    return FALSE;
  far_node_hooks_start ();
  far_handlers_node_start (state);
  far_api_start ();
  far_device_profile_set (g_ptr_array_ref (profile->devices));
  return far_right_set_profile (profile->rights, error) && far_control_start (far_node_control (), error);
}

void
far_node_whole_stop (void)
{
  far_control_stop ();
  far_instances_stop ();
  far_peer_forget ();
  far_registry_forget ();
  far_handlers_node_stop ();
  far_api_stop ();
  far_executors_end ();
  far_device_profile_set (NULL);
  far_node_close ();
}
