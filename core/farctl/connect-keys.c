/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which keys does the terminal have? What the cloud says is checked against the fleet's authority. */
#include "config.h"

#include "connect.h"
#include "translate.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <farwatch/dial.h>
#include <farwatch/gate.h>
#include <farwatch/option.h>
#include <farwatch/trust.h>

#define DISCARD_PORT 9

/* On the cloud's own machine its files speak; elsewhere --ca, or what a login remembered. */
static char *
keys_ca_here (Ctl *ctl)
{
  json_t *self = ctl_call (ctl, "GET", "login", NULL, NULL);
  g_autofree char *state = g_strdup (json_string_value (json_object_get (self, "state")));
  g_autofree char *own = NULL, *joined = NULL;

  json_decref (self);
  if (state == NULL)
    return NULL;
  own = g_build_filename (state, "ca", "ca.crt", NULL);
  joined = g_build_filename (state, "keys", "ca.crt", NULL);
  return g_strdup (g_file_test (own, G_FILE_TEST_EXISTS) ? own : joined);
}

static char *
keys_ca (Ctl *ctl)
{
  if (ctl->server != NULL && ctl->ca == NULL)
    ctl_ticket_load (ctl);
  if (ctl->ca != NULL || g_getenv ("FARWATCH_CA") != NULL)
    return g_strdup (ctl->ca != NULL ? ctl->ca : g_getenv ("FARWATCH_CA"));
  return ctl->server == NULL ? keys_ca_here (ctl) : NULL;
}

static gboolean
keys_check (Connect *connect, json_t *statement, GError **error)
{
  g_autofree char *ca = keys_ca (connect->ctl);
  const char *node = json_string_value (json_object_get (statement, "node"));
  const char *authority = json_string_value (json_object_get (statement, "authority"));

  if (ca == NULL) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_CONFIG,
                         _ ("cannot check the terminal's keys: --ca FILE names the fleet's authority"));
    return FALSE;
  }
  if (!far_statement_check (statement, ca, error))
    return FALSE;
  if (g_strcmp0 (node, connect->terminal) != 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED, _ ("the cloud showed the keys of another node (%s)"),
                 node != NULL ? node : "-");
    return FALSE;
  }
  if (g_strcmp0 (authority, "cloud") == 0)
    ctl_say (_ ("note: the keys of %s are vouched for by the cloud, not by an admin"), connect->terminal);
  return TRUE;
}

static char *
keys_file (const Connect *connect)
{
  return g_build_filename (g_get_user_config_dir (), "farwatch", "known_hosts", connect->terminal, NULL);
}

/* The host key that was remembered; NULL: none. */
static char *
keys_remembered (const Connect *connect)
{
  g_autofree char *path = keys_file (connect), *line = NULL,
                  *begin = g_strconcat (connect->terminal, " ", NULL);

  if (!g_file_get_contents (path, &line, NULL, NULL) || !g_str_has_prefix (line, begin))
    return NULL;
  return g_strdup (g_strchomp (line + strlen (begin)));
}

/* A terminal that had a statement once does not become one without: the key of that time must fit. FALSE:
 * there was none. */
static gboolean
keys_of_last_time (Connect *connect)
{
  connect->host_key = keys_remembered (connect);
  if (connect->host_key == NULL)
    return FALSE;
  ctl_say (_ ("note: %s shows no keys now, the one of last time must fit"), connect->terminal);
  connect->known_hosts = keys_file (connect);
  return TRUE;
}

static gboolean
keys_known_hosts (Connect *connect, GError **error)
{
  g_autofree char *path = keys_file (connect), *dir = g_path_get_dirname (path),
                  *before = keys_remembered (connect);
  g_autofree char *line = g_strdup_printf ("%s %s\n", connect->terminal, connect->host_key);

  if (before != NULL && strcmp (before, connect->host_key) != 0)
    ctl_say (_ ("WARNING: %s has another host key than last time; the new one is signed, as after it has "
                "enrolled again"),
             connect->terminal);
  g_free (connect->known_hosts);
  connect->known_hosts = g_steal_pointer (&path);
  if (g_strcmp0 (before, connect->host_key) == 0) /* writing it anew waits for the disk */
    return TRUE;
  g_mkdir_with_parents (dir, 0700);
  return g_file_set_contents_full (connect->known_hosts, line, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600,
                                   error);
}

