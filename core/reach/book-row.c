/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the form of a session on disk: its row, with what a restart needs, and its history row.
 * Versions before the book wrote neither `kind` nor `object`, and no owner's epoch but 1. */
#include "config.h"

#include "reach/book-private.h"

#include <farwatch/clock.h>

#include <string.h>

static const char *const entries[] = { [FAR_ENTRY_PORTS] = "ports", [FAR_ENTRY_STREAM] = "stream" };

static const struct {
  guint flag;
  const char *word;
} flags[] = { { FAR_SESSION_HELD, "held" },
              { FAR_SESSION_RECORDED, "recorded" },
              { FAR_SESSION_OPAQUE, "opaque" } };

char *
far_book_json_text (const json_t *json)
{
  char *text = json_dumps (json, JSON_COMPACT | JSON_SORT_KEYS);
  char *copy = g_strdup (text);

  free (text);
  return copy;
}

static const char *
row_text (const json_t *row, const char *key)
{
  return json_string_value (json_object_get (row, key));
}

static gint64
row_int (const json_t *row, const char *key)
{
  return json_integer_value (json_object_get (row, key));
}

static void
row_put_text (json_t *row, const char *key, const char *text)
{
  if (text != NULL)
    json_object_set_new (row, key, json_string (text));
}

/* ---- out ---- */

static json_t *
flags_json (guint set)
{
  json_t *words = json_array ();

  for (guint i = 0; i < G_N_ELEMENTS (flags); i++)
    if (set & flags[i].flag)
      json_array_append_new (words, json_string (flags[i].word));
  return words;
}

static void
row_seldom (const FarSession *session, json_t *row)
{
  row_put_text (row, "parent", session->parent);
  if (session->opened_us != 0)
    json_object_set_new (row, "opened_us", json_integer (session->opened_us));
  if (session->flags != 0)
    json_object_set_new (row, "flags", flags_json (session->flags));
  if (session->legs != NULL)
    json_object_set (row, "legs", session->legs);
  if (session->extra != NULL)
    json_object_set (row, "extra", session->extra);
}

static json_t *
row_new (const FarSession *session)
{
  const FarDeadline *deadline = &session->deadline;
  json_t *row =
      json_pack ("{s:s, s:s, s:s, s:I, s:s?, s:s?, s:s?, s:s, s:s, s:i, s:I, s:I, s:{s:s, s:I, s:I}, s:s}",
                 "session", session->id, "kind", session->kind->name, "owner", session->owner, "epoch",
                 (json_int_t) session->epoch, "person", session->person, "object", session->object, "reason",
                 session->reason, "entry", entries[session->entry], "state",
                 far_session_state_name (session->state), "generation", (int) session->generation, "asked_us",
                 (json_int_t) session->asked_us, "for_us", (json_int_t) session->for_us, "deadline",
                 "boot_id", deadline->boot_id, "boottime_us", (json_int_t) deadline->boottime_us, "wall_us",
                 (json_int_t) deadline->wall_us, "history", session->in->place);

  row_seldom (session, row);
  if (session->kind->row != NULL)
    session->kind->row (session, row);
  return row;
}

static void
record_time (json_t *record, const char *key, gint64 wall_us)
{
  g_autofree char *text = wall_us != 0 ? far_clock_format (wall_us) : NULL;

  row_put_text (record, key, text);
}

static json_t *
record_new (const FarSession *session)
{
  json_t *record = json_pack ("{s:s, s:s, s:s?, s:s?, s:s, s:s, s:I, s:I, s:I, s:s?, s:s?}", "kind",
                              session->kind->word, "session", session->id, "person", session->person,
                              "reason", session->reason, "entry", entries[session->entry], "state",
                              far_session_state_name (session->state), "for_us", (json_int_t) session->for_us,
                              "bytes_up", (json_int_t) session->bytes_up, "bytes_down",
                              (json_int_t) session->bytes_down, "cause", session->cause, "ended_by",
                              session->ended_by);

  record_time (record, "asked", session->asked_us);
  record_time (record, "opened", session->opened_us);
  record_time (record, "closed", session->closed_us);
  if (session->opened_us != 0 && session->closed_us != 0)
    json_object_set_new (record, "length_us", json_integer (session->closed_us - session->opened_us));
  if (session->kind->record != NULL)
    session->kind->record (session, record);
  return record;
}

void
far_book_texts (const FarSession *session, char **row_out, char **record_out)
{
  json_t *row = row_new (session), *record = record_new (session);

  json_object_set (row, "record", record); /* a restart closes the history from here */
  *row_out = far_session_live (session) ? far_book_json_text (row) : NULL;
  *record_out = far_book_json_text (record);
  json_decref (row);
  json_decref (record);
}

/* ---- in ---- */

static guint
flags_read (const json_t *words)
{
  guint set = 0;
  size_t at;
  json_t *word;

  json_array_foreach (words, at, word)
    for (guint i = 0; i < G_N_ELEMENTS (flags); i++)
      if (g_strcmp0 (json_string_value (word), flags[i].word) == 0)
        set |= flags[i].flag;
  return set;
}

static void
deadline_read (FarDeadline *deadline, const json_t *row)
{
  const char *boot_id = row_text (row, "boot_id");

  g_strlcpy (deadline->boot_id, boot_id != NULL ? boot_id : "", sizeof deadline->boot_id);
  deadline->boottime_us = row_int (row, "boottime_us");
  deadline->wall_us = row_int (row, "wall_us");
}

static void
texts_read (FarSession *session, const json_t *row)
{
  session->parent = g_strdup (row_text (row, "parent"));
  session->person = g_strdup (row_text (row, "person"));
  session->object = g_strdup (row_text (row, "object"));
  session->reason = g_strdup (row_text (row, "reason"));
  g_free (session->in->place);
  session->in->place = g_strdup (row_text (row, "history"));
}

static void
numbers_read (FarSession *session, const json_t *row)
{
  const json_t *record = json_object_get (row, "record");

  session->entry = g_strcmp0 (row_text (row, "entry"), entries[FAR_ENTRY_PORTS]) == 0 ? FAR_ENTRY_PORTS
                                                                                      : FAR_ENTRY_STREAM;
  session->generation = (guint) row_int (row, "generation");
  session->for_us = row_int (row, "for_us");
  session->asked_us = row_int (row, "asked_us");
  session->opened_us = row_int (row, "opened_us");
  session->bytes_up = (guint64) row_int (record, "bytes_up");
  session->bytes_down = (guint64) row_int (record, "bytes_down");
  session->flags = flags_read (json_object_get (row, "flags"));
  deadline_read (&session->deadline, json_object_get (row, "deadline"));
}

gboolean
far_book_row_read (FarSession *session, const json_t *row)
{
  if (!far_session_state_parse (row_text (row, "state"), &session->state) ||
      row_text (row, "history") == NULL)
    return FALSE;
  texts_read (session, row);
  numbers_read (session, row);
  session->legs = json_incref (json_object_get (row, "legs"));
  session->extra = json_incref (json_object_get (row, "extra"));
  return TRUE;
}
