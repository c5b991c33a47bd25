/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* farctl restore: a backup becomes a node again. All of it is unpacked and checked below STATE/.restore
 * first; only then anything takes its place, and what was there before is put aside, not overwritten. A file
 * can be made by anybody: it never says where something goes outside of the state directory.
 *
 * The steps of one restore stand here in their order (lint: allow length). */
#include "config.h"

#include "ctl.h"
#include "other-node.h"
#include "restore-empty.h"
#include "restore-journal.h"

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

#include "ctl-support/backup.h"
#include "ctl-support/shared.h"

typedef struct {
  char *profile, *state, *key;
  gboolean replace, from_stdin, begin_empty;
  /* on the way */
  json_t *head;
  char *was;                    /* the state directory that the node had */
  char *fresh, *aside;          /* STATE/.restore, STATE/before-restore-TIME */
  CtlOwner owner;               /* of STATE, who does what is done in it; 0: root, or who runs this */
  GPtrArray *parts;             /* Part: the profile, then its drop-ins */
  GPtrArray *states, *profiles; /* Moved: what has changed its place, below STATE and beside the profile */
  char *broken;       /* an earlier one was broken off: the name of its folder of what it put aside */
  gboolean broken_in; /* and all of that was out already */
  int lock;
  guint files;
} Restore;

/* One file of the profile, in memory: the user of STATE reads it, who runs this writes it. */
typedef struct {
  char *name; /* NULL: the profile itself */
  char *text;
  gsize size;
  mode_t mode;
} RestorePart;

typedef struct {
  char *from, *to;
} Moved;

static void
part_free (gpointer data)
{
  RestorePart *part = data;

  g_free (part->name);
  g_free (part->text);
  g_free (part);
}

static void
moved_free (gpointer data)
{
  Moved *moved = data;

  g_free (moved->from);
  g_free (moved->to);
  g_free (moved);
}

static void
restore_clear (Restore *restore)
{
  g_free (restore->profile);
  g_free (restore->state);
  g_free (restore->key);
  json_decref (restore->head);
  g_free (restore->was);
  g_clear_pointer (&restore->parts, g_ptr_array_unref);
  g_clear_pointer (&restore->states, g_ptr_array_unref);
  g_clear_pointer (&restore->profiles, g_ptr_array_unref);
  g_free (restore->fresh);
  g_free (restore->aside);
  g_free (restore->broken);
  if (restore->lock >= 0)
    close (restore->lock);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Restore, restore_clear)

static gboolean
restore_failed (GError **error, const char *format, const char *path)
{
  g_autofree char *text = g_strdup_printf ("%s: %s", path, g_strerror (errno));

  g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, "%s %s", format, text);
  return FALSE;
}

static gboolean
restore_refuse (GError **error, const char *text, const char *path)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, "%s: %s", path, text);
  return FALSE;
}

static int
restore_remove_one (const char *path, const struct stat *st G_GNUC_UNUSED, int type G_GNUC_UNUSED,
                    struct FTW *walk G_GNUC_UNUSED)
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
      return restore_failed (error, _ ("cannot write"), path);
    n -= got;
  }
  return fsync (fd) == 0 || restore_failed (error, _ ("cannot write"), path);
}

static gboolean
unpack_file (FarBackupIn *in, const char *path, int mode, guint64 n, GError **error)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  gboolean good;

  if (fd < 0)
    return restore_failed (error, _ ("cannot make"), path);
  good = unpack_bytes (in, fd, n, path, error) &&
         (fchmod (fd, (mode_t) mode & 0777) == 0 || restore_failed (error, _ ("cannot write"), path));
  close (fd);
  return good;
}

static gboolean
entry_is_ok (const char *name)
{
  return name != NULL && far_backup_path_ok (name) &&
         (strcmp (name, "state") == 0 || g_str_has_prefix (name, "state/") ||
          g_str_has_prefix (name, "stores/") || g_str_has_prefix (name, "profile/"));
}

