/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POST clock: the test clock jumps forward; or the system's clock alone is set. There only when the daemon
 * was started with FARWATCH_TEST_CLOCK=1. */
#include "config.h"

#include "node/api-private.h"

#include <farwatch/i18n.h>

#include "base/clock-private.h"

static void
clock_post (gpointer self, FarCall *call)
{
  gint64 advance_us = json_integer_value (json_object_get (call->body, "advance_us"));
  g_autofree char *now = NULL;

  far_clock_step (json_integer_value (json_object_get (call->body, "step_us")) -
                  json_integer_value (json_object_get (call->body, "back_us")));
  if (!far_clock_advance (advance_us)) {
    far_call_fail_new (call, FAR_ERROR_INVALID, "%s", _ ("advance_us: the test clock only goes forward"));
    return;
  }
  now = far_clock_format (far_clock_wall_us ());
  far_call_answer (call, 200, json_pack ("{s:s}", "now", now));
}

static const FarField clock_fields[] = {
  { "advance_us", FAR_FIELD_INT, FALSE, N_ ("how far, in microseconds") },
  { "step_us", FAR_FIELD_INT, FALSE, N_ ("how far the system's clock is set forward, while timers stay") },
  { "back_us", FAR_FIELD_INT, FALSE, N_ ("how far it is set back") },
  { NULL, FAR_FIELD_END },
};

const FarHandler far_api_clock_handlers[] = {
  { "POST", "clock", FAR_ACTION_MANAGE, "node", clock_fields, 0, clock_post, N_ ("move the test clock") },
  { NULL },
};
