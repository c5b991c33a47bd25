/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Refusals: the history gets the true cause, the person hears no more than they may (security.md: Refusals).
 */
#include "config.h"

#include "access.h"

#define ROWS_A_MINUTE 30 /* of one person */
#define MINUTE_US (60 * G_USEC_PER_SEC)
#define PERSONS_MAX 4096

/* ---- a row of the history ---- */

typedef struct {
  Access *self;
  AccessDone done;
  gpointer user;
  GDestroyNotify dropped;
} HistoryWrite;

static void
history_written (FarRequest *req, gpointer user)
{
  g_autofree HistoryWrite *write = user;
  write->done (write->self, far_request_error (req), write->user);
}

static void
history_dropped (gpointer data)
{
  g_autofree HistoryWrite *write = data;
  if (write->dropped)
    write->dropped (write->user);
}

void
access_history_put (Access *self, const char *key, json_t *row, AccessDone done, gpointer user,
                    GDestroyNotify dropped)
{
  HistoryWrite *write = g_new0 (HistoryWrite, 1);
  char *text = json_dumps (row, JSON_COMPACT | JSON_SORT_KEYS);
  *write = (HistoryWrite){ self, done, user, dropped };
  far_store_put (access_opts (self)->store, "history", key, text, FAR_EXPECT_ANY,
                 far_request_of (self->at, history_written, write, history_dropped, 0));
  free (text);
  json_decref (row);
}

/* ---- a refusal ---- */

typedef struct {
  FarCall *call;
  GError *polite;
} Refused;

static void
refused_free (gpointer data)
{
  Refused *refused = data;
  g_error_free (refused->polite);
  g_free (refused);
}

/* The person is answered in any case: that nothing was opened needs no row. */
static void
access_refusal_stored (Access *self, const GError *error, gpointer user)
{
  g_autofree Refused *refused = user;
  if (error)
    far_log_limited (self->at, "refusal", "a refusal cannot be recorded: %s", error->message);
  far_call_fail (refused->call, refused->polite);
}

/* Who asks in a loop must not fill the store, nor push what others did out of the history: the rest of a
 * minute is only logged. */
static gboolean
row_due (Access *self, const char *person)
{
  gint64 now = far_clock_boottime_us ();
  if (now - self->refusals_us >= MINUTE_US || g_hash_table_size (self->refusals) > PERSONS_MAX) {
    self->refusals_us = now;
    g_hash_table_remove_all (self->refusals);
  }
  guint rows = GPOINTER_TO_UINT (g_hash_table_lookup (self->refusals, person));
  if (rows >= ROWS_A_MINUTE)
    return FALSE;
  g_hash_table_replace (self->refusals, g_strdup (person), GUINT_TO_POINTER (rows + 1));
  return TRUE;
}

void
access_refuse (Access *self, FarCall *call, const AccessAsked *asked, const char *cause, GError *polite)
{
  gint64 now = far_clock_wall_us ();
  g_autofree char *id = far_session_id_new (), *key = far_history_key (now, id),
                  *time = far_clock_format (now), *person = far_principal_text (asked->principal);
  json_t *row = json_pack ("{s:s, s:s?, s:s?, s:s, s:s?, s:s?, s:I, s:s, s:s, s:s}", "kind", "refused",
                           "terminal", asked->terminal, "device", asked->device, "person", person, "from",
                           asked->principal->from, "reason", asked->reason, "for_us",
                           (json_int_t) asked->for_us, "state", "refused", "cause", cause, "asked", time);
  Refused *refused = g_new0 (Refused, 1);
  *refused = (Refused){ call, polite };
  far_count ("requests", 1);
  far_log (self->at, G_LOG_LEVEL_MESSAGE, "access refused: %s to %s%s%s, %s", person,
           asked->terminal ? asked->terminal : "?", asked->device ? "/" : "",
           asked->device ? asked->device : "", cause);
  if (row_due (self, person)) {
    access_history_put (self, key, row, access_refusal_stored, refused, refused_free);
    return;
  }
  far_log_limited (self->at, person,
                   "%s was refused more than %d times in a minute: the rest is not in the history", person,
                   ROWS_A_MINUTE);
  json_decref (row);
  access_refusal_stored (self, NULL, refused);
}
