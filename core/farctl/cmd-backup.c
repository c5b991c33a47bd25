/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* farctl backup: the daemon copies its stores, then this packs the copies, the state directory and the
 * profile. So no passphrase goes to the daemon. */
#include "config.h"

#include "ctl.h"
#include "other-node.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/instance.h>

#include "ctl-support/backup.h"
#include "ctl-support/shared.h"

#define PATIENCE_S 120

typedef struct {
  FarBackupOut *out;
  const char *state;
  GPtrArray *places; /* files of the stores: their copies go in instead */
  struct stat self;  /* the backup itself */
  guint files;
} Packing;

/* ---- one file ---- */

static gboolean
pack_failed (GError **error, const char *path)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
               _ ("%s cannot be read: %s; run this as root or as the daemon's user"), path,
               g_strerror (errno));
  return FALSE;
}

static gboolean
pack_name_failed (GError **error, const char *path)
{
  g_autofree char *shown = g_filename_display_name (path);

  g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("%s: a name that is no text; rename it"), shown);
  return FALSE;
}

/* Exactly size bytes, whatever becomes of the file meanwhile. */
static gboolean
pack_bytes (Packing *packing, int fd, const char *path, guint64 size, GError **error)
{
  g_autofree guint8 *bytes = g_malloc (65536);

  while (size > 0) {
    gssize n = read (fd, bytes, (gsize) MIN (size, 65536));

    if (n < 0)
      return pack_failed (error, path);
    if (n == 0) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                   _ ("%s became shorter while it was read; try again"), path);
      return FALSE;
    }
    if (!far_backup_write (packing->out, bytes, (gsize) n, error))
      return FALSE;
    size -= (guint64) n;
  }
  return TRUE;
}

static gboolean
pack_file (Packing *packing, const char *path, const char *name, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  struct stat st;
  json_t *head;
  gboolean good;

  if (fd < 0 || fstat (fd, &st) != 0) {
    pack_failed (error, path);
    if (fd >= 0)
      close (fd);
    return FALSE;
  }
  head = json_pack ("{s:s, s:i}", "path", name, "mode", (int) (st.st_mode & 0777));
  good = head != NULL && far_backup_entry (packing->out, head, (guint64) st.st_size, error) &&
         pack_bytes (packing, fd, path, (guint64) st.st_size, error);
  if (head == NULL)
    pack_name_failed (error, path);
  json_decref (head);
  close (fd);
  packing->files++;
  return good;
}

/* ---- folders ---- */

static gboolean
is_of_a_store (const Packing *packing, const char *path)
{
  for (guint i = 0; i < packing->places->len; i++) {
    const char *place = packing->places->pdata[i];
    gsize size = strlen (place);

    if (strncmp (path, place, size) == 0 &&
        (path[size] == '\0' || strcmp (path + size, "-wal") == 0 || strcmp (path + size, "-shm") == 0 ||
         g_str_has_prefix (path + size, ".damaged") || g_str_has_prefix (path + size, ".salvage")))
      return TRUE;
  }
  return FALSE;
}

/* Of this moment or of this machine: copies, the daemon's lock and notes, what a restore put aside. */
static gboolean
stays_here (const Packing *packing, const char *path)
{
  static const char *const names[] = { "backups", "damaged", "missing", "lock", ".restore", ".restoring" };
  g_autofree char *folder = g_path_get_dirname (path), *name = g_path_get_basename (path);

  if (is_of_a_store (packing, path))
    return TRUE;
  if (strcmp (folder, packing->state) != 0)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (name, names[i]) == 0)
      return TRUE;
  return g_str_has_prefix (name, "before-restore-");
}

static gboolean pack_folder (Packing *packing, const char *path, const char *name, GError **error);

