/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One configured instance, seen from a plugin, and the way to other instances. Names, not pointers, are kept:
 * an instance may be replaced by a reload, so look it up each time.
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <gmodule.h>
#include <farwatch/error.h>

G_BEGIN_DECLS

typedef enum {
  FAR_KIND_TRANSPORT = 1,
  FAR_KIND_ENDPOINT,
  FAR_KIND_STORE,
  FAR_KIND_SENSOR,
  FAR_KIND_FILTER,
  FAR_KIND_DECODER,
  FAR_KIND_AUTHENTICATOR,
  FAR_KIND_NOTIFIER,
  FAR_KIND_SERVICE,
  FAR_N_KINDS
} FarKind;

typedef struct _FarInstance FarInstance;
typedef struct _FarType FarType;

/* "sensor" / "sensors" for a kind; and back (0: no such kind). [any thread] */
const char *far_kind_name (FarKind kind);
const char *far_kind_plural (FarKind kind);
FarKind far_kind_parse (const char *name);

const char *far_instance_name (FarInstance *at); /* "boiler"         [any thread] */
/* "sensors.boiler" [any thread], the prefix of its log lines */
const char *far_instance_path (FarInstance *at);
const FarType *far_instance_type (FarInstance *at); /* [any thread] */
gpointer far_instance_self (FarInstance *at);
/* The options struct in force; valid until the callback returns unless a reference is held. */
gconstpointer far_instance_options (FarInstance *at);
gconstpointer far_options_ref (gconstpointer options); /* [any thread] */
void far_options_unref (gconstpointer options);        /* [any thread] */

/* start() began; now it runs, or it does not (core retries by the error's code). */
void far_instance_ready (FarInstance *at);
/* takes error; also later, when a running instance breaks */
void far_instance_fail (FarInstance *at, GError *error);
gboolean far_instance_is_running (FarInstance *at);

/* A thread of its was left to itself (far_thread_end): what the any-thread calls need stays until that thread
 * has ended after all, and releases it. Until then nobody says of what it was asked for that it was not done.
 */
void far_instance_hold (FarInstance *at);
void far_instance_release (FarInstance *at); /* [any thread] */

/* An instance that runs, or NULL with an error that says what to do (not configured, not installed, not
 * running). */
FarInstance *far_instance_find (FarKind kind, const char *name, GError **error);
/* All running instances of a kind; container to be freed. */
GPtrArray *far_instance_list (FarKind kind);

/* Inside or after type->retire(): the last session has ended, stop() and fini() may come. */
void far_instance_retired (FarInstance *at);
/* Instances that a reload has replaced while their sessions go on, the index-th of that name (they are not
 * found otherwise); NULL: no more. For who speaks to an instance about a session that it opened. */
FarInstance *far_instance_find_retired (FarKind kind, const char *name, guint index);

/* The node: its name; its state directory, absolute, exists. [any thread] */
const char *far_node_id (void);
const char *far_node_state_dir (void);
/* Path below the state directory; caller frees. [any thread] */
char *far_node_path (const char *relative);

/* For a source of GLib that a plugin has made by itself: func(data) runs now, for at's node. Timers, requests
 * and what is posted know theirs. */
void far_instance_call (FarInstance *at, void (*func) (gpointer data), gpointer data);

/* A listening socket that core owns for this instance: bound once, handed over on reload. address "host:port"
 * (port 0: any), or "unix:/path": a socket of mode 0660, taken away when it is closed; one that is left over
 * there, with nobody answering, is replaced. Non-blocking; the fd stays core's. *bound (may be NULL): the
 * real address, caller frees. */
int far_instance_listen (FarInstance *at, const char *address, char **bound, GError **error);

/* Timers of an instance: on the main context, one-shot, at a CLOCK_BOOTTIME instant (us), test clock
 * honoured. Those that are still set when the instance goes end before its stop(), those set in stop() or
 * fini() behind it. *timer is NULL whenever none is set, also when func runs; who frees the struct that it
 * stands in stops it first. */
typedef struct _FarInstanceTimer FarInstanceTimer;
/* Sets *timer, or sets it anew. */
void far_instance_timer (FarInstance *at, FarInstanceTimer **timer, gint64 boottime_us,
                         void (*func) (gpointer data), gpointer data);
void far_instance_timer_stop (FarInstanceTimer **timer); /* NULL in it is fine */
/* Once, and nobody can stop it: func(data), or dropped(data) if the instance goes first (NULL: nothing is to
 * be freed). */
void far_instance_after (FarInstance *at, gint64 boottime_us, void (*func) (gpointer data), gpointer data,
                         GDestroyNotify dropped);

/* Log lines: prefix is the instance's path; a fixed sentence, values last; never a secret. [any thread] */
void far_log (FarInstance *at, GLogLevelFlags level, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* For what can repeat: ever more rarely (1 min, 2 min, … 1 day) for the same key. Where strangers choose
 * keys, no more than 32 begin at once and one a minute for a format; the rest share one. at may be NULL. [any
 * thread] */
void far_log_limited (FarInstance *at, const char *key, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* So many more of what was refused, for `farctl status`: a fixed plural ("requests", "tokens"); nothing that
 * comes from outside. [any thread] */
void far_count (const char *what, guint times);

/* The text of a credential named in the profile: $CREDENTIALS_DIRECTORY/NAME, else STATE/credentials/NAME
 * (0600). Caller clears and frees with far_secret_free(). [any thread] */
char *far_secret_read (const char *name, GError **error);
void far_secret_free (char *secret);

G_END_DECLS