static gboolean
unpack_entry (Restore *restore, FarBackupIn *in, json_t *head, guint64 n, GError **error)
{
  const char *name = json_string_value (json_object_get (head, "path"));
  g_autofree char *path = name != NULL ? g_build_filename (restore->fresh, name, NULL) : NULL, *folder = NULL;

  if (!entry_is_ok (name)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("the backup names a file that no backup has: '%s'"),
                 name != NULL ? name : "");
    return FALSE;
  }
  folder = json_is_true (json_object_get (head, "folder")) ? g_strdup (path) : g_path_get_dirname (path);
  if (g_mkdir_with_parents (folder, 0700) != 0)
    return restore_failed (error, _ ("cannot make"), folder);
  restore->files++;
  return json_is_true (json_object_get (head, "folder")) ||
         unpack_file (in, path, (int) json_integer_value (json_object_get (head, "mode")), n, error);
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
restore_take_head (Restore *restore, FarBackupIn *in, GError **error)
{
  guint64 n = 0;
  const char *state;

  restore->head = far_backup_next (in, &n, error);
  state = json_string_value (json_object_get (restore->head, "state"));
  if (restore->head != NULL &&
      g_strcmp0 (json_string_value (json_object_get (restore->head, "farwatch")), "backup") == 0 &&
      state != NULL && g_path_is_absolute (state)) {
    restore->was = g_canonicalize_filename (state, "/");
    return TRUE;
  }
  if (error != NULL && *error == NULL)
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("the backup does not say of which node it is"));
  return FALSE;
}

/* ---- the place ---- */

static gboolean
is_state_of_profile (const Restore *restore)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = g_file_test (restore->profile, G_FILE_TEST_EXISTS)
                                       ? far_profile_load (restore->profile, NULL, faults)
                                       : NULL;

  return profile != NULL && strcmp (profile->node->state, restore->was) == 0;
}

/* Anybody can make a file that opens: the folder that it names is taken only where a node is expected anyway.
 */
static gboolean
take_state (Restore *restore, GError **error)
{
  if (restore->state != NULL) {
    char *state = g_canonicalize_filename (restore->state, NULL);

    g_free (restore->state);
    restore->state = state;
  } else if (strcmp (restore->was, FAR_STATE_DIR) == 0 || strcmp (restore->was, CTL_TERMINAL_STATE) == 0 ||
             is_state_of_profile (restore)) {
    restore->state = g_strdup (restore->was);
  } else {
    g_set_error (
        error, FAR_ERROR, FAR_ERROR_DENIED,
        _ ("the backup wants its state directory to be %s, which a file cannot decide; say --state DIR"),
        restore->was);
    return FALSE;
  }
  ctl_say (_ ("the state directory is %s"), restore->state);
  return TRUE;
}

/* Whose the folder is does what is done in it: so root follows nothing that was laid there. On an empty
 * machine it belongs to the owner of the folder it is in, as with farctl enroll. */
static gboolean
enter_state (Restore *restore, GError **error)
{
  return ctl_enter (restore->state, 0700, &restore->owner, error);
}

static gboolean
lock_state (Restore *restore, GError **error)
{
  g_autofree char *path = g_build_filename (restore->state, "lock", NULL);

  restore->lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (restore->lock < 0)
    return restore_failed (error, _ ("cannot make"), path);
  if (flock (restore->lock, LOCK_EX | LOCK_NB) == 0)
    return TRUE;
  /* The one that waiting helps against. */
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _ ("%s: is in use by a farwatchd; stop it first"),
               restore->state);
  return FALSE;
}

static gboolean
restore_is_ours (const char *name)
{
  return strcmp (name, "lock") == 0 || strcmp (name, ".restore") == 0 || strcmp (name, FAR_RESTORING) == 0 ||
         strcmp (name, "lost+found") == 0 || g_str_has_prefix (name, RESTORE_ASIDE);
}

/* What is no part of the node: folders that wait for one, as systemd-tmpfiles makes them, sockets, and the
 * state directories of other nodes. */
