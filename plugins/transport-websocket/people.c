/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Type `https`: who asks, who may upgrade to what, and the options. Its HTTP requests stand in people-http.c.
 */
#include "config.h"

#include "people.h"

#include <string.h>

#include <farwatch/i18n.h>

#include "stream.h"
#include "types.h"

#define HEAD_MAX 16384
#define TARGET_MAX 8192
#define PER_SECOND 20
#define PING_US (50 * G_USEC_PER_SEC)
#define SILENT_US (120 * G_USEC_PER_SEC)
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

/* A client that has a ticket already (a browser's next page, farctl) shows it in a header of its first
 * message instead of logging in again. */
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
ws_people_link_answered (gpointer self, WsLink *link, const FarMessage *answer)
{
  char *ticket;

  if (link->login_id == NULL || g_strcmp0 (answer->id, link->login_id) != 0)
    return;
  g_clear_pointer (&link->login_id, g_free);
  ticket = answer->status == 200 ? ticket_in (answer) : NULL;
  if (ticket != NULL)
    take_ticket (link, ticket);
}

static const WsHubFuncs people_funcs = {
  .asker = link_asker,
  .asked = link_asked,
  .answered = ws_people_link_answered,
};

/* ---- where from, [loop] ---- */

guint
people_origin (WsConn *conn, const WsHead *head, char **text)
{
  const People *self = conn->listener->spec.user;
  const char *origin = ws_head_field (head, "origin");

  if (origin == NULL)
    return 0;
  for (guint i = 0; self->options->origins != NULL && self->options->origins[i] != NULL; i++)
    if (g_ascii_strcasecmp (origin, self->options->origins[i]) == 0)
      return 0;
  *text =
      g_strdup_printf (_ ("pages of %.200s may not use this door; add it to `origins` of %s if they should"),
                       origin, far_instance_path (self->at));
  return 403;
}

/* A declared proxy says whom it stands for: the last address in the list is the one it saw itself. Who may
 * open our unix socket is one. */
void
people_look_behind_proxy (WsConn *conn, const WsHead *head)
{
  const People *self = conn->listener->spec.user;
  const char *list = ws_head_field (head, "x-forwarded-for"),
             *comma = list == NULL ? NULL : strrchr (list, ',');
  g_autofree char *last = g_strdup (list == NULL ? "" : comma == NULL ? list : comma + 1);
  gboolean proxy = strcmp (conn->address, "unix") == 0;

  for (guint i = 0; self->options->proxies != NULL && self->options->proxies[i] != NULL; i++)
    proxy = proxy || far_address_in (conn->address, self->options->proxies[i], NULL);
  if (!proxy)
    return;
  g_strstrip (last);
  g_free (conn->from);
  conn->from = g_strdup (far_address_in (last, last, NULL) ? last : "");
}

/* ---- streams ---- */

typedef struct {
  WsHub *hub;
  FarStream *stream;
  char *ticket, *from;
} Redeem;

static void
redeem_free (Redeem *redeem)
{
  ws_hub_unref (redeem->hub);
  far_secret_free (redeem->ticket);
  g_free (redeem->from);
  g_free (redeem);
}

static void
refuse_ticket (gpointer stream)
{
  ws_stream_refuse (stream, WS_CLOSE_POLICY, "no such ticket, or it has ended");
}

static void
ticket_good (gpointer stream)
{
  ws_stream_verified (stream);
  ws_stream_hold (stream, FALSE);
}

/* [main] */
static void
redeem_on_main (gpointer data)
{
  Redeem *redeem = data;
  FarLoop *loop = redeem->stream->loop;

  if (redeem->hub->self == NULL || !far_ticket_valid (redeem->ticket, NULL)) {
    far_loop_post (loop, refuse_ticket, redeem->stream);
  } else {
    far_loop_post (loop, ticket_good, redeem->stream);
    far_ticket_redeem (redeem->ticket, redeem->stream, redeem->from);
  }
  redeem_free (redeem);
}

/* Nothing is read before the ticket is judged. */
static guint
begin_stream (WsConn *conn, const char *ticket)
{
  Redeem *redeem = g_new0 (Redeem, 1);

  redeem->hub = ws_hub_ref (conn->hub);
  redeem->ticket = g_strdup (ticket);
  redeem->from = g_strdup (conn->from);
  redeem->stream = ws_http_stream (conn);
  if (redeem->stream == NULL) {
    redeem_free (redeem);
    return 0;
  }
  ws_stream_hold (redeem->stream, TRUE);
  far_loop_post (far_loop_main (), redeem_on_main, redeem);
  return 0;
}

static guint
people_upgrade (WsConn *conn, const WsHead *head, char **text)
{
  static const char prefix[] = "/stream/";
  guint status = people_origin (conn, head, text);

  if (status != 0)
    return status;
  people_look_behind_proxy (conn, head);
  if (strcmp (head->path, "/link") == 0) {
    ws_http_socket (conn, PEOPLE_MESSAGE_MAX);
    return 0;
  }
  if (!g_str_has_prefix (head->path, prefix) || strlen (head->path) - strlen (prefix) > TICKET_MAX)
    return 404;
  return begin_stream (conn, head->path + strlen (prefix));
}

/* ---- life ---- */

static FarGateLimits
people_limits (const PeopleOptions *options)
{
  return (FarGateLimits){ (guint) options->max_connections, (guint) options->max_per_address, UNVERIFIED_MAX,
                          (const char *const *) options->trusted };
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

/* Streams go on; links come again by the new instance; an HTTP request under way is answered. */
static void
people_idle (WsListener *listener)
{
  People *self = listener->spec.user;

  if (self->retired)
    return;
  self->retired = TRUE;
  far_loop_post (far_loop_main (), retired_on_main, ws_hub_ref (listener->spec.hub));
}

static const WsHooks people_hooks = {
  .upgrade = people_upgrade, .judge = people_judge, .request = people_request, .idle = people_idle
};

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
  g_clear_pointer (&self->listener, ws_listener_free);
  g_clear_pointer (&self->options, far_options_unref);
}

