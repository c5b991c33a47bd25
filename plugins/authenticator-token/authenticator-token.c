/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tokens that work once. A row of table `tokens` has the token's SHA-256 as key, never the token: {name,
 * claim, key, until, boot, issued, spent}. A token is spent by writing `spent` at the revision that was read:
 * of two who try at once, on whatever nodes, one wins. (spec B6) */
#include "config.h"

#include <string.h>

#include <farwatch/plugin.h>
#include <farwatch/trust.h>

#define TABLE "tokens"
#define TOKEN_SIZE 40
#define CLEAN_EVERY_US (10 * 60 * (gint64) G_USEC_PER_SEC)
#define KEEP_SPENT_US (24 * 3600 * (gint64) G_USEC_PER_SEC)
#define CLEAN_AT_ONCE 1000

typedef struct {
  char *store;
} TokenOptions;

typedef struct {
  FarInstance *at;
  FarInstanceTimer *timer;
} Token;

static const char *
token_store (Token *self)
{
  return ((const TokenOptions *) far_instance_options (self->at))->store;
}

/* ---- check ---- */

typedef struct {
  char *store;
  char *hash, *name, *key, *from; /* of the login */
  char *claim;
  gint64 until_us;
  FarRequest *req;
} AuthTokenCheck;

static void
check_end (AuthTokenCheck *check, FarVerdictKind kind)
{
  FarVerdict *verdict = far_verdict_new (kind, kind == FAR_VERDICT_ALLOW ? check->name : NULL);

  if (kind == FAR_VERDICT_ALLOW) /* no `until`: how long what it opens may last is its claim's matter */
    verdict->claim = g_strdup (check->claim);
  far_request_done (check->req, verdict, (GDestroyNotify) far_verdict_free);
  far_request_unref (check->req);
  g_free (check->store);
  g_free (check->hash);
  g_free (check->name);
  g_free (check->key);
  g_free (check->from);
  g_free (check->claim);
  g_free (check);
}

static void
check_fail (AuthTokenCheck *check, const GError *error)
{
  far_request_fail (check->req, g_error_copy (error));
  check_end (check, FAR_VERDICT_DENY); /* the request has ended: this only frees */
}

static void
check_spent (FarRequest *req, gpointer data)
{
  AuthTokenCheck *check = data;
  const GError *error = far_request_error (req);

  if (error == NULL)
    check_end (check, FAR_VERDICT_ALLOW);
  else if (g_error_matches (error, FAR_ERROR, FAR_ERROR_CONFLICT)) {
    far_count ("tokens", 1);
    far_log_limited (NULL, check->claim, "token for %s came twice at once, the second time from %s: refused",
                     check->claim, check->from);
    check_end (check, FAR_VERDICT_DENY);
  } else
    check_fail (check, error);
}

/* Why the row refuses this login; NULL: it does not. */
static const char *
row_refuses (AuthTokenCheck *check, json_t *row)
{
  const char *name = json_string_value (json_object_get (row, "name")),
             *key = json_string_value (json_object_get (row, "key"));

  if (json_object_get (row, "spent") != NULL)
    return "was used before";
  if (check->until_us <= far_clock_wall_us ())
    return "has expired";
  if (g_strcmp0 (name, check->name) != 0)
    return "is another's";
  if (key != NULL && g_strcmp0 (key, check->key) != 0)
    return "comes without the key it is bound to";
  return NULL;
}

static void
check_spend (AuthTokenCheck *check, json_t *row, gint64 revision)
{
  g_autofree char *text = NULL;

  json_object_set_new (row, "spent", json_integer (far_clock_wall_us ()));
  text = json_dumps (row, JSON_COMPACT);
  far_store_put (check->store, TABLE, check->hash, text, revision, far_request_new (check_spent, check, 0));
}

static void
check_read (FarRequest *req, gpointer data)
{
  AuthTokenCheck *check = data;
  GPtrArray *rows = far_request_result (req);
  const FarRow *row = rows != NULL && rows->len > 0 ? rows->pdata[0] : NULL;
  json_t *fields;
  const char *why;

  if (far_request_error (req) != NULL) {
    check_fail (check, far_request_error (req));
    return;
  }
  if (row == NULL || strcmp (row->key, check->hash) != 0) {
    check_end (check, FAR_VERDICT_DEFER); /* not one of ours */
    return;
  }
  fields = json_loads (row->row, 0, NULL);
  check->claim = g_strdup (json_string_value (json_object_get (fields, "claim")));
  check->until_us = json_integer_value (json_object_get (fields, "until"));
  why = row_refuses (check, fields);
  if (why != NULL) {
    far_count ("tokens", 1);
    far_log_limited (NULL, check->claim, "token for %s, shown from %s, %s: refused", check->claim,
                     check->from, why);
    check_end (check, FAR_VERDICT_DENY);
  } else
    check_spend (check, fields, row->revision);
  json_decref (fields);
}

