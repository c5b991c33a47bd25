/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state folder a node enrols into: whether it is this node's, what of it must not be written over. */
#include "config.h"

#include "enroll-place.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/trust.h>

#include "ctl-support/shared.h"

#define CERTIFICATE_MAX (64 * 1024)

/* ---- what is there ---- */

char *
enroll_place_certificate (const char *keys)
{
  g_autofree char *path = far_trust_path (keys, "node.crt");

  return far_small_file_follow (path, CERTIFICATE_MAX); /* root looks, and the folder may be another user's */
}

/* The name is read, nothing else is judged: it may have expired. */
static gboolean
place_is_of (const char *pem, const char *state, const char *node, const char *next, GError **error)
{
  g_autofree char *name = far_trust_node (pem, NULL);

  if (g_strcmp0 (name, node) == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
               _ ("%s belongs to node '%s', not to '%s': give each node a state folder of its own "
                  "(node.state in its profile)%s"),
               state, name != NULL ? name : "?", node, next);
  return FALSE;
}

gboolean
enroll_place_check (const char *state, const char *keys, const char *node, gboolean new_keys, GError **error)
{
  g_autofree char *authority = g_build_filename (state, "ca", "ca.key", NULL),
                  *pem = enroll_place_certificate (keys);

  if (g_file_test (authority, G_FILE_TEST_EXISTS)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
                 _ ("%s holds a fleet's authority, so it is a cloud server's: give this node a state folder "
                    "of its own (node.state in its profile)"),
                 state);
    return FALSE;
  }
  return pem == NULL || new_keys ||
         place_is_of (pem, state, node, _ ("; or --new-keys puts the old ones aside"), error);
}

/* The certificate of a server stays one: people reach it by that. */
gboolean
enroll_place_takes (const char *keys, const char *certificate, GError **error)
{
  g_autofree char *pem = enroll_place_certificate (keys);

  if (pem == NULL || !far_trust_is_for (pem, FAR_PURPOSE_NODE_SERVER) ||
      far_trust_is_for (certificate, FAR_PURPOSE_NODE_SERVER))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
               _ ("%s holds a server's certificate, and the one that came is a terminal's: kept the old one; "
                  "`farctl enroll approve NUMBER --dir CA --name HOST` makes a server's"),
               keys);
  return FALSE;
}

/* ---- new keys ---- */

/* They change places in one step; where the file system cannot do that, in two. */
static gboolean
place_exchange (const char *fresh, const char *keys, const char *aside)
{
  if (g_rename (fresh, aside) != 0)
    return FALSE;
  if (renameat2 (AT_FDCWD, aside, AT_FDCWD, keys, RENAME_EXCHANGE) == 0)
    return TRUE;
  if ((errno != EINVAL && errno != ENOSYS) || g_rename (aside, fresh) != 0)
    return FALSE;
  return g_rename (keys, aside) == 0 && g_rename (fresh, keys) == 0;
}

gboolean
enroll_place_swap (const char *fresh, const char *keys, char **aside, GError **error)
{
  g_autofree char *to = g_strdup_printf ("%s.%" G_GINT64_FORMAT, keys, far_clock_wall_us () / G_USEC_PER_SEC);

  if (!place_exchange (fresh, keys, to)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("%s cannot be put aside as %s: %s"), keys, to,
                 g_strerror (errno));
    return FALSE;
  }
  *aside = g_steal_pointer (&to);
  return TRUE;
}

/* ---- an authority's own server ---- */

static gboolean
place_is_of_fleet (const char *keys, const char *ca, GError **error)
{
  g_autofree char *root = g_build_filename (ca, "ca.crt", NULL), *kept = far_trust_path (keys, "ca.crt"),
                  *ours = far_trust_file_sha256 (root, NULL), *theirs = far_trust_file_sha256 (kept, NULL);

  if (theirs == NULL || g_strcmp0 (ours, theirs) == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
               _ ("%s holds certificates of another fleet: give this node a state folder of its own "
                  "(node.state in its profile), or move them away"),
               keys);
  return FALSE;
}

gboolean
enroll_place_server (const char *state, const char *keys, const char *ca, const char *node, GStrv *names,
                     GError **error)
{
  g_autofree char *pem = enroll_place_certificate (keys);

  if (pem == NULL)
    return TRUE;
  if (!place_is_of (pem, state, node, "", error) || !place_is_of_fleet (keys, ca, error))
    return FALSE;
  if (*names == NULL)
    *names = far_trust_names (pem, NULL);
  return TRUE;
}
