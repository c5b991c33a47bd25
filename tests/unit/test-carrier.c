/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The carriers there are, each by the same properties (carrier-conform.h), and what the direct one over TLS
 * must refuse beside. */
#include "unit/carrier-conform.h"

#include <farwatch/trust.h>

static char *keys, *tls_lines;

/* One node with both ends: its certificate is for a server too. */
static void
certify (const char *ca, const char *node)
{
  static const char *const names[] = { "t1", NULL };
  g_autofree char *csr = far_trust_csr (keys, node, NULL),
                  *cert = far_trust_sign (ca, csr, node, names, TRUE, 30, NULL);
  ck_assert_ptr_nonnull (cert);
  write_file (keys, "node.crt", cert, -1);
}

static void
set_up (void)
{
  g_autofree char *ca = g_build_filename ((keys = make_folder ()), "ca", NULL), *text = NULL,
                  *path = g_build_filename (ca, "ca.crt", NULL);
  ck_assert (far_trust_keys_create (keys, NULL));
  ck_assert (far_trust_ca_create (ca, "example", NULL));
  ck_assert (g_file_get_contents (path, &text, NULL, NULL));
  write_file (keys, "ca.crt", text, -1);
  certify (ca, "t1");
  tls_lines = g_strdup_printf ("authenticators:\n  wax: {type: wax, tokens: " CONFORM_TOKENS "}\n"
                               "transports:\n"
                               "  d: {type: tls, listen: '127.0.0.1:0', login: [wax], connections: 50,\n"
                               "      cert: %1$s/node.crt, key: %1$s/node.key, ca: %1$s/ca.crt}\n"
                               "  c: {type: tls, connections: 50,\n"
                               "      cert: %1$s/node.crt, key: %1$s/node.key, ca: %1$s/ca.crt}\n",
                               keys);
}

static void
tear_down (void)
{
  g_free (tls_lines);
  remove_folder (keys);
  g_clear_pointer (&keys, g_free);
}

#define SSH_LINES                                                                                            \
  "authenticators:\n  wax: {type: wax, tokens: " CONFORM_TOKENS "}\n"                                        \
  "transports:\n  z: {type: ssh, listen: '127.0.0.1:0', login: [wax], connections: 50}\n"                    \
  "  t: {type: ssh, connections: 50}\n"

static const CarrierConform by_ssh = { "z", "t", SSH_LINES, "connections: 50", "connections: 60" };

#define MEMORY_LINES                                                                                         \
  "authenticators:\n  wax: {type: wax, tokens: " CONFORM_TOKENS "}\n"                                        \
  "transports:\n  a: {type: carrier-memory, login: [wax], connections: 50}\n"                                \
  "  o: {type: carrier-memory, connections: 50}\n"

static const CarrierConform by_memory = { "a", "o", MEMORY_LINES, "connections: 50", "connections: 60" };

static CarrierConform
by_tls (void)
{
  return (CarrierConform){ "d", "c", tls_lines, "connections: 50", "connections: 60" };
}

START_TEST (ssh_is_as_all_kinds_are)
{
  carrier_conform (&by_ssh, _i);
}
END_TEST

START_TEST (memory_is_as_all_kinds_are)
{
  carrier_conform (&by_memory, _i);
}
END_TEST

START_TEST (tls_is_as_all_kinds_are)
{
  const CarrierConform with = by_tls ();
  carrier_conform (&with, _i);
}
END_TEST

/* The server that answers must be the node of the offer, by the key of the offer; the token is not shown to
 * another. */
START_TEST (another_server)
{
  static const struct {
    const char *field, *value;
  } lies[] = {
    { "node", "t2" },
    { "fingerprint", "sha256:0000000000000000000000000000000000000000000000000000000000000000" },
  };
  const CarrierConform with = by_tls ();
  Conform c;
  conform_begin (&c, &with);
  conform_reserve (&c, "s1");
  json_t *part = json_copy (c.tunnel->part);
  json_object_set_new (part, lies[_i].field, json_string (lies[_i].value));
  g_autoptr (GError) error = conform_open_as (&c, "s1", "word-1", part);
  ck_assert_msg (g_error_matches (error, FAR_ERROR, FAR_ERROR_DENIED), "%s", error->message);
  json_decref (part);
  conform_open (&c, "word-1");
  conform_finish (&c);
}
END_TEST

/* It has no ports. */
START_TEST (no_ports)
{
  const CarrierConform with = by_tls ();
  Conform c;
  Answer answer = { 0 };
  conform_begin (&c, &with);
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_PORTS,
                          .person_address = "127.0.0.1",
                          .length_us = SECONDS (600) };
  c.cloud.carrier = far_carrier_reserve ("d", &spec, &side_funcs, &c.cloud,
                                         far_request_new (answered, &answer, 0));
  answer_wait (&answer);
  ck_assert (g_error_matches (answer.error, FAR_ERROR, FAR_ERROR_INVALID));
  g_error_free (answer.error);
  conform_finish (&c);
}
END_TEST

/* A service that has no use for a session whose link was lost. */
static void
gives_up (const FarCarrierEvent *event, gpointer user)
{
  Side *side = user;
  side_hears (event, side);
  if (event->kind == FAR_CARRIER_LOST)
    far_carrier_end (side->carrier, "given up");
}

static const FarCarrierFuncs gives_up_funcs = { .event = gives_up };

/* A new link comes in the place of one that stands: the session ends inside of LOST, and the new link finds
 * none. What the terminal says by it afterwards is told to nobody. */
START_TEST (replaced_and_given_up)
{
  const CarrierConform with = by_tls ();
  Answer answer = { 0 };
  Conform c;
  conform_begin (&c, &with);
  FarCarrierSpec spec = { .session = "s1",
                          .peer = "t1",
                          .entry = FAR_ENTRY_STREAM,
                          .length_us = SECONDS (9) };
  c.cloud.carrier = far_carrier_reserve ("d", &spec, &gives_up_funcs, &c.cloud,
                                         far_request_new (answered, &answer, 0));
  answer_wait (&answer);
  c.tunnel = answer.result;
  conform_open (&c, "word-1");
  g_autoptr (GError) error = conform_open_as (&c, "s1", "word-2", c.tunnel->part);
  ck_assert_ptr_nonnull (error);
  help_wait (&c.cloud.ended);
  ck_assert_str_eq (c.cloud.said->str, "up lost ended ");
  conform_ends (&c.terminal, "over");
  settle_workers ();
  run_pending ();
  conform_finish (&c);
}
END_TEST

int
main (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  TCase *cases = tcase_create ("carrier");
  tcase_set_timeout (cases, 120);
  tcase_add_checked_fixture (cases, set_up, tear_down);
  tcase_add_loop_test (cases, ssh_is_as_all_kinds_are, 0, G_N_ELEMENTS (conform_properties));
  tcase_add_loop_test (cases, tls_is_as_all_kinds_are, 0, G_N_ELEMENTS (conform_properties));
  tcase_add_loop_test (cases, memory_is_as_all_kinds_are, 0, G_N_ELEMENTS (conform_properties));
  tcase_add_loop_test (cases, another_server, 0, 2);
  tcase_add_test (cases, no_ports);
  tcase_add_test (cases, replaced_and_given_up);
  Suite *suite = suite_create ("carrier");
  suite_add_tcase (suite, cases);
  return run_suite (suite);
}
