/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One login from its interface to its answer, and the queue in which it waits for its turn. [main] */
#pragma once
#include <farwatch/loop.h>
#include <farwatch/login.h>

#include "auth/throttle.h"

#define LOGIN_WAITING 1024 /* in all; one more: the last of the source that has most goes */
#define LOGIN_WAITING_SOURCE 256
#define LOGIN_DELAYED 16 /* of one source that wait out a delay */
#define LOGIN_WAIT_US                                                                                        \
  (40 * G_USEC_PER_SEC) /* longer than any delay; then nobody waits at the interface any more */
#define LOGIN_UNDER_WAY                                                                                      \
  8 /* at the authenticators; fewer than an executor of passwords takes, so that the order is ours and not   \
       the executor's */

typedef struct {
  GStrv authenticators;
  guint next;
  FarLogin *login;
  FarRequest *req;
  gboolean counted; /* it can be a guess: the throttle judges it */
  gboolean broken;  /* an authenticator could not answer */
  gboolean entered; /* it has its turn */
  /* boottime at which the authenticator that judges was asked: what changed since, it may not have seen */
  gint64 asked_us;
  FarTry try; /* borrows from login */
  /* the queue's */
  char *source;
  gint64 since_us;
  GList link;
} LoginRun;

/* Which limit of the queue is met. */
typedef enum { LOGIN_CROWD_ALL, LOGIN_CROWD_SOURCE, LOGIN_CROWD_DELAYED, LOGIN_CROWD_SLOW } LoginCrowd;

/* ---- login.c, for the queue ---- */
/* Its turn: the authenticators are asked. */
void far_login_run (LoginRun *run);
/* It got no turn, or is not tried: is answered and freed. why: for the log. */
void far_login_turn_away (LoginRun *run, LoginCrowd crowd);
void far_login_refuse (LoginRun *run, const char *why);
/* Nobody waits for its answer any more: freed. */
void far_login_drop (LoginRun *run);

/* ---- login-queue.c ---- */
/* Takes its place, or is turned away; sources take turns. Its turn comes inside the call when nothing is in
 * the way. */
void far_login_queue_add (LoginRun *run);
/* It has been answered; its place goes to the next. */
void far_login_queue_leave (LoginRun *run, FarTryOutcome outcome);
void far_login_queue_counts (guint *waiting, guint *under_way);
/* Whoever waits is forgotten; for the end. */
void far_login_queue_clear (void);
