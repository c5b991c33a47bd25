/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is at the other end of the control socket: the kernel says, and it says the groups as well (no look-up
 * over the network). */
#include "config.h"

#include "node/control.h"
#include "node/local-name.h"

#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

static gboolean
who_group (gid_t *gid)
{
  char buffer[16384];
  struct group entry, *found = NULL;

  if (getgrnam_r (FAR_CONTROL_GROUP, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
    return FALSE;
  *gid = entry.gr_gid;
  return TRUE;
}

static gboolean
who_is_member (int fd, const struct ucred *peer)
{
  gid_t wanted, groups[1024];
  socklen_t size = sizeof groups;

  if (!who_group (&wanted))
    return FALSE;
  if (peer->gid == wanted)
    return TRUE;
  if (getsockopt (fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
    return FALSE;
  for (guint i = 0; i < size / sizeof (gid_t); i++)
    if (groups[i] == wanted)
      return TRUE;
  return FALSE;
}

FarPrincipal *
far_control_who (int fd, guint *uid)
{
  struct ucred peer = { .uid = (uid_t) -1 };
  socklen_t size = sizeof peer;
  g_autofree char *name = NULL;
  FarPrincipal *principal;
  gboolean known = getsockopt (fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  gboolean super;

  *uid = peer.uid;
  if (!known)
    return far_principal_new (FAR_PRINCIPAL_NONE, NULL, NULL, NULL);
  name = far_local_name (peer.uid);
  super = peer.uid == 0 || peer.uid == geteuid ();
  if (!super && !who_is_member (fd, &peer))
    return far_principal_new (FAR_PRINCIPAL_NONE, name, NULL, NULL);
  principal = far_principal_new (FAR_PRINCIPAL_LOCAL, name, NULL, NULL);
  principal->super = super;
  return principal;
}
