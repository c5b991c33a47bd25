/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one session state machine, at the cloud and at the terminal. doc/sessions.md holds the table in prose;
 * a test reads it and compares. Every event is defined in every state: next state, or REFUSE (a peer's:
 * refuse and say so), or DROP (our own late event). (spec B7, B11, B12)
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once
#include <farwatch/error.h>

G_BEGIN_DECLS

typedef enum {
  FAR_SESSION_REQUESTED,
  FAR_SESSION_AWAITING,
  FAR_SESSION_PERMITTED,
  FAR_SESSION_OPENING,
  FAR_SESSION_OPEN,
  FAR_SESSION_RESUMING,
  FAR_SESSION_CLOSING,
  FAR_SESSION_CLOSED,
  FAR_N_SESSION_STATES
} FarSessionState;

typedef enum {
  FAR_SESSION_EV_APPROVAL_NEEDED,
  FAR_SESSION_EV_PERMIT,
  FAR_SESSION_EV_DENY,
  FAR_SESSION_EV_OFFERED /* terminal took the offer */,
  FAR_SESSION_EV_TUNNEL_UP,
  FAR_SESSION_EV_LINK_LOST,
  FAR_SESSION_EV_CLOSE_ASKED,
  FAR_SESSION_EV_DEADLINE,
  FAR_SESSION_EV_TUNNEL_ENDED,
  FAR_SESSION_EV_REPORTED /* the other end says it has closed */,
  FAR_SESSION_EV_FAILED,
  FAR_SESSION_EV_RESTART,
  FAR_N_SESSION_EVENTS
} FarSessionEvent;

typedef enum { FAR_STEP_GO, FAR_STEP_REFUSE, FAR_STEP_DROP } FarStepKind;
typedef struct {
  FarStepKind kind;
  FarSessionState next;
} FarStep;

/* Pure table look-up. [any thread] */
FarStep far_session_step (FarSessionState state, FarSessionEvent event);
const char *far_session_state_name (FarSessionState state); /* "requested", "awaiting approval", … */
gboolean far_session_state_parse (const char *name, FarSessionState *state);
const char *far_session_event_name (FarSessionEvent event);
/* The seeds' words: "not connected" / "connected" / "close requested". */
const char *far_session_state_spec (FarSessionState state);
/* Takes the step: TRUE and *state moved, FALSE with FAR_ERROR_CONFLICT for REFUSE; TRUE and unmoved for DROP.
 */
gboolean far_session_apply (FarSessionState *state, FarSessionEvent event, GError **error);
/* 16 characters, random. */
char *far_session_id_new (void);
/* Deadline on disk: {boot_id, boottime_us, wall_us}; another boot_id means it is over (closed(restart)). */
typedef struct {
  char boot_id[40];
  gint64 boottime_us, wall_us;
} FarDeadline;
void far_deadline_set (FarDeadline *deadline, gint64 length_us);
gboolean far_deadline_over (const FarDeadline *deadline);

G_END_DECLS
