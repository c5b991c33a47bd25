/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever reads them may be root, and may be meant to fall for what was laid there: a link, a FIFO, a device,
 * a file without an end. */
#include "config.h"

#include "base/small-file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean
is_small (int fd, gsize max)
{
  struct stat st;

  return fstat (fd, &st) == 0 && S_ISREG (st.st_mode) && st.st_size >= 0 && (guint64) st.st_size <= max;
}

/* It may grow meanwhile: no more than max is read. */
static char *
small_file_read_text (int fd, gsize max)
{
  g_autofree char *text = g_malloc (max + 1);
  gsize size = 0;
  gssize n;

  while (size < max && (n = read (fd, text + size, max - size)) != 0) {
    if (n < 0 && errno != EINTR)
      return NULL;
    size += n > 0 ? (gsize) n : 0;
  }
  text[size] = '\0';
  if (strlen (text) == size)
    return g_steal_pointer (&text);
  errno = EINVAL;
  return NULL;
}

static char *
read_path (const char *path, gsize max, int flags)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags), cause;
  char *text = NULL;

  if (fd < 0) {
    errno = errno == ELOOP || errno == ENXIO ? EINVAL : errno;
    return NULL;
  }
  errno = EINVAL;
  if (is_small (fd, max))
    text = small_file_read_text (fd, max);
  cause = errno;
  close (fd);
  errno = cause;
  return text;
}

char *
far_small_file_read (const char *path, gsize max)
{
  return read_path (path, max, O_NOFOLLOW);
}

char *
far_small_file_follow (const char *path, gsize max)
{
  return read_path (path, max, 0);
}
