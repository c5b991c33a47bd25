/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Subscriptions: numbered events to one asker. Slow askers get a gap, not our memory. */
#include "config.h"

#include "message/router.h"

#include "base/node-part.h"

#include <farwatch/i18n.h>
#include <farwatch/thread.h>

typedef struct {
  guint id;
  const FarHandler *handler;
  gpointer self;
  FarPrincipal *principal;
  FarMessage *request;
  char *object;
  FarAnswered answered;
  gpointer user;
  guint64 events;
  GQueue held; /* FarMessage, while the asker is busy */
  void (*gone) (guint subscription, gpointer user);
  gpointer gone_user;
} Subscription;

/* All subscriptions of the node; touched on main only. */
typedef struct {
  GHashTable *by_id;
  GHashTable *busy; /* set of user pointers */
  guint last_id;
} Subscriptions;

static void
subscriptions_clear (gpointer part)
{
  Subscriptions *self = part;

  g_clear_pointer (&self->by_id, g_hash_table_unref);
  g_clear_pointer (&self->busy, g_hash_table_unref);
}

static Subscriptions *
subscriptions (void)
{
  static const FarNodePart part = { FAR_PART_SUBSCRIPTION, sizeof (Subscriptions), NULL,
                                    subscriptions_clear };

  return far_node_part (&part);
}

static void
subscription_free (gpointer data)
{
  Subscription *subscription = data;

  g_queue_clear_full (&subscription->held, (GDestroyNotify) far_message_unref);
  far_principal_unref (subscription->principal);
  far_message_unref (subscription->request);
  g_free (subscription->object);
  g_free (subscription);
}

/* Ends it; its handler hears of it, whoever ended it: what it holds for the subscription is let go in one
 * place. */
static void
subscription_end (Subscription *subscription)
{
  void (*gone) (guint subscription, gpointer user) = subscription->gone;
  gpointer user = subscription->gone_user;
  guint id = subscription->id;

  g_hash_table_remove (subscriptions ()->by_id, GUINT_TO_POINTER (id));
  if (g_hash_table_size (subscriptions ()->by_id) == 0)
    g_clear_pointer (&subscriptions ()->by_id, g_hash_table_unref);
  if (gone != NULL)
    gone (id, user);
}

static gboolean
subscription_is_busy (const Subscription *subscription)
{
  return subscriptions ()->busy != NULL && g_hash_table_contains (subscriptions ()->busy, subscription->user);
}

guint
far_call_subscribe (FarCall *call, void (*gone) (guint subscription, gpointer user), gpointer user)
{
  FAR_ON_MAIN ();
  FarAnswer *answer = call->answer;
  Subscription *subscription = g_new0 (Subscription, 1);

  subscription->handler = answer->handler;
  subscription->self = answer->self;
  subscription->principal = far_principal_ref (answer->principal);
  subscription->request = far_message_ref (answer->request);
  subscription->object = g_strdup (call->object);
  subscription->gone = gone;
  subscription->gone_user = user;
  if (!far_call_take_asker (call, &subscription->answered, &subscription->user)) {
    far_call_drop (call);
    subscription_free (subscription);
    if (gone != NULL)
      gone (0, user);
    return 0;
  }
  far_call_drop (call);
  subscription->id = ++subscriptions ()->last_id;
  if (subscriptions ()->by_id == NULL)
    subscriptions ()->by_id = g_hash_table_new_full (NULL, NULL, NULL, subscription_free);
  g_hash_table_insert (subscriptions ()->by_id, GUINT_TO_POINTER (subscription->id), subscription);
  return subscription->id;
}

static FarMessage *
subscription_gap (const Subscription *subscription)
{
  json_t *body = json_object ();

  json_object_set_new (body, "error", json_string ("gap"));
  json_object_set_new (body, "message",
                       json_string (_ ("events were not read fast enough and are lost: watch again")));
  return far_message_answer (subscription->request, 429, body);
}

static FarMessage *
subscription_denied (const Subscription *subscription)
{
  g_autoptr (GError)
      error = g_error_new_literal (FAR_ERROR, FAR_ERROR_DENIED, _ ("the right to watch this has ended"));

  return far_message_error (subscription->request, error);
}

/* Rights may go while one subscriptions. */
static gboolean
subscription_still_may (const Subscription *subscription)
{
  return subscription->handler->action == FAR_ACTION_NONE ||
         far_authorize (subscription->principal, subscription->handler->action, subscription->object, NULL,
                        NULL) == FAR_DECISION_ALLOW;
}

static FarMessage *
subscription_message (Subscription *subscription, json_t *event)
{
  FarMessage *message = far_message_answer (subscription->request, 200, event);
  char number[24];

  g_snprintf (number, sizeof number, "%" G_GUINT64_FORMAT, ++subscription->events);
  far_message_set_header (message, "event", number);
  far_message_set_header (message, "more", "1");
  return message;
}

