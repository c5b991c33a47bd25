/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the service's option table, its handlers and the life of the instance. */
#include "config.h"

#include "member.h"

/* ---- life ---- */

static gboolean
member_init (gpointer data, FarInstance *at, GError **error)
{
  Member *self = data;
  self->at = at;
  g_queue_init (&self->changes);
  return TRUE;
}

static gboolean
member_start (gpointer data, GError **error)
{
  Member *self = data;
  g_autoptr (GError) fault = NULL;
  member_renew_start (self);
  if (!member_added_load (self, &fault)) /* the node stays in its fleet all the same */
    far_log (self->at, G_LOG_LEVEL_WARNING, "%s", fault->message);
  far_instance_ready (self->at);
  return TRUE;
}

static void
member_fini (gpointer data)
{
  Member *self = data;
  member_added_forget (self);
  g_free (self->renewing_key);
}

static void
member_peer (gpointer data, const char *transport, const char *peer, gboolean up, const char *from)
{
  Member *self = data;
  if (!up || g_strcmp0 (transport, member_opts (self)->link) != 0)
    return;
  member_tell (self);
  member_renew (self);
}

static void
member_devices_changed (gpointer data)
{
  member_tell (data);
}

/* ---- handlers ---- */

static const FarField device_body[] = {
  { "endpoint", FAR_FIELD_NAME, TRUE, N_ ("endpoint that reaches it") },
  { "address", FAR_FIELD_STRING, FALSE, N_ ("its address"), 300 },
  { "line", FAR_FIELD_STRING, FALSE, N_ ("line it shares"), 64 },
  { "weight", FAR_FIELD_ANY, FALSE, N_ ("watch, light or heavy") },
  { "inspect", FAR_FIELD_ANY, FALSE, N_ ("'required': refuse what cannot be inspected") },
  { "applications", FAR_FIELD_LIST, FALSE, N_ ("applications it speaks") },
  { "note", FAR_FIELD_STRING, FALSE, N_ ("a remark"), 500 },
  FAR_FIELD_EXPECT,
  { NULL },
};

static const FarHandler handlers[] = {
  { "GET", "terminals", FAR_ACTION_NONE, NULL, NULL, 0, member_terminals_get, N_ ("this terminal") },
  { "GET", "terminals/{t}", FAR_ACTION_KNOW, NULL, NULL, 0, member_terminal_get, N_ ("this terminal") },
  { "GET", "terminals/{t}/devices", FAR_ACTION_KNOW, "terminals/{t}", NULL, 0, member_devices_get,
    N_ ("devices of this terminal") },
  { "PUT", "terminals/{t}/devices/{d}", FAR_ACTION_MANAGE, NULL, device_body, 0, member_device_put,
    N_ ("add a device, or change one that was added") },
  { "DELETE", "terminals/{t}/devices/{d}", FAR_ACTION_MANAGE, NULL, NULL, 0, member_device_delete,
    N_ ("remove a device that was added") },
  { NULL },
};

/* ---- type ---- */

static const FarOption options[] = {
  { "link", FAR_OPT_REF, FAR_OPT_REQUIRED | FAR_OPT_RESTART | FAR_OPT_ALIKE,
    G_STRUCT_OFFSET (MemberOpts, link), NULL, N_ ("transport that leads to the cloud"), 0, 0, NULL,
    FAR_KIND_TRANSPORT },
  { "keys", FAR_OPT_PATH, FAR_OPT_RELOADABLE | FAR_OPT_ALIKE, G_STRUCT_OFFSET (MemberOpts, keys), "keys",
    N_ ("folder of this node's keys") },
  { NULL, FAR_OPT_END },
};

static const FarServiceOps ops = { .peer = member_peer,
                                   .devices = member_devices_changed,
                                   .knows = member_knows };

static const FarServiceType member_type = {
  .type = { .kind = FAR_KIND_SERVICE,
            .name = "member",
            .summary = N_ ("a node in its fleet: certificate, devices"),
            .instance_size = sizeof (Member),
            .options_size = sizeof (MemberOpts),
            .options = options,
            .init = member_init,
            .start = member_start,
            .fini = member_fini },
  .handlers = handlers,
  .ops = &ops,
};

FAR_PLUGIN ("service-member", "0.1", "service/member", "", &member_type.type)
