/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Endpoints and devices: where a person's bytes end that a carrier has brought (spec B5–B8, B10–B12).
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/carrier.h>
#include <farwatch/instance.h>
#include <farwatch/request.h>
#include <farwatch/stream.h>
#include <jansson.h>

G_BEGIN_DECLS

/* ---- endpoints and devices ---- */

typedef struct {
  const char *session, *person, *from; /* who it is for; person NULL: not logged in yet */
  /* who asked for the session, as another node tells; NULL: nobody told */
  const char *asker;
  const char *device;  /* name, or NULL */
  const char *address; /* device's address for tcp, unix, serial; NULL otherwise */
  const char *line;
  const char *command; /* shell: run this one command and end; NULL: talk */
  gboolean pty;        /* the person's end is a terminal: echo and line editing are wanted */
  gint *status;       /* an atomic rc box of the caller's: where the endpoint leaves the command's exit status
                         before its stream       ends; NULL: nobody asks */
  FarLoop *want_loop; /* NULL: anywhere */
  gint64 deadline_us; /* boottime; 0: none */
} FarEndpointSpec;
/* Opens through an endpoint instance. Result FarStream*. [main] */
void far_endpoint_open (const char *endpoint, const FarEndpointSpec *spec, FarRequest *req);

/* A device of this node's profile. Borrowed; valid until the next reload. */
typedef struct {
  char *name, *endpoint, *address, *line;
  int weight; /* watch 0, light 1, heavy 2 */
  gboolean inspect_required;
  GStrv applications;
} FarDevice;
/* A device somebody sent, {"endpoint","address","line","weight","inspect","applications"}: judged by the
 * profile's own table; also taken are "name" and "note" (ignored), weight as a number, inspect as a boolean.
 * whole FALSE: the endpoint may be missing. Whether there is such an endpoint is not asked. Free with
 * far_device_free(); NULL: FAR_ERROR_INVALID. [any thread] */
FarDevice *far_device_parse (const char *name, json_t *device, gboolean whole, GError **error);
/* May a node or a device be called so? 1 to 64 letters, digits, '.', '_' and '-', the first one a letter or a
 * digit; NULL: FALSE. [any thread] */
gboolean far_object_name_ok (const char *name);
/* Has it an address as its endpoint wants it? The one check for the profile, for what is added at run time
 * and for what a cloud registers. type: the endpoint's, which says whether it reaches host:port; NULL where
 * it is not known: what begins as an address in numbers is looked at as one. [any thread] */
gboolean far_device_address_ok (const FarDevice *device, const FarType *type, GError **error);
void far_device_free (FarDevice *device);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarDevice, far_device_free)
const FarDevice *far_device_find (const char *name); /* [main] */
GPtrArray *far_device_list (void);                   /* container to be freed */
/* At run time, on top of the profile; copied. It is at's, who added it last, and goes when at goes; at NULL:
 * nobody's. FAR_ERROR_CONFLICT: it stands in the profile; FAR_ERROR_INVALID: its name, or no endpoint. [main]
 */
gboolean far_device_add (FarInstance *at, const FarDevice *device, GError **error);
/* FALSE: none of that name was added. [main] */
gboolean far_device_remove (const char *name);
/* Device whose address is host:port or whose name is host (any port), NULL: none (so -L/-W reach devices and
 * nothing else). */
const FarDevice *far_device_by_address (const char *host, guint16 port);
/* One writer a device (and a line): claims it for a session, or FAR_ERROR_CONFLICT naming who holds it. The
 * same person takes over: the old session's `lost` runs. Released by far_device_unlock(). [main] */
typedef void (*FarDeviceLost) (const char *session, const char *device, gpointer user);
gboolean far_device_lock (const char *device, const char *session, const char *person, FarDeviceLost lost,
                          gpointer user, GError **error);
void far_device_unlock (const char *device /* NULL: all of the session */, const char *session);
/* Who stands in the way of a claim on this device (its line counts): the person ("" unknown) and, when
 * wanted, the session; NULL: nobody. [main] */
const char *far_device_holder (const char *device, const char **session);
/* Told of claims made without `lost` that were taken over: the one service that owns sessions, whoever asked
 * last. It is at's, and ends with it before its stop(); at NULL: nobody's. func NULL: nobody is told. [main]
 */
void far_device_on_lost (FarInstance *at, FarDeviceLost func, gpointer user);
/* Told of each far_device_open() that failed, and why: the same. [main] */
typedef void (*FarDeviceFailed) (const char *session, const char *device, const char *cause, gpointer user);
void far_device_on_failed (FarInstance *at, FarDeviceFailed func, gpointer user);
/* Claims (without `lost`), then opens its endpoint; spec->device set. The claim ends with
 * far_device_unlock(). [main] */
void far_device_open (const FarEndpointSpec *spec, FarRequest *req);

G_END_DECLS
