/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How farctl gets a descriptor: the control socket, or a stream of the TLS transport behind a socket pair. */
#include "config.h"

#include "ctl.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <farwatch/option.h>
#include <farwatch/plugin.h>

#include "ctl-support/shared.h"

#define DIAL_MS 20000

/* ---- the control socket ---- */

static int
dial_path (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd;

  if (g_strlcpy (address.sun_path, path, sizeof address.sun_path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect (fd, (const struct sockaddr *) &address, sizeof address) == 0)
    return fd;
  if (fd >= 0) {
    int cause = errno;

    close (fd);
    errno = cause;
  }
  return -1;
}

/* The first that this user may not use: whose it is says who may. Its folder's owner where not even that can
 * be seen. */
static int
dial_forbidden (const char *const *places, guint n, GError **error)
{
  const char *place = NULL;
  const struct passwd *owner;
  const struct group *group;
  struct stat at = { 0 };

  for (guint i = 0; i < n && place == NULL; i++)
    if (places[i] != NULL && access (places[i], W_OK) != 0 && errno == EACCES)
      place = places[i];
  place = place != NULL ? place : places[0];
  if (place != NULL && stat (place, &at) != 0) {
    g_autofree char *folder = g_path_get_dirname (place);

    if (stat (folder, &at) != 0)
      at = (struct stat){ 0 };
  }
  owner = at.st_uid != 0 ? getpwuid (at.st_uid) : NULL;
  group = at.st_gid != 0 ? getgrgid (at.st_gid) : NULL;
  g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
               _ ("%s: Permission denied: root, the daemon's user and members of the group %s may use it; "
                  "run `sudo -u %s farctl …`, or join the group and log in anew"),
               place != NULL ? place : "", group != NULL ? group->gr_name : "farwatch",
               owner != NULL ? owner->pw_name : "root");
  return -1;
}

/* An installation below /usr looks at some places twice; each is named once. */
static char *
dial_names (const char *const *places, guint n)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (guint i = 0; i < n; i++)
    if (places[i] != NULL && !g_ptr_array_find_with_equal_func (names, places[i], g_str_equal, NULL))
      g_ptr_array_add (names, (gpointer) places[i]);
  g_ptr_array_add (names, NULL);
  return g_strjoinv (", ", (char **) names->pdata);
}

static int
dial_failed (const char *const *places, guint n, const char *where, int cause, GError **error)
{
  g_autofree char *names = where != NULL ? g_strdup (where) : dial_names (places, n);

  g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
               _ ("cannot reach the daemon at %s: %s; does it run? when it is ready it logs where its socket "
                  "is, for --socket PATH; a remote one: --server HOST:PORT"),
               names, g_strerror (cause));
  return -1;
}

static int
dial_control (Ctl *ctl, GError **error)
{
  const char *given = ctl->socket != NULL ? ctl->socket : g_getenv ("FARWATCH_SOCKET");
  /* A terminal's comes last: where it stands beside a cloud server, farctl without --socket speaks to the
   * cloud server; older ones have terminal.sock. */
  const char *const places[] = { given,
                                 FAR_RUN_DIR "/control.sock",
                                 FAR_STATE_DIR "/control.sock",
                                 "/run/farwatch/control.sock",
                                 "/var/lib/farwatch/control.sock",
                                 CTL_TERMINAL_STATE "/control.sock",
                                 "/var/lib/farwatch-terminal/control.sock",
                                 FAR_STATE_DIR "/terminal.sock",
                                 "/var/lib/farwatch/terminal.sock" };
  guint n = given != NULL ? 1 : G_N_ELEMENTS (places);
  int cause = ENOENT;
  const char *where = NULL; /* the place that the cause is of; NULL: there is nothing at any of them */

  for (guint i = 0; i < n; i++) {
    int fd = places[i] != NULL ? dial_path (places[i]) : -1;

    if (fd >= 0)
      return fd;
    if (places[i] != NULL && errno != ENOENT && (where == NULL || errno == EACCES)) {
      cause = errno;
      where = places[i];
    }
  }
  return cause == EACCES ? dial_forbidden (places, n, error) : dial_failed (places, n, where, cause, error);
}

/* ---- TLS ---- */

