/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The gate: whom it refuses, who goes for whom, what it knows. Floods and races: test-gate-flood.c. */
#include "unit/gate-help.h"

START_TEST (counts_by_address_only_before_login)
{
  static const char *const trusted[] = { "10.0.0.0/8", NULL };
  FarGateLimits limits = { .total = 100, .per_address = 2, .unverified_total = 50, .trusted = trusted };
  FarGate *gate = far_gate_new ("test", &limits);
  FarPass *pass[8];
  pass[0] = enter (gate, "192.0.2.1");
  pass[1] = enter (gate, "192.0.2.1");
  ck_assert_ptr_null (enter (gate, "192.0.2.1"));
  ck_assert_ptr_null (enter (gate, "::ffff:192.0.2.1")); /* the same address in another coat */
  pass[2] = enter (gate, "192.0.2.2");
  far_gate_verified (pass[0]);
  far_gate_verified (pass[0]);
  pass[3] = enter (gate, "192.0.2.1");
  ck_assert_ptr_nonnull (pass[3]);
  ck_assert_ptr_null (enter (gate, "192.0.2.1"));
  for (int i = 4; i < 8; i++)
    ck_assert_ptr_nonnull (pass[i] = enter (gate, "10.1.2.3"));
  ck_assert_uint_eq (far_gate_counts (gate).now, 8);
  ck_assert_uint_eq (far_gate_counts (gate).unverified, 7);
  ck_assert_uint_eq (far_gate_counts (gate).refused, 3);
  for (int i = 0; i < 8; i++)
    far_gate_leave (pass[i]);
  ck_assert_uint_eq (far_gate_counts (gate).now + far_gate_counts (gate).unverified, 0);
  far_gate_free (gate);
}
END_TEST

START_TEST (a_v6_host_is_its_net)
{
  FarGateLimits limits = { .per_address = 1 };
  FarGate *gate = far_gate_new ("test", &limits);
  FarPass *one = enter (gate, "2001:db8:0:1::1");
  ck_assert_ptr_null (enter (gate, "2001:db8:0:1:ffff::2"));
  FarPass *two = enter (gate, "2001:db8:0:2::1");
  ck_assert_ptr_nonnull (two);
  far_gate_leave (one);
  one = enter (gate, "2001:db8:0:1::9");
  ck_assert_ptr_nonnull (one);
  far_gate_leave (one);
  far_gate_leave (two);
  far_gate_free (gate);
}
END_TEST

START_TEST (totals)
{
  FarGateLimits limits = { .total = 2, .unverified_total = 1 };
  FarGate *gate = far_gate_new ("test", &limits);
  FarPass *one = enter (gate, NULL);
  ck_assert_ptr_null (enter (gate, NULL));
  far_gate_verified (one);
  FarPass *two = enter (gate, NULL);
  ck_assert_ptr_nonnull (two);
  far_gate_verified (two);
  ck_assert_ptr_null (enter (gate, NULL));
  far_gate_leave (one);
  far_gate_leave (two);
  far_gate_free (gate);
}
END_TEST

START_TEST (too_slow_and_too_much)
{
  FarGateLimits limits = { .total = 9 };
  FarGate *gate = far_gate_new ("test", &limits);
  g_autofree char *much = g_malloc0 (FAR_GATE_BYTES);
  const char *cause = NULL;
  int fd[2];
  tcp_pair (fd);
  FarPass *pass = far_gate_enter (gate, fd[1], NULL, NULL);
  ck_assert (!far_gate_over (pass, &cause));
  ck_assert_int_eq (send (fd[0], much, FAR_GATE_BYTES, 0), FAR_GATE_BYTES);
  ck_assert_int_eq (recv (fd[1], much, FAR_GATE_BYTES, MSG_WAITALL), FAR_GATE_BYTES);
  ck_assert (!far_gate_over (pass, &cause));
  ck_assert_int_eq (send (fd[0], much, 1, 0), 1);
  ck_assert_int_eq (recv (fd[1], much, 1, 0), 1);
  ck_assert (far_gate_over (pass, &cause));
  ck_assert_str_eq (cause, "too many bytes before login (the limit is 48 KiB)");
  FarPass *silent = far_gate_enter (gate, -1, NULL, NULL);
  far_clock_advance (SECONDS (11));
  ck_assert (far_gate_over (silent, &cause));
  ck_assert_str_eq (cause, "too slow (the limit is 10 s until the login)");
  far_gate_leave (silent);
  ck_assert (far_gate_over (pass, &cause)); /* who has a clock of its own asks for the bytes alone */
  ck_assert_str_eq (cause, "too many bytes before login (the limit is 48 KiB)");
  far_gate_verified (pass);
  ck_assert (!far_gate_over (pass, &cause));
  far_gate_leave (pass);
  far_gate_free (gate);
  close (fd[0]);
  close (fd[1]);
}
END_TEST

