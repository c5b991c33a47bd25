/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file holds the checks that look for what will cause trouble: clock, limits, plugins, certificates,
 * ports. farctl runs them too where no daemon runs, so they get what they need as arguments and ask no
 * instance. What only a running node can tell is interface-doctor.c. */
#include "config.h"

#include "node/doctor.h"

#include <glib/gstdio.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timex.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>
#include <farwatch/message.h>
#include <farwatch/option.h>
#include <farwatch/trust.h>

#include <build-epoch.h>

#define FILES_WANTED 4096
#define CLOCK_WARN_US (2 * G_USEC_PER_SEC)
#define CERTIFICATE_WARN_US (30 * G_TIME_SPAN_DAY)

void
far_doctor_add (json_t *findings, FarDoctorLevel level, const char *what, const char *text, const char *next)
{
  static const char *const levels[] = { "good", "warn", "bad" };
  g_autofree char *valid = g_utf8_make_valid (text, -1);

  json_array_append_new (findings, json_pack ("{s:s, s:s, s:s, s:s*}", "level", levels[level], "what", what,
                                              "text", valid, "next", next));
}

static void
doctor_take (json_t *to, gsize *size, json_t *findings, const char *level, guint *left_out)
{
  json_t *finding;
  size_t i;

  json_array_foreach (findings, i, finding)
    if (strcmp (json_string_value (json_object_get (finding, "level")), level) == 0 &&
        !far_page_add (to, size, finding))
      ++*left_out;
}

json_t *
far_doctor_fit (json_t *findings)
{
  static const char *const levels[] = { "bad", "warn", "good" };
  json_t *fit;
  gsize size = 0;
  guint left_out = 0;

  if (json_dumpb (findings, NULL, 0, JSON_COMPACT) <= FAR_BODY_MAX - 2048)
    return findings;
  fit = json_array ();
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    doctor_take (fit, &size, findings, levels[i], &left_out);
  if (left_out > 0) {
    g_autofree char
        *text = g_strdup_printf (_ ("%u findings more have no room here: mend the first ones and ask again"),
                                 left_out);

    far_doctor_add (fit, FAR_DOCTOR_WARN, "doctor", text, NULL);
  }
  json_decref (findings);
  return fit;
}

/* ---- machine ---- */

/* The node works by the time that it is told; others on this machine do not. */
static void
doctor_skew (json_t *findings, gint64 skew_us)
{
  g_autofree char *by = far_clock_off_text (skew_us);
  g_autofree char *text =
      g_strdup_printf (skew_us > 0 ? _ ("this machine's clock is %s ahead of the cloud's, whose time is used")
                                   : _ ("this machine's clock is %s behind the cloud's, whose time is used"),
                       by);

  far_doctor_add (findings, FAR_DOCTOR_BAD, "clock", text,
                  _ ("set the clock, or let it synchronise (chrony, systemd-timesyncd)"));
}

static void
doctor_clock (json_t *findings)
{
  struct timex state = { 0 };
  int kind = adjtimex (&state);
  g_autofree char *now = far_clock_format (far_clock_wall_us ());
  gint64 skew_us;

  if (far_clock_skew_us (&skew_us) && ABS (skew_us) > CLOCK_WARN_US)
    doctor_skew (findings, skew_us);
  else if (far_clock_system_us () / G_USEC_PER_SEC < (gint64) FAR_BUILD_EPOCH)
    far_doctor_add (findings, FAR_DOCTOR_BAD, "clock",
                    _ ("the clock is before the day this program was built"),
                    _ ("set the clock, or let it synchronise"));
  else if (kind == TIME_ERROR || (state.status & STA_UNSYNC) != 0)
    far_doctor_add (findings, FAR_DOCTOR_WARN, "clock", _ ("the clock is not synchronised"),
                    _ ("run chrony or systemd-timesyncd: stamps and certificates need it"));
  else
    far_doctor_add (findings, FAR_DOCTOR_GOOD, "clock", now, NULL);
}

