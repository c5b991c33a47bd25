/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds for every kind of session (doc/sessions.md), tried on one: every event in every state, a store
 * that fails at each write, watchers told in order, a history that is closed exactly once, a restart among
 * rows of other owners. A program that includes it says how a session of its kind is made. It stands before
 * core's own store and watches, so it is included once in a program. */
#pragma once
#include <check.h>
#include <dlfcn.h>
#include <gmodule.h>
#include <string.h>

#include <farwatch/clock.h>

#include "reach/book-private.h"

typedef struct {
  const char *store;                    /* name of the instance; NULL: the kind writes nothing */
  FarBook *(*book) (void);              /* as it is now: a restart makes another one */
  FarSession *(*make) (FarBook *book);  /* a new one, with all that its kind needs; borrowed */
  void (*settle) (void);                /* until nothing is under way */
  void (*finish) (FarSession *session); /* what the other side holds of one that is closing goes: it is
                                           closed; NULL: it is by itself */
  void (*restart) (void);               /* of the process; NULL for a kind that writes nothing */
} BookConform;

/* ---- what is seen of the book from outside ---- */

#define CONFORM_WATCH 0x70000000u

typedef struct {
  FarSession *session; /* NULL: nobody watches */
  GArray *told;        /* of FarSessionState */
  guint ended;
} ConformWatch;

static struct {
  const FarSessionKind *kind;
  guint transactions;            /* of any store, but for what a test waits by */
  guint writes, fail_at, failed; /* of session rows; the one that fails, counted from 1; those that did */
  GHashTable *closed;            /* id → how often its history was closed on disk */
  ConformWatch watch;
} conform;

static gboolean
conform_part_is (const FarPart *part, const char *table)
{
  return table && part->kind == FAR_PART_ROW && g_strcmp0 (part->table, table) == 0;
}

static void
conform_note (const FarPart *parts, guint n)
{
  for (guint i = 0; i < n; i++) {
    json_t *row = conform_part_is (&parts[i], conform.kind->history) && parts[i].row
                      ? json_loads (parts[i].row, 0, NULL)
                      : NULL;
    const char *id = json_string_value (json_object_get (row, "session")),
               *state = json_string_value (json_object_get (row, "state")),
               *word = json_string_value (json_object_get (row, "kind"));
    if (id && g_strcmp0 (state, "closed") == 0 && g_strcmp0 (word, conform.kind->word) == 0)
      g_hash_table_replace (conform.closed, g_strdup (id),
                            GUINT_TO_POINTER (GPOINTER_TO_UINT (g_hash_table_lookup (conform.closed, id)) +
                                              1));
    json_decref (row);
  }
}

static gboolean
conform_writes_session (const FarPart *parts, guint n)
{
  for (guint i = 0; conform.kind && i < n; i++)
    if (conform_part_is (&parts[i], conform.kind->rows))
      return TRUE;
  return FALSE;
}

typedef void (*ConformApply) (const char *store, const FarBatchKey *key, const FarPart *parts, guint n,
                              FarRequest *req);

G_MODULE_EXPORT void
far_store_apply (const char *store, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  static ConformApply real;
  if (!real)
    real = (ConformApply) dlsym (RTLD_NEXT, "far_store_apply");
  conform.transactions += n > 0 && !conform_part_is (&parts[0], "barrier");
  if (conform_writes_session (parts, n) && ++conform.writes == conform.fail_at) {
    conform.failed++;
    far_request_fail_new (req, FAR_ERROR_FULL, "no room on the disk");
    return;
  }
  if (conform.kind)
    conform_note (parts, n);
  real (store, key, parts, n, req);
}

typedef void (*ConformEvent) (guint watch, json_t *event);
typedef const FarPrincipal *(*ConformWho) (guint watch);

G_MODULE_EXPORT const FarPrincipal *
far_subscription_principal (guint watch)
{
  static ConformWho real;
  static FarPrincipal *root;
  if (!real)
    real = (ConformWho) dlsym (RTLD_NEXT, "far_subscription_principal");
  if (watch != CONFORM_WATCH)
    return real (watch);
  if (!root) {
    root = far_principal_new (FAR_PRINCIPAL_LOCAL, "root", NULL, "");
    root->super = TRUE;
  }
  return root;
}

