/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header tells a plugin the version of the library that runs, which may be newer than the one it was
 * built with.
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The version of the running library, like "0.1.0". Static text. */
const char *far_version (void);

G_END_DECLS