static void
doctor_files (json_t *findings)
{
  struct rlimit files;
  g_autofree char *text = NULL;

  if (getrlimit (RLIMIT_NOFILE, &files) != 0)
    return;
  text = g_strdup_printf (_ ("%llu open files allowed"), (unsigned long long) files.rlim_max);
  if (files.rlim_max < FILES_WANTED)
    far_doctor_add (findings, FAR_DOCTOR_WARN, "files", text,
                    _ ("a server with many terminals needs more: LimitNOFILE= in the unit"));
  else
    far_doctor_add (findings, FAR_DOCTOR_GOOD, "files", text, NULL);
}

void
far_doctor_machine (json_t *findings)
{
  doctor_clock (findings);
  doctor_files (findings);
}

/* ---- plugins ---- */

void
far_doctor_plugins (json_t *findings, const char *const *folders)
{
  for (; *folders != NULL; folders++) {
    g_autofree char *text = NULL, *next = NULL;
    GStatBuf st;

    if (g_stat (*folders, &st) != 0 || (st.st_mode & S_IWOTH) == 0)
      continue;
    text =
        g_strdup_printf (_ ("everybody may write into %s, and a plugin that lies there runs as this daemon"),
                         *folders);
    next = g_strdup_printf ("chmod o-w %s", *folders);
    far_doctor_add (findings, FAR_DOCTOR_BAD, "plugins", text, next);
  }
}

/* ---- certificates ---- */

static gint64
doctor_expiry_us (const char *pem)
{
  gnutls_datum_t data = { (unsigned char *) pem, (unsigned) strlen (pem) };
  gnutls_x509_crt_t certificate;
  gint64 expiry = -1;

  if (gnutls_x509_crt_init (&certificate) < 0)
    return -1;
  if (gnutls_x509_crt_import (certificate, &data, GNUTLS_X509_FMT_PEM) >= 0)
    expiry = (gint64) gnutls_x509_crt_get_expiration_time (certificate) * G_USEC_PER_SEC;
  gnutls_x509_crt_deinit (certificate);
  return expiry;
}

static void
doctor_certificate (json_t *findings, const char *path, const char *file, const char *renew, gint64 now_us)
{
  g_autofree char *pem = NULL, *text = NULL, *until = NULL;
  gint64 expiry;

  if (!g_file_get_contents (path, &pem, NULL, NULL))
    return;
  expiry = doctor_expiry_us (pem);
  if (expiry < 0) {
    far_doctor_add (findings, FAR_DOCTOR_BAD, file, _ ("the certificate cannot be read"), renew);
    return;
  }
  until = far_clock_format (expiry);
  text = g_strdup_printf (expiry <= now_us ? _ ("expired on %.10s") : _ ("good until %.10s"), until);
  if (expiry <= now_us)
    far_doctor_add (findings, FAR_DOCTOR_BAD, file, text, renew);
  else if (expiry - now_us < CERTIFICATE_WARN_US)
    far_doctor_add (findings, FAR_DOCTOR_WARN, file, text, renew);
  else
    far_doctor_add (findings, FAR_DOCTOR_GOOD, file, text, NULL);
}

void
far_doctor_certificates (json_t *findings, const char *keys_dir, gint64 now_us)
{
  g_autofree char *node = far_trust_path (keys_dir, "node.crt"), *ca = far_trust_path (keys_dir, "ca.crt");

  doctor_certificate (findings, node, "node.crt",
                      _ ("a terminal renews by itself once its link is up, a server with the fleet's "
                         "authority as well; else: `farctl enroll --profile FILE --server HOST:PORT` "
                         "with a new token, `farctl ca init --profile FILE --name HOST` at a server"),
                      now_us);
  doctor_certificate (findings, ca, "ca.crt", _ ("a new authority means a new enrolment of every node"),
                      now_us);
}

static gboolean
doctor_is_listen (const char *path)
{
  const char *dot = strrchr (path, '.');

  return dot != NULL && strstr (dot, "listen") != NULL;
}

/* ---- whose certificate it is ---- */