/* ---- who goes ---- */

START_TEST (the_fullest_address_loses_its_oldest_silent_one)
{
  FarGateLimits limits = { .unverified_total = 8 }; /* 6 for strangers */
  FarGate *gate = far_gate_new ("test", &limits);
  Guest all[12] = { 0 };
  come_all (gate, all, 2, "192.0.2.1");
  come_all (gate, all + 2, 3, "192.0.2.2");
  come_all (gate, all + 5, 1, "192.0.2.1");
  far_gate_heard (all[0].pass);
  far_gate_heard (all[2].pass);
  come_all (gate, all + 6, 1, "192.0.2.3"); /* .1 and .2 hold three each: who came to three first */
  ck_assert_uint_eq (gone (all, 12), 1 << 3);
  ck_assert_uint_eq (far_gate_counts (gate).unverified, 6); /* at once, though nobody has left */
  come_all (gate, all + 7, 1, "192.0.2.3");
  ck_assert_uint_eq (gone (all, 12), 1 << 3 | 1 << 1);
  come_all (gate, all + 8, 1, "192.0.2.3");
  /* all hold two: of .2, whose second came first of these */
  ck_assert_uint_eq (gone (all, 12), 1 << 3 | 1 << 1 | 1 << 4);
  far_gate_heard (all[5].pass);
  come_all (gate, all + 9, 1, "192.0.2.4");
  come_all (gate, all + 10, 1, "192.0.2.4");
  ck_assert_uint_eq (gone (all, 12), 1 << 3 | 1 << 1 | 1 << 4 | 1 << 6 | 1 << 7);
  ck_assert_uint_eq (far_gate_counts (gate).evicted, 5);
  ck_assert_uint_eq (far_gate_counts (gate).refused, 0);
  leave_all (all, 12);
  ck_assert_uint_eq (far_gate_counts (gate).now, 0);
  far_gate_free (gate);
}
END_TEST

START_TEST (without_a_silent_one_the_oldest_goes)
{
  FarGateLimits limits = { .total = 4 };
  FarGate *gate = far_gate_new ("test", &limits);
  Guest all[8] = { 0 };
  come_all (gate, all, 4, "192.0.2.1");
  for (int i = 3; i >= 0; i--)
    far_gate_heard (all[i].pass); /* the order of speaking is no matter */
  come_all (gate, all + 4, 2, "192.0.2.1");
  ck_assert_uint_eq (gone (all, 8), 1 << 0 | 1 << 4); /* 4 was silent when 5 came */
  leave_all (all, 8);
  far_gate_free (gate);
}
END_TEST

START_TEST (a_56_is_one_and_in_it_a_64_is)
{
  FarGateLimits limits = { .total = 6 };
  FarGate *gate = far_gate_new ("test", &limits);
  Guest all[8] = { 0 };
  come_all (gate, all, 2, "192.0.2.1");
  come_all (gate, all + 2, 1, "2001:db8:0:101::1");
  come_all (gate, all + 3, 2, "2001:db8:0:102::1");
  come_all (gate, all + 5, 1, "2001:db8:0:200::1"); /* another /56 */
  come_all (gate, all + 6, 1, "192.0.2.9");
  ck_assert_uint_eq (gone (all, 8), 1 << 3);
  leave_all (all, 8);
  far_gate_free (gate);
}
END_TEST

