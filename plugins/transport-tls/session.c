/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A session's carrier, at the end that accepts and at the end that opens: its link, one after the other until
 * the deadline, and the connections of people that are joined. All of it is kept on main; the bytes pass in
 * pumps, which hold the deadline by themselves. */
#include "config.h"

#include "direct.h"

#include <farwatch/trust.h>

#include <string.h>

typedef struct {
  DirectSession *session;
  FarPump *pump;
  FarPumpCounters last;
  DirectCame came;
  char *from;
} DirectJoin;

/* A person's connection that the terminal's has not met. */
typedef struct {
  FarStream *stream;
  char *from, *word;
  guint number; /* 0: not asked for, there is no link */
  gint64 since_us;
} DirectWaiting;

/* ---- life ---- */

DirectSession *
direct_session_new (Direct *self, FarCarrier *carrier, gint64 length_us, DirectAsked asked)
{
  DirectSession *session = g_new0 (DirectSession, 1);
  session->refs = 1;
  session->self = self;
  session->id = g_strdup (far_carrier_session (carrier));
  session->carrier = carrier;
  session->length_us = length_us;
  session->asked_for = asked;
  session->joins = g_ptr_array_new ();
  session->dials = g_ptr_array_new ();
  session->shut_waits = g_ptr_array_new_with_free_func ((GDestroyNotify) far_request_unref);
  g_queue_init (&session->waiting);
  g_hash_table_insert (self->sessions, session->id, session);
  return session;
}

DirectSession *
direct_session_ref (DirectSession *session)
{
  session->refs++;
  return session;
}

void
direct_session_unref (gpointer data)
{
  DirectSession *session = data;
  if (--session->refs > 0)
    return;
  far_clearance_free (session->clearance);
  direct_link_free (session->link); /* it tells this session nothing any more */
  g_ptr_array_unref (session->joins);
  g_ptr_array_unref (session->dials);
  g_ptr_array_unref (session->shut_waits);
  far_tls_unref (session->tls);
  json_decref (session->part);
  g_free (session->host);
  g_free (session->peer);
  g_free (session->id);
  g_free (session);
}

DirectSession *
direct_session_of (Direct *self, FarCarrier *carrier)
{
  DirectSession *session = g_hash_table_lookup (self->sessions, far_carrier_session (carrier));
  return session != NULL && session->carrier == carrier ? session : NULL;
}

DirectSession *
direct_session_find (Direct *self, const char *id)
{
  DirectSession *session = g_hash_table_lookup (self->sessions, id);
  FarInstance *old;
  for (guint i = 0;
       session == NULL &&
       (old = far_instance_find_retired (FAR_KIND_TRANSPORT, far_instance_name (self->at), i)) != NULL;
       i++)
    if (far_instance_type (old) == far_instance_type (self->at))
      session = g_hash_table_lookup (((Direct *) far_instance_self (old))->sessions, id);
  return session;
}

static void
direct_stream_free (gpointer stream)
{
  far_stream_free (stream);
}

void
direct_discard (FarStream *stream)
{
  if (stream != NULL)
    far_loop_post (stream->loop, direct_stream_free, stream);
}

/* ---- events ---- */

static void
session_event (DirectSession *session, FarCarrierEvent *event)
{
  event->bytes_up = session->done_up;
  event->bytes_down = session->done_down;
  for (guint i = 0; i < session->joins->len; i++) {
    const DirectJoin *join = session->joins->pdata[i];
    event->bytes_up += join->last.bytes_ab;
    event->bytes_down += join->last.bytes_ba;
  }
  if (session->carrier != NULL)
    far_carrier_tell (session->carrier, event);
}

void
direct_session_tell (DirectSession *session, FarCarrierEventKind kind, const char *cause, const char *from)
{
  FarCarrierEvent event = { .kind = kind, .cause = cause, .from = from };
  session_event (session, &event);
}

static void
session_is_shut (DirectSession *session)
{
  while (session->shut_waits->len > 0) {
    FarRequest *req = g_ptr_array_steal_index (session->shut_waits, 0);
    far_request_done (req, NULL, NULL);
    far_request_unref (req);
  }
}

