/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* People in a file, passwords as crypt(5). Main only hands work to the executor "password": one hash at a
 * time (22 ms and 16 MiB each), at most 16 waiting, then `busy`. */
#include "config.h"

#include <string.h>

#include "user-file.h"

#define LANE "password"
#define CHECKS_WAITING 16
#define CHANGES_WAITING 64

typedef struct {
  char *path;
} AuthFileOptions;

typedef struct {
  FarInstance *at;
  UserFile *users;
  FarRequest *opening;
} AuthFile;

typedef struct {
  UserFile *users;
  char *name, *secret, *key;
  GStrv groups;
  FarLoginForm form;
} FileJob;

static FileJob *
auth_file_job_new (AuthFile *self, const char *name, const char *secret, const char *key)
{
  FileJob *job = g_new0 (FileJob, 1);

  job->users = user_file_ref (self->users);
  job->name = g_strdup (name);
  job->secret = g_strdup (secret);
  job->key = g_strdup (key);
  return job;
}

static void
auth_file_job_free (gpointer data)
{
  FileJob *job = data;

  far_secret_free (job->secret);
  g_strfreev (job->groups);
  g_free (job->name);
  g_free (job->key);
  user_file_unref (job->users);
  g_free (job);
}

/* An edit that is not good yet leaves the people as they were. */
static void
job_refresh (FileJob *job)
{
  g_autoptr (GError) error = NULL;

  if (!user_file_refresh (job->users, &error))
    far_log_limited (NULL, job->users->path, "%s; the people stay as they were", error->message);
}

/* ---- check ---- */

static FarVerdict *
verdict_allow (const Person *person)
{
  FarVerdict *verdict = far_verdict_new (FAR_VERDICT_ALLOW, person->name);

  verdict->groups = g_strdupv (person->groups);
  return verdict;
}

/* A name or a form that is not ours is left to the next authenticator. */
static FarVerdict *
file_judge (FileJob *job)
{
  const Person *person = user_file_find (job->users, job->name);

  if (job->form == FAR_LOGIN_KEY)
    return user_file_key_is (person, job->key) ? verdict_allow (person)
                                               : far_verdict_new (FAR_VERDICT_DEFER, NULL);
  if (user_file_password_is (job->users, person, job->secret))
    return verdict_allow (person);
  return far_verdict_new (person != NULL && person->hash != NULL ? FAR_VERDICT_DENY : FAR_VERDICT_DEFER,
                          NULL);
}

static void
auth_file_check_work (FarRequest *req, gpointer data)
{
  FileJob *job = data;

  job_refresh (job);
  far_request_done (req, file_judge (job), (GDestroyNotify) far_verdict_free);
}

static void
file_check (gpointer data, const FarLogin *login, FarRequest *req)
{
  gboolean ours = (login->form == FAR_LOGIN_PASSWORD && login->secret != NULL) ||
                  (login->form == FAR_LOGIN_KEY && login->key != NULL);
  FileJob *job;

  if (!ours) {
    far_request_done (req, far_verdict_new (FAR_VERDICT_DEFER, NULL), (GDestroyNotify) far_verdict_free);
    return;
  }
  job = auth_file_job_new (data, login->name, login->form == FAR_LOGIN_PASSWORD ? login->secret : NULL,
                           login->key);
  job->form = login->form;
  far_run_blocking (LANE, CHECKS_WAITING, auth_file_check_work, job, auth_file_job_free, req);
}

/* ---- changes ---- */

static void
end_change (FarRequest *req, gboolean good, GError *error)
{
  if (good)
    far_request_done (req, NULL, NULL);
  else
    far_request_fail (req, error);
}

static void
put_work (FarRequest *req, gpointer data)
{
  FileJob *job = data;
  GError *error = NULL;
  gboolean good = user_file_refresh (job->users, &error) &&
                  user_file_put (job->users, job->name, job->secret, (const char *const *) job->groups,
                                 job->key, &error);

  end_change (req, good, error);
}

