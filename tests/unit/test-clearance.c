/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands because of a certificate ends when that is revoked, and waits, within bounds, while nobody can
 * say what is. */
#include "config.h"

#include <check.h>
#include <stdlib.h>

#include <farwatch/clearance.h>
#include <farwatch/clock.h>
#include <farwatch/loop.h>
#include <farwatch/trust.h>

#include "trust/trust-revoked.h"

#define SECONDS(n) ((gint64) (n) *G_USEC_PER_SEC)

/* A link as a transport has it. */
typedef struct {
  FarClearance *clearance;
  guint told;
  FarClearance **other; /* to be let go of as well; NULL: none */
  gboolean goes;        /* when it is told */
} Link;

static void
link_changed (gpointer data)
{
  Link *link = data;

  link->told++;
  if (link->other != NULL)
    g_clear_pointer (link->other, far_clearance_free);
  if (link->goes)
    g_clear_pointer (&link->clearance, far_clearance_free);
}

static void
link_up (Link *link, const char *node, const char *serial, const char *key, gboolean incoming)
{
  g_autoptr (FarPresented) presented = far_presented_new (node, serial, key);

  *link = (Link){ 0 };
  link->clearance = far_clearance_new (presented, incoming, link_changed, link);
}

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

#define assert_link(link, state, times)                                                                      \
  do {                                                                                                       \
    ck_assert_int_eq (far_clearance_state ((link)->clearance), state);                                       \
    ck_assert_uint_eq ((link)->told, times);                                                                 \
  } while (FALSE)

static void
set_up (void)
{
  far_trust_revoked_set (NULL);
}

/* ---- when the list grows ---- */

/* By its serial number, its key or its name; who has none of these stays, a certificate that was renewed
 * among them. */
START_TEST (what_is_up_ends_when_it_is_revoked)
{
  static const char *const entries[] = { "0a01", "sha256:k1", "node:t1" };
  Link link, renewed, same_serial_of_none;

  link_up (&link, "t1", "0a01", "sha256:k1", TRUE);
  link_up (&renewed, _i == 2 ? "t2" : "t1", "0a02", "sha256:k2", TRUE);
  link_up (&same_serial_of_none, "t3", NULL, NULL, TRUE);
  assert_link (&link, FAR_CLEARANCE_IN, 0);
  far_trust_revoked_add (entries[_i]);
  ck_assert_uint_eq (link.told, 0); /* not inside of the call */
  settle ();
  assert_link (&link, FAR_CLEARANCE_REVOKED, 1);
  assert_link (&renewed, FAR_CLEARANCE_IN, 0);
  assert_link (&same_serial_of_none, FAR_CLEARANCE_IN, 0);
  far_trust_revoked_add ("0b");
  settle ();
  assert_link (&link, FAR_CLEARANCE_REVOKED, 1);
  far_clearance_free (link.clearance);
  far_clearance_free (renewed.clearance);
  far_clearance_free (same_serial_of_none.clearance);
}
END_TEST

/* The handshake was judged before, on a thread of its own; its link comes up behind the revocation. */
START_TEST (who_was_judged_just_before_is_judged_again)
{
  g_autoptr (FarPresented) presented = far_presented_new ("t1", "0a01", "sha256:k1");
  Link link = { 0 };

  ck_assert (!far_trust_revoked_any (presented));
  far_trust_revoked_add ("0a01");
  link.clearance = far_clearance_new (presented, TRUE, link_changed, &link);
  assert_link (&link, FAR_CLEARANCE_REVOKED, 0);
  far_clearance_free (link.clearance);
}
END_TEST

static gpointer
revoke_elsewhere (gpointer data)
{
  far_trust_revoked_add (data);
  return NULL;
}

START_TEST (the_list_may_grow_on_any_thread)
{
  Link link;

  link_up (&link, "t1", "0a01", NULL, TRUE);
  g_thread_join (g_thread_new ("keeper", revoke_elsewhere, (gpointer) "0a01"));
  settle ();
  assert_link (&link, FAR_CLEARANCE_REVOKED, 1);
  far_clearance_free (link.clearance);
}
END_TEST

/* A link that ends takes others with it, those that would be told next too. */
START_TEST (who_is_told_may_let_go)
{
  Link first, second, third;

  link_up (&first, "t1", "0a01", NULL, TRUE);
  link_up (&second, "t1", "0a01", NULL, TRUE);
  link_up (&third, "t1", "0a01", NULL, TRUE);
  first.goes = TRUE;
  first.other = &second.clearance;
  far_trust_revoked_add ("0a01");
  settle ();
  ck_assert_uint_eq (first.told, 1);
  ck_assert_uint_eq (second.told, 0);
  assert_link (&third, FAR_CLEARANCE_REVOKED, 1);
  far_clearance_free (third.clearance);
}
END_TEST

/* A guest becomes a session's link. */
START_TEST (another_is_told_from_then_on)
{
  Link guest, session = { 0 };

  link_up (&guest, "t1", "0a01", NULL, TRUE);
  far_clearance_tell (guest.clearance, link_changed, &session);
  far_trust_revoked_add ("0a01");
  settle ();
  ck_assert_uint_eq (guest.told, 0);
  ck_assert_uint_eq (session.told, 1);
  far_clearance_free (guest.clearance);
}
END_TEST

/* ---- while the list has not been read ---- */

