/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has a queue of events for each notifier of the profile, whether it runs or not: one event is
 * under way at a time, one that fails is tried again ever more rarely, and then dropped with a word in the
 * log. A queue goes by the notifier's path, and so outlives its failures and reloads. */
#include "config.h"

#include "data/event-private.h"

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/loop.h>

#include "base/node-part.h"
#include "life/instance-private.h"

#define SECOND_US G_GINT64_CONSTANT (1000000)
#define RETRY_MAX_US (600 * SECOND_US)

typedef struct {
  char *path;
  GQueue waiting;      /* of FarEventCopy; the first one may be under way */
  FarInstance *at;     /* who has it; NULL: nobody */
  FarRequest *req;     /* of that */
  FarLoopTimer *timer; /* next try; NULL: none is due */
  FarDeferred *later;  /* the next one, never inside a call of who raised it */
  guint tries;
} NotifierQueue;

typedef struct {
  GHashTable *queues; /* path → NotifierQueue; NULL: none */
} NotifyPart;

static void notifier_next (gpointer data);

/* Takes it back from who has it: done() runs in here, and finds that it is not its any more. */
static void
notifier_take_back (NotifierQueue *queue)
{
  FarRequest *req = g_steal_pointer (&queue->req);

  queue->at = NULL;
  if (req == NULL)
    return;
  far_request_cancel (req);
  far_request_unref (req);
}

static void
notifier_queue_free (gpointer data)
{
  NotifierQueue *queue = data;

  notifier_take_back (queue);
  g_clear_pointer (&queue->timer, far_loop_timer_free);
  far_deferred_free (queue->later);
  g_queue_clear_full (&queue->waiting, (GDestroyNotify) far_event_copy_unref);
  g_free (queue->path);
  g_free (queue);
}

static void
notify_part_clear (gpointer part)
{
  NotifyPart *self = part;

  g_clear_pointer (&self->queues, g_hash_table_unref);
}

static GHashTable *
notifier_queues (void)
{
  static const FarNodePart part = { FAR_PART_NOTIFY, sizeof (NotifyPart), NULL, notify_part_clear };
  NotifyPart *self = far_node_part (&part);

  if (self->queues == NULL)
    self->queues = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, notifier_queue_free);
  return self->queues;
}

static NotifierQueue *
notifier_queue (const char *path)
{
  NotifierQueue *queue = g_hash_table_lookup (notifier_queues (), path);

  if (queue != NULL)
    return queue;
  queue = g_new0 (NotifierQueue, 1);
  queue->path = g_strdup (path);
  g_queue_init (&queue->waiting);
  queue->later = far_deferred_new (far_loop_main (), notifier_next, queue);
  g_hash_table_insert (notifier_queues (), queue->path, queue);
  return queue;
}

/* ---- one event at a time ---- */

static void
notifier_drop_first (NotifierQueue *queue)
{
  far_event_copy_unref (g_queue_pop_head (&queue->waiting));
  queue->tries = 0;
}

static void
notifier_again (gpointer data)
{
  NotifierQueue *queue = data;

  g_clear_pointer (&queue->timer, far_loop_timer_free);
  notifier_next (queue);
}

/* 1 s, 4 s, 16 s … 10 min. */
static void
notifier_failed (NotifierQueue *queue, FarInstance *at, const GError *error)
{
  const FarEvent *event = &((FarEventCopy *) g_queue_peek_head (&queue->waiting))->event;
  gint64 delay_us;

  queue->tries++;
  if (queue->tries >= FAR_EVENT_TRIES || g_error_matches (error, FAR_ERROR, FAR_ERROR_INVALID)) {
    far_log_limited (at, "lost", _ ("nobody was told of '%s' of %s, after %u tries: %s"), event->key,
                     event->path, queue->tries, error->message);
    far_count ("events that a notifier did not take", 1);
    notifier_drop_first (queue);
    return;
  }
  delay_us = MIN (SECOND_US << (2 * (queue->tries - 1)), RETRY_MAX_US);
  queue->timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + delay_us, notifier_again,
                                 queue);
  far_log_limited (at, "notify", _ ("an event was not told: %s; tried again"), error->message);
}

static void
notifier_done (FarRequest *req, gpointer user)
{
  NotifierQueue *queue = user;
  const GError *error = far_request_error (req);
  FarInstance *at = queue->at;

  if (queue->req != req)
    return; /* taken back */
  queue->at = NULL;
  g_clear_pointer (&queue->req, far_request_unref);
  if (error != NULL)
    notifier_failed (queue, at, error);
  else
    notifier_drop_first (queue);
  far_deferred_ask (queue->later);
}

static void
notifier_next (gpointer data)
{
  NotifierQueue *queue = data;
  FarEventCopy *first = g_queue_peek_head (&queue->waiting);
  FarInstance *at = first != NULL ? far_instances_by_path (queue->path) : NULL;

  if (at == NULL || queue->req != NULL || queue->timer != NULL || !far_instance_is_running (at))
    return;
  queue->at = at;
  queue->req = far_request_ref (far_request_new (notifier_done, queue, FAR_EVENT_TRY_MS));
  far_request_serve (queue->req, at);
  ((const FarNotifierType *) at->type)->notify (at->self, &first->event, queue->req);
}

/* ---- all of them ---- */

static void
notifier_add (FarInstance *at, FarEventCopy *copy)
{
  NotifierQueue *queue = notifier_queue (at->head.path);

  if (g_queue_get_length (&queue->waiting) >= FAR_EVENT_QUEUE_MAX) {
    /* Not the first one: it may be under way. */
    far_event_copy_unref (g_queue_pop_nth (&queue->waiting, 1));
    far_count ("events that a notifier did not take", 1);
    far_log_limited (at, "full",
                     _ ("%d events wait for it, the oldest is dropped; look why it does not take them"),
                     FAR_EVENT_QUEUE_MAX);
  }
  g_queue_push_tail (&queue->waiting, far_event_copy_ref (copy));
  far_deferred_ask (queue->later);
}

void
far_notify_all (FarEventCopy *copy)
{
  g_autoptr (GPtrArray) all = g_ptr_array_copy (far_instances_all (), NULL, NULL);

  g_ptr_array_set_free_func (all, NULL);
  for (guint i = 0; i < all->len; i++) {
    FarInstance *at = all->pdata[i];

    if (at->kind == FAR_KIND_NOTIFIER && at->state != FAR_STATE_MISSING)
      notifier_add (at, copy);
  }
}

void
far_notifier_came (FarInstance *at)
{
  NotifierQueue *queue = g_hash_table_lookup (notifier_queues (), at->head.path);

  if (queue == NULL)
    return;
  g_clear_pointer (&queue->timer, far_loop_timer_free);
  far_deferred_ask (queue->later);
}

void
far_notifier_goes (FarInstance *at)
{
  NotifierQueue *queue = g_hash_table_lookup (notifier_queues (), at->head.path);

  if (queue != NULL && queue->at == at)
    notifier_take_back (queue);
}

static gboolean
queue_is_orphan (gpointer path, gpointer queue, gpointer user)
{
  const FarInstance *at = far_instances_by_path (path);

  return at == NULL || at->kind != FAR_KIND_NOTIFIER;
}

void
far_notifiers_settled (void)
{
  g_hash_table_foreach_remove (notifier_queues (), queue_is_orphan, NULL);
}
