/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A consistent copy of the store, below STATE/backups. */
#include "config.h"

#include "access.h"

#include <glib/gstdio.h>

typedef struct { AccessLife *life; FarCall *call; char *path; } Backup;

static void
backup_done (FarRequest *req, gpointer user)
{
  Backup *backup = user;
  const GError *error = far_request_error (req);
  if (backup->life->self && error)
    far_call_fail (backup->call, g_error_copy (error));
  else if (backup->life->self)
    far_call_answer (backup->call, 200, json_pack ("{s:s}", "path", backup->path));
  access_life_unref (backup->life);
  g_free (backup->path);
  g_free (backup);
}

void
access_backup_post (gpointer data, FarCall *call)
{
  Access *self = data;
  const char *name = access_text (call->body, "name");
  g_autofree char *folder = far_node_path ("backups"), *time = g_strdup_printf ("%" G_GINT64_FORMAT, far_clock_wall_us () / G_USEC_PER_SEC);
  if (name && !access_name_fits (name)) {
    far_call_fail_new (call, FAR_ERROR_INVALID, _("name: 1 to 64 of A-Z a-z 0-9 . _ -"));
    return;
  }
  g_mkdir_with_parents (folder, 0700);
  Backup *backup = g_new0 (Backup, 1);
  *backup = (Backup){ access_life_ref (self->life), call, g_build_filename (folder, name ? name : time, NULL) };
  far_store_snapshot (access_opts (self)->store, backup->path, far_request_new (backup_done, backup, 0));
}
