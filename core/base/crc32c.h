/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header shows the table variant of far_crc32c() beside the fast one, since a test compares the two. */
#pragma once
#include <glib.h>
#include <farwatch/store.h>

G_BEGIN_DECLS

/* far_crc32c() of farwatch/store.h without the processor's instruction: what other machines run; the test
 * compares both. */
guint32 far_crc32c_plain (guint32 crc, gconstpointer data, gsize size);

G_END_DECLS
