/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* STUB until merged */
#include "config.h"
#include <farwatch/dial.h>
#include <netdb.h>
#include <errno.h>
#include <unistd.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <netinet/in.h>
typedef struct { char *host; char port[8]; } Job;
static void work (FarRequest *req, gpointer data) {
  Job *job = data; struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found = NULL; int fd = -1, on = 1, code = 0;
  if (getaddrinfo (job->host, job->port, &hints, &found) != 0) { far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "unknown name"); return; }
  for (struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
    fd = socket (a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect (fd, a->ai_addr, a->ai_addrlen) != 0) { code = errno; close (fd); fd = -1; }
  }
  freeaddrinfo (found);
  if (fd < 0) { far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "%s", g_strerror (code)); return; }
  setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  far_request_done (req, GINT_TO_POINTER (fd + 1), NULL);
}
static void job_free (gpointer data) { Job *job = data; g_free (job->host); g_free (job); }
void far_dial (const char *host, guint16 port, FarRequest *req) {
  Job *job = g_new0 (Job, 1); job->host = g_strdup (host); g_snprintf (job->port, 8, "%u", port);
  far_run_blocking ("dial", 64, work, job, job_free, req);
}
int far_dial_take (FarRequest *req) { return GPOINTER_TO_INT (far_request_steal (req)) - 1; }