/* The last word, once nothing is joined any more. */
static void
session_ended (DirectSession *session)
{
  Direct *self = session->self;
  if (session->carrier == NULL)
    return;
  direct_session_ref (session);
  session_is_shut (session);
  if (self != NULL)
    g_hash_table_remove (self->sessions, session->id);
  direct_session_tell (session, FAR_CARRIER_ENDED, session->cause, NULL);
  session->carrier = NULL;
  if (self != NULL && self->retired && g_hash_table_size (self->sessions) == 0)
    far_instance_retired (self->at);
  direct_session_unref (session);
}

static void
session_look (gpointer data)
{
  DirectSession *session = data;
  if (session->joins->len == 0 && session->shut)
    session_is_shut (session);
  if (session->joins->len == 0 && session->ending)
    session_ended (session);
  direct_session_unref (session);
}

/* Not from inside of a call of the service. */
static void
session_look_soon (DirectSession *session)
{
  far_loop_post (far_loop_main (), session_look, direct_session_ref (session));
}

/* ---- who comes ---- */

void
direct_came_clear (DirectCame *came)
{
  g_clear_pointer (&came->clearance, far_clearance_free);
  g_clear_pointer (&came->pass, far_gate_leave);
}

/* Its certificate was revoked, that of its link or of one connection: the session was given to it. Another
 * certificate of that node gets a session of its own. */
static void
session_revoked (gpointer data)
{
  DirectSession *session = data;
  if (session->ending)
    return;
  far_log (session->self->at, G_LOG_LEVEL_WARNING, "'%s' is revoked: session '%s' ends", session->peer,
           session->id);
  direct_session_end (session, "revoked");
}

/* ---- connections ---- */

static void
direct_join_counted (FarPump *pump, const FarPumpCounters *now, gpointer user)
{
  DirectJoin *join = user;
  join->last = *now;
  direct_session_tell (join->session, FAR_CARRIER_COUNTERS, NULL, NULL);
}

static void
direct_join_closed (FarPump *pump, const FarPumpCounters *total, const char *cause, gpointer user)
{
  DirectJoin *join = user;
  DirectSession *session = join->session;
  g_ptr_array_remove_fast (session->joins, join);
  session->done_up += total->bytes_ab;
  session->done_down += total->bytes_ba;
  direct_came_clear (&join->came);
  direct_session_tell (session, FAR_CARRIER_CLOSED, cause, join->from);
  session_look_soon (session);
  direct_session_unref (session);
  g_free (join->from);
  g_free (join);
}

void
direct_session_join (DirectSession *session, FarStream *a, FarStream *b, const char *from, DirectCame came)
{
  DirectJoin *join = g_new0 (DirectJoin, 1);
  *join = (DirectJoin){ .session = direct_session_ref (session), .came = came, .from = g_strdup (from) };
  if (came.clearance != NULL)
    far_clearance_tell (came.clearance, session_revoked, session);
  FarPumpSpec spec = { .session = session->id,
                       .inner = "tunnel", /* as with ssh: a person's SSH, or a device's bytes */
                       .deadline_us = session->deadline_us,
                       .counters = direct_join_counted,
                       .closed = direct_join_closed,
                       .user = join };
  join->pump = far_pump_start (a, b, &spec);
  g_ptr_array_add (session->joins, join);
  direct_session_tell (session, FAR_CARRIER_OPENED, NULL, from);
  if (session->ending || session->shut)
    far_pump_close (join->pump, session->cause);
}

static void
session_close_joins (DirectSession *session, const char *cause)
{
  for (guint i = 0; i < session->joins->len; i++)
    far_pump_close (((DirectJoin *) session->joins->pdata[i])->pump, cause);
}

/* ---- people who wait for the terminal's connection ---- */

static void
direct_waiting_free (DirectWaiting *waiting)
{
  direct_discard (waiting->stream);
  g_free (waiting->from);
  far_secret_free (waiting->word);
  g_free (waiting);
}

static void
session_forget_waiting (DirectSession *session)
{
  g_queue_clear_full (&session->waiting, (GDestroyNotify) direct_waiting_free);
  g_clear_pointer (&session->patience, far_loop_timer_free);
}