START_TEST (it_waits_until_the_list_is_known)
{
  Link good, bad, dialled;

  far_trust_revoked_set_needed (TRUE);
  link_up (&good, "t1", "0a01", "sha256:k1", TRUE);
  link_up (&bad, "t2", "0a02", "sha256:k2", TRUE);
  link_up (&dialled, "upper", "0a03", NULL, FALSE);
  assert_link (&good, FAR_CLEARANCE_WAITS, 0);
  assert_link (&dialled, FAR_CLEARANCE_IN, 0);
  far_trust_revoked_add ("sha256:k2"); /* the rows come one by one: who is on the list need not wait */
  settle ();
  assert_link (&bad, FAR_CLEARANCE_REVOKED, 1);
  assert_link (&good, FAR_CLEARANCE_WAITS, 0);
  far_trust_revoked_set_known ();
  settle ();
  assert_link (&good, FAR_CLEARANCE_IN, 1);
  far_clock_advance (SECONDS (FAR_CLEARANCE_SECONDS + 1));
  settle ();
  assert_link (&good, FAR_CLEARANCE_IN, 1);
  far_clearance_free (good.clearance);
  far_clearance_free (bad.clearance);
  far_clearance_free (dialled.clearance);
}
END_TEST

/* The last row that is read and the word that all are read come in one turn. */
START_TEST (nobody_slips_in_between_the_last_row_and_the_end)
{
  Link link;

  far_trust_revoked_set_needed (TRUE);
  link_up (&link, "t1", "0a01", NULL, TRUE);
  far_trust_revoked_add ("0a01");
  far_trust_revoked_set_known ();
  settle ();
  assert_link (&link, FAR_CLEARANCE_REVOKED, 1);
  far_clearance_free (link.clearance);
}
END_TEST

START_TEST (it_does_not_wait_for_ever)
{
  Link link;

  far_trust_revoked_set_needed (TRUE);
  link_up (&link, "t1", "0a01", NULL, TRUE);
  far_clock_advance (SECONDS (FAR_CLEARANCE_SECONDS - 2));
  settle ();
  assert_link (&link, FAR_CLEARANCE_WAITS, 0);
  far_clock_advance (SECONDS (2));
  settle ();
  assert_link (&link, FAR_CLEARANCE_LATE, 1);
  far_trust_revoked_set_known (); /* too late for this one: it was told to come again */
  settle ();
  assert_link (&link, FAR_CLEARANCE_LATE, 1);
  far_clearance_free (link.clearance);
}
END_TEST

START_TEST (only_so_many_wait)
{
  g_autofree Link *links = g_new0 (Link, FAR_CLEARANCES_WAITING + 2);

  far_trust_revoked_set_needed (TRUE);
  for (guint i = 0; i <= FAR_CLEARANCES_WAITING; i++)
    link_up (&links[i], "t1", "0a01", NULL, TRUE);
  assert_link (&links[FAR_CLEARANCES_WAITING - 1], FAR_CLEARANCE_WAITS, 0);
  assert_link (&links[FAR_CLEARANCES_WAITING], FAR_CLEARANCE_LATE, 0);
  g_clear_pointer (&links[0].clearance, far_clearance_free);
  link_up (&links[FAR_CLEARANCES_WAITING + 1], "t1", "0a01", NULL, TRUE);
  assert_link (&links[FAR_CLEARANCES_WAITING + 1], FAR_CLEARANCE_WAITS, 0);
  far_trust_revoked_set_known ();
  settle ();
  assert_link (&links[FAR_CLEARANCES_WAITING + 1], FAR_CLEARANCE_IN, 1);
  for (guint i = 0; i < FAR_CLEARANCES_WAITING + 2; i++)
    far_clearance_free (links[i].clearance);
}
END_TEST

/* A reload brings a service that needs the list: whose link is up keeps it, unless they are on it. */
START_TEST (who_is_in_stays_when_the_list_is_needed_later)
{
  Link good, bad;

  link_up (&good, "t1", "0a01", NULL, TRUE);
  link_up (&bad, "t2", "0a02", NULL, TRUE);
  far_trust_revoked_set_needed (TRUE);
  settle ();
  assert_link (&good, FAR_CLEARANCE_IN, 0);
  far_trust_revoked_add ("0a02");
  far_trust_revoked_set_known ();
  settle ();
  assert_link (&good, FAR_CLEARANCE_IN, 0);
  assert_link (&bad, FAR_CLEARANCE_REVOKED, 1);
  far_clearance_free (good.clearance);
  far_clearance_free (bad.clearance);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("clearance");
  TCase *grows = tcase_create ("grows"), *waits = tcase_create ("waits");
  SRunner *runner;
  int failed;

  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  tcase_add_checked_fixture (grows, set_up, NULL);
  tcase_add_checked_fixture (waits, set_up, NULL);
  tcase_add_loop_test (grows, what_is_up_ends_when_it_is_revoked, 0, 3);
  tcase_add_test (grows, who_was_judged_just_before_is_judged_again);
  tcase_add_test (grows, the_list_may_grow_on_any_thread);
  tcase_add_test (grows, who_is_told_may_let_go);
  tcase_add_test (grows, another_is_told_from_then_on);
  tcase_add_test (waits, it_waits_until_the_list_is_known);
  tcase_add_test (waits, nobody_slips_in_between_the_last_row_and_the_end);
  tcase_add_test (waits, it_does_not_wait_for_ever);
  tcase_add_test (waits, only_so_many_wait);
  tcase_add_test (waits, who_is_in_stays_when_the_list_is_needed_later);
  suite_add_tcase (suite, grows);
  suite_add_tcase (suite, waits);
  runner = srunner_create (suite);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
