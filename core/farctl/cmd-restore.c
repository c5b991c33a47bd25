/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* farctl restore: a backup becomes a node again. All of it is unpacked and checked below STATE/.restore first; only then anything takes its place, and
 * what was there before is put aside, not overwritten. A file can be made by anybody: it never says where something goes outside of the state directory. */
#include "config.h"

#include "ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/instance.h>

#include "../backup.h"
#include "../damage.h"
#include "../profile.h"
#include "../seal-private.h"

typedef struct {
  char *profile, *state, *key;
  gboolean replace, from_stdin, begin_empty;
  /* on the way */
  json_t *head;
  char *fresh, *aside;  /* STATE/.restore, STATE/before-restore-TIME */
  int lock;
  guint files;
} Restore;

static void
restore_clear (Restore *restore)
{
  g_free (restore->profile);
  g_free (restore->state);
  g_free (restore->key);
  json_decref (restore->head);
  g_free (restore->fresh);
  g_free (restore->aside);
  if (restore->lock >= 0)
    close (restore->lock);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Restore, restore_clear)

static gboolean
failed (GError **error, const char *format, const char *path)
{
  g_autofree char *text = g_strdup_printf ("%s: %s", path, g_strerror (errno));

  g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, "%s %s", format, text);
  return FALSE;
}

static gboolean
refuse (GError **error, const char *text, const char *path)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, "%s: %s", path, text);
  return FALSE;
}

static int
remove_one (const char *path, const struct stat *st G_GNUC_UNUSED, int type G_GNUC_UNUSED, struct FTW *walk G_GNUC_UNUSED)
{
  return remove (path);
}

/* ---- unpacking ---- */

static gboolean
unpack_bytes (FarBackupIn *in, int fd, guint64 n, const char *path, GError **error)
{
  g_autofree guint8 *bytes = g_malloc (65536);

  while (n > 0) {
    gsize got = far_backup_read (in, bytes, 65536, error);

    if (got == 0)
      return FALSE;
    if (write (fd, bytes, got) != (gssize) got)
      return failed (error, _("cannot write"), path);
    n -= got;
  }
  return fsync (fd) == 0 || failed (error, _("cannot write"), path);
}

static gboolean
unpack_file (FarBackupIn *in, const char *path, int mode, guint64 n, GError **error)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  gboolean good;

  if (fd < 0)
    return failed (error, _("cannot make"), path);
  good = unpack_bytes (in, fd, n, path, error) && (fchmod (fd, (mode_t) mode & 0777) == 0 || failed (error, _("cannot write"), path));
  close (fd);
  return good;
}

static gboolean
entry_is_ok (const char *name)
{
  return name != NULL && far_backup_path_ok (name)
         && (strcmp (name, "state") == 0 || g_str_has_prefix (name, "state/") || g_str_has_prefix (name, "stores/") || g_str_has_prefix (name, "profile/"));
}

static gboolean
unpack_entry (Restore *restore, FarBackupIn *in, json_t *head, guint64 n, GError **error)
{
  const char *name = json_string_value (json_object_get (head, "path"));
  g_autofree char *path = name != NULL ? g_build_filename (restore->fresh, name, NULL) : NULL, *folder = NULL;

  if (!entry_is_ok (name)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _("the backup names a file that no backup has: '%s'"), name != NULL ? name : "");
    return FALSE;
  }
  folder = json_is_true (json_object_get (head, "folder")) ? g_strdup (path) : g_path_get_dirname (path);
  if (g_mkdir_with_parents (folder, 0700) != 0)
    return failed (error, _("cannot make"), folder);
  restore->files++;
  return json_is_true (json_object_get (head, "folder")) || unpack_file (in, path, (int) json_integer_value (json_object_get (head, "mode")), n, error);
}

static gboolean
unpack_all (Restore *restore, FarBackupIn *in, GError **error)
{
  GError *local = NULL;
  guint64 n = 0;
  json_t *head;

  while ((head = far_backup_next (in, &n, &local)) != NULL) {
    gboolean good = unpack_entry (restore, in, head, n, error);

    json_decref (head);
    if (!good)
      return FALSE;
  }
  if (local == NULL)
    return TRUE;
  g_propagate_error (error, local);
  return FALSE;
}

