/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The people's HTTP: each request is one message to the router, and its answer one message back. */
#include "config.h"

#include "people.h"

#include <stdlib.h>
#include <string.h>

#include <farwatch/i18n.h>

#define PREFIX "/api/"
#define HELLO "Farwatch. Machines ask at /api/, with a ticket from POST /api/login.\n"
#define ID_MAX 64

/* ---- main's side ---- */

typedef struct {
  gint refs; /* one of main until it has answered, one of the connection */
  WsConn *conn;
  FarMessage *request;
  char *bearer, *from;
  FarMessage *answer;
  gboolean known; /* a valid ticket was shown, or a new one is given */
  gboolean live;  /* a watch: events until the last */
  gboolean over;  /* [main] the last answer has come */
} WsCall;

static void
call_unref (WsCall *call)
{
  if (!g_atomic_int_dec_and_test (&call->refs))
    return;
  far_message_unref (call->request);
  if (call->answer != NULL)
    far_message_unref (call->answer);
  far_secret_free (call->bearer);
  ws_conn_unref (call->conn);
  g_free (call->from);
  g_free (call);
}

static void
send_answer (WsConn *conn, const FarMessage *answer)
{
  gconstpointer body = NULL;
  gsize size = 0;

  if (answer->body != NULL)
    body = g_bytes_get_data (answer->body, &size);
  ws_http_answer (conn, answer->status, answer->content_type != NULL ? answer->content_type : FAR_TYPE_JSON,
                  body, size, answer->status == 401 ? "www-authenticate: Bearer\r\n" : NULL);
}

static void
call_over (WsCall *call)
{
  WsConn *conn = call->conn;

  conn->call = NULL;
  conn->live = FALSE;
  conn->calls--;
  call_unref (call);
}

/* [loop] */
static void
answer_at_loop (gpointer data)
{
  WsCall *call = data;
  WsConn *conn = call->conn;

  if (conn->call == call) {
    if (call->known)
      ws_conn_verified (conn);
    call_over (call); /* before the answer, which may be the connection's end */
    if (ws_http_waits (conn))
      send_answer (conn, call->answer);
    if (conn->listener != NULL)
      ws_listener_less (conn->listener);
  }
  call_unref (call);
}

/* ---- watches as server-sent events (WHATWG HTML, section 9.2) ---- */

typedef struct {
  WsCall *call;
  FarMessage *message;
  gboolean last;
} Event;

static char *
event_text (const FarMessage *message, gsize *size)
{
  json_t *body = message->body == NULL ? NULL : far_message_json (message, NULL);
  char *line = body == NULL ? NULL : json_dumps (body, JSON_COMPACT);
  const char *number = far_message_header (message, "event");
  char *text = g_strdup_printf ("%s%s%s%sdata: %s\n\n", number != NULL ? "id: " : "",
                                number != NULL ? number : "", number != NULL ? "\n" : "",
                                message->status >= 400 ? "event: error\n" : "", line != NULL ? line : "{}");

  free (line);
  json_decref (body);
  *size = strlen (text);
  return text;
}

static void
show_event (WsConn *conn, const Event *event)
{
  g_autofree char *text = NULL;
  gsize size;

  if (!conn->live && event->message->status >= 400) { /* no watch at all */
    send_answer (conn, event->message);
    return;
  }
  if (!conn->live)
    ws_http_live (conn, "text/event-stream");
  conn->live = TRUE;
  if (event->message->status != 204) {
    text = event_text (event->message, &size);
    ws_http_live_piece (conn, text, size);
  }
  if (event->last)
    ws_http_live_piece (conn, NULL, 0);
}

/* [loop] */
static void
event_at_loop (gpointer data)
{
  Event *event = data;
  WsCall *call = event->call;
  WsConn *conn = call->conn;

  if (conn->call == call) {
    if (call->known)
      ws_conn_verified (conn);
    if (ws_http_waits (conn))
      show_event (conn, event);
    if (event->last && conn->call == call) {
      call_over (call);
      if (conn->listener != NULL)
        ws_listener_less (conn->listener);
    }
  }
  far_message_unref (event->message);
  call_unref (call);
  g_free (event);
}

/* [main] */
static void
watch_answered (WsCall *call, FarMessage *answer, gboolean last)
{
  Event *event = g_new0 (Event, 1);

  g_atomic_int_inc (&call->refs);
  *event = (Event){ call, far_message_ref (answer), last };
  far_loop_post (call->conn->loop, event_at_loop, event);
  if (!last)
    return;
  call->over = TRUE;
  call_unref (call);
}

typedef struct {
  WsCall *call;
  gboolean high;
} Pressure;

static void
call_pressure_on_main (gpointer data)
{
  Pressure *pressure = data;

  if (!pressure->call->over)
    far_api_busy (pressure->call, pressure->high);
  call_unref (pressure->call);
  g_free (pressure);
}

static void
call_pressure (WsConn *conn, gboolean high)
{
  Pressure *pressure;

  if (!conn->live)
    return;
  pressure = g_new0 (Pressure, 1);
  *pressure = (Pressure){ conn->call, high };
  g_atomic_int_inc (&pressure->call->refs);
  far_loop_post (far_loop_main (), call_pressure_on_main, pressure);
}

/* ---- answers ---- */

static void
http_answered (FarMessage *answer, gboolean last, gpointer user)
{
  WsCall *call = user;

  if (call->live) {
    watch_answered (call, answer, last);
    return;
  }
  if (call->answer != NULL)
    return;
  call->answer = far_message_ref (answer);
  if (answer->status == 200 && g_strcmp0 (call->request->method, "POST") == 0 &&
      g_strcmp0 (call->request->resource, "login") == 0)
    call->known = TRUE;
  far_loop_post (call->conn->loop, answer_at_loop, call);
}

