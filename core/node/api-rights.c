/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rights at run time: rows of the store called main. A right counts when its row is durable. */
#include "config.h"

#include "node/api-private.h"

#include "base/node-part.h"

#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/loop.h>
#include <farwatch/i18n.h>
#include <farwatch/instance.h>
#include <farwatch/option.h>
#include <farwatch/store.h>
#include <farwatch/trust.h>

#include "node/local-name.h"
#include "reach/users.h"
#include "auth/right.h"

#define RIGHTS_STORE "main"
#define RIGHTS_TABLE "rights"
#define RIGHTS_TIMEOUT_MS 20000
#define RIGHTS_PAGE 10000 /* rows of one answer of the store */
#define PAGE 100          /* rights of one answer to a person */
#define TRIES_MAX 50      /* of a replacement that others are faster than */

/* ---- rows at start ---- */

typedef struct {
  FarLoopTimer *timer; /* until the store runs; touched on main only */
  gint64 wait_us;
  gboolean asked; /* the store is reading, or has read */
  /* id → gint64: at which each row of the store was read or written, so that a change counts only if nobody
   * has changed it since; touched on main only. */
  GHashTable *revisions;
} ApiRights;

static void
api_rights_clear (gpointer part)
{
  ApiRights *self = part;

  g_clear_pointer (&self->timer, far_loop_timer_free);
  g_clear_pointer (&self->revisions, g_hash_table_unref);
}

static ApiRights *
api_rights (void)
{
  static const FarNodePart part = { FAR_PART_API_RIGHTS, sizeof (ApiRights), NULL, api_rights_clear };

  return far_node_part (&part);
}

/* ---- revisions ---- */

static gint64
api_rights_revision_of (const char *id)
{
  const gint64 *known = api_rights ()->revisions != NULL ? g_hash_table_lookup (api_rights ()->revisions, id)
                                                         : NULL;

  return known != NULL ? *known : FAR_EXPECT_ABSENT;
}

static void
revision_set (const char *id, gint64 revision)
{
  if (api_rights ()->revisions == NULL)
    api_rights ()->revisions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (revision > 0)
    g_hash_table_replace (api_rights ()->revisions, g_strdup (id), g_memdup2 (&revision, sizeof revision));
  else
    g_hash_table_remove (api_rights ()->revisions, id);
}

/* FALSE: the row is bad and left out. */
static gboolean
right_take (const FarRow *row, GError **error)
{
  json_t *right = json_loads (row->row, 0, NULL);
  gboolean good = right != NULL && far_right_set (right, error);

  if (right == NULL)
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, "no JSON");
  if (good)
    revision_set (row->key, row->revision);
  json_decref (right);
  return good;
}

static void rights_read (FarRequest *req, gpointer user);

static void
rights_read_from (const char *after)
{
  far_store_rows (RIGHTS_STORE, RIGHTS_TABLE, NULL, after, RIGHTS_PAGE, FALSE,
                  far_request_new (rights_read, NULL, RIGHTS_TIMEOUT_MS));
}

static void
rights_read (FarRequest *req, gpointer user)
{
  GPtrArray *rows = far_request_error (req) == NULL ? far_request_result (req) : NULL;

  if (api_rights ()->timer == NULL) /* stopped meanwhile */
    return;
  if (rows == NULL) {
    far_log_limited (NULL, "rights", "the rights cannot be read from the store, trying again: %s",
                     far_request_error (req)->message);
    api_rights ()->asked = FALSE;
    far_loop_timer_set (api_rights ()->timer, far_clock_boottime_us () + 5 * G_USEC_PER_SEC);
    return;
  }
  for (guint i = 0; i < rows->len; i++) {
    const FarRow *row = rows->pdata[i];
    g_autoptr (GError) error = NULL;

    if (!right_take (row, &error) && !g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT))
      far_log (NULL, G_LOG_LEVEL_WARNING, "a right in the store is bad and left out: %s: %s", row->key,
               error->message);
  }
  if (rows->len == RIGHTS_PAGE)
    rights_read_from (((const FarRow *) rows->pdata[rows->len - 1])->key);
}

static void
rights_try (gpointer data)
{
  if (api_rights ()->asked)
    return;
  if (far_instance_find (FAR_KIND_STORE, RIGHTS_STORE, NULL) != NULL) {
    api_rights ()->asked = TRUE;
    rights_read_from (NULL);
    return;
  }
  api_rights ()->wait_us = MIN (api_rights ()->wait_us * 2, 60 * G_USEC_PER_SEC);
  far_loop_timer_set (api_rights ()->timer, far_clock_boottime_us () + api_rights ()->wait_us);
}

void
far_right_rows_start (void)
{
  api_rights ()->wait_us = 50 * 1000;
  api_rights ()->asked = FALSE;
  api_rights ()->timer = far_loop_timer (far_loop_main (), far_clock_boottime_us (), rights_try, NULL);
}

