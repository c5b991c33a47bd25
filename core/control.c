/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The control socket's listener. */
#include "config.h"

#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/home.h>
#include <farwatch/i18n.h>
#include <farwatch/instance.h>

#include "door.h"

#define PAUSE_US (1 * G_USEC_PER_SEC) /* after accept() failed for want of descriptors */

/* A process has one control socket; touched on main only. */
static struct {
  char *path;
  int fd;
  GSource *source;   /* NULL: paused */
  FarGate *gate;
  GList *links;
  FarHomeTimer *timer;
  gint64 pause_us;
} control;

static void control_listen_on (void);

/* ---- time: the first frame, frames begun, pauses ---- */

static gint64
control_next (void)
{
  gint64 next = control.pause_us;

  for (GList *link = control.links; link != NULL; link = link->next) {
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

  for (GList *link = control.links, *after; link != NULL; link = after) {
    gint64 deadline = far_control_link_deadline (link->data);

    after = link->next;
    if (deadline != 0 && deadline <= now)
      far_control_link_late (link->data);
  }
  if (control.pause_us != 0 && control.pause_us <= now)
    control_listen_on ();
  /* frames begin at any time: look again soon while anybody is connected */
  if (control.links != NULL || control.pause_us != 0)
    far_home_timer_set (control.timer, MAX (now + G_USEC_PER_SEC / 2, MIN (control_next (), now + 2 * G_USEC_PER_SEC)));
}

static void
control_wake (void)
{
  far_home_timer_set (control.timer, far_clock_boottime_us () + G_USEC_PER_SEC);
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
  control.links = g_list_remove (control.links, link);
  far_home_post (far_home_main (), control_free_link, link); /* its own code is still on the stack */
}

static gboolean
control_may_come (const FarPrincipal *principal, GError **error)
{
  if (principal->kind == FAR_PRINCIPAL_NONE) {
    g_set_error_literal (error, FAR_ERROR, FAR_ERROR_DENIED, _("not allowed here: be root, or a member of group " FAR_CONTROL_GROUP));
    return FALSE;
  }
  if (principal->super || far_gate_counts (control.gate).now <= FAR_CONTROL_LINKS - FAR_CONTROL_SPARE)
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_LIMIT, _("control socket: too many connections"));
  return FALSE;
}

static void
control_take (int fd)
{
  GError *error = NULL;
  FarPass *pass = far_gate_enter (control.gate, fd, NULL, &error);
  g_autoptr (FarPrincipal) principal = pass != NULL ? far_control_who (fd) : NULL;

  if (pass == NULL || !control_may_come (principal, &error)) {
    far_gate_leave (pass);
    far_control_turn_away (fd, error);
    return;
  }
  control.links = g_list_prepend (control.links, far_control_link_new (fd, g_steal_pointer (&principal), pass, control_gone, NULL));
  control_wake ();
}

static void
control_pause (void)
{
  far_complain (NULL, "control", "control socket: accept failed, waiting: %s", g_strerror (errno));
  g_source_destroy (control.source);
  g_clear_pointer (&control.source, g_source_unref);
  control.pause_us = far_clock_boottime_us () + PAUSE_US;
  control_wake ();
}

static gboolean
control_accept (int listener, GIOCondition ready, gpointer data)
{
  int fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

  if (fd >= 0) {
    control_take (fd);
  } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
    control_pause ();
    return G_SOURCE_REMOVE;
  }
  return G_SOURCE_CONTINUE;
}

static void
control_listen_on (void)
{
  control.pause_us = 0;
  control.source = g_unix_fd_source_new (control.fd, G_IO_IN);
  g_source_set_callback (control.source, G_SOURCE_FUNC (control_accept), NULL, NULL);
  g_source_attach (control.source, NULL);
}

/* ---- the socket ---- */

static gboolean
control_address (const char *path, struct sockaddr_un *address, GError **error)
{
  memset (address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (g_strlcpy (address->sun_path, path, sizeof address->sun_path) < sizeof address->sun_path)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _("control socket %s: the path is over %d bytes: set a shorter node.control"), path,
               (int) sizeof address->sun_path - 1);
  return FALSE;
}

/* A socket somebody answers at is not taken away; a left-over one is. */
static gboolean
control_remove_old (const char *path, const struct sockaddr_un *address, GError **error)
{
  struct stat info;
  gboolean answered;
  int fd;

  if (lstat (path, &info) != 0)
    return TRUE;
  if (!S_ISSOCK (info.st_mode)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _("control socket %s: something else is there: move it away, or set node.control"), path);
    return FALSE;
  }
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  answered = fd >= 0 && connect (fd, (const struct sockaddr *) address, sizeof *address) == 0;
  if (fd >= 0)
    close (fd);
  if (!answered) {
    unlink (path); /* if it cannot be: bind() will tell */
    return TRUE;
  }
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _("control socket %s: another farwatchd answers there: stop it, or set node.control"), path);
  return FALSE;
}

/* The kernel tells who connects; the mode only keeps others away. */
static void
control_mode (const char *path)
{
  char buffer[16384];
  struct group entry, *group = NULL;
  gboolean have = getgrnam_r (FAR_CONTROL_GROUP, &entry, buffer, sizeof buffer, &group) == 0 && group != NULL &&
                  chown (path, (uid_t) -1, group->gr_gid) == 0;

  if (chmod (path, have ? 0660 : 0600) != 0)
    far_log (NULL, G_LOG_LEVEL_WARNING, "control socket %s: chmod failed: %s", path, g_strerror (errno));
}

static int
control_bind (const char *path, GError **error)
{
  struct sockaddr_un address;
  mode_t old;
  int fd, bound;

  if (!control_address (path, &address, error) || !control_remove_old (path, &address, error))
    return -1;
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  old = umask (0177);
  bound = fd >= 0 ? bind (fd, (const struct sockaddr *) &address, sizeof address) : -1;
  umask (old);
  if (bound != 0 || listen (fd, 64) != 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _("control socket %s: %s: does the directory exist, and may it be written?"), path,
                 g_strerror (errno));
    if (fd >= 0)
      close (fd);
    return -1;
  }
  control_mode (path);
  return fd;
}

gboolean
far_control_start (const char *path, GError **error)
{
  const FarGateLimits limits = { .total = FAR_CONTROL_LINKS, .unverified_total = FAR_CONTROL_SILENT };
  int fd = control_bind (path, error);

  if (fd < 0)
    return FALSE;
  control.fd = fd;
  control.path = g_strdup (path);
  control.gate = far_gate_new (_("control socket"), &limits);
  control.timer = far_home_timer (far_home_main (), far_clock_boottime_us () + G_USEC_PER_SEC, control_timer, NULL);
  control_listen_on ();
  return TRUE;
}

void
far_control_stop (void)
{
  if (control.path == NULL)
    return;
  if (control.source != NULL) {
    g_source_destroy (control.source);
    g_clear_pointer (&control.source, g_source_unref);
  }
  close (control.fd);
  unlink (control.path);
  g_clear_pointer (&control.path, g_free);
  g_list_free_full (g_steal_pointer (&control.links), control_free_link);
  g_clear_pointer (&control.gate, far_gate_free);
  g_clear_pointer (&control.timer, far_home_timer_free);
}
