/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who reached which terminal, when, and how it ended (spec B13): who may see which row. */
#include "config.h"

#include "access.h"

static gboolean
history_sees (const json_t *row, const FarPrincipal *principal)
{
  const char *terminal = access_text (row, "terminal"), *kind = access_text (row, "kind");
  g_autofree char *object = access_object (terminal ? terminal : "", access_text (row, "device")),
                  *person = far_principal_text (principal);
  /* Who was turned away at the ports concerns whose session it was, and whoever looks after the terminal. */
  if (g_strcmp0 (kind, "turned-away") == 0)
    return g_strcmp0 (access_text (row, "owner"), person) == 0 || access_manages (principal, object);
  /* A refusal's true cause may tell what the person must not know. */
  if (g_strcmp0 (kind, "refused") == 0)
    return access_manages (principal, object);
  return g_strcmp0 (access_text (row, "person"), person) == 0 || far_authorize_see (principal, object);
}

void
access_history_get (gpointer self, FarCall *call)
{
  static const char *const names[] = { "terminal", "device", "person", "session", "kind", NULL };
  far_book_history (((Access *) self)->book, call, names, history_sees);
}
