/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Output of a check: what is taken from it may be shown and stored as it is.
 * parses: plugins/sensor-exec/perfdata.c */
#include "config.h"

#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "perfdata.h"

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  g_autoptr (Perfdata) perfdata = perfdata_parse ((const char *) data, size);

  g_assert_true (g_utf8_validate (perfdata->text, -1, NULL));
  g_assert_cmpuint (strlen (perfdata->text), <, 4096);
  g_assert_cmpuint (perfdata->values->len, <=, PERFDATA_MAX);
  for (guint i = 0; i < perfdata->values->len; i++) {
    const PerfValue *value = &g_array_index (perfdata->values, PerfValue, i);

    g_assert_true (isfinite (value->value));
    g_assert_cmpuint (strlen (value->channel), <=, PERFDATA_LABEL);
    g_assert_cmpuint (strlen (value->channel), >, 0);
    for (const char *p = value->channel; *p != '\0'; p++)
      g_assert_true (g_ascii_isalnum (*p) || strchr ("._-/:%@", *p) != NULL);
  }
  return perfdata->values->len > 0 && perfdata->bad == 0;
}
