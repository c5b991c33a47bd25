/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fleet's authority and how nodes join it. Works on the files below node.state; the daemon need not run.
 */
#include "config.h"

#include "ctl.h"
#include "enroll-place.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/instance.h>
#include <farwatch/option.h>
#include <farwatch/trust.h>

#include "ctl-support/shared.h"

#define SERVER_DAYS 825
#define RETRY_MS 5000

/* ---- the node's files ---- */

typedef struct {
  char *node, *state, *keys, *ca;
  /* The node's keys so far, which those in `keys` replace when a certificate is there for them; NULL: none.
   */
  char *old_keys;
  CtlOwner owner; /* of the state folder, who does what is done in it */
} EnrollNode;

static void
enroll_node_clear (EnrollNode *at)
{
  g_free (at->node);
  g_free (at->state);
  g_free (at->keys);
  g_free (at->ca);
  g_free (at->old_keys);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EnrollNode, enroll_node_clear)

/* FALSE: ctl->status is the exit code. */
static gboolean
enroll_profile (Ctl *ctl, const char *path, EnrollNode *to)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = far_profile_load (path, NULL, faults);
  g_autofree char *text = far_faults_text (faults);

  if (profile == NULL) {
    fputs (text, stderr);
    ctl->status = CTL_PROFILE;
    return FALSE;
  }
  to->node = g_strdup (profile->node->id);
  to->state = g_strdup (profile->node->state);
  to->keys = g_build_filename (to->state, "keys", NULL);
  to->ca = g_build_filename (to->state, "ca", NULL);
  return TRUE;
}

static gboolean
enroll_enter (EnrollNode *at, GError **error)
{
  if (!ctl_enter (at->state, 0750, &at->owner, error))
    return FALSE;
  if (g_mkdir_with_parents (at->keys, 0700) == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("%s cannot be made: %s"), at->keys, g_strerror (errno));
  return FALSE;
}

static gboolean
enroll_write (const EnrollNode *at, const char *file, const char *text, GError **error)
{
  g_autofree char *path = far_trust_path (at->keys, file);

  return g_file_set_contents_full (path, text, -1,
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644, error);
}

/* ---- ca init ---- */

static gboolean
ca_create (const char *dir, const char *fleet, GError **error)
{
  g_autofree char *crt = g_build_filename (dir, "ca.crt", NULL);

  if (g_file_test (crt, G_FILE_TEST_EXISTS)) {
    ctl_say (_ ("the authority in %s is there already: kept"), dir);
    return TRUE;
  }
  if (g_mkdir_with_parents (dir, 0700) != 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("%s cannot be made: %s"), dir, g_strerror (errno));
    return FALSE;
  }
  return far_trust_ca_create (dir, fleet, error);
}

static gboolean
ca_own_certificate (const EnrollNode *at, char **names, GError **error)
{
  g_autofree char *csr = NULL, *certificate = NULL, *ca_path = g_build_filename (at->ca, "ca.crt", NULL),
                  *ca = NULL;

  if (!far_trust_keys_create (at->keys, error))
    return FALSE;
  csr = far_trust_csr (at->keys, at->node, error);
  certificate = csr != NULL ? far_trust_sign (at->ca, csr, at->node, (const char *const *) names, TRUE,
                                              SERVER_DAYS, error)
                            : NULL;
  return certificate != NULL && g_file_get_contents (ca_path, &ca, NULL, error) &&
         enroll_write (at, "node.crt", certificate, error) && enroll_write (at, "ca.crt", ca, error);
}

/* What was made again, for which names, and whether these were told now. */
static void
ca_say (const EnrollNode *at, char **names, gboolean again, gboolean kept)
{
  g_autofree char *list = names != NULL && names[0] != NULL
                              ? g_strjoinv (", ", names)
                              : g_strdup (_ ("no name: say --name HOST, or nobody can reach it"));

  if (again && kept)
    ctl_say (_ ("the certificate of '%s' was made again with its names: %s (--name changes them)"), at->node,
             list);
  else if (again)
    ctl_say (_ ("the certificate of '%s' was made again, now for: %s"), at->node, list);
  else
    ctl_say (_ ("certificate of '%s' for: %s"), at->node, list);
}

