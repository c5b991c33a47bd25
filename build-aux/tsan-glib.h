/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ThreadSanitizer sees the locks of pthreads, and GLib has locks of its own that it does not see. A build
 * with
 * --enable-sanitizers=thread includes this header before everything else: the names below then stand for
 * functions that tell the sanitizer what GLib's do (core/base/thread-sanitizer.c). They are replaced before
 * GLib's headers are read, so that GLib's inline functions use them as well. */
#pragma once
#ifndef _GNU_SOURCE /* as config.h has it, which comes later */
#define _GNU_SOURCE 1
#endif
#define g_mutex_lock far_tsan_mutex_lock
#define g_mutex_trylock far_tsan_mutex_trylock
#define g_mutex_unlock far_tsan_mutex_unlock
#define g_cond_wait far_tsan_cond_wait
#define g_cond_wait_until far_tsan_cond_wait_until
#define g_intern_string far_tsan_intern_string
#define g_quark_try_string far_tsan_quark_try_string
#define g_async_queue_push far_tsan_async_queue_push
#define g_async_queue_push_front far_tsan_async_queue_push_front
#define g_async_queue_pop far_tsan_async_queue_pop
#define g_async_queue_try_pop far_tsan_async_queue_try_pop
#define g_async_queue_timeout_pop far_tsan_async_queue_timeout_pop
#define g_async_queue_unref far_tsan_async_queue_unref
#define g_bytes_unref far_tsan_bytes_unref
#define g_bytes_ref far_tsan_bytes_ref
#include <glib.h>
/* These are macros of GLib's, which come over any earlier word for them. */
#undef g_atomic_rc_box_acquire
#define g_atomic_rc_box_acquire(box) ((__typeof__ (box)) far_tsan_rc_box_acquire (box))
#define g_atomic_rc_box_release far_tsan_rc_box_release
#define g_atomic_rc_box_release_full far_tsan_rc_box_release_full
#define g_atomic_rc_box_alloc0 far_tsan_rc_box_alloc0
gpointer far_tsan_rc_box_alloc0 (gsize size);
gpointer far_tsan_rc_box_acquire (gpointer data);
void far_tsan_rc_box_release (gpointer data);
void far_tsan_rc_box_release_full (gpointer data, GDestroyNotify clear);
#undef g_once_init_enter
#undef g_once_init_leave
#define g_once_init_enter(location) far_tsan_once_enter ((void *) (location))
#define g_once_init_leave(location, result) far_tsan_once_leave ((void *) (location), (gsize) (result))
gboolean far_tsan_once_enter (void *location);
void far_tsan_once_leave (void *location, gsize result);
