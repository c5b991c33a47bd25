/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the words of the plugin kinds, one and many: a profile's section, a path and a message use
 * the same table. */
#include "config.h"

#include <farwatch/instance.h>

static const struct {
  const char *name, *plural;
} far_kinds[FAR_N_KINDS] = {
  [FAR_KIND_TRANSPORT] = { "transport", "transports" },
  [FAR_KIND_ENDPOINT] = { "endpoint", "endpoints" },
  [FAR_KIND_STORE] = { "store", "stores" },
  [FAR_KIND_SENSOR] = { "sensor", "sensors" },
  [FAR_KIND_FILTER] = { "filter", "filters" },
  [FAR_KIND_DECODER] = { "decoder", "decoders" },
  [FAR_KIND_AUTHENTICATOR] = { "authenticator", "authenticators" },
  [FAR_KIND_NOTIFIER] = { "notifier", "notifiers" },
  [FAR_KIND_SERVICE] = { "service", "services" },
};

const char *
far_kind_name (FarKind kind)
{
  return kind > 0 && kind < FAR_N_KINDS ? far_kinds[kind].name : "unknown";
}

const char *
far_kind_plural (FarKind kind)
{
  return kind > 0 && kind < FAR_N_KINDS ? far_kinds[kind].plural : "unknown";
}

FarKind
far_kind_parse (const char *name)
{
  for (guint kind = 1; name != NULL && kind < FAR_N_KINDS; kind++)
    if (g_str_equal (name, far_kinds[kind].name) || g_str_equal (name, far_kinds[kind].plural))
      return (FarKind) kind;
  return 0;
}
