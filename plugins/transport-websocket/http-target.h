/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Request targets and hosts (RFC 9112 section 3.2, RFC 3986). [any thread] */
#pragma once
#include <glib.h>

/* Pieces of the target's text. */
typedef struct {
  const char *host; /* with its port; NULL: the target names none */
  gsize host_size;
  const char *path; /* still encoded */
  gsize path_size;
  const char *query; /* to the end of the target; NULL: none */
} WsTarget;

/* FALSE: it is none. The target holds only characters of a URI, and no '#'. */
gboolean ws_target_split (const char *method, const char *target, WsTarget *out);
/* Undoes %XX in place, once. FALSE: a wrong %, a control character or no UTF-8 came out. */
gboolean ws_target_decode (char *path);
/* Whether this is a host with or without a port, as Host has it. Stricter than RFC 3986: a name is made of
 * letters, digits, '-', '.', '_' and '~'. */
gboolean ws_target_is_host (const char *text, gsize size);
