/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header shows instances from core's side: their states, what a reload and the order of starting ask
 * of them. Plugins see a handle only (farwatch/instance.h). [main] */
#pragma once
#include <farwatch/plugin.h>
#include <jansson.h>

#include "loop/instance-head.h"
#include "profile/profile.h"

typedef enum {
  FAR_STATE_MISSING,  /* its type is not installed or cannot be used          */
  FAR_STATE_WAITING,  /* for the first try of what it refers to               */
  FAR_STATE_STARTING, /* start() ran, neither ready nor failed yet            */
  FAR_STATE_RUNNING,
  FAR_STATE_RETRYING, /* failed, torn down, tried again later                 */
  FAR_STATE_FAILED,   /* failed for good: the profile or the code must change */
  FAR_STATE_STOPPED,
  FAR_STATE_RESTING, /* starts when somebody asks for it                     */
  FAR_STATE_RETIRED  /* replaced by a reload, its sessions go on             */
} FarState;

typedef struct _FarListen FarListen;
typedef struct _FarSensorRun FarSensorRun;

struct _FarInstance {
  FarInstanceHead head;
  guint held; /* by threads that were left to themselves */
  char *name;
  FarKind kind;
  const FarType *type; /* NULL: missing */
  FarProfile *profile; /* whose tree `configured` is part of */
  const FarConfigured *configured;
  gconstpointer options;
  gpointer self; /* between init and fini */
  FarState state;
  gboolean begun;       /* start() returned TRUE: stop() is due */
  gboolean tried;       /* ready or failed at least once */
  gint64 since_us;      /* wall: of the state */
  gint64 running_us;    /* boottime at which it ran */
  GError *error;        /* last failure */
  guint failures;       /* in a row */
  FarLoopTimer *timer;  /* next try */
  GPtrArray *listens;   /* of FarListen */
  FarSensorRun *sensor; /* sensors that run */
  FarRequest *act;      /* of a sensor: the act under way, borrowed; NULL: none */
};

/* ---- one instance ---- */
FarInstance *far_instance_new (FarProfile *profile, const FarConfigured *configured);
/* What the head calls with the last reference. */
void far_instance_free (FarInstance *at);
/* self, options, init; FALSE: fini was called. No I/O, so it may be tried before anything is decided. */
gboolean far_instance_init (FarInstance *at, GError **error);
/* reload() of what can take options. FALSE always with an error, whatever the plugin does; so does init. */
gboolean far_instance_reload (FarInstance *at, gconstpointer options, GError **error);
/* start() of what was initialised; failures are told and retried. */
void far_instance_begin (FarInstance *at);
/* init unless that was done, then begin. */
void far_instance_try (FarInstance *at);
/* One that rests is loaded and tried. */
void far_instance_wake (FarInstance *at);
/* Torn down, and tried at once, whatever it waits for. */
void far_instance_retry (FarInstance *at);
/* It takes no new work and ends with its last session; at once where the type has no retire(). */
void far_instance_retire (FarInstance *at);
/* stop() and fini(); sockets stay. */
void far_instance_end (FarInstance *at);
const char *far_state_name (FarState state);
/* {"path","type","state","cause","since","place"} */
json_t *far_instance_json (const FarInstance *at);

/* ---- all instances (instances.c) ---- */
/* Makes and starts those of the profile, in its order. */
/* What the services of a profile need of the node, before they run. */
void far_instances_expect (const FarProfile *profile);
void far_instances_start (FarProfile *profile);
/* Starts what waits and can go now; called whenever an instance has been tried. */
void far_instances_advance (void);
/* Reverse order. */
void far_instances_stop (void);
/* Retired ones, until they end. */
void far_instances_keep_retired (FarInstance *at);
void far_instances_drop_retired (FarInstance *at);
GPtrArray *far_instances_all (void); /* of FarInstance, in the order of starting; borrowed */
FarInstance *far_instances_by_path (const char *path);
/* What is told to who needs it, while it does not run. */
void far_instance_why_not (const FarInstance *at, GError **error);
/* Takes the array. */
void far_instances_replace (GPtrArray *instances);
/* Every instance was tried: the daemon has come up, well or not. func runs once. */
void far_instances_on_up (void (*func) (void));
/* Some have not been tried yet: what is missing now may be there in a moment. [main] */
gboolean far_instances_starting (void);

/* ---- listening sockets (listen.c) ---- */
void far_listens_free (FarInstance *at);
/* The new instance gets the sockets of the old one. */
void far_listens_move (FarInstance *from, FarInstance *to);
/* Marks all as not asked for; before each start. */
void far_listens_rest (FarInstance *at);
/* Closes those that were not asked for since. */
void far_listens_prune (FarInstance *at);
