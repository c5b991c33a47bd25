/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A message goes to one handler. Two that answer the same request, or the same verb, would both stand in the
 * profile, and one of them would never hear of it. */
#include "config.h"

#include "profile/profile-private.h"

#include "message/router.h"

/* What the node answers itself, told once as a program begins; touched on main only. */
static const FarHandler *const *own_tables;

void
far_profile_set_own_requests (const FarHandler *const *tables)
{
  own_tables = tables;
}

static const FarHandler *
handlers_of (const FarConfigured *configured)
{
  if (configured->kind != FAR_KIND_SERVICE || configured->type == NULL)
    return NULL;
  return ((const FarServiceType *) configured->type)->handlers;
}

static void
fault_shared (const FarConfigured *configured, const FarHandler *first, guint n, const char *other,
              GPtrArray *faults)
{
  if (n == 1)
    far_fault_add (faults, FAR_FAULT_ERROR, configured->key,
                   _ ("%s answers %s %s, as %s does, and a request goes to one only: take one of the two "
                      "out, or run it as a daemon with its own profile"),
                   configured->path, first->method, first->pattern, other);
  else
    far_fault_add (faults, FAR_FAULT_ERROR, configured->key,
                   _ ("%s answers %s %s and %u more, as %s does, and a request goes to one only: take one of "
                      "the two out, or run it as a daemon with its own profile"),
                   configured->path, first->method, first->pattern, n - 1, other);
}

static void
fault_verb (const FarConfigured *configured, const char *verb, const char *other, GPtrArray *faults)
{
  far_fault_add (faults, FAR_FAULT_ERROR, configured->key,
                 _ ("%s answers the verb %s, as %s does, and a message goes to one only: take one of the two "
                    "out, or run it as a daemon with its own profile"),
                 configured->path, verb, other);
}

static void
check_verb_against_own (const FarConfigured *configured, const FarHandler *own, GPtrArray *faults)
{
  const FarHandler *row = far_handlers_shared_verb (own, handlers_of (configured));

  if (row != NULL)
    far_fault_add (faults, FAR_FAULT_ERROR, configured->key,
                   _ ("%s answers the verb %s, which each node answers itself: its plugin must name that "
                      "otherwise; take it out"),
                   configured->path, row->verb);
}

static void
check_against_own (const FarConfigured *configured, GPtrArray *faults)
{
  for (guint i = 0; own_tables != NULL && own_tables[i] != NULL; i++) {
    const FarHandler *first = NULL;

    if (far_handlers_shared (own_tables[i], handlers_of (configured), &first) > 0)
      far_fault_add (faults, FAR_FAULT_ERROR, configured->key,
                     _ ("%s answers %s %s, which each node answers itself: its plugin must name that "
                        "otherwise; take it out"),
                     configured->path, first->method, first->pattern);
    else
      check_verb_against_own (configured, own_tables[i], faults);
  }
}

static void
check_against (const FarConfigured *earlier, const FarConfigured *configured, GPtrArray *faults)
{
  const FarHandler *first = NULL;
  guint n = far_handlers_shared (handlers_of (earlier), handlers_of (configured), &first);
  const FarHandler *verb = far_handlers_shared_verb (handlers_of (earlier), handlers_of (configured));

  if (n > 0)
    fault_shared (configured, first, n, earlier->path, faults);
  else if (verb != NULL)
    fault_verb (configured, verb->verb, earlier->path, faults);
}

void
far_profile_check_requests (const FarProfile *profile, GPtrArray *faults)
{
  for (guint i = 0; i < profile->instances->len; i++) {
    const FarConfigured *configured = profile->instances->pdata[i];

    if (handlers_of (configured) == NULL)
      continue;
    check_against_own (configured, faults);
    for (guint before = 0; before < i; before++)
      check_against (profile->instances->pdata[before], configured, faults);
  }
}
