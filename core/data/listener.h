/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares lists of listeners: each is an instance's or nobody's, ends with its instance, and may
 * leave from inside its call. All [main]. */
#pragma once
#include <farwatch/instance.h>

/* Of any type: who tells casts it back. */
typedef void (*FarListenerFunc) (void);

/* A part of a node may have one as its member; zeroes are an empty list. */
typedef struct {
  GPtrArray *list; /* of listeners; NULL: none */
  guint last_id, depth;
} FarListeners;

/* Returns an id for far_listeners_remove(). at NULL: nobody's. */
guint far_listeners_add (FarListeners *to, FarInstance *at, FarListenerFunc func, gpointer user);
void far_listeners_remove (FarListeners *from, guint id); /* one that has ended is fine */
/* call(func, thing, user) for each: it knows func's type. Those that come meanwhile hear the next one. */
typedef void (*FarListenerCall) (FarListenerFunc func, gconstpointer thing, gpointer user);
void far_listeners_tell (FarListeners *to, FarListenerCall call, gconstpointer thing);
void far_listeners_clear (FarListeners *list);
