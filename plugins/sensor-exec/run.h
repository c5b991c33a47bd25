/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One run of a program: never through a shell, in a process group of its own, with a limit on time and
 * output. [main] */
#pragma once
#include <farwatch/plugin.h>

#define RUN_OUTPUT_MAX (64 * 1024)

typedef struct _Run Run;

typedef struct {
  gboolean timed_out;
  int status;         /* as from waitpid(); meaningless when timed out */
  const char *output; /* stdout, at most 64 KiB */
  gsize output_size;
  const char *errors; /* stderr, terminated, at most 4 KiB */
} RunResult;

/* done comes once unless run_stop() was called; the run is gone then. NULL with error: it could not be
 * started. */
Run *run_start (FarInstance *at, char *const *argv, gint64 timeout_us,
                void (*done) (const RunResult *result, gpointer user), gpointer user, GError **error);
/* Kills the group; done does not come. */
void run_stop (Run *run);
