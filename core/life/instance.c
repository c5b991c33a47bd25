/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of one instance: zeroed struct → init → start → ready or fail → stop → fini, and again after a
 * while if the failure may pass. */
#include "config.h"

#include "life/instance-private.h"

#include "life/instance-hooks.h"
#include "loop/owned.h"
#include "loop/request-private.h"
#include "message/router.h"

#include <sodium.h>

#include <farwatch/clock.h>
#include <farwatch/thread.h>

#define SECOND_US G_GINT64_CONSTANT (1000000)
#define STEADY_US (60 * SECOND_US)   /* ran so long: the next failure is a first one */
#define PATIENCE_US (10 * SECOND_US) /* starts so long: what refers to it starts without it */

const char *
far_state_name (FarState state)
{
  static const char *const names[] = { "missing", "waiting", "starting", "running", "retrying",
                                       "failed",  "stopped", "resting",  "retired" };

  return names[state];
}

static void
set_state (FarInstance *at, FarState state)
{
  at->state = state;
  at->since_us = far_clock_wall_us ();
}

void
far_instance_free (FarInstance *at)
{
  far_listens_free (at);
  g_ptr_array_unref (at->listens);
  far_options_unref (at->options);
  far_profile_unref (at->profile);
  g_clear_error (&at->error);
  g_free (at->name);
  g_free (at->head.path);
  g_free (at);
}

FarInstance *
far_instance_new (FarProfile *profile, const FarConfigured *configured)
{
  FarInstance *at = g_new0 (FarInstance, 1);

  at->name = g_strdup (configured->name);
  far_instance_head_init (&at->head, g_strdup (configured->path), far_instance_free);
  at->kind = configured->kind;
  at->type = configured->type;
  at->profile = far_profile_ref (profile);
  at->configured = configured;
  at->options = configured->options != NULL ? far_options_ref (configured->options) : NULL;
  at->listens = g_ptr_array_new ();
  set_state (at, configured->missing != NULL ? FAR_STATE_MISSING
                 : configured->on_demand     ? FAR_STATE_RESTING
                                             : FAR_STATE_WAITING);
  at->tried = at->state != FAR_STATE_WAITING;
  return at;
}

void
far_instance_hold (FarInstance *at)
{
  FAR_ON_MAIN ();
  at->held++;
  far_instance_ref (at);
}

static void
release (gpointer data)
{
  FarInstance *at = data;

  at->held--;
  if (at->held == 0 && at->self == NULL)
    far_requests_refuse (at);
  far_instance_unref (at);
}

void
far_instance_release (FarInstance *at)
{
  far_loop_post (far_loop_main (), release, at);
}

/* ---- what a plugin may ask ---- */

const char *
far_instance_name (FarInstance *at)
{
  return at->name;
}

const FarType *
far_instance_type (FarInstance *at)
{
  return at->type;
}

gpointer
far_instance_self (FarInstance *at)
{
  return at->self;
}

gconstpointer
far_instance_options (FarInstance *at)
{
  FAR_ON_MAIN ();
  return at->options;
}

gboolean
far_instance_is_running (FarInstance *at)
{
  FAR_ON_MAIN ();
  return at->state == FAR_STATE_RUNNING;
}

/* ---- failing and trying again ---- */

typedef enum { RETRY_NEVER, RETRY_BACKOFF, RETRY_SLOW, RETRY_SOON } Retry;

static Retry
retry_kind (const GError *error)
{
  if (error->domain != FAR_ERROR)
    return RETRY_BACKOFF;
  switch ((FarErrorCode) error->code) {
  case FAR_ERROR_CONFIG:
  case FAR_ERROR_INVALID:
  case FAR_ERROR_INTERNAL:
    return RETRY_NEVER;
  case FAR_ERROR_DENIED:
    return RETRY_SLOW;
  case FAR_ERROR_PROTOCOL:
    return RETRY_SOON;
  default:
    return RETRY_BACKOFF;
  }
}

/* 1 s, 2 s … 5 min; a fifth more or less, so that a fleet does not come back in step. */
static gint64
backoff_us (guint failures)
{
  gint64 base = MIN (SECOND_US << MIN (failures - 1, 9), 300 * SECOND_US);

  return base - base / 5 + (gint64) randombytes_uniform ((guint32) (2 * base / 5));
}

static gint64
retry_delay_us (const GError *error, guint failures)
{
  switch (retry_kind (error)) {
  case RETRY_SLOW:
    return 60 * SECOND_US;
  case RETRY_SOON:
    return 5 * SECOND_US;
  default:
    return backoff_us (failures);
  }
}