/* At once, so that who is told "ready" finds the rights in force: what starts after the store asks it after
 * us. */
void
far_right_rows_store_up (const char *store)
{
  if (api_rights ()->timer != NULL && strcmp (store, RIGHTS_STORE) == 0)
    rights_try (NULL);
}

void
far_right_rows_stop (void)
{
  g_clear_pointer (&api_rights ()->timer, far_loop_timer_free);
  g_clear_pointer (&api_rights ()->revisions, g_hash_table_unref);
}

/* ---- list ---- */

static int
by_id (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (json_string_value (json_object_get (*(json_t *const *) a, "id")),
                    json_string_value (json_object_get (*(json_t *const *) b, "id")));
}

/* Whoever asked first for names learns them here: who there is, in the lists of people and on this machine.
 */
typedef struct {
  json_t *rights, *people;
  void (*done) (const FarOddNames *names, gpointer user);
  gpointer user;
} OddQuestion;

static void
odd_locals (FarRequest *req, gpointer user)
{
  g_autofree OddQuestion *question = user;
  FarOddNames names = { question->people, far_request_error (req) == NULL ? far_request_result (req) : NULL };

  question->done (&names, question->user);
  json_decref (question->people);
  json_decref (question->rights);
}

static void
odd_people (FarRequest *req, gpointer user)
{
  OddQuestion *question = user;

  question->people = far_request_error (req) == NULL ? json_incref (far_request_result (req)) : NULL;
  far_local_names_odd (question->rights, far_request_new (odd_locals, question, RIGHTS_TIMEOUT_MS));
}

void
far_api_odd_names (json_t *rights, void (*done) (const FarOddNames *names, gpointer user), gpointer user)
{
  OddQuestion *question = g_new0 (OddQuestion, 1);

  *question = (OddQuestion){ rights, NULL, done, user };
  far_users_list (far_request_new (odd_people, question, 0));
}

/* In the order of their ids, which holds when the right at which a page ended is taken back. */
static json_t *
rights_page (const FarCall *call, json_t *all, const FarOddNames *names)
{
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();
  FarPage page;

  for (gsize n = 0; n < json_array_size (all); n++)
    g_ptr_array_add (sorted, json_array_get (all, n));
  g_ptr_array_sort (sorted, by_id);
  far_page_begin (&page, call, PAGE, 0);
  for (guint i = 0; i < sorted->len && page.next == NULL; i++) {
    json_t *right = sorted->pdata[i];
    const char *id = json_string_value (json_object_get (right, "id"));

    id = id != NULL ? id : "";
    if (!far_page_wants (&page, id))
      continue;
    if (names != NULL)
      json_object_set_new (right, "odd", far_right_warnings (right, names->people, names->locals));
    far_page_take (&page, id, json_incref (right));
  }
  return json_pack ("{s:o, s:s?}", "rights", page.list, "next", page.next);
}

/* Rights may have come and gone while names were looked up. */
static void
api_rights_odd (const FarOddNames *names, gpointer user)
{
  FarCall *call = user;
  json_t *list = far_right_list ();

  far_call_answer (call, 200, rights_page (call, list, names));
  json_decref (list);
}

static void
rights_get (gpointer self, FarCall *call)
{
  gboolean all = far_authorize (call->principal, FAR_ACTION_MANAGE, "rights", NULL, NULL) ==
                 FAR_DECISION_ALLOW;
  gboolean odd = all && g_strcmp0 (json_string_value (json_object_get (call->query, "odd")), "yes") == 0;
  json_t *list = all ? far_right_list () : far_right_list_of (call->principal);

  if (odd) {
    far_api_odd_names (list, api_rights_odd, call);
  } else {
    far_call_answer (call, 200, rights_page (call, list, NULL));
    json_decref (list);
  }
}

/* ---- change ---- */

/* Until the row is durable; then the right is in force and the call answered. */
typedef struct {
  FarCall *call;
  json_t *right; /* NULL: removed */
  char *id;
  json_t *body;  /* of the answer */
  gint64 expect; /* revision of the row that it is made from */
  guint tries;   /* left, for who has not said what they saw */
} RightChange;

static void
api_rights_change_free (RightChange *change)
{
  json_decref (change->right);
  json_decref (change->body);
  g_free (change->id);
  g_free (change);
}

/* What is strange about it is told with the answer: it may be meant so. */
static void
change_odd (const FarOddNames *names, gpointer user)
{
  RightChange *change = user;

  json_object_set_new (change->body, "warnings",
                       far_right_warnings (change->right, names->people, names->locals));
  far_call_answer (change->call, 201, json_incref (change->body));
  api_rights_change_free (change);
}

