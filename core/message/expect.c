/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Somebody looks, thinks, and changes what they have seen; meanwhile somebody else did the same. Who says
 * what they have seen (`expect`) hears of that, and nothing is changed: the later of two changes takes
 * nothing of the earlier one away unseen. */
#include "config.h"

#include <farwatch/message.h>

#include <stdlib.h>
#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/thread.h>

static const char *
expected (const FarCall *call)
{
  const char *body = json_string_value (json_object_get (call->body, "expect"));

  return body != NULL ? body : json_string_value (json_object_get (call->query, "expect"));
}

gboolean
far_expect_ok (const FarCall *call, const char *place, const json_t *shown, const char *words, GError **error)
{
  FAR_ON_MAIN ();
  const char *seen = expected (call);
  g_autofree char *is = far_revision (shown);
  char *text = words == NULL && shown != NULL ? json_dumps (shown, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
  gboolean good = seen == NULL || strcmp (seen, is) == 0;

  if (!good && shown == NULL)
    g_set_error (
        error, FAR_ERROR, FAR_ERROR_CONFLICT,
        _ ("%s is not there any more, somebody else took it away since you looked: look again, then decide"),
        place);
  else if (!good)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
                 _ ("%s was changed by somebody else since you looked, it is now: %s; look again, then "
                    "decide (expect %s)"),
                 place, words != NULL ? words : text, is);
  free (text);
  return good;
}
