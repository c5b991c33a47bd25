/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The wire form of a message: u32 BE length of the header, header JSON, body. Inside of core. */
#pragma once
#include <farwatch/message.h>

/* Words every part of a message is made of. [any thread] */
gboolean far_frame_id_ok (const char *id);         /* 1…64 of [A-Za-z0-9._-] */
gboolean far_frame_method_ok (const char *method); /* GET POST PUT DELETE WATCH STREAM */
gboolean far_frame_resource_ok (const char *text); /* 1…1024 printable ASCII, no leading slash, no "//" */

/* JSON of a peer: no duplicate keys, no NUL, nesting at most FAR_FRAME_DEPTH. at: as with json_loadb(). [any
 * thread] */
#define FAR_FRAME_DEPTH 32
json_t *far_frame_json (const char *data, gsize size, gsize flags, json_error_t *at);
