/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A cloud server in this process: real access, store and tokens; the links to terminals and the tunnel ends
 * are played by the test. */
#pragma once
#include "unit/core-help.h"

#include "fixtures/transport-fake.h"
#include <farwatch/trust.h>

#define SECOND G_GINT64_CONSTANT (1000000)

typedef struct {
  guint status;
  json_t *body;
} Got; /* body: borrowed until the next ask() */

void cloud_up (const char *access_options);
void cloud_up_with_fleet (const char *fleet_options);
/* The same with two files of people, people.yaml and others.yaml. */
void cloud_up_with_people (void);
/* With intake as well, and every service that is built at hand for the loader. */
void cloud_up_whole (void);
/* A terminal t1 instead: a real agent with its keys; link and tunnel are played. cloud_*() and ask_*() work
 * on it too. */
void agent_up (const char *agent_options);
/* It gets a new profile as it runs. */
void agent_reload_with (const char *agent_options);
void cloud_restart (void);
/* The profile with `to` where it had `from`, comes in force by a reload; what was asked is not waited for. */
void cloud_reload (const char *from, const char *to);
void cloud_down (void);
Fake *cloud_nodes (void);            /* the transport of links */
Fake *cloud_tunnels (void);          /* a tunnel end */
Fake *cloud_fake (const char *name); /* any of its transports */
const char *cloud_folder (void);

/* Runs what is due until func says so, at most five seconds of real time. */
void settle (void);
/* One request, answered. kind, name: who asks; from: their address. */
Got ask_as (FarPrincipalKind kind, const char *name, const char *from, const char *method,
            const char *resource, json_t *body /* takes */);
Got ask_root (const char *method, const char *resource, json_t *body);
Got ask_person (const char *name, const char *method, const char *resource, json_t *body);
/* A person who is in a group. */
Got ask_member (const char *name, const char *group, const char *method, const char *resource, json_t *body);
Got ask_node (const char *name, const char *method, const char *resource, json_t *body);
/* The same with one header. */
Got ask_node_with (const char *name, const char *header, const char *value, const char *method,
                   const char *resource, json_t *body);
const char *text_of (const json_t *json, const char *key);
gint64 int_of (const json_t *json, const char *key);

/* A terminal with keys of its own, enrolled with a join token; linked when told so. */
void terminal_enrol (const char *name);
void terminal_link (const char *name, gboolean up);
char *terminal_keys (const char *name); /* its keys folder; caller frees */
char *new_keys (const char *name);      /* the same, with keys made now */
char *new_token (const char *node);     /* a join token that root asks for; node NULL: for any */
char *replace_token (const char *node); /* one by which another key takes the name */
json_t *enrol_body (const char *token, const char *keys, const char *name);
/* Nobody known asks to be node `name`. */
Got enrol (const char *token, const char *keys, const char *name);
/* The offer's sealed credential, opened with the terminal's keys; new reference. */
json_t *terminal_credential (const char *name, json_t *offer);
/* Gives who the action on object. */
void grant (const char *who, const char *action, const char *object);

/* The newest message to a peer whose resource starts so; NULL: none. */
FakeSent *last_sent (const char *prefix);
void answer_sent (FakeSent *sent, guint status, json_t *body /* takes */);
FakeTunnel *tunnel_of (const char *session);
void tunnel_tell (FakeTunnel *tunnel, FarCarrierEventKind kind, const char *cause);
/* A session asked for by a person, in state permitted with its offer made; its id. */
char *session_ask (const char *person, json_t *wish /* takes */);
/* The same, offered by push and open. */
char *session_open (const char *person, json_t *wish /* takes */);
json_t *wish_for (const char *terminal, const char *device);
const char *session_state (const char *id);
json_t *session_body (const char *id);
/* Its history row; borrowed. */
json_t *history_of (const char *session);