G_MODULE_EXPORT void
far_subscription_event (guint watch, json_t *event)
{
  static ConformEvent real;
  ConformWatch *mine = &conform.watch;
  if (!real)
    real = (ConformEvent) dlsym (RTLD_NEXT, "far_subscription_event");
  if (watch != CONFORM_WATCH) {
    real (watch, event);
  } else if (event) {
    ck_assert_uint_eq (mine->ended, 0); /* nothing after the end */
    g_array_append_val (mine->told, mine->session->state);
    json_decref (event);
  } else {
    mine->ended++;
    g_array_set_size (mine->session->in->watches, 0);
  }
}

static void
conform_watch (FarSession *session)
{
  guint watch = CONFORM_WATCH;
  g_clear_pointer (&conform.watch.told, g_array_unref);
  conform.watch = (ConformWatch){ session, g_array_new (FALSE, FALSE, sizeof (FarSessionState)), 0 };
  g_array_append_val (session->in->watches, watch);
}

/* ---- the ways of the table ---- */

static gboolean
conform_goes (FarSessionState from, FarSessionEvent event, FarSessionState *next)
{
  FarStep step = far_session_step (from, event);
  *next = step.next;
  return step.kind == FAR_STEP_GO && step.next != from;
}

/* Can one state come after another? */
static gboolean
conform_reaches (FarSessionState from, FarSessionState to)
{
  gboolean seen[FAR_N_SESSION_STATES] = { FALSE }, grew = TRUE;
  seen[from] = TRUE;
  while (grew) {
    grew = FALSE;
    for (guint s = 0; s < FAR_N_SESSION_STATES; s++)
      for (guint e = 0; seen[s] && e < FAR_N_SESSION_EVENTS; e++) {
        FarSessionState next;
        if (conform_goes (s, e, &next) && !seen[next])
          seen[next] = grew = TRUE;
      }
  }
  return seen[to];
}

/* The straight way to each state. */
static const struct {
  FarSessionState state;
  FarSessionEvent way[6];
  guint n;
} conform_ways[] = {
  { FAR_SESSION_REQUESTED, { 0 }, 0 },
  { FAR_SESSION_AWAITING, { FAR_SESSION_EV_APPROVAL_NEEDED }, 1 },
  { FAR_SESSION_PERMITTED, { FAR_SESSION_EV_PERMIT }, 1 },
  { FAR_SESSION_OPENING, { FAR_SESSION_EV_PERMIT, FAR_SESSION_EV_OFFERED }, 2 },
  { FAR_SESSION_OPEN, { FAR_SESSION_EV_PERMIT, FAR_SESSION_EV_OFFERED, FAR_SESSION_EV_TUNNEL_UP }, 3 },
  { FAR_SESSION_RESUMING,
    { FAR_SESSION_EV_PERMIT, FAR_SESSION_EV_OFFERED, FAR_SESSION_EV_TUNNEL_UP, FAR_SESSION_EV_LINK_LOST },
    4 },
  { FAR_SESSION_CLOSING,
    { FAR_SESSION_EV_PERMIT, FAR_SESSION_EV_OFFERED, FAR_SESSION_EV_TUNNEL_UP, FAR_SESSION_EV_FAILED },
    4 },
  { FAR_SESSION_CLOSED, { FAR_SESSION_EV_DENY }, 1 },
};

static gboolean
conform_event (FarSession *session, FarSessionEvent event, GError **error)
{
  if (event == FAR_SESSION_EV_TUNNEL_UP && !session->opened_us)
    far_deadline_set (&session->deadline, session->for_us);
  return far_session_event (session, event, "tried", error);
}

/* ---- beginning and end ---- */

typedef struct {
  gboolean done, failed;
} ConformBegun;

static void
conform_begun (FarSession *session, const GError *error, gpointer user)
{
  *(ConformBegun *) user = (ConformBegun){ TRUE, error != NULL };
}