char *
ctl_server_hostport (const char *server, GError **error)
{
  const char *text = server;
  g_autofree char *host = NULL, *cut = NULL;
  guint16 port;

  if (g_str_has_prefix (text, "wss://"))
    text += strlen ("wss://");
  else if (g_str_has_prefix (text, "https://"))
    text += strlen ("https://");
  cut = g_strndup (text, strcspn (text, "/"));
  if (!far_parse_address (cut, &host, &port, error))
    return NULL;
  return g_steal_pointer (&cut);
}

typedef struct {
  gboolean over;
  FarStream *stream;
  GError *error;
} Dialled;

static void
dial_done (FarRequest *req, gpointer user)
{
  Dialled *dialled = user;

  dialled->over = TRUE;
  if (far_request_error (req) != NULL)
    dialled->error = g_error_copy (far_request_error (req));
  else
    dialled->stream = far_request_steal (req);
}

static FarStream *
dial_stream (const char *type_name, const char *url, const char *ca, GError **error)
{
  const FarTransportType *type;
  Dialled dialled = { 0 };

  far_loop_main ();
  type = (const FarTransportType *) far_loader_type (FAR_KIND_TRANSPORT, type_name, NULL, error);
  if (type == NULL)
    return NULL;
  if (type->dial == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("the installed transport %s cannot dial"), type_name);
    return NULL;
  }
  type->dial (url, ca, far_request_new (dial_done, &dialled, DIAL_MS));
  while (!dialled.over)
    g_main_context_iteration (NULL, TRUE);
  if (dialled.error != NULL)
    g_propagate_error (error, dialled.error);
  return dialled.stream;
}

/* The stream lives at a loop of the transport; what the rest of farctl sees is one end of a socket pair. */
static int
dial_pair (FarStream *stream, GError **error)
{
  static const FarPumpSpec spec = { .session = "farctl" };
  int pair[2];

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("no socket pair: %s"), g_strerror (errno));
    return -1;
  }
  far_pump_start (stream, far_stream_fd_new (far_loop_pick (), pair[1]), &spec);
  return pair[0];
}

int
ctl_dial_url (const char *type, const char *url, const char *ca, GError **error)
{
  FarStream *stream = dial_stream (type, url, ca, error);

  return stream != NULL ? dial_pair (stream, error) : -1;
}

/* Before anybody is dialled: a file that is missing is not the server's fault. */
static gboolean
dial_ca_ok (const char *path, GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autofree char *text = NULL;

  if (g_str_has_prefix (path, "sha256:"))
    return TRUE;
  if (!g_file_get_contents (path, &text, NULL, &why))
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("--ca %s cannot be read: %s; it is STATE/ca/ca.crt of the cloud server"), path,
                 g_error_matches (why, G_FILE_ERROR, G_FILE_ERROR_NOENT) ? _ ("there is no such file")
                                                                         : why->message);
  else if (strstr (text, "-----BEGIN CERTIFICATE-----") == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("--ca %s holds no certificate; STATE/ca/ca.crt of the cloud server is meant"), path);
  else
    return TRUE;
  return FALSE;
}

static FarStream *
dial_server (Ctl *ctl, const char *path, GError **error)
{
  g_autofree char *hostport = ctl_server_hostport (ctl->server, error);
  g_autofree char *url = hostport != NULL ? g_strconcat ("wss://", hostport, path, NULL) : NULL;

  if (url == NULL)
    return NULL;
  if (ctl->ca == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("whom to trust? --ca FILE names the fleet's authority; it is remembered by `farctl "
                    "--server %s --ca FILE login NAME`"),
                 ctl->server);
    return NULL;
  }
  return dial_ca_ok (ctl->ca, error) ? dial_stream ("https", url, ctl->ca, error) : NULL;
}

FarStream *
ctl_dial_stream (Ctl *ctl, const char *ticket, GError **error)
{
  g_autofree char *path = g_strconcat ("/stream/", ticket, NULL);

  return dial_server (ctl, path, error);
}

int
ctl_stream_fd (FarStream *stream, GError **error)
{
  return dial_pair (stream, error);
}

int
ctl_dial (Ctl *ctl, GError **error)
{
  FarStream *stream;

  if (ctl->server == NULL)
    return dial_control (ctl, error);
  if (ctl->ticket == NULL)
    ctl_ticket_load (ctl);
  stream = dial_server (ctl, "/link", error);
  return stream != NULL ? dial_pair (stream, error) : -1;
}
