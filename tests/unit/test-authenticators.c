/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The authenticators inside a node, asked as core asks them. */
#include "config.h"

#include <check.h>
#include <dlfcn.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "authenticator-key/keys.h"
#include "node-help.h"
#include "life/instance-private.h"

#define KEY_A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define assert_code(error, code)                                                                             \
  ck_assert_msg (g_error_matches (error, FAR_ERROR, code), "%s", error ? error->message : "no error")

static char *loop;

static void
begin (const char *body)
{
  loop = node_fresh_dir ();
  node_open (loop, "n1", body);
}

static void
again (const char *body)
{
  node_close ();
  node_open (loop, "n1", body);
}

static void
end (void)
{
  node_close ();
  g_clear_pointer (&loop, g_free);
}

static const FarAuthenticatorOps *
ops_of (const char *name, gpointer *self)
{
  GError *error = NULL;
  FarInstance *at = far_instance_find (FAR_KIND_AUTHENTICATOR, name, &error);

  ck_assert_msg (at != NULL, "%s", error != NULL ? error->message : "");
  *self = far_instance_self (at);
  return ((const FarAuthenticatorType *) far_instance_type (at))->ops;
}

static FarLogin *
login_of (FarLoginForm form, const char *name, const char *secret, const char *key)
{
  FarLogin *login = far_login_new (form, name, "ssh", "192.0.2.7");

  login->secret = g_strdup (secret);
  login->key = g_strdup (key);
  return login;
}

/* "allow alice [groups] claim", "deny", "defer", or "error …". */
static char *
verdict_text (Wait *wait)
{
  g_autoptr (GError) error = NULL;
  FarVerdict *verdict = wait_result (wait, &error);
  char *text;

  if (verdict == NULL)
    return g_strdup_printf ("error %s", error->message);
  if (verdict->kind == FAR_VERDICT_ALLOW) {
    g_autofree char *groups = verdict->groups != NULL ? g_strjoinv (",", verdict->groups) : g_strdup ("");

    text = g_strdup_printf ("allow %s [%s]%s%s", verdict->principal, groups, verdict->claim ? " " : "",
                            verdict->claim ? verdict->claim : "");
  } else
    text = g_strdup (verdict->kind == FAR_VERDICT_DENY ? "deny" : "defer");
  far_verdict_free (verdict);
  return text;
}

static char *
check (const char *authenticator, FarLoginForm form, const char *name, const char *secret, const char *key)
{
  gpointer self;
  const FarAuthenticatorOps *ops = ops_of (authenticator, &self);
  g_autoptr (FarLogin) login = login_of (form, name, secret, key);
  Wait *wait = wait_new ();

  ops->check (self, login, wait->req);
  return verdict_text (wait);
}

static void
assert_check (const char *authenticator, FarLoginForm form, const char *name, const char *secret,
              const char *key, const char *wanted)
{
  g_autofree char *got = check (authenticator, form, name, secret, key);

  ck_assert_str_eq (got, wanted);
}

#define assert_password(name, secret, wanted)                                                                \
  assert_check ("people", FAR_LOGIN_PASSWORD, name, secret, NULL, wanted)
#define assert_key(name, key, wanted) assert_check ("people", FAR_LOGIN_KEY, name, NULL, key, wanted)

static gboolean
put (const char *name, const char *secret, const char *const *groups, const char *key, GError **error)
{
  gpointer self;
  const FarAuthenticatorOps *ops = ops_of ("people", &self);
  Wait *wait = wait_new ();
  GError *local = NULL;

  ops->put (self, name, secret, groups, key, wait->req);
  wait_result (wait, &local);
  if (local == NULL)
    return TRUE;
  if (error == NULL)
    ck_abort_msg ("%s", local->message);
  g_propagate_error (error, local);
  return FALSE;
}

static const char *const staff[] = { "staff", "night", NULL };
static const char people_body[] = "authenticators:\n  people: { type: file }\n";

/* ---- file ---- */