/* NULL: the first write failed. With a reference. */
static FarSession *
conform_begin (const BookConform *with)
{
  ConformBegun begun = { FALSE, FALSE };
  FarSession *session = far_session_ref (with->make (with->book ()));
  far_session_begin (session, NULL, 0, conform_begun, &begun, NULL);
  with->settle ();
  ck_assert (begun.done);
  if (!begun.failed)
    return session;
  ck_assert_ptr_null (session->book);
  ck_assert_ptr_null (far_book_session (with->book (), session->id));
  far_session_unref (session);
  return NULL;
}

static void
conform_close (const BookConform *with, FarSession *session)
{
  if (session->state < FAR_SESSION_CLOSING)
    ck_assert (far_session_event (session, FAR_SESSION_EV_FAILED, "the case is over", NULL));
  with->settle ();
  if (session->state == FAR_SESSION_CLOSING && with->finish)
    with->finish (session);
  with->settle ();
  ck_assert_int_eq (session->state, FAR_SESSION_CLOSED);
  ck_assert_ptr_nonnull (session->cause);
  ck_assert_ptr_null (session->in->timer);
}

typedef struct {
  GPtrArray *rows;
  gboolean done;
} ConformRows;

static void
conform_rows_read (FarRequest *req, gpointer user)
{
  ConformRows *read = user;
  ck_assert_ptr_null (far_request_error (req));
  read->rows = far_request_steal (req);
  read->done = TRUE;
}

/* The row of that key, as JSON; NULL: there is none. New reference. */
static json_t *
conform_row (const BookConform *with, const char *table, const char *key)
{
  ConformRows read = { NULL, FALSE };
  json_t *found = NULL;
  far_store_rows (with->store, table, NULL, NULL, FAR_ROWS_MAX, FALSE,
                  far_request_new (conform_rows_read, &read, 0));
  while (!read.done)
    g_main_context_iteration (NULL, TRUE);
  for (guint i = 0; i < read.rows->len; i++) {
    const FarRow *row = read.rows->pdata[i];
    if (strcmp (row->key, key) == 0)
      found = json_loads (row->row, 0, NULL);
  }
  g_ptr_array_unref (read.rows);
  return found;
}

static gboolean
conform_row_is (const BookConform *with, const char *table, const char *key, const char *field,
                const char *value)
{
  json_t *row = conform_row (with, table, key);
  gboolean is = value ? g_strcmp0 (json_string_value (json_object_get (row, field)), value) == 0
                      : row == NULL;
  json_decref (row);
  return is;
}

/* Its row is gone, its history closed, and that once. */
static void
conform_check_closed (const BookConform *with, const FarSession *session)
{
  if (!with->store)
    return;
  ck_assert_uint_eq (GPOINTER_TO_UINT (g_hash_table_lookup (conform.closed, session->id)), 1);
  ck_assert (conform_row_is (with, conform.kind->rows, session->id, NULL, NULL));
  ck_assert (conform_row_is (with, conform.kind->history, session->in->place, "state", "closed"));
  ck_assert (conform_row_is (with, conform.kind->history, session->in->place, "cause", session->cause));
}

/* What watchers were told is a way through the table, to its end. */
static void
conform_check_told (FarSessionState from)
{
  const ConformWatch *watch = &conform.watch;
  for (guint i = 0; i < watch->told->len; i++) {
    FarSessionState told = g_array_index (watch->told, FarSessionState, i);
    ck_assert_msg (conform_reaches (from, told), "told '%s' after '%s'", far_session_state_name (told),
                   far_session_state_name (from));
    from = told;
  }
  ck_assert_int_eq (from, FAR_SESSION_CLOSED);
  ck_assert_uint_eq (watch->ended, 1);
}

/* ---- every event in every state ---- */

static void
conform_judge (FarSession *session, FarSessionState state, FarSessionEvent event, gboolean taken,
               const GError *error, guint told)
{
  FarStep step = far_session_step (state, event);
  const char *name = far_session_event_name (event), *where = far_session_state_name (state);
  gboolean still = session->state == state && conform.watch.told->len == told;
  ck_assert_msg (taken == (step.kind != FAR_STEP_REFUSE), "'%s' when %s: taken %d", name, where, taken);
  ck_assert_msg ((error != NULL) == !taken, "'%s' when %s: error %d", name, where, error != NULL);
  if (step.kind != FAR_STEP_GO)
    ck_assert_msg (still, "'%s' when %s: it is %s now", name, where, far_session_state_name (session->state));
  else
    ck_assert_msg (conform_reaches (step.next, session->state), "'%s' when %s: it is %s now", name, where,
                   far_session_state_name (session->state));
  if (step.kind == FAR_STEP_GO && step.next != state)
    ck_assert_msg (conform.watch.told->len > told, "'%s' when %s: nobody was told", name, where);
}

