/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device named by its lower port (spec B4): connect T/502 is the device of T at port 502. */
#include "config.h"

#include "access.h"

#include <farwatch/option.h>

static gboolean
is_at_port (json_t *device, guint64 port)
{
  const char *address = access_text (device, "address");
  g_autofree char *host = NULL;
  guint16 own = 0;
  return address && far_parse_address (address, &host, &own, NULL) && own == port;
}

/* A name counts before a port: somebody may have called a device 502. Whoever may not see a device does not
 * find it. */
const char *
access_device_named (Access *self, const FarPrincipal *principal, const char *terminal, const char *text,
                     const char **other)
{
  AccessTerminal *known = terminal ? access_terminal (self, terminal) : NULL;
  const char *found = NULL;
  guint64 port;
  *other = NULL;
  if (!known || !text || g_hash_table_contains (known->devices, text) ||
      !g_ascii_string_to_unsigned (text, 10, 1, G_MAXUINT16, &port, NULL))
    return text;
  GHashTableIter iter;
  gpointer name, row;
  g_hash_table_iter_init (&iter, known->devices);
  while (g_hash_table_iter_next (&iter, &name, &row)) {
    g_autofree char *object = access_terminal_object (terminal, name);
    if (!is_at_port (row, port) || !far_visible (principal, object))
      continue;
    *other = found;
    found = name;
    if (*other)
      return text;
  }
  return found ? found : text;
}
