/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An endpoint: devices that are sockets in the file system, as many drivers of serial lines, PLC simulators
 * and containers offer them. A device's address is the name of a socket in one folder: who manages the
 * terminal adds devices at run time, and must not reach just any socket of this machine by that. */
#define FAR_PLUGIN_LICENSE "LGPL-2.1-or-later"
#include <farwatch/plugin.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct {
  char *folder;
} UnixOptions;

typedef struct {
  FarInstance *at;
} Unix;

static gboolean
unix_place (const char *folder, const char *name, struct sockaddr_un *to, GError **error)
{
  g_autofree char *path = NULL;

  if (name == NULL || *name == '\0' || *name == '.' || strchr (name, '/') != NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _ ("address '%s': the name of a socket in %s is meant"),
                 name != NULL ? name : "", folder);
    return FALSE;
  }
  path = g_build_filename (folder, name, NULL);
  *to = (struct sockaddr_un){ .sun_family = AF_UNIX };
  if (g_strlcpy (to->sun_path, path, sizeof to->sun_path) < sizeof to->sun_path)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("%s: longer than the path of a socket may be (%zu bytes)"), path, sizeof to->sun_path - 1);
  return FALSE;
}

/* A socket of this machine answers at once, or says that its queue is full. */
static int
unix_connect (const struct sockaddr_un *to, GError **error)
{
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

  if (fd >= 0 && connect (fd, (const struct sockaddr *) to, sizeof *to) == 0)
    return fd;
  g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("no connection to %s: %s"), to->sun_path,
               g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return -1;
}

/* Nobody took the stream any more: it may be touched only at its loop. */
static void
stream_free_there (gpointer stream)
{
  far_stream_free (stream);
}

static void
stream_discard (gpointer data)
{
  FarStream *stream = data;

  far_loop_post (stream->loop, stream_free_there, stream);
}

static void
unix_open (gpointer data, const FarEndpointSpec *spec, FarRequest *req)
{
  const UnixOptions *options = far_instance_options (((Unix *) data)->at);
  FarLoop *loop = spec->want_loop != NULL && far_loop_is_io (spec->want_loop) ? spec->want_loop
                                                                              : far_loop_pick ();
  struct sockaddr_un to;
  GError *error = NULL;
  int fd = unix_place (options->folder, spec->address, &to, &error) ? unix_connect (&to, &error) : -1;

  if (fd < 0)
    far_request_fail (req, error);
  else
    far_request_done (req, far_stream_fd_new (loop, fd), stream_discard);
}

static gboolean
unix_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  ((Unix *) data)->at = at;
  return TRUE;
}

static gboolean
unix_start (gpointer data, GError **error G_GNUC_UNUSED)
{
  far_instance_ready (((Unix *) data)->at);
  return TRUE;
}

static const FarOption unix_options[] = {
  { .name = "folder",
    .type = FAR_OPT_PATH,
    .flags = FAR_OPT_REQUIRED,
    .offset = G_STRUCT_OFFSET (UnixOptions, folder),
    .summary = N_ ("folder of the sockets that devices name") },
  { .type = FAR_OPT_END },
};

static const FarEndpointType unix_type = {
  .type = { .kind = FAR_KIND_ENDPOINT,
            .name = "unix",
            .summary = N_ ("devices that are sockets in the file system"),
            .instance_size = sizeof (Unix),
            .options_size = sizeof (UnixOptions),
            .options = unix_options,
            .init = unix_init,
            .start = unix_start },
  .open = unix_open,
};

FAR_PLUGIN ("endpoint-unix", "0.1", "endpoint/unix", "", &unix_type.type)
