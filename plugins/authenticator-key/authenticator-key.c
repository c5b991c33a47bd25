/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Public keys in authorized_keys files. The interface has verified that the person holds the key; here it is
 * only looked up. Files are small, but they are read on the executor "keys": a loop directory may be far
 * away. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys.h"

#define FILE_SIZE_MAX (1024 * 1024)
#define WAITING_MAX 64

typedef struct {
  char *path;
  char *person;
  char **groups;
} KeyOptions;

typedef struct {
  FarInstance *at;
} Key;

typedef struct {
  char *path, *person, *name, *key, *from;
  GStrv groups;
} KeyJob;

static void
auth_key_job_free (gpointer data)
{
  KeyJob *job = data;

  g_free (job->path);
  g_free (job->person);
  g_free (job->name);
  g_free (job->key);
  g_free (job->from);
  g_strfreev (job->groups);
  g_free (job);
}

/* ---- the file ---- */

static gboolean
name_is_safe (const char *name)
{
  return g_ascii_isalnum (*name) &&
         strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == strlen (name);
}

/* Nobody but its owner (root or we) may be able to write the file: else anybody on the machine could let
 * himself in. */
static char *
read_file (const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat stat;
  char *text = NULL;
  gssize size;

  if (fd < 0)
    return NULL;
  if (fstat (fd, &stat) != 0 || !S_ISREG (stat.st_mode) || stat.st_size > FILE_SIZE_MAX)
    far_log_limited (NULL, path, "%s is no plain file, or larger than 1 MiB: not used", path);
  else if ((stat.st_mode & 022) != 0 || (stat.st_uid != 0 && stat.st_uid != geteuid ()))
    far_log_limited (NULL, path,
                     "%s may be written by others: not used; run: chmod go-w %s, and chown it to root or the "
                     "daemon's user",
                     path, path);
  else {
    text = g_malloc ((gsize) stat.st_size + 1);
    size = read (fd, text, (gsize) stat.st_size);
    text[MAX (size, 0)] = '\0';
  }
  close (fd);
  return text;
}

/* path: a directory with NAME or NAME/authorized_keys, or one person's file. */
static char *
keys_text (const KeyJob *job)
{
  g_autofree char *one = NULL, *below = NULL;
  char *text;

  if (job->person != NULL)
    return strcmp (job->person, job->name) == 0 ? read_file (job->path) : NULL;
  if (!name_is_safe (job->name))
    return NULL;
  one = g_build_filename (job->path, job->name, NULL);
  if (!g_file_test (one, G_FILE_TEST_IS_DIR))
    return read_file (one);
  below = g_build_filename (one, "authorized_keys", NULL);
  text = read_file (below);
  return text;
}

/* ---- check ---- */

static FarVerdict *
key_judge (const KeyJob *job)
{
  g_autofree char *text = keys_text (job);
  g_autofree char *option = NULL;
  gint64 until_us = 0;
  KeysAnswer answer = text == NULL
                          ? KEYS_NO
                          : keys_find (text, job->key, job->from, far_clock_wall_us (), &until_us, &option);
  FarVerdict *verdict;

  if (answer == KEYS_OPTION)
    far_log_limited (NULL, job->path,
                     "the key of %s has an option that is not carried out here, so it is not used: %s",
                     job->name, option);
  if (answer != KEYS_YES)
    return far_verdict_new (FAR_VERDICT_DEFER, NULL);
  verdict = far_verdict_new (FAR_VERDICT_ALLOW, job->name);
  verdict->groups = g_strdupv (job->groups);
  verdict->until_us = until_us;
  return verdict;
}

static void
auth_key_check_work (FarRequest *req, gpointer data)
{
  far_request_done (req, key_judge (data), (GDestroyNotify) far_verdict_free);
}

/* "type base64" of what the interface gave. */
static char *
plain_key (const char *key)
{
  g_auto (GStrv) parts = g_strsplit (key, " ", 3);

  return parts[0] != NULL && parts[1] != NULL && parts[1][0] != '\0'
             ? g_strconcat (parts[0], " ", parts[1], NULL)
             : NULL;
}

static void
key_check (gpointer data, const FarLogin *login, FarRequest *req)
{
  const KeyOptions *options = far_instance_options (((Key *) data)->at);
  char *plain = login->form == FAR_LOGIN_KEY && login->key != NULL ? plain_key (login->key) : NULL;
  KeyJob *job;

  if (plain == NULL) {
    far_request_done (req, far_verdict_new (FAR_VERDICT_DEFER, NULL), (GDestroyNotify) far_verdict_free);
    return;
  }
  job = g_new0 (KeyJob, 1);
  job->path = g_strdup (options->path);
  job->person = g_strdup (options->person);
  job->groups = g_strdupv (options->groups);
  job->name = g_strdup (login->name);
  job->from = g_strdup (login->from);
  job->key = plain;
  far_run_blocking ("keys", WAITING_MAX, auth_key_check_work, job, auth_key_job_free, req);
}

/* ---- life ---- */

static gboolean
key_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((Key *) data)->at = at;
  return TRUE;
}

static gboolean
key_start (gpointer data, GError **error)
{
  Key *self = data;
  const KeyOptions *options = far_instance_options (self->at);

  if (options->person == NULL && g_file_test (options->path, G_FILE_TEST_IS_REGULAR)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("path: %s is one file; say whose keys these are (person: NAME), or name a directory"),
                 options->path);
    return FALSE;
  }
  far_instance_ready (self->at);
  return TRUE;
}

static const FarOption key_options[] = {
  { .name = "path",
    .type = FAR_OPT_PATH,
    .offset = G_STRUCT_OFFSET (KeyOptions, path),
    .fallback = "keys.d",
    .summary = N_ ("directory with NAME or NAME/authorized_keys, or the file of one person") },
  { .name = "person",
    .type = FAR_OPT_STRING,
    .offset = G_STRUCT_OFFSET (KeyOptions, person),
    .summary = N_ ("whose keys they are, when path is a file") },
  { .name = "groups",
    .type = FAR_OPT_LIST,
    .offset = G_STRUCT_OFFSET (KeyOptions, groups),
    .fallback = "[]",
    .summary = N_ ("groups of everybody who comes in this way") },
  { .type = FAR_OPT_END },
};

static const FarAuthenticatorOps key_ops = { .check = key_check };

static const FarAuthenticatorType key_type = {
  .type = {
    .kind = FAR_KIND_AUTHENTICATOR,
    .name = "key",
    .summary = N_ ("public keys in authorized_keys files"),
    .instance_size = sizeof (Key),
    .options_size = sizeof (KeyOptions),
    .options = key_options,
    .init = key_init,
    .start = key_start,
  },
  .ops = &key_ops,
};

FAR_PLUGIN ("authenticator-key", "0.1", "authenticator/key", "", &key_type.type)
