/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls under way: from the handler's start to its answer, with those who wait for it. */
#include "config.h"

#include "message/router.h"

#include "base/node-part.h"

#include "loop/instance-head.h"

#include <farwatch/clock.h>
#include <farwatch/loop.h>
#include <farwatch/i18n.h>
#include <farwatch/instance.h>
#include <farwatch/thread.h>

typedef struct {
  FarAnswered answered;
  gpointer user;
} Asker;

typedef struct {
  FarMessage *answer;
  gboolean last;
  Asker asker; /* answered NULL: the asker has gone */
} Delivery;

/* All calls of the node and what is to be delivered; touched on main only. */
typedef struct {
  GList *calls;
  GQueue deliveries;
  FarLoopTimer *timer;
} CallsUnderWay;

static void call_free (FarAnswer *answer);
static void delivery_free (Delivery *delivery);

/* Nobody is told any more: calls of core's own handlers, whose askers have gone with their interfaces. */
static void
under_way_clear (gpointer part)
{
  CallsUnderWay *self = part;

  while (self->calls != NULL)
    call_free (self->calls->data);
  g_queue_clear_full (&self->deliveries, (GDestroyNotify) delivery_free);
}

static CallsUnderWay *
under_way (void)
{
  static const FarNodePart part = { FAR_PART_CALL, sizeof (CallsUnderWay), NULL, under_way_clear };

  return far_node_part (&part);
}

/* ---- deliveries: always later, never inside the call that caused them ---- */

static void
delivery_free (Delivery *delivery)
{
  far_message_unref (delivery->answer);
  g_free (delivery);
}

static void
call_flush (gpointer data)
{
  Delivery *delivery;

  while ((delivery = g_queue_pop_head (&under_way ()->deliveries)) != NULL) {
    if (delivery->asker.answered != NULL)
      delivery->asker.answered (delivery->answer, delivery->last, delivery->asker.user);
    delivery_free (delivery);
  }
}

/* What the interfaces themselves say no to, by cause; what a listener turns away before is counted where that
 * happens. */
