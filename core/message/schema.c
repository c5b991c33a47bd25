/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file checks the body of a request against the field table of its handler, so that a handler meets
 * only fields that it declared, of the type and within the limits that it declared. */
#include "config.h"

#include "message/router.h"

#include <inttypes.h>
#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/option.h>

gboolean
far_field_name_ok (const char *text)
{
  gsize n = strspn (text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

  return n >= 1 && n <= 64 && text[n] == '\0' && g_ascii_isalnum (text[0]);
}

static gboolean
schema_bad (GError **error, const char *name, const char *why)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("field '%s' %s"), name, why);
  return FALSE;
}

static gboolean
schema_string (const FarField *field, json_t *value, GError **error)
{
  gint64 max = field->max > 0 ? field->max : 4096;

  if (!json_is_string (value))
    return schema_bad (error, field->name, _ ("must be a text"));
  if ((gint64) json_string_length (value) <= max)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("field '%s' is too long: %" PRId64 " bytes at most"),
               field->name, max);
  return FALSE;
}

static gboolean
schema_int (const FarField *field, json_t *value, GError **error)
{
  if (!json_is_integer (value))
    return schema_bad (error, field->name, _ ("must be a whole number"));
  if (json_integer_value (value) < 0)
    return schema_bad (error, field->name, _ ("must not be negative"));
  if (field->max == 0 || json_integer_value (value) <= field->max)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("field '%s' is too large: %" PRId64 " at most"),
               field->name, field->max);
  return FALSE;
}

static gboolean
schema_bool (const FarField *field, json_t *value, GError **error)
{
  return json_is_boolean (value) || schema_bad (error, field->name, _ ("must be true or false"));
}

static gboolean
schema_too_long (const FarField *field, GError **error)
{
  g_autofree char *max = far_format_duration (field->max);

  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("field '%s' is too long: %s at most"), field->name,
               max);
  return FALSE;
}

static gboolean
schema_duration (const FarField *field, json_t *value, GError **error)
{
  gint64 us = 0;

  if (!json_is_string (value) || !far_parse_duration (json_string_value (value), &us, NULL))
    return schema_bad (error, field->name, _ ("must be a length of time, like \"10m\""));
  return field->max == 0 || us <= field->max || schema_too_long (field, error);
}

static gboolean
schema_name (const FarField *field, json_t *value, GError **error)
{
  return (json_is_string (value) && far_field_name_ok (json_string_value (value))) ||
         schema_bad (error, field->name, _ ("must be a name: 1 to 64 of A-Z a-z 0-9 . _ -"));
}

static gboolean
schema_list (const FarField *field, json_t *value, GError **error)
{
  gsize max = field->max > 0 ? (gsize) field->max : 256;

  if (!json_is_array (value) || json_array_size (value) > max)
    return schema_bad (error, field->name, _ ("must be a list of texts"));
  for (gsize i = 0; i < json_array_size (value); i++)
    if (!json_is_string (json_array_get (value, i)))
      return schema_bad (error, field->name, _ ("must be a list of texts"));
  return TRUE;
}

static gboolean
schema_object (const FarField *field, json_t *value, GError **error)
{
  return json_is_object (value) || schema_bad (error, field->name, _ ("must be an object"));
}

static gboolean
schema_any (const FarField *field, json_t *value, GError **error)
{
  return TRUE;
}

static gboolean (*const schema_types[]) (const FarField *field, json_t *value, GError **error) = {
  [FAR_FIELD_STRING] = schema_string,     [FAR_FIELD_INT] = schema_int,   [FAR_FIELD_BOOL] = schema_bool,
  [FAR_FIELD_DURATION] = schema_duration, [FAR_FIELD_NAME] = schema_name, [FAR_FIELD_LIST] = schema_list,
  [FAR_FIELD_OBJECT] = schema_object,     [FAR_FIELD_ANY] = schema_any,   [FAR_FIELD_OTHERS] = schema_any,
};

static const FarField *
schema_find (const FarField *fields, const char *name)
{
  for (const FarField *field = fields; field != NULL && field->type != FAR_FIELD_END; field++)
    if (field->type == FAR_FIELD_OTHERS || strcmp (field->name, name) == 0)
      return field;
  return NULL;
}

static gboolean
schema_unknown (const FarField *fields, const char *name, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  g_autofree char *valid = g_utf8_make_valid (name, (gssize) MIN (strlen (name), 64));

  for (const FarField *field = fields; field != NULL && field->type != FAR_FIELD_END; field++)
    g_string_append_printf (known, "%s%s", known->len > 0 ? ", " : "", field->name);
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("field '%s' is not known; known are: %s"), valid,
               known->len > 0 ? known->str : _ ("none"));
  return FALSE;
}

gboolean
far_schema_check (const FarField *fields, json_t *body, GError **error)
{
  const char *name;
  json_t *value;

  if (!json_is_object (body)) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("the body must be a JSON object"));
    return FALSE;
  }
  json_object_foreach (body, name, value) {
    const FarField *field = schema_find (fields, name);

    if (field == NULL)
      return schema_unknown (fields, name, error);
    if (json_is_null (value) && !field->required)
      continue;
    if (!schema_types[field->type](field, value, error))
      return FALSE;
  }
  for (const FarField *field = fields; field != NULL && field->type != FAR_FIELD_END; field++)
    if (field->required && json_object_get (body, field->name) == NULL)
      return schema_bad (error, field->name, _ ("is missing"));
  return TRUE;
}
