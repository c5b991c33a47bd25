/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is what all others of the service stand on: the options, and the small questions that several
 * handlers ask: whether a name is a good one, which terminal calls, whether a principal manages an object. */
#include "config.h"

#include "access.h"

#include <string.h>

const AccessOpts *
access_opts (Access *self)
{
  return far_instance_options (self->at);
}

const char *
access_text (const json_t *json, const char *key)
{
  return json_string_value (json_object_get (json, key));
}

char *
access_object (const char *terminal, const char *device)
{
  return device ? g_strdup_printf ("terminals/%s/devices/%s", terminal, device)
                : g_strdup_printf ("terminals/%s", terminal);
}

gboolean
access_is_stock (const FarRegistryNode *terminal)
{
  return g_strcmp0 (access_text (terminal->row, "stock"), "host-login") == 0;
}

/* One that is missing while the registry is not known is not told that it is not registered: it would have to
 * be enrolled again. */
const FarRegistryNode *
access_calling_terminal (FarCall *call)
{
  GError *error = NULL;
  const FarRegistryNode *terminal = call->principal->kind == FAR_PRINCIPAL_NODE
                                        ? far_registry_node (call->principal->name)
                                        : NULL;
  if (terminal)
    return terminal;
  if (far_registry_is_known (&error))
    error =
        g_error_new_literal (FAR_ERROR, FAR_ERROR_DENIED,
                             _ ("this node is not registered here: enrol it again with a new join token"));
  far_call_fail (call, error);
  return NULL;
}

gboolean
access_manages (const FarPrincipal *principal, const char *object)
{
  return far_authorize (principal, FAR_ACTION_MANAGE, object, NULL, NULL) == FAR_DECISION_ALLOW;
}

/* ---- sessions ---- */

AccessSession *
access_session (Access *self, const char *id)
{
  return (AccessSession *) far_book_session (self->book, id);
}

/* A request may wait for two polls and a little. */
gint64
access_session_wait_us (Access *self)
{
  return 2 * access_opts (self)->poll + 30 * G_USEC_PER_SEC;
}

AccessSession *
access_called_session (Access *self, FarCall *call)
{
  AccessSession *session = access_session (self, call->parts[0]);
  if (session && far_session_visible (&session->base, call->principal))
    return session;
  far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no session '%s' now: see the history"), call->parts[0]);
  return NULL;
}