static FarMessage *
bad_ticket (const FarMessage *request)
{
  return far_message_answer (request, 401,
                             json_pack ("{s:s,s:s,s:s}", "error", "denied", "message",
                                        _ ("this ticket is not valid (any more)"), "next",
                                        _ ("POST login with name and password")));
}

/* The listener has gone meanwhile: who waits is told so. */
static FarMessage *
no_owner (const FarMessage *request)
{
  g_autoptr (GError) error = g_error_new_literal (FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                                                  _ ("this listener has ended; try again"));

  return far_message_error (request, error);
}

static void
call_on_main (gpointer data)
{
  WsCall *call = data;
  WsHub *hub = call->conn->hub;
  g_autoptr (FarPrincipal) principal = NULL;
  g_autoptr (FarMessage) early = NULL;

  if (hub->self == NULL) {
    early = no_owner (call->request);
    http_answered (early, TRUE, call);
    return;
  }
  principal = people_principal (call->bearer, call->from);
  call->known = principal->kind != FAR_PRINCIPAL_NONE;
  if (call->bearer != NULL && !call->known) {
    early = bad_ticket (call->request);
    http_answered (early, TRUE, call);
    return;
  }
  far_api_submit (principal, hub->transport, call->request, http_answered, call);
}

/* The connection ended before its answer: nobody waits for it. */
static void
gone_on_main (gpointer data)
{
  WsCall *call = data;

  if (call->answer == NULL && !call->over) {
    far_api_gone (call);
    call_unref (call);
  }
  call_unref (call);
}

/* ---- the connection's side ---- */

static void
call_gone (WsConn *conn)
{
  conn->calls--;
  conn->live = FALSE;
  far_loop_post (far_loop_main (), gone_on_main, g_steal_pointer (&conn->call));
}

static char *
bearer_of (const WsHead *head)
{
  const char *field = ws_head_field (head, "authorization");

  if (field == NULL || g_ascii_strncasecmp (field, "Bearer ", 7) != 0)
    return NULL;
  return g_strstrip (g_strdup (field + 7));
}

/* The path is decoded already, the query is not: what the router takes is escaped as in URLs. */
static char *
resource_of (const WsHead *head)
{
  GString *text = g_string_new (NULL);

  g_string_append_uri_escaped (text, head->path + strlen (PREFIX), "/:@+,;=~!$&'()*", FALSE);
  if (head->query != NULL)
    g_string_append_printf (text, "?%s", head->query);
  return g_string_free (text, FALSE);
}

static void
fill_body (FarMessage *request, const WsHead *head, GBytes *body)
{
  const char *type = ws_head_field (head, "content-type");

  if (body == NULL)
    return;
  request->body = g_bytes_ref (body);
  request->content_type = g_strdup (type != NULL ? type : FAR_TYPE_JSON);
  g_strdelimit (request->content_type, ";", 0);
  g_strchomp (request->content_type);
}

static FarMessage *
message_of (const WsHead *head, GBytes *body)
{
  g_autofree char *resource = resource_of (head);
  const char *id = ws_head_field (head, "x-request-id");
  FarMessage *request = far_message_request (strcmp (head->method, "HEAD") == 0 ? "GET" : head->method,
                                             resource, NULL);

  if (id != NULL && strlen (id) <= ID_MAX) {
    g_free (request->id);
    request->id = g_strdup (id);
  }
  fill_body (request, head, body);
  return request;
}

/* A page's EventSource asks so. */
static gboolean
wants_events (const WsHead *head)
{
  return strcmp (head->method, "GET") == 0 && ws_head_has_token (head, "accept", "text/event-stream");
}

guint
people_judge (WsConn *conn, const WsHead *head, char **text)
{
  gboolean api = g_str_has_prefix (head->path, PREFIX),
           reads = strcmp (head->method, "GET") == 0 || strcmp (head->method, "HEAD") == 0;
  guint status = people_origin (conn, head, text);

  if (status != 0)
    return status;
  if (strcmp (head->path, "/link") == 0 || g_str_has_prefix (head->path, "/stream/")) {
    *text = g_strdup (_ ("this is a WebSocket: ask for an upgrade"));
    return 426;
  }
  if (!reads && strcmp (head->method, "POST") != 0 && strcmp (head->method, "PUT") != 0 &&
      strcmp (head->method, "DELETE") != 0) {
    *text = g_strdup (_ ("GET, HEAD, POST, PUT and DELETE are possible; events come at /link"));
    return 405;
  }
  if (!api && strcmp (head->path, "/") != 0) {
    *text = g_strdup (_ ("nothing here; messages go to /api/RESOURCE"));
    return 404;
  }
  if (api || reads)
    return 0;
  *text = g_strdup (_ ("messages go to /api/RESOURCE"));
  return 405;
}

void
people_request (WsConn *conn, const WsHead *head, GBytes *body)
{
  WsCall *call;

  people_look_behind_proxy (conn, head);
  if (strcmp (head->path, "/") == 0) {
    ws_http_answer (conn, 200, "text/plain; charset=utf-8", HELLO, strlen (HELLO), NULL);
    return;
  }
  call = g_new0 (WsCall, 1);
  call->refs = 2;
  call->conn = ws_conn_ref (conn);
  call->from = g_strdup (conn->from);
  call->request = message_of (head, body);
  call->bearer = bearer_of (head);
  call->live = wants_events (head);
  if (call->live) {
    g_free (call->request->method);
    call->request->method = g_strdup ("WATCH");
  }
  conn->call = call;
  conn->call_gone = call_gone;
  conn->call_pressure = call_pressure;
  conn->calls++;
  far_loop_post (far_loop_main (), call_on_main, call);
}
