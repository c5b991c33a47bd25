/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the commands that list, approve and close sessions, and the one that shows the history. */
#include "config.h"

#include "ctl.h"

#include <stdio.h>

static int
sessions_one (Ctl *ctl, const char *session)
{
  static const CtlColumn fields[] = {
    { N_ ("session"), "session", CTL_TEXT },
    { N_ ("terminal"), "terminal", CTL_TEXT },
    { N_ ("device"), "device", CTL_TEXT },
    { N_ ("person"), "person", CTL_TEXT },
    { N_ ("from"), "from", CTL_TEXT },
    { N_ ("reason"), "reason", CTL_TEXT },
    { N_ ("state"), "state", CTL_TEXT },
    { N_ ("in short"), "spec_state", CTL_TEXT },
    { N_ ("entry"), "entry", CTL_TEXT },
    { N_ ("login"), "login", CTL_TEXT },
    { N_ ("clear text"), "clear_text", CTL_TEXT },
    { N_ ("z"), "z", CTL_TEXT },
    { N_ ("y"), "y", CTL_TEXT },
    { N_ ("asked"), "asked", CTL_TIME },
    { N_ ("opened"), "opened", CTL_TIME },
    { N_ ("deadline"), "deadline", CTL_TIME },
    { N_ ("held by"), "deadline_at", CTL_TEXT },
    { N_ ("left"), "left_us", CTL_LENGTH_US },
    { N_ ("to device"), "bytes_up", CTL_BYTES },
    { N_ ("from device"), "bytes_down", CTL_BYTES },
    { N_ ("turned away"), "turned_away", CTL_TEXT },
    { N_ ("closed"), "closed", CTL_TIME },
    { N_ ("cause"), "cause", CTL_TRANSLATED },
    { N_ ("ended by"), "ended_by", CTL_TEXT },
    { NULL, NULL, 0 },
  };
  GError *error = NULL;
  g_autofree char *resource = ctl_path (&error, "sessions", session, NULL);
  json_t *answer = ctl_call (ctl, "GET", resource, NULL, &error);

  if (answer == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (answer);
  else
    ctl_fields (answer, fields);
  json_decref (answer);
  return CTL_OK;
}

int
ctl_sessions (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn columns[] = {
    { N_ ("SESSION"), "session", CTL_TEXT },
    { N_ ("PERSON"), "person", CTL_TEXT },
    { N_ ("TERMINAL"), "terminal", CTL_TEXT },
    { N_ ("DEVICE"), "device", CTL_TEXT },
    { N_ ("STATE"), "state", CTL_TEXT },
    { N_ ("ENTRY"), "entry", CTL_TEXT },
    { N_ ("Y"), "y", CTL_TEXT },
    { N_ ("LEFT"), "left_us", CTL_LENGTH_US },
    { N_ ("DEADLINE"), "deadline_at", CTL_TEXT },
    { N_ ("UP"), "bytes_up", CTL_BYTES },
    { N_ ("DOWN"), "bytes_down", CTL_BYTES },
    { N_ ("REASON"), "reason", CTL_TEXT },
    { N_ ("CAUSE"), "cause", CTL_TRANSLATED },
    { NULL, NULL, 0 },
  };
  gboolean all = FALSE;
  const GOptionEntry entries[] = {
    { "all", 0, 0, G_OPTION_ARG_NONE, &all, N_ ("those that have ended lately, too"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GError *error = NULL;
  json_t *list;

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 1))
    return ctl->status;
  if (argc > 1)
    return sessions_one (ctl, argv[1]);
  list = ctl_list (ctl, "sessions", "sessions", all ? "all=yes" : "", 0, &error);
  if (list == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (list);
  else
    ctl_table (json_object_get (list, "sessions"), columns, _ ("no sessions"));
  json_decref (list);
  return CTL_OK;
}

int
ctl_approve (Ctl *ctl, int argc, char **argv)
{
  gboolean refuse = FALSE;
  const GOptionEntry entries[] = {
    { "refuse", 0, 0, G_OPTION_ARG_NONE, &refuse, N_ ("say no instead"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autofree char *resource = NULL;
  GError *error = NULL;
  json_t *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 1, 1))
    return ctl->status;
  resource = ctl_path (&error, "sessions", argv[1], "approve", NULL);
  answer = ctl_call (ctl, "POST", resource, json_pack ("{s:b}", "approve", !refuse), &error);
  return answer != NULL
             ? ctl_done (ctl, answer, refuse ? _ ("session %s refused") : _ ("session %s approved"), argv[1])
             : ctl_fail (ctl, error);
}

int
ctl_close_session (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *resource = NULL;
  GError *error = NULL;
  json_t *answer;

  if (!ctl_words (ctl, &argc, &argv, 1, 1))
    return ctl->status;
  resource = ctl_path (&error, "sessions", argv[1], NULL);
  answer = ctl_call (ctl, "DELETE", resource, NULL, &error);
  return answer != NULL ? ctl_done (ctl, answer, _ ("session %s is being closed"), argv[1])
                        : ctl_fail (ctl, error);
}

typedef struct {
  const char *since, *until; /* NULL: as long as there is any */
  guint limit;               /* 0: all */
  json_t *list;
} History;

/* Newest first: behind a row from before `since` all are older. */
static gboolean
history_take (json_t *page, gpointer user)
{
  History *history = user;
  gboolean more = TRUE;
  json_t *row;
  size_t i;

  json_array_foreach (json_object_get (page, "history"), i, row) {
    const char *asked = json_string_value (json_object_get (row, "asked"));
    gboolean wanted = (history->since == NULL || g_strcmp0 (asked, history->since) >= 0) &&
                      (history->limit == 0 || json_array_size (history->list) < history->limit);

    more = more && wanted;
    if (wanted && (history->until == NULL || g_strcmp0 (asked, history->until) < 0))
      json_array_append (history->list, row);
  }
  return more;
}

/* Newest first: what is older than `since` ends the list, what is newer than `until` is left out. Times as
 * they go over the wire, which sort as text; NULL: no bound. Caller decrefs. */
static json_t *
history_between (Ctl *ctl, const char *query, const char *since, const char *until, guint limit,
                 GError **error)
{
  History history = { since, until, limit, json_array () };
  g_autofree char *resource = g_strconcat ("history?", query, NULL);

  if (ctl_pages (ctl, resource, history_take, &history, error))
    return json_pack ("{s:o}", "history", history.list);
  json_decref (history.list);
  return NULL;
}

/* An empty list may mean that there is no such thing at all: that is an error, and its own exit code. */
static gboolean
history_known (Ctl *ctl, const char *terminal, const char *person, const char *session, GError **error)
{
  g_autofree char *resource = terminal != NULL ? ctl_path (error, "terminals", terminal, NULL) : NULL;
  json_t *found = resource != NULL ? ctl_call (ctl, "GET", resource, NULL, error) : NULL;
  gboolean known = found != NULL || terminal == NULL;

  json_decref (found);
  if (known && session != NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND, _ ("the history knows no session '%s'"), session);
  else if (known && person != NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("the history knows nothing of person '%s'; `farctl user list` shows who there is"),
                 person);
  return known && session == NULL && person == NULL;
}

int
ctl_history (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn columns[] = {
    { N_ ("ASKED"), "asked", CTL_TIME },
    { N_ ("WHAT"), "kind", CTL_TEXT },
    { N_ ("PERSON"), "person", CTL_TEXT },
    { N_ ("FROM"), "from", CTL_TEXT },
    { N_ ("TERMINAL"), "terminal", CTL_TEXT },
    { N_ ("DEVICE"), "device", CTL_TEXT },
    { N_ ("OPENED"), "opened", CTL_TIME },
    { N_ ("CLOSED"), "closed", CTL_TIME },
    { N_ ("UP"), "bytes_up", CTL_BYTES },
    { N_ ("DOWN"), "bytes_down", CTL_BYTES },
    { N_ ("CAUSE"), "cause", CTL_TRANSLATED },
    { N_ ("REASON"), "reason", CTL_TEXT },
    { NULL, NULL, 0 },
  };
  g_autofree char *terminal = NULL, *person = NULL, *session = NULL, *query = NULL, *since = NULL,
                  *until = NULL;
  int limit = 50;
  const GOptionEntry entries[] = {
    { "terminal", 0, 0, G_OPTION_ARG_STRING, &terminal, N_ ("only this terminal"), N_ ("T") },
    { "person", 0, 0, G_OPTION_ARG_STRING, &person, N_ ("only this person"), N_ ("P") },
    { "session", 0, 0, G_OPTION_ARG_STRING, &session, N_ ("only this session"), N_ ("S") },
    { "since", 0, 0, G_OPTION_ARG_STRING, &since,
      N_ ("a day, '2026-01-02 03:04', or a length back from now: 2h"), N_ ("TIME") },
    { "until", 0, 0, G_OPTION_ARG_STRING, &until, N_ ("likewise"), N_ ("TIME") },
    { "limit", 0, 0, G_OPTION_ARG_INT, &limit, N_ ("so many, newest first; 0: all"), N_ ("N") },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  g_autofree char *q_terminal = NULL, *q_person = NULL, *q_session = NULL;
  GError *error = NULL;
  json_t *list;

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 0))
    return ctl->status;
  if (!ctl_time (&since, &error) || !ctl_time (&until, &error))
    return ctl_fail (ctl, error);
  q_terminal = ctl_query ("terminal", terminal);
  q_person = ctl_query ("person", person);
  q_session = ctl_query ("session", session);
  query = g_strdup_printf ("%s&%s&%s", q_terminal, q_person, q_session);
  list = history_between (ctl, query, since, until, (guint) MAX (limit, 0), &error);
  if (list != NULL && json_array_size (json_object_get (list, "history")) == 0 && since == NULL &&
      until == NULL && !history_known (ctl, terminal, person, session, &error))
    g_clear_pointer (&list, json_decref);
  if (list == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (list);
  else
    ctl_table (json_object_get (list, "history"), columns, _ ("nothing yet"));
  json_decref (list);
  return CTL_OK;
}