START_TEST (an_address_over_its_share_loses_its_own)
{
  FarGateLimits limits = { .per_address = 2 };
  FarGate *gate = far_gate_new ("test", &limits);
  Guest all[8] = { 0 };
  At place;
  g_autoptr (GError) error = NULL;
  come_all (gate, all, 2, "192.0.2.1");
  come_all (gate, all + 2, 2, "192.0.2.2");
  far_gate_heard (all[0].pass);
  come_all (gate, all + 4, 1, "192.0.2.1");
  ck_assert_uint_eq (gone (all, 8), 1 << 1);
  far_gate_heard (all[4].pass);
  /* all of it has spoken: nobody else's goes */
  ck_assert_ptr_null (far_gate_enter (gate, -1, at (&place, "192.0.2.1"), &error));
  ck_assert_str_eq (error->message, "test: too many connections from this address that have not logged in "
                                    "(the limit is 2, by option max-per-address)");
  ck_assert_uint_eq (gone (all, 8), 1 << 1);
  leave_all (all, 8);
  far_gate_free (gate);
}
END_TEST

START_TEST (a_56_has_four_shares)
{
  FarGateLimits limits = { .per_address = 2 };
  FarGate *gate = far_gate_new (NULL, &limits);
  Guest all[12] = { 0 }, other = { 0 }, known = { 0 };
  come_all (gate, &other, 1, "192.0.2.1");
  make_known (gate, "2001:db8:0:1ff::1");
  for (guint i = 0; i < 9; i++) {
    g_autofree char *address = g_strdup_printf ("2001:db8:0:1%02x::1", i);
    come_all (gate, &all[i], 1, address);
  }
  ck_assert_uint_eq (gone (all, 12), 1 << 0);
  come_all (gate, &known, 1, "2001:db8:0:1ff::1"); /* somebody of it has logged in: not of the strangers */
  for (guint i = 1; i < 9; i++)
    far_gate_heard (all[i].pass);
  ck_assert_ptr_null (enter (gate, "2001:db8:0:1aa::1"));
  ck_assert_uint_eq (gone (all, 12), 1 << 0);
  ck_assert_uint_eq (other.evicted + known.evicted, 0);
  leave_all (all, 12);
  leave_all (&other, 1);
  leave_all (&known, 1);
  far_gate_free (gate);
}
END_TEST

START_TEST (who_has_logged_in_stays)
{
  FarGateLimits limits = { .total = 3, .total_option = "connections" };
  FarGate *gate = far_gate_new (NULL, &limits);
  Guest all[4] = { 0 };
  At place;
  g_autoptr (GError) error = NULL;
  come_all (gate, all, 3, "192.0.2.1");
  for (guint i = 0; i < 3; i++)
    far_gate_verified (all[i].pass);
  ck_assert_ptr_null (far_gate_enter (gate, -1, at (&place, "192.0.2.2"), &error));
  ck_assert_str_eq (error->message, "too many connections (the limit is 3, by option connections)");
  ck_assert_uint_eq (gone (all, 4), 0);
  ck_assert_uint_eq (far_gate_counts (gate).refused, 1);
  leave_all (all, 4);
  far_gate_free (gate);
}
END_TEST

/* ---- known addresses ---- */

static gboolean
knows (FarGate *gate, const char *address)
{
  At place;
  return far_gate_knows (gate, at (&place, address));
}