static gboolean
people_listen (People *self, GError **error)
{
  const PeopleOptions *options = self->options;
  const FarTlsSpec tls_spec = { .at = self->at,
                                .server = TRUE,
                                .cert = options->cert,
                                .key = options->key,
                                .alpn = "http/1.1,http/1.0" };
  gboolean plain = g_str_has_prefix (options->listen, "unix:"); /* a proxy on this machine has done TLS */
  int fd = far_instance_listen (self->at, options->listen, NULL, error);
  g_autoptr (FarTls) tls = fd < 0 || plain ? NULL : far_tls_new (&tls_spec, error);
  WsListenerSpec spec = { .at = self->at,
                          .fd = fd,
                          .tls = tls,
                          .limits = people_limits (options),
                          .proxies = (const char *const *) options->proxy_protocol,
                          .per_second = PER_SECOND,
                          .head = { HEAD_MAX, TARGET_MAX, 64 },
                          .requests_max = PEOPLE_REQUESTS_MAX,
                          .idle_us = SILENT_US,
                          .ping_us = PING_US,
                          .hooks = &people_hooks,
                          .hub = self->hub,
                          .user = self };

  if (fd < 0 || (tls == NULL && !plain))
    return FALSE;
  self->listener = ws_listener_new (&spec);
  return TRUE;
}

typedef struct {
  People *self;
  const PeopleOptions *options;
} Exchange;

/* [loop] */
static void
exchange_options (gpointer data)
{
  Exchange *exchange = data;

  far_options_unref (exchange->self->options);
  exchange->self->options = exchange->options;
  g_free (exchange);
}

static gboolean
people_reload (gpointer data, const void *new_options, GError **error)
{
  People *self = data;
  const PeopleOptions *options = new_options;
  const FarGateLimits limits = people_limits (options);
  Exchange *exchange = g_new0 (Exchange, 1);

  far_api_set_login (self->at, (const char *const *) options->login);
  *exchange = (Exchange){ self, far_options_ref (options) };
  far_loop_post (self->listener->loop, exchange_options, exchange);
  ws_listener_change (self->listener, &limits, (const char *const *) options->proxy_protocol, options->cert,
                      options->key, NULL, SILENT_US);
  return TRUE;
}

static void
people_retire (gpointer data)
{
  ws_listener_retire (((People *) data)->listener);
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
  far_api_set_login (self->at, (const char *const *) self->options->login);
  far_instance_ready (self->at);
  return TRUE;
}

#define OFFSET(field) G_STRUCT_OFFSET (PeopleOptions, field)

static const FarOption people_options[] = {
  { "listen", FAR_OPT_ADDRESS, FAR_OPT_REQUIRED | FAR_OPT_UNIX, OFFSET (listen), NULL,
    N_ ("where people come in, as 127.0.0.1:8444; or unix:/run/farwatch/front.sock, without TLS, for a proxy "
        "on this machine") },
  { "login", FAR_OPT_REFS, FAR_OPT_REQUIRED | FAR_OPT_RELOADABLE, OFFSET (login), NULL,
    N_ ("authenticators that are asked, in this order"), 0, 0, NULL, FAR_KIND_AUTHENTICATOR },
  { "cert", FAR_OPT_PATH, FAR_OPT_RELOADABLE, OFFSET (cert), "keys/node.crt",
    N_ ("certificate shown to people, with its chain") },
  { "key", FAR_OPT_PATH, FAR_OPT_RELOADABLE, OFFSET (key), "keys/node.key", N_ ("its key") },
  { "origins", FAR_OPT_LIST, FAR_OPT_RELOADABLE, OFFSET (origins), NULL,
    N_ ("pages that may use this door from a browser, as https://console.example; none: no browser") },
  { "max-connections", FAR_OPT_INT, FAR_OPT_RELOADABLE, OFFSET (max_connections), "512",
    N_ ("connections in all"), 1, 100000 },
  { "max-per-address", FAR_OPT_INT, FAR_OPT_RELOADABLE, OFFSET (max_per_address), "96",
    N_ ("connections of one address before login"), 1, 100000 },
  { "trusted", FAR_OPT_LIST, FAR_OPT_RELOADABLE | FAR_OPT_NETS, OFFSET (trusted), NULL,
    N_ ("nets without a limit per address, as 10.0.0.0/8") },
  { "proxies", FAR_OPT_LIST, FAR_OPT_RELOADABLE | FAR_OPT_NETS, OFFSET (proxies), NULL,
    N_ ("nets of reverse proxies whose X-Forwarded-For is believed") },
  { "proxy-protocol", FAR_OPT_LIST, FAR_OPT_RELOADABLE | FAR_OPT_NETS, OFFSET (proxy_protocol), NULL,
    N_ ("nets of proxies whose connections begin with a PROXY protocol header (version 2)") },
  { NULL, FAR_OPT_END },
};

const FarTransportType ws_type_people = {
  .type = { .kind = FAR_KIND_TRANSPORT,
            .name = "https",
            .summary = N_ ("people's listener: HTTP and WebSocket over TLS"),
            .instance_size = sizeof (People),
            .options_size = sizeof (PeopleOptions),
            .options = people_options,
            .init = people_init,
            .start = people_start,
            .reload = people_reload,
            .retire = people_retire,
            .stop = people_stop },
  .dial = ws_dial,
};
