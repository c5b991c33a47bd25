/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds the state table of sessions, which doc/sessions.md has in prose, and deadlines that
 * survive a restart. It has no effects: who keeps a session asks here for the next state and then acts by
 * it, so that cloud and terminal cannot differ. */
#include "config.h"

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/session.h>
#include <farwatch/trust.h>

#include <string.h>

#define SESSION_ID_LENGTH 16

/* One letter a cell: the next state, or R refuse, D drop. A letter keeps the table as readable as the one in
 * doc/sessions.md. q requested, a awaiting approval, p permitted, o opening, O open, r resuming, c closing, x
 * closed. */
static const char letters[FAR_N_SESSION_STATES] = { 'q', 'a', 'p', 'o', 'O', 'r', 'c', 'x' };

static const struct {
  const char *name;
  const char *cells; /* one for each state, in the order of FarSessionState */
} events[FAR_N_SESSION_EVENTS] = {
  [FAR_SESSION_EV_APPROVAL_NEEDED] = { "approval needed", "aDRRRRRD" },
  [FAR_SESSION_EV_PERMIT] = { "permit", "ppRRRRRR" },
  [FAR_SESSION_EV_DENY] = { "deny", "xxRRRRRR" },
  [FAR_SESSION_EV_OFFERED] = { "offered", "RRoDDDRR" },
  [FAR_SESSION_EV_TUNNEL_UP] = { "tunnel up", "RROORORR" },
  [FAR_SESSION_EV_LINK_LOST] = { N_ ("link lost"), "DDDprDDD" },
  [FAR_SESSION_EV_CLOSE_ASKED] = { N_ ("close asked"), "xxccccDR" },
  [FAR_SESSION_EV_DEADLINE] = { N_ ("deadline"), "xxccccDD" },
  [FAR_SESSION_EV_TUNNEL_ENDED] = { N_ ("tunnel ended"), "DDxxxxxD" },
  [FAR_SESSION_EV_REPORTED] = { "reported", "RRcccccD" },
  [FAR_SESSION_EV_FAILED] = { N_ ("failed"), "xxccccDD" },
  [FAR_SESSION_EV_RESTART] = { N_ ("restart"), "xxxxxxxD" },
};

static const struct {
  const char *name, *spec;
} states[FAR_N_SESSION_STATES] = {
  [FAR_SESSION_REQUESTED] = { "requested", "not connected" },
  [FAR_SESSION_AWAITING] = { "awaiting approval", "not connected" },
  [FAR_SESSION_PERMITTED] = { "permitted", "not connected" },
  [FAR_SESSION_OPENING] = { "opening", "not connected" },
  [FAR_SESSION_OPEN] = { "open", "connected" },
  [FAR_SESSION_RESUMING] = { "resuming", "connected" },
  [FAR_SESSION_CLOSING] = { "closing", "close requested" },
  [FAR_SESSION_CLOSED] = { "closed", "not connected" },
};

static gboolean
session_known (FarSessionState state, FarSessionEvent event)
{
  return (guint) state < FAR_N_SESSION_STATES && (guint) event < FAR_N_SESSION_EVENTS;
}

FarStep
far_session_step (FarSessionState state, FarSessionEvent event)
{
  if (!session_known (state, event))
    return (FarStep){ FAR_STEP_REFUSE, state };
  char cell = events[event].cells[state];
  if (cell == 'R' || cell == 'D')
    return (FarStep){ cell == 'R' ? FAR_STEP_REFUSE : FAR_STEP_DROP, state };
  const char *next = memchr (letters, cell, sizeof letters);
  return (FarStep){ FAR_STEP_GO, (FarSessionState) (next - letters) };
}

const char *
far_session_state_name (FarSessionState state)
{
  return (guint) state < FAR_N_SESSION_STATES ? states[state].name : "unknown";
}

gboolean
far_session_state_parse (const char *name, FarSessionState *state)
{
  for (guint i = 0; i < FAR_N_SESSION_STATES; i++)
    if (g_strcmp0 (name, states[i].name) == 0) {
      *state = i;
      return TRUE;
    }
  return FALSE;
}

const char *
far_session_event_name (FarSessionEvent event)
{
  return (guint) event < FAR_N_SESSION_EVENTS ? events[event].name : "unknown";
}

const char *
far_session_state_spec (FarSessionState state)
{
  return (guint) state < FAR_N_SESSION_STATES ? states[state].spec : "not connected";
}

gboolean
far_session_apply (FarSessionState *state, FarSessionEvent event, GError **error)
{
  FarStep step = far_session_step (*state, event);
  if (step.kind == FAR_STEP_REFUSE) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _ ("session is %s: '%s' does not fit there"),
                 far_session_state_name (*state), far_session_event_name (event));
    return FALSE;
  }
  *state = step.next;
  return TRUE;
}

char *
far_session_id_new (void)
{
  return far_random_text (SESSION_ID_LENGTH);
}

void
far_deadline_set (FarDeadline *deadline, gint64 length_us)
{
  memset (deadline, 0, sizeof *deadline);
  g_strlcpy (deadline->boot_id, far_clock_boot_id (), sizeof deadline->boot_id);
  deadline->boottime_us = far_clock_boottime_us () + length_us;
  deadline->wall_us = far_clock_wall_us () + length_us;
}

gboolean
far_deadline_over (const FarDeadline *deadline)
{
  return strcmp (deadline->boot_id, far_clock_boot_id ()) != 0 ||
         far_clock_boottime_us () >= deadline->boottime_us;
}