START_TEST (a_quarter_is_for_known_addresses)
{
  FarGateLimits limits = { .unverified_total = 8 };
  FarGate *gate = far_gate_new ("test", &limits);
  Guest strangers[8] = { 0 }, known[8] = { 0 };
  make_known (gate, "192.0.2.1");
  come_all (gate, strangers, 6, "192.0.2.2");
  come_all (gate, strangers + 6, 1, "192.0.2.3"); /* two places are empty, but not for strangers */
  ck_assert_uint_eq (gone (strangers, 8), 1 << 0);
  come_all (gate, known, 2, "192.0.2.1");
  ck_assert_uint_eq (gone (strangers, 8), 1 << 0);
  /* known ones hold nothing that a stranger gets while strangers are there */
  come_all (gate, strangers + 7, 1, "192.0.2.3");
  come_all (gate, known + 2, 5, "192.0.2.1");
  ck_assert_uint_eq (gone (known, 8), 0);
  ck_assert_uint_eq (far_gate_counts (gate).known, 7);
  ck_assert_uint_eq (far_gate_counts (gate).unverified, 8);
  come_all (gate, known + 7, 1, "192.0.2.1");
  ck_assert_uint_eq (gone (strangers, 8), 0xff);
  leave_all (strangers, 1);
  /* only known ones are there: one of them goes (their passes leave at the end, told or not) */
  come (gate, strangers, "192.0.2.4");
  ck_assert_uint_eq (gone (known, 8), 1 << 0);
  leave_all (strangers, 8);
  leave_all (known, 8);
  far_gate_free (gate);
}
END_TEST

START_TEST (known_for_a_day_after_the_last_moment)
{
  FarGateLimits limits = { 0 };
  FarGate *gate = far_gate_new ("test", &limits);
  FarPass *pass = enter (gate, "192.0.2.1");
  ck_assert (!knows (gate, "192.0.2.1"));
  far_gate_verified (pass);
  ck_assert (knows (gate, "192.0.2.1"));
  ck_assert (knows (gate, "::ffff:192.0.2.1"));
  ck_assert (!knows (gate, "192.0.2.2"));
  far_clock_advance (SECONDS (20 * 24 * 3600));
  ck_assert (!knows (gate, "192.0.2.1"));
  far_gate_leave (pass); /* a link of weeks that ends now: it was here a moment ago */
  far_clock_advance (SECONDS (23 * 3600));
  ck_assert (knows (gate, "192.0.2.1"));
  far_clock_advance (SECONDS (2 * 3600));
  ck_assert (!knows (gate, "192.0.2.1"));
  far_gate_leave (enter (gate, "192.0.2.7")); /* nobody logged in */
  ck_assert (!knows (gate, "192.0.2.7"));
  far_gate_free (gate);
}
END_TEST

START_TEST (known_addresses_are_bounded)
{
  FarGateLimits limits = { 0 };
  FarGate *gate = far_gate_new ("test", &limits);
  for (guint i = 0; i < 4096 + 10; i++) {
    g_autofree char *address = g_strdup_printf ("10.0.%u.%u", i / 256, i % 256);
    make_known (gate, address);
    if (i == 4000)
      make_known (gate, "10.0.0.5"); /* once more: younger again */
  }
  ck_assert (!knows (gate, "10.0.0.4"));
  ck_assert (knows (gate, "10.0.0.5"));
  ck_assert (!knows (gate, "10.0.0.10"));
  ck_assert (knows (gate, "10.0.0.11"));
  ck_assert (knows (gate, "10.0.16.9"));
  far_gate_free (gate);
}
END_TEST

/* It logs in while others of its address wait: they are known from the next one that comes on. */
START_TEST (an_address_becomes_known_while_it_waits)
{
  static const char *const trusted[] = { "10.0.0.0/8", "unix", NULL };
  FarGateLimits limits = { .unverified_total = 8, .trusted = trusted };
  FarGate *gate = far_gate_new ("test", &limits);
  Guest all[6] = { 0 };
  come_all (gate, all, 3, "192.0.2.1");
  ck_assert_uint_eq (far_gate_counts (gate).known, 0);
  far_gate_verified (all[0].pass);
  come_all (gate, all + 3, 1, "192.0.2.1");
  ck_assert_uint_eq (far_gate_counts (gate).known, 3);
  far_clock_advance (SECONDS (25 * 3600));
  come_all (gate, all + 4, 1, "192.0.2.1");
  ck_assert_uint_eq (far_gate_counts (gate).known, 0);
  come_all (gate, all + 5, 1, "10.1.1.1");
  ck_assert_uint_eq (far_gate_counts (gate).known, 1);
  leave_all (all, 6);
  ck_assert_uint_eq (far_gate_counts (gate).now, 0);
  far_gate_free (gate);
}
END_TEST

/* ---- the end of a pass and of an eviction ---- */

