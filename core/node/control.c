/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is the control socket's listener: who may connect and how many. One connection is
 * control-link.c, who is at its other end control-who.c. */
#include "config.h"

#include "node/control.h"

#include "base/node-part.h"

#include <errno.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <farwatch/acceptor.h>
#include <farwatch/clock.h>
#include <farwatch/loop.h>
#include <farwatch/i18n.h>
#include <farwatch/instance.h>

#include "node/api.h"
#include "stream/unix-socket.h"

#define BACKLOG 64

/* A node has one control socket; touched on main only. */
typedef struct {
  char *path;
  int fd;
  FarAcceptor *acceptor;
  FarGate *gate;
  GList *links;
  FarLoopTimer *timer;
} Control;

static void
control_clear (gpointer part)
{
  far_control_stop ();
}

static Control *
control (void)
{
  static const FarNodePart part = { FAR_PART_CONTROL, sizeof (Control), NULL, control_clear };

  return far_node_part (&part);
}

/* ---- time: the first frame, frames begun ---- */

static gint64
control_next (void)
{
  gint64 next = 0;

  for (GList *link = control ()->links; link != NULL; link = link->next) {
    gint64 deadline = far_control_link_deadline (link->data);

    if (deadline != 0 && (next == 0 || deadline < next))
      next = deadline;
  }
  return next;
}

static void
control_timer (gpointer data)
{
  gint64 now = far_clock_boottime_us ();

  for (GList *link = control ()->links, *after; link != NULL; link = after) {
    gint64 deadline = far_control_link_deadline (link->data);

    after = link->next;
    if (deadline != 0 && deadline <= now)
      far_control_link_late (link->data);
  }
  /* Frames begin at any time: look again soon while anybody is connected. */
  if (control ()->links != NULL)
    far_loop_timer_set (control ()->timer,
                        MAX (now + G_USEC_PER_SEC / 2, MIN (control_next (), now + 2 * G_USEC_PER_SEC)));
}

static void
control_wake (void)
{
  far_loop_timer_set (control ()->timer, far_clock_boottime_us () + G_USEC_PER_SEC);
}

/* ---- connections ---- */

static void
control_free_link (gpointer data)
{
  far_control_link_free (data);
}

static void
control_gone (FarControlLink *link, gpointer user)
{
  control ()->links = g_list_remove (control ()->links, link);
  far_loop_post (far_loop_main (), control_free_link, link); /* its own code is still on the stack */
}

static gboolean
control_may_come (const FarPrincipal *principal, GError **error)
{
  if (principal->kind == FAR_PRINCIPAL_NONE) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_DENIED,
                         _ ("not allowed here: be root, or a member of group " FAR_CONTROL_GROUP));
    return FALSE;
  }
  if (principal->super || far_gate_counts (control ()->gate).now < FAR_CONTROL_LINKS - FAR_CONTROL_SPARE)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_LIMIT,
               _ ("control socket: too many connections (%u at once, of them %u for root)"),
               FAR_CONTROL_LINKS, FAR_CONTROL_SPARE);
  return FALSE;
}

static void
control_evicted (gpointer data)
{
  g_autoptr (GError) error = g_error_new (
      FAR_ERROR, FAR_ERROR_LIMIT,
      _ ("control socket: others wait for the place (%d connections at once), and nothing was said"),
      FAR_CONTROL_LINKS);

  far_control_link_end (data, error);
}

/* Who comes is asked first: strangers take no place, and each uid has its share. */
static void
control_came (int fd, const struct sockaddr *address, const char *from, FarPass *no_pass, gpointer user)
{
  GError *error = NULL;
  guint uid;
  g_autoptr (FarPrincipal) principal = far_control_who (fd, &uid);
  FarPass *pass = control_may_come (principal, &error)
                      ? far_gate_enter_uid (control ()->gate, fd, uid, &error)
                      : NULL;
  FarControlLink *link;

  if (pass == NULL) {
    far_control_turn_away (fd, error);
    return;
  }
  link = far_control_link_new (fd, g_steal_pointer (&principal), pass, control_gone, NULL);
  control ()->links = g_list_prepend (control ()->links, link);
  far_gate_evictable (pass, far_loop_main (), control_evicted, link);
  control_wake ();
}

/* ---- the socket ---- */

/* The kernel tells who connects; the mode only keeps others away. */
static void
control_mode (const char *path)
{
  char buffer[16384];
  struct group entry, *group = NULL;
  gboolean have = getgrnam_r (FAR_CONTROL_GROUP, &entry, buffer, sizeof buffer, &group) == 0 &&
                  group != NULL && chown (path, (uid_t) -1, group->gr_gid) == 0;

  if (chmod (path, have ? 0660 : 0600) != 0)
    far_log (NULL, G_LOG_LEVEL_WARNING, "control socket %s: chmod failed: %s", path, g_strerror (errno));
}

gboolean
far_control_start (const char *path, GError **error)
{
  const FarGateLimits limits = { .total = FAR_CONTROL_LINKS,
                                 .per_address = FAR_CONTROL_SHARE,
                                 .unverified_total = FAR_CONTROL_SILENT,
                                 .total_option = "",
                                 .per_address_option = "",
                                 .unverified_option = "" };
  const FarAcceptorSpec spec = { .name = "control socket", .came = control_came };
  int fd = far_unix_listen (path, "node.control", BACKLOG, error);

  if (fd < 0)
    return FALSE;
  control_mode (path);
  control ()->fd = fd;
  control ()->path = g_strdup (path);
  control ()->gate = far_gate_new (_ ("control socket"), &limits);
  control ()->timer = far_loop_timer (far_loop_main (), far_clock_boottime_us () + G_USEC_PER_SEC,
                                      control_timer, NULL);
  control ()->acceptor = far_acceptor_new (far_loop_main (), fd, &spec);
  return TRUE;
}

void
far_control_stop (void)
{
  if (control ()->path == NULL)
    return;
  g_clear_pointer (&control ()->acceptor, far_acceptor_free);
  close (control ()->fd);
  unlink (control ()->path);
  g_clear_pointer (&control ()->path, g_free);
  g_list_free_full (g_steal_pointer (&control ()->links), control_free_link);
  g_clear_pointer (&control ()->gate, far_gate_free);
  g_clear_pointer (&control ()->timer, far_loop_timer_free);
}
