/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From two thirds of its life this node's certificate is renewed by its key, through the link; the next
 * connection shows the new one. A node that was off for so long that it expired comes without a certificate,
 * and renews first of all: the request names the node, its key is the proof. */
#include "config.h"

#include "member.h"

#define EVERY_US (G_GINT64_CONSTANT (12) * 3600 * G_USEC_PER_SEC)
#define AGAIN_US (60 * (gint64) G_USEC_PER_SEC) /* after a failure; then ever more slowly */
#define RENEW_TIMEOUT_MS 30000

static char *
certificate_read (Member *self)
{
  g_autofree char *path = far_trust_path (member_opts (self)->keys, "node.crt");
  char *pem = NULL;
  g_file_get_contents (path, &pem, NULL, NULL);
  return pem;
}

static gboolean
certificate_due (Member *self)
{
  g_autofree char *pem = certificate_read (self);
  gint64 from_us, until_us;
  if (!pem || !far_trust_life (pem, &from_us, &until_us, NULL))
    return FALSE;
  self->renewing_expired = far_clock_wall_us () >= until_us;
  return far_clock_wall_us () > from_us + (until_us - from_us) / 3 * 2;
}

/* A certificate of this name for another key would shut this node out: it cannot prove what it shows. */
static gboolean
certificate_is_for_key (Member *self, const char *pem, GError **error)
{
  g_autofree char *key = far_trust_key_hash (pem, error);
  g_autofree char *csr = far_trust_csr (member_opts (self)->keys, far_node_id (), NULL),
                  *now = csr ? far_trust_key_hash (csr, NULL)
                             : NULL; /* enroll may have changed it meanwhile */
  if (key && g_strcmp0 (now, self->renewing_key) != 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT,
                 _ ("this node's key has changed meanwhile: it is asked for again"));
    return FALSE;
  }
  if (!key || g_strcmp0 (key, self->renewing_key) == 0)
    return key != NULL;
  g_set_error (
      error, FAR_ERROR, FAR_ERROR_PROTOCOL,
      _ ("the certificate in the answer is for another key (%s) than this node's (%s): it is not taken"), key,
      self->renewing_key);
  return FALSE;
}

/* The certificate in the answer, checked; caller frees. */
static char *
certificate_taken (Member *self, FarMessage *answer, GError **error)
{
  json_t *body = far_message_check (answer, error) ? far_message_json (answer, error) : NULL;
  const char *pem = body ? json_string_value (json_object_get (body, "certificate")) : NULL;
  g_autofree char *ca = far_trust_path (member_opts (self)->keys, "ca.crt");
  if (body && !pem)
    g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL, _ ("answer without a certificate"));
  char *taken = pem &&
                        far_trust_check (pem, ca, FAR_PURPOSE_NODE_CLIENT, far_node_id (), NULL, NULL,
                                         error) &&
                        certificate_is_for_key (self, pem, error)
                    ? g_strdup (pem)
                    : NULL;
  json_decref (body);
  return taken;
}

static void renew_timer (gpointer user);

static void
renew_in (Member *self, gint64 us)
{
  far_instance_timer (self->at, &self->renew_timer, far_clock_boottime_us () + us, renew_timer, self);
}

/* Question or answer was lost, the cloud's disk was full, or this one's: who has expired is out of reach
 * until it comes, and the link stands. */
static void
not_renewed (Member *self, const GError *error)
{
  g_clear_pointer (&self->renewing_key, g_free);
  self->renew_wait_us = MIN (MAX (AGAIN_US, 2 * self->renew_wait_us), EVERY_US);
  renew_in (self, self->renew_wait_us);
  far_log_limited (self->at, "renew", "certificate not renewed%s: %s",
                   self->renewing_expired ? ", and it has expired: people cannot reach this node" : "",
                   error->message);
}

static void
certificate_kept (FarRequest *req, gpointer user)
{
  Member *self = user;
  if (far_request_error (req)) {
    not_renewed (self, far_request_error (req));
    return;
  }
  g_clear_pointer (&self->renewing_key, g_free);
  self->renew_wait_us = 0;
  far_log (self->at, G_LOG_LEVEL_MESSAGE, "certificate renewed");
  g_autofree char *pem = certificate_read (self), *ca = far_trust_path (member_opts (self)->keys, "ca.crt");
  if (pem)
    far_clock_own_certificate (pem, ca);
  if (self->renewing_expired) /* this link has no certificate: the next one has */
    far_peer_cut (member_opts (self)->link, "", "certificate renewed");
}

static void
renewed (FarRequest *req, gpointer user)
{
  Member *self = user;
  g_autoptr (GError) error = far_request_error (req) ? g_error_copy (far_request_error (req)) : NULL;
  g_autofree char *pem = error ? NULL : certificate_taken (self, far_request_result (req), &error);
  if (!pem) {
    not_renewed (self, error);
    return;
  }
  g_autofree char *path = far_trust_path (member_opts (self)->keys, "node.crt");
  far_write_file (path, pem, 0600, far_request_of (self->at, certificate_kept, self, NULL, 0));
}

void
member_renew (Member *self)
{
  const char *link = member_opts (self)->link;
  g_autoptr (GError) error = NULL;
  if (self->renewing_key || !far_peer_connected (link, "") || !certificate_due (self))
    return;
  g_autofree char *csr = far_trust_csr (member_opts (self)->keys, far_node_id (), &error);
  self->renewing_key = csr ? far_trust_key_hash (csr, &error) : NULL;
  if (!self->renewing_key) {
    not_renewed (self, error);
    return;
  }
  g_autoptr (FarMessage)
      message = far_message_request ("POST", "renew",
                                     json_pack ("{s:s, s:s}", "csr", csr, "node", far_node_id ()));
  far_peer_send (link, "", message, far_request_of (self->at, renewed, self, NULL, RENEW_TIMEOUT_MS));
}

static void
renew_timer (gpointer user)
{
  Member *self = user;
  member_renew_start (self);
  member_renew (self);
}

void
member_renew_start (Member *self)
{
  renew_in (self, EVERY_US);
}
