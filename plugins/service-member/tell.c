/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The node is the authority for its devices: the fleet's server gets the whole list when the link comes up
 * and after each change. A list that did not arrive is sent again, ever more slowly. */
#include "config.h"

#include "member.h"

#define TELL_TIMEOUT_MS 15000
#define AGAIN_US (2 * G_USEC_PER_SEC)
#define AGAIN_MAX_US (120 * G_USEC_PER_SEC)

static json_t *
devices_json (void)
{
  g_autoptr (GPtrArray) devices = far_device_list ();
  json_t *list = json_array ();
  for (guint i = 0; i < devices->len; i++)
    json_array_append_new (list, member_device_json (devices->pdata[i]));
  return list;
}

static void
tell_again (gpointer user)
{
  member_tell (user);
}

static void
devices_told (FarRequest *req, gpointer user)
{
  Member *self = user;
  g_autoptr (GError) error = far_request_error (req) ? g_error_copy (far_request_error (req)) : NULL;
  if (!error)
    far_message_check (far_request_result (req), &error);
  if (!error) {
    self->tell_wait_us = 0;
    return;
  }
  far_log_limited (self->at, "devices", "the list of devices did not reach the cloud: %s", error->message);
  self->tell_wait_us = self->tell_wait_us ? MIN (2 * self->tell_wait_us, AGAIN_MAX_US) : AGAIN_US;
  far_instance_timer (self->at, &self->tell_timer, far_clock_boottime_us () + self->tell_wait_us, tell_again,
                      self);
}

void
member_tell (Member *self)
{
  const char *link = member_opts (self)->link;
  far_instance_timer_stop (&self->tell_timer);
  if (!far_peer_connected (link, ""))
    return;
  g_autofree char *resource = g_strdup_printf ("terminals/%s/devices", far_node_id ());
  g_autoptr (FarMessage)
      message = far_message_request ("PUT", resource, json_pack ("{s:o}", "devices", devices_json ()));
  far_peer_send (link, "", message, far_request_of (self->at, devices_told, self, NULL, TELL_TIMEOUT_MS));
}
