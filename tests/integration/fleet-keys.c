/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fleet-keys DIR NODE… — an authority in DIR/ca and, for each node, DIR/NODE/keys with its keys and
 * certificate. NODE may be name:server (localhost and 127.0.0.1 are its names), name:days=N and name:in=N
 * (valid from N days from now on). For tests that want certificates without a cloud. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <farwatch/clock.h>
#include <farwatch/trust.h>

static gboolean
copy (const char *from, const char *to)
{
  g_autofree char *text = NULL;
  gsize size = 0;

  return g_file_get_contents (from, &text, &size, NULL) &&
         g_file_set_contents (to, text, (gssize) size, NULL);
}

#define DAY_US ((gint64) 24 * 3600 * G_USEC_PER_SEC)

static guint
number_of (char **parts, const char *key, guint fallback)
{
  for (; *parts != NULL; parts++)
    if (g_str_has_prefix (*parts, key))
      return (guint) atoi (*parts + strlen (key));
  return fallback;
}

static gboolean
make_node (const char *dir, const char *ca, const char *word, GError **error)
{
  static const char *const names[] = { "localhost", "127.0.0.1", "::1", NULL };
  g_auto (GStrv) parts = g_strsplit (word, ":", 0);
  gboolean server = g_strv_contains ((const char *const *) parts, "server");
  guint days = number_of (parts + 1, "days=", 30), later = number_of (parts + 1, "in=", 0);
  g_autofree char *keys = g_build_filename (dir, parts[0], "keys", NULL),
                  *root = g_build_filename (ca, "ca.crt", NULL);
  g_autofree char *own_root = g_build_filename (keys, "ca.crt", NULL),
                  *cert = g_build_filename (keys, "node.crt", NULL), *csr = NULL, *pem = NULL;

  if (later > 0 && !far_clock_advance (later * DAY_US))
    return FALSE;
  if (!far_trust_keys_create (keys, error) || (csr = far_trust_csr (keys, parts[0], error)) == NULL)
    return FALSE;
  pem = far_trust_sign (ca, csr, parts[0], server ? names : NULL, server, days, error);
  return pem != NULL && g_file_set_contents (cert, pem, -1, error) && copy (root, own_root);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  gboolean clock = g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE); /* before anybody asks for the time */
  g_autofree char *ca = clock && argc > 1 ? g_build_filename (argv[1], "ca", NULL) : NULL;
  gboolean ok = ca != NULL &&
                (g_file_test (ca, G_FILE_TEST_EXISTS) || far_trust_ca_create (ca, "test", &error));

  for (int i = 2; ok && i < argc; i++)
    ok = make_node (argv[1], ca, argv[i], &error);
  if (!ok)
    g_printerr ("fleet-keys: %s\n", error != NULL ? error->message : "usage: fleet-keys DIR NODE…");
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