START_TEST (people_are_put_checked_and_removed)
{
  gpointer self;
  g_autoptr (GError) error = NULL;
  Wait *wait;
  json_t *list;
  g_autofree char *path = NULL, *text = NULL, *listed = NULL;
  struct stat stat_now;

  begin (people_body);
  assert_password ("alice", "right", "defer"); /* nobody there yet */
  put ("alice", "right", staff, NULL, NULL);
  put ("bob", NULL, NULL, KEY_A " bob@home", NULL);
  assert_password ("alice", "right", "allow alice [staff,night]");
  assert_password ("alice", "wrong", "deny");
  assert_password ("alice", "", "deny");
  assert_password ("Alice", "right", "defer");
  assert_password ("bob", "right", "defer"); /* has no password here */
  assert_key ("bob", KEY_A, "allow bob []");
  assert_key ("bob", KEY_B, "defer");
  assert_key ("alice", KEY_A, "defer");
  assert_check ("people", FAR_LOGIN_TOKEN, "alice", "right", NULL, "defer");
  put ("alice", "changed", NULL, KEY_B, NULL);
  assert_password ("alice", "right", "deny");
  assert_password ("alice", "changed", "allow alice [staff,night]");
  assert_key ("alice", KEY_B, "allow alice [staff,night]");
  again (people_body);
  assert_password ("alice", "changed", "allow alice [staff,night]");
  path = g_build_filename (loop, "people.yaml", NULL);
  ck_assert (stat (path, &stat_now) == 0 && (stat_now.st_mode & 0777) == 0600);
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  ck_assert_ptr_null (strstr (text, "changed"));
  ck_assert_ptr_nonnull (strstr (text, "$y$"));
  wait = wait_new ();
  ops_of ("people", &self)->list (self, wait->req);
  list = wait_result (wait, NULL);
  listed = json_dumps (list, JSON_COMPACT | JSON_SORT_KEYS);
  ck_assert_str_eq (listed,
                    "[{\"groups\":[\"staff\",\"night\"],\"has_password\":true,\"keys\":[\"" KEY_B
                    "\"],\"name\":\"alice\"},"
                    "{\"groups\":[],\"has_password\":false,\"keys\":[\"" KEY_A "\"],\"name\":\"bob\"}]");
  json_decref (list);
  wait = wait_new ();
  ops_of ("people", &self)->remove (self, "alice", wait->req);
  wait_result (wait, NULL);
  assert_password ("alice", "changed", "defer");
  wait = wait_new ();
  ops_of ("people", &self)->remove (self, "alice", wait->req);
  wait_result (wait, &error);
  assert_code (error, FAR_ERROR_NOT_FOUND);
  end ();
}
END_TEST

static const struct {
  const char *name, *secret, *key;
} bad_people[] = {
  { "", "x", NULL },
  { "a b", "x", NULL },
  { "a/b", "x", NULL },
  { "a\nb", "x", NULL },
  { "\xff", "x", NULL },
  { "ok", "", NULL },
  { "ok", NULL, "no key" },
  { "ok", NULL, "ssh-ed25519 AAAA\nroot: x" },
  { "ok", NULL, "ssh-\xc2\x80 AAAA" },
  { "a\xc2\x80", "x", NULL },
  { "0123456789012345678901234567890123456789012345678901234567890123456789", "x", NULL },
};

START_TEST (bad_people_are_refused)
{
  begin (people_body);
  for (guint i = 0; i < G_N_ELEMENTS (bad_people); i++) {
    g_autoptr (GError) error = NULL;

    ck_assert_msg (!put (bad_people[i].name, bad_people[i].secret, NULL, bad_people[i].key, &error),
                   "case %u", i);
    assert_code (error, FAR_ERROR_INVALID);
  }
  end ();
}
END_TEST

static void
write_people (const char *text, int mode)
{
  g_autofree char *path = g_build_filename (loop, "people.yaml", NULL);

  ck_assert (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, mode, NULL));
}

