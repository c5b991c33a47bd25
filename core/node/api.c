/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one way in: every interface hands its messages here. */
#include "config.h"

#include "base/node-part.h"

#include <farwatch/message.h>

#include <stdlib.h>
#include <string.h>

#include <farwatch/i18n.h>
#include <farwatch/trust.h>
#include <farwatch/thread.h>

#include "node/api.h"
#include "message/frame.h"
#include "life/instance-private.h"
#include "message/router.h"
#include "reach/peer.h"

#define TIMEOUT_S 30
#define TIMEOUT_MAX_S 120

/* Interface's instance name ("" control socket) → GStrv of authenticators; touched on main only. */
typedef struct {
  GHashTable *by_transport;
} ApiLogins;

static void
api_part_clear (gpointer part)
{
  ApiLogins *self = part;

  g_clear_pointer (&self->by_transport, g_hash_table_unref);
}

static ApiLogins *
api_part (void)
{
  static const FarNodePart part = { FAR_PART_API, sizeof (ApiLogins), NULL, api_part_clear };

  return far_node_part (&part);
}

void
far_api_set_login (FarInstance *at, const char *const *authenticators)
{
  FAR_ON_MAIN ();
  if (api_part ()->by_transport == NULL)
    api_part ()->by_transport = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                       (GDestroyNotify) g_strfreev);
  g_hash_table_insert (api_part ()->by_transport, g_strdup (at != NULL ? far_instance_name (at) : ""),
                       g_strdupv ((char **) authenticators));
}

const char *const *
far_api_login (const char *transport)
{
  if (api_part ()->by_transport == NULL)
    return NULL;
  return g_hash_table_lookup (api_part ()->by_transport, transport != NULL ? transport : "");
}

const char *
far_api_no_login (void)
{
  return _ ("nobody logs in at this listener, it is for nodes: people come in at another port, that of the "
            "listener with `login:` in the cloud server's profile");
}

void
far_api_gone (gpointer user)
{
  FAR_ON_MAIN ();
  far_call_gone (user);
  far_subscription_user_gone (user);
}

void
far_api_busy (gpointer user, gboolean busy)
{
  FAR_ON_MAIN ();
  far_subscription_user_busy (user, busy);
}

/* ---- one message ---- */

static gboolean
api_fail (GError **error, FarErrorCode code, const char *text)
{
  g_set_error_literal (error, FAR_ERROR, (int) code, text);
  return FALSE;
}

/* A message made by hand by an interface (HTTP) is checked like a decoded one. */
static gboolean
api_too_large (gsize size, gsize max, GError **error)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_LIMIT,
               _ ("the body has %zu bytes, %zu are taken at most: send it in parts"), size, max);
  return FALSE;
}

static gboolean
api_form_ok (const FarMessage *request, GError **error)
{
  gsize max = g_strcmp0 (request->content_type, FAR_TYPE_BATCH) == 0 ? FAR_BATCH_MAX : FAR_BODY_MAX;

  if (request->id == NULL || !far_frame_id_ok (request->id))
    return api_fail (error, FAR_ERROR_INVALID, _ ("the id must be 1 to 64 of A-Z a-z 0-9 . _ -"));
  if (request->method == NULL || !far_frame_method_ok (request->method))
    return api_fail (error, FAR_ERROR_INVALID, _ ("unknown method: use GET, POST, PUT, DELETE or WATCH"));
  if (request->resource == NULL || !far_frame_resource_ok (request->resource))
    return api_fail (error, FAR_ERROR_INVALID, _ ("the resource is not a path"));
  if (request->body != NULL && g_bytes_get_size (request->body) > max)
    return api_too_large (g_bytes_get_size (request->body), max, error);
  return far_hops_ok (request, error);
}

static const char *const *
api_types (const FarHandler *handler)
{
  static const char *const json_only[] = { FAR_TYPE_JSON, NULL };

  return handler->content != NULL ? handler->content : json_only;
}

static gboolean
api_takes_type (const FarHandler *handler, const char *type)
{
  return type != NULL && g_strv_contains (api_types (handler), type);
}

