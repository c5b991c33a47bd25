/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file makes a request of a verb: a transport like SIP names what it wants by one word and the names
 * that belong to it, and the router knows methods and paths alone. */
#include "config.h"

#include "message/router.h"

#include <farwatch/i18n.h>
#include <farwatch/thread.h>

/* The next part of the path; NULL: *why it is none. */
static const char *
verb_part (const char *part, const char *const **names, const char **why)
{
  if (part[0] == '{') {
    part = *names != NULL ? **names : NULL;
    if (part != NULL)
      (*names)++;
  }
  *why = part == NULL                ? _ ("it needs more names")
         : !far_field_name_ok (part) ? _ ("a name must be 1 to 64 of A-Z a-z 0-9 . _ -")
                                     : NULL;
  return *why == NULL ? part : NULL;
}

/* The pattern's parts with names in place of {…}, borrowed. */
static GPtrArray *
verb_path (const FarRoute *route, const char *const *names, GError **error)
{
  g_autoptr (GPtrArray) path = g_ptr_array_new ();
  const char *why = NULL;

  for (guint i = 0; route->pattern[i] != NULL && why == NULL; i++)
    g_ptr_array_add (path, (gpointer) verb_part (route->pattern[i], &names, &why));
  if (why == NULL && names != NULL && *names != NULL)
    why = _ ("it takes fewer names");
  if (why != NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, "%s: %s", route->handler->verb, why);
    return NULL;
  }
  g_ptr_array_add (path, NULL);
  return g_steal_pointer (&path);
}

FarMessage *
far_message_from_verb (const char *verb, const char *const *names, json_t *body, GError **error)
{
  FAR_ON_MAIN ();
  const FarRoute *route = far_route_find_verb (verb);
  g_autoptr (GPtrArray) path = route != NULL ? verb_path (route, names, error) : NULL;
  g_autofree char *resource = path != NULL ? g_strjoinv ("/", (char **) path->pdata) : NULL;

  if (route == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("nobody here has the verb '%.32s'"), verb);
  if (resource != NULL)
    return far_message_request (route->handler->method, resource, body);
  json_decref (body);
  return NULL;
}
