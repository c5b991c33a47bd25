/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node inside the test program, and waiting for it. */
#pragma once
#include <farwatch/plugin.h>

char *node_fresh_dir (void);  /* caller frees the name */
void node_remove_dirs (void); /* all that were made */
/* Starts what the profile says; body: what follows the lines farwatch and node. Waits until all instances
 * have been tried. */
void node_open (const char *dir, const char *id, const char *body);
void node_close (void);
/* Runs the main context until done() or 60 s. */
void node_until (gboolean (*done) (gpointer data), gpointer data);
/* Runs it for so long. */
void node_for_ms (guint ms);

/* A request whose end can be waited for. */
typedef struct {
  FarRequest *req;
  gboolean ended;
  GError *error;
  gpointer result;
} Wait;
Wait *wait_new (void);
void wait_for (Wait *wait);
void wait_free (Wait *wait, GDestroyNotify free_result);
/* Waits; the result, taken. Its error goes to *error, or fails the test. Frees wait. */
gpointer wait_result (Wait *wait, GError **error);