/* password "x" with a cheap hash, so that a test with many logins is quick */
#define QUICK "$5$rounds=1000$saltsalt$z3t6rrtFn3lMdv6AmvXeEFzPOKLJ2JypZJIYx/pmpp/"

START_TEST (edits_are_taken_up_without_a_restart)
{
  begin (people_body);
  write_people ("people:\n  carol: { password: \"" QUICK "\", groups: [a] }\n", 0600);
  assert_password ("carol", "x", "allow carol [a]");
  write_people ("people:\n  carol: { password: \"" QUICK "\", groups: [a, b] }\n", 0600);
  assert_password ("carol", "x", "allow carol [a,b]");
  write_people ("people:\n  carol: { pasword: \"\" }\n", 0600); /* a slip: the people stay */
  assert_password ("carol", "x", "allow carol [a,b]");
  write_people ("people:\n  carol: { password: \"" QUICK "\" }\n", 0644); /* readable by all: not taken */
  assert_password ("carol", "x", "allow carol [a,b]");
  write_people ("# nobody\n", 0600);
  assert_password ("carol", "x", "defer");
  write_people ("people:\n  dora: { keys: [\"" KEY_A " d\"] }\n", 0644); /* no hashes in it: that is fine */
  assert_key ("dora", KEY_A, "allow dora []");
  end ();
}
END_TEST

static const struct {
  const char *text, *said;
  int mode;
} bad_files[] = {
  { "people:\n  a: { password: \"" QUICK "\" }\n", "chmod 600", 0640 },
  { "people:\n  a: { passwd: x }\n", "people.yaml:2: unknown key", 0600 },
  { "people:\n  a: {}\n  a: {}\n", "people.yaml:3: the same person twice", 0600 },
  { "people: [a]\n", "people.yaml:1", 0600 },
  { "folk: {}\n", "wants one key", 0600 },
  { "people:\n  a: { keys: [nokey] }\n", "people.yaml:2: not a public key", 0600 },
  { "people:\n\ta: {}\n", "people.yaml:2", 0600 },
  { "people: {a: {groups: x}}\n", "wants a list", 0600 },
};

START_TEST (a_bad_file_stops_the_instance_and_names_the_line)
{
  FarInstance *at;

  loop = node_fresh_dir ();
  write_people (bad_files[_i].text, bad_files[_i].mode);
  node_open (loop, "n1", people_body);
  at = far_instances_by_path ("authenticators.people");
  ck_assert (!far_instance_is_running (at));
  ck_assert_msg (at->error != NULL && strstr (at->error->message, bad_files[_i].said) != NULL, "%s",
                 at->error != NULL ? at->error->message : "no error");
  end ();
}
END_TEST

START_TEST (a_queue_of_passwords_has_an_end)
{
  Wait *waits[60];
  FarLogin *logins[60];
  gpointer self;
  const FarAuthenticatorOps *ops;
  guint busy = 0, good = 0;

  begin (people_body);
  put ("alice", "right", NULL, NULL, NULL);
  ops = ops_of ("people", &self);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++) {
    waits[i] = wait_new ();
    logins[i] = login_of (FAR_LOGIN_PASSWORD, "alice", "right", NULL);
    ops->check (self, logins[i], waits[i]->req);
  }
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++) {
    wait_for (waits[i]);
    busy += waits[i]->error != NULL && g_error_matches (waits[i]->error, FAR_ERROR, FAR_ERROR_LIMIT);
    good += waits[i]->error == NULL;
    wait_free (waits[i], (GDestroyNotify) far_verdict_free);
    far_login_free (logins[i]);
  }
  ck_assert_uint_eq (busy + good, G_N_ELEMENTS (waits));
  ck_assert_uint_ge (good, 16);
  ck_assert_uint_le (good, 20);
  end ();
}
END_TEST

/* Stands before libcrypt's own, which it calls: each run and its cost (the setting up to the salt) are
 * written down. */
static struct {
  gint runs;
  char cost[16];
} hashed;