/* FALSE: the kind does not stay in that state. */
static gboolean
conform_walk (const BookConform *with, FarSession *session, guint way)
{
  for (guint i = 0; i < conform_ways[way].n; i++) {
    ck_assert (conform_event (session, conform_ways[way].way[i], NULL));
    with->settle ();
  }
  return session->state == conform_ways[way].state;
}

static gboolean
conform_cell (const BookConform *with, guint way, FarSessionEvent event)
{
  g_autoptr (GError) error = NULL;
  FarSession *session = conform_begin (with);
  ck_assert_ptr_nonnull (session);
  gboolean there = conform_walk (with, session, way);
  FarSessionState state = session->state;
  conform_watch (session);
  if (there) {
    gboolean taken = conform_event (session, event, &error);
    with->settle ();
    conform_judge (session, state, event, taken, error, 0);
  }
  conform_close (with, session);
  if (state != FAR_SESSION_CLOSED)
    conform_check_told (state);
  conform_check_closed (with, session);
  g_array_set_size (session->in->watches, 0);
  far_session_unref (session);
  return there;
}

static void
conform_table (const BookConform *with)
{
  for (guint way = 0; way < G_N_ELEMENTS (conform_ways); way++)
    for (guint event = 0; event < FAR_N_SESSION_EVENTS; event++)
      ck_assert_msg (conform_cell (with, way, event), "does not come to '%s'",
                     far_session_state_name (conform_ways[way].state));
}

/* ---- a store that fails ---- */

/* FALSE: it does not write so often. */
static gboolean
conform_fault (const BookConform *with, guint at)
{
  static const FarSessionEvent life[] = { FAR_SESSION_EV_PERMIT,    FAR_SESSION_EV_OFFERED,
                                          FAR_SESSION_EV_TUNNEL_UP, FAR_SESSION_EV_LINK_LOST,
                                          FAR_SESSION_EV_TUNNEL_UP, FAR_SESSION_EV_FAILED };
  conform.writes = conform.failed = 0;
  conform.fail_at = at;
  FarSession *session = conform_begin (with);
  ck_assert ((session == NULL) == (at == 1)); /* what is not recorded is not given */
  for (guint i = 0; session && i < G_N_ELEMENTS (life); i++) {
    ck_assert (conform_event (session, life[i], NULL));
    with->settle ();
  }
  if (session) {
    conform_close (with, session); /* whether the store takes it or not */
    ck_assert (far_clock_advance (4 * G_USEC_PER_SEC));
    with->settle ();
    conform_check_closed (with, session);
    far_session_unref (session);
  }
  return conform.failed > 0;
}

/* What ends it while its first write is under way, and the store takes that or not: it is counted off once,
 * and forgotten like any other. */
static void
conform_early_end (const BookConform *with, FarSessionEvent event, guint fail_at)
{
  ConformBegun begun = { FALSE, FALSE };
  guint before = far_book_count (with->book (), NULL);
  FarSession *session = far_session_ref (with->make (with->book ()));
  conform.writes = 0;
  conform.fail_at = fail_at;
  far_session_begin (session, NULL, 0, conform_begun, &begun, NULL);
  ck_assert (far_session_event (session, event, "tried", NULL));
  with->settle ();
  ck_assert (begun.done && begun.failed == (fail_at == 1));
  ck_assert_uint_eq (far_book_count (with->book (), NULL), before);
  ck_assert_int_eq (far_book_session (with->book (), session->id) == NULL, fail_at == 1);
  if (fail_at == 0)
    conform_check_closed (with, session);
  far_session_unref (session);
  session = conform_begin (with);
  ck_assert_uint_eq (far_book_count (with->book (), NULL), before + 1);
  conform_close (with, session);
  ck_assert_uint_eq (far_book_count (with->book (), NULL), before);
  far_session_unref (session);
}

