/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A notifier: a line in a file for each event that begins, gets worse or is over. The file is written by a
 * thread, as a disk may be slow; the request ends when the line is in it, and core asks again if it failed.
 */
#define FAR_PLUGIN_LICENSE "LGPL-2.1-or-later"
#include <farwatch/plugin.h>

#include <stdio.h>

#define LANE "notifier-file"
#define WAITING_MAX 100 /* one of each instance at a time */

typedef struct {
  char *path;
} FileOptions;

typedef struct {
  FarInstance *at;
} File;

typedef struct {
  char *path, *line;
} Note;

static void
note_free (gpointer data)
{
  Note *note = data;

  g_free (note->path);
  g_free (note->line);
  g_free (note);
}

/* [executor] */
static void
note_write (FarRequest *req, gpointer data)
{
  Note *note = data;
  FILE *file = fopen (note->path, "ae");
  gboolean good = file != NULL && fputs (note->line, file) >= 0;

  if (file != NULL && fclose (file) != 0)
    good = FALSE;
  if (good)
    far_request_done (req, NULL, NULL);
  else
    far_request_fail_new (req, FAR_ERROR_FULL,
                          _ ("cannot write to %s: is there such a folder, and room on its disk?"),
                          note->path);
}

static void
file_notify (gpointer data, const FarEvent *event, FarRequest *req)
{
  const FileOptions *options = far_instance_options (((File *) data)->at);
  g_autofree char *time = far_clock_format (event->time_us);
  Note *note = g_new0 (Note, 1);

  note->path = g_strdup (options->path);
  note->line = g_strdup_printf ("%s %s %s %s: %s\n", time,
                                event->recovered ? "over" : far_severity_name (event->severity), event->path,
                                event->key, event->text);
  far_run_blocking (LANE, WAITING_MAX, note_write, note, note_free, req);
}

static gboolean
file_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((File *) data)->at = at;
  return TRUE;
}

static gboolean
file_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  far_instance_ready (((File *) data)->at);
  return TRUE;
}

static const FarOption file_options[] = {
  { .name = "path",
    .type = FAR_OPT_PATH,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (FileOptions, path),
    .fallback = "notices.log",
    .summary = N_ ("file that gets a line for each event") },
  { .type = FAR_OPT_END },
};

static const FarNotifierType file_type = {
  .type = { .kind = FAR_KIND_NOTIFIER,
            .name = "file",
            .summary = N_ ("a line in a file for each event"),
            .instance_size = sizeof (File),
            .options_size = sizeof (FileOptions),
            .options = file_options,
            .init = file_init,
            .start = file_start },
  .notify = file_notify,
};

FAR_PLUGIN ("notifier-file", "0.1", "notifier/file", "", &file_type.type)
