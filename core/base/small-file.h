/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small files in a folder that somebody else may write to. */
#pragma once
#include <glib.h>

/* The text of a regular file that is no link and has at most `max` bytes, none of them zero. NULL: something
 * else is there or nothing, with errno: ENOENT where there is nothing, EINVAL where it is no such file. Never
 * waits for a FIFO, never follows a link. Caller frees. [any thread] */
char *far_small_file_read (const char *path, gsize max);
/* The same, through links: an admin may have laid them. */
char *far_small_file_follow (const char *path, gsize max);