static void
file_put (gpointer data, const char *name, const char *secret, const char *const *groups, const char *key,
          FarRequest *req)
{
  FileJob *job = auth_file_job_new (data, name, secret, key);

  job->groups = g_strdupv ((char **) groups);
  far_run_blocking (LANE, CHANGES_WAITING, put_work, job, auth_file_job_free, req);
}

static void
remove_work (FarRequest *req, gpointer data)
{
  FileJob *job = data;
  GError *error = NULL;
  gboolean good = user_file_refresh (job->users, &error) && user_file_remove (job->users, job->name, &error);

  end_change (req, good, error);
}

static void
file_remove (gpointer data, const char *name, FarRequest *req)
{
  far_run_blocking (LANE, CHANGES_WAITING, remove_work, auth_file_job_new (data, name, NULL, NULL),
                    auth_file_job_free, req);
}

static void
list_work (FarRequest *req, gpointer data)
{
  FileJob *job = data;

  job_refresh (job);
  far_request_done (req, user_file_list (job->users), (GDestroyNotify) json_decref);
}

static void
file_list (gpointer data, FarRequest *req)
{
  far_run_blocking (LANE, CHANGES_WAITING, list_work, auth_file_job_new (data, NULL, NULL, NULL),
                    auth_file_job_free, req);
}

/* ---- life ---- */

static void
open_work (FarRequest *req, gpointer data)
{
  GError *error = NULL;
  gboolean good = user_file_refresh (((FileJob *) data)->users, &error);

  end_change (req, good, error);
}

static void
auth_file_opened (FarRequest *req, gpointer data)
{
  AuthFile *self = data;
  const GError *error = far_request_error (req);
  gboolean stopped = self->opening == NULL;

  g_clear_pointer (&self->opening, far_request_unref);
  if (stopped)
    return;
  if (error != NULL)
    far_instance_fail (self->at, g_error_copy (error));
  else
    far_instance_ready (self->at);
}

static gboolean
auth_file_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((AuthFile *) data)->at = at;
  return TRUE;
}

static gboolean
auth_file_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  AuthFile *self = data;

  self->users = user_file_new (((const AuthFileOptions *) far_instance_options (self->at))->path);
  self->opening = far_request_ref (far_request_new (auth_file_opened, self, 0));
  far_run_blocking (LANE, CHANGES_WAITING, open_work, auth_file_job_new (self, NULL, NULL, NULL),
                    auth_file_job_free, self->opening);
  return TRUE;
}

static void
auth_file_stop (gpointer data)
{
  AuthFile *self = data;
  FarRequest *opening = g_steal_pointer (&self->opening);

  if (opening != NULL)
    far_request_cancel (opening);
  g_clear_pointer (&opening, far_request_unref);
  g_clear_pointer (&self->users, user_file_unref);
}

static const FarOption file_options[] = {
  { .name = "path",
    .type = FAR_OPT_PATH,
    .offset = G_STRUCT_OFFSET (AuthFileOptions, path),
    .fallback = "people.yaml",
    .summary = N_ ("file of people, mode 0600; made when the first is added") },
  { .type = FAR_OPT_END },
};

static const FarAuthenticatorOps file_ops = {
  .check = file_check,
  .put = file_put,
  .remove = file_remove,
  .list = file_list,
};

static const FarAuthenticatorType file_type = {
  .type = {
    .kind = FAR_KIND_AUTHENTICATOR,
    .name = "file",
    .summary = N_ ("people with passwords and keys in a file"),
    .instance_size = sizeof (AuthFile),
    .options_size = sizeof (AuthFileOptions),
    .options = file_options,
    .init = auth_file_init,
    .start = auth_file_start,
    .stop = auth_file_stop,
  },
  .ops = &file_ops,
};

FAR_PLUGIN ("authenticator-file", "0.1", "authenticator/file", "libcrypt.so.1 libyaml-0.so.2",
            &file_type.type)