G_MODULE_EXPORT char *crypt_rn (const char *, const char *, void *, int);

char *
crypt_rn (const char *phrase, const char *setting, void *data, int size)
{
  void *library = dlopen ("libcrypt.so.1", RTLD_LAZY);
  char *(*real) (const char *, const char *, void *, int) = library != NULL ? dlsym (library, "crypt_rn")
                                                                            : NULL;

  ck_assert_ptr_nonnull (real);
  g_strlcpy (hashed.cost, setting, strlen ("$y$j9T$") + 1);
  g_atomic_int_inc (&hashed.runs);
  return real (phrase, setting, data, size);
}

/* Counted, not timed: on a busy machine a time says nothing. A name that is known, one that is not, one
 * without a password: one run of the same cost. */
START_TEST (an_unknown_name_costs_the_same_time)
{
  static const char *const names[] = { "alice", "nobody", "bob", "nobody" };

  begin (people_body);
  put ("alice", "right", NULL, NULL, NULL);
  put ("bob", NULL, NULL, KEY_A, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *got = NULL;

    hashed.runs = 0;
    got = check ("people", FAR_LOGIN_PASSWORD, names[i], "wrong", NULL);
    ck_assert_str_ne (got, "");
    ck_assert_msg (hashed.runs == 1, "%s: %d runs", names[i], hashed.runs);
    ck_assert_str_eq (hashed.cost, "$y$j9T$");
  }
  end ();
}
END_TEST

/* ---- key ---- */

static const struct {
  const char *line;
  KeysAnswer answer;
  gboolean until;
} key_lines[] = {
  { KEY_A, KEYS_YES, FALSE },
  { KEY_A " alice@laptop with words", KEYS_YES, FALSE },
  { "  \t" KEY_A, KEYS_YES, FALSE },
  { "#" KEY_A, KEYS_NO, FALSE },
  { KEY_B, KEYS_NO, FALSE },
  { KEY_A "A", KEYS_NO, FALSE },
  { "restrict " KEY_A, KEYS_YES, FALSE },
  { "no-pty,no-X11-forwarding,RESTRICT " KEY_A, KEYS_YES, FALSE },
  { "expiry-time=\"20990101\" " KEY_A, KEYS_YES, TRUE },
  { "expiry-time=\"209901011200\" " KEY_A, KEYS_YES, TRUE },
  { "expiry-time=\"20990101120000Z\" " KEY_A, KEYS_YES, TRUE },
  { "expiry-time=\"20200101\" " KEY_A, KEYS_EXPIRED, TRUE },
  { "expiry-time=\"2099\" " KEY_A, KEYS_OPTION, FALSE },
  { "expiry-time=\"20991301\" " KEY_A, KEYS_OPTION, FALSE },
  { "from=\"192.0.2.7\" " KEY_A, KEYS_YES, FALSE },
  { "from=\"192.0.2.0/24,2001:db8::/32\" " KEY_A, KEYS_YES, FALSE },
  { "from=\"198.51.100.0/24\" " KEY_A, KEYS_ELSEWHERE, FALSE },
  { "from=\"!192.0.2.7,192.0.2.0/24\" " KEY_A, KEYS_ELSEWHERE, FALSE },
  { "from=\"*.example\" " KEY_A, KEYS_OPTION, FALSE },
  { "from=\"192.0.2.*\" " KEY_A, KEYS_OPTION, FALSE },
  { "command=\"/bin/sh -c \\\"x y\\\"\" " KEY_A, KEYS_OPTION, FALSE },
  { "cert-authority " KEY_A, KEYS_OPTION, FALSE },
  { "restrict,permitopen=\"a:1\" " KEY_A, KEYS_OPTION, FALSE },
  { "restrict,expiry-time=\"20200101\" " KEY_A, KEYS_EXPIRED, TRUE },
  { "command=\"unclosed " KEY_A, KEYS_NO, FALSE },
  { "command=\"x\" " KEY_A "\n" KEY_A, KEYS_YES, FALSE }, /* a good line counts, wherever it stands */
  { KEY_B "\r\n" KEY_A "\r\n", KEYS_YES, FALSE },
  { "", KEYS_NO, FALSE },
};