static void
retry_now (gpointer data)
{
  FarInstance *at = data;

  g_clear_pointer (&at->timer, far_loop_timer_free);
  far_instance_try (at);
}

static void
log_failure (FarInstance *at, gint64 delay_us)
{
  g_autofree char *place = far_yaml_place (at->configured->key);
  g_autofree char *delay = far_format_duration ((delay_us / SECOND_US + 1) * SECOND_US);

  if (delay_us < 0)
    far_log (at, G_LOG_LEVEL_WARNING, _ ("%s (%s); not tried again before the profile or the plugin changes"),
             at->error->message, place);
  else
    far_log_limited (at, "fail", _ ("%s (%s); tried again in %s"), at->error->message, place, delay);
}

static GError *
silent_error (void)
{
  return g_error_new_literal (FAR_ERROR, FAR_ERROR_INTERNAL, _ ("it failed without saying why"));
}

/* Everything a failure means, once the plugin's code has been left. */
static void
instance_failed (FarInstance *at)
{
  gboolean never = retry_kind (at->error) == RETRY_NEVER;
  gint64 delay = -1;

  far_instance_end (at);
  at->failures++;
  if (!never)
    delay = retry_delay_us (at->error, at->failures);
  set_state (at, never ? FAR_STATE_FAILED : FAR_STATE_RETRYING);
  at->tried = TRUE;
  log_failure (at, delay);
  if (!never)
    at->timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + delay, retry_now, at);
  far_instances_advance ();
}

/* Posted by far_instance_fail(): the plugin may still be on the stack there. */
static void
fail_later (gpointer data)
{
  FarInstance *at = data;

  if (at->state == FAR_STATE_RETRYING && at->self != NULL)
    instance_failed (at);
  far_instance_unref (at);
}

void
far_instance_fail (FarInstance *at, GError *error)
{
  FAR_ON_MAIN ();
  if (at->state == FAR_STATE_RETIRED)
    far_instance_retired (at);
  if (at->state != FAR_STATE_RUNNING && at->state != FAR_STATE_STARTING) {
    g_clear_error (&error);
    return;
  }
  if (at->state == FAR_STATE_RUNNING && far_clock_boottime_us () - at->running_us > STEADY_US)
    at->failures = 0;
  g_clear_error (&at->error);
  at->error = error != NULL ? error : silent_error ();
  set_state (at, FAR_STATE_RETRYING);
  far_loop_post (far_loop_main (), fail_later, far_instance_ref (at));
}

/* ---- starting and ending ---- */

/* A plugin that says no and not why gets no caller into trouble. FALSE. */
static gboolean
blame_silence (GError **error)
{
  if (error != NULL && *error == NULL)
    *error = silent_error ();
  return FALSE;
}

/* Nothing calls it any more: no timer, listener or ticket of its, nothing that it waits for. Before stop(),
 * which then ends the rest undisturbed. */
static void
instance_let_go (FarInstance *at)
{
  far_owned_end (at);
  far_requests_drop (at);
}

/* And nobody waits for it. */
static void
free_self (FarInstance *at)
{
  if (at->type->fini != NULL)
    at->type->fini (at->self);
  instance_let_go (at);
  g_clear_pointer (&at->self, g_free);
  far_calls_end (at);
  if (at->held == 0)
    far_requests_refuse (at);
}

gboolean
far_instance_init (FarInstance *at, GError **error)
{
  at->self = g_malloc0 (MAX (at->type->instance_size, 1));
  at->begun = FALSE;
  if (at->type->init == NULL || at->type->init (at->self, at, error))
    return TRUE;
  blame_silence (error);
  free_self (at);
  return FALSE;
}

gboolean
far_instance_reload (FarInstance *at, gconstpointer options, GError **error)
{
  return at->type->reload (at->self, options, error) || blame_silence (error);
}

static void
failed_with (FarInstance *at, GError *error)
{
  g_clear_error (&at->error);
  at->error = error != NULL ? error : silent_error ();
  instance_failed (at);
}

static void
starts_long (gpointer data)
{
  FarInstance *at = data;

  g_clear_pointer (&at->timer, far_loop_timer_free);
  at->tried = TRUE;
  far_log (at, G_LOG_LEVEL_WARNING, _ ("is still starting; the others go on without it"));
  far_instances_advance ();
}