/* The key just before the hash, so that one row read after it is the wanted one. */
static char *
before (const char *hash)
{
  return g_strndup (hash, strlen (hash) - 1);
}

static void
token_check (gpointer data, const FarLogin *login, FarRequest *req)
{
  gboolean ours = (login->form == FAR_LOGIN_TOKEN || login->form == FAR_LOGIN_PASSWORD) &&
                  login->secret != NULL && !login->probe;
  g_autofree char *after = NULL;
  AuthTokenCheck *check;

  if (!ours || strlen (login->secret) != TOKEN_SIZE) {
    far_request_done (req, far_verdict_new (FAR_VERDICT_DEFER, NULL), (GDestroyNotify) far_verdict_free);
    return;
  }
  check = g_new0 (AuthTokenCheck, 1);
  check->store = g_strdup (token_store (data));
  check->hash = far_sha256_text (login->secret);
  check->name = g_strdup (login->name);
  check->key = g_strdup (login->key);
  check->from = g_strdup (login->from);
  check->req = far_request_ref (req);
  after = before (check->hash);
  far_store_rows (check->store, TABLE, NULL, after, 1, FALSE, far_request_new (check_read, check, 0));
}

/* ---- issue ---- */

typedef struct {
  char *token;
  FarRequest *req;
} Issue;

static void
issue_done (FarRequest *req, gpointer data)
{
  Issue *issue = data;
  const GError *error = far_request_error (req);

  if (error != NULL)
    far_request_fail (issue->req, g_error_copy (error));
  else
    far_request_done (issue->req, g_steal_pointer (&issue->token), (GDestroyNotify) far_secret_free);
  far_secret_free (issue->token);
  far_request_unref (issue->req);
  g_free (issue);
}

static void
token_make (const char *name, const char *claim, const char *key, gint64 until_wall_us, FarTokenRow *made)
{
  json_t *row = json_pack ("{s:s, s:s, s:s*, s:I, s:s, s:I}", "name", name, "claim", claim, "key", key,
                           "until", (json_int_t) until_wall_us, "boot", far_clock_boot_id (), "issued",
                           (json_int_t) far_clock_boottime_us ());
  char *text = json_dumps (row, JSON_COMPACT);

  json_decref (row);
  made->token = far_random_text (TOKEN_SIZE);
  made->table = g_strdup (TABLE);
  made->key = far_sha256_text (made->token);
  made->row = g_strdup (text != NULL ? text : "");
  free (text);
}

static void
token_issue (gpointer data, const char *name, const char *claim, const char *key, gint64 until_wall_us,
             FarRequest *req)
{
  Issue *issue = g_new0 (Issue, 1);
  g_auto (FarTokenRow) made = { 0 };

  token_make (name, claim, key, until_wall_us, &made);
  issue->token = g_steal_pointer (&made.token);
  issue->req = far_request_ref (req);
  far_store_put (token_store (data), made.table, made.key, made.row, FAR_EXPECT_ABSENT,
                 far_request_new (issue_done, issue, 0));
}

static gboolean
token_prepare (gpointer data, const char *store, const char *name, const char *claim, const char *key,
               gint64 until_wall_us, FarTokenRow *row)
{
  if (g_strcmp0 (store, token_store (data)) != 0)
    return FALSE;
  token_make (name, claim, key, until_wall_us, row);
  return TRUE;
}

/* ---- withdraw and clean up ---- */

typedef struct {
  char *store;
  gint64 asked_us; /* boottime: what is issued later stays, also when the rows are read after that */
} Withdraw;

static gboolean
row_is_older (const FarRow *row, gint64 boottime_us)
{
  json_t *fields = json_loads (row->row, 0, NULL);
  gboolean this_boot = g_strcmp0 (json_string_value (json_object_get (fields, "boot")),
                                  far_clock_boot_id ()) == 0;
  gboolean older = !this_boot || json_integer_value (json_object_get (fields, "issued")) < boottime_us;

  json_decref (fields);
  return older;
}

