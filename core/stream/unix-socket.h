/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening at a path: the control socket, and listeners with "unix:/path". */
#pragma once
#include <farwatch/error.h>

G_BEGIN_DECLS

/* Is path absolute and short enough for an address? FAR_ERROR_INVALID. */
gboolean far_unix_path_ok (const char *path, GError **error);
/* Non-blocking; only for its owner as long as nobody widens its mode. A socket nobody answers at is taken
 * away, one that is answered at, and anything else that is there, is not. option: the one that sets the path,
 * for the text of errors. FAR_ERROR_CONFIG, FAR_ERROR_CONFLICT; -1. */
int far_unix_listen (const char *path, const char *option, int backlog, GError **error);

G_END_DECLS
