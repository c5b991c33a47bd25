/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small files that must survive a power cut: written on an executor, as an fsync() takes as long as the disk
 * likes. */
#include "config.h"

#include <farwatch/request.h>

#include <farwatch/error.h>
#include <farwatch/i18n.h>
#include <farwatch/thread.h>

#define LANE "files"
#define WAITING_MAX 64

typedef struct {
  char *path, *text;
  int mode;
} FileWriteJob;

static void
writing_free (gpointer data)
{
  FileWriteJob *writing = data;

  g_free (writing->path);
  g_free (writing->text);
  g_free (writing);
}

static void
write_work (FarRequest *req, gpointer data)
{
  const FileWriteJob *writing = data;
  g_autoptr (GError) error = NULL;

  if (g_file_set_contents_full (writing->path, writing->text, -1,
                                G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, writing->mode,
                                &error))
    far_request_done (req, NULL, NULL);
  else
    far_request_fail_new (req, FAR_ERROR_FULL, _ ("cannot record: %s; make room or make it writable"),
                          error->message);
}

void
far_write_file (const char *path, const char *text, int mode, FarRequest *req)
{
  FAR_ON_MAIN ();
  FileWriteJob *writing = g_new (FileWriteJob, 1);

  *writing = (FileWriteJob){ g_strdup (path), g_strdup (text), mode };
  far_run_blocking (LANE, WAITING_MAX, write_work, writing, writing_free, req);
}
