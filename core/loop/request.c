/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A request ends once: whoever moves `ended` from 0 to 1 owns result and error until the delivery on the main
 * context. */
#include "config.h"

#include "loop/request-private.h"

#include "base/node-part.h"
#include "loop/instance-head.h"

#include <farwatch/clock.h>
#include <farwatch/loop.h>
#include <farwatch/i18n.h>
#include <farwatch/thread.h>

struct _FarRequest {
  gint refs;
  gint ended;     /* atomic: somebody won                                   */
  gint settled;   /* atomic: the winner has written result or error         */
  gint delivered; /* main only                                              */
  FarDone done;
  gpointer user;
  FarNode *node; /* of who made it, whoever ends it */
  /* main only: */
  FarInstance *asker, *server; /* whose done() it is, and who is to end it; NULL: nobody that core knows */
  GList asked, served;         /* its place in their lists */
  GDestroyNotify dropped;
  void (*on_end) (gpointer data); /* main only */
  gpointer on_end_data;
  FarLoopTimer *timer;
  gpointer result;
  GDestroyNotify free_result;
  gpointer attached;
  GDestroyNotify free_attached;
  GError *error;
};

FarRequest *
far_request_ref (FarRequest *req)
{
  g_atomic_int_inc (&req->refs);
  return req;
}

void
far_request_unref (FarRequest *req)
{
  if (req == NULL || !g_atomic_int_dec_and_test (&req->refs))
    return;
  if (req->result != NULL && req->free_result != NULL)
    req->free_result (req->result);
  if (req->attached != NULL && req->free_attached != NULL)
    req->free_attached (req->attached);
  g_clear_error (&req->error);
  g_free (req);
}

/* ---- whose it is ---- */

static void
request_leave (FarRequest *req)
{
  if (req->asker != NULL)
    g_queue_unlink (&far_instance_head (req->asker)->asked, &req->asked);
  if (req->server != NULL)
    g_queue_unlink (&far_instance_head (req->server)->served, &req->served);
  req->asker = req->server = NULL;
}

void
far_request_serve (FarRequest *req, FarInstance *at)
{
  FAR_ON_MAIN ();
  if (req->server != NULL)
    g_queue_unlink (&far_instance_head (req->server)->served, &req->served);
  req->server = req->delivered ? NULL : at;
  if (req->server != NULL)
    g_queue_push_tail_link (&far_instance_head (at)->served, &req->served);
}

void
far_requests_refuse (FarInstance *at)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&far_instance_head (at)->served)) != NULL) {
    FarRequest *req = link->data;

    req->server = NULL;
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, _ ("%s has stopped; try again"),
                          far_instance_path (at));
  }
}

/* ---- the end ---- */

static void
request_deliver (gpointer data)
{
  FarRequest *req = data;
  FarNode *before = far_node_enter (req->node);

  if (!req->delivered) {
    req->delivered = TRUE;
    request_leave (req);
    g_clear_pointer (&req->timer, far_loop_timer_free);
    if (req->on_end != NULL)
      req->on_end (req->on_end_data);
    if (req->done != NULL)
      req->done (req, req->user);
    far_request_unref (req); /* the reference of far_request_new() */
  }
  far_request_unref (req);
  far_node_enter (before);
}

/* What was asked for goes on, unless it hears of the end (far_request_set_ended()). What an instance is to
 * end lives until it does. */
static void
request_drop (FarRequest *req)
{
  g_autoptr (FarRequest) held G_GNUC_UNUSED = far_request_ref (req);

  req->done = NULL;
  if (req->on_end != NULL) {
    far_request_cancel (req);
  } else if (req->server == NULL) {
    req->delivered = TRUE;
    g_clear_pointer (&req->timer, far_loop_timer_free);
    far_request_unref (req); /* the reference of far_request_new() */
  }
  if (req->dropped != NULL)
    req->dropped (req->user);
}