static void
subscription_last (Subscription *subscription, FarMessage *message)
{
  FarMessage *held;

  while ((held = g_queue_pop_head (&subscription->held)) != NULL)
    far_call_deliver (held, FALSE, subscription->answered, subscription->user);
  far_call_deliver (message, TRUE, subscription->answered, subscription->user);
  subscription_end (subscription);
}

static void
subscription_push (Subscription *subscription, FarMessage *message)
{
  if (!subscription_is_busy (subscription)) {
    far_call_deliver (message, FALSE, subscription->answered, subscription->user);
  } else if (subscription->held.length < FAR_SUBSCRIPTION_EVENTS) {
    g_queue_push_tail (&subscription->held, message);
  } else {
    far_message_unref (message);
    g_queue_clear_full (&subscription->held, (GDestroyNotify) far_message_unref);
    subscription_last (subscription, subscription_gap (subscription));
  }
}

static Subscription *
subscription_find (guint id)
{
  return subscriptions ()->by_id != NULL
             ? g_hash_table_lookup (subscriptions ()->by_id, GUINT_TO_POINTER (id))
             : NULL;
}

const FarPrincipal *
far_subscription_principal (guint id)
{
  FAR_ON_MAIN ();
  const Subscription *subscription = subscription_find (id);

  return subscription != NULL ? subscription->principal : NULL;
}

void
far_subscription_event (guint id, json_t *event)
{
  FAR_ON_MAIN ();
  Subscription *subscription = subscription_find (id);

  if (subscription == NULL)
    json_decref (event);
  else if (event == NULL)
    subscription_last (subscription, far_message_answer (subscription->request, 204, NULL));
  else if (!subscription_still_may (subscription)) {
    json_decref (event);
    subscription_last (subscription, subscription_denied (subscription));
  } else
    subscription_push (subscription, subscription_message (subscription, event));
}

static GPtrArray *
subscription_all (void)
{
  GPtrArray *list = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer subscription;

  if (subscriptions ()->by_id == NULL)
    return list;
  g_hash_table_iter_init (&iter, subscriptions ()->by_id);
  while (g_hash_table_iter_next (&iter, NULL, &subscription))
    g_ptr_array_add (list, GUINT_TO_POINTER (((Subscription *) subscription)->id));
  return list;
}

/* gone() may end other subscriptions: look each up again. */
static Subscription *
subscription_at (GPtrArray *list, guint i)
{
  return subscriptions ()->by_id != NULL ? g_hash_table_lookup (subscriptions ()->by_id, list->pdata[i])
                                         : NULL;
}

void
far_subscription_user_gone (gpointer user)
{
  g_autoptr (GPtrArray) list = subscription_all ();

  for (guint i = 0; i < list->len; i++) {
    Subscription *subscription = subscription_at (list, i);

    if (subscription != NULL && subscription->user == user)
      subscription_end (subscription);
  }
  far_subscription_user_busy (user, FALSE);
}

static void
subscription_release (Subscription *subscription)
{
  FarMessage *held;

  while ((held = g_queue_pop_head (&subscription->held)) != NULL)
    far_call_deliver (held, FALSE, subscription->answered, subscription->user);
}

void
far_subscription_user_busy (gpointer user, gboolean busy)
{
  g_autoptr (GPtrArray) list = NULL;

  if (busy) {
    if (subscriptions ()->busy == NULL)
      subscriptions ()->busy = g_hash_table_new (NULL, NULL);
    g_hash_table_add (subscriptions ()->busy, user);
    return;
  }
  if (subscriptions ()->busy == NULL || !g_hash_table_remove (subscriptions ()->busy, user))
    return;
  if (g_hash_table_size (subscriptions ()->busy) == 0)
    g_clear_pointer (&subscriptions ()->busy, g_hash_table_unref);
  list = subscription_all ();
  for (guint i = 0; i < list->len; i++) {
    Subscription *subscription = subscription_at (list, i);

    if (subscription != NULL && subscription->user == user)
      subscription_release (subscription);
  }
}

/* The handlers' owner stops. */
void
far_subscription_self_gone (const FarHandler *handlers, gpointer self)
{
  g_autoptr (GPtrArray) list = subscription_all ();

  for (guint i = 0; i < list->len; i++) {
    Subscription *subscription = subscription_at (list, i);

    if (subscription == NULL || subscription->self != self)
      continue;
    for (const FarHandler *handler = handlers; handler->method != NULL; handler++)
      if (subscription->handler == handler) {
        subscription_last (subscription, far_message_answer (subscription->request, 204, NULL));
        break;
      }
  }
}

guint
far_subscription_count (void)
{
  return subscriptions ()->by_id != NULL ? g_hash_table_size (subscriptions ()->by_id) : 0;
}