static void
withdraw_found (FarRequest *req, gpointer data)
{
  Withdraw *withdraw = data;
  GPtrArray *rows = far_request_error (req) == NULL ? far_request_result (req) : NULL;

  for (guint i = 0; rows != NULL && i < rows->len; i++)
    if (row_is_older (rows->pdata[i], withdraw->asked_us))
      far_store_put (withdraw->store, TABLE, ((FarRow *) rows->pdata[i])->key, NULL, FAR_EXPECT_ANY, NULL);
  g_free (withdraw->store);
  g_free (withdraw);
}

static void
token_withdraw (gpointer data, const char *claim)
{
  FarFilterTerm filter[] = { { "claim", claim }, { NULL, NULL } };
  Withdraw *withdraw = g_new (Withdraw, 1);

  *withdraw = (Withdraw){ g_strdup (token_store (data)), far_clock_boottime_us () };
  far_store_rows (withdraw->store, TABLE, filter, NULL, CLEAN_AT_ONCE, FALSE,
                  far_request_new (withdraw_found, withdraw, 0));
}

static gboolean
row_is_over (const FarRow *row, gint64 now_us)
{
  json_t *fields = json_loads (row->row, 0, NULL);
  gint64 until_us = json_integer_value (json_object_get (fields, "until"));
  gboolean spent = json_object_get (fields, "spent") != NULL;

  json_decref (fields);
  return until_us + (spent ? KEEP_SPENT_US : 0) <= now_us;
}

/* A page at a time; what was spent stays a day longer, so that a replay can be told from a guess. */
static void
clean_found (FarRequest *req, gpointer data)
{
  g_autofree char *store = data;
  GPtrArray *rows = far_request_error (req) == NULL ? far_request_result (req) : NULL;

  for (guint i = 0; rows != NULL && i < rows->len; i++)
    if (row_is_over (rows->pdata[i], far_clock_wall_us ()))
      far_store_put (store, TABLE, ((FarRow *) rows->pdata[i])->key, NULL,
                     ((FarRow *) rows->pdata[i])->revision, NULL);
  if (rows != NULL && rows->len == CLEAN_AT_ONCE)
    far_store_rows (store, TABLE, NULL, ((FarRow *) rows->pdata[rows->len - 1])->key, CLEAN_AT_ONCE, FALSE,
                    far_request_new (clean_found, g_strdup (store), 0));
}

static void
auth_token_clean (gpointer data)
{
  Token *self = data;
  const char *store = token_store (self);

  far_store_rows (store, TABLE, NULL, NULL, CLEAN_AT_ONCE, FALSE,
                  far_request_new (clean_found, g_strdup (store), 0));
  far_instance_timer (self->at, &self->timer, far_clock_boottime_us () + CLEAN_EVERY_US, auth_token_clean,
                      self);
}

/* ---- life ---- */

static gboolean
token_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((Token *) data)->at = at;
  return TRUE;
}

static gboolean
token_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  Token *self = data;

  far_instance_timer (self->at, &self->timer, far_clock_boottime_us (), auth_token_clean, self);
  far_instance_ready (self->at);
  return TRUE;
}

static const FarOption token_options[] = {
  { .name = "store",
    .type = FAR_OPT_REF,
    .flags = FAR_OPT_REQUIRED,
    .offset = G_STRUCT_OFFSET (TokenOptions, store),
    .summary = N_ ("where tokens are kept (their hashes, never they themselves)"),
    .ref_kind = FAR_KIND_STORE },
  { .type = FAR_OPT_END },
};

static const FarAuthenticatorOps token_ops = {
  .check = token_check,
  .issue = token_issue,
  .withdraw = token_withdraw,
  .prepare = token_prepare,
};

static const FarAuthenticatorType token_type = {
  .type = {
    .kind = FAR_KIND_AUTHENTICATOR,
    .name = "token",
    .summary = N_ ("tokens that work once"),
    .instance_size = sizeof (Token),
    .options_size = sizeof (TokenOptions),
    .options = token_options,
    .init = token_init,
    .start = token_start,
  },
  .ops = &token_ops,
};

FAR_PLUGIN ("authenticator-token", "0.1", "authenticator/token", "", &token_type.type)
