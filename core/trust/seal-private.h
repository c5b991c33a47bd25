/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header shows the parser of sealed boxes to the rest of the room and to its fuzz target: with keys
 * given, and keys from a file or a text. What plugins call is far_seal() and far_seal_open()
 * (farwatch/trust.h). */
#pragma once
#include <farwatch/trust.h>

G_BEGIN_DECLS

#define FAR_SEAL_TEXT_MAX (64 * 1024) /* base64 characters that are looked at */

gboolean far_seal_ready (GError **error); /* libsodium works */
/* The parser behind far_seal_open(): box keys given. [any thread] */
json_t *far_seal_open_with (const guint8 *box_public, const guint8 *box_secret, const char *sealed_b64,
                            GError **error);
/* Both halves of DIR/box.key, 32 bytes each; a public half from base64. [any thread] */
gboolean far_seal_box_load (const char *keys_dir, guint8 *open, guint8 *secret, GError **error);
gboolean far_seal_box_parse (const char *text, guint8 *open);
gboolean far_trust_node_key_create (const char *path, GError **error);

G_END_DECLS
