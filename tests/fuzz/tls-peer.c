/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file runs GnuTLS as the other side of a connection in memory (tls-peer.h). */
#include "config.h"

#include "fuzz/tls-peer.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD 16384

/* An authority with a server "localhost" and a client "term". */
typedef struct {
  char *dir;
  gnutls_certificate_credentials_t server, client;
} Authority;

static struct {
  Authority ours, stranger;
  gnutls_certificate_credentials_t nothing;
  gnutls_datum_t ticket_key;
  FarTls *tls[PAIR_SORTS];
  gnutls_datum_t session[PAIR_SORTS]; /* of peers that are clients */
} world;

guint8
tls_content (gsize at)
{
  return (guint8) (at ^ (at >> 8) * 31u);
}

/* ---- certificates ---- */

static gnutls_certificate_credentials_t
make_node (const char *dir, const char *name, gboolean server)
{
  const char *const names[] = { name, NULL };
  g_autofree char *crt = g_build_filename (dir, name, "node.crt", NULL),
                  *key = g_build_filename (dir, name, "node.key", NULL);
  g_autofree char *node = g_build_filename (dir, name, NULL), *csr = NULL, *pem = NULL;
  gnutls_certificate_credentials_t made = NULL;

  g_assert (far_trust_keys_create (node, NULL));
  csr = far_trust_csr (node, name, NULL);
  pem = far_trust_sign (dir, csr, name, names, server, 30, NULL);
  g_assert (pem != NULL);
  g_assert (g_file_set_contents (crt, pem, -1, NULL));
  gnutls_certificate_allocate_credentials (&made);
  g_assert (gnutls_certificate_set_x509_key_file (made, crt, key, GNUTLS_X509_FMT_PEM) >= 0);
  return made;
}

static void
make_authority (Authority *authority)
{
  authority->dir = g_dir_make_tmp ("farwatch-fuzz-XXXXXX", NULL);
  g_assert (far_trust_ca_create (authority->dir, "test", NULL));
  authority->server = make_node (authority->dir, "localhost", TRUE);
  authority->client = make_node (authority->dir, "term", FALSE);
}

static void
remove_folder (char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    remove_folder (g_build_filename (path, name, NULL));
  g_remove (path);
  g_free (path);
}

static void
free_authority (Authority *authority)
{
  gnutls_certificate_free_credentials (authority->server);
  gnutls_certificate_free_credentials (authority->client);
  remove_folder (authority->dir);
}

static void
free_world (void)
{
  for (guint i = 0; i < PAIR_SORTS; i++) {
    far_tls_unref (world.tls[i]);
    gnutls_free (world.session[i].data);
  }
  free_authority (&world.ours);
  free_authority (&world.stranger);
  gnutls_certificate_free_credentials (world.nothing);
  gnutls_free (world.ticket_key.data);
}

static void
make_world (void)
{
  if (world.ours.dir != NULL)
    return;
  make_authority (&world.ours);
  make_authority (&world.stranger);
  gnutls_certificate_allocate_credentials (&world.nothing);
  g_assert (gnutls_session_ticket_key_generate (&world.ticket_key) >= 0);
  atexit (free_world);
}

static FarTls *
make_ours (guint sort)
{
  gboolean client = (sort & PAIR_CLIENT) != 0;
  const char *name = client ? "term" : "localhost";
  g_autofree char *crt = g_build_filename (world.ours.dir, name, "node.crt", NULL),
                  *key = g_build_filename (world.ours.dir, name, "node.key", NULL);
  g_autofree char *ca = g_build_filename (world.ours.dir, "ca.crt", NULL);
  const FarTlsSpec server_spec = { .server = TRUE,
                                   .cert = crt,
                                   .key = key,
                                   .ca = sort & PAIR_ASKS ? ca : NULL,
                                   .purpose = FAR_PURPOSE_NODE_CLIENT };
  const FarTlsSpec client_spec = { .cert = sort & PAIR_CERT ? crt : NULL,
                                   .key = sort & PAIR_CERT ? key : NULL,
                                   .ca = ca,
                                   .purpose = FAR_PURPOSE_PEOPLE_SERVER,
                                   .name = "localhost" };
  FarTls *tls = far_tls_new (client ? &client_spec : &server_spec, NULL);

  g_assert (tls != NULL);
  return tls;
}

FarTls *
tls_pair_ours (guint sort)
{
  make_world ();
  if (world.tls[sort] == NULL)
    world.tls[sort] = make_ours (sort);
  return world.tls[sort];
}

/* ---- the session ---- */

static ssize_t
peer_pull (gnutls_transport_ptr_t data, void *to, size_t size)
{
  TlsPeer *peer = data;
  gsize n = MIN (size, peer->in->len);

  if (n == 0) {
    gnutls_transport_set_errno (peer->session, EAGAIN);
    return -1;
  }
  memcpy (to, peer->in->data, n);
  g_byte_array_remove_range (peer->in, 0, (guint) n);
  return (ssize_t) n;
}

static int
peer_pull_timeout (gnutls_transport_ptr_t data, unsigned ms)
{
  return 1;
}

static ssize_t
peer_push (gnutls_transport_ptr_t data, const void *from, size_t size)
{
  g_byte_array_append (((TlsPeer *) data)->out, from, (guint) size);
  return (ssize_t) size;
}

static void
set_credentials (const TlsPeer *peer)
{
  const Authority *authority = peer->sort & PAIR_STRANGER ? &world.stranger : &world.ours;
  gnutls_certificate_credentials_t shown = authority->server;

  if ((peer->sort & PAIR_CLIENT) == 0)
    shown = peer->sort & PAIR_CERT ? authority->client : world.nothing;
  gnutls_credentials_set (peer->session, GNUTLS_CRD_CERTIFICATE, shown);
}

