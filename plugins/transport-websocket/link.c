/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "link.h"

#include <farwatch/i18n.h>

#include "context.h"

/* ---- hub ---- */

WsHub *
ws_hub_new (FarInstance *at, gpointer self, const WsHubFuncs *funcs)
{
  WsHub *hub = g_new0 (WsHub, 1);

  hub->refs = 1;
  hub->at = at;
  hub->self = self;
  hub->transport = g_strdup (far_instance_name (at));
  hub->funcs = funcs;
  hub->links = g_hash_table_new (NULL, NULL);
  return hub;
}

WsHub *
ws_hub_ref (WsHub *hub)
{
  g_atomic_int_inc (&hub->refs);
  return hub;
}

void
ws_hub_unref (WsHub *hub)
{
  if (!g_atomic_int_dec_and_test (&hub->refs))
    return;
  g_hash_table_unref (hub->links);
  g_free (hub->transport);
  g_free (hub);
}

/* ---- main's half ---- */

static void
fail_pending (WsLink *link)
{
  GHashTableIter iter;
  gpointer req;

  g_hash_table_iter_init (&iter, link->pending);
  while (g_hash_table_iter_next (&iter, NULL, &req))
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, _("the link to %s was lost before the answer came"), link->peer != NULL ? link->peer : "the peer");
  g_hash_table_remove_all (link->pending);
}

static void
link_free (WsLink *link)
{
  far_door_gone (link);
  fail_pending (link);
  g_hash_table_remove (link->hub->links, link);
  g_hash_table_unref (link->pending);
  far_principal_unref (link->principal);
  link->conn->link = NULL;
  ws_conn_unref (link->conn);
  ws_hub_unref (link->hub);
  far_secret_free (link->ticket);
  g_free (link->login_id);
  g_free (link->peer);
  g_free (link);
}

void
ws_hub_end (WsHub *hub)
{
  g_autoptr (GList) links = g_hash_table_get_keys (hub->links);

  hub->self = NULL;
  g_list_foreach (links, (GFunc) (void (*) (void)) link_free, NULL);
  ws_hub_unref (hub);
}

static WsLink *
link_new (WsConn *conn)
{
  WsLink *link = g_new0 (WsLink, 1);

  link->hub = ws_hub_ref (conn->hub);
  link->conn = ws_conn_ref (conn);
  link->peer = g_strdup (conn->node);
  link->principal = far_principal_new (conn->node != NULL ? FAR_PRINCIPAL_NODE : FAR_PRINCIPAL_NONE, conn->node != NULL ? conn->node : "", NULL, conn->from);
  link->pending = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) far_request_unref);
  g_hash_table_add (conn->hub->links, link);
  conn->link = link;
  return link;
}

/* ---- from main to the loop ---- */

typedef struct {
  WsConn *conn;
  FarMessage *message; /* NULL: none */
  gboolean answered;   /* one of its requests is done */
  guint code;          /* close */
  const char *cause;
  gboolean verified;
} ToLoop;

/* What the loop keeps of a link. */
typedef struct {
  WsIn in;
  gboolean eof; /* nothing more will come: the connection ends with the last answer */
} LinkIn;

static void
end_when_answered (WsConn *conn)
{
  LinkIn *self = conn->data;

  if (self != NULL && !conn->gone && self->eof && conn->calls == 0)
    ws_conn_finish (conn);
}

static void
one_answered (WsConn *conn)
{
  if (conn->calls-- == WS_CALLS_MAX)
    ws_conn_hold (conn, FALSE);
  end_when_answered (conn);
}

static void
on_loop (gpointer data)
{
  ToLoop *job = data;
  WsConn *conn = job->conn;

  if (job->verified)
    ws_conn_verified (conn);
  if (job->message != NULL) {
    g_autoptr (GBytes) frame = far_message_encode (job->message);
    gsize size;
    gconstpointer bytes = g_bytes_get_data (frame, &size);

    ws_conn_send (conn, bytes, size, FALSE);
    far_message_unref (job->message);
  }
  if (job->answered)
    one_answered (conn);
  if (job->code != 0)
    ws_conn_close (conn, job->code, job->cause);
  ws_conn_unref (conn);
  g_free (job);
}

static void
to_loop (WsLink *link, const ToLoop *what)
{
  ToLoop *job = g_new0 (ToLoop, 1);

  *job = *what;
  job->conn = ws_conn_ref (link->conn);
  far_home_post (link->conn->context->home, on_loop, job);
}

void
ws_link_close (WsLink *link, guint code, const char *cause)
{
  link->cause = cause;
  to_loop (link, &(ToLoop){ .code = code, .cause = cause });
}

void
ws_link_verified (WsLink *link)
{
  to_loop (link, &(ToLoop){ .verified = TRUE });
}

/* Requests that ended by themselves (timeout) still wait for their answers: they go when there is no room. */
static void
sweep_pending (WsLink *link)
{
  GHashTableIter iter;
  gpointer req;

  g_hash_table_iter_init (&iter, link->pending);
  while (g_hash_table_iter_next (&iter, NULL, &req))
    if (far_request_ended (req))
      g_hash_table_iter_remove (&iter);
}

