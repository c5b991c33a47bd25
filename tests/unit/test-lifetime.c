/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is open when an instance goes: a test for each row of the table in doc/architecture.md ("Whose things
 * are"). The service and the store here are as careless as they may be: they remember nothing, and free
 * nothing but their own memory. */
#include "config.h"

#include "reach/device.h"
#include "auth/ticket.h"
#include "door-help.h"
#include "life/instance-private.h"
#include "loop/executor.h"
#include "base/node-identity.h"
#include "loop/request-private.h"

/* ---- a careless service and a careless store ---- */

typedef struct {
  FarInstance *at;
  FarInstanceTimer *timer;
  guint heard;
} Clerk;

static struct {
  guint done, dropped, watches_gone, late, told;
  FarRequest *kept; /* by the store: counted */
  FarCall *call;    /* by the service */
  gboolean answers_in_fini, asks_in_stop, sets_in_stop, live;
  GThread *thread;
} seen;

static void
thing_free (gpointer thing)
{
  seen.dropped++;
  g_free (thing);
}

static void
clerk_answered (FarRequest *req, gpointer user)
{
  g_autofree FarCall **thing = user;

  seen.done++;
  ck_assert (seen.live); /* never behind its back */
  if (far_request_error (req) != NULL)
    far_call_fail (*thing, g_error_copy (far_request_error (req)));
  else
    far_call_answer (*thing, 200, NULL);
}

static FarRequest *
clerk_request (Clerk *self, FarCall *call)
{
  FarCall **thing = g_new (FarCall *, 1);

  *thing = call;
  return far_request_of (self->at, clerk_answered, thing, thing_free, 0);
}

static void
clerk_ask (gpointer self, FarCall *call)
{
  far_store_put ("shelf", "t", "k", "{}", FAR_EXPECT_ANY, clerk_request (self, call));
}

static void
clerk_hold (gpointer self, FarCall *call)
{
  seen.call = call;
}

static void
clerk_unwatched (guint watch, gpointer user)
{
  ck_assert (seen.live);
  seen.watches_gone++;
}

static void
clerk_watch (gpointer self, FarCall *call)
{
  far_call_subscribe (call, clerk_unwatched, self);
}

static const FarHandler clerk_handlers[] = {
  { "POST", "ask", FAR_ACTION_NONE, NULL, NULL, 0, clerk_ask, "asks the store" },
  { "POST", "hold", FAR_ACTION_NONE, NULL, NULL, 0, clerk_hold, "does not answer" },
  { "WATCH", "hold", FAR_ACTION_NONE, NULL, NULL, 0, clerk_watch, "is watched" },
  { NULL },
};

static gboolean
plain_init (gpointer self, FarInstance *at, GError **error)
{
  ((Clerk *) self)->at = at;
  return TRUE;
}

static gboolean
plain_start (gpointer self, GError **error)
{
  far_instance_ready (((Clerk *) self)->at);
  return TRUE;
}

static gboolean
clerk_start (gpointer self, GError **error)
{
  seen.live = TRUE;
  return plain_start (self, error);
}

/* Its timer, or somebody it listens to. */
static void
clerk_told (gpointer self)
{
  seen.told++;
  ck_assert (seen.live);
  ck_assert_ptr_null (((Clerk *) self)->timer);
}

static void
clerk_set_timers (Clerk *self)
{
  static const gint64 second = G_USEC_PER_SEC;

  far_instance_timer (self->at, &self->timer, far_clock_boottime_us () + second, clerk_told, self);
  far_instance_after (self->at, far_clock_boottime_us () + second, g_free, g_malloc (1), thing_free);
}

static void
clerk_stop (gpointer self)
{
  ck_assert_ptr_null (((Clerk *) self)->timer);
  if (seen.sets_in_stop)
    clerk_set_timers (self);
  if (seen.asks_in_stop)
    far_store_put ("shelf", "t", "k", "{}", FAR_EXPECT_ANY, clerk_request (self, NULL));
}

static void
clerk_fini (gpointer self)
{
  seen.live = FALSE;
  if (seen.answers_in_fini)
    far_call_answer (seen.call, 200, NULL);
}

static void
clerk_retire (gpointer self)
{
}

/* Takes a request and never ends it. */
static void
shelf_apply (gpointer self, const FarBatchKey *key, const FarPart *parts, guint n, FarRequest *req)
{
  g_clear_pointer (&seen.kept, far_request_unref);
  seen.kept = far_request_ref (req);
}

static const FarStoreOps shelf_ops = { .apply = shelf_apply };

#define LIFE(kind_, name_)                                                                                   \
  .kind = (kind_), .name = (name_), .summary = "for tests", .instance_size = sizeof (Clerk),                 \
  .init = plain_init

static const FarServiceType clerk_type = {
  .type = { LIFE (FAR_KIND_SERVICE, "clerk"), .start = clerk_start, .stop = clerk_stop, .fini = clerk_fini },
  .handlers = clerk_handlers,
};
static const FarServiceType steady_type = {
  .type = { LIFE (FAR_KIND_SERVICE, "steady"), .start = clerk_start, .stop = clerk_stop, .fini = clerk_fini,
            .retire = clerk_retire },
  .handlers = clerk_handlers,
};
static const FarStoreType shelf_type = {
  .type = { LIFE (FAR_KIND_STORE, "shelf"), .start = plain_start },
  .ops = &shelf_ops,
};
static const FarStoreType steady_shelf_type = {
  .type = { LIFE (FAR_KIND_STORE, "shelf"), .start = plain_start, .retire = clerk_retire }, .ops = &shelf_ops
};

/* ---- the node ---- */

static char *folder;
static FarPrincipal *asker;
static Heard to;

static void
set_up (void)
{
  folder = make_folder ();
  far_node_identity_set ("t1", folder);
  asker = root ();
  memset (&seen, 0, sizeof seen);
}

static void
tear_down (void)
{
  far_instances_stop ();
  run_pending ();
  ck_assert_uint_eq (far_call_count (), 0);
  g_clear_pointer (&seen.kept, far_request_unref);
  heard_clear (&to);
  far_principal_unref (asker);
  remove_folder (folder);
  g_clear_pointer (&folder, g_free);
}

/* In the list of all, running. */
static FarInstance *
begin (const FarType *type, const char *name)
{
  FarInstance *at = g_new0 (FarInstance, 1);

  *at = (FarInstance){ .name = g_strdup (name),
                       .kind = type->kind,
                       .type = type,
                       .state = FAR_STATE_WAITING,
                       .listens = g_ptr_array_new () };
  far_instance_head_init (&at->head, g_strconcat (far_kind_plural (type->kind), ".", name, NULL),
                          far_instance_free);
  g_ptr_array_add (far_instances_all (), at);
  ck_assert (far_instance_init (at, NULL));
  far_instance_begin (at);
  ck_assert (far_instance_is_running (at));
  return at;
}

static void
submit (const char *method, const char *resource)
{
  g_autoptr (FarMessage) request = far_message_request (method, resource, NULL);

  far_api_submit (asker, NULL, request, heard, &to);
}

static const char *
answer_text (void)
{
  gsize size = 0;

  ck_assert (run_until (is_last, &to));
  return g_bytes_get_data (heard_at (&to, to.n - 1)->body, &size);
}

/* How it goes: stopped, or replaced (of a type without retire() that is the same). */
static void (*const ways[]) (FarInstance *at) = { far_instance_end, far_instance_retire };

/* ---- calls ---- */

START_TEST (a_call_is_answered_when_its_instance_goes)
{
  FarInstance *at = begin (&clerk_type.type, "clerk");

  submit ("POST", "hold");
  ck_assert_uint_eq (far_call_count (), 1);
  ways[_i](at);
  ck_assert_uint_eq (far_call_count (), 0); /* nothing is left of it, though its handler let it lie */
  ck_assert_ptr_nonnull (strstr (answer_text (), "the service has stopped"));
  ck_assert_uint_eq (to.n, 1);
  ck_assert_uint_eq (heard_at (&to, 0)->status, 503);
}
END_TEST

START_TEST (what_a_handler_answers_on_its_way_out_is_too_late)
{
  FarInstance *at = begin (&clerk_type.type, "clerk");

  submit ("POST", "hold");
  seen.answers_in_fini = TRUE;
  far_instance_end (at);
  ck_assert_uint_eq (far_call_count (), 0);
  ck_assert_ptr_nonnull (strstr (answer_text (), "the service has stopped"));
  run_pending ();
  ck_assert_uint_eq (to.n, 1);
}
END_TEST

/* One that goes on for a while may still answer, for a moment; then its askers are told, and its answer is
 * too late. */
START_TEST (a_call_of_a_retired_one_has_a_grace)
{
  FarInstance *at = begin (&steady_type.type, "clerk");

  submit ("POST", "hold");
  far_instance_retire (at);
  run_pending ();
  ck_assert_uint_eq (to.n, 0);
  if (_i == 0) {
    far_call_answer (seen.call, 200, NULL);
    ck_assert (run_until (is_last, &to));
    ck_assert_uint_eq (heard_at (&to, 0)->status, 200);
  } else {
    forward (FAR_CALL_GRACE_US / G_USEC_PER_SEC + 1);
    ck_assert_ptr_nonnull (strstr (answer_text (), "the service has stopped"));
    if (_i == 2)
      far_call_answer (seen.call, 200, NULL);
  }
  far_instance_retired (at);
  run_pending ();
  ck_assert_uint_eq (to.n, 1);
  ck_assert_uint_eq (far_call_count (), 0);
}
END_TEST

/* ---- requests ---- */

START_TEST (what_it_asked_for_does_not_call_it_any_more)
{
  FarInstance *shelf = begin (&shelf_type.type, "shelf"), *at = begin (&clerk_type.type, "clerk");

  submit ("POST", "ask");
  seen.asks_in_stop = _i == 2;
  ways[_i % 2](at);
  ck_assert_uint_eq (seen.dropped, _i == 2 ? 2 : 1);
  ck_assert_ptr_nonnull (strstr (answer_text (), "the service has stopped"));
  ck_assert (!far_request_ended (seen.kept)); /* it goes on */
  far_request_done (seen.kept, g_new0 (gint64, 1), g_free);
  run_pending ();
  ck_assert_uint_eq (seen.done, 0);
  ck_assert_uint_eq (shelf->head.served.length, _i == 2 ? 1 : 0);
}
END_TEST

START_TEST (what_nobody_is_to_end_goes_with_who_asked)
{
  FarInstance *at = begin (&clerk_type.type, "clerk");
  FarRequest *req = far_request_ref (
      far_request_of (at, clerk_answered, g_new0 (FarCall *, 1), thing_free, 1000));

  if (_i == 1)
    far_request_done (req, g_strdup ("on its way"), g_free);
  far_instance_end (at);
  ck_assert_uint_eq (seen.dropped, 1);
  far_request_done (req, g_strdup ("late"), g_free);
  forward (2); /* and no timer of it is left */
  ck_assert_uint_eq (seen.done, 0);
  far_request_unref (req);
}
END_TEST

START_TEST (what_it_was_asked_for_ends_with_it)
{
  FarInstance *shelf = begin (&shelf_type.type, "shelf");

  begin (&clerk_type.type, "clerk");
  submit ("POST", "ask");
  ways[_i](shelf);
  ck_assert_ptr_nonnull (strstr (answer_text (), "stores.shelf has stopped"));
  ck_assert_uint_eq (heard_at (&to, 0)->status, 503);
  far_request_done (seen.kept, g_new0 (gint64, 1), g_free);
  run_pending ();
  ck_assert_uint_eq (seen.done, 1);
  ck_assert_uint_eq (seen.dropped, 0);
}
END_TEST

START_TEST (a_retired_one_ends_what_it_was_asked_for)
{
  FarInstance *shelf = begin (&steady_shelf_type.type, "shelf");

  begin (&clerk_type.type, "clerk");
  submit ("POST", "ask");
  far_instance_retire (shelf);
  run_pending ();
  ck_assert_uint_eq (seen.done, 0);
  if (_i == 0)
    far_request_done (seen.kept, g_new0 (gint64, 1), g_free);
  far_instance_retired (shelf);
  ck_assert (run_until (is_last, &to));
  ck_assert_uint_eq (heard_at (&to, 0)->status, _i == 0 ? 200 : 503);
}
END_TEST

/* A thread that hangs may do it yet: until it has come back nobody says that it was not done. */
START_TEST (one_that_is_held_says_nothing_untrue)
{
  FarInstance *shelf = begin (&shelf_type.type, "shelf");

  begin (&clerk_type.type, "clerk");
  submit ("POST", "ask");
  far_instance_hold (shelf);
  far_instance_end (shelf);
  run_pending ();
  ck_assert_uint_eq (seen.done, 0);
  if (_i == 0)
    far_request_done (seen.kept, g_new0 (gint64, 1), g_free);
  far_instance_release (shelf);
  ck_assert (run_until (is_last, &to));
  ck_assert_uint_eq (heard_at (&to, 0)->status, _i == 0 ? 200 : 503);
}
END_TEST

/* ---- executor jobs ---- */

static void
slow_work (FarRequest *req, gpointer data)
{
  g_atomic_int_inc ((gint *) data);
  far_request_done (req, g_strdup ("result"), g_free);
}

static gboolean
both_worked (gpointer data)
{
  return g_atomic_int_get ((gint *) data) == 2;
}

START_TEST (a_job_of_an_executor_goes_on_and_calls_nobody)
{
  static gint worked;
  FarInstance *at = begin (&clerk_type.type, "clerk");

  worked = 0;
  for (int i = 0; i < 2; i++)
    far_run_blocking ("test", 4, slow_work, &worked, NULL,
                      far_request_of (at, clerk_answered, g_new0 (FarCall *, 1), thing_free, 0));
  far_instance_end (at);
  ck_assert_uint_eq (seen.dropped, 2);
  ck_assert (run_until (both_worked, &worked));
  far_executors_end ();
  run_pending ();
  ck_assert_uint_eq (seen.done, 0);
}
END_TEST

/* ---- watches ---- */

START_TEST (a_watch_ends_with_its_instance)
{
  FarInstance *at = begin (_i == 2 ? &steady_type.type : &clerk_type.type, "clerk");

  submit ("WATCH", "hold");
  ck_assert_uint_eq (far_subscription_count (), 1);
  ways[MIN (_i, 1)](at);
  ck_assert_uint_eq (far_subscription_count (), 0);
  ck_assert_uint_eq (seen.watches_gone, 1);
  ck_assert (run_until (is_last, &to));
  ck_assert_uint_eq (heard_at (&to, to.n - 1)->status, 204);
  far_instance_retired (at);
  run_pending ();
}
END_TEST

/* ---- timers ---- */

START_TEST (a_timer_ends_with_its_instance)
{
  FarInstance *at = begin (&clerk_type.type, "clerk");

  clerk_set_timers (at->self);
  seen.sets_in_stop = _i == 2;
  ways[_i % 2](at);
  ck_assert_uint_eq (seen.dropped, _i == 2 ? 2 : 1);
  forward (2);
  ck_assert_uint_eq (seen.told, 0);
}
END_TEST

START_TEST (a_timer_of_a_retired_one_goes_on)
{
  FarInstance *at = begin (&steady_type.type, "clerk");

  clerk_set_timers (at->self);
  far_instance_retire (at);
  forward (2);
  ck_assert_uint_eq (seen.told, 1);
  ck_assert_uint_eq (seen.dropped, 0); /* it ran instead */
  clerk_set_timers (at->self);
  far_instance_retired (at);
  run_pending ();
  ck_assert_uint_eq (seen.dropped, 1);
  forward (2);
  ck_assert_uint_eq (seen.told, 1);
}
END_TEST

/* Set, it is there; set anew, it is one still; stopped, and while it runs, it is not. */
START_TEST (a_timer_s_handle_says_whether_it_is_set)
{
  FarInstance *at = begin (&clerk_type.type, "clerk");
  Clerk *self = at->self;
  gint64 now = far_clock_boottime_us ();

  far_instance_timer (at, &self->timer, now + G_USEC_PER_SEC, clerk_told, self);
  far_instance_timer (at, &self->timer, now + 5 * G_USEC_PER_SEC, clerk_told, self);
  ck_assert_uint_eq (at->head.owned.length, 1);
  forward (2);
  ck_assert_uint_eq (seen.told, 0);
  ck_assert_ptr_nonnull (self->timer);
  forward (4);
  ck_assert_uint_eq (seen.told, 1);
  ck_assert_ptr_null (self->timer);
  far_instance_timer (at, &self->timer, now, clerk_told, self);
  far_instance_timer_stop (&self->timer);
  far_instance_timer_stop (&self->timer);
  ck_assert_uint_eq (at->head.owned.length, 0);
  forward (2);
  ck_assert_uint_eq (seen.told, 1);
}
END_TEST

/* ---- listeners ---- */

static void
sample_heard (const FarReading *group, gpointer user)
{
  clerk_told (user);
}

/* Ends the instance that hears after it. */
static void
sample_ends (const FarReading *group, gpointer user)
{
  ways[0](user);
}

static void
push_sample (FarInstance *at)
{
  const FarSample sample = { .series = far_series_of ("t1", "x.value", "1"), .type = FAR_VALUE_F64 };
  const FarReading group = { .n = 1, .samples = &sample };

  far_sample_push (at, &group);
}

START_TEST (a_listener_for_samples_ends_with_its_instance)
{
  FarInstance *shelf = begin (&shelf_type.type, "shelf"), *at = begin (&clerk_type.type, "clerk");
  guint ends = _i == 2 ? far_sample_listen (NULL, sample_ends, at) : 0,
        id = far_sample_listen (at, sample_heard, at->self);

  if (_i < 2) {
    push_sample (shelf);
    ck_assert_uint_eq (seen.told, 1);
    ways[_i](at);
  }
  push_sample (shelf);
  ck_assert_uint_eq (seen.told, _i < 2 ? 1 : 0);
  far_sample_unlisten (id); /* ended already: nothing happens */
  far_sample_unlisten (ends);
}
END_TEST

START_TEST (a_listener_of_a_retired_one_goes_on)
{
  FarInstance *shelf = begin (&shelf_type.type, "shelf"), *at = begin (&steady_type.type, "clerk");

  far_sample_listen (at, sample_heard, at->self);
  far_instance_retire (at);
  push_sample (shelf);
  ck_assert_uint_eq (seen.told, 1);
  far_instance_retired (at);
  run_pending ();
  push_sample (shelf);
  ck_assert_uint_eq (seen.told, 1);
}
END_TEST

static void
device_lost (const char *session, const char *device, gpointer user)
{
  clerk_told (user);
}

static void
device_failed (const char *session, const char *device, const char *cause, gpointer user)
{
  clerk_told (user);
}

/* One claim that is taken over, and one endpoint that is not there. */
static void
lose_device (void)
{
  const FarDevice device = { .name = (char *) "plc", .endpoint = (char *) "nowhere" };
  const FarEndpointSpec spec = { .session = "s2", .person = "alice", .device = "plc" };

  ck_assert (far_device_add (NULL, &device, NULL));
  ck_assert (far_device_lock ("plc", "s1", "alice", NULL, NULL, NULL));
  far_device_open (&spec, far_request_new (NULL, NULL, 0));
  run_pending ();
  far_device_unlock (NULL, "s1");
  far_device_unlock (NULL, "s2");
}

START_TEST (a_listener_for_devices_ends_with_its_instance)
{
  FarInstance *at = begin (&clerk_type.type, "clerk"),
              *next = _i == 2 ? begin (&clerk_type.type, "next") : NULL;

  far_device_on_lost (at, device_lost, at->self);
  far_device_on_failed (at, device_failed, at->self);
  lose_device ();
  ck_assert_uint_eq (seen.told, 2);
  if (next != NULL) { /* the one that asked last goes on when another ends */
    far_device_on_lost (next, device_lost, next->self);
    far_device_on_failed (next, device_failed, next->self);
  }
  ways[_i % 2](at);
  seen.live = next != NULL;
  lose_device ();
  ck_assert_uint_eq (seen.told, next != NULL ? 4 : 2);
  far_device_reset ();
}
END_TEST

/* ---- tickets ---- */

static void
stream_came (FarStream *stream, const char *from, gpointer user)
{
}

START_TEST (a_ticket_ends_with_its_instance)
{
  FarInstance *at = begin (_i == 2 ? &steady_type.type : &clerk_type.type, "clerk");
  gint64 until = far_clock_boottime_us () + 60 * (gint64) G_USEC_PER_SEC;
  g_autofree char *ticket = far_ticket_new (at, asker, TRUE, until, stream_came, at->self),
                  *others = far_ticket_new (NULL, asker, TRUE, until, stream_came, NULL);

  ways[MIN (_i, 1)](at);
  ck_assert (far_ticket_valid (ticket, asker) == (_i == 2)); /* a retired one's are good until it ends */
  far_instance_retired (at);
  run_pending ();
  ck_assert (!far_ticket_valid (ticket, asker));
  ck_assert (far_ticket_valid (others, asker));
  far_ticket_revoke (ticket);
  ck_assert_uint_eq (far_ticket_count (), 1);
  far_ticket_clear ();
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("lifetime");
  TCase *cases = tcase_create ("lifetime");

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_loop_test (cases, a_call_is_answered_when_its_instance_goes, 0, 2);
  tcase_add_test (cases, what_a_handler_answers_on_its_way_out_is_too_late);
  tcase_add_loop_test (cases, a_call_of_a_retired_one_has_a_grace, 0, 3);
  tcase_add_loop_test (cases, what_it_asked_for_does_not_call_it_any_more, 0, 3);
  tcase_add_loop_test (cases, what_nobody_is_to_end_goes_with_who_asked, 0, 2);
  tcase_add_loop_test (cases, what_it_was_asked_for_ends_with_it, 0, 2);
  tcase_add_loop_test (cases, a_retired_one_ends_what_it_was_asked_for, 0, 2);
  tcase_add_loop_test (cases, one_that_is_held_says_nothing_untrue, 0, 2);
  tcase_add_test (cases, a_job_of_an_executor_goes_on_and_calls_nobody);
  tcase_add_loop_test (cases, a_watch_ends_with_its_instance, 0, 3);
  tcase_add_loop_test (cases, a_timer_ends_with_its_instance, 0, 3);
  tcase_add_test (cases, a_timer_of_a_retired_one_goes_on);
  tcase_add_test (cases, a_timer_s_handle_says_whether_it_is_set);
  tcase_add_loop_test (cases, a_listener_for_samples_ends_with_its_instance, 0, 3);
  tcase_add_test (cases, a_listener_of_a_retired_one_goes_on);
  tcase_add_loop_test (cases, a_listener_for_devices_ends_with_its_instance, 0, 3);
  tcase_add_loop_test (cases, a_ticket_ends_with_its_instance, 0, 3);
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