static void
conform_early_ends (const BookConform *with)
{
  for (guint event = 0; event < FAR_N_SESSION_EVENTS; event++) {
    FarStep step = far_session_step (FAR_SESSION_REQUESTED, event);
    for (guint fail_at = 0; fail_at < 2 && step.kind == FAR_STEP_GO && step.next == FAR_SESSION_CLOSED;
         fail_at++)
      conform_early_end (with, event, fail_at);
  }
  conform.fail_at = 0;
}

static void
conform_faults (const BookConform *with)
{
  guint at = 1;
  while (conform_fault (with, at))
    at++;
  ck_assert_uint_gt (at, 2); /* the first, and at least one more */
  conform.fail_at = 0;
}

/* ---- a restart ---- */

static void
conform_put (const BookConform *with, const char *table, const char *key, json_t *row /* takes */)
{
  g_autofree char *text = far_book_json_text (row);
  far_store_put (with->store, table, key, text, FAR_EXPECT_ANY, NULL);
  json_decref (row);
}

/* A row as somebody else wrote it: owner or kind NULL leaves that out. */
static void
conform_put_row (const BookConform *with, const char *id, const char *owner, const char *kind)
{
  g_autofree char *place = far_history_key (1, id);
  json_t *record = json_pack ("{s:s, s:s, s:s}", "kind", conform.kind->word, "session", id, "state", "open");
  conform_put (with, conform.kind->history, place, json_deep_copy (record));
  conform_put (with, conform.kind->rows, id,
               json_pack ("{s:s, s:s, s:s*, s:s*, s:s, s:o}", "session", id, "state", "open", "owner", owner,
                          "kind", kind, "history", place, "record", record));
}

static void
conform_check_left (const BookConform *with, const char *id, gboolean left)
{
  g_autofree char *place = far_history_key (1, id);
  ck_assert_msg (conform_row_is (with, conform.kind->rows, id, "session", left ? id : NULL), "row of '%s'",
                 id);
  ck_assert_msg (conform_row_is (with, conform.kind->history, place, "state", left ? "open" : "closed"),
                 "history of '%s'", id);
  ck_assert_msg (left || conform_row_is (with, conform.kind->history, place, "cause", "restart"),
                 "cause of '%s'", id);
}

static void
conform_restart (const BookConform *with)
{
  FarSession *session = conform_begin (with);
  g_autofree char *id = g_strdup (session->id), *place = g_strdup (session->in->place);
  guint64 epoch = session->epoch;
  ck_assert (conform_walk (with, session, FAR_SESSION_OPEN));
  far_session_unref (session);
  conform_put_row (with, "foreign", "another-node", conform.kind->name);
  conform_put_row (with, "other-kind", far_node_id (), "other");
  conform_put_row (with, "old", NULL, NULL);
  conform_put_row (with, "own", far_node_id (), conform.kind->name);
  with->settle ();
  with->restart ();
  with->settle ();
  conform_check_left (with, "foreign", TRUE);
  ck_assert_uint_eq (with->book ()->others, 1);
  conform_check_left (with, "other-kind", TRUE);
  conform_check_left (with, "old", FALSE);
  conform_check_left (with, "own", FALSE);
  if (!conform.kind->outlives_owner) {
    ck_assert_ptr_null (far_book_session (with->book (), id));
    ck_assert (conform_row_is (with, conform.kind->history, place, "cause", "restart"));
    ck_assert_uint_eq (GPOINTER_TO_UINT (g_hash_table_lookup (conform.closed, id)), 1);
  }
  ck_assert_uint_gt (with->book ()->epoch, epoch);
}

/* ---- all of it ---- */

static void
book_conform_begin (const BookConform *with)
{
  conform.kind = with->book ()->kind;
  conform.writes = conform.fail_at = conform.failed = 0;
  conform.closed = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
}

static void
book_conform (const BookConform *with)
{
  book_conform_begin (with);
  conform_table (with);
  if (with->store) {
    conform_faults (with);
    conform_early_ends (with);
    conform_restart (with);
  }
  g_hash_table_unref (conform.closed);
  g_clear_pointer (&conform.watch.told, g_array_unref);
  memset (&conform, 0, sizeof conform);
}
