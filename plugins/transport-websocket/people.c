/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "people.h"

#include <string.h>

#include "accept.h"
#include "answer.h"
#include "stream.h"
#include "types.h"

#define BUFFER 32768
#define BUFFER_LINK 4096
#define HEADER_MAX 16384
#define TICKET_MAX 64
#define UNVERIFIED_MAX 512

/* ---- who, [main] ---- */

FarPrincipal *
people_principal (const char *ticket, const char *from)
{
  FarPrincipal *principal = ticket == NULL ? NULL : far_login_ticket_principal (ticket, from);

  return principal != NULL ? principal : far_principal_new (FAR_PRINCIPAL_NONE, "", NULL, from);
}

static FarPrincipal *
link_asker (gpointer self, WsLink *link)
{
  return people_principal (link->ticket, link->conn->from);
}

/* The front ticket of a login that is passing by. */
static char *
ticket_in (const FarMessage *message)
{
  json_t *body = message->body == NULL ? NULL : far_message_json (message, NULL);
  char *ticket = g_strdup (json_string_value (json_object_get (body, "ticket")));

  json_decref (body);
  return ticket;
}

static void
take_ticket (WsLink *link, char *ticket)
{
  g_autoptr (FarPrincipal) principal = people_principal (ticket, link->conn->from);

  if (principal->kind == FAR_PRINCIPAL_NONE) {
    far_secret_free (ticket);
    return;
  }
  far_secret_free (link->ticket);
  link->ticket = ticket;
  ws_link_verified (link);
}

/* A client that has a ticket already (a browser's next page, farctl) shows it in a header of its first message instead of logging in again. */
static void
link_asked (gpointer self, WsLink *link, const FarMessage *request)
{
  const char *shown = far_message_header (request, "ticket");

  if (shown != NULL && link->ticket == NULL)
    take_ticket (link, g_strdup (shown));
  if (g_strcmp0 (request->method, "POST") == 0 && g_strcmp0 (request->resource, "login") == 0) {
    g_free (link->login_id);
    link->login_id = g_strdup (request->id);
  }
}

static void
link_answered (gpointer self, WsLink *link, const FarMessage *answer)
{
  char *ticket;

  if (link->login_id == NULL || g_strcmp0 (answer->id, link->login_id) != 0)
    return;
  g_clear_pointer (&link->login_id, g_free);
  ticket = answer->status == 200 ? ticket_in (answer) : NULL;
  if (ticket != NULL)
    take_ticket (link, ticket);
}

static const WsHubFuncs people_funcs = { .asker = link_asker, .asked = link_asked, .answered = link_answered };

/* ---- where from, [loop] ---- */

guint
people_origin (WsConn *conn, char **text)
{
  const People *self = conn->context->user;
  g_autofree char *origin = ws_header (conn, WSI_TOKEN_ORIGIN, 256);

  if (lws_hdr_total_length (conn->wsi, WSI_TOKEN_ORIGIN) <= 0)
    return 0;
  for (guint i = 0; origin != NULL && self->options->origins != NULL && self->options->origins[i] != NULL; i++)
    if (g_ascii_strcasecmp (origin, self->options->origins[i]) == 0)
      return 0;
  *text = g_strdup_printf (_("pages of %s may not use this door; add it to `origins` of %s if they should"), origin != NULL ? origin : "?",
                           far_instance_path (self->at));
  return 403;
}

/* A declared proxy says whom it stands for: the last address in the list is the one it saw itself. */
static void
look_behind_proxy (WsConn *conn)
{
  const People *self = conn->context->user;
  g_autofree char *list = ws_header (conn, WSI_TOKEN_X_FORWARDED_FOR, 1024);
  const char *last = list == NULL ? NULL : strrchr (list, ',');
  gboolean proxy = FALSE;

  for (guint i = 0; self->options->proxies != NULL && self->options->proxies[i] != NULL; i++)
    proxy = proxy || far_address_in (conn->address, self->options->proxies[i], NULL);
  if (!proxy)
    return;
  last = g_strstrip (list == NULL ? (char[]){ "" } : last == NULL ? list : (char *) last + 1);
  g_free (conn->from);
  conn->from = g_strdup (far_address_in (last, last, NULL) ? last : "");
}

/* ---- streams ---- */

typedef struct {
  WsConn *conn;
  FarStream *stream;
  char *ticket;
} Redeem;

