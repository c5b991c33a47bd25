/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate in floods with the limits that are shipped, with many threads, and with many connections. */
#include "unit/gate-help.h"

/* ---- the listeners as they are shipped ---- */

static const struct {
  const char *name;
  FarGateLimits limits;
} shipped[] = {
  { "people", { .total = 512, .per_address = 96, .unverified_total = 512 } },
  { "nodes", { .total = 4096, .per_address = 32, .unverified_total = 512 } },
  { "ssh", { .total = 4096, .per_address = 16, .unverified_total = 64 } },
};

typedef enum { FLOOD_V4, FLOOD_60, FLOOD_V6, N_FLOODS } Flood;

static char *
flood_address (Flood flood, guint i)
{
  switch (flood) {
  case FLOOD_V4:
    return g_strdup_printf ("10.1.%u.%u", i / 256 % 256, i % 256);
  case FLOOD_60:
    return g_strdup_printf ("2001:db8:0:10%x::1", i % 16);
  default:
    return g_strdup_printf ("2001:db8:%x:%x::1", i / 256 % 256, i % 256);
  }
}

static void
flood (FarGate *gate, GPtrArray *silent, Flood how, guint addresses, guint each)
{
  for (guint i = 0; i < addresses * each; i++) {
    g_autofree char *address = flood_address (how, i % addresses);
    Guest *guest = g_new0 (Guest, 1);
    come (gate, guest, address);
    g_ptr_array_add (silent, guest);
  }
}

/* Floods of silent connections: from 16 addresses, from a /60, from 4000 addresses with one each. Who speaks
 * comes in and stays in. */
START_TEST (no_flood_shuts_a_shipped_interface)
{
  static const char *const news[N_FLOODS] = { "198.51.100.2", "198.51.100.3", "2001:db8:ffff::1" };
  static const guint addresses[N_FLOODS] = { 16, 16, 4000 }, each[N_FLOODS] = { 128, 128, 1 };
  FarGate *gate = far_gate_new (shipped[_i].name, &shipped[_i].limits);
  g_autoptr (GPtrArray) silent = g_ptr_array_new_with_free_func (g_free);
  Guest known = { 0 }, new[8] = { 0 };
  make_known (gate, "198.51.100.1");
  for (guint i = 0; i < N_FLOODS; i++) {
    flood (gate, silent, i, addresses[i], each[i]);
    come_all (gate, &new[i], 1, news[i]);
    far_gate_heard (new[i].pass);
    flood (gate, silent, i, addresses[i], each[i]);
    ck_assert_uint_eq (gone (new, 8), 0);
  }
  come_all (gate, &known, 1, "198.51.100.1");
  flood (gate, silent, FLOOD_V4, 200, 10);
  ck_assert_uint_eq (gone (&known, 1), 0);
  ck_assert_uint_eq (gone (new, 8), 0);
  ck_assert_uint_le (far_gate_counts (gate).now, shipped[_i].limits.total);
  ck_assert_uint_le (far_gate_counts (gate).unverified, shipped[_i].limits.unverified_total);
  for (guint i = 0; i < silent->len; i++)
    leave_all (silent->pdata[i], 1);
  leave_all (new, 8);
  leave_all (&known, 1);
  ck_assert_uint_eq (far_gate_counts (gate).now, 0);
  far_gate_free (gate);
}
END_TEST

/* ---- many at once ---- */

#define RACERS 3
#define STEPS 3000
#define HELD 24

typedef struct {
  FarGate *gate;
  FarLoop *loop;
  GRand *random;
  Guest held[HELD];
  guint steps, evicted;
  gint done;
} Racer;

static void
racer_left (Guest *guest)
{
  far_gate_leave (g_steal_pointer (&guest->pass));
}

static void
racer_evicted (gpointer data)
{
  Guest *guest = data;
  guest->evicted++;
  racer_left (guest);
}

static void
racer_step (Racer *racer)
{
  Guest *guest = &racer->held[g_rand_int_range (racer->random, 0, HELD)];
  g_autofree char *address = g_strdup_printf ("2001:db8:0:%x::1", g_rand_int_range (racer->random, 0, 600));
  guint what = (guint) g_rand_int_range (racer->random, 0, 8);
  At place;
  if (guest->pass == NULL) {
    guest->pass = far_gate_enter (racer->gate, -1, at (&place, address), NULL);
    if (guest->pass != NULL)
      far_gate_evictable (guest->pass, racer->loop, racer_evicted, guest);
  } else if (what < 3)
    far_gate_heard (guest->pass);
  else if (what < 4)
    far_gate_verified (guest->pass);
  else if (what < 6)
    far_gate_leave (g_steal_pointer (&guest->pass));
}

static void
racer_run (gpointer data)
{
  Racer *racer = data;
  for (guint i = 0; i < 16; i++)
    racer_step (racer);
  racer->steps += 16;
  if (racer->steps < STEPS) {
    far_loop_post (racer->loop, racer_run, racer); /* what was evicted meanwhile is told in between */
    return;
  }
  for (guint i = 0; i < HELD; i++) {
    racer_left (&racer->held[i]);
    racer->evicted += racer->held[i].evicted;
  }
  g_atomic_int_set (&racer->done, 1);
}

START_TEST (threads_enter_evict_and_leave_at_once)
{
  FarGateLimits limits = { .total = 32, .per_address = 3, .unverified_total = 16 };
  FarGate *gate = far_gate_new ("test", &limits);
  Racer racers[RACERS] = { 0 };
  guint evicted = 0;
  for (guint i = 0; i < RACERS; i++) {
    racers[i] = (Racer){ .gate = gate,
                         .loop = far_loop_io_new ("racer"),
                         .random = g_rand_new_with_seed (i + 1) };
    far_loop_post (racers[i].loop, racer_run, &racers[i]);
  }
  for (guint i = 0; i < RACERS; i++) {
    help_wait (&racers[i].done);
    evicted += racers[i].evicted;
  }
  ck_assert_uint_eq (far_gate_counts (gate).now, 0);
  ck_assert_uint_eq (far_gate_counts (gate).unverified, 0);
  ck_assert_uint_gt (evicted, 0);
  ck_assert_uint_le (evicted, far_gate_counts (gate).evicted);
  far_gate_free (gate);
  for (guint i = 0; i < RACERS; i++) {
    far_loop_io_free (racers[i].loop);
    g_rand_free (racers[i].random);
  }
}
END_TEST

/* A walk over all of them at each entrance would take minutes. */
START_TEST (ten_thousand_cost_no_walk)
{
  FarGateLimits limits = { .total = 10000, .unverified_total = 10000 };
  FarGate *gate = far_gate_new ("test", &limits);
  const guint n = 40000;
  Guest *all = g_new0 (Guest, n);
  for (guint i = 0; i < n; i++) {
    g_autofree char *address = flood_address (_i, i);
    come (gate, &all[i], address);
    if (i % 2)
      far_gate_heard (all[i].pass);
  }
  ck_assert_uint_eq (far_gate_counts (gate).evicted, n - 7500);
  for (guint i = 0; i < n; i++)
    far_gate_leave (all[i].pass);
  g_free (all);
  far_gate_free (gate);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("gate flood");
  tcase_set_timeout (cases, 60);
  tcase_add_loop_test (cases, no_flood_shuts_a_shipped_interface, 0, G_N_ELEMENTS (shipped));
  tcase_add_test (cases, threads_enter_evict_and_leave_at_once);
  tcase_add_loop_test (cases, ten_thousand_cost_no_walk, 0, N_FLOODS);
  Suite *suite = suite_create ("gate flood");
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
