/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside of dialling: attempts (dial.c), names (dial-name.c), what is told of a failure (dial-error.c).
 * [main] */
#pragma once
#include <farwatch/dial.h>
#include <netdb.h>

G_BEGIN_DECLS

/* ---- names ---- */

typedef struct _FarLookUp FarLookUp;
/* why: 0, or as getaddrinfo() says; found: takes it, for freeaddrinfo(). */
typedef void (*FarLookUpDone) (int why, struct addrinfo *found, gpointer user);

/* done runs later, once. NULL, FAR_ERROR_LIMIT: too many wait. */
FarLookUp *far_look_up (const char *host, guint16 port, FarLookUpDone done, gpointer user, GError **error);
/* done does not run any more. */
void far_look_up_cancel (FarLookUp *look);

/* For tests: what is asked instead of getaddrinfo(); NULL: that again. */
typedef int (*FarNameFunc) (const char *host, const char *service, const struct addrinfo *hints,
                            struct addrinfo **found);
void far_look_up_set (FarNameFunc func);

/* ---- failures ---- */

typedef struct {
  char *address;
  int code; /* errno of connect(), 0: still under way */
} FarTried;

/* What to tell when the name has no address. why 0: no answer in time. */
GError *far_dial_name_error (const char *host, guint16 port, int why);
/* And when none of these (FarTried) answers. */
GError *far_dial_error (const char *host, guint16 port, const GArray *tried);

G_END_DECLS
