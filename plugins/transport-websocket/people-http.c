/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The HTTP door: each request is one message. One request of a connection at a time: nothing is read while an answer is due. */
#include "config.h"

#include "people.h"

#include <string.h>

#include <farwatch/clock.h>

#include "answer.h"

#define PREFIX "/api/"
#define HELLO "Farwatch. Machines ask at /api/, with a ticket from POST /api/login.\n"
#define BODY_US (10 * G_USEC_PER_SEC)  /* and a second more for each KiB */
#define DISCARD_US (2 * G_USEC_PER_SEC)
#define AUTHORIZATION_MAX 256

typedef struct {
  guint number;         /* requests of this connection */
  gboolean discarding;  /* refused; the body is thrown away for a moment, so that the answer is seen */
  gboolean asked;       /* with main */
  gboolean last;        /* the connection ends with this answer */
  GByteArray *body;
  gsize expected;
  FarMessage *request;
  char *bearer;
  struct _Call *call;   /* a reference, while an answer is due */
} Http;

/* ---- main's side ---- */

typedef struct _Call {
  gint refs;            /* one of main until it has answered, one of the loop's exchange */
  WsConn *conn;
  FarMessage *request;
  char *bearer;
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
  g_free (call);
}

static void http_closed (WsConn *conn);
static const WsRole http_role = { "http", NULL, NULL, NULL, NULL, http_closed };

/* Written at once and not when the library says so: it does not while nothing is read. The socket is empty, and what does not fit the library keeps. */
static gboolean
send_answer (WsConn *conn, const Http *http, const FarMessage *answer)
{
  gconstpointer body = NULL;
  gsize size = 0;

  if (answer->body != NULL)
    body = g_bytes_get_data (answer->body, &size);
  return ws_answer (conn, answer->status, answer->content_type != NULL ? answer->content_type : FAR_TYPE_JSON, body, size,
                    answer->status == 401 ? "www-authenticate: Bearer\r\n" : NULL) == 0 &&
         !http->last && lws_http_transaction_completed (conn->wsi) == 0;
}

