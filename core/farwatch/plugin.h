/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a plugin author includes. A plugin (.so) is a const table of types; a type is a word an admin may
 * write after `type:`.
 *
 * Life of an instance: zeroed struct → options filled → init → start → far_instance_ready()/fail() →
 * (reload)* → stop → fini. fini always follows init, even a failed one, so init needs no cleanup ladder. All
 * callbacks run on the main context; none may block. A plugin has no writable file-scope state: two instances
 * always work. It exports one symbol, `far_plugin_info`, and its ABI, name, types and libraries also stand in
 * an ELF note that core reads from the file before dlopen: a plugin is judged before its code runs. The ABI
 * is 0: no promise yet, core and plugins are built together. */
#pragma once
#include <farwatch/act.h>
#include <farwatch/carrier.h>
#include <farwatch/clock.h>
#include <farwatch/decoder.h>
#include <farwatch/error.h>
#include <farwatch/event.h>
#include <farwatch/loop.h>
#include <farwatch/i18n.h>
#include <farwatch/instance.h>
#include <farwatch/login.h>
#include <farwatch/message.h>
#include <farwatch/option.h>
#include <farwatch/picture.h>
#include <farwatch/pump.h>
#include <farwatch/request.h>
#include <farwatch/right.h>
#include <farwatch/sample.h>
#include <farwatch/session.h>
#include <farwatch/store.h>
#include <farwatch/stream.h>
#include <farwatch/thread.h>
#include <farwatch/tunnel.h>

G_BEGIN_DECLS

#define FAR_ABI 0

/* A part of a type that has become a type of its own, of the same kind. A profile from before goes on
 * working, with a warning: options that moved are given to the instance of the new type; where there is none,
 * one is made from what stands at the old one. An option at both is a fault. None of these may be a secret:
 * the warning shows them. An instance that starts on demand is not looked at. */
typedef struct {
  const char *type;          /* the new one                                                       */
  const char *const *moved;  /* keys that only the new type has; NULL-terminated, NULL: none      */
  const char *const *shared; /* keys that both have, copied; NULL-terminated, NULL: none          */
} FarTypeSplit;

/* one type of a plugin; the first member of each kind's struct below */
struct _FarType {
  FarKind kind;
  const char *name;         /* what stands after `type:`; [a-z0-9-]+                     */
  const char *summary;      /* N_()                                                      */
  gsize instance_size;      /* bytes of the instance struct, zeroed by core              */
  gsize options_size;       /* bytes of the options struct                               */
  const FarOption *options; /* ends with FAR_OPT_END                                     */
  gboolean (*init) (gpointer self, FarInstance *at, GError **error); /* no I/O           */
  gboolean (*start) (gpointer self, GError **error); /* begin; then ready or fail, now or later */
  /* only RELOADABLE keys changed; NULL: core just swaps */
  gboolean (*reload) (gpointer self, const void *options, GError **error);
  /* its timers, listeners, tickets, watches and requests have ended; NULL: that was all */
  void (*stop) (gpointer self);
  void (*fini) (gpointer self);
  void (*retire) (gpointer self); /* replaced by a reload: take no new work, go on until the last session has
                                   * ended, then call far_instance_retired(); NULL: stopped at once. Its
                                   * listening sockets are the new instance's already, or closed when this
                                   * returns: nothing of it may look at them then. */
  const FarTypeSplit *splits;     /* what has left it, ending with type NULL; NULL: nothing */
};

/* dial: for tools (farctl), needs no instance: a byte stream to url (wss://host:port/link, …/stream/TICKET),
 * server checked against ca_file. Result FarStream* at a loop of the plugin's. NULL where the transport
 * cannot. */
typedef struct {
  FarType type;
  const FarMessageOps *messages;
  const FarCarrierOps *carrier;
  void (*dial) (const char *url, const char *ca_file, FarRequest *req);
} FarTransportType;

/* open: a new stream to the target at a loop of the endpoint's choice (hint: want_loop, may be NULL). Result
 * of the request: FarStream* (stolen by the starter), nobody its user yet; to be used only at its loop.
 * host_port: a device's address must be host:port; the profile is checked for it. FALSE: the endpoint has a
 * form of its own, or takes none. */
typedef struct {
  FarType type;
  void (*open) (gpointer self, const FarEndpointSpec *spec, FarRequest *req);
  gboolean host_port;
} FarEndpointType;

typedef struct {
  FarType type;
  const FarStoreOps *ops;
} FarStoreType;

/* sample: one reading at a tick; far_sample_push() any number of times, then far_request_done(req, NULL,
 * NULL) or fail. NULL: the sensor speaks on its own. Core asks at the instance's `interval` option (a
 * FAR_OPT_DURATION every cyclic sensor declares with FAR_SENSOR_OPTIONS) on aligned ticks, doubles the
 * interval up to 32 times while it fails, restores it on success. acts: rows of what it can be told, ending
 * with name NULL; NULL: nothing. Beside samples a sensor may push pictures (farwatch/picture.h) and raise
 * events (farwatch/event.h) at any time while it runs. */
