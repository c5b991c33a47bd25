/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session on disk: its row while it lives, and its history row (spec B13). One write is under way at a
 * time; what changed meanwhile goes with the next. */
#include "config.h"

#include "access.h"

#define RETRY_US (3 * G_USEC_PER_SEC)
#define COUNTERS_US (10 * G_USEC_PER_SEC)      /* between two writes of a session's counters */
#define COUNTERS_EACH_US (G_USEC_PER_SEC / 10) /* and at most ten a second of all */

char *
access_history_key (gint64 wall_us, const char *id)
{
  return g_strdup_printf ("%020" G_GINT64_FORMAT "-%s", wall_us, id);
}

static json_t *
session_row (const AccessSession *session)
{
  const FarTunnel *ports = session->ports;
  return json_pack ("{s:s, s:s, s:s?, s:s, s:s?, s:s, s:s, s:i, s:s?, s:i, s:i, s:I, s:I, s:{s:s, s:I, s:I}, "
                    "s:s, s:s, s:i}",
                    "session", session->id, "terminal", session->terminal, "device", session->device,
                    "person", session->person, "from", session->from, "reason", session->reason, "state",
                    far_session_state_name (session->state), "generation", (int) session->generation,
                    "tunnel", session->tunnel, "x", ports ? ports->x : 0, "y", ports ? ports->y : 0,
                    "asked_us", (json_int_t) session->asked_us, "for_us", (json_int_t) session->for_us,
                    "deadline", "boot_id", session->deadline.boot_id, "boottime_us",
                    (json_int_t) session->deadline.boottime_us, "wall_us",
                    (json_int_t) session->deadline.wall_us, "history", session->history, "owner",
                    far_node_id (), "epoch", 1);
}

static void
access_save_set_time (json_t *row, const char *key, gint64 wall_us)
{
  g_autofree char *text = wall_us ? far_clock_format (wall_us) : NULL;
  if (text)
    json_object_set_new (row, key, json_string (text));
}

static json_t *
history_row (const AccessSession *session)
{
  json_t *row = json_pack (
      "{s:s, s:s, s:s, s:s?, s:s, s:s?, s:s, s:s, s:s, s:b, s:s, s:s, s:I, s:I, s:I, s:I, s:s?, s:s?, s:s?}",
      "kind", "session", "session", session->id, "terminal", session->terminal, "device", session->device,
      "person", session->person, "from", session->from, "user", session->user, "reason", session->reason,
      "entry", session->entry == FAR_ENTRY_PORTS ? "ports" : "stream", "raw", session->raw, "login",
      session->in_advance ? "in-advance" : "in-band", "state", far_session_state_name (session->state),
      "for_us", (json_int_t) session->for_us, "bytes_up", (json_int_t) session->bytes_up, "bytes_down",
      (json_int_t) session->bytes_down, "turned_away", (json_int_t) session->turned_away, "trouble",
      session->trouble, "cause", session->cause, "ended_by", session->ended_by);
  access_save_set_time (row, "asked", session->asked_us);
  access_save_set_time (row, "opened", session->opened_us);
  access_save_set_time (row, "closed", session->closed_us);
  if (session->opened_us && session->closed_us)
    json_object_set_new (row, "length_us", json_integer (session->closed_us - session->opened_us));
  return row;
}

static void
session_write (AccessSession *session, gint64 expect, AccessDone done, gpointer user, GDestroyNotify dropped)
{
  session->saved_bytes = session->bytes_up + session->bytes_down;
  session->saved_us = far_clock_boottime_us ();
  json_t *row = session_row (session), *history = history_row (session);
  json_object_set (row, "record", history); /* a restart closes the history from here */
  g_autofree char *row_text = access_session_live (session) ? access_json_text (row) : NULL,
                  *history_text = access_json_text (history);
  FarPart parts[] = {
    { .kind = FAR_PART_ROW, .table = "sessions", .key = session->id, .row = row_text, .expect = expect },
    { .kind = FAR_PART_ROW,
      .table = "history",
      .key = session->history,
      .row = history_text,
      .expect = expect }
  };
  access_rows_apply (session->self, parts, 2, done, user, dropped);
  json_decref (row);
  json_decref (history);
}

void
access_session_first (AccessSession *session, AccessDone done, gpointer user, GDestroyNotify dropped)
{
  session_write (session, FAR_EXPECT_ABSENT, done, user, dropped);
}

static void
save_retry (gpointer user)
{
  AccessSession *session = user;
  session->writing = FALSE;
  access_session_save (session);
  access_session_unref (session);
}

static void
saved (Access *self, const GError *error, gpointer user)
{
  AccessSession *session = user;
  if (error) {
    far_log_limited (self->at, "save", "session %s cannot be recorded now, will be tried again: %s",
                     session->id, error->message);
    far_instance_after (self->at, far_clock_boottime_us () + RETRY_US, save_retry, session,
                        (GDestroyNotify) access_session_unref);
    return;
  }
  session->writing = FALSE;
  if (session->dirty)
    access_session_save (session);
  access_session_unref (session);
}

void
access_session_save (AccessSession *session)
{
  session->dirty = session->writing;
  if (session->writing)
    return;
  session->writing = TRUE;
  session_write (session, FAR_EXPECT_ANY, saved, access_session_ref (session),
                 (GDestroyNotify) access_session_unref);
}

void
access_session_save_counters (AccessSession *session, guint open)
{
  gint64 every_us = MAX (COUNTERS_US, open * COUNTERS_EACH_US);
  gboolean moved = session->bytes_up + session->bytes_down != session->saved_bytes;
  if (moved && !session->writing && far_clock_boottime_us () >= session->saved_us + every_us)
    access_session_save (session);
}
