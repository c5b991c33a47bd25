/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file lets acts through to sensors: one at a time for each, with arguments that fit, and a deadline. */
#include "config.h"

#include <farwatch/act.h>
#include <farwatch/i18n.h>
#include <farwatch/thread.h>

#include "data/sensor-private.h"
#include "life/instance-private.h"
#include "message/router.h"

typedef struct {
  FarRequest *outer;
  FarInstance *at; /* a reference */
  char *act, *who;
} ActRun;

const FarAct *
far_sensor_acts (const FarInstance *at)
{
  static const FarAct none[] = { { .name = NULL } };
  const FarAct *acts = at->type != NULL ? ((const FarSensorType *) at->type)->acts : NULL;

  return acts != NULL ? acts : none;
}

static const FarAct *
act_find (const FarInstance *at, const char *name, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);

  for (const FarAct *row = far_sensor_acts (at); row->name != NULL; row++) {
    if (g_strcmp0 (row->name, name) == 0)
      return row;
    g_string_append_printf (known, "%s%s", known->len > 0 ? ", " : "", row->name);
  }
  g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("%s has no act '%s'; there are: %s"), at->head.path,
               name, known->len > 0 ? known->str : _ ("none"));
  return NULL;
}

static void
act_run_free (ActRun *run)
{
  far_request_unref (run->outer);
  far_instance_unref (run->at);
  g_free (run->act);
  g_free (run->who);
  g_free (run);
}

static void
act_result_free (gpointer result)
{
  json_decref (result);
}

static void
act_done (FarRequest *inner, gpointer user)
{
  ActRun *run = user;
  const GError *error = far_request_error (inner);

  run->at->act = NULL;
  if (error != NULL) {
    far_log (run->at, G_LOG_LEVEL_WARNING, _ ("act '%s' for %s failed: %s"), run->act, run->who,
             error->message);
    far_request_fail (run->outer, g_error_copy (error));
  } else {
    far_log (run->at, G_LOG_LEVEL_MESSAGE, _ ("act '%s' for %s is done"), run->act, run->who);
    far_request_done (run->outer, far_request_steal (inner), act_result_free);
  }
  act_run_free (run);
}

/* All that can be judged before the plugin's code runs. */
static gboolean
act_may_run (const FarInstance *at, const FarAct *row, json_t *args, GError **error)
{
  static const FarField no_fields[] = { { NULL, FAR_FIELD_END } };

  if (!far_schema_check (row->fields != NULL ? row->fields : no_fields, args, error))
    return FALSE;
  if (at->act == NULL)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
               _ ("%s: another act is under way; try again when it has ended"), at->head.path);
  return FALSE;
}

static void
act_begin (FarInstance *at, const FarAct *row, json_t *args, const char *who, FarRequest *req)
{
  ActRun *run = g_new0 (ActRun, 1);

  run->outer = far_request_ref (req);
  run->at = far_instance_ref (at);
  run->act = g_strdup (row->name);
  run->who = g_strdup (who);
  at->act = far_request_new (act_done, run, FAR_ACT_MS);
  far_request_serve (at->act, at);
  far_log (at, G_LOG_LEVEL_INFO, _ ("act '%s' for %s begins"), run->act, run->who);
  row->act (at->self, args, at->act);
}

void
far_sensor_act (const char *sensor, const char *act, json_t *args, const char *who, FarRequest *req)
{
  FAR_ON_MAIN ();
  json_t *none = args == NULL ? json_object () : NULL;
  GError *error = NULL;
  FarInstance *at = far_instance_find (FAR_KIND_SENSOR, sensor, &error);
  const FarAct *row = at != NULL ? act_find (at, act, &error) : NULL;

  if (row != NULL && act_may_run (at, row, args != NULL ? args : none, &error))
    act_begin (at, row, args != NULL ? args : none, who, req);
  else
    far_request_fail (req, error);
  json_decref (none);
}