START_TEST (lines_of_authorized_keys)
{
  g_autofree char *option = NULL;
  gint64 until = 0;
  KeysAnswer answer = keys_find (key_lines[_i].line, KEY_A, "192.0.2.7", far_clock_wall_us (), &until,
                                 &option);

  ck_assert_msg (answer == key_lines[_i].answer, "%s: %d", key_lines[_i].line, answer);
  ck_assert_int_eq (until != 0, key_lines[_i].until);
  ck_assert_int_eq (option != NULL, answer == KEYS_OPTION);
}
END_TEST

static void
write_key_file (const char *name, const char *text, int mode)
{
  g_autofree char *path = g_build_filename (loop, "keys.d", name, NULL), *dir = g_path_get_dirname (path);

  g_mkdir_with_parents (dir, 0755);
  ck_assert (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, mode, NULL));
}

START_TEST (keys_of_a_directory)
{
  begin ("authenticators:\n  people: { type: key, groups: [keyed] }\n");
  assert_key ("alice", KEY_A, "defer");
  write_key_file ("alice", KEY_A "\n", 0644);
  write_key_file ("bob/authorized_keys", KEY_B "\n", 0600);
  assert_key ("alice", KEY_A " comment", "allow alice [keyed]");
  assert_key ("alice", KEY_B, "defer");
  assert_key ("bob", KEY_B, "allow bob [keyed]");
  assert_key ("bob", KEY_A, "defer");
  assert_key ("../keys.d/alice", KEY_A, "defer");
  assert_key (".", KEY_A, "defer");
  assert_key ("alice/../alice", KEY_A, "defer");
  assert_password ("alice", "x", "defer");
  end ();
}
END_TEST

START_TEST (keys_of_a_file_that_others_may_write_do_not_count)
{
  g_autofree char *path = NULL;

  begin ("authenticators:\n  people: { type: key }\n");
  write_key_file ("carol", KEY_A "\n", 0644);
  assert_key ("carol", KEY_A, "allow carol []");
  path = g_build_filename (loop, "keys.d", "carol", NULL);
  g_chmod (path, 0666);
  assert_key ("carol", KEY_A, "defer");
  end ();
}
END_TEST

START_TEST (keys_of_one_person)
{
  begin ("authenticators:\n  people: { type: key, path: keys.d/mine, person: alice }\n");
  write_key_file ("mine", KEY_A "\n", 0600);
  assert_key ("alice", KEY_A, "allow alice []");
  assert_key ("bob", KEY_A, "defer");
  again ("authenticators:\n  people: { type: key, path: keys.d/mine }\n");
  ck_assert (!far_instance_is_running (far_instances_by_path ("authenticators.people")));
  end ();
}
END_TEST

/* ---- one name in several places: whoever lets a person in says the groups, alone ---- */

#define KEY_C "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"

static const struct {
  const char *order; /* in which the interface asks */
  FarLoginForm form;
  const char *name, *shown, *wanted; /* shown: password or key */
} who_gives[] = {
  { "people others keys", FAR_LOGIN_PASSWORD, "alice", "pw-people", "ops" },
  { "people others keys", FAR_LOGIN_PASSWORD, "alice", "pw-others",
    NULL }, /* the first that keeps a password of hers decides */
  { "people others keys", FAR_LOGIN_KEY, "alice", KEY_A, "ops" },
  { "people others keys", FAR_LOGIN_KEY, "alice", KEY_B, "admins" },
  { "people others keys", FAR_LOGIN_KEY, "alice", KEY_C, "keyed" },
  { "people others keys", FAR_LOGIN_PASSWORD, "bob", "pw-others",
    "admins" }, /* the first keeps only a key of his */
  { "people others keys", FAR_LOGIN_KEY, "bob", KEY_A, "readers" },
  { "people others keys", FAR_LOGIN_KEY, "bob", KEY_C, NULL },
  { "others people keys", FAR_LOGIN_PASSWORD, "alice", "pw-others", "admins" },
  { "others people keys", FAR_LOGIN_PASSWORD, "alice", "pw-people", NULL },
  { "keys others people", FAR_LOGIN_KEY, "alice", KEY_A, "ops" },
  { "people", FAR_LOGIN_KEY, "alice", KEY_B,
    NULL }, /* an interface that does not ask the others knows nothing of them */
  { "people others keys tokens", FAR_LOGIN_TOKEN, "alice", NULL,
    "" }, /* stands for its claim, not for the groups of its name */
};