START_TEST (an_eviction_is_never_told_after_the_end)
{
  FarGateLimits limits = { .total = 1 };
  FarGate *gate = far_gate_new ("test", &limits);
  Guest one = { 0 }, two = { 0 }, three = { 0 };
  come_all (gate, &one, 1, "192.0.2.1");
  come_all (gate, &two, 1, "192.0.2.1");
  far_gate_leave (one.pass); /* decided, not told */
  help_spin (3);
  ck_assert_uint_eq (one.evicted, 0);
  come_all (gate, &three, 1, "192.0.2.1");
  far_gate_verified (two.pass); /* has logged in meanwhile: it stays, and is one too many */
  help_spin (3);
  ck_assert_uint_eq (two.evicted, 0);
  ck_assert_uint_eq (far_gate_counts (gate).now, 2);
  far_gate_leave (two.pass);
  far_gate_leave (three.pass);
  ck_assert_uint_eq (far_gate_counts (gate).now, 0);
  ck_assert_uint_eq (far_gate_counts (gate).evicted, 2);
  far_gate_free (gate);
}
END_TEST

typedef struct {
  FarLoop *loop;
  FarPass *pass;
  gint told, here;
} Mover;

static void
mover_evicted (gpointer data)
{
  Mover *mover = data;
  mover->here = far_loop_is_here (mover->loop);
  g_atomic_int_set (&mover->told, 1);
}

static void
mover_arrives (gpointer data)
{
  Mover *mover = data;
  far_gate_evictable (mover->pass, mover->loop, mover_evicted, mover);
}

static void
mover_leaves (gpointer data)
{
  far_gate_leave (((Mover *) data)->pass);
}

START_TEST (an_eviction_follows_to_another_loop)
{
  FarGateLimits limits = { .total = 1 };
  FarGate *gate = far_gate_new ("test", &limits);
  Mover mover = { .loop = far_loop_io_new ("w") };
  Guest one = { 0 }, two = { 0 };
  come_all (gate, &one, 1, "192.0.2.1");
  come_all (gate, &two, 1, "192.0.2.1");
  mover.pass = one.pass;
  far_gate_evictable (one.pass, NULL, NULL, NULL);
  help_spin (3);
  ck_assert_uint_eq (one.evicted, 0);
  far_loop_call (mover.loop, mover_arrives, &mover);
  help_wait (&mover.told);
  ck_assert (mover.here);
  far_loop_call (mover.loop, mover_leaves, &mover);
  far_gate_evictable (two.pass, NULL, NULL, NULL); /* on its way: not to be had */
  ck_assert_ptr_null (enter (gate, "192.0.2.1"));
  leave_all (&two, 1);
  far_gate_free (gate);
  far_loop_io_free (mover.loop);
}
END_TEST

START_TEST (passes_keep_their_gate)
{
  FarGateLimits limits = { .total = 2 };
  FarGate *gate = far_gate_ref (far_gate_new ("test", &limits));
  Guest all[2] = { 0 };
  come_all (gate, all, 2, "192.0.2.1");
  far_gate_free (gate);
  far_gate_free (gate);
  far_gate_heard (all[0].pass);
  far_gate_verified (all[1].pass);
  leave_all (all, 2);
}
END_TEST

START_TEST (bytes_in_the_kernel_are_no_silence)
{
  FarGateLimits limits = { .total = 2 };
  FarGate *gate = far_gate_new ("test", &limits);
  Guest all[2] = { 0 };
  FarPass *third;
  int one[2], two[2];
  tcp_pair (one);
  tcp_pair (two);
  ck_assert_int_eq (send (one[0], "x", 1, 0), 1);
  ck_assert_int_eq (poll (&(struct pollfd){ .fd = one[1], .events = POLLIN }, 1, 10000), 1);
  all[0].pass = far_gate_enter (gate, one[1], NULL, NULL);
  all[1].pass = far_gate_enter (gate, two[1], NULL, NULL);
  for (guint i = 0; i < 2; i++)
    far_gate_evictable (all[i].pass, far_loop_main (), guest_evicted, &all[i]);
  third = far_gate_enter (gate, -1, NULL, NULL);
  ck_assert_ptr_nonnull (third);
  ck_assert_uint_eq (gone (all, 2), 1 << 1);
  far_gate_leave (third);
  leave_all (all, 2);
  far_gate_free (gate);
  for (guint i = 0; i < 2; i++) {
    close (one[i]);
    close (two[i]);
  }
}
END_TEST

