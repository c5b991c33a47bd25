/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one error domain. A code says what the caller does about it, the message what a person reads:
 * lower case, place, cause, next step, one line, never a secret.
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once
#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  FAR_ERROR_CONFIG,      /* tell the admin, do not retry                                  */
  FAR_ERROR_UNAVAILABLE, /* core retries with back-off; another domain counts as this     */
  FAR_ERROR_DENIED,      /* no right, wrong login: tell, slow retry                       */
  FAR_ERROR_PROTOCOL,    /* the peer misbehaved: reset, retry                             */
  FAR_ERROR_INTERNAL,    /* our own bug: stop the instance                                */
  FAR_ERROR_NOT_FOUND,   /* the object does not exist (or may not be seen)                */
  FAR_ERROR_INVALID,     /* the request is wrong: tell the asker which field              */
  FAR_ERROR_CONFLICT,    /* somebody else holds it, or the expected revision is not there */
  FAR_ERROR_LIMIT,       /* a queue, count or size is at its limit: try later             */
  FAR_ERROR_FULL         /* the store or disk cannot take it: `cannot record`             */
} FarErrorCode;

#define FAR_ERROR (far_error_quark ())
/* The domain behind FAR_ERROR. */
GQuark far_error_quark (void);

/* The word that crosses interfaces for a code ("denied", "not-found", …). Other domains read "unavailable".
 * [any thread] */
const char *far_error_word (const GError *error);
/* The code behind a word; FAR_ERROR_UNAVAILABLE for an unknown one. [any thread] */
FarErrorCode far_error_code (const char *word);
/* Message status (as in HTTP) for an error: 400, 403, 404, 409, 429, 500, 503, 507. [any thread] */
guint far_error_status (const GError *error);

G_END_DECLS
