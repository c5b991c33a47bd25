/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of the transport, below all that reads them. */
#include "config.h"

#include "direct.h"

const DirectOptions *
direct_options (Direct *self)
{
  return far_instance_options (self->at);
}

#define AT(field) G_STRUCT_OFFSET (DirectOptions, field)

const FarOption direct_option_table[] = {
  { .name = "listen",
    .type = FAR_OPT_ADDRESS,
    .offset = AT (listen),
    .summary = N_ ("where terminals come; none: this end only dials") },
  { .name = "advertise",
    .type = FAR_OPT_ADDRESS,
    .offset = AT (advertise),
    .summary = N_ ("host:port told to terminals; default: where it listens, on the host of their link") },
  { .name = "cert",
    .type = FAR_OPT_PATH,
    .offset = AT (cert),
    .fallback = "keys/node.crt",
    .summary = N_ ("certificate of this node") },
  { .name = "key",
    .type = FAR_OPT_PATH,
    .offset = AT (key),
    .fallback = "keys/node.key",
    .summary = N_ ("its key") },
  { .name = "ca",
    .type = FAR_OPT_PATH,
    .offset = AT (ca),
    .fallback = "keys/ca.crt",
    .summary = N_ ("the fleet's authority: who the other side must be certified by") },
  { .name = "login",
    .type = FAR_OPT_REFS,
    .offset = AT (login),
    .summary = N_ ("authenticators that know the tokens"),
    .ref_kind = FAR_KIND_AUTHENTICATOR },
  { .name = "connections",
    .type = FAR_OPT_INT,
    .offset = AT (connections),
    .fallback = "4096",
    .summary = N_ ("connections at once, of sessions and of people in them"),
    .min = 1,
    .max = 1000000 },
  FAR_GATE_OPTIONS (DirectOptions),
  { .name = "session-connections",
    .type = FAR_OPT_INT,
    .offset = AT (session_connections),
    .fallback = "256",
    .summary = N_ ("connections of people at once in one session, with those that wait for the terminal"),
    .min = 1,
    .max = DIRECT_JOINS_MAX },
  { .type = FAR_OPT_END },
};