static int
ca_done (Ctl *ctl, const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "ca.crt", NULL), *hash = far_trust_file_sha256 (path, NULL);

  return ctl_done (ctl, json_pack ("{s:s, s:s?}", "ca", path, "fleet", hash), _ ("authority %s (%s)"), path,
                   hash != NULL ? hash : "-");
}

/* Before anything is made. */
static gboolean
ca_names_ok (char **names, GError **error)
{
  for (; names != NULL && *names != NULL; names++)
    if (!far_trust_host_ok (*names, error)) {
      g_prefix_error (error, "--name: ");
      return FALSE;
    }
  return TRUE;
}

static int
ca_server (Ctl *ctl, EnrollNode *at, const char *fleet, GStrv *names)
{
  g_autofree char *before = enroll_place_certificate (at->keys);
  gboolean told = *names != NULL, good;
  GError *error = NULL;

  good = ca_names_ok (*names, &error) &&
         enroll_place_server (at->state, at->keys, at->ca, at->node, names, &error) &&
         enroll_enter (at, &error) && ca_create (at->ca, fleet, &error) &&
         ca_own_certificate (at, *names, &error);
  ctl_become_self ();
  if (!good)
    return ctl_fail (ctl, error);
  ca_say (at, *names, before != NULL, !told);
  return ca_done (ctl, at->ca);
}

static int
ca_alone (Ctl *ctl, const char *dir, const char *fleet)
{
  CtlOwner owner;
  GError *error = NULL;
  gboolean good = ctl_enter (dir, 0700, &owner, &error) && ca_create (dir, fleet, &error);

  ctl_become_self ();
  return good ? ca_done (ctl, dir) : ctl_fail (ctl, error);
}

int
ctl_ca_init (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *profile = NULL, *dir = NULL, *fleet = NULL;
  g_auto (GStrv) names = NULL;
  g_auto (EnrollNode) at = { 0 };
  const GOptionEntry entries[] = {
    { "profile", 0, 0, G_OPTION_ARG_FILENAME, &profile,
      N_ ("the cloud server's profile: authority in STATE/ca, certificate in STATE/keys"), N_ ("FILE") },
    { "dir", 0, 0, G_OPTION_ARG_FILENAME, &dir,
      N_ ("only an authority, in this folder: for an admin's own machine"), N_ ("DIR") },
    { "name", 0, 0, G_OPTION_ARG_STRING_ARRAY, &names, N_ ("DNS name or address others reach this node by"),
      N_ ("HOST") },
    { "fleet", 0, 0, G_OPTION_ARG_STRING, &fleet, N_ ("name of the fleet"), N_ ("NAME") },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 0))
    return ctl->status;
  if ((profile == NULL) == (dir == NULL))
    return ctl_usage (ctl, "%s", _ ("say --profile FILE or --dir DIR"));
  if (dir != NULL)
    return ca_alone (ctl, dir, fleet != NULL ? fleet : "farwatch");
  if (!enroll_profile (ctl, profile, &at))
    return ctl->status;
  return ca_server (ctl, &at, fleet != NULL ? fleet : at.node, &names);
}

/* ---- enroll ---- */

/* id.HASH.secret: the hash is of the fleet's root, so that the token also says whom to trust. */
static char *
enroll_fleet (const char *token, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (token, ".", 4);

  if (g_strv_length (parts) == 3 && strlen (parts[1]) == 64)
    return g_strconcat ("sha256:", parts[1], NULL);
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                       _ ("this is no join token: `farctl terminal add TERMINAL` or `farctl enroll token` at "
                          "the cloud prints one"));
  return NULL;
}

static json_t *
enroll_request (const EnrollNode *at, const char *token, GError **error)
{
  g_autofree char *csr = NULL, *box = NULL, *ssh = NULL;

  if (!far_trust_keys_create (at->keys, error) || (csr = far_trust_csr (at->keys, at->node, error)) == NULL ||
      (box = far_trust_box_public (at->keys, error)) == NULL ||
      (ssh = far_trust_ssh_public (at->keys, error)) == NULL)
    return NULL;
  return json_pack ("{s:s, s:s, s:s, s:s, s:s}", "node", at->node, "token", token, "csr", csr, "box", box,
                    "ssh", ssh);
}

