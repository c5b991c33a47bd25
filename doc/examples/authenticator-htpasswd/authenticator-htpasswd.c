/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An authenticator: people in a table of lines NAME:HASH or NAME:HASH:GROUP,GROUP, as htpasswd, mkpasswd and
 * `openssl passwd` make the hashes (crypt(5)). The table is read at each login, so an edit counts at once. */
#define FAR_PLUGIN_LICENSE "LGPL-2.1-or-later"
#include <farwatch/plugin.h>

#include <crypt.h>
#include <string.h>
#include <sys/stat.h>

#define LANE "authenticator-htpasswd" /* one thread: one hash at a time */
#define WAITING_MAX 16

typedef struct {
  char *path;
} HtOptions;

typedef struct {
  FarInstance *at;
} Ht;

typedef struct {
  char *path, *name, *secret;
} Check;

static void
check_free (gpointer data)
{
  Check *check = data;

  far_secret_free (check->secret);
  g_free (check->path);
  g_free (check->name);
  g_free (check);
}

/* The fields of the person's line. Of somebody who is not there: NULL, and *other is the hash of any other
 * person. */
static GStrv
table_find (const char *text, const char *name, char **other)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) fields = g_strsplit (g_strchomp (lines[i]), ":", 3);

    if (lines[i][0] == '#' || g_strv_length (fields) < 2)
      continue;
    if (g_str_equal (fields[0], name))
      return g_steal_pointer (&fields);
    g_free (*other);
    *other = g_strdup (fields[1]);
  }
  return NULL;
}

/* How long it takes tells nothing of how many characters are right. */
static gboolean
same_text (const char *a, const char *b)
{
  gsize size = strlen (a);
  guint8 differs = size != strlen (b);

  for (gsize i = 0; i < size && i < strlen (b); i++)
    differs |= (guint8) (a[i] ^ b[i]);
  return differs == 0;
}

static gboolean
hash_is_of (const char *hash, const char *secret)
{
  struct crypt_data *scratch = g_new0 (struct crypt_data, 1);
  const char *made = crypt_rn (secret, hash, scratch, sizeof *scratch);
  gboolean is = made != NULL && made[0] != '*' && same_text (made, hash);

  explicit_bzero (scratch, sizeof *scratch);
  g_free (scratch);
  return is;
}

/* A name that is not ours is left to the next authenticator, after the time that a wrong password takes. */
static FarVerdict *
table_judge (const char *text, const Check *check)
{
  g_autofree char *other = NULL;
  g_auto (GStrv) fields = table_find (text, check->name, &other);
  const char *hash = fields != NULL ? fields[1] : other != NULL ? other : "$6$nobody$";
  gboolean right = hash_is_of (hash, check->secret);
  FarVerdict *verdict;

  if (fields == NULL)
    return far_verdict_new (FAR_VERDICT_DEFER, NULL);
  if (!right)
    return far_verdict_new (FAR_VERDICT_DENY, NULL);
  verdict = far_verdict_new (FAR_VERDICT_ALLOW, check->name);
  verdict->groups = fields[2] != NULL ? g_strsplit (fields[2], ",", -1) : NULL;
  return verdict;
}

/* [executor] */
static void
check_work (FarRequest *req, gpointer data)
{
  const Check *check = data;
  char *text = NULL;
  GError *error = NULL;
  struct stat at;

  if (stat (check->path, &at) == 0 && (at.st_mode & 077) != 0)
    far_request_fail_new (req, FAR_ERROR_CONFIG,
                          _ ("%s: others may read the hashes of passwords in it: chmod 600 it"), check->path);
  else if (!g_file_get_contents (check->path, &text, NULL, &error))
    far_request_fail (req, error);
  else
    far_request_done (req, table_judge (text, check), (GDestroyNotify) far_verdict_free);
  far_secret_free (text);
}

static void
ht_check (gpointer data, const FarLogin *login, FarRequest *req)
{
  const HtOptions *options = far_instance_options (((Ht *) data)->at);
  Check *check;

  if (login->form != FAR_LOGIN_PASSWORD || login->secret == NULL) {
    far_request_done (req, far_verdict_new (FAR_VERDICT_DEFER, NULL), (GDestroyNotify) far_verdict_free);
    return;
  }
  check = g_new0 (Check, 1);
  check->path = g_strdup (options->path);
  check->name = g_strdup (login->name);
  check->secret = g_strdup (login->secret);
  far_run_blocking (LANE, WAITING_MAX, check_work, check, check_free, req);
}

static gboolean
ht_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((Ht *) data)->at = at;
  return TRUE;
}

static gboolean
ht_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  far_instance_ready (((Ht *) data)->at);
  return TRUE;
}

static const FarOption ht_options[] = {
  { .name = "path",
    .type = FAR_OPT_PATH,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (HtOptions, path),
    .fallback = "people.htpasswd",
    .summary = N_ ("table of people, mode 0600: NAME:HASH or NAME:HASH:GROUP,GROUP") },
  { .type = FAR_OPT_END },
};

/* put, remove, list, issue, withdraw: not here, so farctl user add says that this authenticator cannot. */
static const FarAuthenticatorOps ht_ops = { .check = ht_check };

static const FarAuthenticatorType ht_type = {
  .type = { .kind = FAR_KIND_AUTHENTICATOR,
            .name = "htpasswd",
            .summary = N_ ("people in a table of names and hashes"),
            .instance_size = sizeof (Ht),
            .options_size = sizeof (HtOptions),
            .options = ht_options,
            .init = ht_init,
            .start = ht_start },
  .ops = &ht_ops,
};

FAR_PLUGIN ("authenticator-htpasswd", "0.1", "authenticator/htpasswd", "libcrypt.so.1", &ht_type.type)
