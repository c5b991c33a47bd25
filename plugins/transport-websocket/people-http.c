/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The people's HTTP: each request is one message to the router, and its answer one message back. */
#include "config.h"

#include "people.h"

#include <string.h>

#include <farwatch/i18n.h>

#define PREFIX "/api/"
#define HELLO "Farwatch. Machines ask at /api/, with a ticket from POST /api/login.\n"
#define ID_MAX 64

/* ---- main's side ---- */

typedef struct {
  gint refs;            /* one of main until it has answered, one of the connection */
  WsConn *conn;
  FarMessage *request;
  char *bearer, *from;
  FarMessage *answer;
  gboolean known;       /* a valid ticket was shown, or a new one is given */
} Call;

static void
call_unref (Call *call)
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
  ws_http_answer (conn, answer->status, answer->content_type != NULL ? answer->content_type : FAR_TYPE_JSON, body, size,
                  answer->status == 401 ? "www-authenticate: Bearer\r\n" : NULL);
}

/* [home] */
static void
answer_at_home (gpointer data)
{
  Call *call = data;
  WsConn *conn = call->conn;

  if (conn->call == call) {
    conn->call = NULL;
    conn->calls--;
    if (call->known)
      ws_conn_verified (conn);
    if (ws_http_waits (conn))
      send_answer (conn, call->answer);
    if (conn->listener != NULL)
      ws_listener_less (conn->listener);
    call_unref (call);
  }
  call_unref (call);
}

static void
http_answered (FarMessage *answer, gboolean last, gpointer user)
{
  Call *call = user;

  if (call->answer != NULL) /* a watch, which HTTP does not carry: its first event stands */
    return;
  call->answer = far_message_ref (answer);
  if (answer->status == 200 && g_strcmp0 (call->request->method, "POST") == 0 && g_strcmp0 (call->request->resource, "login") == 0)
    call->known = TRUE;
  far_home_post (call->conn->home, answer_at_home, call);
}

static FarMessage *
bad_ticket (const FarMessage *request)
{
  return far_message_answer (request, 401, json_pack ("{s:s,s:s,s:s}", "error", "denied", "message", _("this ticket is not valid (any more)"), "next",
                                                      _("POST login with name and password")));
}

/* The listener has gone meanwhile: who waits is told so. */
static FarMessage *
no_owner (const FarMessage *request)
{
  g_autoptr (GError) error = g_error_new_literal (FAR_ERROR, FAR_ERROR_UNAVAILABLE, _("this listener has ended; try again"));

  return far_message_error (request, error);
}

static void
call_on_main (gpointer data)
{
  Call *call = data;
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
  far_door_submit (principal, hub->transport, call->request, http_answered, call);
}

/* The connection ended before its answer: nobody waits for it. */
static void
gone_on_main (gpointer data)
{
  Call *call = data;

  if (call->answer == NULL) {
    far_door_gone (call);
    call_unref (call);
  }
  call_unref (call);
}

/* ---- the connection's side ---- */

static void
call_gone (WsConn *conn)
{
  conn->calls--;
  far_home_post (far_home_main (), gone_on_main, g_steal_pointer (&conn->call));
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
  FarMessage *request = far_message_request (strcmp (head->method, "HEAD") == 0 ? "GET" : head->method, resource, NULL);

  if (id != NULL && strlen (id) <= ID_MAX) {
    g_free (request->id);
    request->id = g_strdup (id);
  }
  fill_body (request, head, body);
  return request;
}

guint
people_judge (WsConn *conn, const WsHead *head, char **text)
{
  gboolean api = g_str_has_prefix (head->path, PREFIX), reads = strcmp (head->method, "GET") == 0 || strcmp (head->method, "HEAD") == 0;
  guint status = people_origin (conn, head, text);

  if (status != 0)
    return status;
  if (strcmp (head->path, "/link") == 0 || g_str_has_prefix (head->path, "/stream/")) {
    *text = g_strdup (_("this is a WebSocket: ask for an upgrade"));
    return 426;
  }
  if (!reads && strcmp (head->method, "POST") != 0 && strcmp (head->method, "PUT") != 0 && strcmp (head->method, "DELETE") != 0) {
    *text = g_strdup (_("GET, HEAD, POST, PUT and DELETE are possible; events come at /link"));
    return 405;
  }
  if (!api && strcmp (head->path, "/") != 0) {
    *text = g_strdup (_("nothing here; messages go to /api/RESOURCE"));
    return 404;
  }
  if (api || reads)
    return 0;
  *text = g_strdup (_("messages go to /api/RESOURCE"));
  return 405;
}

void
people_request (WsConn *conn, const WsHead *head, GBytes *body)
{
  Call *call;

  people_look_behind_proxy (conn, head);
  if (strcmp (head->path, "/") == 0) {
    ws_http_answer (conn, 200, "text/plain; charset=utf-8", HELLO, strlen (HELLO), NULL);
    return;
  }
  call = g_new0 (Call, 1);
  call->refs = 2;
  call->conn = ws_conn_ref (conn);
  call->from = g_strdup (conn->from);
  call->request = message_of (head, body);
  call->bearer = bearer_of (head);
  conn->call = call;
  conn->call_gone = call_gone;
  conn->calls++;
  far_home_post (far_home_main (), call_on_main, call);
}
