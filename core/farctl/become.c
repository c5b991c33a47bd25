/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What root does in a folder of the daemon's user it does as that user: a link laid there leads it nowhere
 * that the user could not go alone. */
#include "config.h"

#include "ctl.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

gboolean
ctl_become (uid_t uid, gid_t gid, GError **error)
{
  if (geteuid () != 0 || uid == 0)
    return TRUE;
  if (setgroups (0, NULL) == 0 && setegid (gid) == 0 && seteuid (uid) == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
               _ ("this cannot be done as user %u: %s; run it as that user"), (guint) uid,
               g_strerror (errno));
  ctl_become_self ();
  return FALSE;
}

void
ctl_become_self (void)
{
  if (getuid () == 0 && (seteuid (0) != 0 || setegid (getgid ()) != 0))
    ctl_say (_ ("warning: what root may do is lost: %s"), g_strerror (errno));
}

/* ---- whose a folder is ---- */

static gboolean
enter_failed (GError **error, const char *what, const char *path)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "%s %s: %s", what, path, g_strerror (errno));
  return FALSE;
}

/* The last of the way who is not root: of links the one that they belong to, not where they lead. */
static void
owner_of_way (const char *path, CtlOwner *owner)
{
  g_autofree char *way = g_strdup (path);
  struct stat at;

  for (gsize i = 1; way[0] == '/' && i <= strlen (path); i++) {
    if (path[i] != '/' && path[i] != '\0')
      continue;
    way[i] = '\0';
    if (lstat (way, &at) == 0 && at.st_uid != 0)
      *owner = (CtlOwner){ at.st_uid, at.st_gid };
    way[i] = path[i];
  }
}

gboolean
ctl_become_owner (const char *folder, CtlOwner *owner, GError **error)
{
  g_autofree char *named = g_canonicalize_filename (folder, NULL);
  char *real = realpath (folder, NULL);
  struct stat at;

  if (real == NULL || stat (real, &at) != 0) {
    enter_failed (error, _ ("cannot read"), folder);
    free (real);
    return FALSE;
  }
  *owner = (CtlOwner){ at.st_uid, at.st_gid };
  if (at.st_uid == 0) {
    owner_of_way (real, owner);
    owner_of_way (named, owner);
  }
  free (real);
  return ctl_become (owner->uid, owner->gid, error);
}

gboolean
ctl_enter (const char *folder, int mode, CtlOwner *owner, GError **error)
{
  g_autofree char *path = g_canonicalize_filename (folder, NULL), *parent = g_path_get_dirname (path),
                  *there = g_strdup (path);

  while (!g_file_test (there, G_FILE_TEST_EXISTS)) {
    char *above = g_path_get_dirname (there);

    g_free (there);
    there = above;
  }
  if (!ctl_become_owner (there, owner, error))
    return FALSE;
  if (strcmp (there, path) == 0 || (g_mkdir_with_parents (parent, 0755) == 0 && g_mkdir (path, mode) == 0))
    return TRUE;
  enter_failed (error, _ ("cannot make"), path);
  ctl_become_self ();
  return FALSE;
}
