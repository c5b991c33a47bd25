/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A whole profile, checked against the options of the plugins that were built ($FARWATCH_PLUGIN_DIR).
 * parses: core/profile/tree-read.c core/profile/tree.c core/profile/profile.c core/profile/profile-node.c
 * core/profile/profile-instances.c core/profile/profile-refs.c core/profile/option-parse.c
 *   core/profile/option-check.c */
#include "config.h"

#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "profile/fault.h"
#include "profile/profile.h"

/* A profile is read from a file. */
static char *
file_with (const guint8 *data, gsize size, int *fd)
{
  *fd = memfd_create ("profile.yaml", MFD_CLOEXEC);
  g_assert_cmpint (*fd, >=, 0);
  g_assert_cmpint (write (*fd, data, size), ==, size);
  return g_strdup_printf ("/proc/self/fd/%d", *fd);
}

gboolean
fuzz_one (const guint8 *data, gsize size)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = NULL;
  g_autofree char *path = NULL, *text = NULL;
  json_t *shown;
  int fd;

  path = file_with (data, size, &fd);
  profile = far_profile_load (path, NULL, faults);
  close (fd);
  g_assert_true ((profile == NULL) == (far_faults_errors (faults) > 0));
  text = far_faults_text (faults);
  g_assert_true (g_utf8_validate (text, -1, NULL));
  json_decref (far_faults_json (faults));
  if (profile == NULL)
    return FALSE;
  shown = far_profile_effective (profile);
  g_assert_true (json_is_object (shown));
  json_decref (shown);
  json_decref (far_profile_missing (profile));
  return TRUE;
}