static gboolean
take_head (Restore *restore, FarBackupIn *in, GError **error)
{
  guint64 n = 0;
  const char *state;

  restore->head = far_backup_next (in, &n, error);
  state = json_string_value (json_object_get (restore->head, "state"));
  if (restore->head != NULL && g_strcmp0 (json_string_value (json_object_get (restore->head, "farwatch")), "backup") == 0 && state != NULL && g_path_is_absolute (state)) {
    if (restore->state == NULL)
      restore->state = g_strdup (state);
    return TRUE;
  }
  if (error != NULL && *error == NULL)
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _("the backup does not say of which node it is"));
  return FALSE;
}

/* ---- the place ---- */

static gboolean
lock_state (Restore *restore, GError **error)
{
  g_autofree char *path = g_build_filename (restore->state, "lock", NULL);

  if (g_mkdir_with_parents (restore->state, 0700) != 0)
    return failed (error, _("cannot make"), restore->state);
  restore->lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (restore->lock < 0)
    return failed (error, _("cannot make"), path);
  return flock (restore->lock, LOCK_EX | LOCK_NB) == 0 || refuse (error, _("is in use by a farwatchd; stop it first"), restore->state);
}

static gboolean
is_ours (const char *name)
{
  return strcmp (name, "lock") == 0 || strcmp (name, ".restore") == 0 || strcmp (name, "lost+found") == 0 || g_str_has_prefix (name, "before-restore-");
}