void
far_instance_begin (FarInstance *at)
{
  GError *error = NULL;

  if (!far_instance_hooks_may_start (at, &error)) {
    failed_with (at, error);
    return;
  }
  set_state (at, FAR_STATE_STARTING);
  far_listens_rest (at);
  at->timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + PATIENCE_US, starts_long, at);
  if (at->type->start == NULL) {
    at->begun = TRUE;
    far_instance_ready (at);
    return;
  }
  at->begun = TRUE; /* ready and fail may come inside start() */
  if (at->type->start (at->self, &error))
    return;
  at->begun = FALSE;
  failed_with (at, error);
}

void
far_instance_try (FarInstance *at)
{
  GError *error = NULL;

  if (at->self != NULL || far_instance_init (at, &error))
    far_instance_begin (at);
  else
    failed_with (at, error);
}

/* What core does for a kind while one of it runs. */
static void
come_in (FarInstance *at)
{
  if (at->kind == FAR_KIND_SERVICE && ((const FarServiceType *) at->type)->handlers != NULL)
    far_handlers_add (((const FarServiceType *) at->type)->handlers, at->self, at);
  far_instance_hooks_came (at);
}

static void
go_out (FarInstance *at, void (*leave) (const FarHandler *handlers, gpointer self))
{
  far_instance_hooks_goes (at);
  if (at->kind == FAR_KIND_SERVICE && at->self != NULL &&
      ((const FarServiceType *) at->type)->handlers != NULL)
    leave (((const FarServiceType *) at->type)->handlers, at->self);
}

void
far_instance_ready (FarInstance *at)
{
  FAR_ON_MAIN ();
  if (at->state != FAR_STATE_STARTING)
    return;
  set_state (at, FAR_STATE_RUNNING);
  g_clear_pointer (&at->timer, far_loop_timer_free);
  at->running_us = far_clock_boottime_us ();
  far_listens_prune (at);
  if (at->failures > 0)
    far_log (at, G_LOG_LEVEL_MESSAGE, _ ("runs again"));
  else
    far_log (at, G_LOG_LEVEL_INFO, _ ("runs"));
  at->tried = TRUE;
  come_in (at);
  far_instances_advance ();
}

void
far_instance_end (FarInstance *at)
{
  g_clear_pointer (&at->timer, far_loop_timer_free);
  if (at->state != FAR_STATE_MISSING)
    set_state (at, FAR_STATE_STOPPED);
  go_out (at, far_handlers_remove);
  if (at->self == NULL)
    return;
  instance_let_go (at);
  if (at->begun && at->type->stop != NULL)
    at->type->stop (at->self);
  at->begun = FALSE;
  free_self (at);
}

void
far_instance_wake (FarInstance *at)
{
  GError *error = NULL;

  set_state (at, FAR_STATE_STARTING);
  if (!far_profile_complete (at->profile, (FarConfigured *) at->configured, &error)) {
    failed_with (at, error);
    return;
  }
  at->type = at->configured->type;
  if (at->options == NULL)
    at->options = far_options_ref (at->configured->options);
  far_instance_try (at);
}

void
far_instance_retry (FarInstance *at)
{
  at->failures = 0; /* somebody has changed something: what was in vain before says little */
  far_instance_end (at);
  far_instance_try (at);
}

/* ---- retiring ---- */

void
far_instance_retire (FarInstance *at)
{
  if (at->state != FAR_STATE_RUNNING || at->type->retire == NULL) {
    far_instance_end (at);
    return;
  }
  go_out (at, far_handlers_retire);
  set_state (at, FAR_STATE_RETIRED);
  far_instances_keep_retired (at);
  far_log (at, G_LOG_LEVEL_MESSAGE, _ ("replaced; its sessions go on until they end"));
  at->type->retire (at->self);
}

static void
retired_later (gpointer data)
{
  FarInstance *at = data;

  if (at->state == FAR_STATE_RETIRED) {
    far_instance_end (at);
    far_instances_drop_retired (at);
  }
  far_instance_unref (at);
}

void
far_instance_retired (FarInstance *at)
{
  FAR_ON_MAIN ();
  if (at->state == FAR_STATE_RETIRED)
    far_loop_post (far_loop_main (), retired_later, far_instance_ref (at));
}

/* ---- seen from outside ---- */

json_t *
far_instance_json (const FarInstance *at)
{
  g_autofree char *since = far_clock_format (at->since_us), *place = far_yaml_place (at->configured->key);
  const char *cause = at->state == FAR_STATE_MISSING ? at->configured->missing
                      : at->error != NULL            ? at->error->message
                                                     : NULL;

  return json_pack ("{s:s, s:s, s:s, s:s?, s:s, s:s}", "path", at->head.path, "type",
                    at->configured->type_name, "state", far_state_name (at->state), "cause",
                    at->state == FAR_STATE_RUNNING ? NULL : cause, "since", since, "place", place);
}