START_TEST (lowered_limits_send_nobody_away)
{
  FarGateLimits limits = { .total = 8 }, less = { .total = 2 };
  FarGate *gate = far_gate_new ("test", &limits);
  Guest all[9] = { 0 };
  come_all (gate, all, 8, "192.0.2.1");
  far_gate_set_limits (gate, &less);
  ck_assert_uint_eq (far_gate_counts (gate).now, 8);
  come_all (gate, all + 8, 1, "192.0.2.1");
  ck_assert_uint_eq (gone (all, 9), 1 << 0); /* one for one */
  leave_all (all, 9);
  far_gate_free (gate);
}
END_TEST

/* ---- uids ---- */

static void
come_as (FarGate *gate, Guest *guest, guint uid)
{
  guest->pass = far_gate_enter_uid (gate, -1, uid, NULL);
  if (guest->pass != NULL)
    far_gate_evictable (guest->pass, far_loop_main (), guest_evicted, guest);
}

START_TEST (uids_have_shares_and_root_has_no_limit)
{
  FarGateLimits limits = { .total = 4, .per_address = 2, .unverified_total = 4, .total_option = "" };
  FarGate *gate = far_gate_new ("control socket", &limits);
  Guest others[4] = { 0 }, root[6] = { 0 }, late = { 0 };
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < 3; i++)
    come_as (gate, &others[i], 1000);
  ck_assert_uint_eq (gone (others, 4), 1 << 0);
  come_as (gate, &others[3], 1001);
  for (guint i = 0; i < 6; i++) {
    come_as (gate, &root[i], 0);
    ck_assert_ptr_nonnull (root[i].pass);
  }
  ck_assert_uint_eq (gone (others, 4), 0xf);
  ck_assert_uint_eq (gone (root, 6), 0);
  late.pass = far_gate_enter_uid (gate, -1, 1002, &error); /* root is not evicted either */
  ck_assert_ptr_null (late.pass);
  ck_assert (g_str_has_prefix (error->message, "control socket: too many connections"));
  ck_assert (g_str_has_suffix (error->message, "(the limit is 4)"));
  leave_all (others, 4);
  leave_all (root, 6);
  far_gate_free (gate);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("gate");
  tcase_add_test (cases, counts_by_address_only_before_login);
  tcase_add_test (cases, a_v6_host_is_its_net);
  tcase_add_test (cases, totals);
  tcase_add_test (cases, too_slow_and_too_much);
  tcase_add_test (cases, the_fullest_address_loses_its_oldest_silent_one);
  tcase_add_test (cases, without_a_silent_one_the_oldest_goes);
  tcase_add_test (cases, a_56_is_one_and_in_it_a_64_is);
  tcase_add_test (cases, an_address_over_its_share_loses_its_own);
  tcase_add_test (cases, a_56_has_four_shares);
  tcase_add_test (cases, who_has_logged_in_stays);
  tcase_add_test (cases, a_quarter_is_for_known_addresses);
  tcase_add_test (cases, known_for_a_day_after_the_last_moment);
  tcase_add_test (cases, known_addresses_are_bounded);
  tcase_add_test (cases, an_address_becomes_known_while_it_waits);
  tcase_add_test (cases, an_eviction_is_never_told_after_the_end);
  tcase_add_test (cases, an_eviction_follows_to_another_loop);
  tcase_add_test (cases, passes_keep_their_gate);
  tcase_add_test (cases, bytes_in_the_kernel_are_no_silence);
  tcase_add_test (cases, lowered_limits_send_nobody_away);
  tcase_add_test (cases, uids_have_shares_and_root_has_no_limit);
  Suite *suite = suite_create ("gate");
  suite_add_tcase (suite, cases);
  SRunner *runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  int failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed > 0;
}