static gboolean
pack_any (Packing *packing, const char *path, const char *name, GError **error)
{
  struct stat st;

  if (stays_here (packing, path))
    return TRUE;
  if (lstat (path, &st) != 0)
    return errno == ENOENT || pack_failed (error, path);
  if (st.st_dev == packing->self.st_dev && st.st_ino == packing->self.st_ino)
    return TRUE;
  if (S_ISREG (st.st_mode))
    return pack_file (packing, path, name, error);
  if (S_ISDIR (st.st_mode) && other_node_is (path))
    ctl_say (_ ("%s is the state directory of another node and is left out: that one has backups of its own"),
             path);
  else if (S_ISDIR (st.st_mode))
    return pack_folder (packing, path, name, error);
  if (S_ISLNK (st.st_mode))
    ctl_say (_ ("warning: %s is a link and is left out"), path);
  return TRUE;
}

static gboolean
pack_folder (Packing *packing, const char *path, const char *name, GError **error)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  json_t *head = json_pack ("{s:s, s:b, s:i}", "path", name, "folder", 1, "mode", 0700);
  const char *inner;
  gboolean good;

  if (head == NULL)
    return pack_name_failed (error, path);
  if (dir == NULL) {
    json_decref (head);
    return pack_failed (error, path);
  }
  good = far_backup_entry (packing->out, head, 0, error);
  json_decref (head);
  while (good && (inner = g_dir_read_name (dir)) != NULL) {
    g_autofree char *below = g_build_filename (path, inner, NULL),
                    *named = g_strconcat (name, "/", inner, NULL);

    good = pack_any (packing, below, named, error);
  }
  return good;
}

/* ---- the node ---- */

static const char *
backup_text_of (json_t *object, const char *key)
{
  const char *text = json_string_value (json_object_get (object, key));

  return text != NULL ? text : "";
}

static gboolean
pack_head (Packing *packing, json_t *node, GError **error)
{
  g_autofree char *made = far_clock_format (far_clock_wall_us ());
  json_t *stores = json_object (), *head, *one;
  const char *name;
  gboolean good;

  json_object_foreach (json_object_get (node, "stores"), name, one)
    json_object_set_new (stores, name,
                         json_pack ("{s:O, s:O}", "type", json_object_get (one, "type"), "place",
                                    json_object_get (one, "place")));
  head = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "farwatch", "backup", "node",
                    backup_text_of (node, "node"), "version", backup_text_of (node, "version"), "made", made,
                    "profile", backup_text_of (node, "profile"), "state", backup_text_of (node, "state"),
                    "stores", stores);
  good = far_backup_entry (packing->out, head, 0, error);
  json_decref (head);
  return good;
}

static gboolean
pack_profile (Packing *packing, const char *path, GError **error)
{
  g_autofree char *file = g_path_get_basename (path), *name = g_strconcat ("profile/", file, NULL);
  g_autofree char *folder = g_strconcat (path, ".d", NULL), *below = g_strconcat (name, ".d", NULL);

  return pack_file (packing, path, name, error) &&
         (!g_file_test (folder, G_FILE_TEST_IS_DIR) || pack_folder (packing, folder, below, error));
}

static gboolean
pack_stores (Packing *packing, json_t *stores, GError **error)
{
  const char *name;
  json_t *one;

  json_object_foreach (stores, name, one) {
    g_autofree char *named = g_strconcat ("stores/", name, NULL);
    const char *copy = backup_text_of (one, "copy");

    if (!(g_file_test (copy, G_FILE_TEST_IS_DIR) ? pack_folder (packing, copy, named, error)
                                                 : pack_file (packing, copy, named, error)))
      return FALSE;
  }
  return TRUE;
}

/* The copies first: what refers to a row of the store must not be newer than the row. */
static gboolean
pack_node (Packing *packing, json_t *node, GError **error)
{
  json_t *one;
  const char *name;

  packing->state = backup_text_of (node, "state");
  if (!pack_head (packing, node, error) || !pack_profile (packing, backup_text_of (node, "profile"), error) ||
      !pack_stores (packing, json_object_get (node, "stores"), error))
    return FALSE;
  json_object_foreach (json_object_get (node, "stores"), name, one)
    g_ptr_array_add (packing->places, (gpointer) backup_text_of (one, "place"));
  return pack_folder (packing, packing->state, "state", error) && far_backup_end (packing->out, error);
}

/* ---- the file ---- */

