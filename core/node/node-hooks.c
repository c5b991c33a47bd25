/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one place that knows both: instances that come and go, and the rooms that have to hear of it. */
#include "config.h"

#include "node/node-hooks.h"

#include <farwatch/store.h>

#include "data/damage.h"
#include "data/event-private.h"
#include "reach/decoder.h"
#include "reach/device.h"
#include "node/api-private.h"
#include "life/instance-hooks.h"
#include "life/instance-private.h"
#include "reach/peer.h"
#include "data/sensor-private.h"

/* A store that was found damaged waits for a person. */
static gboolean
store_may_start (FarInstance *at, GError **error)
{
  g_autofree char *note = far_damage_note (far_node_state_dir (), far_instance_name (at));

  return note == NULL || far_damage_refuse (far_instance_name (at), note, error);
}

static void
store_came (FarInstance *at)
{
  far_right_rows_store_up (far_instance_name (at));
}

static void
profile_in_force (FarProfile *profile)
{
  far_device_profile_set (g_ptr_array_ref (profile->devices));
}

static void
events_settled (void)
{
  far_events_settled ();
  far_notifiers_settled ();
}

void
far_node_hooks_start (void)
{
  static const FarInstanceHooks sensors = { .came = far_sensor_begin,
                                            .changed = far_sensor_changed,
                                            .goes = far_sensor_end };
  static const FarInstanceHooks services = { .came = far_peer_catch_up };
  static const FarInstanceHooks stores = { .may_start = store_may_start, .came = store_came };
  static const FarInstanceHooks decoders = { .came = far_decoder_came,
                                             .changed = far_decoder_came,
                                             .goes = far_decoder_goes };
  static const FarInstanceHooks notifiers = { .came = far_notifier_came, .goes = far_notifier_goes };
  static const FarProfileHooks events = { .settled = events_settled };
  static const FarProfileHooks devices = { .in_force = profile_in_force,
                                           .settled = far_services_devices_changed };

  far_instance_hooks_add (FAR_KIND_SENSOR, &sensors);
  far_instance_hooks_add (FAR_KIND_SERVICE, &services);
  far_instance_hooks_add (FAR_KIND_STORE, &stores);
  far_instance_hooks_add (FAR_KIND_NOTIFIER, &notifiers);
  far_instance_hooks_add (FAR_KIND_DECODER, &decoders);
  far_profile_hooks_add (&devices);
  far_profile_hooks_add (&events);
}