static void
put_at (const char *authenticator, const char *name, const char *secret, const char *group, const char *key)
{
  const char *const groups[] = { group, NULL };
  gpointer self;
  const FarAuthenticatorOps *ops = ops_of (authenticator, &self);
  Wait *wait = wait_new ();

  ops->put (self, name, secret, groups, key, wait->req);
  wait_result (wait, NULL);
}

static char *
issue (const char *name, const char *claim, const char *key, gint64 seconds)
{
  Wait *wait = wait_new ();

  far_token_issue ("tokens", name, claim, key, far_clock_wall_us () + seconds * G_USEC_PER_SEC, wait->req);
  return wait_result (wait, NULL);
}

/* Groups with commas; NULL: refused. */
static char *
login_groups (const char *order, FarLogin *login)
{
  g_auto (GStrv) names = g_strsplit (order, " ", -1);
  g_autoptr (GError) error = NULL;
  g_autoptr (FarPrincipal) principal = NULL;
  Wait *wait = wait_new ();

  far_login ((const char *const *) names, login, wait->req);
  principal = wait_result (wait, &error);
  if (principal == NULL)
    return NULL;
  ck_assert (principal->kind == FAR_PRINCIPAL_PERSON || principal->groups == NULL);
  return principal->groups != NULL ? g_strjoinv (",", principal->groups) : g_strdup ("");
}

START_TEST (groups_are_of_who_lets_in)
{
  gboolean key = who_gives[_i].form == FAR_LOGIN_KEY;
  g_autofree char *token = NULL, *groups = NULL;
  const char *shown = who_gives[_i].shown;

  begin ("stores:\n  main: { type: sqlite }\nauthenticators:\n  people: { type: file }\n  others: { type: "
         "file, path: others.yaml }\n"
         "  keys: { type: key, groups: [keyed] }\n  tokens: { type: token, store: main }\n");
  put_at ("people", "alice", "pw-people", "ops", KEY_A);
  put_at ("people", "bob", NULL, "readers", KEY_A);
  put_at ("others", "alice", "pw-others", "admins", KEY_B);
  put_at ("others", "bob", "pw-others", "admins", NULL);
  write_key_file ("alice", KEY_C "\n", 0600);
  if (shown == NULL)
    shown = token = issue ("alice", "session/s1", NULL, 600);
  groups = login_groups (who_gives[_i].order, login_of (who_gives[_i].form, who_gives[_i].name,
                                                        key ? NULL : shown, key ? shown : NULL));
  ck_assert_msg (g_strcmp0 (groups, who_gives[_i].wanted) == 0, "row %d: %s", _i,
                 groups != NULL ? groups : "refused");
  end ();
}
END_TEST

/* ---- token ---- */

static const char *const token_bodies[] = {
  "stores:\n  main: { type: sqlite }\nauthenticators:\n  tokens: { type: token, store: main }\n",
  "stores:\n  main: { type: file }\nauthenticators:\n  tokens: { type: token, store: main }\n",
};

#define assert_token(name, secret, key, wanted)                                                              \
  assert_check ("tokens", FAR_LOGIN_TOKEN, name, secret, key, wanted)

