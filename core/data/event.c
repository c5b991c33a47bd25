/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file knows which events go on in the node, and so decides what is news: the beginning of one, a higher
 * severity, its end. News go to the log, to listeners and to the queues of notifiers (notify.c). */
#include "config.h"

#include "data/event-private.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/thread.h>

#include "base/node-part.h"
#include "base/sanitize.h"
#include "data/listener.h"
#include "life/instance-private.h"

typedef struct {
  char *path;
  FarSeverity severity;
  gint64 since_us;
  guint count;
} OpenEvent;

typedef struct {
  GHashTable *open; /* "PATH KEY" → OpenEvent; NULL: none */
  FarListeners listeners;
} EventPart;

static void
event_part_clear (gpointer part)
{
  EventPart *self = part;

  g_clear_pointer (&self->open, g_hash_table_unref);
  far_listeners_clear (&self->listeners);
}

static EventPart *
event_part (void)
{
  static const FarNodePart part = { FAR_PART_EVENT, sizeof (EventPart), NULL, event_part_clear };

  return far_node_part (&part);
}

const char *
far_severity_name (FarSeverity severity)
{
  static const char *const names[] = { "info", "warning", "fault", "critical" };

  return names[MIN (severity, FAR_SEVERITY_CRITICAL)];
}

/* ---- copies ---- */

FarEventCopy *
far_event_copy (const FarEvent *event)
{
  FarEventCopy *copy = g_new0 (FarEventCopy, 1);

  copy->refs = 1;
  copy->event = *event;
  copy->event.key = g_strdup (event->key);
  copy->event.text = g_strdup (event->text);
  copy->event.path = g_strdup (event->path);
  return copy;
}

FarEventCopy *
far_event_copy_ref (FarEventCopy *copy)
{
  copy->refs++;
  return copy;
}

void
far_event_copy_unref (FarEventCopy *copy)
{
  if (--copy->refs > 0)
    return;
  g_free ((char *) copy->event.key);
  g_free ((char *) copy->event.text);
  g_free ((char *) copy->event.path);
  g_free (copy);
}

/* ---- listeners ---- */

guint
far_event_listen (FarInstance *at, FarEventFunc func, gpointer user)
{
  FAR_ON_MAIN ();
  return far_listeners_add (&event_part ()->listeners, at, (FarListenerFunc) func, user);
}

void
far_event_unlisten (guint id)
{
  FAR_ON_MAIN ();
  far_listeners_remove (&event_part ()->listeners, id);
}

static void
event_listener_call (FarListenerFunc func, gconstpointer event, gpointer user)
{
  ((FarEventFunc) func) (event, user);
}

/* ---- news ---- */

/* One line of at most max bytes, cut between characters. Caller frees. */
static char *
event_line (const char *text, gsize max)
{
  g_autofree char *line = far_sanitize_text (text != NULL ? text : "", FALSE);

  if (strlen (line) > max)
    *g_utf8_find_prev_char (line, line + max + 1) = '\0';
  return g_steal_pointer (&line);
}

static void
event_log (FarInstance *at, const FarEvent *event)
{
  if (event->recovered)
    far_log (at, G_LOG_LEVEL_MESSAGE, _ ("%s is over: %s"), event->key, event->text);
  else
    far_log (at, event->severity == FAR_SEVERITY_INFO ? G_LOG_LEVEL_MESSAGE : G_LOG_LEVEL_WARNING, "%s: %s",
             event->key, event->text);
}

/* Whoever listens may raise or clear: what is told is a copy. */
static void
event_tell (FarInstance *at, const OpenEvent *open, const char *key, const char *text, gboolean recovered)
{
  FarEvent event = { open->severity, key,         text,     at->head.path, far_clock_wall_us (),
                     open->since_us, open->count, recovered };
  FarEventCopy *copy = far_event_copy (&event);

  event_log (at, &copy->event);
  far_notify_all (copy);
  far_listeners_tell (&event_part ()->listeners, event_listener_call, &copy->event);
  far_event_copy_unref (copy);
}

static void
open_event_free (gpointer data)
{
  OpenEvent *open = data;

  g_free (open->path);
  g_free (open);
}

static GHashTable *
open_events (void)
{
  EventPart *self = event_part ();

  if (self->open == NULL)
    self->open = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, open_event_free);
  return self->open;
}

guint
far_events_open (void)
{
  return g_hash_table_size (open_events ());
}

/* NULL: there are too many. */
static OpenEvent *
open_event_begin (FarInstance *at, const char *id)
{
  OpenEvent *open;

  if (far_events_open () >= FAR_EVENT_OPEN_MAX)
    return NULL;
  open = g_new0 (OpenEvent, 1);
  open->path = g_strdup (at->head.path);
  open->since_us = far_clock_wall_us ();
  g_hash_table_insert (open_events (), g_strdup (id), open);
  return open;
}

static void
event_raised (FarInstance *at, FarSeverity severity, const char *key, const char *text)
{
  g_autofree char *id = g_strconcat (at->head.path, " ", key, NULL);
  OpenEvent *open = g_hash_table_lookup (open_events (), id);
  gboolean news = open == NULL || severity > open->severity;

  if (open == NULL && (open = open_event_begin (at, id)) == NULL) {
    far_log_limited (at, "events", _ ("%d events go on already, nobody is told of '%s': %s"),
                     FAR_EVENT_OPEN_MAX, key, text);
    return;
  }
  open->count++;
  open->severity = MAX (open->severity, severity);
  if (news)
    event_tell (at, open, key, text, FALSE);
}

void
far_event_raise (FarInstance *at, FarSeverity severity, const char *key, const char *format, ...)
{
  FAR_ON_MAIN ();
  g_autofree char *whole = NULL, *line = event_line (key, FAR_EVENT_KEY_MAX), *text = NULL;
  va_list args;

  va_start (args, format);
  whole = g_strdup_vprintf (format, args);
  va_end (args);
  text = event_line (whole, FAR_EVENT_TEXT_MAX);
  event_raised (at, MIN (severity, FAR_SEVERITY_CRITICAL), line, text);
}

void
far_event_clear (FarInstance *at, const char *key, const char *format, ...)
{
  FAR_ON_MAIN ();
  g_autofree char *whole = NULL, *line = event_line (key, FAR_EVENT_KEY_MAX), *text = NULL,
                  *id = g_strconcat (at->head.path, " ", line, NULL);
  gpointer kept_id = NULL, open = NULL;
  va_list args;

  if (!g_hash_table_steal_extended (open_events (), id, &kept_id, &open))
    return;
  va_start (args, format);
  whole = g_strdup_vprintf (format, args);
  va_end (args);
  text = event_line (whole, FAR_EVENT_TEXT_MAX);
  event_tell (at, open, line, text, TRUE);
  g_free (kept_id);
  open_event_free (open);
}

static gboolean
event_is_orphan (gpointer key, gpointer open, gpointer user)
{
  return far_instances_by_path (((const OpenEvent *) open)->path) == NULL;
}

void
far_events_settled (void)
{
  g_hash_table_foreach_remove (open_events (), event_is_orphan, NULL);
}
