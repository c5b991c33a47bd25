/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whom a port Y is open to, and which ports are drawn. */
#include "unit/ssh-help.h"

#define Y_ELSEWHERE                                                                                          \
  "authenticators:\n  wax:\n    type: wax\n    tokens: ['t1 word-1 session/s1']\n"                           \
  "transports:\n  z: {type: ssh, listen: '127.0.0.1:0', login: [wax], y-listen: 127.0.0.3}\n  t: {type: "    \
  "ssh}\n"

#define FEW_PORTS                                                                                            \
  "authenticators:\n  wax:\n    type: wax\n    tokens: ['t1 word-1 session/s1']\n"                           \
  "transports:\n  z: {type: ssh, listen: '127.0.0.1:0', login: [wax], ports: 61200-61203}\n  t: {type: "     \
  "ssh}\n"

static Side cloud, terminal;
static Echo device;

static void
set_up (void)
{
  cloud = terminal = (Side){ 0 };
  echo_start (&device);
  terminal.device = &device;
}

static void
tear_down (void)
{
  node_stop ();
  echo_stop (&device);
  side_clear (&cloud);
  side_clear (&terminal);
}

static Reserved *
reserve_in_band (void)
{
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_PORTS,
                          .person_address = "127.0.0.1",
                          .length_us = SECONDS (600) };
  return reserve ("z", &spec, &cloud);
}

/* Nobody is a port opened to that is not known by address, in clear text or not. */
START_TEST (y_needs_an_address)
{
  node_start (Y_ELSEWHERE);
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_PORTS,
                          .raw = _i == 1,
                          .length_us = SECONDS (600) };
  Answer answer = { 0 };
  reserve_begin ("z", &spec, &cloud, &answer);
  answer_wait (&answer);
  ck_assert (g_error_matches (answer.error, FAR_ERROR, FAR_ERROR_DENIED));
  g_error_free (answer.error);
}
END_TEST

/* Who is told as loopback sits at this machine: also where Y is bound to another of its addresses, from which
 * the kernel then dials. */
START_TEST (y_on_another_address_of_this_machine)
{
  node_start (Y_ELSEWHERE);
  Reserved *tunnel = reserve_in_band ();
  g_autoptr (GError) error = dial_as ("t", tunnel, "s1", "t1", "word-1", tunnel->host_key, &terminal);
  ck_assert_msg (error == NULL, "%s", error != NULL ? error->message : "");
  await (&cloud.up, 1);
  await (&terminal.up, 1);
  static const char *const from[] = { "127.0.0.3", "127.0.0.1", "127.0.0.2" };
  for (guint i = 0; i < G_N_ELEMENTS (from); i++) {
    int person = person_dials_at ("127.0.0.3", tunnel->y, from[i]);
    ck_assert_msg (i == 2 ? (person < 0 || person_is_cut (person)) : person_hears_echo (person, "me"),
                   "from %s", from[i]);
    close (person);
  }
  reserved_free (tunnel);
}
END_TEST

/* Whoever still dials the port of a session that is over does not meet the next one, as long as there are
 * others; with none left that have rested, a port is better than no session. */
START_TEST (ports_rest_after_their_session)
{
  guint16 port[3][2];
  node_start (FEW_PORTS);
  for (guint i = 0; i < 3; i++) {
    Reserved *tunnel = reserve_in_band ();
    port[i][0] = tunnel->x;
    port[i][1] = tunnel->y;
    far_carrier_end (cloud.carrier, "closed");
    help_wait (&cloud.ended);
    reserved_free (tunnel);
    side_clear (&cloud);
    if (i == 1 && _i == 1)
      far_clock_advance (SECONDS (601)); /* all have rested */
  }
  ck_assert_uint_eq (port[0][0] ^ port[0][1] ^ port[1][0] ^ port[1][1], 61200 ^ 61201 ^ 61202 ^ 61203);
  ck_assert_uint_ge (port[2][0], 61200);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("ports");
  tcase_set_timeout (cases, 60);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_loop_test (cases, y_needs_an_address, 0, 2);
  tcase_add_test (cases, y_on_another_address_of_this_machine);
  tcase_add_loop_test (cases, ports_rest_after_their_session, 0, 2);
  Suite *suite = suite_create ("ports");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