static guint
count_tokens (void)
{
  Wait *wait = wait_new ();
  g_autoptr (GPtrArray) rows = NULL;

  far_store_rows ("main", "tokens", NULL, NULL, 1000, FALSE, wait->req);
  rows = wait_result (wait, NULL);
  return rows->len;
}

START_TEST (a_token_works_once_for_its_bearer)
{
  char *plain, *bound, *other;

  begin (token_bodies[_i]);
  plain = issue ("term-1", "session/abc", NULL, 60);
  bound = issue ("term-1", "session/def", KEY_A, 60);
  other = issue ("term-2", "session/ghi", NULL, 60);
  ck_assert_str_ne (plain, other);
  assert_token ("term-1", other, NULL, "deny");
  assert_token ("term-1", bound, NULL, "deny");
  assert_token ("term-1", bound, KEY_B, "deny");
  assert_token ("term-1", bound, KEY_A, "allow term-1 [] session/def"); /* refusals do not spend it */
  assert_token ("term-1", bound, KEY_A, "deny");
  assert_token ("term-1", "0123456789012345678901234567890123456789", NULL, "defer");
  assert_token ("term-1", "short", NULL, "defer");
  assert_token ("term-1", plain, NULL, "allow term-1 [] session/abc");
  again (token_bodies[_i]);
  assert_token ("term-1", plain, NULL, "deny");
  assert_token ("term-2", other, NULL, "allow term-2 [] session/ghi");
  far_secret_free (plain);
  far_secret_free (bound);
  far_secret_free (other);
  end ();
}
END_TEST

START_TEST (a_token_ends_by_time_and_is_cleared_away)
{
  char *token, *kept;

  begin (token_bodies[_i]);
  token = issue ("term-1", "session/abc", NULL, 60);
  kept = issue ("term-1", "session/def", NULL, 100000);
  ck_assert_uint_eq (count_tokens (), 2);
  ck_assert (far_clock_advance (61 * G_USEC_PER_SEC));
  assert_token ("term-1", token, NULL, "deny");
  ck_assert (far_clock_advance (600 * G_USEC_PER_SEC));
  while (count_tokens () > 1)
    node_for_ms (1);
  assert_token ("term-1", token, NULL, "defer");
  assert_token ("term-1", kept, NULL, "allow term-1 [] session/def");
  far_secret_free (token);
  far_secret_free (kept);
  end ();
}
END_TEST

START_TEST (a_claim_can_be_withdrawn)
{
  char *one, *two, *three;

  begin (token_bodies[_i]);
  one = issue ("term-1", "session/abc", NULL, 60);
  two = issue ("term-1", "session/abc", NULL, 60);
  three = issue ("term-1", "session/def", NULL, 60);
  far_token_withdraw ("tokens", "session/abc");
  while (count_tokens () > 1)
    node_for_ms (1);
  assert_token ("term-1", one, NULL, "defer");
  assert_token ("term-1", two, NULL, "defer");
  assert_token ("term-1", three, NULL, "allow term-1 [] session/def");
  far_secret_free (one);
  far_secret_free (two);
  far_secret_free (three);
  end ();
}
END_TEST

/* A token that somebody writes with rows of their own: good when these are durable, and never before. */
START_TEST (a_token_comes_with_other_rows)
{
  g_auto (FarTokenRow) made = { 0 }, other = { 0 };
  gint64 until_us = far_clock_wall_us () + 60 * G_USEC_PER_SEC;

  begin (token_bodies[_i]);
  ck_assert (far_token_prepare ("tokens", "main", "term-1", "session/abc", KEY_A, until_us, &made));
  ck_assert (!far_token_prepare ("tokens", "elsewhere", "term-1", "session/abc", KEY_A, until_us, &other));
  ck_assert_ptr_null (other.token);
  ck_assert_ptr_null (strstr (made.row, made.token));
  assert_token ("term-1", made.token, KEY_A, "defer");
  {
    FarPart parts[] = { { .kind = FAR_PART_ROW, .table = "sessions", .key = "abc", .row = "{}" },
                        { .kind = FAR_PART_ROW, .table = made.table, .key = made.key, .row = made.row } };
    Wait *wait = wait_new ();

    far_store_apply ("main", NULL, parts, 2, wait->req);
    g_free (wait_result (wait, NULL));
  }
  assert_token ("term-1", made.token, NULL, "deny");
  assert_token ("term-1", made.token, KEY_A, "allow term-1 [] session/abc");
  assert_token ("term-1", made.token, KEY_A, "deny");
  end ();
}
END_TEST

