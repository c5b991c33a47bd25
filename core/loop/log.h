/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares where log lines go, what a test may hook to see them, and when a repeated complaint
 * is due; plugins log by their instance (farwatch/instance.h). */
#pragma once
#include <farwatch/instance.h>
#include <jansson.h>

/* Reads $JOURNAL_STREAM and takes over GLib's own messages. debug: show them too. [main, at start] */
void far_log_open (gboolean debug);
/* Each line also goes here (tests); NULL ends it. func: [any thread]. */
void far_log_set_sink (void (*func) (GLogLevelFlags level, const char *path, const char *text, gpointer user),
                       gpointer user);
/* A line without an instance, path may be NULL. [any thread] */
void far_log_line (GLogLevelFlags level, const char *path, const char *text);
/* {word: how many}; new. [any thread] */
json_t *far_counts_json (void);
/* TRUE when a complaint of this kind (its format) under this key is due now; *more: how many were swallowed
 * since. [any thread] */
gboolean far_log_limit_due (const char *path, const char *kind, const char *key, guint *more);
