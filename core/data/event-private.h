/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares the way of events inside core: from those that go on to the queues of notifiers.
 * [main] */
#pragma once
#include <farwatch/event.h>

/* ---- event.c ---- */
/* A copy that can be kept, counted. */
typedef struct {
  guint refs;
  FarEvent event;
} FarEventCopy;
FarEventCopy *far_event_copy (const FarEvent *event);
FarEventCopy *far_event_copy_ref (FarEventCopy *copy);
void far_event_copy_unref (FarEventCopy *copy);
/* The profile has changed: events of instances that are gone are forgotten. */
void far_events_settled (void);
guint far_events_open (void); /* how many go on */

/* ---- notify.c ---- */
/* Into the queue of each notifier of the profile. */
void far_notify_all (FarEventCopy *copy);
/* One runs, goes: what waits for it is told, waits on. */
void far_notifier_came (FarInstance *at);
void far_notifier_goes (FarInstance *at);
/* The profile has changed: queues of those that are gone are forgotten. */
void far_notifiers_settled (void);