START_TEST (of_many_at_once_one_gets_in)
{
  Wait *waits[200];
  FarLogin *logins[200];
  gpointer self;
  const FarAuthenticatorOps *ops;
  char *token;
  guint won = 0;

  begin (token_bodies[_i]);
  token = issue ("term-1", "session/abc", NULL, 60);
  ops = ops_of ("tokens", &self);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++) {
    waits[i] = wait_new ();
    logins[i] = login_of (FAR_LOGIN_TOKEN, "term-1", token, NULL);
    ops->check (self, logins[i], waits[i]->req);
  }
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++) {
    g_autofree char *text = verdict_text (waits[i]);

    ck_assert (g_str_has_prefix (text, "allow") || g_str_equal (text, "deny"));
    won += g_str_has_prefix (text, "allow");
    far_login_free (logins[i]);
  }
  ck_assert_uint_eq (won, 1);
  far_secret_free (token);
  end ();
}
END_TEST

START_TEST (no_token_is_kept_in_the_clear)
{
  char *token;
  Wait *wait;
  g_autoptr (GPtrArray) rows = NULL;

  begin (token_bodies[_i]);
  token = issue ("term-1", "session/abc", NULL, 60);
  wait = wait_new ();
  far_store_rows ("main", "tokens", NULL, NULL, 10, FALSE, wait->req);
  rows = wait_result (wait, NULL);
  ck_assert_uint_eq (rows->len, 1);
  ck_assert_ptr_null (strstr (((FarRow *) rows->pdata[0])->row, token));
  ck_assert_ptr_null (strstr (((FarRow *) rows->pdata[0])->key, token));
  far_secret_free (token);
  end ();
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("authenticators");
  TCase *tcase = tcase_create ("authenticators");
  SRunner *runner;
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  runner = srunner_create (suite);
  tcase_set_timeout (tcase, 120);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  tcase_add_test (tcase, people_are_put_checked_and_removed);
  tcase_add_test (tcase, bad_people_are_refused);
  tcase_add_test (tcase, edits_are_taken_up_without_a_restart);
  tcase_add_loop_test (tcase, a_bad_file_stops_the_instance_and_names_the_line, 0, G_N_ELEMENTS (bad_files));
  tcase_add_test (tcase, a_queue_of_passwords_has_an_end);
  tcase_add_test (tcase, an_unknown_name_costs_the_same_time);
  tcase_add_loop_test (tcase, lines_of_authorized_keys, 0, G_N_ELEMENTS (key_lines));
  tcase_add_test (tcase, keys_of_a_directory);
  tcase_add_test (tcase, keys_of_a_file_that_others_may_write_do_not_count);
  tcase_add_test (tcase, keys_of_one_person);
  tcase_add_loop_test (tcase, groups_are_of_who_lets_in, 0, G_N_ELEMENTS (who_gives));
  tcase_add_loop_test (tcase, a_token_works_once_for_its_bearer, 0, 2);
  tcase_add_loop_test (tcase, a_token_ends_by_time_and_is_cleared_away, 0, 2);
  tcase_add_loop_test (tcase, a_claim_can_be_withdrawn, 0, 2);
  tcase_add_loop_test (tcase, a_token_comes_with_other_rows, 0, 2);
  tcase_add_loop_test (tcase, of_many_at_once_one_gets_in, 0, 2);
  tcase_add_loop_test (tcase, no_token_is_kept_in_the_clear, 0, 2);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