void
far_requests_drop (FarInstance *at)
{
  GList *link;

  while ((link = g_queue_pop_head_link (&far_instance_head (at)->asked)) != NULL) {
    FarRequest *req = link->data;

    req->asker = NULL;
    request_drop (req);
  }
}

static void
request_end (FarRequest *req, gpointer result, GDestroyNotify free_result, GError *error)
{
  if (!g_atomic_int_compare_and_exchange (&req->ended, FALSE, TRUE)) {
    if (result != NULL && free_result != NULL)
      free_result (result);
    g_clear_error (&error);
    return;
  }
  req->result = result;
  req->free_result = free_result;
  req->error = error;
  g_atomic_int_set (&req->settled, TRUE);
  far_loop_post (far_loop_main (), request_deliver, far_request_ref (req));
}

static void
request_timeout (gpointer data)
{
  far_request_fail_new (data, FAR_ERROR_UNAVAILABLE, "%s", _ ("no answer in time"));
}

FarRequest *
far_request_new (FarDone done, gpointer user, guint timeout_ms)
{
  FAR_ON_MAIN ();
  FarRequest *req = g_new0 (FarRequest, 1);

  far_loop_main (); /* it is made here, and not by the thread that is the first to end a request */
  req->refs = 1;
  req->done = done;
  req->user = user;
  req->node = far_node_entered ();
  req->asked.data = req->served.data = req;
  if (timeout_ms > 0)
    req->timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + (gint64) timeout_ms * 1000,
                                 request_timeout, req);
  return req;
}

FarRequest *
far_request_of (FarInstance *at, FarDone done, gpointer user, GDestroyNotify dropped, guint timeout_ms)
{
  FAR_ON_MAIN ();
  FarRequest *req = far_request_new (done, user, timeout_ms);

  req->asker = at;
  req->dropped = dropped;
  g_queue_push_tail_link (&far_instance_head (at)->asked, &req->asked);
  return req;
}

void
far_request_set_ended (FarRequest *req, void (*ended) (gpointer data), gpointer data)
{
  req->on_end = ended;
  req->on_end_data = data;
}

void
far_request_done (FarRequest *req, gpointer result, GDestroyNotify free_result)
{
  request_end (req, result, free_result, NULL);
}

void
far_request_fail (FarRequest *req, GError *error)
{
  if (error == NULL)
    error = g_error_new_literal (FAR_ERROR, FAR_ERROR_INTERNAL, _ ("it failed without saying why"));
  request_end (req, NULL, NULL, error);
}

void
far_request_fail_new (FarRequest *req, FarErrorCode code, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  far_request_fail (req, g_error_new_valist (FAR_ERROR, (int) code, format, args));
  va_end (args);
}

void
far_request_cancel (FarRequest *req)
{
  far_request_ref (req);
  far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "%s", _ ("cancelled"));
  if (!far_loop_is_here (far_loop_main ())) {
    far_request_unref (req);
    return;
  }
  while (!g_atomic_int_get (&req->settled))
    g_thread_yield (); /* another thread has won and is about to write its result */
  request_deliver (req);
}

gboolean
far_request_ended (FarRequest *req)
{
  return g_atomic_int_get (&req->ended);
}

const GError *
far_request_error (FarRequest *req)
{
  FAR_ON_MAIN ();
  return req->error;
}

gpointer
far_request_result (FarRequest *req)
{
  FAR_ON_MAIN ();
  return req->result;
}

gpointer
far_request_steal (FarRequest *req)
{
  FAR_ON_MAIN ();
  return g_steal_pointer (&req->result);
}

void
far_request_attach (FarRequest *req, gpointer data, GDestroyNotify free_data)
{
  FAR_ON_MAIN ();
  if (req->attached != NULL && req->free_attached != NULL)
    req->free_attached (req->attached);
  req->attached = data;
  req->free_attached = free_data;
}

gpointer
far_request_attached (FarRequest *req)
{
  FAR_ON_MAIN ();
  return req->attached;
}
