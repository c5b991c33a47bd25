/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a tunnel leaves behind when it is over: nothing, however many came before it and however full it was.
 */

#define WORDS                                                                                                \
  "'t1 word-10 session/s1', 't1 word-11 session/s1', 't1 word-12 session/s1', 't1 word-13 session/s1', 't1 " \
  "word-14 session/s1', 't1 word-15 session/s1', "                                                           \
  "'t1 word-16 session/s1', 't1 word-17 session/s1', 't1 word-18 session/s1', 't1 word-19 session/s1', 't1 " \
  "word-20 session/s1', 't1 word-21 session/s1'"
#define BOTH_ENDS                                                                                            \
  "authenticators:\n  wax: {type: wax, tokens: [" WORDS "]}\n"                                               \
  "transports:\n  z: {type: ssh, listen: '127.0.0.1:0', login: [wax]}\n  t: {type: ssh}\n"
#include "unit/ssh-both-ends.h"

static guint
descriptors (void)
{
  guint count = 0;
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  ck_assert_ptr_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    count++;
  return count;
}

/* Sends what the way takes, and reads none of the echo: packets are on their way in both directions from then
 * on. */
static void
person_floods (int person)
{
  static const char part[65536];
  guint sent = 0;
  for (gint64 until = g_get_monotonic_time () + 300000; g_get_monotonic_time () < until && sent < 64;)
    if (send (person, part, sizeof part, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
      sent++;
}

static void
tunnel_comes_and_goes (guint round)
{
  g_autofree char *word = g_strdup_printf ("word-%u", 10 + round);
  cloud.ended = terminal.ended = 0;
  Reserved *tunnel = reserve_in_band ();
  dial_well (tunnel, word);
  int person = person_dials (tunnel->y, NULL);
  ck_assert (person_hears_echo (person, "x"));
  person_floods (person);
  end_at (round % 2 == 0 ? "z" : "t", round % 2 == 0 ? &cloud : &terminal, "enough");
  end_at (round % 2 == 0 ? "t" : "z", round % 2 == 0 ? &terminal : &cloud, "enough");
  close (person);
  reserved_free (tunnel);
}

/* Whichever end it is that ends a tunnel, and however full it is: once both have said so nothing of it is
 * open, neither the carrier's descriptors nor the device's. */
START_TEST (an_ended_tunnel_leaves_no_descriptor)
{
  tunnel_comes_and_goes (0); /* what is made once */
  guint before = descriptors ();
  for (guint i = 1; i < 12; i++)
    tunnel_comes_and_goes (i);
  gint64 until = g_get_monotonic_time () + 5 * G_USEC_PER_SEC;
  while (descriptors () > before + 1 && g_get_monotonic_time () < until)
    g_main_context_iteration (NULL, FALSE);
  ck_assert_uint_le (descriptors (), before + 1);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("tunnel-ends");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_test (cases, an_ended_tunnel_leaves_no_descriptor);
  Suite *suite = suite_create ("tunnel-ends");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
