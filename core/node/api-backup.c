/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POST backup: a consistent copy of each store below STATE/backups, for who packs the rest of the node around
 * it. */
#include "config.h"

#include "node/api-private.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

#include <glib/gstdio.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/store.h>
#include <farwatch/trust.h>
#include <farwatch/version.h>

#include "life/instance-private.h"
#include "life/node.h"

/* Folders without a name of their own are for one caller, who takes them away; named ones are kept. */
#define ONCE "once-"

typedef struct {
  FarCall *call;
  char *folder;
  GPtrArray *names; /* of the stores */
  guint at;         /* the one that is being copied */
  json_t *stores;   /* name → {type, copy, place} */
} Backup;

static void backup_next (Backup *backup);

static void
backup_free (Backup *backup)
{
  g_free (backup->folder);
  g_ptr_array_unref (backup->names);
  json_decref (backup->stores);
  g_free (backup);
}

static int
api_backup_remove_one (const char *path, const struct stat *st G_GNUC_UNUSED, int type G_GNUC_UNUSED,
                       struct FTW *walk G_GNUC_UNUSED)
{
  return remove (path);
}

/* Copies are as clear as the store is: none stays that nobody will fetch. */
static void
api_backup_copies_remove (const char *folder)
{
  nftw (folder, api_backup_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
backup_copied (FarRequest *req, gpointer user)
{
  Backup *backup = user;
  const char *name = backup->names->pdata[backup->at];
  g_autofree char *path = g_strconcat ("stores.", name, NULL),
                  *copy = g_build_filename (backup->folder, name, NULL);
  const FarInstance *at = far_instances_by_path (path);

  if (far_request_error (req) != NULL) {
    api_backup_copies_remove (backup->folder);
    far_call_fail (backup->call, g_error_copy (far_request_error (req)));
    backup_free (backup);
    return;
  }
  json_object_set_new (backup->stores, name,
                       json_pack ("{s:s, s:s, s:s*}", "type", at != NULL ? at->configured->type_name : "",
                                  "copy", copy, "place", (const char *) far_request_result (req)));
  backup->at++;
  backup_next (backup);
}

static void
backup_next (Backup *backup)
{
  g_autofree char *copy = NULL;

  if (backup->at < backup->names->len) {
    copy = g_build_filename (backup->folder, (const char *) backup->names->pdata[backup->at], NULL);
    far_store_snapshot (backup->names->pdata[backup->at], copy, far_request_new (backup_copied, backup, 0));
    return;
  }
  far_call_answer (backup->call, 200,
                   json_pack ("{s:s, s:s, s:s, s:s, s:s, s:O}", "path", backup->folder, "node",
                              far_node_id (), "version", far_version (), "state", far_node_state_dir (),
                              "profile", far_node_profile ()->path, "stores", backup->stores));
  backup_free (backup);
}

static GPtrArray *
store_names (void)
{
  GPtrArray *all = far_instances_all (), *names = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < all->len; i++) {
    const FarInstance *at = all->pdata[i];

    if (at->kind == FAR_KIND_STORE)
      g_ptr_array_add (names, g_strdup (at->name));
  }
  return names;
}

static void
backup_post (gpointer self, FarCall *call)
{
  const char *name = json_string_value (json_object_get (call->body, "name"));
  g_autofree char *parent = far_node_path ("backups"), *random = far_random_text (12),
                  *once = g_strconcat (ONCE, random, NULL);
  g_autofree char *folder = g_build_filename (parent, name != NULL ? name : once, NULL);
  Backup *backup;

  g_mkdir_with_parents (parent, 0700);
  if (g_mkdir (folder, 0700) != 0) {
    far_call_fail_new (call, errno == EEXIST ? FAR_ERROR_CONFLICT : FAR_ERROR_FULL,
                       _ ("%s cannot be made: %s; choose another name, or make room"), folder,
                       g_strerror (errno));
    return;
  }
  backup = g_new0 (Backup, 1);
  *backup = (Backup){ .call = call,
                      .folder = g_steal_pointer (&folder),
                      .names = store_names (),
                      .stores = json_object () };
  backup_next (backup);
}

void
far_api_backup_start (void)
{
  g_autofree char *parent = far_node_path ("backups");
  g_autoptr (GDir) dir = g_dir_open (parent, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *folder = g_build_filename (parent, name, NULL);

    if (g_str_has_prefix (name, ONCE))
      api_backup_copies_remove (folder);
  }
}

static const FarField backup_body[] = {
  { "name", FAR_FIELD_NAME, FALSE, N_ ("name of the folder with the copies") }, { NULL }
};

const FarHandler far_api_backup_handlers[] = {
  { "POST", "backup", FAR_ACTION_MANAGE, "node", backup_body, 0, backup_post,
    N_ ("copy each store, as it is now") },
  { NULL },
};
