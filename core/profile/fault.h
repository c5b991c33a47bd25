/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faults of a profile: all of them are collected, then shown with place, source line and caret. */
#pragma once
#include <glib.h>
#include <jansson.h>

#include "profile/tree.h"

/* FORMER: a warning of what was written for an older farwatch and still works. */
typedef enum { FAR_FAULT_ERROR, FAR_FAULT_WARNING, FAR_FAULT_FORMER } FarFaultKind;

typedef struct {
  FarFaultKind kind;
  char *file;         /* NULL: no place at all */
  guint file_rank;    /* order of reading */
  guint line, column; /* one-based; 0: the whole file */
  char *message;
  char *excerpt; /* source line and caret line, each with its newline; NULL: none */
} FarFault;

/* To be given to g_ptr_array_unref(). */
GPtrArray *far_faults_new (void);
/* At the place of node. NULL: no place. */
void far_fault_add (GPtrArray *faults, FarFaultKind kind, const FarYaml *node, const char *format, ...)
    G_GNUC_PRINTF (4, 5);
/* At a place of a source; line 0: the whole file. */
void far_fault_add_at (GPtrArray *faults, FarFaultKind kind, FarSource *source, guint line, guint column,
                       const char *format, ...) G_GNUC_PRINTF (6, 7);
guint far_faults_errors (GPtrArray *faults);
/* "FILE:LINE: message" of each FORMER one, NULL-terminated; caller frees. */
GStrv far_faults_former (GPtrArray *faults);
/* By file, line, column; in the order found where these are equal. */
void far_faults_sort (GPtrArray *faults);
/* Everything a person reads, at most 50 faults and a line that says how many more. Caller frees. */
char *far_faults_text (GPtrArray *faults);
/* [{"file","line","column","severity","message"}] */
json_t *far_faults_json (GPtrArray *faults);
