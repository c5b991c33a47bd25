/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds the principal: who asks, as what, with which groups and from where. A principal is
 * counted and never changes, so a request may keep it across threads while its person logs out. */
#include "config.h"

#include <farwatch/right.h>

#include <string.h>

#include <farwatch/clock.h>

FarPrincipal *
far_principal_new (FarPrincipalKind kind, const char *name, const char *const *groups, const char *from)
{
  FarPrincipal *principal = g_new0 (FarPrincipal, 1);

  principal->refs = 1;
  principal->kind = kind;
  principal->since_us = far_clock_boottime_us ();
  principal->name = g_strdup (name ? name : "");
  principal->groups = g_strdupv ((char **) groups);
  principal->from = g_strdup (from ? from : "");
  return principal;
}

FarPrincipal *
far_principal_ref (const FarPrincipal *principal)
{
  FarPrincipal *counted = (FarPrincipal *) principal; /* only the count changes */

  g_atomic_int_inc (&counted->refs);
  return counted;
}

void
far_principal_unref (FarPrincipal *principal)
{
  if (principal == NULL || !g_atomic_int_dec_and_test (&principal->refs))
    return;
  g_free (principal->name);
  g_strfreev (principal->groups);
  g_free (principal->via);
  g_free (principal->from);
  g_free (principal);
}

char *
far_principal_text (const FarPrincipal *principal)
{
  static const char *const kinds[] = { NULL, "local", "person", "node" };
  const char *kind = principal->kind <= FAR_PRINCIPAL_NODE ? kinds[principal->kind] : NULL;

  if (kind == NULL)
    return g_strdup ("nobody");
  if (principal->via != NULL)
    return g_strdup_printf ("%s:%s via node:%s", kind, principal->name, principal->via);
  return g_strdup_printf ("%s:%s", kind, principal->name);
}
