/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the small questions that several handlers of the service ask about a call: whether a name
 * is a good one, which terminal calls, whether a principal manages an object. */
#include "config.h"

#include "access.h"

#include <string.h>

gboolean
access_name_fits (const char *name)
{
  gsize length = name ? strlen (name) : 0;
  return length >= 1 && length <= 64 && g_ascii_isalnum (name[0]) &&
         strspn (name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-") == length;
}

const FarRegistryNode *
access_calling_terminal (Access *self, FarCall *call)
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
access_manages (const FarPrincipal *principal, const char *object)
{
  return far_authorize (principal, FAR_ACTION_MANAGE, object, NULL, NULL) == FAR_DECISION_ALLOW;
}