/* [loop] */
static void
answer_on_loop (gpointer data)
{
  Call *call = data;
  WsConn *conn = call->conn;
  Http *http = conn->data;

  if (!conn->gone && conn->role == &http_role && http->call == call) {
    call_unref (g_steal_pointer (&http->call));
    conn->calls--;
    if (call->known)
      ws_conn_verified (conn);
    if (send_answer (conn, http, call->answer))
      ws_conn_hold (conn, FALSE);
    else
      ws_conn_end_now (conn);
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
  far_home_post (call->conn->context->home, answer_on_loop, call);
}

static FarMessage *
bad_ticket (const FarMessage *request)
{
  return far_message_answer (request, 401, json_pack ("{s:s,s:s,s:s}", "error", "denied", "message", _("this ticket is not valid (any more)"), "next",
                                                      _("POST login with name and password")));
}

static void
call_on_main (gpointer data)
{
  Call *call = data;
  g_autoptr (FarPrincipal) principal = NULL;

  if (call->conn->hub->self == NULL) {
    call_unref (call);
    return;
  }
  principal = people_principal (call->bearer, call->conn->from);
  call->known = principal->kind != FAR_PRINCIPAL_NONE;
  if (call->bearer != NULL && !call->known) {
    g_autoptr (FarMessage) answer = bad_ticket (call->request);

    http_answered (answer, TRUE, call);
    return;
  }
  far_door_submit (principal, call->conn->hub->transport, call->request, http_answered, call);
}

/* The connection ended before its answer: nobody waits for it. */
static void
gone_on_main (gpointer data)
{
  Call *call = data;

  if (call->answer == NULL && call->conn->hub->self != NULL) {
    far_door_gone (call);
    call_unref (call);
  }
  call_unref (call);
}

/* ---- the loop's side ---- */

static void
http_clear (Http *http)
{
  g_clear_pointer (&http->body, g_byte_array_unref);
  g_clear_pointer (&http->request, far_message_unref);
  g_clear_pointer (&http->bearer, far_secret_free);
  http->asked = http->discarding = FALSE;
}

static void
http_closed (WsConn *conn)
{
  Http *http = conn->data;

  conn->data = NULL;
  http_clear (http);
  if (http->call != NULL)
    far_home_post (far_home_main (), gone_on_main, http->call);
  g_free (http);
}

static Http *
http_of (WsConn *conn)
{
  if (conn->role == NULL) {
    conn->role = &http_role;
    conn->data = g_new0 (Http, 1);
  }
  return conn->role == &http_role ? conn->data : NULL;
}

static int
ask (WsConn *conn, Http *http)
{
  Call *call = g_new0 (Call, 1);

  http->asked = TRUE;
  if (http->body != NULL && http->body->len > 0) {
    http->request->body = g_byte_array_free_to_bytes (g_steal_pointer (&http->body));
    http->request->content_type = ws_header (conn, WSI_TOKEN_HTTP_CONTENT_TYPE, 128);
    if (http->request->content_type == NULL)
      http->request->content_type = g_strdup (FAR_TYPE_JSON);
    g_strdelimit (http->request->content_type, ";", 0);
    g_strchomp (http->request->content_type);
  }
  call->refs = 2;
  call->conn = ws_conn_ref (conn);
  call->request = g_steal_pointer (&http->request);
  call->bearer = g_steal_pointer (&http->bearer);
  http->call = call;
  conn->calls++;
  ws_conn_deadline (conn, 0);
  ws_conn_hold (conn, TRUE);
  lws_set_timeout (conn->wsi, NO_PENDING_TIMEOUT, 0); /* the router has its own */
  far_home_post (far_home_main (), call_on_main, call);
  return 0;
}

/* ---- reading a request ---- */

static const char *
method_of (WsConn *conn)
{
  static const struct { enum lws_token_indexes token; const char *name; } rows[] = {
    { WSI_TOKEN_GET_URI, "GET" }, { WSI_TOKEN_POST_URI, "POST" }, { WSI_TOKEN_PUT_URI, "PUT" }, { WSI_TOKEN_DELETE_URI, "DELETE" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    if (lws_hdr_total_length (conn->wsi, rows[i].token) > 0)
      return rows[i].name;
  return NULL;
}

/* The library has undone %xx in path and arguments. */
static char *
resource_of (WsConn *conn, const char *path)
{
  GString *text = g_string_new (NULL);
  char part[1024];
  int n;

  g_string_append_uri_escaped (text, path + strlen (PREFIX), "/:@+,;=~!$&'()*", FALSE);
  for (int i = 0; (n = lws_hdr_copy_fragment (conn->wsi, part, sizeof part, WSI_TOKEN_HTTP_URI_ARGS, i)) >= 0; i++) {
    char *equals = strchr (part, '=');

    if (equals != NULL)
      *equals = 0;
    g_string_append_c (text, i == 0 ? '?' : '&');
    g_string_append_uri_escaped (text, part, NULL, FALSE);
    g_string_append_c (text, '=');
    g_string_append_uri_escaped (text, equals != NULL ? equals + 1 : "", ":@,;~!$'()*/+", FALSE);
  }
  return g_string_free (text, FALSE);
}

/* 0, or the status to refuse with. Two lengths, a length beside an encoding, or an encoding at all: what does not read the same for everybody is not read. */
static guint
length_of (WsConn *conn, const char *method, gsize *length, const char **text)
{
  g_autofree char *header = ws_header (conn, WSI_TOKEN_HTTP_CONTENT_LENGTH, 32);
  gboolean given = lws_hdr_total_length (conn->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0;
  guint64 value = 0;

  *length = 0;
  if (lws_hdr_total_length (conn->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0) {
    *text = given ? _("Content-Length and Transfer-Encoding together") : _("Transfer-Encoding is not taken; send Content-Length");
    return given ? 400 : 501;
  }
  if (given && (header == NULL || strspn (header, "0123456789") != strlen (header) || !g_ascii_string_to_unsigned (header, 10, 0, G_MAXINT64, &value, NULL))) {
    *text = _("Content-Length is wrong");
    return 400;
  }
  if (value > FAR_BODY_MAX) {
    *text = _("the body is too large: 32 KiB at most");
    return 413;
  }
  *length = (gsize) value;
  if (given || g_str_equal (method, "GET") || g_str_equal (method, "DELETE"))
    return 0;
  *text = _("Content-Length is missing");
  return 411;
}

static char *
bearer_of (WsConn *conn)
{
  g_autofree char *header = ws_header (conn, WSI_TOKEN_HTTP_AUTHORIZATION, AUTHORIZATION_MAX);
  char *bearer = NULL;

  if (header != NULL && g_ascii_strncasecmp (header, "Bearer ", 7) == 0)
    bearer = g_strdup (g_strstrip (header + 7));
  if (header != NULL)
    memset (header, 0, strlen (header));
  return bearer;
}

static void
take_id (WsConn *conn, FarMessage *request)
{
  static const char name[] = "x-request-id:";
  char id[65];
  int size = lws_hdr_custom_length (conn->wsi, name, sizeof name - 1);

  if (size <= 0 || size >= (int) sizeof id || lws_hdr_custom_copy (conn->wsi, id, sizeof id, name, sizeof name - 1) != size)
    return;
  g_free (request->id);
  request->id = g_strdup (id);
}

/* The rest of a refused body is thrown away for a moment: a close with unread bytes would take the answer with it. */
static int
refuse (WsConn *conn, Http *http, guint status, const char *text)
{
  if (!ws_has_body (conn))
    return ws_answer_plain (conn, status, text);
  http->discarding = TRUE;
  ws_conn_deadline (conn, far_clock_boottime_us () + DISCARD_US);
  return ws_answer_error (conn, status, text);
}

static int
begin (WsConn *conn, Http *http, const char *method, const char *path, gsize length)
{
  g_autofree char *resource = resource_of (conn, path);

  http->request = far_message_request (method, resource, NULL);
  http->bearer = bearer_of (conn);
  take_id (conn, http->request);
  http->expected = length;
  if (length == 0)
    return ask (conn, http);
  http->body = g_byte_array_sized_new ((guint) length);
  ws_conn_deadline (conn, far_clock_boottime_us () + BODY_US + (gint64) length * G_USEC_PER_SEC / 1024);
  return 0;
}

int
people_http (WsConn *conn, const char *path)
{
  Http *http = http_of (conn);
  const char *method = method_of (conn), *why = NULL;
  g_autofree char *text = NULL;
  gsize length = 0;
  guint status;

  if (http == NULL || http->call != NULL || ((const People *) conn->context->user)->retiring)
    return -1;
  http_clear (http);
  http->last = ++http->number >= PEOPLE_REQUESTS_MAX;
  if (method == NULL)
    return refuse (conn, http, 405, _("GET, POST, PUT and DELETE are possible; events come at /link"));
  status = length_of (conn, method, &length, &why);
  if (status != 0)
    return refuse (conn, http, status, why);
  if (people_origin (conn, &text) != 0)
    return refuse (conn, http, 403, text);
  if (g_str_has_prefix (path, PREFIX))
    return begin (conn, http, method, path, length);
  if (strcmp (path, "/") != 0 || !g_str_equal (method, "GET"))
    return refuse (conn, http, 404, _("nothing here; messages go to /api/RESOURCE"));
  if (ws_answer (conn, 200, "text/plain; charset=utf-8", HELLO, strlen (HELLO), NULL) != 0)
    return -1;
  return length > 0 || http->last || lws_http_transaction_completed (conn->wsi) != 0 ? -1 : 0;
}

int
people_http_body (WsConn *conn, const guint8 *data, gsize size, gboolean last)
{
  Http *http = conn->role == &http_role ? conn->data : NULL;

  if (http == NULL)
    return -1;
  if (http->discarding)
    return last ? -1 : 0;
  if (http->asked)
    return last || size == 0 ? 0 : -1; /* the library shows the empty body of a POST, and ends a request without one as well */
  if (http->body == NULL || http->body->len + size > http->expected)
    return -1;
  if (size > 0)
    g_byte_array_append (http->body, data, (guint) size);
  return last ? ask (conn, http) : 0;
}
