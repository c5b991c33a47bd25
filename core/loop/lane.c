/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file runs work that blocks on named threads (lanes), in order, with a bound on what may wait, so
 * that disks and password hashing never hold up the main context. */
#include "config.h"

#include "loop/lane.h"

#include <farwatch/loop.h>

#include <farwatch/i18n.h>

typedef struct {
  char *name;
  FarThread *thread;
  GAsyncQueue *jobs;
  gint waiting; /* atomic */
} Lane;

typedef struct {
  void (*work) (FarRequest *req, gpointer data); /* NULL: the lane ends */
  gpointer data;
  GDestroyNotify free_data;
  FarRequest *req;
} Job;

static GHashTable *lanes; /* name → Lane, main only */

static void
lane_job_free (Job *job)
{
  if (job->free_data != NULL)
    job->free_data (job->data);
  g_clear_pointer (&job->req, far_request_unref);
  g_free (job);
}

/* Work that nobody waits for any more is not begun. */
static gboolean
lane_step (Lane *lane)
{
  Job *job = g_async_queue_pop (lane->jobs);
  gboolean last = job->work == NULL;

  g_atomic_int_dec_and_test (&lane->waiting);
  if (!last && !far_request_ended (job->req))
    job->work (job->req, job->data);
  lane_job_free (job);
  return !last;
}

static gpointer
lane_run (gpointer data)
{
  while (lane_step (data))
    continue;
  return NULL;
}

static void
lane_free (gpointer data)
{
  Lane *lane = data;

  g_async_queue_unref (lane->jobs);
  g_free (lane->name);
  g_free (lane);
}

static Lane *
lane_get (const char *name)
{
  Lane *lane;

  if (lanes == NULL)
    lanes = g_hash_table_new (g_str_hash, g_str_equal);
  lane = g_hash_table_lookup (lanes, name);
  if (lane != NULL)
    return lane;
  lane = g_new0 (Lane, 1);
  lane->name = g_strdup (name);
  lane->jobs = g_async_queue_new ();
  lane->thread = far_thread_begin (name, lane_run, lane, lane_free);
  g_hash_table_insert (lanes, lane->name, lane);
  return lane;
}

static void
lane_push (Lane *lane, Job *job)
{
  g_atomic_int_inc (&lane->waiting);
  g_async_queue_push (lane->jobs, job);
}

void
far_run_blocking (const char *name, guint queue_max, void (*work) (FarRequest *req, gpointer data),
                  gpointer data, GDestroyNotify free_data, FarRequest *req)
{
  Lane *lane = lane_get (name);
  Job *job = g_new0 (Job, 1);

  job->work = work;
  job->data = data;
  job->free_data = free_data;
  job->req = far_request_ref (req);
  if ((guint) g_atomic_int_get (&lane->waiting) >= queue_max) {
    far_request_fail_new (req, FAR_ERROR_LIMIT, _ ("busy: %u wait already at %s, try again later"), queue_max,
                          name);
    lane_job_free (job);
    return;
  }
  lane_push (lane, job);
}

void
far_lanes_end (void)
{
  GHashTableIter iter;
  Lane *lane;

  if (lanes == NULL)
    return;
  g_hash_table_iter_init (&iter, lanes);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &lane))
    lane_push (lane, g_new0 (Job, 1));
  g_hash_table_iter_init (&iter, lanes);
  while (g_hash_table_iter_next (&iter, NULL, (gpointer *) &lane)) {
    g_hash_table_iter_steal (&iter); /* its key is the lane's own */
    far_thread_end (lane->thread);
  }
  g_clear_pointer (&lanes, g_hash_table_unref);
}