static void
set_tickets (const TlsPeer *peer)
{
  const gnutls_datum_t *earlier = &world.session[peer->sort];

  if ((peer->sort & PAIR_RESUMED) == 0)
    return;
  if ((peer->sort & PAIR_CLIENT) != 0)
    gnutls_session_ticket_enable_server (peer->session, &world.ticket_key);
  else if (earlier->data != NULL)
    gnutls_session_set_data (peer->session, earlier->data, earlier->size);
}

void
tls_peer_init (TlsPeer *peer, guint sort, GByteArray *in)
{
  gboolean server = (sort & PAIR_CLIENT) != 0;

  make_world ();
  *peer = (TlsPeer){ .sort = sort, .in = in, .out = g_byte_array_new () };
  g_assert (gnutls_init (&peer->session,
                         GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | (server ? GNUTLS_SERVER : GNUTLS_CLIENT)) >= 0);
  gnutls_priority_set_direct (peer->session,
                              sort & PAIR_TLS12 ? "NORMAL:-VERS-ALL:+VERS-TLS1.2"
                                                : "NORMAL:-VERS-ALL:+VERS-TLS1.3",
                              NULL);
  gnutls_handshake_set_timeout (peer->session, GNUTLS_INDEFINITE_TIMEOUT);
  set_credentials (peer);
  set_tickets (peer);
  if (server && (sort & PAIR_ASKS) != 0)
    gnutls_certificate_server_set_request (peer->session, GNUTLS_CERT_REQUEST);
  gnutls_transport_set_ptr (peer->session, peer);
  gnutls_transport_set_pull_function (peer->session, peer_pull);
  gnutls_transport_set_pull_timeout_function (peer->session, peer_pull_timeout);
  gnutls_transport_set_push_function (peer->session, peer_push);
}

/* The first ticket of each sort is kept for all that come after it, so that they are the same. */
static void
keep_ticket (const TlsPeer *peer)
{
  gnutls_datum_t *session = &world.session[peer->sort];

  if ((peer->sort & PAIR_CLIENT) == 0 && (peer->sort & PAIR_RESUMED) != 0 && session->data == NULL &&
      peer->open && (gnutls_session_get_flags (peer->session) & GNUTLS_SFLAGS_SESSION_TICKET) != 0)
    gnutls_session_get_data2 (peer->session, session);
}

void
tls_peer_clear (TlsPeer *peer)
{
  keep_ticket (peer);
  gnutls_deinit (peer->session);
  g_byte_array_unref (peer->out);
}

/* ---- what it does ---- */

static void
fail (TlsPeer *peer, int rc)
{
  if (rc != GNUTLS_E_FATAL_ALERT_RECEIVED)
    gnutls_alert_send_appropriate (peer->session, rc);
  peer->over = TRUE;
}

static void
shake (TlsPeer *peer)
{
  int rc;

  do
    rc = gnutls_handshake (peer->session);
  while (rc < 0 && rc != GNUTLS_E_AGAIN && !gnutls_error_is_fatal (rc));
  if (rc >= 0)
    peer->open = TRUE;
  else if (rc != GNUTLS_E_AGAIN)
    fail (peer, rc);
}

static void
hear (TlsPeer *peer)
{
  guint8 content[RECORD];
  ssize_t rc;

  do {
    rc = gnutls_record_recv (peer->session, content, sizeof content);
    for (ssize_t i = 0; i < rc; i++)
      g_assert (content[i] == tls_content (peer->got++));
  } while (rc > 0 || (rc < 0 && rc != GNUTLS_E_AGAIN && !gnutls_error_is_fatal ((int) rc)));
  peer->ended = rc == 0;
  if (rc < 0 && rc != GNUTLS_E_AGAIN)
    fail (peer, (int) rc);
}

gboolean
tls_peer_turn (TlsPeer *peer)
{
  gsize before = peer->in->len, out = peer->out->len;
  gboolean was_open = peer->open, was_over = peer->over;

  if (peer->over || peer->ended)
    return FALSE;
  if (!peer->open)
    shake (peer);
  else
    hear (peer);
  return peer->in->len != before || peer->out->len != out || peer->open != was_open || peer->over != was_over;
}

void
tls_peer_say (TlsPeer *peer, gsize size)
{
  guint8 content[RECORD];

  if (!peer->open || peer->over || peer->bye || size == 0)
    return;
  for (gsize i = 0; i < size; i++)
    content[i] = tls_content (peer->said + i);
  if (gnutls_record_send (peer->session, content, size) == (ssize_t) size)
    peer->said += size;
}

void
tls_peer_renew (TlsPeer *peer)
{
  if (!peer->open || peer->over || peer->bye)
    return;
  if ((peer->sort & PAIR_TLS12) == 0)
    gnutls_session_key_update (peer->session, GNUTLS_KU_PEER);
  else if ((peer->sort & PAIR_CLIENT) != 0)
    gnutls_rehandshake (peer->session);
  else
    gnutls_handshake (peer->session);
}

void
tls_peer_bye (TlsPeer *peer)
{
  if (peer->open && !peer->over && !peer->bye)
    gnutls_bye (peer->session, GNUTLS_SHUT_WR);
  peer->bye = peer->open;
}

void
tls_peer_warn (TlsPeer *peer)
{
  if (!peer->over && !peer->bye)
    gnutls_alert_send (peer->session, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
}