static void
session_waited (gpointer data)
{
  DirectSession *session = data;
  gint64 now = far_clock_boottime_us ();
  DirectWaiting *first;
  while ((first = g_queue_peek_head (&session->waiting)) != NULL && now - first->since_us >= DIRECT_WAIT_US) {
    direct_session_tell (session, FAR_CARRIER_REFUSED, "the terminal is not connected", first->from);
    direct_waiting_free (g_queue_pop_head (&session->waiting));
  }
  if (first != NULL)
    far_loop_timer_set (session->patience, first->since_us + DIRECT_WAIT_US);
  else
    g_clear_pointer (&session->patience, far_loop_timer_free);
}

/* The word is for this one connection; who shows it has the terminal's certificate as well. */
static void
session_ask_for (DirectSession *session, DirectWaiting *waiting)
{
  far_secret_free (waiting->word);
  waiting->number = ++session->number;
  session->due++;
  waiting->word = far_random_text (32);
  direct_link_say (session->link, json_pack ("{s:i, s:s, s:s}", "open", (int) waiting->number, "from",
                                             waiting->from, "word", waiting->word));
}

void
direct_session_attach (DirectSession *session, FarStream *stream, const char *from)
{
  guint there = session->joins->len + g_queue_get_length (&session->waiting);
  if (session->ending || session->shut || there >= session->joins_max) {
    if (!session->ending && !session->shut)
      direct_session_tell (session, FAR_CARRIER_REFUSED,
                           "too many connections in this session (by option 'session-connections')", from);
    direct_discard (stream);
    return;
  }
  DirectWaiting *waiting = g_new0 (DirectWaiting, 1);
  g_autofree char *plain = g_strndup (from != NULL ? from : "127.0.0.1", 64);
  *waiting = (DirectWaiting){ .stream = stream,
                              .from = g_utf8_make_valid (plain, -1),
                              .since_us = far_clock_boottime_us () };
  g_queue_push_tail (&session->waiting, waiting);
  if (session->patience == NULL)
    session->patience = far_loop_timer (far_loop_main (), waiting->since_us + DIRECT_WAIT_US, session_waited,
                                        session);
  if (session->link != NULL)
    session_ask_for (session, waiting);
}

static GList *
session_waiting (DirectSession *session, json_int_t number)
{
  for (GList *at = session->waiting.head; at != NULL; at = at->next)
    if (number > 0 && ((const DirectWaiting *) at->data)->number == number)
      return at;
  return NULL;
}

void
direct_session_met (DirectSession *session, json_t *hello, FarStream *stream, DirectCame came)
{
  const char *word = direct_word_text (hello, "word", 64);
  GList *at = session_waiting (session, json_integer_value (json_object_get (hello, "stream")));
  DirectWaiting *waiting = at != NULL ? at->data : NULL;
  if (waiting == NULL || word == NULL || !far_equal_secret (word, waiting->word)) {
    far_count ("connections for nobody who waits", 1);
    direct_discard (stream);
    direct_came_clear (&came);
    return;
  }
  g_queue_delete_link (&session->waiting, at);
  far_gate_verified (came.pass);
  direct_session_join (session, g_steal_pointer (&waiting->stream), stream, waiting->from, came);
  direct_waiting_free (waiting);
}

/* FALSE: nobody asked for it, or it has failed before. */
static gboolean
session_failed_word (DirectSession *session, json_int_t number)
{
  if (number < 1 || number > session->number || session->due == 0)
    return FALSE;
  session->due--;
  GList *at = session_waiting (session, number);
  if (at == NULL) /* they have met, or did not wait */
    return TRUE;
  direct_waiting_free (at->data);
  g_queue_delete_link (&session->waiting, at);
  return TRUE;
}

/* Numbers only grow. */
static gboolean
session_open_word (DirectSession *session, json_int_t number, json_t *word)
{
  if (number <= session->number || number > G_MAXINT)
    return FALSE;
  session->number = (guint) number;
  session->asked_for (session, word);
  return TRUE;
}

/* ---- link ---- */

static void
session_link_over (DirectSession *session, const char *cause)
{
  g_clear_pointer (&session->link, direct_link_free);
  g_clear_pointer (&session->clearance, far_clearance_free);
  for (GList *at = session->waiting.head; at != NULL; at = at->next)
    ((DirectWaiting *) at->data)->number = 0; /* to be asked for by the next one */
  session_close_joins (session, "link lost");
  if (!session->ending)
    direct_session_tell (session, FAR_CARRIER_LOST, cause, NULL);
}

