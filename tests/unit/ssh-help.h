/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tunnel end and a terminal in one process, and people and devices outside of it, on plain sockets. */
#pragma once
#include "life/instance-private.h"
#include "loop/log.h"
#include "node/node-hooks.h"
#include "life/node.h"
#include "unit/core-help.h"
#include "unit/stream-pair.h"

#include <farwatch/plugin.h>

static char *ssh_folder;
static GMutex ssh_log_lock;
static GString *ssh_log;                      /* under the lock: I/O threads write as well */
static char *ssh_log_copy;                    /* what ssh_logged() gave last */
static gint64 dial_length_us = SECONDS (600); /* of the terminal's end */

/* ---- a device: echoes what it gets ---- */

typedef struct {
  int listener;
  guint16 port;
  GThread *thread;
  gint connections, bytes;
  gboolean quit;
} Echo;

static inline gpointer
echo_run (gpointer data)
{
  Echo *echo = data;
  g_autoptr (GArray) polls = g_array_new (FALSE, TRUE, sizeof (struct pollfd));
  g_autofree char *part = g_malloc (65536);
  struct pollfd first = { .fd = echo->listener, .events = POLLIN };
  g_array_append_val (polls, first);
  while (!g_atomic_int_get (&echo->quit)) {
    struct pollfd *all = (struct pollfd *) (gpointer) polls->data;
    poll (all, polls->len, 50);
    for (guint i = polls->len; i-- > 1;) {
      if (all[i].revents == 0)
        continue;
      gssize got = recv (all[i].fd, part, 65536, 0);
      g_atomic_int_add (&echo->bytes, MAX (got, 0));
      if (got > 0 && send (all[i].fd, part, got, MSG_NOSIGNAL) == got)
        continue;
      close (all[i].fd);
      g_array_remove_index_fast (polls, i);
      all = (struct pollfd *) (gpointer) polls->data;
    }
    if (all[0].revents & POLLIN) {
      struct pollfd more = { .fd = accept (echo->listener, NULL, NULL), .events = POLLIN };
      g_atomic_int_inc (&echo->connections);
      g_array_append_val (polls, more);
    }
  }
  for (guint i = 0; i < polls->len; i++)
    close (g_array_index (polls, struct pollfd, i).fd);
  return NULL;
}

static inline void
echo_start (Echo *echo)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof at;
  *echo = (Echo){ .listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
  ck_assert_int_eq (bind (echo->listener, (struct sockaddr *) &at, sizeof at) | listen (echo->listener, 64),
                    0);
  ck_assert_int_eq (getsockname (echo->listener, (struct sockaddr *) &at, &size), 0);
  echo->port = ntohs (at.sin_port);
  echo->thread = g_thread_new ("echo", echo_run, echo);
}

static inline void
echo_stop (Echo *echo)
{
  g_atomic_int_set (&echo->quit, TRUE);
  g_thread_join (echo->thread);
}

/* ---- a person ---- */

/* Blocking, with a limit of 10 s. -1: refused. */
static inline int
person_dials_at (const char *host, guint16 port, const char *from)
{
  struct sockaddr_in at = { .sin_family = AF_INET,
                            .sin_port = htons (port),
                            .sin_addr.s_addr = inet_addr (host) };
  struct sockaddr_in source = { .sin_family = AF_INET };
  struct timeval limit = { 10, 0 };
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (from != NULL) {
    inet_pton (AF_INET, from, &source.sin_addr);
    ck_assert_int_eq (bind (fd, (struct sockaddr *) &source, sizeof source), 0);
  }
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect (fd, (struct sockaddr *) &at, sizeof at) == 0)
    return fd;
  close (fd);
  return -1;
}

static inline int
person_dials (guint16 port, const char *from)
{
  return person_dials_at ("127.0.0.1", port, from);
}

/* recv() that lets the main context run: most of what we test lives in this process. */
static inline gssize
person_reads (int fd, char *text, gsize size)
{
  gint64 end = g_get_monotonic_time () + SECONDS (10);
  gssize got = recv (fd, text, size, MSG_DONTWAIT);
  while (got < 0 && errno == EAGAIN && g_get_monotonic_time () < end) {
    g_main_context_iteration (NULL, FALSE);
    g_usleep (200);
    got = recv (fd, text, size, MSG_DONTWAIT);
  }
  return got;
}

/* Closed or reset by the other side within the limit. */
static inline gboolean
person_is_cut (int fd)
{
  char text[4];
  gssize got = person_reads (fd, text, sizeof text);
  return got == 0 || (got < 0 && errno != EAGAIN);
}

static inline gboolean
person_hears_echo (int fd, const char *text)
{
  char seen[256] = "";
  gsize size = strlen (text), at = 0;
  if (send (fd, text, size, MSG_NOSIGNAL) != (gssize) size)
    return FALSE;
  while (at < size) {
    gssize got = person_reads (fd, seen + at, size - at);
    if (got <= 0)
      return FALSE;
    at += got;
  }
  return memcmp (seen, text, size) == 0;
}

/* ---- what an end tells ---- */

