/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A node with both ends of a tunnel, the transports "z" and "t", and a device behind it. Whoever includes it
 * says in BOTH_ENDS, before, what its profile has: the tests differ in the tokens alone. */
#pragma once
#include "unit/ssh-help.h"

static Side cloud, terminal;
static Echo device;

static void
set_up (void)
{
  cloud = terminal = (Side){ 0 };
  echo_start (&device);
  terminal.device = &device;
  node_start (BOTH_ENDS);
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

static void
dial_well (const Reserved *tunnel, const char *word)
{
  guint up = cloud.up + 1, up_here = terminal.up + 1;
  g_autoptr (GError) error = dial_as ("t", tunnel, "s1", "t1", word, tunnel->host_key, &terminal);
  ck_assert_msg (error == NULL, "%s; log:\n%s", error != NULL ? error->message : "", ssh_logged ());
  await (&cloud.up, up);
  await (&terminal.up, up_here);
}

static void
end_at (const char *transport, Side *side, const char *cause)
{
  far_carrier_end (side->carrier, cause);
  help_wait (&side->ended);
  g_clear_pointer (&side->carrier, far_carrier_unref);
}
