/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file reads a secret from a person without echo, or from standard input byte by byte, so that
 * nothing of it is left in a buffer and nothing behind it is taken. */
#include "config.h"

#include "ctl.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <farwatch/instance.h>

#include "ctl-support/shared.h"

#define SECRET_SIZE 1026

static gboolean
secret_bad (GError **error, const char *why)
{
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, why);
  return FALSE;
}

/* Byte by byte: what follows on stdin is not ours. */
static gboolean
secret_line (int fd, char *buffer, GError **error)
{
  gsize n = 0;
  gssize got;

  while ((got = read (fd, buffer + n, 1)) == 1 && buffer[n] != '\n')
    if (++n == SECRET_SIZE - 1)
      return secret_bad (error, _ ("the secret is too long"));
  if (n > 0 && buffer[n - 1] == '\r')
    n--;
  buffer[n] = '\0';
  if (n == 0 && got <= 0)
    return secret_bad (error, _ ("no secret: the input has ended"));
  return TRUE;
}

static gboolean
secret_ask (const char *prompt, char *buffer, GError **error)
{
  int fd = open ("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  struct termios before, quiet;
  /* Who is asked for a password may ask something back. */
  g_autofree char *plain = far_sanitize_text (prompt, FALSE);
  gboolean good;

  if (fd < 0 || tcgetattr (fd, &before) != 0) {
    if (fd >= 0)
      close (fd);
    return secret_bad (error, _ ("no terminal to ask at: use --password-stdin"));
  }
  quiet = before;
  quiet.c_lflag &= ~(tcflag_t) ECHO;
  tcsetattr (fd, TCSAFLUSH, &quiet);
  dprintf (fd, "%s: ", plain);
  good = secret_line (fd, buffer, error);
  dprintf (fd, "\n");
  tcsetattr (fd, TCSAFLUSH, &before);
  close (fd);
  return good;
}

char *
ctl_secret (gboolean from_stdin, const char *prompt, gboolean twice, GError **error)
{
  g_autofree char *first = g_malloc0 (SECRET_SIZE), *second = g_malloc0 (SECRET_SIZE);
  gboolean good;
  char *secret;

  if (from_stdin)
    good = secret_line (STDIN_FILENO, first, error);
  else
    good = secret_ask (prompt, first, error) && (!twice || secret_ask (_ ("again"), second, error));
  if (good && twice && !from_stdin && strcmp (first, second) != 0)
    good = secret_bad (error, _ ("the two are not the same"));
  secret = good ? g_strdup (first) : NULL;
  explicit_bzero (first, SECRET_SIZE);
  explicit_bzero (second, SECRET_SIZE);
  return secret;
}
