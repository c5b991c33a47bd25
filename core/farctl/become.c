/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What root does in a folder of the daemon's user it does as that user: a link laid there leads it nowhere that the user could not go alone. */
#include "config.h"

#include "ctl.h"

#include <errno.h>
#include <grp.h>
#include <unistd.h>

gboolean
ctl_become (uid_t uid, gid_t gid, GError **error)
{
  if (geteuid () != 0 || uid == 0)
    return TRUE;
  if (setgroups (0, NULL) == 0 && setegid (gid) == 0 && seteuid (uid) == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _("this cannot be done as user %u: %s; run it as that user"), (guint) uid, g_strerror (errno));
  ctl_become_self ();
  return FALSE;
}

void
ctl_become_self (void)
{
  if (getuid () == 0 && (seteuid (0) != 0 || setegid (getgid ()) != 0))
    ctl_say (_("warning: what root may do is lost: %s"), g_strerror (errno));
}