static json_t *
enroll_body (EnrollNode *at, const char *token, GError **error)
{
  json_t *body = enroll_enter (at, error) ? enroll_request (at, token, error) : NULL;

  ctl_become_self ();
  return body;
}

/* What came must be the fleet of the token, and for our key and name. */
static gboolean
enroll_check (const EnrollNode *at, const char *fleet, const char *certificate, GError **error)
{
  g_autofree char *ca = far_trust_path (at->keys, "ca.crt.new"), *hash = far_trust_file_sha256 (ca, error),
                  *node = NULL, *csr = NULL, *mine = NULL, *theirs = NULL;

  if (hash == NULL)
    return FALSE;
  if (strcmp (hash, fleet) != 0) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_DENIED,
                         _ ("the server showed another fleet's authority than the join token names"));
    return FALSE;
  }
  far_clock_own_certificate (certificate, ca);
  if (!far_trust_check (certificate, ca, FAR_PURPOSE_NODE_CLIENT, NULL, NULL, &node, error))
    return FALSE;
  csr = far_trust_csr (at->keys, at->node, error);
  mine = csr != NULL ? far_trust_key_hash (csr, error) : NULL;
  theirs = mine != NULL ? far_trust_key_hash (certificate, error) : NULL;
  if (theirs == NULL)
    return FALSE;
  if (strcmp (mine, theirs) == 0 && g_strcmp0 (node, at->node) == 0)
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_DENIED,
                       _ ("the certificate that came is for another node or key"));
  return FALSE;
}

static gboolean
enroll_take (const EnrollNode *at, const char *fleet, json_t *answer, GError **error)
{
  const char *certificate = json_string_value (json_object_get (answer, "certificate")),
             *ca = json_string_value (json_object_get (answer, "ca"));
  json_t *statement = json_object_get (answer, "statement");
  g_autofree char *fresh = far_trust_path (at->keys, "ca.crt.new"),
                  *kept = far_trust_path (at->keys, "ca.crt");
  gboolean good;

  if (certificate == NULL || ca == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_PROTOCOL,
                         _ ("the server's answer holds no certificate"));
    return FALSE;
  }
  good = enroll_write (at, "ca.crt.new", ca, error) && enroll_check (at, fleet, certificate, error) &&
         enroll_place_takes (at->keys, certificate, error) &&
         enroll_write (at, "node.crt", certificate, error);
  if (good && json_is_object (statement)) {
    char *text = json_dumps (statement, JSON_COMPACT | JSON_SORT_KEYS);

    good = enroll_write (at, "statement.json", text, error);
    free (text);
  }
  if (good && g_rename (fresh, kept) == 0)
    return TRUE;
  if (good)
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("%s cannot be written: %s"), kept,
                 g_strerror (errno));
  g_unlink (fresh);
  return FALSE;
}

/* The keys so far are good until the new ones have all they need. */
static gboolean
enroll_swap (const EnrollNode *at, GError **error)
{
  g_autofree char *aside = NULL;

  if (at->old_keys == NULL)
    return TRUE;
  if (!enroll_place_swap (at->keys, at->old_keys, &aside, error))
    return FALSE;
  ctl_say (_ ("the keys so far are in %s now"), aside);
  return TRUE;
}

static gboolean
enroll_taken (const EnrollNode *at, const char *fleet, json_t *answer, GError **error)
{
  gboolean good = ctl_become (at->owner.uid, at->owner.gid, error) &&
                  enroll_take (at, fleet, answer, error) && enroll_swap (at, error);

  ctl_become_self ();
  return good;
}

static int
enroll_done (Ctl *ctl, const EnrollNode *at)
{
  return ctl_done (ctl,
                   json_pack ("{s:s, s:s}", "node", at->node, "keys",
                              at->old_keys != NULL ? at->old_keys : at->keys),
                   _ ("%s has joined the fleet; start farwatchd"), at->node);
}

