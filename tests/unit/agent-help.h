/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A terminal t1 with a real agent whose link to a played cloud is up, and what that cloud says to it. */
#pragma once
#include "unit/access-help.h"

void set_up (void);
void tear_down (void);
/* The newest message to the cloud whose resource starts so, after what is due was run; NULL: none. */
FakeSent *sent_newest (const char *resource);
/* The agent's poll is answered. */
void polls_answered (json_t *body /* takes */);
/* The offer of a session whose login comes in band, with a tunnel end at the address; new reference. */
json_t *offer_at (const char *session, int generation, const char *address);
json_t *offer (const char *session, int generation);
/* An offer is pushed; the agent's answer. */
Got push (json_t *body /* takes */);
/* How many carriers the agent has dialled. */
guint dials (void);
