/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Watches: numbered events to one asker. Slow askers get a gap, not our memory. */
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
  void (*gone) (guint watch, gpointer user);
  gpointer gone_user;
} Watch;

/* All watches of the node; touched on main only. */
typedef struct {
  GHashTable *by_id;
  GHashTable *busy; /* set of user pointers */
  guint last_id;
} Watches;

static void
watches_clear (gpointer part)
{
  Watches *self = part;

  g_clear_pointer (&self->by_id, g_hash_table_unref);
  g_clear_pointer (&self->busy, g_hash_table_unref);
}

static Watches *
watches (void)
{
  static const FarNodePart part = { FAR_PART_WATCH, sizeof (Watches), NULL, watches_clear };

  return far_node_part (&part);
}

static void
watch_free (gpointer data)
{
  Watch *watch = data;

  g_queue_clear_full (&watch->held, (GDestroyNotify) far_message_unref);
  far_principal_unref (watch->principal);
  far_message_unref (watch->request);
  g_free (watch->object);
  g_free (watch);
}

/* Ends it; its handler hears of it, whoever ended it: what it holds for the watch is let go in one place. */
static void
watch_end (Watch *watch)
{
  void (*gone) (guint watch, gpointer user) = watch->gone;
  gpointer user = watch->gone_user;
  guint id = watch->id;

  g_hash_table_remove (watches ()->by_id, GUINT_TO_POINTER (id));
  if (g_hash_table_size (watches ()->by_id) == 0)
    g_clear_pointer (&watches ()->by_id, g_hash_table_unref);
  if (gone != NULL)
    gone (id, user);
}

static gboolean
watch_is_busy (const Watch *watch)
{
  return watches ()->busy != NULL && g_hash_table_contains (watches ()->busy, watch->user);
}

guint
far_call_watch (FarCall *call, void (*gone) (guint watch, gpointer user), gpointer user)
{
  FAR_ON_MAIN ();
  FarAnswer *answer = call->answer;
  Watch *watch = g_new0 (Watch, 1);

  watch->handler = answer->handler;
  watch->self = answer->self;
  watch->principal = far_principal_ref (answer->principal);
  watch->request = far_message_ref (answer->request);
  watch->object = g_strdup (call->object);
  watch->gone = gone;
  watch->gone_user = user;
  if (!far_call_take_asker (call, &watch->answered, &watch->user)) {
    far_call_drop (call);
    watch_free (watch);
    if (gone != NULL)
      gone (0, user);
    return 0;
  }
  far_call_drop (call);
  watch->id = ++watches ()->last_id;
  if (watches ()->by_id == NULL)
    watches ()->by_id = g_hash_table_new_full (NULL, NULL, NULL, watch_free);
  g_hash_table_insert (watches ()->by_id, GUINT_TO_POINTER (watch->id), watch);
  return watch->id;
}

static FarMessage *
watch_gap (const Watch *watch)
{
  json_t *body = json_object ();

  json_object_set_new (body, "error", json_string ("gap"));
  json_object_set_new (body, "message",
                       json_string (_ ("events were not read fast enough and are lost: watch again")));
  return far_message_answer (watch->request, 429, body);
}

static FarMessage *
watch_denied (const Watch *watch)
{
  g_autoptr (GError)
      error = g_error_new_literal (FAR_ERROR, FAR_ERROR_DENIED, _ ("the right to watch this has ended"));

  return far_message_error (watch->request, error);
}

/* Rights may go while one watches. */
static gboolean
watch_still_may (const Watch *watch)
{
  return watch->handler->action == FAR_ACTION_NONE ||
         far_authorize (watch->principal, watch->handler->action, watch->object, NULL, NULL) ==
             FAR_DECISION_ALLOW;
}

static FarMessage *
watch_message (Watch *watch, json_t *event)
{
  FarMessage *message = far_message_answer (watch->request, 200, event);
  char number[24];

  g_snprintf (number, sizeof number, "%" G_GUINT64_FORMAT, ++watch->events);
  far_message_set_header (message, "event", number);
  far_message_set_header (message, "more", "1");
  return message;
}

