/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* FarRequest: one asynchronous operation of any kind. Core owns timeout, cancellation and late answers: the
 * done callback runs exactly once, on the main context, never inside the call that started the operation.
 * Functions are [main] unless their comment says otherwise. */
#pragma once
#include <farwatch/instance.h>

G_BEGIN_DECLS

typedef struct _FarRequest FarRequest;
typedef void (*FarDone) (FarRequest *req, gpointer user);

/* [main] timeout_ms 0: none. The starter keeps no reference; it may hold one to cancel (far_request_ref). */
FarRequest *far_request_new (FarDone done, gpointer user, guint timeout_ms);
FarRequest *far_request_ref (FarRequest *req); /* [any thread] */
void far_request_unref (FarRequest *req);      /* [any thread] */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarRequest, far_request_unref)

/* The same for an instance, which may go before the answer comes: done() runs while the instance lives, or
 * dropped(user) instead of it, before the instance's stop() (of those made in stop() or fini(): behind them).
 * What was asked for goes on; what comes of it is freed. So user may hold the instance itself, and dropped is
 * what frees user; dropped NULL: nothing is to be freed. [main] */
FarRequest *
far_request_of (FarInstance *at, FarDone done, gpointer user, GDestroyNotify dropped, guint timeout_ms);

/* It is this instance that shall end it: if it goes without, core ends it as unavailable. Called by who hands
 * a request to an instance's operations; core's own ways to them (far_store_*, far_peer_send,
 * far_endpoint_open, far_login …) do. [main] */
void far_request_serve (FarRequest *req, FarInstance *at);

/* Ends the request: the first of done, fail, cancel, timeout wins; later ones are dropped (their result
 * freed). [any thread] */
void far_request_done (FarRequest *req, gpointer result, GDestroyNotify free_result);
void far_request_fail (FarRequest *req, GError *error); /* takes error */
void far_request_fail_new (FarRequest *req, FarErrorCode code, const char *format, ...) G_GNUC_PRINTF (3, 4);
/* [any thread] Called on the main thread it delivers at once: when it returns, done() has run, so a stop()
 * that cancels what it waits for is safe. */
void far_request_cancel (FarRequest *req);
gboolean far_request_ended (FarRequest *req); /* [any thread] an I/O thread may ask before costly work */

/* Inside done(): */
const GError *far_request_error (FarRequest *req); /* NULL: success */
gpointer far_request_result (FarRequest *req);     /* borrowed */
gpointer far_request_steal (FarRequest *req);      /* taken; the caller frees it */

/* Something beside the result, freed with the request (of a login: the verdict). Before done() is called, by
 * who ends it; last one wins. [main] */
void far_request_attach (FarRequest *req, gpointer data, GDestroyNotify free_data);
gpointer far_request_attached (FarRequest *req); /* borrowed; NULL: nothing */

/* Runs work on a thread named executor; one thread an executor, made at first use; at most queue_max waiting,
 * else FAR_ERROR_LIMIT ("busy"). work ends the request. [main] */
void far_run_blocking (const char *executor, guint queue_max, void (*work) (FarRequest *req, gpointer data),
                       gpointer data, GDestroyNotify free_data, FarRequest *req);
/* A file of text, replaced whole and durable when the request ends; several in the order of the calls.
 * FAR_ERROR_FULL: the old one is there. [main] */
void far_write_file (const char *path, const char *text, int mode, FarRequest *req);

G_END_DECLS