static void
change_was (RightChange *change)
{
  json_t *was = far_right_get (change->id);

  if (was != NULL)
    json_object_set (change->body, "was", was);
}

static void
change_given (RightChange *change)
{
  GError *error = NULL;

  change_was (change);
  if (far_right_set (change->right, &error)) {
    json_object_set (change->body, "right", change->right);
    far_api_odd_names (json_pack ("[O]", change->right), change_odd, change);
  } else {
    far_call_fail (change->call, error);
    api_rights_change_free (change);
  }
}

/* ---- somebody else was faster ---- */

static void
change_refused (RightChange *change)
{
  json_t *is = far_right_get (change->id);
  g_autofree char *text = is != NULL ? far_right_text (is) : NULL;

  if (is != NULL)
    far_call_fail_new (change->call, FAR_ERROR_CONFLICT,
                       _ ("right %s was changed by somebody else just now, it is: %s; nothing was changed: "
                          "look again, then decide"),
                       change->id, text);
  else if (change->expect != FAR_EXPECT_ABSENT)
    far_call_fail_new (
        change->call, FAR_ERROR_CONFLICT,
        _ ("right %s was taken back by somebody else just now; nothing was changed: look at `farctl rights`"),
        change->id);
  else
    far_call_fail_new (
        change->call, FAR_ERROR_CONFLICT,
        _ ("right %s stands in the store already, given by somebody else just now: look at `farctl rights`"),
        change->id);
  api_rights_change_free (change);
}

static void change_stored (FarRequest *req, gpointer user);

static void
change_put (RightChange *change)
{
  char *text = change->right != NULL ? json_dumps (change->right, JSON_COMPACT) : NULL;

  far_store_put (RIGHTS_STORE, RIGHTS_TABLE, change->id, text, change->expect,
                 far_request_new (change_stored, change, RIGHTS_TIMEOUT_MS));
  free (text);
}

/* From what is known by now. A row that is bad is as unknown as before: it is not written over. */
static gboolean
change_again (RightChange *change)
{
  gint64 revision = api_rights_revision_of (change->id);

  if (change->tries == 0 || revision == change->expect)
    return FALSE;
  change->tries--;
  change->expect = revision;
  change_put (change);
  return TRUE;
}

/* What another process wrote to the store is in force from now on; what this one did meanwhile is known
 * already. */
static void
change_reread (FarRequest *req, gpointer user)
{
  RightChange *change = user;
  GPtrArray *rows = far_request_error (req) == NULL ? far_request_result (req) : NULL;

  if (rows != NULL && api_rights_revision_of (change->id) == change->expect) {
    if (rows->len > 0) {
      right_take (rows->pdata[0], NULL);
    } else if (change->expect != FAR_EXPECT_ABSENT) {
      far_right_remove (change->id);
      revision_set (change->id, FAR_EXPECT_ABSENT);
    }
  }
  if (!change_again (change))
    change_refused (change);
}

static void
change_conflict (RightChange *change)
{
  const FarFilterTerm filter[] = { { "id", change->id }, { NULL, NULL } };

  far_store_rows (RIGHTS_STORE, RIGHTS_TABLE, filter, NULL, 1, FALSE,
                  far_request_new (change_reread, change, RIGHTS_TIMEOUT_MS));
}

/* ---- stored ---- */

static void
change_stored (FarRequest *req, gpointer user)
{
  RightChange *change = user;
  const GError *error = far_request_error (req);

  if (error == NULL)
    revision_set (change->id,
                  change->right != NULL ? *(gint64 *) far_request_result (req) : FAR_EXPECT_ABSENT);
  if (error == NULL && change->right != NULL) {
    change_given (change);
    return;
  }
  if (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT)) {
    change_conflict (change);
    return;
  }
  if (error == NULL) {
    change_was (change);
    far_right_remove (change->id);
    far_call_answer (change->call, 200, json_incref (change->body));
  } else {
    far_call_fail (change->call, g_error_copy (error));
  }
  api_rights_change_free (change);
}

/* Who has said what they saw changes that and nothing else. Else what must go goes, whatever it is by then,
 * and a replacement is tried again: it tells what was. */
static void
change_store (FarCall *call, const char *id, json_t *right /* takes */)
{
  RightChange *change = g_new0 (RightChange, 1);
  gboolean seen = json_object_get (call->body, "expect") != NULL ||
                  json_object_get (call->query, "expect") != NULL;

  *change = (RightChange){ .call = call,
                           .right = right,
                           .id = g_strdup (id),
                           .body = json_pack ("{s:s}", "id", id),
                           .expect = api_rights_revision_of (id) };
  if (!seen && right == NULL)
    change->expect = FAR_EXPECT_ANY;
  else if (!seen && json_is_true (json_object_get (call->body, "replace")))
    change->tries = TRIES_MAX;
  change_put (change);
}

