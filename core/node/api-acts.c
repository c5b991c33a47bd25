/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GET sensors/{s}/acts: what a sensor can be told to do. POST sensors/{s}/acts/{a}: tells it. Who has a right
 * to the device that it measures may; a sensor without one is an object of its own below the node. */
#include "config.h"

#include "node/api-private.h"

#include <farwatch/act.h>
#include <farwatch/i18n.h>

#include "data/sample-private.h"
#include "data/sensor-private.h"
#include "life/instance-private.h"

static const char *const field_words[] = {
  [FAR_FIELD_STRING] = "text", [FAR_FIELD_INT] = "int",       [FAR_FIELD_BOOL] = "bool",
  [FAR_FIELD_NAME] = "name",   [FAR_FIELD_LIST] = "list",     [FAR_FIELD_OBJECT] = "object",
  [FAR_FIELD_ANY] = "any",     [FAR_FIELD_OTHERS] = "others", [FAR_FIELD_DURATION] = "duration",
};

static FarInstance *
acts_sensor (const char *name)
{
  g_autofree char *path = g_strconcat ("sensors.", name, NULL);

  return far_instances_by_path (path);
}

static void
acts_resolve (gpointer self, const FarPrincipal *principal, char **parts, FarResolved *found)
{
  const FarInstance *at = acts_sensor (parts[0]);
  const char *device = at != NULL ? far_sensor_device (at) : NULL;

  if (device != NULL)
    found->object = g_strdup_printf ("terminals/%s/devices/%s", far_node_id (), device);
  else if (at != NULL)
    found->object = g_strdup_printf ("node/sensors/%s", parts[0]);
  if (at != NULL)
    found->refused = g_strdup_printf (_ ("%s: no right to have the sensor '%s' act"), found->object,
                                      parts[0]);
}

static json_t *
acts_field_json (const FarField *field)
{
  json_t *row = json_pack ("{s:s?, s:s, s:b, s:s}", "name", field->name, "type", field_words[field->type],
                           "required", field->required, "summary",
                           field->summary != NULL ? _ (field->summary) : "");

  if (field->max > 0)
    json_object_set_new (row, "max", json_integer (field->max));
  return row;
}

static json_t *
acts_row_json (const FarAct *act)
{
  json_t *fields = json_array ();

  for (const FarField *field = act->fields; field != NULL && field->type != FAR_FIELD_END; field++)
    json_array_append_new (fields, acts_field_json (field));
  return json_pack ("{s:s, s:s, s:o}", "act", act->name, "summary",
                    act->summary != NULL ? _ (act->summary) : "", "fields", fields);
}

static void
acts_get (gpointer self, FarCall *call)
{
  const FarInstance *at = acts_sensor (call->parts[0]);
  json_t *list = json_array ();

  for (const FarAct *act = far_sensor_acts (at); act->name != NULL; act++)
    json_array_append_new (list, acts_row_json (act));
  far_call_answer (call, 200,
                   json_pack ("{s:s, s:b, s:o}", "sensor", call->parts[0], "busy", at->act != NULL, "acts",
                              list));
}

static void
acts_done (FarRequest *req, gpointer user)
{
  const GError *error = far_request_error (req);
  json_t *result = far_request_steal (req);

  if (error != NULL)
    far_call_fail (user, g_error_copy (error));
  else
    far_call_answer (user, 200, result != NULL ? result : json_object ());
}

static void
acts_post (gpointer self, FarCall *call)
{
  g_autofree char *who = far_principal_text (call->principal);

  far_sensor_act (call->parts[0], call->parts[1], call->body, who, far_request_new (acts_done, call, 0));
}

/* Those of the sensor's own table. */
static const FarField acts_fields[] = {
  { "argument", FAR_FIELD_OTHERS, FALSE, N_ ("as GET sensors/{s}/acts lists them") },
  { NULL, FAR_FIELD_END },
};

const FarHandler far_api_act_handlers[] = {
  { .method = "GET",
    .pattern = "sensors/{s}/acts",
    .action = FAR_ACTION_SEE,
    .resolve = acts_resolve,
    .handle = acts_get,
    .summary = N_ ("what a sensor can be told to do") },
  { .method = "POST",
    .pattern = "sensors/{s}/acts/{a}",
    .action = FAR_ACTION_ACT,
    .resolve = acts_resolve,
    .fields = acts_fields,
    .handle = acts_post,
    .summary = N_ ("have a sensor do something") },
  { NULL },
};
