/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an instance owns, and core ends for it when it goes: its timers, listeners, tickets. [main] */
#pragma once
#include <farwatch/instance.h>

/* A member of the thing that is owned. */
typedef struct {
  FarInstance *at; /* NULL: nobody's, or ended */
  GList link;      /* its place among what the instance owns */
  void (*end) (gpointer thing);
  gpointer thing;
} FarOwned;

/* The thing is at's from now on; at NULL: nobody's. end(thing) runs when the instance goes, and may free the
 * thing. */
void far_owned_by (FarOwned *owned, FarInstance *at, void (*end) (gpointer thing), gpointer thing);
/* The thing ends by itself. */
void far_owned_leave (FarOwned *owned);
/* All that the instance owns ends, also what is made meanwhile. */
void far_owned_end (FarInstance *at);