static gboolean
rights_may_change (FarCall *call, const char *id)
{
  g_autofree char *place = g_strconcat ("rights/", id, NULL),
                  *text = far_right_exists (id) ? far_right_text (far_right_get (id)) : NULL;
  g_autoptr (GError) error = NULL;

  if (!far_expect_ok (call, place, far_right_get (id), text, &error)) {
    far_call_fail (call, g_steal_pointer (&error));
    return FALSE;
  }

  if (far_right_is_profile (id)) {
    far_call_fail_new (call, FAR_ERROR_CONFLICT,
                       _ ("right %s stands in the profile: change it there and reload"), id);
    return FALSE;
  }
  if (far_instance_find (FAR_KIND_STORE, RIGHTS_STORE, &error) != NULL)
    return TRUE;
  far_call_fail_new (call, FAR_ERROR_CONFIG,
                     _ ("rights given at run time are kept in the store called " RIGHTS_STORE ": %s"),
                     error->message);
  return FALSE;
}

/* The body as a right: with an id, without what is said about the giving. */
static json_t *
rights_read_body (const FarCall *call)
{
  json_t *right = json_copy (call->body);

  json_object_del (right, "replace");
  json_object_del (right, "expect");
  if (json_object_get (right, "id") == NULL) {
    g_autofree char *id = far_random_text (8);

    json_object_set_new (right, "id", json_string (id));
  }
  return right;
}

/* A right of that id: another one takes its place only when that is asked for, since conditions would go with
 * it without a word. */
static gboolean
rights_may_replace (FarCall *call, json_t *right)
{
  const char *id = json_string_value (json_object_get (right, "id"));
  json_t *is = far_right_get (id);
  g_autofree char *text = is != NULL ? far_right_text (is) : NULL, *revision = far_revision (is);

  if (is == NULL || json_is_true (json_object_get (call->body, "replace")))
    return TRUE;
  if (json_equal (is, right))
    far_call_answer (call, 200, json_pack ("{s:s, s:O, s:[]}", "id", id, "right", is, "warnings"));
  else
    far_call_fail_new (call, FAR_ERROR_CONFLICT,
                       _ ("right %s is there already: %s; --replace --expect %s puts this one in its place"),
                       id, text, revision);
  return FALSE;
}

static void
rights_post (gpointer self, FarCall *call)
{
  json_t *right = rights_read_body (call);
  const char *id = json_string_value (json_object_get (right, "id"));
  GError *error = NULL;

  if (!far_right_check (right, &error) || !far_right_family_ok (right, &error))
    far_call_fail (call, error);
  else if (rights_may_change (call, id) && rights_may_replace (call, right))
    change_store (call, id, json_incref (right));
  json_decref (right);
}

static void
rights_delete (gpointer self, FarCall *call)
{
  const char *id = call->parts[0];

  if (!far_right_exists (id))
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no right %s; `farctl rights` shows all"), id);
  else if (rights_may_change (call, id))
    change_store (call, id, NULL);
}

static const FarField right_fields[] = {
  { "id", FAR_FIELD_NAME, FALSE, N_ ("name of the right; drawn if left out"), 0 },
  { "who", FAR_FIELD_STRING, TRUE, N_ ("name, @group, local:NAME, node:ID or *"), 80 },
  { "action", FAR_FIELD_STRING, TRUE, N_ ("what it lets them do, in one word, such as connect"), 16 },
  { "object", FAR_FIELD_STRING, TRUE,
    N_ ("path of what it is for, * and ? inside of a part; holds for what is below"), 256 },
  { "hours", FAR_FIELD_STRING, FALSE, N_ ("\"mon-fri 08:00-18:00\""), 256 },
  { "longest", FAR_FIELD_DURATION, FALSE, N_ ("longest connection time"), 0 },
  { "from", FAR_FIELD_STRING, FALSE, N_ ("nets, with commas"), 512 },
  { "needs", FAR_FIELD_STRING, FALSE, N_ ("approval"), 16 },
  { "until", FAR_FIELD_STRING, FALSE, N_ ("day or instant at which it ends"), 40 },
  { "replace", FAR_FIELD_BOOL, FALSE, N_ ("put it in the place of the one of this id"), 0 },
  FAR_FIELD_EXPECT,
  { NULL, FAR_FIELD_END },
};

const FarHandler far_api_right_handlers[] = {
  { "GET", "rights", FAR_ACTION_NONE, NULL, NULL, 0, rights_get, N_ ("rights: all, or the asker's own") },
  { "POST", "rights", FAR_ACTION_MANAGE, NULL, right_fields, 0, rights_post, N_ ("give a right") },
  { "DELETE", "rights/{r}", FAR_ACTION_MANAGE, NULL, NULL, 0, rights_delete, N_ ("take a right back") },
  { NULL },
};