static void
watch_last (Watch *watch, FarMessage *message)
{
  FarMessage *held;

  while ((held = g_queue_pop_head (&watch->held)) != NULL)
    far_call_deliver (held, FALSE, watch->answered, watch->user);
  far_call_deliver (message, TRUE, watch->answered, watch->user);
  watch_end (watch);
}

static void
watch_push (Watch *watch, FarMessage *message)
{
  if (!watch_is_busy (watch)) {
    far_call_deliver (message, FALSE, watch->answered, watch->user);
  } else if (watch->held.length < FAR_WATCH_EVENTS) {
    g_queue_push_tail (&watch->held, message);
  } else {
    far_message_unref (message);
    g_queue_clear_full (&watch->held, (GDestroyNotify) far_message_unref);
    watch_last (watch, watch_gap (watch));
  }
}

static Watch *
watch_find (guint id)
{
  return watches ()->by_id != NULL ? g_hash_table_lookup (watches ()->by_id, GUINT_TO_POINTER (id)) : NULL;
}

const FarPrincipal *
far_watch_principal (guint id)
{
  FAR_ON_MAIN ();
  const Watch *watch = watch_find (id);

  return watch != NULL ? watch->principal : NULL;
}

void
far_watch_event (guint id, json_t *event)
{
  FAR_ON_MAIN ();
  Watch *watch = watch_find (id);

  if (watch == NULL)
    json_decref (event);
  else if (event == NULL)
    watch_last (watch, far_message_answer (watch->request, 204, NULL));
  else if (!watch_still_may (watch)) {
    json_decref (event);
    watch_last (watch, watch_denied (watch));
  } else
    watch_push (watch, watch_message (watch, event));
}

static GPtrArray *
watch_all (void)
{
  GPtrArray *list = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer watch;

  if (watches ()->by_id == NULL)
    return list;
  g_hash_table_iter_init (&iter, watches ()->by_id);
  while (g_hash_table_iter_next (&iter, NULL, &watch))
    g_ptr_array_add (list, GUINT_TO_POINTER (((Watch *) watch)->id));
  return list;
}

/* gone() may end other watches: look each up again. */
static Watch *
watch_at (GPtrArray *list, guint i)
{
  return watches ()->by_id != NULL ? g_hash_table_lookup (watches ()->by_id, list->pdata[i]) : NULL;
}

void
far_watch_user_gone (gpointer user)
{
  g_autoptr (GPtrArray) list = watch_all ();

  for (guint i = 0; i < list->len; i++) {
    Watch *watch = watch_at (list, i);

    if (watch != NULL && watch->user == user)
      watch_end (watch);
  }
  far_watch_user_busy (user, FALSE);
}

static void
watch_release (Watch *watch)
{
  FarMessage *held;

  while ((held = g_queue_pop_head (&watch->held)) != NULL)
    far_call_deliver (held, FALSE, watch->answered, watch->user);
}

void
far_watch_user_busy (gpointer user, gboolean busy)
{
  g_autoptr (GPtrArray) list = NULL;

  if (busy) {
    if (watches ()->busy == NULL)
      watches ()->busy = g_hash_table_new (NULL, NULL);
    g_hash_table_add (watches ()->busy, user);
    return;
  }
  if (watches ()->busy == NULL || !g_hash_table_remove (watches ()->busy, user))
    return;
  if (g_hash_table_size (watches ()->busy) == 0)
    g_clear_pointer (&watches ()->busy, g_hash_table_unref);
  list = watch_all ();
  for (guint i = 0; i < list->len; i++) {
    Watch *watch = watch_at (list, i);

    if (watch != NULL && watch->user == user)
      watch_release (watch);
  }
}

/* The handlers' owner stops. */
void
far_watch_self_gone (const FarHandler *handlers, gpointer self)
{
  g_autoptr (GPtrArray) list = watch_all ();

  for (guint i = 0; i < list->len; i++) {
    Watch *watch = watch_at (list, i);

    if (watch == NULL || watch->self != self)
      continue;
    for (const FarHandler *handler = handlers; handler->method != NULL; handler++)
      if (watch->handler == handler) {
        watch_last (watch, far_message_answer (watch->request, 204, NULL));
        break;
      }
  }
}

guint
far_watch_count (void)
{
  return watches ()->by_id != NULL ? g_hash_table_size (watches ()->by_id) : 0;
}