static gboolean
stays_there (const Restore *restore, const char *name)
{
  g_autofree char *path = g_build_filename (restore->state, name, NULL);
  g_autoptr (GDir) dir = NULL;
  struct stat st;

  if (restore_is_ours (name) || lstat (path, &st) != 0 || S_ISSOCK (st.st_mode))
    return TRUE;
  dir = S_ISDIR (st.st_mode) ? g_dir_open (path, 0, NULL) : NULL;
  return (dir != NULL && g_dir_read_name (dir) == NULL) || other_node_holds (path);
}

static gboolean
profile_is_free (const Restore *restore, GError **error)
{
  g_autofree char *parts = g_strconcat (restore->profile, ".d", NULL);

  if (!restore->replace && g_file_test (restore->profile, G_FILE_TEST_EXISTS))
    return restore_refuse (error, _ ("is there already; --replace puts it aside"), restore->profile);
  return restore->replace || !g_file_test (parts, G_FILE_TEST_EXISTS) ||
         restore_refuse (error, _ ("is there already; --replace puts it aside"), parts);
}

static gboolean
state_is_free (Restore *restore, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (restore->state, 0, NULL);
  const char *name;

  while (!restore->replace && dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (!stays_there (restore, name))
      return restore_refuse (error, _ ("a node is there already; --replace puts it aside"), restore->state);
  return dir != NULL || restore_failed (error, _ ("cannot read"), restore->state);
}

/* ---- moving, and back again ---- */

static gboolean
restore_move (GPtrArray *moves, const char *from, const char *to, GError **error)
{
  Moved *moved;

  if (g_rename (from, to) != 0)
    return restore_failed (error, _ ("cannot move to"), to);
  moved = g_new (Moved, 1);
  *moved = (Moved){ g_strdup (from), g_strdup (to) };
  g_ptr_array_add (moves, moved);
  return TRUE;
}

static gboolean
move_back (GPtrArray *moves)
{
  gboolean good = TRUE;

  for (guint i = moves->len; i > 0; i--) {
    const Moved *moved = moves->pdata[i - 1];

    if (g_rename (moved->to, moved->from) == 0)
      continue;
    good = FALSE;
    ctl_say (_ ("warning: %s could not be moved back to %s: %s"), moved->to, moved->from, g_strerror (errno));
  }
  g_ptr_array_set_size (moves, 0);
  return good;
}

static gboolean
put_aside (Restore *restore, const char *aside, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (restore->state, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *from = g_build_filename (restore->state, name, NULL),
                    *wanted = g_build_filename (aside, name, NULL), *to = restore_free_place (wanted);

    if (stays_there (restore, name))
      continue;
    if (g_mkdir_with_parents (aside, 0700) != 0)
      return restore_failed (error, _ ("cannot make"), aside);
    if (!restore_move (restore->states, from, to, error))
      return FALSE;
  }
  return TRUE;
}

/* A backup may have been made when those of other nodes were not left out of it. */
static gboolean
move_in_one (Restore *restore, const char *source, const char *name, GError **error)
{
  g_autofree char *target = g_build_filename (restore->state, name, NULL);

  if (restore_is_ours (name))
    return TRUE;
  if (other_node_holds (source)) {
    ctl_say (_ ("the backup has another node's state in %s: it is left out"), target);
    return TRUE;
  }
  g_rmdir (target); /* if it is empty */
  return restore_move (restore->states, source, target, error);
}

static gboolean
move_in (Restore *restore, GError **error)
{
  g_autofree char *from = g_build_filename (restore->fresh, "state", NULL);
  g_autoptr (GDir) dir = g_dir_open (from, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *source = g_build_filename (from, name, NULL);

    if (!move_in_one (restore, source, name, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- stores ---- */

/* It would begin empty, and nobody would be told: so it waits for a person, as a damaged one does. */
static gboolean
store_waits (Restore *restore, const char *name, const char *place, const char *file, GError **error)
{
  g_autofree char *text = g_strdup_printf (_ ("its copy of the backup is %s: put it at %s"), file, place),
                  *note = g_build_filename (restore->fresh, "state", "damaged", name, NULL);
  g_autofree char *folder = g_path_get_dirname (note);

  ctl_say (_ ("warning: stores.%s lay at %s, outside of the state directory: its copy is %s; put it there, "
              "then farctl restore --begin-empty --profile %s %s"),
           name, place, file, restore->profile, name);
  if (g_mkdir_with_parents (folder, 0700) != 0)
    return restore_failed (error, _ ("cannot make"), folder);
  return g_file_set_contents_full (note, text, -1,
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, error);
}

/* Where it lay below the state directory, there again; one that lay elsewhere is left for a person to put
 * there. */
static gboolean
store_in (Restore *restore, const char *name, const char *place, GError **error)
{
  g_autofree char *there = g_canonicalize_filename (place, "/"),
                  *other = g_strconcat ("restored-", name, NULL);
  gsize size = strlen (restore->was);
  gboolean inside = strncmp (there, restore->was, size) == 0 && there[size] == '/' &&
                    far_backup_path_ok (there + size + 1);
  g_autofree char *from = g_build_filename (restore->fresh, "stores", name, NULL),
                  *to = g_build_filename (restore->fresh, "state", inside ? there + size + 1 : other, NULL);
  g_autofree char *folder = g_path_get_dirname (to), *file = g_build_filename (restore->state, other, NULL);

  if (g_mkdir_with_parents (folder, 0700) != 0)
    return restore_failed (error, _ ("cannot make"), folder);
  if (g_rename (from, to) != 0)
    return restore_failed (error, _ ("cannot move to"), to);
  return inside || store_waits (restore, name, there, file, error);
}

static gboolean
restore_stores_in (Restore *restore, GError **error)
{
  const char *name;
  json_t *one;

  json_object_foreach (json_object_get (restore->head, "stores"), name, one) {
    const char *place = json_string_value (json_object_get (one, "place"));

    if (place == NULL || !g_path_is_absolute (place) || !far_label_ok (name, TRUE)) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                   _ ("the backup does not say where its store '%s' lay; restore another backup"), name);
      return FALSE;
    }
    if (!store_in (restore, name, place, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- the profile ---- */

static gboolean
part_read (Restore *restore, const char *path, const char *name, GError **error)
{
  RestorePart *part = g_new0 (RestorePart, 1);
  struct stat st = { .st_mode = 0644 };

  g_ptr_array_add (restore->parts, part);
  part->name = g_strdup (name);
  if (lstat (path, &st) != 0)
    return restore_failed (error, _ ("cannot read"), path);
  part->mode = st.st_mode & 0755; /* whoever writes to it writes the node's rights */
  return g_file_get_contents (path, &part->text, &part->size, error);
}

static gboolean
profile_read (Restore *restore, GError **error)
{
  const char *was = json_string_value (json_object_get (restore->head, "profile"));
  g_autofree char *name = g_path_get_basename (was != NULL ? was : ""),
                  *from = g_build_filename (restore->fresh, "profile", name, NULL);
  g_autofree char *parts = g_strconcat (from, ".d", NULL);
  g_autoptr (GDir) dir = g_dir_open (parts, 0, NULL);
  const char *part;

  if (!part_read (restore, from, NULL, error))
    return FALSE;
  while (dir != NULL && (part = g_dir_read_name (dir)) != NULL) {
    g_autofree char *source = g_build_filename (parts, part, NULL);

    if (!g_file_test (source, G_FILE_TEST_IS_REGULAR))
      ctl_say (_ ("warning: %s.d/%s is a folder, which no profile has: it is left out"), name, part);
    else if (!part_read (restore, source, part, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
part_fill (const Restore *restore, const RestorePart *part, int fd, const char *path, GError **error)
{
  for (gsize done = 0; done < part->size;) {
    gssize n = write (fd, part->text + done, part->size - done);

    if (n <= 0)
      return restore_failed (error, _ ("cannot write"), path);
    done += (gsize) n;
  }
  /* The daemon's user must be able to read it, by the group or as its owner. */
  if (geteuid () == 0 && restore->owner.uid != 0 &&
      fchown (fd, part->mode & 044 ? 0 : restore->owner.uid, restore->owner.gid) != 0)
    return restore_failed (error, _ ("cannot write"), path);
  return (fchmod (fd, part->mode) == 0 && fsync (fd) == 0) ||
         restore_failed (error, _ ("cannot write"), path);
}

static gboolean
part_write (const Restore *restore, const RestorePart *part, const char *path, GError **error)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  gboolean good;

  if (fd < 0)
    return restore_failed (error, _ ("cannot make"), path);
  good = part_fill (restore, part, fd, path, error);
  close (fd);
  return good;
}

static void
profile_unstage (const char *fresh, const char *fresh_parts)
{
  nftw (fresh, restore_remove_one, 16, FTW_DEPTH | FTW_PHYS);
  nftw (fresh_parts, restore_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* It may lie on another file system: written whole beside its place before anything is moved. */
static gboolean
profile_stage (Restore *restore, const char *fresh, const char *fresh_parts, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (restore->profile);

  if (g_mkdir_with_parents (folder, 0755) != 0)
    return restore_failed (error, _ ("cannot make"), folder);
  profile_unstage (fresh, fresh_parts);
  if (restore->parts->len > 1 && g_mkdir (fresh_parts, 0755) != 0)
    return restore_failed (error, _ ("cannot make"), fresh_parts);
  for (guint i = 0; i < restore->parts->len; i++) {
    const RestorePart *part = restore->parts->pdata[i];
    g_autofree char *path = part->name != NULL ? g_build_filename (fresh_parts, part->name, NULL)
                                               : g_strdup (fresh);

    if (!part_write (restore, part, path, error))
      return FALSE;
  }
  return TRUE;
}

/* One name of the two, PROFILE and PROFILE.d: what was there goes beside it, also where nothing comes in its
 * place. After one that was broken off two go there: nothing is deleted here because of what a file in STATE
 * says. */
static gboolean
profile_swap (Restore *restore, const char *fresh, const char *to, const char *stamp, GError **error)
{
  g_autofree char *wanted = g_strdup_printf ("%s.before-%s", to, stamp),
                  *before = restore_free_place (wanted);

  if (g_file_test (to, G_FILE_TEST_EXISTS) && !restore_move (restore->profiles, to, before, error))
    return FALSE;
  return !g_file_test (fresh, G_FILE_TEST_EXISTS) || restore_move (restore->profiles, fresh, to, error);
}

/* ---- the command ---- */

/* Its end is only noted when all of it is back: half of a node must not start, and must not be taken for the
 * backup's by the next one. */
static void
state_back (Restore *restore)
{
  gboolean whole = restore->states->len == 0 ||
                   (restore_journal_mixed (restore->state) && move_back (restore->states));

  g_rmdir (restore->aside);
  syncfs (restore->lock);
  if (!whole)
    ctl_say (_ ("warning: %s is half of what was there before; give the same command again"), restore->state);
  else if (restore->broken == NULL)
    restore_journal_end (restore->state);
  else
    restore_journal_write (restore->state, restore->aside, restore->broken_in, NULL);
}

/* What the journal says next must hold after a power cut too. */
static gboolean
on_disk (const Restore *restore, GError **error)
{
  return syncfs (restore->lock) == 0 || restore_failed (error, _ ("cannot write"), restore->state);
}

/* After one that was broken off, what stands in STATE is the rest of what was before, or of the backup. */
static gboolean
take_state_place (Restore *restore, GError **error)
{
  g_autofree char *left = g_build_filename (restore->fresh, "left", NULL);

  if (restore_journal_write (restore->state, restore->aside, restore->broken_in, error) &&
      put_aside (restore, restore->broken_in ? left : restore->aside, error) && on_disk (restore, error) &&
      restore_journal_write (restore->state, restore->aside, TRUE, error) && move_in (restore, error))
    return TRUE;
  state_back (restore);
  return FALSE;
}

static gboolean
profile_is_below (const Restore *restore)
{
  g_autofree char *profile = g_canonicalize_filename (restore->profile, NULL);
  gsize size = strlen (restore->state);

  return strncmp (profile, restore->state, size) == 0 && profile[size] == '/';
}

/* What lies below STATE is put aside with it, and its owner writes it; else who runs this does, and before
 * anything is moved. */
static gboolean
take_steps (Restore *restore, const char *fresh, const char *fresh_parts, GError **error)
{
  gboolean below = profile_is_below (restore), good;

  if (!below && !profile_stage (restore, fresh, fresh_parts, error))
    return FALSE;
  good = ctl_become (restore->owner.uid, restore->owner.gid, error) && take_state_place (restore, error);
  if (good && below && !profile_stage (restore, fresh, fresh_parts, error)) {
    profile_unstage (fresh, fresh_parts);
    state_back (restore);
    good = FALSE;
  }
  if (!below)
    ctl_become_self ();
  return good;
}

/* As the owner of STATE, and back to who runs this, who writes the profile. All or nothing. */
static gboolean
take_both (Restore *restore, const char *fresh, const char *stamp, GError **error)
{
  g_autofree char *fresh_parts = g_strconcat (fresh, ".d", NULL),
                  *parts = g_strconcat (restore->profile, ".d", NULL);
  gboolean moved = take_steps (restore, fresh, fresh_parts, error), good = moved;

  if (good && (!profile_swap (restore, fresh, restore->profile, stamp, error) ||
               !profile_swap (restore, fresh_parts, parts, stamp, error))) {
    good = FALSE;
    move_back (restore->profiles);
  }
  profile_unstage (fresh, fresh_parts);
  if (moved && ctl_become (restore->owner.uid, restore->owner.gid, NULL)) {
    sync ();
    if (good)
      restore_journal_end (restore->state);
    else
      state_back (restore);
  }
  ctl_become_self ();
  return good;
}

static gboolean
take_place (Restore *restore, GError **error)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y%m%d-%H%M%S"),
                  *name = restore->broken != NULL ? g_strdup (restore->broken)
                                                  : g_strconcat (RESTORE_ASIDE, time, NULL);
  const char *stamp = name + strlen (RESTORE_ASIDE);
  g_autofree char *fresh = g_strconcat (restore->profile, ".restored", NULL);
  gboolean good;

  restore->aside = g_build_filename (restore->state, name, NULL);
  if (!restore_stores_in (restore, error) || !profile_read (restore, error))
    return FALSE;
  ctl_become_self ();
  good = take_both (restore, fresh, stamp, error);
  return ctl_become (restore->owner.uid, restore->owner.gid, good ? error : NULL) && good;
}

/* As the owner of STATE. */
static gboolean
restore_state (Restore *restore, FarBackupIn *in, GError **error)
{
  gboolean good;

  if (!lock_state (restore, error) || !state_is_free (restore, error))
    return FALSE;
  restore->fresh = g_build_filename (restore->state, ".restore", NULL);
  nftw (restore->fresh, restore_remove_one, 16, FTW_DEPTH | FTW_PHYS);
  good = unpack_all (restore, in, error) && take_place (restore, error);
  nftw (restore->fresh, restore_remove_one, 16, FTW_DEPTH | FTW_PHYS);
  return good;
}

/* Nobody has to say --replace again: what is there is half of this. The note is the daemon's user's, and read
 * as that user. */
static gboolean
take_broken (Restore *restore, GError **error)
{
  if (!g_file_test (restore->state, G_FILE_TEST_EXISTS))
    return TRUE;
  if (!ctl_become_owner (restore->state, &restore->owner, error))
    return FALSE;
  restore->broken = restore_journal_read (restore->state, &restore->broken_in);
  ctl_become_self ();
  if (restore->broken == NULL)
    return TRUE;
  restore->replace = TRUE;
  ctl_say (_ ("a restore was broken off here and is done anew; what was there before it is in %s/%s"),
           restore->state, restore->broken);
  return TRUE;
}

static gboolean
restore_from (Restore *restore, int fd, const FarBackupLock *lock, GError **error)
{
  g_autoptr (FarBackupIn) in = far_backup_open (fd, lock, error);
  gboolean good;

  if (in == NULL || !restore_take_head (restore, in, error) || !take_state (restore, error))
    return FALSE;
  if (!take_broken (restore, error) || !profile_is_free (restore, error))
    return FALSE;
  restore->parts = g_ptr_array_new_with_free_func (part_free);
  restore->states = g_ptr_array_new_with_free_func (moved_free);
  restore->profiles = g_ptr_array_new_with_free_func (moved_free);
  good = enter_state (restore, error) && restore_state (restore, in, error);
  ctl_become_self ();
  return good;
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
    good = (lock.passphrase = passphrase = ctl_secret (restore->from_stdin, _ ("passphrase of the backup"),
                                                       FALSE, error)) != NULL;
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

static const char *
head_text (const Restore *restore, const char *key)
{
  const char *text = json_string_value (json_object_get (restore->head, key));

  return text != NULL ? text : "?";
}

static int
restore_run (Ctl *ctl, Restore *restore, const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  GError *error = NULL;
  gboolean good, elsewhere;

  if (fd < 0)
    return ctl_fail_new (ctl, FAR_ERROR_NOT_FOUND,
                         _ ("%s cannot be read: %s; say the FILE that `farctl backup FILE` made"), path,
                         g_strerror (errno));
  good = restore_open (restore, fd, &error);
  close (fd);
  if (!good)
    return ctl_fail (ctl, error);
  if (g_file_test (restore->aside, G_FILE_TEST_IS_DIR))
    ctl_say (_ ("what was there before is in %s"), restore->aside);
  elsewhere = strcmp (restore->state, restore->was) != 0;
  if (elsewhere)
    ctl_say (_ ("warning: the node had its state in %s: change node.state of the profile, or always start it "
                "with --state"),
             restore->was);
  return ctl_done (ctl,
                   json_pack ("{s:s, s:s, s:s}", "state", restore->state, "profile", restore->profile, "made",
                              head_text (restore, "made")),
                   _ ("%s as of %s is in %s and %s; start it: farwatchd --profile %s%s%s"),
                   head_text (restore, "node"), head_text (restore, "made"), restore->state, restore->profile,
                   restore->profile, elsewhere ? " --state " : "", elsewhere ? restore->state : "");
}

int
ctl_restore (Ctl *ctl, int argc, char **argv)
{
  g_auto (Restore) restore = { .lock = -1 };
  const GOptionEntry entries[] = {
    { "profile", 0, 0, G_OPTION_ARG_FILENAME, &restore.profile, N_ ("where the profile goes, or is"),
      N_ ("FILE") },
    { "state", 0, 0, G_OPTION_ARG_FILENAME, &restore.state,
      N_ ("state directory; not needed for the packaged one and for that of the profile that is there"),
      N_ ("DIR") },
    { "key", 0, 0, G_OPTION_ARG_FILENAME, &restore.key,
      N_ ("folder of the box key that the backup is encrypted to"), N_ ("DIR") },
    { "password-stdin", 0, 0, G_OPTION_ARG_NONE, &restore.from_stdin, N_ ("read the passphrase from stdin"),
      NULL },
    { "replace", 0, 0, G_OPTION_ARG_NONE, &restore.replace, N_ ("put the node that is there aside"), NULL },
    { "begin-empty", 0, 0, G_OPTION_ARG_NONE, &restore.begin_empty,
      N_ ("a store was damaged: go on with what could be read of it; or it is missing: begin with an empty "
          "one"),
      NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 1))
    return ctl->status;
  if (restore.profile == NULL)
    return ctl_usage (ctl, "%s", _ ("say --profile FILE"));
  if (restore.begin_empty)
    return restore_begin_empty (ctl, restore.profile, restore.state, argc > 1 ? argv[1] : NULL);
  if (argc < 2)
    return ctl_usage (ctl, "%s", _ ("which FILE? `farctl backup FILE` made it"));
  return restore_run (ctl, &restore, argv[1]);
}