void
ws_link_send (WsLink *link, FarMessage *request, FarRequest *req)
{
  if (g_hash_table_size (link->pending) >= WS_PENDING_MAX)
    sweep_pending (link);
  if (g_hash_table_size (link->pending) >= WS_PENDING_MAX) {
    far_request_fail_new (req, FAR_ERROR_LIMIT, _("%s answers too slowly: %d requests are under way"), link->peer, WS_PENDING_MAX);
    return;
  }
  if (g_hash_table_contains (link->pending, request->id)) {
    far_request_fail_new (req, FAR_ERROR_CONFLICT, _("a request with this id is under way already"));
    return;
  }
  g_hash_table_insert (link->pending, g_strdup (request->id), far_request_ref (req));
  to_loop (link, &(ToLoop){ .message = far_message_ref (request) });
}

/* ---- from the loop to main ---- */

typedef struct {
  WsConn *conn;
  FarMessage *message;
  const char *cause;
  gboolean high;
} ToMain;

static void
answered (FarMessage *answer, gboolean last, gpointer user)
{
  WsLink *link = user;

  if (link->hub->self != NULL && link->hub->funcs->answered != NULL)
    link->hub->funcs->answered (link->hub->self, link, answer);
  to_loop (link, &(ToLoop){ .message = far_message_ref (answer), .answered = last });
}

static void
take_request (WsLink *link, FarMessage *request)
{
  const WsHubFuncs *funcs = link->hub->funcs;
  g_autoptr (FarPrincipal) asker = NULL;

  if (funcs->asked != NULL)
    funcs->asked (link->hub->self, link, request);
  asker = funcs->asker == NULL ? NULL : funcs->asker (link->hub->self, link);
  far_door_submit (asker != NULL ? asker : link->principal, link->hub->transport, request, answered, link);
}

/* An answer nobody waits for (any more) is dropped. */
static void
take_answer (WsLink *link, FarMessage *answer)
{
  FarRequest *req = NULL;
  g_autofree gpointer id = NULL;

  if (!g_hash_table_steal_extended (link->pending, answer->id, &id, (gpointer *) &req))
    return;
  far_request_done (req, far_message_ref (answer), (GDestroyNotify) far_message_unref);
  far_request_unref (req);
}

static void
job_free (ToMain *job)
{
  if (job->message != NULL)
    far_message_unref (job->message);
  ws_conn_unref (job->conn);
  g_free (job);
}

static void
message_on_main (gpointer data)
{
  ToMain *job = data;
  WsLink *link = job->conn->link;

  /* cause: we have closed it; what still comes is nobody's */
  if (link != NULL && link->cause == NULL && job->message->method == NULL)
    take_answer (link, job->message);
  else if (link != NULL && link->cause == NULL)
    take_request (link, job->message);
  job_free (job);
}

static void
up_on_main (gpointer data)
{
  ToMain *job = data;
  WsHub *hub = job->conn->hub;

  if (hub->self != NULL) {
    WsLink *link = link_new (job->conn);

    if (hub->funcs->up != NULL)
      hub->funcs->up (hub->self, link);
  }
  job_free (job);
}

static void
down_on_main (gpointer data)
{
  ToMain *job = data;
  WsLink *link = job->conn->link;

  if (link != NULL) {
    WsHub *hub = link->hub;

    if (link->cause == NULL)
      link->cause = job->cause;
    if (hub->funcs->down != NULL)
      hub->funcs->down (hub->self, link, link->cause);
    link_free (link);
  }
  job_free (job);
}

static void
pressure_on_main (gpointer data)
{
  ToMain *job = data;

  if (job->conn->link != NULL)
    far_door_busy (job->conn->link, job->high);
  job_free (job);
}

static void
to_main (WsConn *conn, FarHomeFunc func, const ToMain *what)
{
  ToMain *job = g_new0 (ToMain, 1);

  *job = *what;
  job->conn = ws_conn_ref (conn);
  far_home_post (far_home_main (), func, job);
}

/* ---- the loop's half ---- */

void
ws_link_begin (WsConn *conn, gsize limit)
{
  LinkIn *self = g_new0 (LinkIn, 1);

  self->in.limit = limit;
  conn->data = self;
  conn->role = &ws_link_role;
}

static void
link_opened (WsConn *conn)
{
  ws_conn_heard (conn);
  to_main (conn, up_on_main, &(ToMain){ 0 });
}

static void
take (FarMessage *message, gpointer user)
{
  WsConn *conn = user;

  ws_conn_heard (conn);
  if (message->method == NULL && conn->node == NULL) { /* people and strangers are asked nothing: each answer would only cost */
    ws_conn_close (conn, WS_CLOSE_POLICY, "an answer to nothing");
    far_message_unref (message);
    return;
  }
  if (message->method != NULL && ++conn->calls == WS_CALLS_MAX)
    ws_conn_hold (conn, TRUE);
  to_main (conn, message_on_main, &(ToMain){ .message = message });
}

static guint
link_piece (WsConn *conn, const WsPiece *piece, const guint8 *data, gsize size, const char **cause)
{
  LinkIn *self = conn->data;

  if (!piece->binary && ws_in_is_eof (piece, data, size)) {
    self->eof = TRUE;
    end_when_answered (conn);
    return 0;
  }
  return ws_in_feed (&self->in, piece, data, size, take, conn, cause);
}

/* Nothing more is taken in while the other side does not fetch what it asked for. */
static void
link_pressure (WsConn *conn, gboolean high)
{
  ws_conn_hold (conn, high);
  to_main (conn, pressure_on_main, &(ToMain){ .high = high });
}

static void
link_closed (WsConn *conn)
{
  LinkIn *self = conn->data;

  conn->data = NULL;
  ws_in_clear (&self->in);
  g_free (self);
  to_main (conn, down_on_main, &(ToMain){ .cause = conn->cause });
}

const WsRole ws_link_role = { "link", link_opened, link_piece, link_pressure, NULL, link_closed };