/* One try. NULL: error, or *pending has the number that waits for approval. */
static json_t *
enroll_ask (Ctl *ctl, const char *fleet, json_t *body, char **pending, GError **error)
{
  g_autofree char *hostport = ctl_server_hostport (ctl->server, error), *url = NULL;
  g_autoptr (FarMessage) answer = NULL;
  json_t *result;

  if (hostport == NULL)
    return NULL;
  url = g_strconcat ("wss://", hostport, "/link", NULL);
  ctl_close (ctl);
  ctl->fd = ctl_dial_url ("websocket", url, ctl->ca != NULL ? ctl->ca : fleet, error);
  answer = ctl->fd >= 0 ? ctl_ask (ctl, "POST", "enroll", json_deep_copy (body), error) : NULL;
  if (answer == NULL || !far_message_check (answer, error))
    return NULL;
  result = far_message_json (answer, error);
  if (result != NULL && answer->status == 202) {
    const char *number = json_string_value (json_object_get (result, "pending"));

    if (ctl_name_ok (number != NULL ? number : "",
                     NULL)) /* it becomes a word of a command that a person copies */
      *pending = g_strdup (number);
    else
      g_set_error_literal (error, FAR_ERROR, FAR_ERROR_PROTOCOL,
                           _ ("the cloud named no usable enrolment: is it the right one?"));
    json_decref (result);
    return NULL;
  }
  return result;
}

/* What a person compares on both sides: a hash of the node's name and of the three public keys that the fleet
 * will believe to be its own. Each side reckons it from the keys themselves, as the cloud that carries them
 * may be the one that lies. */
static char *
enroll_keys_hash (const char *node, json_t *keys, GError **error)
{
  const char *csr = json_string_value (json_object_get (keys, "csr")),
             *box = json_string_value (json_object_get (keys, "box")),
             *ssh = json_string_value (json_object_get (keys, "ssh"));
  g_autofree char *spki = far_trust_key_hash (csr != NULL ? csr : "", error), *text = NULL, *hash = NULL;

  if (spki == NULL)
    return NULL;
  text = g_strjoin ("\n", node, spki, box != NULL ? box : "", ssh != NULL ? ssh : "", NULL);
  hash = far_sha256_text (text);
  return g_strconcat ("sha256:", hash, NULL);
}

static void
enroll_say_pending (const char *pending, const char *keys)
{
  ctl_say (_ ("enrolment %s waits for approval, with keys %s: `farctl --server HOST:PORT enroll approve %s "
              "--dir CA --keys %s` on the admin's machine"),
           pending, keys, pending, keys);
}

static int
enroll_run (Ctl *ctl, const EnrollNode *at, const char *fleet, json_t *body, gint64 wait_us)
{
  gint64 until = far_clock_boottime_us () + wait_us;
  /* Its own request: it is one. */
  g_autofree char *keys = enroll_keys_hash (at->node, body, NULL), *said = NULL;

  while (TRUE) {
    g_autofree char *pending = NULL;
    GError *error = NULL;
    json_t *answer = enroll_ask (ctl, fleet, body, &pending, &error);

    if (answer != NULL) {
      gboolean good = enroll_taken (at, fleet, answer, &error);

      json_decref (answer);
      return good ? enroll_done (ctl, at) : ctl_fail (ctl, error);
    }
    if (error != NULL)
      return ctl_fail (ctl, error);
    if (g_strcmp0 (said, pending) != 0)
      enroll_say_pending (pending, keys);
    g_free (said);
    said = g_strdup (pending);
    if (far_clock_boottime_us () >= until)
      return ctl_done (ctl, json_pack ("{s:s, s:s?}", "pending", pending, "keys", keys), "%s",
                       _ ("run this again with the same token once it is approved"));
    g_poll (NULL, 0, RETRY_MS);
  }
}

/* Keys that are a node's are good until others have a certificate: these are made beside them, and stay there
 * while an approval is awaited. */
static void
enroll_beside (EnrollNode *at)
{
  g_autofree char *certificate = enroll_place_certificate (at->keys);

  if (certificate == NULL)
    return;
  at->old_keys = at->keys;
  at->keys = g_strconcat (at->old_keys, ".new", NULL);
  if (g_file_test (at->keys, G_FILE_TEST_EXISTS))
    ctl_say (_ ("the new keys of an earlier try are used: %s; remove it to begin with others"), at->keys);
}