static void
identity_bad (json_t *findings, const char *text)
{
  far_doctor_add (
      findings, FAR_DOCTOR_BAD, "identity", text,
      _ ("each node has a state folder of its own (node.state); a server's certificate is made by `farctl ca "
         "init --profile FILE`, a terminal's by `farctl enroll --profile FILE --server HOST:PORT`"));
}

static void
identity_good (json_t *findings, const char *node, const char *pem, gboolean server)
{
  g_auto (GStrv) names = far_trust_names (pem, NULL);
  g_autofree char *list = names != NULL ? g_strjoinv (", ", names) : g_strdup ("");
  g_autofree char *text = server ? g_strdup_printf (_ ("node '%s', a server reached as %s"), node, list)
                                 : g_strdup_printf (_ ("node '%s'"), node);

  if (server && list[0] == '\0')
    far_doctor_add (findings, FAR_DOCTOR_WARN, "identity",
                    _ ("no name by which others reach this server stands in its certificate"),
                    "farctl ca init --profile FILE --name HOST");
  else
    far_doctor_add (findings, FAR_DOCTOR_GOOD, "identity", text, NULL);
}

void
far_doctor_identity (json_t *findings, const char *keys_dir, const char *node, gboolean server)
{
  g_autofree char *path = far_trust_path (keys_dir, "node.crt"), *pem = NULL, *name = NULL, *text = NULL;

  if (!g_file_get_contents (path, &pem, NULL, NULL) || (name = far_trust_node (pem, NULL)) == NULL)
    return;
  if (strcmp (name, node) != 0) {
    text = g_strdup_printf (_ ("the certificate is node '%s's, this node is '%s'"), name, node);
    identity_bad (findings, text);
  } else if (!far_trust_is_for (pem, server ? FAR_PURPOSE_NODE_SERVER : FAR_PURPOSE_NODE_CLIENT)) {
    identity_bad (findings,
                  server ? _ ("the certificate is a terminal's, and this node listens: nobody believes it")
                         : _ ("the certificate is not for a node that dials"));
  } else {
    identity_good (findings, node, pem, server);
  }
}

gboolean
far_doctor_listens (json_t *effective)
{
  const char *path;
  json_t *entry;

  json_object_foreach (effective, path, entry)
    if (g_str_has_prefix (path, "transports.") && g_str_has_suffix (path, ".listen") &&
        json_string_length (json_object_get (entry, "value")) > 0)
      return TRUE; /* other listeners (y-listen) are no interfaces of TLS */
  return FALSE;
}

/* ---- ports ---- */

static void
doctor_port (json_t *findings, const char *path, const char *address, guint low, guint high)
{
  g_autofree char *host = NULL, *text = NULL;
  guint16 port = 0;

  if (!far_parse_address (address, &host, &port, NULL) || port < low || port > high)
    return;
  text = g_strdup_printf (_ ("%s: port %u is one of those the kernel draws for outgoing connections (%u-%u)"),
                          path, port, low, high);
  far_doctor_add (
      findings, FAR_DOCTOR_WARN, "ports", text,
      _ ("it may be taken when the daemon starts: net.ipv4.ip_local_reserved_ports, or another port"));
}

void
far_doctor_ports (json_t *findings, json_t *effective, const char *local_range)
{
  gsize before = json_array_size (findings);
  g_auto (GStrv) words = g_strsplit_set (local_range, "\t ", 2);
  guint64 low = 0, high = 0;
  const char *path;
  json_t *entry;

  if (words[0] == NULL || words[1] == NULL ||
      !g_ascii_string_to_unsigned (words[0], 10, 1, 65535, &low, NULL) ||
      !g_ascii_string_to_unsigned (g_strstrip (words[1]), 10, 1, 65535, &high, NULL))
    return;
  json_object_foreach (effective, path, entry) {
    const char *address = json_string_value (json_object_get (entry, "value"));

    if (address != NULL && doctor_is_listen (path))
      doctor_port (findings, path, address, (guint) low, (guint) high);
  }
  if (json_array_size (findings) == before)
    far_doctor_add (findings, FAR_DOCTOR_GOOD, "ports",
                    _ ("no listening port is one of those the kernel draws"), NULL);
}
