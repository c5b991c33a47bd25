/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is what all others stand on: the options, and small questions about calls and rows. */
#include "config.h"

#include "fleet.h"

#include <string.h>

const FleetOpts *
fleet_opts (Fleet *self)
{
  return far_instance_options (self->at);
}

const FarRegistryNode *
fleet_calling_terminal (FarCall *call)
{
  const FarRegistryNode *terminal = call->principal->kind == FAR_PRINCIPAL_NODE
                                        ? far_registry_node (call->principal->name)
                                        : NULL;
  if (!terminal)
    far_call_fail_new (call, FAR_ERROR_DENIED,
                       _ ("this node is not registered here: enrol it again with a new join token"));
  return terminal;
}

gboolean
fleet_manages (const FarPrincipal *principal, const char *object)
{
  return far_authorize (principal, FAR_ACTION_MANAGE, object, NULL, NULL) == FAR_DECISION_ALLOW;
}

char *
fleet_object (const char *terminal, const char *device)
{
  return device ? g_strdup_printf ("terminals/%s/devices/%s", terminal, device)
                : g_strdup_printf ("terminals/%s", terminal);
}