typedef struct {
  const char *path;
  char *part; /* until it is whole */
  int fd;
  FarBackupOut *out;
} Output;

static void
output_clear (Output *output)
{
  g_clear_pointer (&output->out, far_backup_out_free);
  if (output->fd >= 0) {
    close (output->fd);
    g_unlink (output->part);
  }
  g_free (output->part);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Output, output_clear)

static gboolean
output_failed (GError **error, const char *path)
{
  g_set_error (
      error, FAR_ERROR, FAR_ERROR_FULL,
      _ ("%s cannot be made: %s; choose a place for it that is there, may be written to and has room"), path,
      g_strerror (errno));
  return FALSE;
}

/* Before anything is copied: what is wrong with the place or the passphrase comes up here. Nobody who laid a
 * file there can read along. */
static gboolean
output_open (Output *output, const FarBackupLock *lock, GError **error)
{
  struct stat there;

  if (lstat (output->path, &there) == 0 && !S_ISREG (there.st_mode)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID,
                 _ ("%s is no plain file, which a backup becomes; choose another name"), output->path);
    return FALSE;
  }
  output->part = g_strconcat (output->path, ".part", NULL);
  if (g_unlink (output->part) != 0 && errno != ENOENT)
    return output_failed (error, output->part);
  output->fd = open (output->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (output->fd < 0)
    return output_failed (error, output->path);
  output->out = far_backup_create (output->fd, lock, error);
  return output->out != NULL;
}

/* The file gets its name when it is whole. */
static gboolean
output_name (Output *output, GError **error)
{
  if (fsync (output->fd) != 0 || g_rename (output->part, output->path) != 0)
    return output_failed (error, output->path);
  close (output->fd);
  output->fd = -1;
  return TRUE;
}

/* Each backup would hold those before it. */
static gboolean
output_is_outside (const Output *output, const char *state, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (output->path);
  char *at = realpath (folder, NULL), *below = realpath (state, NULL);
  gsize size = below != NULL ? strlen (below) : 0;
  gboolean inside = at != NULL && below != NULL && strncmp (at, below, size) == 0 &&
                    (at[size] == '/' || at[size] == '\0');

  free (at);
  free (below);
  if (inside)
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
                 _ ("%s is below the state directory %s, which is what goes into it; choose another place"),
                 output->path, state);
  return !inside;
}

/* ---- the command ---- */

static int
backup_remove_one (const char *path, const struct stat *st G_GNUC_UNUSED, int type G_GNUC_UNUSED,
                   struct FTW *walk G_GNUC_UNUSED)
{
  return remove (path);
}

/* What the daemon says is not believed with more rights than it has itself: the kernel knows whose the other
 * end is. */