static void
session_heard (json_t *word, gpointer user)
{
  DirectSession *session = user;
  json_t *said = json_object_get (word, session->accepts ? "failed" : "open");
  json_int_t number = json_integer_value (said);
  gboolean good = json_is_integer (said) && (session->accepts ? session_failed_word (session, number)
                                                              : session_open_word (session, number, word));
  if (!good)
    session_link_over (session, "not a word that is due here");
}

static void
session_link_ended (const char *cause, gpointer user)
{
  session_link_over (user, cause);
}

static const DirectLinkFuncs session_link_funcs = { session_heard, session_link_ended };

static void
session_due (gpointer data)
{
  direct_session_end (data, "deadline");
}

void
direct_session_set_deadline (DirectSession *session, gint64 boottime_us)
{
  session->deadline_us = boottime_us;
  g_clear_pointer (&session->timer, far_loop_timer_free);
  if (!session->ending)
    session->timer = far_loop_timer (far_loop_main (), boottime_us, session_due, session);
  for (guint i = 0; i < session->joins->len; i++)
    far_pump_set_deadline (((DirectJoin *) session->joins->pdata[i])->pump, boottime_us);
}

/* What was there before is lost, which the service may take for a reason to end the session. FALSE: it has.
 */
static gboolean
session_makes_room (DirectSession *session)
{
  if (!session->ending && session->link != NULL)
    session_link_over (session, "replaced by a new link");
  return !session->ending;
}

static void
session_link_up (DirectSession *session, const char *here)
{
  if (session->deadline_us == 0)
    direct_session_set_deadline (session, far_clock_boottime_us () + session->length_us);
  if (session->accepts)
    direct_link_say (session->link, json_pack ("{s:b}", "up", 1));
  FarCarrierEvent event = { .kind = FAR_CARRIER_UP, .deadline_boot_us = session->deadline_us, .here = here };
  session_event (session, &event);
  for (GList *at = session->waiting.head; at != NULL && session->link != NULL; at = at->next)
    session_ask_for (session, at->data);
}

void
direct_session_up (DirectSession *session, FarStream *stream, DirectCame came, const char *here)
{
  direct_session_ref (session);
  if (session_makes_room (session)) {
    session->link = direct_link_new (stream, came.pass, &session_link_funcs, session);
    session->clearance = came.clearance;
    if (came.clearance != NULL)
      far_clearance_tell (came.clearance, session_revoked, session);
    session->links++;
    if (!session->accepts)
      session->number = 0;
    session_link_up (session, here);
  } else {
    direct_discard (stream);
    direct_came_clear (&came);
  }
  direct_session_unref (session);
}

/* ---- end ---- */

void
direct_session_shut (DirectSession *session, const char *cause, FarRequest *req)
{
  g_ptr_array_add (session->shut_waits, far_request_ref (req));
  if (!session->shut && !session->ending) {
    session->shut = TRUE;
    session->cause = far_cause (cause);
    session_forget_waiting (session);
    session_close_joins (session, session->cause);
  }
  session_look_soon (session);
}

void
direct_session_end (DirectSession *session, const char *cause)
{
  if (session->ending)
    return;
  session->ending = TRUE;
  session->cause = far_cause (cause); /* the other node's words, maybe */
  g_clear_pointer (&session->timer, far_loop_timer_free);
  session_forget_waiting (session);
  if (session->dial != NULL)
    direct_dial_cancel (session->dial);
  for (guint i = 0; i < session->dials->len; i++)
    direct_dial_cancel (session->dials->pdata[i]);
  session_close_joins (session, session->cause);
  g_clear_pointer (&session->link, direct_link_free);
  g_clear_pointer (&session->clearance, far_clearance_free);
  session_look_soon (session);
}

/* What comes later finds nobody to tell. */
void
direct_session_abandon (DirectSession *session)
{
  direct_session_ref (session);
  direct_session_end (session, "the carrier stops");
  session_ended (session);
  session->self = NULL;
  direct_session_unref (session);
}
