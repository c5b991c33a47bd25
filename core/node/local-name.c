/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The machine's own look-up says who a local user is. It may ask a network (LDAP, SSSD), so that many names
 * are looked up on an executor of their own. */
#include "config.h"

#include "node/local-name.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/i18n.h>

#include "node/control.h"
#include "reach/users.h"

#define LANE "names"
#define WAITING_MAX 64
#define NAMES_MAX 500
#define GROUPS_MAX 1024

/* Of a uid without a name. Nobody is taken for one by being called so. */
#define NAMELESS "uid-"

char *
far_local_name (unsigned uid)
{
  char buffer[4096];
  struct passwd entry, *found = NULL;

  if (uid == 0)
    return g_strdup ("root");
  if (getpwuid_r (uid, &entry, buffer, sizeof buffer, &found) == 0 && found != NULL &&
      !g_str_has_prefix (entry.pw_name, NAMELESS))
    return g_strdup (entry.pw_name);
  return g_strdup_printf (NAMELESS "%u", uid);
}

/* ---- one name ---- */

static gboolean
name_in_group (const char *name, gid_t own, const char *group)
{
  char buffer[16384];
  struct group entry, *found = NULL;
  gid_t groups[GROUPS_MAX];
  int n = GROUPS_MAX;

  if (getgrnam_r (group, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
    return FALSE;
  if (getgrouplist (name, own, groups, &n) < 0)
    return TRUE; /* of more groups than can be looked at */
  for (int i = 0; i < n; i++)
    if (groups[i] == entry.gr_gid)
      return TRUE;
  return FALSE;
}

char *
far_local_name_odd (const char *name, const char *group)
{
  char buffer[4096];
  struct passwd entry, *found = NULL;
  int cause = getpwnam_r (name, &entry, buffer, sizeof buffer, &found);
  g_autofree char *known = NULL;

  if (found == NULL && g_str_has_prefix (name, NAMELESS))
    return NULL; /* of a number that has no name there is nothing to look up */
  if (found == NULL)
    return cause == 0 ? g_strdup_printf (_ ("this machine has no user %s now"), name) : NULL;
  known = far_local_name (entry.pw_uid);
  if (strcmp (known, name) != 0)
    return g_strdup_printf (_ ("user %s of this machine is known as %s here, which has the same number"),
                            name, known);
  if (entry.pw_uid == 0 || entry.pw_uid == geteuid ())
    return NULL; /* may all */
  if (!name_in_group (name, entry.pw_gid, group))
    return g_strdup_printf (_ ("user %s may not use the control socket: usermod -aG %s %s"), name, group,
                            name);
  return NULL;
}

/* ---- all of some rights ---- */

static void
names_work (FarRequest *req, gpointer data)
{
  char **names = data;
  json_t *odd = json_object ();

  for (; *names != NULL && !far_request_ended (req); names++) {
    g_autofree char *text = far_local_name_odd (*names, FAR_CONTROL_GROUP);

    if (text != NULL)
      json_object_set_new (odd, *names, json_string (text));
  }
  far_request_done (req, odd, far_json_free);
}

static void
names_free (gpointer names)
{
  g_strfreev (names);
}

void
far_local_names_odd (json_t *rights, FarRequest *req)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  json_t *right;
  size_t i;

  json_array_foreach (rights, i, right) {
    const char *who = json_string_value (json_object_get (right, "who"));

    if (who != NULL && g_str_has_prefix (who, "local:") && g_hash_table_size (names) < NAMES_MAX)
      g_hash_table_add (names, (gpointer) (who + strlen ("local:")));
  }
  if (g_hash_table_size (names) == 0) {
    far_request_done (req, json_object (), far_json_free);
  } else {
    g_autofree const char **list = (const char **) g_hash_table_get_keys_as_array (names, NULL);

    far_run_blocking (LANE, WAITING_MAX, names_work, g_strdupv ((char **) list), names_free, req);
  }
}
