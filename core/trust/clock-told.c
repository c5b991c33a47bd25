/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What another node tells about the time: judged, used, and remembered for a start with a clock that has
 * forgotten it. */
#include "config.h"

#include "base/clock-private.h"

#include "base/node-part.h"
#include "trust/trust-private.h"

#include <build-epoch.h>
#include <farwatch/loop.h>
#include <farwatch/i18n.h>
#include <farwatch/instance.h>
#include <farwatch/plugin.h>
#include <farwatch/trust.h>

#define TOLD_FILE "clock"
#define KEEP_EACH_US G_TIME_SPAN_HOUR
#define LATE_US (90 * G_TIME_SPAN_DAY) /* so long after its end a certificate may still be renewed */
#define MOVED_US G_TIME_SPAN_MINUTE    /* told otherwise than before: kept at once */
#define SAY_US (2 * G_USEC_PER_SEC)

typedef struct {
  gint64 until_us;   /* atomic: by this node's own certificate no later time is believed; 0: any */
  gint64 server_us;  /* atomic: nor by the server's that was accepted last; 0: none was */
  gint64 kept_us;    /* on main only: boottime of the last write; 0: none yet */
  gint64 written_us; /* on main only: what was written then */
} ClockTold;

static ClockTold *
clock_told (void)
{
  static const FarNodePart part = { FAR_PART_CLOCK_TOLD, sizeof (ClockTold), NULL, NULL };

  return far_node_part (&part);
}

/* ---- on disk ---- */

static void
told_write (FarRequest *req, gpointer data)
{
  g_autofree char *path = far_node_path (TOLD_FILE);
  GError *error = NULL;

  if (g_file_set_contents_full (path, data, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
    far_request_done (req, NULL, NULL);
  else
    far_request_fail (req, error);
}

static void
told_written (FarRequest *req, gpointer user G_GNUC_UNUSED)
{
  if (far_request_error (req) != NULL)
    far_log_limited (NULL, "clock", "the time of the last link is not kept: %s",
                     far_request_error (req)->message);
}

/* What stands on the disk is old, or was wrong. */
static gboolean
told_due (gint64 wall_us, gint64 now)
{
  gint64 since = now - clock_told ()->kept_us;

  return clock_told ()->kept_us == 0 || since >= KEEP_EACH_US ||
         ABS (wall_us - clock_told ()->written_us - since) > MOVED_US;
}

static void
told_keep (gint64 wall_us)
{
  gint64 now = far_clock_boottime_us ();

  if (!told_due (wall_us, now))
    return;
  clock_told ()->kept_us = now;
  clock_told ()->written_us = wall_us;
  far_run_blocking ("clock", 2, told_write, g_strdup_printf ("%" G_GINT64_FORMAT "\n", wall_us), g_free,
                    far_request_new (told_written, NULL, 0));
}

static gint64
told_read (void)
{
  g_autofree char *path = far_node_path (TOLD_FILE), *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? g_ascii_strtoll (text, NULL, 10) : 0;
}

/* ---- judged ---- */

gboolean
far_clock_may_be (gint64 wall_us)
{
  gint64 own = __atomic_load_n (&clock_told ()->until_us, __ATOMIC_RELAXED),
         server = __atomic_load_n (&clock_told ()->server_us, __ATOMIC_RELAXED);

  return wall_us / G_USEC_PER_SEC >= FAR_BUILD_EPOCH && (own == 0 || wall_us <= own) &&
         (server == 0 || wall_us <= server);
}

static void
told_say (gint64 wall_us)
{
  gint64 off = far_clock_system_us () - wall_us;
  g_autofree char *by = far_clock_off_text (off);

  if (ABS (off) > SAY_US)
    far_log_limited (
        NULL, "clock off",
        "this machine's clock is %s %s of the cloud's, whose time is used: set it, or let it synchronise", by,
        off > 0 ? "ahead" : "behind");
}

static void
told_take (gpointer data)
{
  g_autofree gint64 *wall_us = data;

  if (!far_clock_may_be (*wall_us)) {
    far_log_limited (NULL, "clock", "the other end of the link tells a time that cannot be: it is not used");
    return;
  }
  far_clock_set_told (*wall_us);
  told_say (*wall_us);
  told_keep (*wall_us);
}

void
far_clock_told (gint64 wall_us)
{
  gint64 *copy = g_new (gint64, 1);

  *copy = wall_us;
  far_loop_post (far_loop_main (), told_take, copy);
}

/* ---- its limits ---- */

void
far_clock_server_until (gint64 wall_us)
{
  __atomic_store_n (&clock_told ()->server_us, wall_us, __ATOMIC_RELAXED);
}

void
far_clock_own_certificate (const char *pem, const char *ca_file)
{
  gint64 from_us, until_us;

  if (!far_trust_signed (pem, ca_file) || !far_trust_life (pem, &from_us, &until_us, NULL))
    return;
  far_clock_floor (from_us);
  __atomic_store_n (&clock_told ()->until_us, until_us + LATE_US, __ATOMIC_RELAXED);
}

void
far_clock_begin (void)
{
  g_autofree char *path = far_node_path ("keys/node.crt"), *ca = far_node_path ("keys/ca.crt"), *pem = NULL;

  far_clock_floor (FAR_BUILD_EPOCH * G_USEC_PER_SEC);
  far_clock_floor_told (told_read ());
  clock_told ()->until_us = clock_told ()->server_us = clock_told ()->kept_us = 0;
  if (g_file_get_contents (path, &pem, NULL, NULL))
    far_clock_own_certificate (pem, ca);
}