typedef struct {
  GString *said;                                     /* "up lost up opened closed …" */
  guint up, lost, opened, closed, refused, refusals; /* refused: with those told together */
  gint ended;
  char cause[128], refusal[128];
  guint64 bytes_up, bytes_down;
  gboolean stock;
  Echo *device;
  guint arrived;
  FarCarrier *carrier;
} Side;

static inline void
side_hears (const FarCarrierEvent *event, gpointer user)
{
  static const char *const kinds[] = { "up", "lost", "opened", "closed", "counters", "refused", "ended" };
  Side *side = user;
  ck_assert_int_eq (side->ended, 0);
  if (side->said == NULL)
    side->said = g_string_new (NULL);
  if (event->kind != FAR_CARRIER_COUNTERS)
    g_string_append_printf (side->said, "%s ", kinds[event->kind]);
  side->up += event->kind == FAR_CARRIER_UP;
  side->lost += event->kind == FAR_CARRIER_LOST;
  side->opened += event->kind == FAR_CARRIER_OPENED;
  side->closed += event->kind == FAR_CARRIER_CLOSED;
  side->refused += event->kind == FAR_CARRIER_REFUSED ? MAX (event->times, 1) : 0;
  side->refusals += event->kind == FAR_CARRIER_REFUSED;
  side->stock |= event->stock;
  if (event->kind == FAR_CARRIER_REFUSED)
    g_strlcpy (side->refusal, event->cause, sizeof side->refusal);
  else if (event->cause != NULL)
    g_strlcpy (side->cause, event->cause, sizeof side->cause);
  side->bytes_up = MAX (side->bytes_up, event->bytes_up);
  side->bytes_down = MAX (side->bytes_down, event->bytes_down);
  if (event->kind == FAR_CARRIER_ENDED)
    g_atomic_int_set (&side->ended, 1);
}

static inline void
side_clear (Side *side)
{
  if (side->said != NULL)
    g_string_free (side->said, TRUE);
  g_clear_pointer (&side->carrier, far_carrier_unref);
  *side = (Side){ 0 };
}

/* All that was logged until now, good until it is asked for again. */
static inline const char *
ssh_logged (void)
{
  g_mutex_lock (&ssh_log_lock);
  g_free (ssh_log_copy);
  ssh_log_copy = g_strdup (ssh_log->str);
  g_mutex_unlock (&ssh_log_lock);
  return ssh_log_copy;
}

/* Runs main until *n >= wanted. */
static inline void
await (const guint *n, guint wanted)
{
  gint64 end = g_get_monotonic_time () + SECONDS (20);
  while (*(const volatile guint *) n < wanted && g_get_monotonic_time () < end)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  ck_assert_msg (*n >= wanted, "waited in vain; log:\n%s", ssh_logged ());
}

/* What had come to any I/O thread before this call is handled: the first round ends the turn that may be
 * under way, the second one the turn that saw it. far_loop_pick() goes around. */
static inline void
settle_workers (void)
{
  for (guint i = 0; i < 2 * g_get_num_processors (); i++)
    help_settle (far_loop_pick ());
}

static inline void
stream_drop (gpointer stream)
{
  far_stream_free (stream);
}

/* The terminal's answer: a new connection to its device. */
static inline void
side_arrived (const char *session, const char *from, FarLoop *loop, FarRequest *req, gpointer user)
{
  Side *side = user;
  side->arrived++;
  if (side->device == NULL)
    far_request_fail_new (req, FAR_ERROR_UNAVAILABLE, "no device");
  else
    far_request_done (req, far_stream_fd_new (loop, person_dials (side->device->port, NULL)), stream_drop);
}

static const FarCarrierFuncs side_funcs = { .event = side_hears, .incoming = side_arrived };

/* ---- a node with both ends ---- */

static inline void
ssh_keep_log (GLogLevelFlags level, const char *path, const char *text, gpointer user)
{
  g_mutex_lock (&ssh_log_lock);
  g_string_append_printf (ssh_log, "%s: %s\n", path != NULL ? path : "-", text);
  g_mutex_unlock (&ssh_log_lock);
}

static inline void
ssh_link_plugin (const char *name)
{
  const char *build = g_getenv ("FARWATCH_TEST_BUILDDIR");
  g_autofree char *file = g_strconcat (name, ".so", NULL), *to = g_build_filename (ssh_folder, file, NULL);
  g_autofree char *path = g_build_filename (build != NULL ? build : ".", "plugins", name, ".libs", file,
                                            NULL);
  g_autofree char *from = g_canonicalize_filename (path, NULL);
  ck_assert_msg (g_file_test (from, G_FILE_TEST_EXISTS), "%s is not built", from);
  ck_assert_int_eq (symlink (from, to), 0);
}