static void
refuse_ticket (gpointer data)
{
  Redeem *redeem = data;

  ws_conn_close (redeem->conn, WS_CLOSE_POLICY, "no such ticket, or it has ended");
  far_stream_free (redeem->stream);
  ws_conn_unref (redeem->conn);
  g_free (redeem);
}

static void
ticket_good (gpointer data)
{
  WsConn *conn = data;

  ws_conn_verified (conn);
  ws_conn_hold (conn, FALSE);
  ws_conn_unref (conn);
}

/* [main] */
static void
redeem_on_main (gpointer data)
{
  Redeem *redeem = data;
  FarHome *home = redeem->stream->home;
  g_autofree char *ticket = g_steal_pointer (&redeem->ticket);

  if (redeem->conn->hub->self == NULL || !far_ticket_valid (ticket, NULL)) {
    far_home_post (home, refuse_ticket, redeem);
    return;
  }
  far_home_post (home, ticket_good, redeem->conn);
  far_ticket_redeem (ticket, redeem->stream, redeem->conn->from);
  g_free (redeem);
}

static void
stream_opened (WsConn *conn, FarStream *stream)
{
  Redeem *redeem = g_new0 (Redeem, 1);

  redeem->conn = ws_conn_ref (conn);
  redeem->stream = stream;
  redeem->ticket = g_strdup (conn->node);
  g_clear_pointer (&conn->node, g_free);
  ws_conn_hold (conn, TRUE); /* nothing is read before the ticket is judged */
  far_home_post (far_home_main (), redeem_on_main, redeem);
}

static guint
people_upgrade (WsConn *conn, const char *path, char **text)
{
  guint status = people_origin (conn, text);

  if (status != 0)
    return status;
  look_behind_proxy (conn);
  if (strcmp (path, "/link") == 0) {
    ws_link_begin (conn, PEOPLE_MESSAGE_MAX);
    return 0;
  }
  if (!g_str_has_prefix (path, "/stream/") || strlen (path) - strlen ("/stream/") > TICKET_MAX)
    return 404;
  conn->node = g_strdup (path + strlen ("/stream/")); /* the ticket, until the WebSocket is up */
  ws_stream_begin (conn, stream_opened);
  return 0;
}

/* ---- life ---- */

static int
people_request (WsConn *conn, const char *path)
{
  look_behind_proxy (conn);
  return people_http (conn, path);
}

static FarGateLimits
limits_of (const PeopleOptions *options)
{
  return (FarGateLimits){ (guint) options->max_connections, (guint) options->max_per_address, UNVERIFIED_MAX, (const char *const *) options->trusted };
}

static void
reload_on_loop (WsContext *context, gconstpointer data)
{
  People *self = context->user;
  const FarGateLimits limits = limits_of (data);
  const PeopleOptions *old = self->options;

  self->options = far_options_ref (data);
  far_options_unref (old);
  ws_accept_limits (context->accept, &limits);
  ws_context_files (context, self->options->cert, self->options->key, NULL);
}

/* [main] */
static void
retired_on_main (gpointer data)
{
  WsHub *hub = data;

  if (hub->self != NULL)
    far_instance_retired (hub->at);
  ws_hub_unref (hub);
}

static void
tell_when_idle (WsContext *context)
{
  const People *self = context->user;

  if (self->retiring && context->streams == 0)
    far_home_post (far_home_main (), retired_on_main, ws_hub_ref (context->hub));
}

/* Streams go on; links come again by the new instance; an HTTP request under way is answered. */
static void
retire_on_loop (gpointer data)
{
  People *self = data;

  self->retiring = TRUE;
  ws_accept_stop (self->context->accept);
  for (GList *link = self->context->lively.head; link != NULL; link = link->next)
    ws_conn_close (link->data, WS_CLOSE_AWAY, "replaced");
  tell_when_idle (self->context);
}

static const WsHooks people_hooks = { .upgrade = people_upgrade, .http = people_request, .http_body = people_http_body,
                                      .reload = reload_on_loop, .streamless = tell_when_idle };

static gboolean
people_init (gpointer data, FarInstance *at, GError **error)
{
  ((People *) data)->at = at;
  return TRUE;
}

static void
people_stop (gpointer data)
{
  People *self = data;

  if (self->hub != NULL)
    ws_hub_end (g_steal_pointer (&self->hub));
  g_clear_pointer (&self->context, ws_context_free);
  g_clear_pointer (&self->options, far_options_unref);
}