static gboolean
api_bad_type (const FarHandler *handler, GError **error)
{
  g_autofree char *types = g_strjoinv (", ", (char **) api_types (handler));

  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("the body must be %s"), types);
  return FALSE;
}

static gboolean
api_take_body (FarCall *call, const FarHandler *handler, const FarMessage *request, GError **error)
{
  gboolean empty = request->body == NULL || g_bytes_get_size (request->body) == 0;

  if (far_handler_is_upstream (handler)) /* what it must be, the node knows that has the handler */
    call->body = json_object ();
  else if (empty && api_takes_type (handler, FAR_TYPE_JSON))
    call->body = json_object ();
  else if (request->body == NULL || !api_takes_type (handler, request->content_type))
    return api_bad_type (handler, error);
  else if (strcmp (request->content_type, FAR_TYPE_JSON) == 0)
    call->body = far_message_json (request, error);
  else {
    call->bytes = request->body; /* lives as long as the call's message */
    call->body = json_object ();
    return TRUE;
  }
  return call->body != NULL &&
         (far_handler_is_upstream (handler) || far_schema_check (handler->fields, call->body, error));
}

/* 401 has no code of its own: the way out is to log in. */
static void
api_login_first (const FarMessage *request, const char *transport, FarAnswered answered, gpointer user)
{
  const char *const *authenticators = far_api_login (transport);
  gboolean people = authenticators != NULL && authenticators[0] != NULL;
  json_t *body = json_object ();

  json_object_set_new (body, "error", json_string ("denied"));
  json_object_set_new (body, "message", json_string (people ? _ ("log in first") : far_api_no_login ()));
  if (people)
    json_object_set_new (body, "next", json_string (_ ("POST login with name and password")));
  far_call_deliver (far_message_answer (request, 401, body), TRUE, answered, user);
}

static void
api_refuse (const FarMessage *request, gboolean no_route, const GError *error, FarAnswered answered,
            gpointer user)
{
  g_autoptr (FarMessage) named = request->id != NULL ? NULL : far_message_request ("GET", "unknown", NULL);

  FarMessage *answer = far_message_error (named != NULL ? named : request, error);

  if (no_route)
    far_message_set_header (answer, "route", "none");
  far_call_deliver (answer, TRUE, answered, user);
}

static gboolean
api_may (FarCall *call, const FarHandler *handler, GError **error)
{
  FarCircumstances how = { 0 };
  const char *cause = NULL;
  json_t *length = json_object_get (call->body, "for_us");

  how.length_us = json_is_integer (length) ? (gint64) json_integer_value (length) : 0;
  if (far_authorize (call->principal, handler->resolve != NULL ? FAR_ACTION_NONE : handler->action,
                     call->object, &how, &cause) == FAR_DECISION_ALLOW)
    return TRUE;
  if (!far_visible (call->principal, call->object))
    return api_fail (error, FAR_ERROR_NOT_FOUND, far_call_hidden ());
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, "%s: %s", call->object, cause);
  return FALSE;
}

/* Nobody's role, and core knows none: it says what this node has, who asks may know where else it is. */
static void
api_no_route (FarAnswer *answer, const char *first, gboolean known, GError **error)
{
  answer->no_route = TRUE;
  if (known)
    g_set_error (
        error, FAR_ERROR, FAR_ERROR_INVALID,
        _ ("%s %.200s: this node, %s, has it, but not with %s; `farctl call --list` shows what there is"),
        answer->request->method, answer->request->resource, far_node_id (), answer->request->method);
  else
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("this node, %s, has no '%s'; `farctl call --list` shows what there is"), far_node_id (),
                 first);
}

/* Why a service does not run is for who may see the node; the others hear that it does not. */
static void
api_not_running (const FarPrincipal *principal, const FarInstance *owner, GError **error)
{
  if (far_authorize (principal, FAR_ACTION_SEE, "node", NULL, NULL) == FAR_DECISION_ALLOW)
    far_instance_why_not (owner, error);
  else
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                         _ ("this part of the node does not run now; farctl status tells its admin why"));
}

/* What may go up, and to whom. Closed by default: nobody's messages stay here, and a watch, whose events the
 * one answer of a peer cannot be. Takes parts if it is so. */