static inline void
node_start (const char *lines)
{
  ssh_folder = make_folder ();
  ssh_log = g_string_new (NULL);
  far_log_set_sink (ssh_keep_log, NULL);
  link_fixture (ssh_folder, "authenticator-wax");
  link_fixture (ssh_folder, "carrier-memory");
  ssh_link_plugin ("transport-ssh");
  ssh_link_plugin ("transport-tls");
  ssh_link_plugin ("endpoint-tcp");
  g_setenv ("FARWATCH_PLUGIN_DIR", ssh_folder, TRUE);
  g_autofree char *path = g_build_filename (ssh_folder, "test.yaml", NULL),
                  *state = g_build_filename (ssh_folder, "state", NULL);
  g_autofree char *text = g_strdup_printf ("farwatch: 1\nnode: {id: t1, state: %s}\n%s", state, lines),
                  *said = NULL;
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = NULL;
  g_autoptr (GError) error = NULL;
  write_file (ssh_folder, "test.yaml", text, -1);
  profile = far_profile_load (path, NULL, faults);
  said = far_faults_text (faults);
  ck_assert_msg (profile != NULL, "%s", said);
  ck_assert_msg (far_node_open (profile, &error), "%s", error != NULL ? error->message : "");
  far_node_hooks_start ();
  far_instances_start (profile);
  run_pending ();
}

static inline void
node_stop (void)
{
  far_instances_stop ();
  run_pending ();
  far_node_close ();
  far_log_set_sink (NULL, NULL);
  g_string_free (ssh_log, TRUE);
  g_clear_pointer (&ssh_log_copy, g_free);
  remove_folder (ssh_folder);
  g_clear_pointer (&ssh_folder, g_free);
}

static inline gpointer
instance_self (FarKind kind, const char *name)
{
  g_autoptr (GError) error = NULL;
  FarInstance *at = far_instance_find (kind, name, &error);
  ck_assert_msg (at != NULL, "%s; log:\n%s", error != NULL ? error->message : "", ssh_logged ());
  return far_instance_self (at);
}

/* ---- requests that are waited for ---- */

typedef struct {
  gint done;
  gpointer result;
  GError *error;
} Answer;

static inline void
answered (FarRequest *req, gpointer user)
{
  Answer *answer = user;
  if (far_request_error (req) != NULL)
    answer->error = g_error_copy (far_request_error (req));
  else
    answer->result = far_request_steal (req);
  answer->done = 1;
}

static inline void
answer_wait (Answer *answer)
{
  gint64 end = g_get_monotonic_time () + SECONDS (20);
  while (!answer->done && g_get_monotonic_time () < end)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (200);
  ck_assert_msg (answer->done, "waited in vain; log:\n%s", ssh_logged ());
}

/* What was reserved, in its parts. */
typedef struct {
  guint16 x, y;
  char *y_host, *address, *host_key;
} Reserved;

static inline void
reserved_free (Reserved *reserved)
{
  if (reserved == NULL)
    return;
  g_free (reserved->y_host);
  g_free (reserved->address);
  g_free (reserved->host_key);
  g_free (reserved);
}

static inline void
reserve_begin (const char *transport, const FarCarrierSpec *spec, Side *side, Answer *answer)
{
  side->carrier = far_carrier_reserve (transport, spec, &side_funcs, side,
                                       far_request_new (answered, answer, 0));
}

static inline Reserved *
reserve (const char *transport, const FarCarrierSpec *spec, Side *side)
{
  Answer answer = { 0 };
  g_clear_pointer (&side->carrier, far_carrier_unref);
  reserve_begin (transport, spec, side, &answer);
  answer_wait (&answer);
  ck_assert_msg (answer.error == NULL, "%s", answer.error != NULL ? answer.error->message : "");
  FarTunnel *tunnel = answer.result;
  Reserved *reserved = g_new0 (Reserved, 1);
  *reserved = (Reserved){ tunnel->x, tunnel->y, g_strdup (tunnel->y_host),
                          g_strdup (json_string_value (json_object_get (tunnel->part, "address"))),
                          g_strdup (json_string_value (json_object_get (tunnel->part, "host_key"))) };
  ck_assert_int_eq (json_integer_value (json_object_get (tunnel->part, "x")), reserved->x);
  far_tunnel_free (tunnel);
  return reserved;
}

/* The answer comes later. */
static inline void
dial_begin (const char *transport, const Reserved *reserved, const char *session, const char *user,
            const char *token, const char *host_key, Side *side, Answer *answer)
{
  json_t *part = json_pack ("{s:s, s:s, s:i, s:s}", "address", reserved->address, "host_key", host_key, "x",
                            (int) reserved->x, "user", user);
  FarCarrierOpen spec = { .session = session,
                          .part = part,
                          .address = reserved->address,
                          .token = token,
                          .length_us = dial_length_us };
  FarRequest *req = far_request_new (answered, answer, 0);
  if (side->carrier != NULL)
    far_carrier_reopen (side->carrier, &spec, req);
  else
    side->carrier = far_carrier_open (transport, &spec, &side_funcs, side, req);
  json_decref (part);
}

/* NULL: it is up; else the error, to be freed. */
static inline GError *
dial_as (const char *transport, const Reserved *reserved, const char *session, const char *user,
         const char *token, const char *host_key, Side *side)
{
  Answer answer = { 0 };
  dial_begin (transport, reserved, session, user, token, host_key, side, &answer);
  answer_wait (&answer);
  return answer.error;
}
