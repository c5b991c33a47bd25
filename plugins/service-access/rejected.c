/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who was turned away at the ports of a session: one history row for each cause and address, up to a number,
 * then one for all others. A row is written when it first happens, and once more with how often it was when
 * the session ends: so nobody outside decides how much is written. */
#include "config.h"

#include "access.h"

#define ROWS_EACH 10 /* of one session; and one for all others */

typedef struct {
  char *key, *from, *cause;
  gint64 first_us, last_us;
  guint64 times, told;
} Turned;

static void
turned_free (gpointer data)
{
  Turned *turned = data;
  g_free (turned->key);
  g_free (turned->from);
  g_free (turned->cause);
  g_free (turned);
}

static void
turned_stored (Access *self, const GError *error, gpointer user)
{
  if (error)
    far_log_limited (self->at, "turned-away", "who was turned away cannot be recorded: %s", error->message);
}

static void
turned_write (AccessSession *session, Turned *turned)
{
  g_autofree char *first = far_clock_format (turned->first_us), *last = far_clock_format (turned->last_us);
  json_t *row = json_pack ("{s:s, s:s, s:s, s:s?, s:s, s:s?, s:s, s:s, s:s, s:s, s:I}", "kind", "turned-away",
                           "session", session->id, "terminal", session->terminal, "device", session->device,
                           "owner", session->person, "from", turned->from, "state", "refused", "cause",
                           turned->cause, "asked", first, "last", last, "times", (json_int_t) turned->times);
  turned->told = turned->times;
  access_history_put (session->self, turned->key, row, turned_stored, NULL, NULL);
}

static Turned *
turned_new (const char *from, const char *cause)
{
  Turned *turned = g_new0 (Turned, 1);
  g_autofree char *id = far_session_id_new ();
  turned->first_us = far_clock_wall_us ();
  turned->key = far_history_key (turned->first_us, id);
  turned->from = g_strdup (from);
  turned->cause = g_strdup (cause);
  return turned;
}

static Turned *
turned_find (AccessSession *session, const char *from, const char *cause)
{
  GPtrArray *all = session->turned;
  for (guint i = 0; i < all->len; i++) {
    Turned *turned = all->pdata[i];
    if (g_strcmp0 (turned->from, from) == 0 && g_strcmp0 (turned->cause, cause) == 0)
      return turned;
  }
  if (all->len > ROWS_EACH)
    return all->pdata[ROWS_EACH];
  g_ptr_array_add (all, all->len < ROWS_EACH ? turned_new (from, cause)
                                             : turned_new (NULL, "others, not told one by one"));
  return all->pdata[all->len - 1];
}

/* The person hears of each cause when it is new, and then once a second: whoever knocks at a port shall not
 * fill their watch. */
static void
turned_tell (AccessSession *session, const char *cause, gboolean is_new)
{
  gint64 now = far_clock_boottime_us ();
  if (!is_new && now < session->trouble_us + G_USEC_PER_SEC)
    return;
  session->trouble_us = now;
  g_free (session->trouble);
  session->trouble = g_strdup (cause);
  access_session_tell (session);
}

void
access_rejected_away (AccessSession *session, const char *from, const char *cause, guint times)
{
  session->turned_away += times;
  if (!session->turned)
    session->turned = g_ptr_array_new_with_free_func (turned_free);
  Turned *turned = turned_find (session, from, cause);
  turned->times += times;
  turned->last_us = far_clock_wall_us ();
  gboolean is_new = turned->told == 0;
  if (is_new)
    turned_write (session, turned);
  turned_tell (session, cause, is_new);
}

void
access_rejected_end (AccessSession *session)
{
  for (guint i = 0; session->turned && i < session->turned->len; i++) {
    Turned *turned = session->turned->pdata[i];
    if (turned->times != turned->told)
      turned_write (session, turned);
  }
  g_clear_pointer (&session->turned, g_ptr_array_unref);
}