/* ---- without a statement ---- */

/* As the cloud says; a cloud that lies can say it of any terminal, so what follows from it is said aloud. */
static gboolean
keys_is_stock (Connect *connect, gboolean *unknown)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *resource = ctl_path (&error, "terminals", connect->terminal, NULL);
  json_t *terminal = ctl_call (connect->ctl, "GET", resource, NULL, &error);
  gboolean stock = g_strcmp0 (json_string_value (json_object_get (terminal, "stock")), "host-login") == 0;

  *unknown = g_error_matches (error, FAR_ERROR, FAR_ERROR_NOT_FOUND);
  json_decref (terminal);
  return stock;
}

gboolean
connect_unvouched (const Connect *connect, const char *cause, GError **error)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_DENIED,
               _ ("%s; without keys that are signed for the fleet nobody can tell whether it is %s that "
                  "answers (--trust-cloud goes on without)"),
               cause, connect->terminal);
  return FALSE;
}

/* Goes on where it was asked for, or where there cannot be a statement, and never without a word. */
static gboolean
keys_missing (Connect *connect, GError *why /* takes */, GError **error)
{
  g_autoptr (GError) cause = why;

  if (keys_of_last_time (connect))
    return TRUE;
  if (connect->trust_cloud) {
    ctl_say (_ ("WARNING: nothing vouches for the keys of %s (%s); whoever runs the cloud could answer in "
                "its place"),
             connect->terminal, ctl_translated (cause->message));
    return TRUE;
  }
  if (connect->ctl->elsewhere || !g_error_matches (cause, FAR_ERROR, FAR_ERROR_NOT_FOUND)) {
    g_propagate_error (error, g_steal_pointer (&cause));
    return FALSE;
  }
  if (keys_is_stock (connect, &connect->unknown)) {
    ctl_say (_ ("WARNING: %s is a stock SSH server, whose keys the fleet does not sign: compare the host key "
                "that it shows with what its owner says"),
             connect->terminal);
    return TRUE;
  }
  /* The cloud refuses what it does not know, and records it. */
  return connect->unknown || connect_unvouched (connect, cause->message, error);
}

static gboolean
keys_fault (Connect *connect, gboolean wanted, GError *why /* takes */, GError **error)
{
  /* Nothing shown, or nothing at hand to check it with, is one thing; a statement that is not right another.
   */
  if (!wanted && (g_error_matches (why, FAR_ERROR, FAR_ERROR_NOT_FOUND) ||
                  g_error_matches (why, FAR_ERROR, FAR_ERROR_CONFIG)))
    return keys_missing (connect, why, error);
  g_propagate_error (error, why);
  return FALSE;
}

/* ---- with one ---- */

static gboolean
keys_take (Connect *connect, json_t *statement, GError **error)
{
  const char *ssh = json_string_value (json_object_get (statement, "ssh"));

  if (ssh == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL,
                 _ ("the signed keys of %s have no SSH host key among them: enrol it again"),
                 connect->terminal);
    return FALSE;
  }
  connect->host_key = g_strdup (ssh);
  return keys_known_hosts (connect, error);
}

/* Since when the terminal is off; NULL: it is connected, or the cloud does not say. */
static char *
keys_off (json_t *answer)
{
  const char *seen = json_string_value (json_object_get (answer, "seen"));

  if (!json_is_false (json_object_get (answer, "connected")))
    return NULL;
  return g_strdup (seen != NULL ? seen : _ ("not since the server was started"));
}

gboolean
connect_keys (Connect *connect, gboolean wanted, json_t **statement, char **nonce, GError **error)
{
  GError *local = NULL;
  g_autofree char *resource = ctl_path (&local, "terminals", connect->terminal, "statement", NULL);
  json_t *answer = ctl_call (connect->ctl, "GET", resource, NULL, &local),
         *found = json_object_get (answer, "statement");
  gboolean good;

  if (answer == NULL || !keys_check (connect, found, &local)) {
    json_decref (answer);
    return keys_fault (connect, wanted, local, error);
  }
  connect->off = keys_off (answer);
  good = keys_take (connect, found, error);
  if (good && statement != NULL)
    *statement = json_incref (found);
  if (good && nonce != NULL)
    *nonce = g_strdup (json_string_value (json_object_get (answer, "nonce")));
  json_decref (answer);
  return good;
}

