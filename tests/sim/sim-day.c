/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A day of a fleet: terminals measure, poll and send, people ask for sessions; wires break and fall silent,
 * the cloud and its terminals begin anew, clocks are set. At the end nothing that was measured is missing,
 * nothing is there twice, and no session is left open. The seed is told; with $FARWATCH_SIM_SEED, _TERMINALS
 * and _HOURS another day is played, or the same plan again: what happens when is the seed's, how threads and
 * messages fall into it is not. */
#include "config.h"

#include "sim/sim.h"

#include <glib/gstdio.h>
#include <sodium.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock-private.h"
#include "loop/log.h"
#include <farwatch/store.h>
#include <farwatch/trust.h>

#define TERMINALS 10
#define HOURS 6

/* ---- the folder ---- */

static void
remove_all (const char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *entry;

  while (dir != NULL && (entry = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (folder, entry, NULL);

    if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
      remove_all (path);
    else
      g_unlink (path);
  }
  g_rmdir (folder);
}

static void
link_all (const char *to, const char *from)
{
  g_autoptr (GDir) dir = g_dir_open (from, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *target = g_build_filename (from, name, NULL), *path = g_build_filename (to, name, NULL);

    if (g_str_has_suffix (name, ".so"))
      (void) !symlink (target, path);
  }
}

/* The plugins as built and the two of the simulation, in one folder. */
static void
lay_plugins (const char *dir)
{
  static const char *const own[] = { "transport-memory.so", "sensor-clock.so" };
  g_autofree char *build = g_canonicalize_filename (g_getenv ("FARWATCH_TEST_BUILDDIR") != NULL
                                                        ? g_getenv ("FARWATCH_TEST_BUILDDIR")
                                                        : ".",
                                                    NULL),
                  *plugins = g_build_filename (dir, "plugins", NULL),
                  *built = g_build_filename (build, "plugins", NULL);

  g_assert (g_mkdir (plugins, 0700) == 0);
  link_all (plugins, built);
  for (guint i = 0; i < G_N_ELEMENTS (own); i++) {
    g_autofree char *target = g_build_filename (build, "tests", "fixtures", ".libs", own[i], NULL),
                    *path = g_build_filename (plugins, own[i], NULL);

    g_assert (symlink (target, path) == 0);
  }
  g_setenv ("FARWATCH_PLUGIN_DIR", plugins, TRUE);
}

/* ---- the fleet ---- */

static gint64
drawn (Sim *sim, gint64 from_us, gint64 to_us)
{
  return from_us + (gint64) (g_rand_double (sim->chance) * (gdouble) (to_us - from_us));
}

static void
fleet_make (Sim *sim, guint n)
{
  g_autofree char *ca = NULL;

  sim->cloud = sim_node_new (sim, 0);
  sim->terminals = g_ptr_array_new_with_free_func (sim_node_free);
  ca = g_build_filename (sim->cloud->dir, "ca", NULL);
  g_assert (g_mkdir_with_parents (ca, 0700) == 0 && far_trust_ca_create (ca, "sim", NULL));
  far_node_new (); /* of several nodes none is the only one, from the first moment */
  sim_node_start (sim->cloud);
  for (guint i = 1; i <= n; i++) {
    SimNode *terminal = sim_node_new (sim, i);

    g_ptr_array_add (sim->terminals, terminal);
    sim_node_enrol (terminal);
    sim_node_start (terminal);
    sim_wire_up (terminal);
  }
}

static void
fleet_stop (Sim *sim)
{
  for (guint i = 0; i < sim->terminals->len; i++)
    sim_node_stop (sim->terminals->pdata[i]);
  sim_node_stop (sim->cloud);
  while (g_main_context_iteration (NULL, FALSE))
    continue;
  g_ptr_array_unref (sim->terminals);
  sim_node_free (sim->cloud);
}

/* ---- faults ---- */

static void
fault_cut (SimNode *terminal)
{
  terminal->sim->count.cuts++;
  sim_wire_break (terminal, drawn (terminal->sim, G_TIME_SPAN_SECOND, 30 * G_TIME_SPAN_MINUTE));
}

/* What could not be written waits in memory, and a node says that a restart loses it: so for an hour after
 * the disks were full no terminal begins anew. */
static void
fault_restart (SimNode *terminal)
{
  if (terminal->sim->full_us > 0 && far_clock_boottime_us () < terminal->sim->full_us + G_TIME_SPAN_HOUR) {
    fault_cut (terminal);
    return;
  }
  terminal->sim->count.restarts++;
  sim_node_stop (terminal);
  sim_run_until (terminal->sim, far_clock_boottime_us () +
                                    drawn (terminal->sim, G_TIME_SPAN_SECOND, 10 * G_TIME_SPAN_SECOND));
  sim_node_start (terminal);
  sim_wire_up (terminal);
}

/* Its terminals come back as their wires do. */
static void
fault_cloud (SimNode *terminal)
{
  Sim *sim = terminal->sim;

  sim->count.clouds++;
  sim_node_stop (sim->cloud);
  sim_run_until (sim, far_clock_boottime_us () + drawn (sim, G_TIME_SPAN_SECOND, G_TIME_SPAN_MINUTE));
  sim_node_start (sim->cloud);
  for (guint i = 0; i < sim->terminals->len; i++)
    sim_wire_break (sim->terminals->pdata[i], drawn (sim, 0, G_TIME_SPAN_MINUTE));
}

/* Somebody sets the clock of a terminal; what the cloud tells counts. */
static void
fault_step (SimNode *terminal)
{
  FarNode *before = far_node_enter (terminal->node);

  terminal->sim->count.steps++;
  far_clock_step (drawn (terminal->sim, -G_TIME_SPAN_HOUR, G_TIME_SPAN_HOUR));
  far_node_enter (before);
}

static void
fault_silence (SimNode *terminal)
{
  terminal->sim->count.silences++;
  terminal->silent = TRUE;
  sim_run_until (terminal->sim, far_clock_boottime_us () + drawn (terminal->sim, 0, 2 * G_TIME_SPAN_MINUTE));
  sim_wire_break (terminal, drawn (terminal->sim, G_TIME_SPAN_SECOND, 30 * G_TIME_SPAN_MINUTE));
}

/* One of four times the disk of all is full: no file grows any more, for a while. Nothing is acknowledged
 * then that is not kept. */
static void
fault_full (SimNode *terminal)
{
  struct rlimit before, full;

  if (drawn (terminal->sim, 0, 4) > 0) {
    fault_cut (terminal);
    return;
  }
  terminal->sim->count.full++;
  getrlimit (RLIMIT_FSIZE, &before);
  full = (struct rlimit){ 1, before.rlim_max };
  setrlimit (RLIMIT_FSIZE, &full);
  sim_run_until (terminal->sim, far_clock_boottime_us () +
                                    drawn (terminal->sim, G_TIME_SPAN_MINUTE, 10 * G_TIME_SPAN_MINUTE));
  setrlimit (RLIMIT_FSIZE, &before);
  terminal->sim->full_us = far_clock_boottime_us ();
}

typedef void (*SimFault) (SimNode *terminal);

static void
fault (Sim *sim)
{
  static const SimFault faults[] = { fault_cut,  fault_cut,   fault_silence, fault_restart,
                                     fault_step, fault_cloud, fault_full };
  SimNode *terminal = sim->terminals->pdata[g_rand_int_range (sim->chance, 0, (gint32) sim->terminals->len)];

  faults[g_rand_int_range (sim->chance, 0, G_N_ELEMENTS (faults))](terminal);
}

/* A person asks for a session. */
static void
person_asks (Sim *sim)
{
  SimNode *terminal = sim->terminals->pdata[g_rand_int_range (sim->chance, 0, (gint32) sim->terminals->len)];
  gint64 length = drawn (sim, G_TIME_SPAN_MINUTE, G_TIME_SPAN_HOUR);
  guint status;
  json_t *answer = sim_ask (sim, "ann", "POST", "sessions",
                            json_pack ("{s:s, s:s, s:I, s:s}", "terminal", terminal->id, "device", "plc",
                                       "for_us", (json_int_t) length, "reason", "a look"),
                            &status);

  if (status == 201)
    g_ptr_array_add (sim->sessions, g_strdup (json_string_value (json_object_get (answer, "session"))));
  else
    sim->count.refused++;
  json_decref (answer);
}

/* Twelve faults a terminal and day, and twelve sessions. */
static void
day_play (Sim *sim, gint64 end_us)
{
  gint64 mean = G_TIME_SPAN_HOUR / sim->terminals->len;

  while (far_clock_boottime_us () < end_us) {
    sim_run_until (sim, MIN (far_clock_boottime_us () + drawn (sim, 0, 2 * mean), end_us));
    if (far_clock_boottime_us () < end_us)
      g_rand_boolean (sim->chance) ? fault (sim) : person_asks (sim);
    sim->late += sim_tunnels_late (sim);
  }
}

/* ---- what must hold ---- */

typedef struct {
  gboolean over;
  GArray *points;
} SimPoints;

static void
points_came (FarRequest *req, gpointer user)
{
  SimPoints *to = user;

  to->over = TRUE;
  to->points = far_request_steal (req);
}

static gboolean
points_are_there (gpointer data)
{
  return ((SimPoints *) data)->over;
}

static void
say_missing (SimNode *terminal)
{
  GHashTableIter iter;
  gpointer value, there;

  g_hash_table_iter_init (&iter, terminal->given);
  while (g_hash_table_iter_next (&iter, &value, &there))
    if (there == NULL)
      printf ("# %s: what was measured at %.3f is not there\n", terminal->id,
              (double) *(gint64 *) value / 1e6);
}

/* Each value that the terminal gave is there once, and nothing else. */
static guint
check_samples (SimNode *terminal)
{
  FarNode *before = far_node_enter (terminal->sim->cloud->node);
  SimPoints got = { FALSE, NULL };
  guint twice = 0, strange = 0, found = 0;

  far_store_samples ("main", terminal->id, "clock.boottime", G_MININT64, G_MAXINT64, 100000,
                     far_request_new (points_came, &got, 0));
  far_node_enter (before);
  g_assert (sim_run (terminal->sim, points_are_there, &got));
  for (guint i = 0; got.points != NULL && i < got.points->len; i++) {
    const FarPoint *point = &g_array_index (got.points, FarPoint, i);
    gpointer times = NULL;

    if (!g_hash_table_lookup_extended (terminal->given, &point->i64, NULL, &times))
      strange += point->i64 < terminal->sim->closed_us;
    else if (times != NULL)
      twice++;
    else {
      found++;
      g_hash_table_insert (terminal->given, g_memdup2 (&point->i64, sizeof (gint64)), GUINT_TO_POINTER (1));
    }
  }
  g_clear_pointer (&got.points, g_array_unref);
  if (found != g_hash_table_size (terminal->given) || twice > 0 || strange > 0)
    printf ("# %s: %u given, %u there, %u twice, %u that it never gave\n", terminal->id,
            g_hash_table_size (terminal->given), found, twice, strange);
  say_missing (terminal);
  return g_hash_table_size (terminal->given) - found + twice + strange;
}

static void
say (guint number, gboolean good, const char *what)
{
  printf ("%s %u - %s\n", good ? "ok" : "not ok", number, what);
}

/* Each session is closed, or forgotten by a cloud that began anew since, and stands once in the history. */
static guint
check_session (Sim *sim, const char *id)
{
  g_autofree char *resource = g_strdup_printf ("sessions/%s", id),
                  *history = g_strdup_printf ("history?session=%s", id);
  guint status, wrong = 0;
  json_t *session = sim_ask (sim, NULL, "GET", resource, NULL, &status);
  const char *state = json_string_value (json_object_get (session, "state"));
  json_t *past = sim_ask (sim, NULL, "GET", history, NULL, &status),
         *rows = json_object_get (past, "history");

  if ((state != NULL && strcmp (state, "closed") != 0) || json_array_size (rows) != 1 ||
      json_string_value (json_object_get (json_array_get (rows, 0), "cause")) == NULL) {
    printf ("# session %s: %s, %u rows of history\n", id, state != NULL ? state : "unknown",
            (guint) json_array_size (rows));
    wrong = 1;
  }
  json_decref (session);
  json_decref (past);
  return wrong;
}

static guint
check_sessions (Sim *sim)
{
  guint wrong = 0;

  for (guint i = 0; i < sim->sessions->len; i++)
    wrong += check_session (sim, sim->sessions->pdata[i]);
  return wrong;
}

static gboolean
day_check (Sim *sim, guint hours)
{
  guint wrong = 0, given = 0, unclosed = check_sessions (sim), left = g_hash_table_size (sim->tunnels);
  gboolean measured;

  for (guint i = 0; i < sim->terminals->len; i++) {
    wrong += check_samples (sim->terminals->pdata[i]);
    given += g_hash_table_size (((SimNode *) sim->terminals->pdata[i])->given);
  }
  measured = given >= sim->terminals->len * hours * 55;
  printf ("# %u samples, %u messages; %u cuts, %u answers lost, %u silences, %u restarts, %u of the cloud, "
          "%u clocks set, %u times no disk\n",
          given, sim->count.messages, sim->count.cuts, sim->count.torn, sim->count.silences,
          sim->count.restarts, sim->count.clouds, sim->count.steps, sim->count.full);
  printf ("# %u sessions, %u refused; %u tunnels were up, %u times one was lost\n", sim->sessions->len,
          sim->count.refused, sim->count.tunnels, sim->count.lost);
  say (1, wrong == 0, "each sample is stored once");
  say (2, measured, "the terminals have measured all the time");
  say (3, unclosed == 0, "each session is closed, and stands in the history once");
  say (4, sim->late == 0 && left == 0, "no tunnel outlives its deadline or its session");
  return wrong == 0 && measured && unclosed == 0 && sim->late == 0 && left == 0;
}

/* Everybody is reached and has had time to send what waited. */
static void
day_settle (Sim *sim)
{
  for (guint i = 0; i < sim->terminals->len; i++) {
    SimNode *terminal = sim->terminals->pdata[i];

    g_clear_pointer (&terminal->wire_timer, far_loop_timer_free);
    terminal->silent = FALSE;
    sim_wire_up (terminal);
  }
  sim_run_until (sim, far_clock_boottime_us () + 2 * G_TIME_SPAN_HOUR); /* the longest session is over, too */
  sim->calm = TRUE;
  for (guint i = 0; i < sim->terminals->len; i++) { /* what is being gathered is written and sent */
    SimNode *terminal = sim->terminals->pdata[i];

    sim->closed_us = i == 0 ? far_clock_boottime_us () : sim->closed_us;
    sim_node_stop (terminal);
    sim_node_start (terminal);
    sim_wire_up (terminal);
  }
  sim_run_until (sim, far_clock_boottime_us () + 10 * G_TIME_SPAN_MINUTE);
}

/* ---- chance ---- */

static guint
number_of (const char *name, guint fallback)
{
  const char *text = g_getenv (name);

  return text != NULL ? (guint) g_ascii_strtoull (text, NULL, 10) : fallback;
}

static void
keep_log (GLogLevelFlags level, const char *path, const char *text, gpointer user)
{
  FarNode *entered = far_node_entered ();

  if (g_getenv ("FARWATCH_SIM_LOG") != NULL)
    fprintf (stderr, "# %.3f %s %s: %s\n", (double) far_clock_boottime_us () / 1e6,
             entered != NULL ? far_node_id () : "-", path != NULL ? path : "-", text);
}

int
main (void)
{
  Sim sim = { .seed = number_of ("FARWATCH_SIM_SEED", 0) };
  guint n = number_of ("FARWATCH_SIM_TERMINALS", TERMINALS), hours = number_of ("FARWATCH_SIM_HOURS", HOURS);
  gint64 began = g_get_monotonic_time ();
  gboolean good;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  if (sim.seed == 0)
    sim.seed = randombytes_random ();
  sigaction (SIGXFSZ, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
  setvbuf (stdout, NULL, _IOLBF, 0);
  printf ("1..4\n# seed %u: %u terminals, %u hours; FARWATCH_SIM_SEED=%u plays it again\n", sim.seed, n,
          hours, sim.seed);
  far_log_set_sink (keep_log, NULL);
  sim.chance = g_rand_new_with_seed (sim.seed);
  sim.noise = g_rand_new_with_seed (sim.seed + 1);
  sim.dir = g_mkdtemp (g_strdup (g_file_test ("/dev/shm", G_FILE_TEST_IS_DIR) ? "/dev/shm/farwatch-sim-XXXXXX"
                                                                              : "/tmp/farwatch-sim-XXXXXX"));
  lay_plugins (sim.dir);
  sim_tunnels_begin (&sim);
  sim.sessions = g_ptr_array_new_with_free_func (g_free);
  fleet_make (&sim, n);
  day_play (&sim, far_clock_boottime_us () + hours * G_TIME_SPAN_HOUR);
  day_settle (&sim);
  good = day_check (&sim, hours);
  fleet_stop (&sim);
  g_hash_table_unref (sim.tunnels);
  g_ptr_array_unref (sim.sessions);
  remove_all (sim.dir);
  g_free (sim.dir);
  g_rand_free (sim.chance);
  g_rand_free (sim.noise);
  printf ("# %.1f s\n", (double) (g_get_monotonic_time () - began) / 1e6);
  return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