int
ctl_enroll (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *profile = NULL, *wait_text = NULL, *fleet = NULL;
  gboolean new_keys = FALSE;
  g_auto (EnrollNode) at = { 0 };
  const GOptionEntry entries[] = {
    { "profile", 0, 0, G_OPTION_ARG_FILENAME, &profile, N_ ("this node's profile"), N_ ("FILE") },
    { "wait", 0, 0, G_OPTION_ARG_STRING, &wait_text, N_ ("wait so long for an approval"), N_ ("TIME") },
    { "new-keys", 0, 0, G_OPTION_ARG_NONE, &new_keys,
      N_ ("make new keys; those so far are put aside once the cloud has taken the new ones"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GError *error = NULL;
  gint64 wait_us = 0;
  json_t *body;
  char *token;
  int status;

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 0))
    return ctl->status;
  if (profile == NULL || ctl->server == NULL)
    return ctl_usage (ctl, "%s",
                      _ ("say --profile FILE and --server HOST:PORT (the cloud's listener for nodes)"));
  if (wait_text != NULL && !far_parse_duration (wait_text, &wait_us, &error))
    return ctl_fail (ctl, error);
  if (!enroll_profile (ctl, profile, &at))
    return ctl->status;
  if (!enroll_place_check (at.state, at.keys, at.node, new_keys, &error))
    return ctl_fail (ctl, error);
  token = ctl_secret (!isatty (STDIN_FILENO), _ ("join token"), FALSE, &error);
  fleet = token != NULL ? enroll_fleet (token, &error) : NULL;
  if (fleet != NULL && new_keys)
    enroll_beside (&at);
  body = fleet != NULL ? enroll_body (&at, token, &error) : NULL;
  far_secret_free (token);
  if (body == NULL)
    return ctl_fail (ctl, error);
  status = enroll_run (ctl, &at, fleet, body, wait_us);
  json_decref (body);
  return status;
}

/* ---- at the cloud ---- */

int
ctl_enroll_token (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *for_text = NULL, *token = NULL;
  gboolean replace = FALSE;
  const GOptionEntry entries[] = {
    { "for", 0, 0, G_OPTION_ARG_STRING, &for_text, N_ ("how long it is good"), N_ ("TIME") },
    { "replace", 0, 0, G_OPTION_ARG_NONE, &replace,
      N_ ("it lets another node take the place of the one that has this name"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GError *error = NULL;
  json_t *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 1))
    return ctl->status;
  answer = ctl_call (ctl, "POST", "tokens",
                     json_pack ("{s:s*, s:s*, s:b}", "node", argc > 1 ? argv[1] : NULL, "for", for_text,
                                "replace", replace),
                     &error);
  if (answer == NULL)
    return ctl_fail (ctl, error);
  token = g_strdup (json_string_value (json_object_get (answer, "token")));
  return ctl_done (ctl, answer, "%s", token != NULL ? token : "-");
}

static void
list_add_keys (json_t *list)
{
  json_t *row;
  size_t i;

  json_array_foreach (list, i, row) {
    g_autofree char *hash = enroll_keys_hash (json_string_value (json_object_get (row, "terminal")), row,
                                              NULL);

    json_object_set_new (row, "keys", json_string (hash != NULL ? hash : "?"));
  }
}

int
ctl_enroll_list (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn columns[] = {
    { N_ ("NUMBER"), "number", CTL_TEXT }, { N_ ("NODE"), "terminal", CTL_TEXT },
    { N_ ("FROM"), "from", CTL_TEXT },     { N_ ("ASKED"), "asked", CTL_TIME },
    { N_ ("KEYS"), "keys", CTL_TEXT },     { NULL, NULL, 0 }
  };
  GError *error = NULL;
  json_t *list;

  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  list = ctl_list (ctl, "enrollments", "enrollments", "", 0, &error);
  if (list == NULL)
    return ctl_fail (ctl, error);
  list_add_keys (json_object_get (list, "enrollments"));
  if (ctl->json)
    ctl_json (list);
  else
    ctl_table (json_object_get (list, "enrollments"), columns, _ ("nobody waits"));
  json_decref (list);
  return CTL_OK;
}

static json_t *
approve_find (json_t *answer, const char *number)
{
  json_t *list = json_object_get (answer, "enrollments");

  for (gsize i = 0; i < json_array_size (list); i++)
    if (g_strcmp0 (json_string_value (json_object_get (json_array_get (list, i), "number")), number) == 0)
      return json_array_get (list, i);
  return NULL;
}

/* Are these the keys that the node said? wanted NULL: not asked. */
static gboolean
approve_keys_are (json_t *pending, const char *wanted, GError **error)
{
  const char *node = json_string_value (json_object_get (pending, "terminal"));
  g_autofree char *hash = wanted != NULL ? enroll_keys_hash (node, pending, error) : NULL;

  if (wanted == NULL || (hash != NULL && g_strcmp0 (hash, wanted) == 0))
    return TRUE;
  if (hash != NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
                 _ ("what waits for '%s' has keys %s, not those of --keys: do not sign it before it is clear "
                    "whose it is"),
                 node, hash);
  return FALSE;
}

/* Signed here: the cloud only carries it. */
static json_t *
approve_sign (const char *dir, json_t *pending, char **names, int days, GError **error)
{
  const char *node = json_string_value (json_object_get (pending, "terminal")),
             *csr = json_string_value (json_object_get (pending, "csr"));
  g_autofree char *certificate = NULL, *spki = NULL, *issued = far_clock_format (far_clock_wall_us ());
  json_t *statement;

  if (node == NULL || csr == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("the cloud's answer holds no request"));
    return NULL;
  }
  certificate = far_trust_sign (dir, csr, node, (const char *const *) names, names != NULL, (guint) days,
                                error);
  spki = certificate != NULL ? far_trust_key_hash (csr, error) : NULL;
  if (spki == NULL)
    return NULL;
  statement = json_pack ("{s:s, s:O?, s:O?, s:s, s:s, s:s}", "node", node, "box",
                         json_object_get (pending, "box"), "ssh", json_object_get (pending, "ssh"), "spki",
                         spki, "authority", "admin", "issued", issued);
  statement = far_statement_sign (dir, statement, error);
  return statement != NULL ? json_pack ("{s:s, s:o}", "certificate", certificate, "statement", statement)
                           : NULL;
}

int
ctl_enroll_approve (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *dir = NULL, *resource = NULL, *node = NULL, *keys = NULL;
  g_auto (GStrv) names = NULL;
  int days = 90;
  const GOptionEntry entries[] = {
    { "dir", 0, 0, G_OPTION_ARG_FILENAME, &dir, N_ ("folder of the authority's ca.key"), N_ ("CA") },
    { "days", 0, 0, G_OPTION_ARG_INT, &days, N_ ("how long the certificate is good (90)"), N_ ("N") },
    { "name", 0, 0, G_OPTION_ARG_STRING_ARRAY, &names, N_ ("a server: name or address it is reached by"),
      N_ ("HOST") },
    { "keys", 0, 0, G_OPTION_ARG_STRING, &keys,
      N_ ("sign only these: as the node itself says when it enrols"), N_ ("HASH") },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  GError *error = NULL;
  json_t *list, *pending, *body = NULL, *answer;

  if (!ctl_args (ctl, entries, &argc, &argv, 1, 1))
    return ctl->status;
  if (dir == NULL || days < 1 || days > 3650)
    return ctl_usage (ctl, "%s", _ ("--dir CA says where the authority's key is; --days is 1 to 3650"));
  list = ctl_list (ctl, "enrollments", "enrollments", "", 0, &error);
  if (list == NULL)
    return ctl_fail (ctl, error);
  pending = approve_find (list, argv[1]);
  if (pending == NULL)
    g_set_error (&error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("no enrolment '%s' waits; `farctl enroll list` shows all"), argv[1]);
  else if (approve_keys_are (pending, keys, &error))
    body = approve_sign (dir, pending, names, days, &error);
  node = g_strdup (json_string_value (json_object_get (pending, "terminal")));
  json_decref (list);
  if (body == NULL)
    return ctl_fail (ctl, error);
  resource = ctl_path (&error, "enrollments", argv[1], NULL);
  answer = ctl_call (ctl, "POST", resource, body, &error);
  return answer != NULL ? ctl_done (ctl, answer, _ ("%s is approved"), node) : ctl_fail (ctl, error);
}