static gboolean
people_listen (People *self, GError **error)
{
  const PeopleOptions *options = self->options;
  const WsContextSpec spec = { .name = "ws-people", .server = TRUE, .buffer = BUFFER, .links = BUFFER_LINK, .header_max = HEADER_MAX,
                               .max_connections = (guint) options->max_connections, .ping_s = 50, .hangup_s = 120 };
  const FarGateLimits limits = limits_of (options);
  WsTls tls = { .cert = g_strdup (options->cert), .key = g_strdup (options->key) };
  g_autofree char *bound = NULL;
  int fd = far_instance_listen (self->at, options->listen, &bound, error);

  if (fd >= 0)
    self->context = ws_context_new (self->at, &spec, &tls, &people_hooks, self->hub, self, error);
  ws_tls_clear (&tls);
  if (self->context == NULL || ws_accept_new (self->context, fd, &limits, error) == NULL)
    return FALSE;
  far_log (self->at, G_LOG_LEVEL_INFO, "listening on %s", bound);
  return TRUE;
}

static gboolean
people_reload (gpointer data, const void *options, GError **error)
{
  People *self = data;

  far_door_set_login (self->at, (const char *const *) ((const PeopleOptions *) options)->login);
  ws_context_reload (self->context, options);
  return TRUE;
}

static void
people_retire (gpointer data)
{
  far_home_post (((People *) data)->context->home, retire_on_loop, data);
}

static gboolean
people_start (gpointer data, GError **error)
{
  People *self = data;

  self->options = far_options_ref (far_instance_options (self->at));
  self->hub = ws_hub_new (self->at, self, &people_funcs);
  if (!people_listen (self, error)) {
    people_stop (self);
    return FALSE;
  }
  far_door_set_login (self->at, (const char *const *) self->options->login);
  ws_context_run (self->context);
  far_instance_ready (self->at);
  return TRUE;
}

#define OFFSET(field) G_STRUCT_OFFSET (PeopleOptions, field)

static const FarOption people_options[] = {
  { "listen", FAR_OPT_ADDRESS, FAR_OPT_REQUIRED, OFFSET (listen), NULL, N_ ("where people come in, as 127.0.0.1:8444") },
  { "login", FAR_OPT_REFS, FAR_OPT_REQUIRED | FAR_OPT_RELOADABLE, OFFSET (login), NULL, N_ ("authenticators that are asked, in this order"), 0, 0, NULL, FAR_KIND_AUTHENTICATOR },
  { "cert", FAR_OPT_PATH, FAR_OPT_RELOADABLE, OFFSET (cert), "keys/node.crt", N_ ("certificate shown to people, with its chain") },
  { "key", FAR_OPT_PATH, FAR_OPT_RELOADABLE, OFFSET (key), "keys/node.key", N_ ("its key") },
  { "origins", FAR_OPT_LIST, FAR_OPT_RELOADABLE, OFFSET (origins), NULL, N_ ("pages that may use this door from a browser, as https://console.example; none: no browser") },
  { "max-connections", FAR_OPT_INT, FAR_OPT_RELOADABLE, OFFSET (max_connections), "512", N_ ("connections in all"), 1, 100000 },
  { "max-per-address", FAR_OPT_INT, FAR_OPT_RELOADABLE, OFFSET (max_per_address), "32", N_ ("connections of one address before login"), 1, 100000 },
  { "trusted", FAR_OPT_LIST, FAR_OPT_RELOADABLE | FAR_OPT_NETS, OFFSET (trusted), NULL, N_ ("nets without a limit per address, as 10.0.0.0/8") },
  { "proxies", FAR_OPT_LIST, FAR_OPT_RELOADABLE | FAR_OPT_NETS, OFFSET (proxies), NULL, N_ ("nets of reverse proxies whose X-Forwarded-For is believed") },
  { NULL, FAR_OPT_END },
};

const FarTransportType ws_type_people = {
  .type = { .kind = FAR_KIND_TRANSPORT, .name = "https", .summary = N_ ("people's door: HTTP and WebSocket over TLS"), .instance_size = sizeof (People),
            .options_size = sizeof (PeopleOptions), .options = people_options, .init = people_init, .start = people_start, .reload = people_reload, .retire = people_retire, .stop = people_stop },
  .dial = ws_dial,
};
