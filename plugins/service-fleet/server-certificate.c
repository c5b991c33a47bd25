/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The cloud server's own certificate is renewed from two thirds of its life, where the fleet's authority is
 * here: same key, same names. Transports look at their files and show the new one without a restart. */
#include "config.h"

#include "fleet.h"

#define EVERY_US (G_GINT64_CONSTANT (12) * 3600 * G_USEC_PER_SEC)
#define DAY_US (G_GINT64_CONSTANT (24) * 3600 * G_USEC_PER_SEC)

typedef struct {
  char *keys, *path, *pem;
  gint64 from_us, until_us;
} Own;

static void
own_clear (Own *own)
{
  g_free (own->keys);
  g_free (own->path);
  g_free (own->pem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Own, own_clear)

/* Is it ours to renew, and time? */
static gboolean
own_due (Fleet *self, Own *own)
{
  const FleetOpts *opts = fleet_opts (self);
  g_autofree char *key = g_build_filename (opts->ca, "ca.key", NULL),
                  *root = g_build_filename (opts->ca, "ca.crt", NULL);
  if (opts->authority != FLEET_AUTHORITY_CLOUD || !g_file_test (key, G_FILE_TEST_EXISTS) ||
      !g_file_get_contents (own->path, &own->pem, NULL, NULL) ||
      !far_trust_life (own->pem, &own->from_us, &own->until_us, NULL))
    return FALSE;
  gint64 now = far_clock_wall_us ();
  if (now < own->from_us + (own->until_us - own->from_us) / 3 * 2)
    return FALSE;
  /* One of another authority, or of no server, was not made here. */
  return now >= own->until_us ||
         far_trust_check (own->pem, root, FAR_PURPOSE_NODE_SERVER, NULL, NULL, NULL, NULL);
}

/* The new certificate; caller frees. */
static char *
own_sign (Fleet *self, const Own *own, GError **error)
{
  const FleetOpts *opts = fleet_opts (self);
  guint days = (guint) CLAMP ((own->until_us - own->from_us) / DAY_US, 1, 3650);
  g_auto (GStrv) names = far_trust_names (own->pem, error);
  g_autofree char *csr = names ? far_trust_csr (own->keys, far_node_id (), error) : NULL;
  return csr ? far_trust_sign (opts->ca, csr, far_node_id (), (const char *const *) names, TRUE, days, error)
             : NULL;
}

static void
own_complain (Fleet *self, const GError *error)
{
  far_log_limited (
      self->at, "own",
      "this server's own certificate cannot be renewed: %s; farctl ca init --profile FILE --name "
      "HOST makes a new one",
      error->message);
}

static void
own_written (FarRequest *req, gpointer user)
{
  Fleet *self = user;
  if (far_request_error (req))
    own_complain (self, far_request_error (req));
  else
    far_log (self->at, G_LOG_LEVEL_MESSAGE, "this server's own certificate was renewed");
}

static void
own_look (gpointer user)
{
  Fleet *self = user;
  g_autofree char *keys = far_node_path ("keys");
  g_auto (Own) own = { .keys = g_steal_pointer (&keys) };
  g_autoptr (GError) error = NULL;
  own.path = far_trust_path (own.keys, "node.crt");
  g_autofree char *fresh = own_due (self, &own) ? own_sign (self, &own, &error) : NULL;
  if (fresh)
    far_write_file (own.path, fresh, 0600, far_request_of (self->at, own_written, self, NULL, 0));
  else if (error)
    own_complain (self, error);
  far_instance_timer (self->at, &self->own, far_clock_boottime_us () + EVERY_US, own_look, self);
}

void
fleet_server_certificate_start (Fleet *self)
{
  far_instance_timer (self->at, &self->own, far_clock_boottime_us (), own_look, self);
}