static const FarRoute *
api_upstream (FarAnswer *answer, char ***parts)
{
  const FarRoute *route = answer->principal->kind != FAR_PRINCIPAL_NONE &&
                                  strcmp (answer->request->method, "WATCH") != 0
                              ? far_route_find_upstream ()
                              : NULL;

  if (route == NULL || route->handler->action == FAR_ACTION_ANYONE)
    return NULL;
  answer->call.parts = g_steal_pointer (parts);
  return route;
}

static const FarRoute *
api_route (FarAnswer *answer, GError **error)
{
  FarCall *call = &answer->call;
  g_auto (GStrv) parts = far_route_split (answer->request->resource, &call->query, error);
  gboolean known = FALSE;
  const FarInstance *owner;
  const FarRoute *route;

  if (parts == NULL)
    return NULL;
  route = far_route_find (answer->request->method, parts, &call->parts, &known);
  if (route != NULL)
    return route;
  if (far_instances_starting ())
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                         _ ("the node is still starting; try again in a moment"));
  else if (!known && (owner = far_route_owner (parts)) != NULL)
    api_not_running (answer->principal, owner, error);
  else if (!known && (route = api_upstream (answer, &parts)) != NULL)
    return route;
  else
    api_no_route (answer, parts[0], known, error);
  return NULL;
}

/* Does it come from a node that has come to a listener of this one, whose fleet may have revoked it? Not so
 * the server that this node has dialled, above it: that is not of the fleet whose list is kept here, and must
 * reach this node also while its store is slow or away. Such a link has one peer, "" (core/reach/peer.c). */
static gboolean
api_is_incoming (const FarCall *call)
{
  return (call->principal->kind == FAR_PRINCIPAL_NODE || call->principal->via != NULL) &&
         (call->transport == NULL || !far_peer_is_up (call->transport, "", NULL));
}

/* The one place for the messages of all services. Links wait for the list before they are read at all
 * (farwatch/clearance.h); this is for those that were up before it was needed. */
static gboolean
api_prepare (FarAnswer *answer, const FarRoute *route, GError **error)
{
  FarCall *call = &answer->call;

  if (api_is_incoming (call) && !far_trust_revoked_known ())
    return api_fail (
        error, FAR_ERROR_UNAVAILABLE,
        _ ("which nodes are revoked cannot be read here now; farctl status tells the server's admin why"));
  if (!api_take_body (call, route->handler, answer->request, error))
    return FALSE;
  call->object = far_route_object (route, call->parts, call->body, error);
  return call->object != NULL && api_may (call, route->handler, error);
}

/* Only who sees it hears that it is there. */
static gboolean
api_may_found (const FarPrincipal *principal, FarAction action, const FarResolved *found, GError **error)
{
  if (found->object != NULL &&
      (found->own || far_authorize (principal, action, found->object, NULL, NULL) == FAR_DECISION_ALLOW))
    return TRUE;
  if (found->object != NULL && found->refused != NULL && far_authorize_see (principal, found->object))
    return api_fail (error, FAR_ERROR_DENIED, found->refused);
  return api_fail (error, FAR_ERROR_NOT_FOUND, found->unknown != NULL ? found->unknown : far_call_hidden ());
}

/* After what is kept: the end of what was asked for may have been its end, and its asker may ask again. */
static gboolean
api_resolve (FarCall *call, const FarRoute *route, GError **error)
{
  FarResolved found = { 0 };
  gboolean good;

  if (route->handler->resolve == NULL)
    return TRUE;
  route->handler->resolve (route->self, call->principal, call->parts, &found);
  good = api_may_found (call->principal, route->handler->action, &found, error);
  if (good) {
    g_free (call->object);
    call->object = g_steal_pointer (&found.object);
  }
  g_free (found.object);
  g_free (found.unknown);
  g_free (found.refused);
  return good;
}

static gint64
api_timeout_us (const FarMessage *request)
{
  const char *text = far_message_header (request, "timeout");
  guint64 seconds = TIMEOUT_S;

  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 1, TIMEOUT_MAX_S, &seconds, NULL))
    seconds = TIMEOUT_S;
  return (gint64) seconds * G_USEC_PER_SEC;
}

