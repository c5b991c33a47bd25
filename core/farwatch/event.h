/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events: what an instance wants people to hear of, such as a limit that was passed. An event begins when it
 * is raised, and goes on until it is cleared; it is told to each notifier of the profile when it begins, when
 * its severity rises, and when it is over. Raised again meanwhile it is counted, and nobody hears it twice.
 */
#pragma once
#include <farwatch/instance.h>

G_BEGIN_DECLS

typedef enum {
  FAR_SEVERITY_INFO,    /* good to know */
  FAR_SEVERITY_WARNING, /* will be a fault if nothing is done */
  FAR_SEVERITY_FAULT,   /* something does not do what it should */
  FAR_SEVERITY_CRITICAL /* somebody has to come now */
} FarSeverity;
/* "info", "warning", "fault", "critical". [any thread] */
const char *far_severity_name (FarSeverity severity);

#define FAR_EVENT_KEY_MAX 128   /* bytes; a longer key is cut */
#define FAR_EVENT_TEXT_MAX 1024 /* bytes; a longer text is cut */
#define FAR_EVENT_OPEN_MAX 1024 /* events that go on at once in a node; more are told by the log alone */
#define FAR_EVENT_QUEUE_MAX                                                                                  \
  256                          /* that wait for one notifier; the oldest is dropped then, with a log line    \
                                */
#define FAR_EVENT_TRIES 8      /* a notifier is asked so often, ever more rarely, then the event is dropped */
#define FAR_EVENT_TRY_MS 30000 /* a notifier has so long for one */

/* All texts are valid UTF-8 of one line, borrowed for the call. */
typedef struct {
  FarSeverity severity;
  const char *key;    /* what it is about: the same key of the same instance is the same matter */
  const char *text;   /* for a person */
  const char *path;   /* whose event it is: "sensors.boiler" */
  gint64 time_us;     /* wall: of what is told now */
  gint64 since_us;    /* wall: when it began */
  guint count;        /* how often it was raised since then */
  gboolean recovered; /* it is over */
} FarEvent;

/* Something is the matter. format makes the text, translated already. The log has a line of it, too. [main]
 */
void far_event_raise (FarInstance *at, FarSeverity severity, const char *key, const char *format, ...)
    G_GNUC_PRINTF (4, 5);
/* It is over; of a key that was not raised nothing is told. [main] */
void far_event_clear (FarInstance *at, const char *key, const char *format, ...) G_GNUC_PRINTF (3, 4);

typedef void (*FarEventFunc) (const FarEvent *event, gpointer user);
/* Listener for the same that notifiers are told, at once. [main] It is at's, and ends with it before its
 * stop(); at NULL: nobody's. Returns an id for far_event_unlisten(); an id that has ended is fine. */
guint far_event_listen (FarInstance *at, FarEventFunc func, gpointer user);
void far_event_unlisten (guint id);

G_END_DECLS
