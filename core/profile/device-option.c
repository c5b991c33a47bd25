/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a device may say of itself: one table, for the profile and for what people and nodes send. */
#include "config.h"

#include "profile/device-option.h"

#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/plugin.h>

typedef struct {
  char *endpoint, *address, *line;
  int weight, inspect;
  GStrv applications;
} DeviceOptions;

#define DEVICE(field) G_STRUCT_OFFSET (DeviceOptions, field)

static const char *const weights[] = { "watch", "light", "heavy", NULL };
static const char *const inspects[] = { "optional", "required", NULL };

static const FarOption device_options[] = {
  { .name = "endpoint",
    .type = FAR_OPT_REF,
    .flags = FAR_OPT_REQUIRED,
    .offset = DEVICE (endpoint),
    .ref_kind = FAR_KIND_ENDPOINT,
    .summary = N_ ("the endpoint that opens it") },
  { .name = "address",
    .type = FAR_OPT_STRING,
    .offset = DEVICE (address),
    .summary = N_ ("where it is, as its endpoint wants it") },
  { .name = "line",
    .type = FAR_OPT_STRING,
    .offset = DEVICE (line),
    .summary = N_ ("devices on one line are written to one at a time") },
  { .name = "weight",
    .type = FAR_OPT_CHOICE,
    .offset = DEVICE (weight),
    .fallback = "light",
    .choices = weights,
    .summary = N_ ("how much a session on it can do") },
  { .name = "inspect",
    .type = FAR_OPT_CHOICE,
    .offset = DEVICE (inspect),
    .fallback = "optional",
    .choices = inspects,
    .summary = N_ ("required: sessions that cannot be looked into are refused") },
  { .name = "applications",
    .type = FAR_OPT_LIST,
    .offset = DEVICE (applications),
    .summary = N_ ("applications it is meant for") },
  { .type = FAR_OPT_END },
};

/* One word: it goes to an endpoint, into lists and command lines. */
static gboolean
address_ok (const char *address)
{
  for (const char *at = address; at != NULL && *at != '\0'; at = g_utf8_next_char (at)) {
    gunichar c = g_utf8_get_char (at);

    if (g_unichar_isspace (c) || !g_unichar_isprint (c))
      return FALSE;
  }
  return address == NULL || address[0] != '\0';
}

/* The guess about an endpoint that is not known: "192.0.2.1:99999" is hardly an address of anything;
 * "ttyS0:115200" may be one. */
static gboolean
begins_in_numbers (const char *address)
{
  const char *colon = strrchr (address, ':');
  g_autofree char *host = colon != NULL ? g_strndup (address, colon - address) : NULL;

  return address[0] == '[' || (host != NULL && strchr (host, ':') == NULL && g_hostname_is_ip_address (host));
}

gboolean
far_device_address_ok (const FarDevice *device, const FarType *type, GError **error)
{
  gboolean host_port = type != NULL && ((const FarEndpointType *) type)->host_port;
  g_autofree char *host = NULL;
  g_autoptr (GError) fault = NULL;
  guint16 port;

  if (device->address == NULL && host_port) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 _ ("device '%s' lacks the key 'address': its endpoint '%s' reaches host:port"), device->name,
                 device->endpoint);
    return FALSE;
  }
  if (device->address == NULL || (type != NULL ? !host_port : !begins_in_numbers (device->address)) ||
      far_parse_address (device->address, &host, &port, &fault))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("'address' in device '%s': %s"), device->name,
               fault->message);
  return FALSE;
}

FarDevice *
far_device_copy (const FarDevice *device)
{
  FarDevice *copy = g_new0 (FarDevice, 1);
  *copy = *device;
  copy->name = g_strdup (device->name);
  copy->endpoint = g_strdup (device->endpoint);
  copy->address = g_strdup (device->address);
  copy->line = g_strdup (device->line);
  copy->applications = g_strdupv (device->applications);
  return copy;
}

void
far_device_free (FarDevice *device)
{
  if (!device)
    return;
  g_free (device->name);
  g_free (device->endpoint);
  g_free (device->address);
  g_free (device->line);
  g_strfreev (device->applications);
  g_free (device);
}

