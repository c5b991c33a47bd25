/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file keeps what a running node has once: its profile in force, the place of its control socket, and
 * the lock of its state directory, which keeps a second daemon out and refuses a directory in which a
 * restore was broken off. */
#include "config.h"

#include "life/node.h"

#include "base/node-part.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock-private.h"
#include "base/node-identity.h"

typedef struct {
  FarProfile *profile;
  int lock;
} NodeOpen;

static void
node_open_init (gpointer part)
{
  ((NodeOpen *) part)->lock = -1;
}

static void
node_clear (gpointer part)
{
  far_node_close ();
}

static NodeOpen *
node (void)
{
  static const FarNodePart part = { FAR_PART_NODE, sizeof (NodeOpen), node_open_init, node_clear };

  return far_node_part (&part);
}

FarProfile *
far_node_profile (void)
{
  return node ()->profile;
}

const char *
far_node_control (void)
{
  return node ()->profile != NULL ? node ()->profile->node->control : NULL;
}

void
far_node_set_profile (FarProfile *profile)
{
  FarProfile *old = node ()->profile;

  node ()->profile = far_profile_ref (profile);
  far_profile_unref (old);
}

/* Half of one node and half of another is none. */
static gboolean
is_whole (GError **error)
{
  g_autofree char *path = far_node_path (FAR_RESTORING);

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("%s: a restore was broken off here; as root, `farctl restore %s FILE` with the same file "
                  "makes it whole"),
               far_node_state_dir (), far_node_words ());
  return FALSE;
}

static gboolean
take_lock (GError **error)
{
  g_autofree char *path = far_node_path ("lock");

  node ()->lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (node ()->lock < 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("%s cannot be made: %s; the state directory must be writable for the daemon's user"),
                 path, g_strerror (errno));
    return FALSE;
  }
  if (flock (node ()->lock, LOCK_EX | LOCK_NB) == 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
               _ ("%s is in use by another farwatchd; stop it, or give this one another state directory"),
               far_node_state_dir ());
  return FALSE;
}

gboolean
far_node_open (FarProfile *profile, GError **error)
{
  far_node_identity_set (profile->node->id, profile->node->state);
  far_node_words_set (profile->path, profile->state_given ? profile->node->state : NULL);
  far_node_set_profile (profile);
  if (g_mkdir_with_parents (far_node_state_dir (), 0700) != 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("the state directory %s cannot be made: %s"),
                 far_node_state_dir (), g_strerror (errno));
    return FALSE;
  }
  if (!take_lock (error) || !is_whole (error))
    return FALSE;
  far_clock_begin ();
  return TRUE;
}

void
far_node_close (void)
{
  g_clear_pointer (&node ()->profile, far_profile_unref);
  if (node ()->lock >= 0)
    close (node ()->lock);
  node ()->lock = -1;
  far_node_identity_set (NULL, NULL);
  far_node_words_set (NULL, NULL);
}
