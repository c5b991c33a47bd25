/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages between nodes: which transport carries them, who hears of links. */
#include "config.h"

#include <farwatch/plugin.h>

#include "base/node-identity.h"
#include "loop/instance-head.h"
#include "unit/core-help.h"

/* ---- a transport, one that carries no messages, and two services; core's look-ups are replaced by these
 * ---- */

typedef struct {
  FarInstanceHead head;
  const char *name;
  const FarType *type;
  guint sent, cut, told;
  char *peer, *from;
  gboolean up;
  char hops[8], via[32]; /* what the message had that was sent last */
} Stand;

static void
stand_send (gpointer self, const char *peer, FarMessage *request, FarRequest *req)
{
  Stand *stand = self;

  stand->sent++;
  g_strlcpy (stand->hops,
             far_message_header (request, "hops") != NULL ? far_message_header (request, "hops") : "none",
             sizeof stand->hops);
  g_strlcpy (stand->via,
             far_message_header (request, "via") != NULL ? far_message_header (request, "via") : "none",
             sizeof stand->via);
  g_free (stand->peer);
  stand->peer = g_strdup (peer);
  far_request_done (req, far_message_answer (request, 200, NULL), (GDestroyNotify) far_message_unref);
}

static gboolean
stand_connected (gpointer self, const char *peer)
{
  return strcmp (peer, "t1") == 0;
}

static void
stand_cut (gpointer self, const char *peer, const char *cause)
{
  ((Stand *) self)->cut++;
}

static void
stand_peer (gpointer self, const char *transport, const char *peer, gboolean up, const char *from)
{
  Stand *stand = self;

  stand->told++;
  stand->up = up;
  g_free (stand->peer);
  g_free (stand->from);
  stand->peer = g_strconcat (transport, "/", peer, NULL);
  stand->from = g_strdup (from);
}

static const FarMessageOps all_ops = { stand_send, stand_connected, stand_cut },
                           no_ops = { NULL, NULL, NULL };
static const FarServiceOps service_ops = { stand_peer };
static const FarTransportType carries = { .type = { .kind = FAR_KIND_TRANSPORT }, .messages = &all_ops };
static const FarTransportType silent = { .type = { .kind = FAR_KIND_TRANSPORT } };
static const FarTransportType hollow = { .type = { .kind = FAR_KIND_TRANSPORT }, .messages = &no_ops };
static const FarServiceType listens = { .type = { .kind = FAR_KIND_SERVICE }, .ops = &service_ops };
static const FarServiceType deaf = { .type = { .kind = FAR_KIND_SERVICE } };

static Stand transports[] = {
  { .name = "nodes", .type = &carries.type },
  { .name = "tunnels", .type = &silent.type },
  { .name = "hollow", .type = &hollow.type },
};
static Stand services[] = { { .name = "access", .type = &listens.type },
                            { .name = "deaf", .type = &deaf.type } };

FarInstance *
far_instance_find (FarKind kind, const char *name, GError **error)
{
  for (guint i = 0; kind == FAR_KIND_TRANSPORT && i < G_N_ELEMENTS (transports); i++)
    if (strcmp (transports[i].name, name) == 0)
      return (FarInstance *) (void *) &transports[i];
  g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, "no %s", name);
  return NULL;
}

GPtrArray *
far_instance_list (FarKind kind)
{
  GPtrArray *list = g_ptr_array_new ();

  for (guint i = 0; kind == FAR_KIND_SERVICE && i < G_N_ELEMENTS (services); i++)
    g_ptr_array_add (list, &services[i]);
  return list;
}

const FarType *
far_instance_type (FarInstance *at)
{
  return ((Stand *) (void *) at)->type;
}

gpointer
far_instance_self (FarInstance *at)
{
  return at;
}

const char *
far_instance_name (FarInstance *at)
{
  return ((Stand *) (void *) at)->name;
}

typedef struct {
  guint n, status;
  int code;
} Outcome;

static void
note (FarRequest *req, gpointer user)
{
  Outcome *to = user;

  to->n++;
  to->code = far_request_error (req) != NULL ? far_request_error (req)->code : -1;
  to->status = to->code < 0 ? ((FarMessage *) far_request_result (req))->status : 0;
}

static gboolean
is_noted (gpointer data)
{
  return ((Outcome *) data)->n > 0;
}

static Outcome
send_by (const char *transport)
{
  g_autoptr (FarMessage) request = far_message_request ("POST", "offers", NULL);
  Outcome to = { 0 };

  far_peer_send (transport, "t1", request, far_request_new (note, &to, 0));
  ck_assert (run_until (is_noted, &to));
  return to;
}