FarDevice *
far_device_read (const char *name, const FarYaml *map, const FarCheck *check)
{
  DeviceOptions *options = (DeviceOptions *) far_options_check (device_options, sizeof *options, map, check);
  FarDevice *device = g_new0 (FarDevice, 1);

  if (!address_ok (options->address))
    far_fault_add (check->faults, FAR_FAULT_ERROR, far_yaml_get (map, "address"),
                   _ ("'address' in %s: one word is meant, as in 192.0.2.1:502"), check->what);
  device->name = g_strdup (name);
  device->endpoint = g_steal_pointer (&options->endpoint);
  device->address = g_steal_pointer (&options->address);
  device->line = g_steal_pointer (&options->line);
  device->applications = g_steal_pointer (&options->applications);
  device->weight = options->weight;
  device->inspect_required = options->inspect == 1;
  far_options_unref (options);
  return device;
}

/* ---- JSON ---- */

static void
json_choice (json_t *device, const char *key, const char *const *choices, gsize n)
{
  json_t *value = json_object_get (device, key);
  json_int_t at = json_is_integer (value)   ? json_integer_value (value)
                  : json_is_boolean (value) ? json_is_true (value)
                                            : -1;

  if (at >= 0 && at < (json_int_t) n)
    json_object_set_new (device, key, json_string (choices[at]));
}

/* As the profile writes it: no remark, no nulls, choices by their names. The text is a flow map of YAML as it
 * stands. */
static char *
json_profile_text (json_t *json, gboolean whole)
{
  static const char *const beside[] = { "note", "name", "expect", "revision", NULL };
  json_t *device = json_copy (json), *value;
  const char *key;
  void *next;
  char *text;

  json_object_foreach_safe (device, next, key, value)
    if (json_is_null (value) || g_strv_contains (beside, key))
      json_object_del (device, key);
  json_choice (device, "weight", weights, G_N_ELEMENTS (weights) - 1);
  json_choice (device, "inspect", inspects, G_N_ELEMENTS (inspects) - 1);
  if (!whole && json_object_get (device, "endpoint") == NULL)
    json_object_set_new (device, "endpoint", json_string ("none"));
  text = json_dumps (device, JSON_SORT_KEYS);
  json_decref (device);
  return text;
}

/* The first cause is enough for one device. */
static FarDevice *
parsed (FarDevice *device, GPtrArray *faults, GError **error)
{
  const FarFault *fault = faults->len > 0 ? faults->pdata[0] : NULL;

  if (fault == NULL && device != NULL)
    return device;
  far_device_free (device);
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                       fault != NULL ? fault->message : _ ("a device is a map of its options"));
  return NULL;
}

FarDevice *
far_device_parse (const char *name, json_t *json, gboolean whole, GError **error)
{
  g_autofree char *what = g_strdup_printf (_ ("device '%s'"), name);
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarSource) source = far_source_new (what, 0);
  char *text = json_is_object (json) ? json_profile_text (json, whole) : NULL;
  g_autoptr (FarYaml) map = text != NULL ? far_yaml_parse (source, text, strlen (text), faults) : NULL;
  FarCheck check = { .what = what, .where = map, .faults = faults };
  FarDevice *device = map != NULL && map->kind == FAR_YAML_MAP ? far_device_read (name, map, &check) : NULL;

  free (text);
  if (!far_label_ok (name, TRUE))
    far_fault_add (faults, FAR_FAULT_ERROR, map,
                   _ ("'%s' is no name: letters, digits, '.', '_' and '-' are taken, at most 64"), name);
  if (device != NULL && device->endpoint != NULL &&
      !far_label_ok (device->endpoint, TRUE)) /* the profile looks whether there is one */
    far_fault_add (faults, FAR_FAULT_ERROR, map, _ ("'endpoint' in %s: '%s' is no name"), what,
                   device->endpoint);
  if (device != NULL && !json_is_string (json_object_get (json, "endpoint")))
    g_clear_pointer (&device->endpoint, g_free);
  return parsed (device, faults, error);
}
