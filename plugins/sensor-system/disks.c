/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file asks how full the file systems are. The calls may hang on a dead server or disk, so they run
 * on an executor and their result comes back as a whole. */
#include "config.h"

#include "disks.h"

#include <errno.h>
#include <mntent.h>
#include <string.h>
#include <sys/statvfs.h>

static void
reading_free (gpointer data)
{
  DiskReading *reading = data;

  g_free (reading->mount);
  g_free (reading->fault);
  g_free (reading);
}

/* As df: what only root may still use counts as gone. */
static void
reading_take (DiskReading *reading)
{
  struct statvfs stat;
  double total;

  if (statvfs (reading->mount, &stat) != 0 || stat.f_blocks == 0) {
    reading->fault = g_strdup_printf ("cannot read the file system at %s: %s", reading->mount,
                                      g_strerror (errno));
    return;
  }
  total = (double) (stat.f_blocks - stat.f_bfree + stat.f_bavail);
  reading->used = total > 0 ? 100.0 * (double) (stat.f_blocks - stat.f_bfree) / total : 100.0;
  reading->free = (gint64) (stat.f_bavail * stat.f_frsize);
}

static gboolean
may_hang (const char *type)
{
  static const char *const remote[] = {
    "nfs", "cifs", "smb", "fuse", "9p", "ceph", "afs", "glusterfs", NULL
  };

  for (guint i = 0; remote[i] != NULL; i++)
    if (g_str_has_prefix (type, remote[i]))
      return TRUE;
  return FALSE;
}

static gboolean
is_below (const char *path, const char *mount)
{
  gsize size = strlen (mount);

  return g_str_has_prefix (path, mount) &&
         (path[size] == '\0' || path[size] == '/' || (size > 0 && mount[size - 1] == '/'));
}

/* Type of the file system that the path is on: of the longest mount point above it, taken from the list,
 * which never hangs. */
static char *
type_of (const char *path)
{
  FILE *mounts = setmntent ("/proc/self/mounts", "re");
  struct mntent entry;
  char text[2048], *type = g_strdup ("");
  gsize longest = 0;

  while (mounts != NULL && getmntent_r (mounts, &entry, text, sizeof text) != NULL)
    if (is_below (path, entry.mnt_dir) && strlen (entry.mnt_dir) >= longest) {
      longest = strlen (entry.mnt_dir);
      g_free (type);
      type = g_strdup (entry.mnt_type);
    }
  if (mounts != NULL)
    endmntent (mounts);
  return type;
}

static void
disks_work (FarRequest *req, gpointer data)
{
  GPtrArray *list = g_ptr_array_new_with_free_func (reading_free);

  for (char **mount = data; *mount != NULL && list->len < DISKS_MAX; mount++) {
    DiskReading *reading = g_new0 (DiskReading, 1);
    g_autofree char *type = type_of (*mount);

    reading->mount = g_strdup (*mount);
    if (may_hang (type))
      reading->fault =
          g_strdup_printf ("%s is on a %s file system, which can hang: not read; take it out of `disks`",
                           *mount, type);
    else
      reading_take (reading);
    g_ptr_array_add (list, reading);
  }
  far_request_done (req, list, (GDestroyNotify) g_ptr_array_unref);
}

static void
mounts_free (gpointer data)
{
  g_strfreev (data);
}

void
disks_ask (const char *executor, char *const *mounts, FarRequest *req)
{
  far_run_blocking (executor, 1, disks_work, g_strdupv ((char **) mounts), mounts_free, req);
}
