/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A right that was taken away, or has ended, ends the sessions it gave. Looked at every two seconds: changes
 * of rights come from several places. Its turn is also that of counters to be written. */
#include "config.h"

#include "access.h"

#define EVERY_US (2 * G_USEC_PER_SEC)

/* NULL: the person still may. */
static const char *
recheck_fault (const AccessSession *session)
{
  g_autofree char *object = access_terminal_object (session->terminal, session->device);
  const char *cause = NULL;
  if (far_authorize (session->principal, FAR_ACTION_CONNECT, object, NULL, &cause) == FAR_DECISION_DENY)
    return cause ? cause : "no right";
  if (session->raw &&
      far_authorize (session->principal, FAR_ACTION_CONNECT_RAW, object, NULL, &cause) == FAR_DECISION_DENY)
    return cause ? cause : "no right";
  return NULL;
}

static void
recheck_session (AccessSession *session)
{
  const char *fault = session->state < FAR_SESSION_CLOSING ? recheck_fault (session) : NULL;
  if (!fault)
    return;
  g_autofree char *cause = g_strdup_printf (N_ ("the right has ended: %s"), fault);
  access_session_event (session, FAR_SESSION_EV_FAILED, cause, NULL);
}

static void
recheck_now (gpointer user)
{
  Access *self = user;
  GList *all = g_hash_table_get_values (self->sessions);
  for (GList *at = all; at; at = at->next)
    access_session_ref (at->data); /* the end of one may let another be forgotten */
  for (GList *at = all; at; at = at->next)
    recheck_session (at->data);
  for (GList *at = all; at; at = at->next)
    if (((AccessSession *) at->data)->state == FAR_SESSION_OPEN)
      access_session_save_counters (at->data, g_hash_table_size (self->sessions));
  g_list_free_full (all, (GDestroyNotify) access_session_unref);
  access_recheck_start (self);
}

void
access_recheck_start (Access *self)
{
  far_instance_timer (self->at, &self->recheck, far_clock_boottime_us () + EVERY_US, recheck_now, self);
}
