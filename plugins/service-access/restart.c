/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sessions found in the store at start belong to a process that is gone, and so are their ports: they are
 * closed with the cause `restart`, their tokens are withdrawn, before anything new is taken. */
#include "config.h"

#include "access.h"

typedef struct {
  GPtrArray *rows, *texts; /* json rows found; memory of the parts */
  GArray *parts;
  AccessDone done;
  gpointer user;
} Restart;

static void
restart_free (gpointer data)
{
  Restart *restart = data;
  g_ptr_array_unref (restart->rows);
  g_ptr_array_unref (restart->texts);
  g_array_unref (restart->parts);
  g_free (restart);
}

static void
restart_written (Access *self, const GError *error, gpointer user)
{
  Restart *restart = user;
  for (guint i = 0; !error && i < restart->rows->len; i++)
    far_log (self->at, G_LOG_LEVEL_MESSAGE, "session closed by the restart: %s",
             access_text (restart->rows->pdata[i], "session"));
  restart->done (self, error, restart->user);
  restart_free (restart);
}

static void
restart_part (Restart *restart, const char *table, const char *key, char *text /* takes */)
{
  FarPart part = { .kind = FAR_PART_ROW, .table = table, .key = key, .row = text, .expect = FAR_EXPECT_ANY };
  if (text)
    g_ptr_array_add (restart->texts, text);
  g_array_append_val (restart->parts, part);
}

/* How long it really was open is not known: until it was last heard of at the latest. */
static char *
restart_record (json_t *record)
{
  g_autofree char *now = far_clock_format (far_clock_wall_us ());
  FarSessionState state = FAR_SESSION_OPEN;
  far_session_state_parse (access_text (record, "state"), &state);
  far_session_apply (&state, FAR_SESSION_EV_RESTART, NULL);
  json_object_set_new (record, "state", json_string (far_session_state_name (state)));
  json_object_set_new (record, "cause", json_string (far_session_event_name (FAR_SESSION_EV_RESTART)));
  json_object_set_new (record, "closed", json_string (now));
  return access_json_text (record);
}

static void
restart_row (Access *self, Restart *restart, json_t *row)
{
  const char *id = access_text (row, "session"), *key = access_text (row, "history");
  json_t *record = json_object_get (row, "record");
  g_autofree char *claim = g_strdup_printf ("session/%s", id);
  far_token_withdraw (access_opts (self)->tokens, claim);
  restart_part (restart, "sessions", id, NULL);
  if (key && json_is_object (record))
    restart_part (restart, "history", key, restart_record (record));
}

void
access_restart (Access *self, GPtrArray *rows, AccessDone done, gpointer user)
{
  Restart *restart = g_new0 (Restart, 1);
  *restart = (Restart){ g_ptr_array_new_with_free_func ((GDestroyNotify) json_decref),
                        g_ptr_array_new_with_free_func (g_free), g_array_new (FALSE, TRUE, sizeof (FarPart)),
                        done, user };
  for (guint i = 0; i < rows->len; i++) {
    json_t *row = json_loads (((FarRow *) rows->pdata[i])->row, 0, NULL);
    if (row && access_text (row, "session")) {
      g_ptr_array_add (restart->rows, row);
      restart_row (self, restart, row);
    } else {
      json_decref (row);
    }
  }
  if (restart->parts->len > 0) {
    access_rows_apply (self, (FarPart *) restart->parts->data, restart->parts->len, restart_written, restart,
                       restart_free);
    return;
  }
  done (self, NULL, user);
  restart_free (restart);
}
