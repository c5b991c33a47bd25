/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the sockets, the time and the device's side for all modes of load (load.h). */
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

gint64
load_now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

gint64
load_now_us (void)
{
  return load_now_ns () / 1000;
}

void
load_sleep_until (gint64 us)
{
  struct timespec until = { .tv_sec = us / G_USEC_PER_SEC, .tv_nsec = us % G_USEC_PER_SEC * 1000 };
  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
    ;
}

static struct sockaddr_in
load_address (const char *host, int port)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons ((guint16) port) };
  inet_pton (AF_INET, host, &address.sin_addr);
  return address;
}

int
load_dial (const char *host, int port, char mode)
{
  struct sockaddr_in address = load_address (host, port);
  int one = 1, fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return -1;
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  load_timeouts (fd, 10);
  if (connect (fd, (struct sockaddr *) &address, sizeof address) == 0 && write (fd, &mode, 1) == 1)
    return fd;
  close (fd);
  return -1;
}

void
load_timeouts (int fd, int seconds)
{
  struct timeval limit = { .tv_sec = seconds };
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

gboolean
load_would_block (void)
{
  return errno == EAGAIN || errno == EINTR;
}

void
load_reset (int fd)
{
  struct linger now = { .l_onoff = 1, .l_linger = 0 };
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close (fd);
}

gboolean
load_exchange (int fd, char *message, gsize size)
{
  if (write (fd, message, size) != (gssize) size)
    return FALSE;
  for (gsize have = 0; have < size;) {
    gssize n = read (fd, message + have, size - have);
    if (n <= 0)
      return FALSE;
    have += (gsize) n;
  }
  return TRUE;
}

int
load_complain (const char *what)
{
  fprintf (stderr, "load: %s: %s\n", what, g_strerror (errno));
  return 1;
}

static gboolean
device_send (int fd, const char *data, gsize size)
{
  while (size > 0) {
    gssize n = write (fd, data, size);
    if (n <= 0)
      return FALSE;
    data += n;
    size -= (gsize) n;
  }
  return TRUE;
}

static gpointer
device_connection (gpointer data)
{
  int fd = GPOINTER_TO_INT (data);
  g_autofree char *buffer = g_malloc0 (LOAD_BUFFER);
  char mode;
  gssize n;
  if (read (fd, &mode, 1) != 1)
    mode = 0;
  if (mode == 'g')
    while (device_send (fd, buffer, LOAD_BUFFER))
      ;
  else
    while ((n = read (fd, buffer, LOAD_BUFFER)) > 0)
      if (mode == 'e' && !device_send (fd, buffer, (gsize) n))
        break;
  close (fd);
  return NULL;
}

int
load_serve (const char *host, int port)
{
  struct sockaddr_in address = load_address (host, port);
  socklen_t size = sizeof address;
  int one = 1, listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt (listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind (listener, (struct sockaddr *) &address, sizeof address) != 0 || listen (listener, 4096) != 0)
    return load_complain ("listen");
  getsockname (listener, (struct sockaddr *) &address, &size);
  printf ("listening on %d\n", ntohs (address.sin_port));
  fflush (stdout);
  for (;;) {
    int fd = accept (listener, NULL, NULL);
    if (fd < 0)
      continue;
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    g_thread_unref (g_thread_new ("device", device_connection, GINT_TO_POINTER (fd)));
  }
}
