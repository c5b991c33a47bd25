/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What ThreadSanitizer has to be told of GLib: which of its calls order what two threads do. GLib itself is
 * not built with the sanitizer, and its locks are futexes that nothing shows. Each function does GLib's work
 * and says so; build-aux/tsan-glib.h puts them in the place of GLib's own. In any other build this file is
 * empty. */
#ifdef FAR_THREAD_SANITIZER
#include "config.h"

/* The real functions are meant here. */
#undef g_mutex_lock
#undef g_mutex_trylock
#undef g_mutex_unlock
#undef g_cond_wait
#undef g_cond_wait_until
#undef g_intern_string
#undef g_quark_try_string
#undef g_async_queue_unref
#undef g_bytes_unref
#undef g_bytes_ref

void __tsan_acquire (void *address);
void __tsan_release (void *address);

/* GLib's header was read under the other names: what is declared here is what it really has. */
void g_mutex_lock (GMutex *mutex);
gboolean g_mutex_trylock (GMutex *mutex);
void g_mutex_unlock (GMutex *mutex);
void g_cond_wait (GCond *cond, GMutex *mutex);
gboolean g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end);
const char *g_intern_string (const char *text);
GQuark g_quark_try_string (const char *text);
void g_async_queue_unref (GAsyncQueue *queue);
void g_bytes_unref (GBytes *bytes);
GBytes *g_bytes_ref (GBytes *bytes);

/* GLib makes the lock of its domains of errors when it is first asked for one, in an order of its own that is
 * not seen: so this is done before there is a second thread. */
__attribute__ ((constructor)) static void
tsan_first_error (void)
{
  g_error_free (g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_FAILED, ""));
}

void
far_tsan_mutex_lock (GMutex *mutex)
{
  g_mutex_lock (mutex);
  __tsan_acquire (mutex);
}

gboolean
far_tsan_mutex_trylock (GMutex *mutex)
{
  gboolean locked = g_mutex_trylock (mutex);

  if (locked)
    __tsan_acquire (mutex);
  return locked;
}

void
far_tsan_mutex_unlock (GMutex *mutex)
{
  __tsan_release (mutex);
  g_mutex_unlock (mutex);
}

void
far_tsan_cond_wait (GCond *cond, GMutex *mutex)
{
  __tsan_release (mutex);
  g_cond_wait (cond, mutex);
  __tsan_acquire (mutex);
}

gboolean
far_tsan_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end)
{
  gboolean woken;

  __tsan_release (mutex);
  woken = g_cond_wait_until (cond, mutex, end);
  __tsan_acquire (mutex);
  return woken;
}

/* The table of interned texts is one for all threads, behind a lock inside of GLib. */
static GMutex tsan_texts;

const char *
far_tsan_intern_string (const char *text)
{
  const char *interned;

  far_tsan_mutex_lock (&tsan_texts);
  interned = g_intern_string (text);
  far_tsan_mutex_unlock (&tsan_texts);
  return interned;
}

GQuark
far_tsan_quark_try_string (const char *text)
{
  GQuark quark;

  far_tsan_mutex_lock (&tsan_texts);
  quark = g_quark_try_string (text);
  far_tsan_mutex_unlock (&tsan_texts);
  return quark;
}

/* A queue's nodes are made and freed inside of it, so its lock has to be seen: it is taken here, and what
 * waits looks again and again. */
static void
tsan_queue_lock (GAsyncQueue *queue)
{
  g_async_queue_lock (queue);
  __tsan_acquire (queue);
}

static void
tsan_queue_unlock (GAsyncQueue *queue)
{
  __tsan_release (queue);
  g_async_queue_unlock (queue);
}

void
far_tsan_async_queue_push (GAsyncQueue *queue, gpointer data)
{
  tsan_queue_lock (queue);
  g_async_queue_push_unlocked (queue, data);
  tsan_queue_unlock (queue);
}

void
far_tsan_async_queue_push_front (GAsyncQueue *queue, gpointer data)
{
  tsan_queue_lock (queue);
  g_async_queue_push_front_unlocked (queue, data);
  tsan_queue_unlock (queue);
}

gpointer
far_tsan_async_queue_try_pop (GAsyncQueue *queue)
{
  gpointer data;

  tsan_queue_lock (queue);
  data = g_async_queue_try_pop_unlocked (queue);
  tsan_queue_unlock (queue);
  return data;
}

gpointer
far_tsan_async_queue_timeout_pop (GAsyncQueue *queue, guint64 timeout)
{
  gint64 end = g_get_monotonic_time () + (gint64) timeout;
  gpointer data;

  while ((data = far_tsan_async_queue_try_pop (queue)) == NULL && g_get_monotonic_time () < end)
    g_usleep (200); /* lint: allow g_usleep */
  return data;
}

gpointer
far_tsan_async_queue_pop (GAsyncQueue *queue)
{
  gpointer data;

  while ((data = far_tsan_async_queue_timeout_pop (queue, G_USEC_PER_SEC)) == NULL)
    continue;
  return data;
}

/* Who gives a reference back is done with what it stands for; the last one may free it. */
void
far_tsan_async_queue_unref (GAsyncQueue *queue)
{
  __tsan_release (queue);
  __tsan_acquire (queue);
  g_async_queue_unref (queue);
}

GBytes *
far_tsan_bytes_ref (GBytes *bytes)
{
  return g_bytes_ref (bytes);
}

void
far_tsan_bytes_unref (GBytes *bytes)
{
  if (bytes == NULL)
    return;
  __tsan_release (bytes);
  __tsan_acquire (bytes);
  g_bytes_unref (bytes);
}

/* Boxes with an atomic count are made anew here, on the compiler's atomics: GLib's count is not seen, and its
 * clear function runs inside. */
typedef struct {
  gint count;
  gint pad[3];
} TsanBox;

gpointer
far_tsan_rc_box_alloc0 (gsize size)
{
  TsanBox *box = g_malloc0 (sizeof (TsanBox) + size);

  box->count = 1;
  return box + 1;
}

gpointer
far_tsan_rc_box_acquire (gpointer data)
{
  __atomic_add_fetch (&((TsanBox *) data)[-1].count, 1, __ATOMIC_RELAXED);
  return data;
}

void
far_tsan_rc_box_release_full (gpointer data, GDestroyNotify clear)
{
  TsanBox *box = (TsanBox *) data - 1;

  if (__atomic_sub_fetch (&box->count, 1, __ATOMIC_ACQ_REL) > 0)
    return;
  if (clear != NULL)
    clear (data);
  g_free (box);
}

void
far_tsan_rc_box_release (gpointer data)
{
  far_tsan_rc_box_release_full (data, NULL);
}

/* GLib's own, with what they order said. */
gboolean
far_tsan_once_enter (void *location)
{
  gboolean first = (g_once_init_enter) (location);

  if (!first)
    __tsan_acquire (location);
  return first;
}

void
far_tsan_once_leave (void *location, gsize result)
{
  __tsan_release (location);
  (g_once_init_leave) (location, result);
}
#endif
