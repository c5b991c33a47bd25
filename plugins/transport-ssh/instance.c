/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the transport need of their instance: its options, the loop of its handshakes, its key.
 * It stands below all of them; what an instance does is transport-ssh.c, above. */
#include "config.h"

#include "ssh.h"

#include <farwatch/trust.h>

const SshOptions *
ssh_options (Ssh *self)
{
  return far_instance_options (self->at);
}

FarLoop *
ssh_handshakes (Ssh *self)
{
  if (self->handshakes == NULL)
    self->handshakes = far_loop_io_new ("handshakes");
  return self->handshakes;
}

ssh_key
ssh_key_load (const char *folder, GError **error)
{
  char *text = far_trust_ssh_private (folder, error);
  ssh_key key = NULL;
  if (text == NULL)
    return NULL;
  if (ssh_pki_import_privkey_base64 (text, NULL, NULL, NULL, &key) != SSH_OK)
    g_set_error (error, FAR_ERROR, FAR_ERROR_INTERNAL, _ ("libssh does not take %s/ssh.key"), folder);
  far_secret_free (text);
  return key;
}

static void
stream_free_here (gpointer stream)
{
  far_stream_free (stream);
}

void
ssh_stream_discard (gpointer data)
{
  FarStream *stream = data;
  if (stream != NULL)
    far_loop_post (stream->loop, stream_free_here, stream);
}

/* ---- options ---- */

#define AT(field) G_STRUCT_OFFSET (SshOptions, field)

const FarOption ssh_option_table[] = {
  { .name = "listen",
    .type = FAR_OPT_ADDRESS,
    .offset = AT (listen),
    .summary = N_ ("where terminals come; none: this end only dials") },
  { .name = "advertise",
    .type = FAR_OPT_ADDRESS,
    .offset = AT (advertise),
    .summary = N_ ("host:port told to terminals; default: where it listens, on the host of their link") },
  { .name = "y-host",
    .type = FAR_OPT_STRING,
    .offset = AT (y_host),
    .summary = N_ (
        "host told to people, who dial port Y there; default: where Y listens, or the advertised one") },
  { .name = "y-listen",
    .type = FAR_OPT_STRING,
    .offset = AT (y_listen),
    .fallback = "127.0.0.1",
    .summary = N_ ("address of this machine where the ports Y are bound; 0.0.0.0 or :: for all") },
  { .name = "ports",
    .type = FAR_OPT_RANGE,
    .offset = AT (ports),
    .fallback = "10000-65535",
    .summary = N_ ("where X and Y are drawn from"),
    .min = 1024,
    .max = 65535 },
  { .name = "ports-rest",
    .type = FAR_OPT_DURATION,
    .offset = AT (rest_us),
    .fallback = "10m",
    .summary = N_ ("for which a port is not drawn again after its session, as long as others are free"),
    .min = 0,
    .max = 24 * 3600 * (gint64) G_USEC_PER_SEC },
  { .name = "login",
    .type = FAR_OPT_REFS,
    .offset = AT (login),
    .summary = N_ ("authenticators that know the tokens"),
    .ref_kind = FAR_KIND_AUTHENTICATOR },
  { .name = "connections",
    .type = FAR_OPT_INT,
    .offset = AT (connections),
    .fallback = "4096",
    .summary = N_ ("terminals at once"),
    .min = 1,
    .max = 1000000 },
  FAR_GATE_OPTIONS (SshOptions),
  { .name = "y-connections",
    .type = FAR_OPT_INT,
    .offset = AT (y_connections),
    .fallback = "256",
    .summary = N_ ("connections of people at once in one session, with those that wait for the terminal"),
    .min = 1,
    .max = TUNNEL_JOINS_MAX },
  { .name = "ciphers",
    .type = FAR_OPT_STRING,
    .offset = AT (ciphers),
    .fallback = SSH_CIPHERS,
    .summary = N_ ("SSH ciphers, the preferred ones first") },
  { .type = FAR_OPT_END },
};