START_TEST (the_named_transport_carries)
{
  ck_assert_uint_eq (send_by ("nodes").status, 200);
  ck_assert_str_eq (transports[0].peer, "t1");
  ck_assert (far_peer_connected ("nodes", "t1"));
  ck_assert (!far_peer_connected ("nodes", "t2"));
  far_peer_cut ("nodes", "t1", "revoked");
  ck_assert_uint_eq (transports[0].cut, 1);
  g_free (transports[0].peer);
}
END_TEST

static int
sent_with (FarMessage *request, const char *hops)
{
  Outcome to = { 0 };

  far_message_set_header (request, "hops", hops);
  far_peer_send ("nodes", "t1", request, far_request_new (note, &to, 0));
  ck_assert (run_until (is_noted, &to));
  return to.code;
}

/* Where it leaves, and there alone: the message itself may go to the next one as well. */
START_TEST (each_node_is_counted)
{
  g_autoptr (FarMessage) request = far_message_request ("POST", "offers", json_object ());

  for (guint i = 0; i < 2; i++) {
    ck_assert_int_eq (sent_with (request, NULL), -1);
    ck_assert_str_eq (transports[0].hops, "1");
    ck_assert_ptr_null (far_message_header (request, "hops"));
  }
  ck_assert_int_eq (sent_with (request, "1"), -1);
  ck_assert_str_eq (transports[0].hops, "2");
  ck_assert_uint_eq (transports[0].sent, 3);
  ck_assert_int_eq (sent_with (request, "2"), FAR_ERROR_INVALID);
  ck_assert_int_eq (sent_with (request, "x"), FAR_ERROR_INVALID);
  ck_assert_uint_eq (transports[0].sent, 3);
  ck_assert_str_eq (transports[0].via, "none"); /* a node without a name is not written down */
  g_free (transports[0].peer);
}
END_TEST

/* Each writes itself down; a message that has been here does not go out again. */
START_TEST (each_node_is_named)
{
  g_autoptr (FarMessage) request = far_message_request ("POST", "offers", json_object ());

  far_node_identity_set ("here", "/tmp");
  ck_assert_int_eq (sent_with (request, NULL), -1);
  ck_assert_str_eq (transports[0].via, "here");
  ck_assert_ptr_null (far_message_header (request, "via"));
  far_message_set_header (request, "via", "front");
  ck_assert_int_eq (sent_with (request, "1"), -1);
  ck_assert_str_eq (transports[0].via, "front, here");
  far_message_set_header (request, "via", "here");
  ck_assert_int_eq (sent_with (request, "1"), FAR_ERROR_INVALID);
  ck_assert_uint_eq (transports[0].sent, 2);
  g_free (transports[0].peer);
}
END_TEST

START_TEST (others_say_why_not)
{
  ck_assert_int_eq (send_by ("tunnels").code, FAR_ERROR_CONFIG);
  ck_assert_int_eq (send_by ("hollow").code, FAR_ERROR_CONFIG);
  ck_assert_int_eq (send_by ("unknown").code, FAR_ERROR_NOT_FOUND);
  ck_assert (!far_peer_connected ("tunnels", "t1") && !far_peer_connected ("hollow", "t1") &&
             !far_peer_connected ("unknown", "t1"));
  far_peer_cut ("tunnels", "t1", "revoked");
  far_peer_cut ("hollow", "t1", "revoked");
  far_peer_cut ("unknown", "t1", "revoked");
}
END_TEST

START_TEST (services_hear_of_links)
{
  far_peer_changed ((FarInstance *) (void *) &transports[0], "t1", TRUE, "192.0.2.1");
  ck_assert_uint_eq (services[0].told, 1);
  ck_assert (services[0].up);
  ck_assert_str_eq (services[0].peer, "nodes/t1");
  ck_assert_str_eq (services[0].from, "192.0.2.1");
  far_peer_changed ((FarInstance *) (void *) &transports[0], "t1", FALSE, NULL);
  ck_assert (!services[0].up);
  ck_assert_uint_eq (services[1].told, 0);
  g_free (services[0].peer);
  g_free (services[0].from);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("peer");
  TCase *tc = tcase_create ("peer");

  tcase_add_test (tc, each_node_is_counted);
  tcase_add_test (tc, each_node_is_named);
  tcase_add_test (tc, the_named_transport_carries);
  tcase_add_test (tc, others_say_why_not);
  tcase_add_test (tc, services_hear_of_links);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