typedef struct {
  FarType type;
  void (*sample) (gpointer self, FarRequest *req);
  const FarAct *acts;
} FarSensorType;

typedef struct {
  FarType type;
  void (*feed) (gpointer self, const FarReading *group);
} FarFilterType;

typedef struct {
  FarType type;
  const FarAuthenticatorOps *ops;
} FarAuthenticatorType;

/* applications: words that a device's `applications` may name, ending with NULL. open: one flow; *to takes
 * its operations; options: the instance's options struct (NULL: it has none), borrowed for the call. NULL
 * with an error: it cannot be decoded. bytes, gap (may be NULL), close: with what open gave; close frees it,
 * and may still tell operations. All of them run at the thread of who feeds, never on main;
 * farwatch/decoder.h has the rules. */
typedef struct {
  FarType type;
  const char *const *applications;
  gpointer (*open) (gconstpointer options, const FarDecoderFlow *flow, FarDecoding *to, GError **error);
  void (*bytes) (gpointer flow, gboolean to_device, const guint8 *data, gsize size, gint64 time_us);
  void (*gap) (gpointer flow, gboolean to_device, guint64 bytes);
  void (*close) (gpointer flow);
} FarDecoderType;

/* notify: tells people of an event; ends the request when they have been told (or the message is where it
 * will not get lost), or with why not. Core hands over one at a time, in order, asks again after a failure
 * (ever more rarely, FAR_EVENT_TRIES times; FAR_ERROR_INVALID: not again) and keeps what comes meanwhile,
 * also over a reload. One that was under way when the instance stopped comes again. */
typedef struct {
  FarType type;
  void (*notify) (gpointer self, const FarEvent *event, FarRequest *req);
} FarNotifierType;

/* handlers: rows of FarHandler ending with method NULL; core routes, checks right and body, then calls. */
typedef struct {
  FarType type;
  const FarHandler *handlers;
  const FarServiceOps *ops;
  gboolean needs_revoked; /* as long as the profile has one, no node is let in before somebody has read what
                           * is revoked (far_trust_revoked_set_known()), also if it does not run itself */
} FarServiceType;

typedef struct {
  guint32 struct_size;
  guint32 abi;
  const char *name; /* "sensor-system" = folder = file name less ".so" */
  const char *version, *license;
  const FarType *const *types; /* NULL-terminated */
} FarPluginInfo;

/* ELF note "Farwatch", type 0x46415230 ("FAR0"): text lines `abi=0`, `name=…`, `types=kind/name kind/name`,
 * `libs=…`, NUL-terminated. types and libs are plain string literals so that they are in the file as they
 * stand; a test compares them with the table. */
#define FAR_NOTE_TYPE 0x46415230u
/* What stands in a plugin's table is its author's choice: defined (SPDX) before this header is included. */
#ifndef FAR_PLUGIN_LICENSE
#define FAR_PLUGIN_LICENSE "unspecified"
#endif
#define FAR_STR_(x) #x
#define FAR_STR(x) FAR_STR_ (x)
#define FAR_PLUGIN(name_, version_, types_text, libs_text, ...)                                              \
  static const struct {                                                                                      \
    guint32 namesz, descsz, type;                                                                            \
    char owner[12];                                                                                          \
    char desc[(sizeof ("abi=" FAR_STR (FAR_ABI) "\nname=" name_ "\ntypes=" types_text "\nlibs=" libs_text) + \
               3) &                                                                                          \
              ~3u];                                                                                          \
  } far_plugin_note_ __attribute__ ((section (".note.farwatch"), used, aligned (4))) = {                     \
    9,                                                                                                       \
    (sizeof ("abi=" FAR_STR (FAR_ABI) "\nname=" name_ "\ntypes=" types_text "\nlibs=" libs_text) + 3) & ~3u, \
    FAR_NOTE_TYPE, "Farwatch",                                                                               \
    "abi=" FAR_STR (FAR_ABI) "\nname=" name_ "\ntypes=" types_text "\nlibs=" libs_text                       \
  };                                                                                                         \
  static const FarType *const far_plugin_types_[] = { __VA_ARGS__, NULL };                                   \
  G_MODULE_EXPORT extern const FarPluginInfo far_plugin_info;                                                \
  G_MODULE_EXPORT const FarPluginInfo far_plugin_info = {                                                    \
    sizeof (FarPluginInfo), FAR_ABI, (name_), (version_), FAR_PLUGIN_LICENSE, far_plugin_types_              \
  };

G_END_DECLS
