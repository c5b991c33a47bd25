/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials: files that systemd or the admin put down, never text of the profile. */
#include "config.h"

#include <farwatch/instance.h>

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <farwatch/i18n.h>

#include "profile/option-check.h"

#define SECRET_MAX (64 * 1024)

static gboolean
secret_refuse (GError **error, FarErrorCode code, const char *name, const char *path, const char *why)
{
  g_set_error (error, FAR_ERROR, (int) code, _ ("credential %s: %s: %s"), name, path, why);
  return FALSE;
}

static gboolean
check_file (int fd, const char *name, const char *path, gboolean own, GError **error)
{
  struct stat st;

  if (fstat (fd, &st) != 0)
    return secret_refuse (error, FAR_ERROR_UNAVAILABLE, name, path, g_strerror (errno));
  if (!S_ISREG (st.st_mode))
    return secret_refuse (error, FAR_ERROR_CONFIG, name, path, _ ("not a file"));
  if (own && (st.st_mode & 077) != 0)
    return secret_refuse (error, FAR_ERROR_CONFIG, name, path, _ ("others may read it; chmod 600"));
  if (st.st_size > SECRET_MAX)
    return secret_refuse (error, FAR_ERROR_CONFIG, name, path, _ ("larger than 64 KiB"));
  return TRUE;
}

/* One line end at the close of the file is no part of the secret. */
static char *
secret_read_text (int fd)
{
  char *text = g_malloc0 (SECRET_MAX + 1);
  gsize got = 0;
  gssize n = 1;

  while (n > 0 && got < SECRET_MAX) {
    n = read (fd, text + got, SECRET_MAX - got);
    got += n > 0 ? (gsize) n : 0;
  }
  text[got] = '\0';
  if (got > 0 && text[got - 1] == '\n')
    text[--got] = '\0';
  return text;
}

/* What may be larger than the secret is cleared whole. */
static char *
shrink (char *text)
{
  char *copy = g_strdup (text);

  sodium_memzero (text, SECRET_MAX);
  g_free (text);
  return copy;
}

static char *
read_secret (const char *name, const char *path, gboolean own, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  char *text = NULL;

  if (fd < 0) {
    secret_refuse (error, errno == ENOENT ? FAR_ERROR_CONFIG : FAR_ERROR_UNAVAILABLE, name, path,
                   g_strerror (errno));
    return NULL;
  }
  if (check_file (fd, name, path, own, error))
    text = shrink (secret_read_text (fd));
  close (fd);
  return text;
}

char *
far_secret_read (const char *name, GError **error)
{
  const char *dir = g_getenv ("CREDENTIALS_DIRECTORY");
  g_autofree char *given = dir != NULL ? g_build_filename (dir, name, NULL) : NULL;
  g_autofree char *relative = g_build_filename ("credentials", name, NULL);
  g_autofree char *own = far_node_path (relative);

  if (!far_label_ok (name, TRUE)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, "%s", _ ("that is no name of a credential"));
    return NULL;
  }
  if (given != NULL && access (given, F_OK) == 0)
    return read_secret (name, given, FALSE, error);
  return read_secret (name, own, TRUE, error);
}

void
far_secret_free (char *secret)
{
  if (secret == NULL)
    return;
  sodium_memzero (secret, strlen (secret));
  g_free (secret);
}