/* Kept: what changes something. Bytes (a batch) have a key of their own; reading again is harmless; nobody is
 * everybody. */
static gboolean
api_is_kept (const FarCall *call, const FarHandler *handler)
{
  return call->bytes == NULL && g_strcmp0 (handler->method, "GET") != 0 &&
         g_strcmp0 (handler->method, "WATCH") != 0;
}

static void
api_run (FarAnswer *answer, const FarRoute *route, char *key)
{
  answer->handler = route->handler;
  answer->self = route->self;
  answer->at = route->at != NULL ? far_instance_ref (route->at) : NULL;
  answer->key = api_is_kept (&answer->call, route->handler) ? g_strdup (key) : NULL;
  far_call_start (answer, api_timeout_us (answer->request));
  route->handler->handle (route->self, &answer->call);
}

static void
api_refuse_reused (const FarMessage *request, FarAnswered answered, gpointer user)
{
  g_autoptr (GError)
      error = g_error_new_literal (FAR_ERROR, FAR_ERROR_CONFLICT,
                                   _ ("this id was used for another message within 10 minutes"));

  api_refuse (request, FALSE, error, answered, user);
}

/* TRUE: answered from what is kept, or waiting with the first. Asked after the rights: what may not be done
 * any more is not shown any more either. */
static gboolean
api_repeated (const char *key, FarMessage *request, FarAnswered answered, gpointer user)
{
  gboolean same = TRUE;
  FarMessage *kept;

  if (key == NULL)
    return FALSE;
  kept = far_dedup_find (key, request, &same);
  if (kept == NULL && !far_call_join (key, request, answered, user, &same))
    return FALSE;
  if (!same)
    api_refuse_reused (request, answered, user);
  else if (kept != NULL)
    far_call_deliver (far_message_ref (kept), TRUE, answered, user);
  return TRUE;
}

static void
api_dispatch (FarAnswer *answer, char *key, FarAnswered answered, gpointer user)
{
  g_autoptr (GError) error = NULL;
  const FarRoute *route = api_route (answer, &error);

  if (answer->principal->kind == FAR_PRINCIPAL_NONE &&
      (route == NULL || route->handler->action != FAR_ACTION_ANYONE)) {
    api_login_first (answer->request, answer->call.transport, answered, user);
    far_call_drop (&answer->call);
  } else if (route == NULL || !api_prepare (answer, route, &error)) {
    api_refuse (answer->request, answer->no_route, error, answered, user);
    far_call_drop (&answer->call);
  } else if (api_repeated (key, answer->request, answered, user)) {
    far_call_drop (&answer->call);
  } else if (!api_resolve (&answer->call, route, &error)) {
    api_refuse (answer->request, FALSE, error, answered, user);
    far_call_drop (&answer->call);
  } else {
    api_run (answer, route, key);
  }
}

/* The key under which its answer is kept, NULL: none. FALSE: the id was used for another message. */
static gboolean
api_key (const FarPrincipal *asker, const FarMessage *request, char **key)
{
  gboolean same = TRUE;

  *key = far_dedup_key (asker, request->id);
  return *key == NULL || far_dedup_find (*key, request, &same) == NULL || same;
}

void
far_api_submit (const FarPrincipal *principal, const char *transport, FarMessage *request,
                FarAnswered answered, gpointer user)
{
  FAR_ON_MAIN ();
  g_autoptr (GError) error = NULL;
  g_autoptr (FarPrincipal)
      asker = api_form_ok (request, &error) ? far_delegated_asker (principal, request, &error) : NULL;
  g_autofree char *key = NULL;
  FarAnswer *answer;

  if (asker == NULL) {
    api_refuse (request, FALSE, error, answered, user);
    return;
  }
  if (!api_key (asker, request, &key)) {
    api_refuse_reused (request, answered, user);
    return;
  }
  answer = far_call_new (asker, request, answered, user);
  answer->call.transport = g_strdup (transport);
  answer->call.via = far_message_header (request, "via");
  answer->call.hops = far_hops_of (request);
  api_dispatch (answer, key, answered, user);
}
