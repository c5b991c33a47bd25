/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cycles: something that is asked of another node again and again, one question at a time. It comes at a
 * length that the profile says, a tenth more or less, so that nodes that came back together do not stay
 * together; sooner, when somebody wants it; and soon again where no good answer came, ever more slowly up to
 * the length.
 * Callbacks are [main], too.
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/instance.h>

G_BEGIN_DECLS

typedef struct {
  /* Asks; far_cycle_over() has to follow, later. FALSE: nobody can be asked now. */
  gboolean (*ask) (gpointer user);
  /* as things are now */
  gint64 (*length_us) (gpointer user);
} FarCycleFuncs;

typedef struct _FarCycle FarCycle;
/* at: whose it is, and who frees it, in fini() at the latest; nothing is asked before far_cycle_soon().
 * funcs: borrowed for ever. retry_us: after the first failure; after each further one in a row it is twice as
 * long. */
FarCycle *far_cycle_new (FarInstance *at, const FarCycleFuncs *funcs, gint64 retry_us, gpointer user);
void far_cycle_free (FarCycle *cycle); /* NULL is fine */
/* The next question comes no later than that. 0 while one is asked: when that has had a good answer. */
void far_cycle_soon (FarCycle *cycle, gint64 in_us);
/* What was asked is answered; not good: it is no answer, or none that can be read. */
void far_cycle_over (FarCycle *cycle, gboolean good);

G_END_DECLS
