/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text of peers on its way to a person's eyes. Inside of core and farctl. [any thread] */
#pragma once
#include <glib.h>

/* Does it stand where it is written, and is it seen? FALSE: it moves the cursor (controls, C1 too), turns the
 * direction of what follows, separates lines or paragraphs, or is invisible. The joiners U+200C and U+200D
 * are plain: scripts need them. */
gboolean far_sanitize_char (gunichar c);
/* Valid UTF-8 with a space in place of each character that is not plain; lines: '\n' stays. Caller frees. */
char *far_sanitize_text (const char *text, gboolean lines);
/* JSON as written by jansson, with such characters in its strings as \uXXXX: the same JSON, harmless to look
 * at. Caller frees. */
char *far_sanitize_json (const char *json);
