/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening endpoints and devices: the way from a name in a session to a stream. */
#include "config.h"

#include "reach/device.h"

#include "base/node-part.h"

#include "loop/owned.h"

#include <farwatch/plugin.h>
#include <farwatch/thread.h>

void
far_endpoint_open (const char *endpoint, const FarEndpointSpec *spec, FarRequest *req)
{
  FAR_ON_MAIN ();
  GError *error = NULL;
  FarInstance *at = far_instance_find (FAR_KIND_ENDPOINT, endpoint, &error);
  if (!at) {
    far_request_fail (req, error);
    return;
  }
  const FarEndpointType *type = (const FarEndpointType *) far_instance_type (at);
  if (!type->open)
    far_request_fail_new (req, FAR_ERROR_CONFIG, _ ("endpoint '%s' opens no streams"), endpoint);
  else {
    far_request_serve (req, at);
    type->open (far_instance_self (at), spec, req);
  }
}

typedef struct {
  FarRequest *outer;
  char *device, *session;
  gboolean claimed_now; /* the claim is ours to give back when nothing opens */
} DeviceOpen;

static void
device_open_free (DeviceOpen *open)
{
  far_request_unref (open->outer);
  g_free (open->device);
  g_free (open->session);
  g_free (open);
}

static void
stream_free_at_loop (gpointer stream)
{
  far_stream_free (stream);
}

/* A stream nobody took any more: freed where it lives. */
static void
stream_discard (gpointer data)
{
  FarStream *stream = data;
  far_loop_post (stream->loop, stream_free_at_loop, stream);
}

/* ---- devices ---- */

typedef struct {
  FarOwned owned;
  FarDeviceFailed func;
  gpointer user;
} EndpointFailed;

static EndpointFailed *
failed (void)
{
  static const FarNodePart part = { FAR_PART_ENDPOINT, sizeof (EndpointFailed), NULL, NULL };

  return far_node_part (&part);
}

static void
failed_end (gpointer thing)
{
  failed ()->func = NULL;
}

void
far_device_on_failed (FarInstance *at, FarDeviceFailed func, gpointer user)
{
  FAR_ON_MAIN ();
  far_owned_leave (&failed ()->owned);
  far_owned_by (&failed ()->owned, at, failed_end, NULL);
  failed ()->func = func;
  failed ()->user = user;
}

static void
endpoint_device_failed (FarRequest *req, const char *session, const char *device, GError *error /* takes */)
{
  if (failed ()->func)
    failed ()->func (session, device, error->message, failed ()->user);
  far_request_fail (req, error);
}

static void
device_opened (FarRequest *inner, gpointer user)
{
  DeviceOpen *open = user;
  const GError *error = far_request_error (inner);
  if (error) {
    if (open->claimed_now)
      far_device_unlock (open->device, open->session);
    GError *told = g_error_copy (error);
    g_prefix_error (&told, "device '%s': ", open->device);
    endpoint_device_failed (open->outer, open->session, open->device, told);
  } else {
    far_request_done (open->outer, far_request_steal (inner), stream_discard);
  }
  device_open_free (open);
}

void
far_device_open (const FarEndpointSpec *spec, FarRequest *req)
{
  FAR_ON_MAIN ();
  const FarDevice *device = far_device_find (spec->device);
  if (!device) {
    far_request_fail_new (req, FAR_ERROR_NOT_FOUND, _ ("no device '%s' here"),
                          spec->device ? spec->device : "");
    return;
  }
  gboolean had = far_device_locked (spec->device, spec->session);
  GError *error = NULL;
  if (!far_device_lock (spec->device, spec->session, spec->person, NULL, NULL, &error)) {
    endpoint_device_failed (req, spec->session, spec->device, error);
    return;
  }
  DeviceOpen *open = g_new0 (DeviceOpen, 1);
  *open = (DeviceOpen){ far_request_ref (req), g_strdup (spec->device), g_strdup (spec->session), !had };
  FarEndpointSpec filled = *spec;
  filled.address = device->address;
  filled.line = device->line;
  g_autofree char *endpoint = g_strdup (device->endpoint);
  far_endpoint_open (endpoint, &filled, far_request_new (device_opened, open, 0));
}
