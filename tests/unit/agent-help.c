/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a cloud says to an agent that runs in the test program: the terminal's link is up, and sessions are
 * offered to it (agent-help.h). */
#include "config.h"

#include "reach/device.h"
#include "unit/agent-help.h"

FakeSent *
sent_newest (const char *resource)
{
  run_pending ();
  return last_sent (resource);
}

void
set_up (void)
{
  agent_up (NULL);
  g_hash_table_add (cloud_nodes ()->peers, g_strdup (""));
  far_peer_changed (cloud_nodes ()->at, "", TRUE, "192.0.2.1");
  run_pending ();
}

void
tear_down (void)
{
  cloud_down ();
  far_device_reset ();
}

json_t *
offer_at (const char *session, int generation, const char *address)
{
  g_autofree char *keys = g_build_filename (cloud_folder (), "state", "keys", NULL),
                  *box = far_trust_box_public (keys, NULL);
  json_t *credential = json_pack ("{s:s, s:i, s:s, s:s, s:i, s:I, s:s, s:s}", "session", session,
                                  "generation", generation, "terminal", "t1", "address", address, "x", 40001,
                                  "expires_us", (json_int_t) (far_clock_wall_us () + 300 * SECOND), "token",
                                  "word", "host_key", "ssh-ed25519 ZZZZ");
  g_autofree char *sealed = far_seal (box, credential, NULL);
  json_decref (credential);
  return json_pack ("{s:s, s:i, s:s, s:s, s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "session",
                    session, "generation", generation, "request", "r1", "address", address, "host_key",
                    "ssh-ed25519 ZZZZ", "x", 40001, "for_us", (json_int_t) (600 * SECOND), "device", "web",
                    "entry", "stream", "login", "in-band", "person", "alice", "asker", "person:alice",
                    "reason", "test", "sealed", sealed);
}

json_t *
offer (const char *session, int generation)
{
  return offer_at (session, generation, "192.0.2.1:2222");
}

Got
push (json_t *body)
{
  return ask_as (FAR_PRINCIPAL_NODE, "cloud", "", "POST", "offers", body);
}

guint
dials (void)
{
  return cloud_tunnels ()->tunnels->len;
}

void
polls_answered (json_t *body /* takes */)
{
  FakeSent *poll = sent_newest ("poll");
  ck_assert_ptr_nonnull (poll);
  answer_sent (poll, 200, body);
}