/* ---- lines to copy ---- */

char *
connect_fingerprint (const char *host_key)
{
  g_auto (GStrv) words = g_strsplit (host_key, " ", 3);
  g_autofree guchar *blob = NULL;
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree char *text = NULL;
  guint8 digest[32];
  gsize size = 0, n = sizeof digest;

  if (words[0] == NULL || words[1] == NULL)
    return NULL;
  blob = g_base64_decode (words[1], &size);
  g_checksum_update (sum, blob, (gssize) size);
  g_checksum_get_digest (sum, digest, &n);
  text = g_base64_encode (digest, n);
  text[strcspn (text, "=")] = '\0';
  return g_strconcat ("SHA256:", text, NULL);
}

/* For a shell, and as it is where that is the same. */
static char *
keys_quote (const char *path)
{
  gsize plain = strspn (path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-");

  return path[plain] == '\0' ? g_strdup (path) : g_shell_quote (path);
}

/* The address of this machine on the way to another: what the kernel would send from. NULL: no way there.
 * Nothing is sent. */
static char *
keys_way_to (const char *address)
{
  g_autofree char *base = g_strndup (address, strcspn (address, "/"));
  struct sockaddr_storage to, own;
  socklen_t to_size, size = sizeof own;
  char *text = NULL;

  if (!far_address_number (base, DISCARD_PORT, &to, &to_size))
    return NULL;
  int fd = socket (to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (fd >= 0 && connect (fd, (const struct sockaddr *) &to, to_size) == 0 &&
      getsockname (fd, (struct sockaddr *) &own, &size) == 0)
    text = far_address_text ((const struct sockaddr *) &own);
  if (fd >= 0)
    close (fd);
  return text;
}

/* What the cloud saw of the terminal's link is not where people find it. */
static const char *
keys_told_host (const json_t *row)
{
  return g_strcmp0 (json_string_value (json_object_get (row, "z_from")), "link") == 0
             ? NULL
             : json_string_value (json_object_get (row, "z"));
}

/* A cloud that does not say where its ports are found has them where it was asked; at its own machine, where
 * whom they are for finds this machine. */
static char *
keys_port_host (const Connect *connect)
{
  const char *z = keys_told_host (connect->row),
             *from = json_string_value (json_object_get (connect->row, "from"));
  g_autofree char *server = z == NULL && connect->ctl->server != NULL
                                ? ctl_server_hostport (connect->ctl->server, NULL)
                                : NULL;
  char *host = NULL;
  guint16 port;

  if (server != NULL && far_parse_address (server, &host, &port, NULL))
    return host;
  if (z == NULL && connect->ctl->server == NULL && from != NULL)
    host = keys_way_to (from);
  if (host == NULL)
    host = g_strdup (z != NULL ? z : "localhost");
  return host;
}

json_t *
connect_ready_lines (const Connect *connect, GError **error)
{
  g_autofree char *host = keys_port_host (connect), *user = keys_quote (connect->user);
  int port = (int) json_integer_value (json_object_get (connect->row, "y"));
  g_autofree char *fingerprint = connect->host_key != NULL ? connect_fingerprint (connect->host_key) : NULL;
  g_autofree char *known = connect->known_hosts != NULL ? keys_quote (connect->known_hosts) : NULL,
                  *ssh = NULL, *plink = NULL;
  json_t *lines = json_pack ("{s:s, s:i}", "host", host, "port", port);

  if (!connect_is_word (host)) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_PROTOCOL,
                         _ ("the daemon named no usable host for the port"));
    json_decref (lines);
    return NULL;
  }
  if (connect->raw)
    return lines;
  ssh = g_strdup_printf ("ssh -p %d -o HostKeyAlias=%s%s%s -l %s %s", port, connect->terminal,
                         known != NULL ? " -o UserKnownHostsFile=" : "", known != NULL ? known : "", user,
                         host);
  plink = g_strdup_printf ("plink -P %d%s%s -l %s %s", port, fingerprint != NULL ? " -hostkey " : "",
                           fingerprint != NULL ? fingerprint : "", user, host);
  json_object_set_new (lines, "ssh", json_string (ssh));
  json_object_set_new (lines, "plink", json_string (plink));
  return lines;
}
