/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header describes one parsed right and what can be asked of it alone. Plugins see only answers over
 * all rights (farwatch/right.h). [main] */
#pragma once
#include <farwatch/right.h>

#include "auth/hours.h"

typedef struct {
  char *id;
  char *who; /* "alice", "@group", "*", "local:NAME", "node:ID" */
  FarAction action;
  GPtrArray *object; /* GPatternSpec, one per part of the path */
  FarHours *hours;   /* NULL: any time */
  gint64 longest_us; /* 0: any length */
  GStrv from;        /* nets; NULL: anywhere */
  gboolean approval;
  gint64 until_us;  /* wall; 0: for ever */
  gboolean profile; /* stands in the profile: not to be changed at run time */
  json_t *json;     /* as written */
} FarRightRow;

/* What a right says to a question, worst to best; the best of all rights decides. */
typedef enum {
  FAR_SAYS_OTHER_PERSON,
  FAR_SAYS_OTHER_ACTION,
  FAR_SAYS_OTHER_OBJECT,
  FAR_SAYS_EXPIRED,
  FAR_SAYS_ADDRESS,
  FAR_SAYS_HOURS,
  FAR_SAYS_LENGTH,
  FAR_SAYS_APPROVAL,
  FAR_SAYS_YES
} FarSays;
const char *far_says_text (FarSays says);

/* The set in force, of FarRightRow; borrowed. */
GPtrArray *far_right_rows (void);
FarRightRow *far_right_row_parse (json_t *right, GError **error);
void far_right_row_free (FarRightRow *row);

gboolean far_right_row_is_for (const FarRightRow *row, const FarPrincipal *principal, gboolean via_node);
/* via_node: judge the node that vouches, instead of the person. parts: the object's path, cut. */
FarSays far_right_row_says (const FarRightRow *row, const FarPrincipal *principal, gboolean via_node,
                            FarAction action, char **parts, const FarCircumstances *how);
/* How much of an object a right shows its holder, whatever its action is. */
typedef enum {
  FAR_SHOWS_NOTHING,
  FAR_SHOWS_NAME, /* that it exists: the right covers something below it */
  FAR_SHOWS_ALL   /* the right covers it */
} FarShows;
FarShows far_right_row_shows (const FarRightRow *row, const FarPrincipal *principal, gboolean via_node,
                              char **parts, gint64 wall_us);