static gboolean
become_daemon (const Ctl *ctl, GError **error)
{
  struct ucred peer;
  socklen_t size = sizeof peer;

  if (getsockopt (ctl->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
    return ctl_become (peer.uid, peer.gid, error);
  g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("it cannot be told whose daemon this is: %s"),
               g_strerror (errno));
  return FALSE;
}

/* Only a folder of STATE/backups, whatever else the daemon calls its copies. */
static void
backup_copies_remove (json_t *node)
{
  g_autofree char *path = g_canonicalize_filename (backup_text_of (node, "path"), "/"),
                  *folder = g_path_get_dirname (path);
  g_autofree char *backups = g_build_filename (backup_text_of (node, "state"), "backups", NULL),
                  *wanted = g_canonicalize_filename (backups, "/");

  if (strcmp (folder, wanted) == 0)
    nftw (path, backup_remove_one, 8, FTW_DEPTH | FTW_PHYS);
  else
    ctl_say (_ ("warning: the copies in %s are left: they are not below %s"), path, wanted);
}

static gboolean
backup_write (Output *output, json_t *node, guint *files, GError **error)
{
  g_autoptr (GPtrArray) places = g_ptr_array_new ();
  Packing packing = { .out = output->out, .places = places };
  GError *local = NULL;
  gboolean good = output_is_outside (output, backup_text_of (node, "state"), error) &&
                  (fstat (output->fd, &packing.self) == 0 || output_failed (error, output->path));

  if (!good)
    return FALSE;
  good = pack_node (&packing, node, &local);
  *files = packing.files;
  if (!good && g_error_matches (local, FAR_ERROR, FAR_ERROR_FULL))
    g_prefix_error (&local, "%s: ", output->path);
  if (!good)
    g_propagate_error (error, local);
  return good;
}

static gboolean
backup_pack (Ctl *ctl, Output *output, guint *files, GError **error)
{
  json_t *node = ctl_call (ctl, "POST", "backup", NULL, error);
  gboolean good;

  if (node == NULL)
    return FALSE;
  good = become_daemon (ctl, error);
  if (good) {
    good = backup_write (output, node, files, error);
    backup_copies_remove (node);
    ctl_become_self ();
  }
  json_decref (node);
  return good && output_name (output, error);
}

static gboolean
backup_lock (const char *to, gboolean encrypt, gboolean from_stdin, FarBackupLock *lock, guint8 *open,
             char **passphrase, GError **error)
{
  lock->mode = to != NULL ? FAR_BACKUP_BOX : encrypt ? FAR_BACKUP_PASSPHRASE : FAR_BACKUP_PLAIN;
  if (to != NULL && !far_seal_box_parse (to, open)) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID,
                         _ ("--to: no box key; `farctl credential keys DIR` makes one and prints it"));
    return FALSE;
  }
  lock->open = to != NULL ? open : NULL;
  if (encrypt)
    lock->passphrase = *passphrase = ctl_secret (from_stdin, _ ("passphrase of the backup"), TRUE, error);
  return !encrypt || *passphrase != NULL;
}

static int
backup_run (Ctl *ctl, const char *path, const FarBackupLock *lock)
{
  g_auto (Output) output = { .path = path, .fd = -1 };
  GError *error = NULL;
  guint files = 0;

  ctl->patience_s = PATIENCE_S;
  if (!output_open (&output, lock, &error) || !backup_pack (ctl, &output, &files, &error))
    return ctl_fail (ctl, error);
  if (lock->mode == FAR_BACKUP_PLAIN)
    ctl_say (_ ("warning: %s is not encrypted and holds the node's keys; --encrypt or --to KEY protects it"),
             path);
  return ctl_done (ctl, json_pack ("{s:s, s:i}", "path", path, "files", (int) files),
                   _ ("%u files of this node are in %s"), files, path);
}

int
ctl_backup (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *to = NULL;
  char *passphrase = NULL;
  gboolean encrypt = FALSE, from_stdin = FALSE;
  const GOptionEntry entries[] = {
    { "encrypt", 0, 0, G_OPTION_ARG_NONE, &encrypt, N_ ("to a passphrase, which is asked for"), NULL },
    { "password-stdin", 0, 0, G_OPTION_ARG_NONE, &from_stdin, N_ ("read the passphrase from stdin"), NULL },
    { "to", 0, 0, G_OPTION_ARG_STRING, &to,
      N_ ("encrypt to this box key, as `farctl credential keys DIR` prints it"), N_ ("KEY") },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };
  guint8 open[FAR_BACKUP_KEY];
  FarBackupLock lock = { 0 };
  GError *error = NULL;
  int status;

  if (!ctl_args (ctl, entries, &argc, &argv, 1, 1))
    return ctl->status;
  if (ctl->server != NULL)
    return ctl_usage (
        ctl, "%s",
        _ ("a backup is made on the node's own machine, as root or as the daemon's user; not with --server"));
  if (encrypt && to != NULL)
    return ctl_usage (ctl, "%s", _ ("say --encrypt or --to, not both"));
  if (to != NULL && from_stdin)
    return ctl_usage (ctl, "%s", _ ("--to needs no passphrase; leave --password-stdin out"));
  if (!backup_lock (to, encrypt || from_stdin, from_stdin, &lock, open, &passphrase, &error))
    return ctl_fail (ctl, error);
  status = backup_run (ctl, argv[1], &lock);
  far_secret_free (passphrase);
  return status;
}