static gboolean
state_is_free (Restore *restore, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (restore->state, 0, NULL);
  const char *name;

  while (!restore->replace && dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (!is_ours (name))
      return refuse (error, _("a node is there already; --replace puts it aside"), restore->state);
  if (!restore->replace && g_file_test (restore->profile, G_FILE_TEST_EXISTS))
    return refuse (error, _("is there already; --replace puts it aside"), restore->profile);
  return dir != NULL || failed (error, _("cannot read"), restore->state);
}

static gboolean
move (const char *from, const char *to, GError **error)
{
  return g_rename (from, to) == 0 || failed (error, _("cannot move to"), to);
}

static gboolean
put_aside (Restore *restore, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (restore->state, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *from = g_build_filename (restore->state, name, NULL), *to = g_build_filename (restore->aside, name, NULL);

    if (is_ours (name))
      continue;
    if (g_mkdir_with_parents (restore->aside, 0700) != 0)
      return failed (error, _("cannot make"), restore->aside);
    if (!move (from, to, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
move_in (const char *from, const char *to, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (from, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *source = g_build_filename (from, name, NULL), *target = g_build_filename (to, name, NULL);

    if (!move (source, target, error))
      return FALSE;
  }
  return TRUE;
}

/* Where it lay below the state directory, there again; one that lay elsewhere is left for a person to put there. */
static gboolean
store_in (Restore *restore, const char *name, const char *place, GError **error)
{
  const char *state = json_string_value (json_object_get (restore->head, "state"));
  gsize size = strlen (state);
  gboolean inside = strncmp (place, state, size) == 0 && place[size] == '/' && far_backup_path_ok (place + size + 1);
  g_autofree char *from = g_build_filename (restore->fresh, "stores", name, NULL), *other = g_strconcat ("restored-", name, NULL);
  g_autofree char *to = g_build_filename (restore->state, inside ? place + size + 1 : other, NULL), *folder = g_path_get_dirname (to);

  if (!inside)
    ctl_say (_("warning: stores.%s lay at %s: its copy is %s, put it there before the daemon starts"), name, place, to);
  if (g_mkdir_with_parents (folder, 0700) != 0)
    return failed (error, _("cannot make"), folder);
  return move (from, to, error);
}

static gboolean
stores_in (Restore *restore, GError **error)
{
  const char *name;
  json_t *one;

  json_object_foreach (json_object_get (restore->head, "stores"), name, one) {
    const char *place = json_string_value (json_object_get (one, "place"));

    if (place != NULL && far_backup_path_ok (name) && strchr (name, '/') == NULL && !store_in (restore, name, place, error))
      return FALSE;
  }
  return TRUE;
}

/* The profile may lie on another file system: written anew, beside what was there. */
static gboolean
profile_copy (const char *from, const char *to, const char *stamp, GError **error)
{
  g_autofree char *text = NULL, *before = g_strdup_printf ("%s.before-%s", to, stamp), *folder = g_path_get_dirname (to);
  gsize size = 0;

  if (!g_file_get_contents (from, &text, &size, error))
    return FALSE;
  if (g_mkdir_with_parents (folder, 0755) != 0)
    return failed (error, _("cannot make"), folder);
  if (g_rename (to, before) != 0 && errno != ENOENT)
    return failed (error, _("cannot move to"), before);
  return g_file_set_contents_full (to, text, (gssize) size, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644, error);
}

static gboolean
profile_in (Restore *restore, const char *stamp, GError **error)
{
  const char *was = json_string_value (json_object_get (restore->head, "profile"));
  g_autofree char *name = g_path_get_basename (was != NULL ? was : ""), *from = g_build_filename (restore->fresh, "profile", name, NULL);
  g_autofree char *parts = g_strconcat (from, ".d", NULL), *below = g_strconcat (restore->profile, ".d", NULL);
  g_autoptr (GDir) dir = g_dir_open (parts, 0, NULL);
  const char *part;

  if (!profile_copy (from, restore->profile, stamp, error))
    return FALSE;
  while (dir != NULL && (part = g_dir_read_name (dir)) != NULL) {
    g_autofree char *source = g_build_filename (parts, part, NULL), *target = g_build_filename (below, part, NULL);

    if (!profile_copy (source, target, stamp, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- owner ---- */

static uid_t owner_uid;
static gid_t owner_gid;

static int
give_one (const char *path, const struct stat *st G_GNUC_UNUSED, int type G_GNUC_UNUSED, struct FTW *walk G_GNUC_UNUSED)
{
  if (lchown (path, owner_uid, owner_gid) != 0)
    ctl_say (_("warning: %s stays with its owner: %s"), path, g_strerror (errno));
  return 0;
}

/* Made by root for a daemon that is not root: what is below its folder belongs to it. */
static void
give (const char *state)
{
  struct stat owner;

  if (geteuid () != 0 || stat (state, &owner) != 0 || owner.st_uid == 0)
    return;
  owner_uid = owner.st_uid;
  owner_gid = owner.st_gid;
  nftw (state, give_one, 16, FTW_PHYS);
}

/* ---- the command ---- */

static gboolean
take_place (Restore *restore, GError **error)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *stamp = g_date_time_format (now, "%Y%m%d-%H%M%S"), *name = g_strconcat ("before-restore-", stamp, NULL);
  g_autofree char *state = g_build_filename (restore->fresh, "state", NULL);

  restore->aside = g_build_filename (restore->state, name, NULL);
  if (!put_aside (restore, error) || !move_in (state, restore->state, error) || !stores_in (restore, error) || !profile_in (restore, stamp, error))
    return FALSE;
  nftw (restore->fresh, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  give (restore->state);
  sync ();
  return TRUE;
}

static gboolean
restore_from (Restore *restore, int fd, const FarBackupLock *lock, GError **error)
{
  g_autoptr (FarBackupIn) in = far_backup_open (fd, lock, error);

  if (in == NULL || !take_head (restore, in, error) || !lock_state (restore, error) || !state_is_free (restore, error))
    return FALSE;
  restore->fresh = g_build_filename (restore->state, ".restore", NULL);
  nftw (restore->fresh, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  if (unpack_all (restore, in, error))
    return take_place (restore, error);
  nftw (restore->fresh, remove_one, 16, FTW_DEPTH | FTW_PHYS);
  return FALSE;
}

static gboolean
restore_open (Restore *restore, int fd, GError **error)
{
  guint8 open[FAR_BACKUP_KEY], secret[FAR_BACKUP_KEY];
  char *passphrase = NULL;
  FarBackupLock lock = { 0 };
  FarBackupMode mode;
  gboolean good = far_backup_mode (fd, &mode, error);

  if (good && mode == FAR_BACKUP_PASSPHRASE)
    good = (lock.passphrase = passphrase = ctl_secret (restore->from_stdin, _("passphrase of the backup"), FALSE, error)) != NULL;
  if (good && mode == FAR_BACKUP_BOX && restore->key != NULL) {
    good = far_seal_box_load (restore->key, open, secret, error);
    lock.open = open;
    lock.secret = secret;
  }
  good = good && restore_from (restore, fd, &lock, error);
  explicit_bzero (secret, sizeof secret);
  far_secret_free (passphrase);
  return good;
}

static int
restore_run (Ctl *ctl, Restore *restore, const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  GError *error = NULL;
  gboolean good;

  if (fd < 0)
    return ctl_fail_new (ctl, FAR_ERROR_NOT_FOUND, "%s: %s", path, g_strerror (errno));
  good = restore_open (restore, fd, &error);
  close (fd);
  if (!good)
    return ctl_fail (ctl, error);
  if (g_file_test (restore->aside, G_FILE_TEST_IS_DIR))
    ctl_say (_("what was there before is in %s"), restore->aside);
  return ctl_done (ctl, json_pack ("{s:s, s:s, s:s}", "state", restore->state, "profile", restore->profile, "made", json_string_value (json_object_get (restore->head, "made"))),
                   _("%s as of %s is in %s and %s; start it: farwatchd --profile %s"), json_string_value (json_object_get (restore->head, "node")),
                   json_string_value (json_object_get (restore->head, "made")), restore->state, restore->profile, restore->profile);
}

/* ---- --begin-empty ---- */

static int
begin_store (Ctl *ctl, const char *state, const char *store)
{
  g_autofree char *note = far_damage_note (state, store);
  GError *error = NULL;

  if (note == NULL)
    return ctl_fail_new (ctl, FAR_ERROR_NOT_FOUND, _("stores.%s was not found damaged"), store);
  if (!far_damage_accept (state, store, &error))
    return ctl_fail (ctl, error);
  ctl_say ("stores.%s: %s", store, note);
  return CTL_OK;
}

/* The profile is only asked where the state is. */
static int
begin_empty (Ctl *ctl, const Restore *restore, const char *only)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = far_profile_load (restore->profile, restore->state, faults);
  g_autofree char *text = far_faults_text (faults);
  g_auto (GStrv) stores = NULL;
  int status = CTL_OK;

  if (profile == NULL) {
    fputs (text, stderr);
    return CTL_PROFILE;
  }
  stores = only != NULL ? g_strsplit (only, " ", 1) : far_damage_stores (profile->node->state);
  for (guint i = 0; stores[i] != NULL && status == CTL_OK; i++)
    status = begin_store (ctl, profile->node->state, stores[i]);
  if (status != CTL_OK)
    return status;
  if (stores[0] == NULL)
    return ctl_fail_new (ctl, FAR_ERROR_NOT_FOUND, "%s", _("no store was found damaged"));
  return ctl_done (ctl, json_object (), "%s", _("what could be read is what counts from now on; look at rights, terminals and revocations, then restart the daemon"));
}

int
ctl_restore (Ctl *ctl, int argc, char **argv)
{
  g_auto (Restore) restore = { .lock = -1 };
  const GOptionEntry entries[] = {
    { "profile", 0, 0, G_OPTION_ARG_FILENAME, &restore.profile, N_ ("where the profile goes, or is"), N_ ("FILE") },
    { "state", 0, 0, G_OPTION_ARG_FILENAME, &restore.state, N_ ("state directory, instead of the one that the node had"), N_ ("DIR") },
    { "key", 0, 0, G_OPTION_ARG_FILENAME, &restore.key, N_ ("folder of the box key that the backup is encrypted to"), N_ ("DIR") },
    { "password-stdin", 0, 0, G_OPTION_ARG_NONE, &restore.from_stdin, N_ ("read the passphrase from stdin"), NULL },
    { "replace", 0, 0, G_OPTION_ARG_NONE, &restore.replace, N_ ("put the node that is there aside"), NULL },
    { "begin-empty", 0, 0, G_OPTION_ARG_NONE, &restore.begin_empty, N_ ("a store was damaged: go on with what could be read of it"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 1))
    return ctl->status;
  if (restore.profile == NULL)
    return ctl_usage (ctl, "%s", _("say --profile FILE"));
  if (restore.begin_empty)
    return begin_empty (ctl, &restore, argc > 1 ? argv[1] : NULL);
  if (argc < 2)
    return ctl_usage (ctl, "%s", _("which FILE? farctl backup made it"));
  return restore_run (ctl, &restore, argv[1]);
}