static void
call_count (guint status)
{
  static const struct {
    guint status;
    const char *what;
  } counted[] = {
    { 401, "requests before a login" },
    { 403, "requests without the right to" },
    { 404, "requests for what is not there or not to be seen" },
    { 429, "requests over a limit" },
    { 503, "requests for what did not run or answer" },
    { 507, "requests that could not be recorded" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (counted); i++)
    if (counted[i].status == status)
      far_count (counted[i].what, 1);
}

void
far_call_deliver (FarMessage *answer, gboolean last, FarAnswered answered, gpointer user)
{
  Delivery *delivery = g_new0 (Delivery, 1);

  call_count (answer->status);
  delivery->answer = answer;
  delivery->last = last;
  delivery->asker = (Asker){ answered, user };
  g_queue_push_tail (&under_way ()->deliveries, delivery);
  if (under_way ()->deliveries.length == 1)
    far_loop_post (far_loop_main (), call_flush, NULL);
}

/* ---- life of a call ---- */

FarAnswer *
far_call_new (const FarPrincipal *principal, FarMessage *request, FarAnswered answered, gpointer user)
{
  FarAnswer *answer = g_new0 (FarAnswer, 1);
  Asker asker = { answered, user };

  answer->principal = far_principal_ref (principal);
  answer->request = far_message_ref (request);
  answer->askers = g_array_new (FALSE, FALSE, sizeof (Asker));
  g_array_append_val (answer->askers, asker);
  answer->call.principal = answer->principal;
  answer->call.message = answer->request;
  answer->call.answer = answer;
  return answer;
}

static void
call_free (FarAnswer *answer)
{
  under_way ()->calls = g_list_remove (under_way ()->calls, answer);
  if (under_way ()->calls == NULL)
    g_clear_pointer (&under_way ()->timer, far_loop_timer_free);
  g_strfreev (answer->call.parts);
  json_decref (answer->call.query);
  json_decref (answer->call.body);
  g_free (answer->call.object);
  g_free (answer->call.transport);
  g_free (answer->key);
  g_array_unref (answer->askers);
  far_principal_unref (answer->principal);
  far_message_unref (answer->request);
  far_instance_unref (answer->at);
  g_free (answer);
}

static void
call_deliver_all (FarAnswer *answer, FarMessage *message)
{
  for (guint i = 0; i < answer->askers->len; i++) {
    Asker asker = g_array_index (answer->askers, Asker, i);

    far_call_deliver (far_message_ref (message), TRUE, asker.answered, asker.user);
  }
  g_array_set_size (answer->askers, 0);
}

static void
call_fail_askers (FarAnswer *answer, FarErrorCode code, const char *text)
{
  g_autoptr (GError) error = g_error_new_literal (FAR_ERROR, (int) code, text);
  g_autoptr (FarMessage) message = far_message_error (answer->request, error);

  call_deliver_all (answer, message);
}

/* ---- time ---- */

static void
call_late (FarAnswer *answer)
{
  call_fail_askers (answer, FAR_ERROR_UNAVAILABLE,
                    answer->stops ? _ ("the service has stopped; try again")
                                  : _ ("no answer in time; try again, or look into the log"));
}

static void
call_timer (gpointer data)
{
  gint64 now = far_clock_boottime_us (), next = 0;

  for (GList *link = under_way ()->calls; link != NULL; link = link->next) {
    FarAnswer *answer = link->data;

    if (answer->askers->len == 0)
      continue;
    if (answer->deadline_us <= now)
      call_late (answer);
    else if (next == 0 || answer->deadline_us < next)
      next = answer->deadline_us;
  }
  if (next != 0)
    far_loop_timer_set (under_way ()->timer, next);
}

void
far_call_start (FarAnswer *answer, gint64 timeout_us)
{
  answer->deadline_us = far_clock_boottime_us () + timeout_us;
  under_way ()->calls = g_list_prepend (under_way ()->calls, answer);
  if (under_way ()->timer == NULL)
    under_way ()->timer = far_loop_timer (far_loop_main (), answer->deadline_us, call_timer, NULL);
  else
    call_timer (NULL);
}

gboolean
far_call_join (const char *key, const FarMessage *request, FarAnswered answered, gpointer user,
               gboolean *same)
{
  Asker asker = { answered, user };

  for (GList *link = under_way ()->calls; link != NULL; link = link->next) {
    FarAnswer *answer = link->data;

    if (answer->key == NULL || !g_str_equal (answer->key, key))
      continue;
    *same = g_str_equal (answer->request->method, request->method) &&
            g_str_equal (answer->request->resource, request->resource);
    if (*same) {
      g_array_append_val (answer->askers, asker);
      call_timer (NULL); /* its time may be over: then this one is told at once, too */
    }
    return TRUE;
  }
  return FALSE;
}

static gboolean
call_is_of (const FarAnswer *answer, const FarHandler *handlers, gpointer self)
{
  if (answer->self != self)
    return FALSE;
  for (const FarHandler *handler = handlers; handler->method != NULL; handler++)
    if (answer->handler == handler)
      return TRUE;
  return FALSE;
}

void
far_call_refuse_all (const FarHandler *handlers, gpointer self, gint64 grace_us)
{
  gint64 last = far_clock_boottime_us () + grace_us;

  for (GList *link = under_way ()->calls; link != NULL; link = link->next) {
    FarAnswer *answer = link->data;

    if (!call_is_of (answer, handlers, self))
      continue;
    answer->stops = TRUE;
    answer->deadline_us = MIN (answer->deadline_us, last);
  }
  if (under_way ()->calls != NULL)
    call_timer (NULL);
}

void
far_calls_end (FarInstance *at)
{
  for (GList *link = under_way ()->calls, *after; link != NULL; link = after) {
    FarAnswer *answer = link->data;

    after = link->next;
    if (answer->at != at)
      continue;
    answer->stops = TRUE;
    call_late (answer);
    call_free (answer);
  }
}

void
far_call_gone (gpointer user)
{
  for (GList *link = under_way ()->deliveries.head; link != NULL; link = link->next) {
    Delivery *delivery = link->data;

    if (delivery->asker.user == user)
      delivery->asker.answered = NULL;
  }
  for (GList *link = under_way ()->calls; link != NULL; link = link->next) {
    FarAnswer *answer = link->data;

    for (guint i = answer->askers->len; i > 0; i--)
      if (g_array_index (answer->askers, Asker, i - 1).user == user)
        g_array_remove_index (answer->askers, i - 1);
  }
}

guint
far_call_count (void)
{
  return g_list_length (under_way ()->calls);
}

/* ---- answers ---- */

static gboolean
call_is_small (const FarMessage *message)
{
  return message->body == NULL || g_bytes_get_size (message->body) <= FAR_BODY_MAX;
}

void
far_call_secret (FarCall *call)
{
  FAR_ON_MAIN ();
  call->answer->secret = TRUE;
}

static void
call_end (FarAnswer *answer, FarMessage *message)
{
  if (answer->key != NULL && message->status < 500 && !answer->secret)
    far_dedup_keep (answer->key, answer->request, message);
  call_deliver_all (answer, message);
  call_free (answer);
}

void
far_call_answer (FarCall *call, guint status, json_t *body)
{
  FAR_ON_MAIN ();
  FarAnswer *answer = call->answer;
  g_autoptr (FarMessage) message = far_message_answer (answer->request, status, body);

  if (!call_is_small (message)) {
    far_call_fail_new (call, FAR_ERROR_LIMIT,
                       _ ("the answer is over %d KiB: ask for less with limit= and after="),
                       FAR_BODY_MAX / 1024);
    return;
  }
  call_end (answer, message);
}

void
far_call_answer_as (FarCall *call, const FarMessage *answer)
{
  g_autoptr (FarMessage) message = far_message_answer (call->message, answer->status, NULL);

  message->content_type = g_strdup (answer->content_type);
  message->body = answer->body != NULL ? g_bytes_ref (answer->body) : NULL;
  if (far_message_header (answer, "route") != NULL)
    far_message_set_header (message, "route", far_message_header (answer, "route"));
  far_call_secret (call);
  call_end (call->answer, message);
}

void
far_call_fail (FarCall *call, GError *error)
{
  FAR_ON_MAIN ();
  FarAnswer *answer = call->answer;
  g_autoptr (GError) owned = error != NULL ? error
                                           : g_error_new_literal (FAR_ERROR, FAR_ERROR_INTERNAL,
                                                                  _ ("it failed without saying why"));
  g_autoptr (FarMessage) message = far_message_error (answer->request, owned);

  call_end (answer, message);
}

void
far_call_fail_new (FarCall *call, FarErrorCode code, const char *format, ...)
{
  FAR_ON_MAIN ();
  va_list args;
  GError *error;

  va_start (args, format);
  error = g_error_new_valist (FAR_ERROR, (int) code, format, args);
  va_end (args);
  far_call_fail (call, error);
}

/* One text for what is not there and what may not be seen. */
const char *
far_call_hidden (void)
{
  return _ ("no such object, or no right to see it");
}

void
far_call_refuse (FarCall *call, const char *object, const char *cause)
{
  FAR_ON_MAIN ();
  if (!far_visible (call->principal, object))
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, "%s", far_call_hidden ());
  else
    far_call_fail_new (call, FAR_ERROR_DENIED, "%s: %s", object, cause);
}

gboolean
far_call_take_asker (FarCall *call, FarAnswered *answered, gpointer *user)
{
  FarAnswer *answer = call->answer;

  if (answer->askers->len == 0)
    return FALSE;
  *answered = g_array_index (answer->askers, Asker, 0).answered;
  *user = g_array_index (answer->askers, Asker, 0).user;
  g_array_set_size (answer->askers, 0);
  return TRUE;
}

void
far_call_drop (FarCall *call)
{
  call_free (call->answer);
}
