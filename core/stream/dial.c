/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connecting as RFC 8305 says: the families in turn, a new attempt every 250 ms, the first that connects
 * wins. */
#include "config.h"

#include "stream/dial-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/gate.h>
#include <farwatch/loop.h>
#include <farwatch/thread.h>

#include "loop/fd-watch.h"
#include "loop/request-private.h"

#define ATTEMPT_DELAY_US (250 * 1000) /* RFC 8305, section 5 */
#define ADDRESSES_MAX 32

typedef struct {
  struct sockaddr_storage address;
  socklen_t size;
} Target;

/* Lives until its request ends. */
typedef struct {
  FarRequest *req;
  char *host;
  guint16 port;
  FarLookUp *look;     /* under way */
  GArray *targets;     /* Target, in the order of trying; NULL: no names yet */
  GArray *tried;       /* FarTried, as many as were begun */
  GPtrArray *attempts; /* under way */
  FarLoopTimer *next, *limit;
} Dial;

typedef struct {
  Dial *dial;
  guint index; /* in tried */
  int fd;
  FarFdWatch *watch;
} Attempt;

static void dial_next (Dial *dial);

/* ---- the end ---- */

static void
attempt_free (gpointer data)
{
  Attempt *attempt = data;

  far_fd_watch_free (attempt->watch);
  if (attempt->fd >= 0)
    close (attempt->fd);
  g_free (attempt);
}

static void
tried_clear (gpointer data)
{
  g_free (((FarTried *) data)->address);
}

/* The request has ended, by whomever. */
static void
dial_free (gpointer data)
{
  Dial *dial = data;

  g_clear_pointer (&dial->look, far_look_up_cancel);
  far_loop_timer_free (dial->next);
  far_loop_timer_free (dial->limit);
  g_ptr_array_unref (dial->attempts);
  g_array_unref (dial->tried);
  g_clear_pointer (&dial->targets, g_array_unref);
  g_free (dial->host);
  g_free (dial);
}

/* Nothing goes on until the request's end is delivered and frees it. */
static void
dial_rest (Dial *dial)
{
  g_clear_pointer (&dial->look, far_look_up_cancel);
  g_clear_pointer (&dial->next, far_loop_timer_free);
  g_clear_pointer (&dial->limit, far_loop_timer_free);
  g_ptr_array_set_size (dial->attempts, 0);
}

static void
dial_fail (Dial *dial, GError *error)
{
  dial_rest (dial);
  far_request_fail (dial->req, error);
}

static void
close_result (gpointer data)
{
  close (GPOINTER_TO_INT (data) - 1);
}

static void
dial_win (Attempt *attempt)
{
  Dial *dial = attempt->dial;
  int fd = attempt->fd;

  attempt->fd = -1;
  dial_rest (dial);
  /* + 1: descriptor 0 is a result too. */
  far_request_done (dial->req, GINT_TO_POINTER (fd + 1), close_result);
}

int
far_dial_take (FarRequest *req)
{
  FAR_ON_MAIN ();
  return GPOINTER_TO_INT (far_request_steal (req)) - 1;
}

/* ---- attempts ---- */

static void
attempt_failed (Attempt *attempt, int code)
{
  Dial *dial = attempt->dial;

  g_array_index (dial->tried, FarTried, attempt->index).code = code;
  g_ptr_array_remove_fast (dial->attempts, attempt);
}

static void
attempt_ready (int fd, guint ready, gpointer data)
{
  Attempt *attempt = data;
  Dial *dial = attempt->dial;
  int code = 0;
  socklen_t size = sizeof code;

  if (getsockopt (fd, SOL_SOCKET, SO_ERROR, &code, &size) != 0)
    code = errno;
  if (code == 0) {
    dial_win (attempt);
    return;
  }
  attempt_failed (attempt, code);
  dial_next (dial);
}

/* FALSE: it has failed at once. */
static gboolean
attempt_begin (Dial *dial, const Target *target)
{
  Attempt *attempt = g_new0 (Attempt, 1);
  FarTried tried = { far_address_text ((const struct sockaddr *) &target->address), 0 };
  int on = 1;

  attempt->dial = dial;
  attempt->index = dial->tried->len;
  g_array_append_val (dial->tried, tried);
  g_ptr_array_add (dial->attempts, attempt);
  attempt->fd = socket (target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (attempt->fd >= 0)
    setsockopt (attempt->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (attempt->fd < 0 ||
      (connect (attempt->fd, (const struct sockaddr *) &target->address, target->size) != 0 &&
       errno != EINPROGRESS)) {
    attempt_failed (attempt, errno);
    return FALSE;
  }
  attempt->watch = far_fd_watch_new (far_loop_main (), attempt->fd, FAR_READY_WRITE, attempt_ready, attempt);
  return TRUE;
}

static void
delay_over (gpointer data)
{
  dial_next (data);
}

static void
dial_next (Dial *dial)
{
  gboolean begun = FALSE;

  while (!begun && dial->tried->len < dial->targets->len)
    begun = attempt_begin (dial, &g_array_index (dial->targets, Target, dial->tried->len));
  if (dial->attempts->len == 0)
    dial_fail (dial, far_dial_error (dial->host, dial->port, dial->tried));
  else if (dial->next == NULL)
    dial->next = far_loop_timer (far_loop_main (), far_clock_boottime_us () + ATTEMPT_DELAY_US, delay_over,
                                 dial);
  else if (begun)
    far_loop_timer_set (dial->next, far_clock_boottime_us () + ATTEMPT_DELAY_US);
}

/* ---- addresses ---- */

/* The next one of this family, or of any other, from *at on; NULL: none. */
static const struct addrinfo *
take_next (const struct addrinfo **at, int family, gboolean other)
{
  const struct addrinfo *info = *at;

  while (info != NULL && (info->ai_family == family) == other)
    info = info->ai_next;
  *at = info != NULL ? info->ai_next : NULL;
  return info;
}

/* first: NULL: none. */
static GArray *
targets_new (const Target *first)
{
  GArray *targets = g_array_new (FALSE, FALSE, sizeof (Target));

  if (first != NULL)
    g_array_append_val (targets, *first);
  return targets;
}

static void
add_target (GArray *targets, const struct addrinfo *info)
{
  Target target = { .size = info->ai_addrlen };

  if (info->ai_addrlen > sizeof target.address || targets->len >= ADDRESSES_MAX)
    return;
  memcpy (&target.address, info->ai_addr, info->ai_addrlen);
  g_array_append_val (targets, target);
}

/* RFC 8305, section 4: the family that the system would try first, then the other, in turn. */
static GArray *
interleave (const struct addrinfo *found)
{
  GArray *targets = targets_new (NULL);
  const struct addrinfo *one = found, *two = found, *info;
  gboolean more = TRUE;

  while (more) {
    more = FALSE;
    if ((info = take_next (&one, found->ai_family, FALSE)) != NULL) {
      add_target (targets, info);
      more = TRUE;
    }
    if ((info = take_next (&two, found->ai_family, TRUE)) != NULL) {
      add_target (targets, info);
      more = TRUE;
    }
  }
  return targets;
}

/* Takes targets. */
static void
dial_begin (Dial *dial, GArray *targets)
{
  dial->targets = targets;
  dial_next (dial);
}

static void
looked_up (int why, struct addrinfo *found, gpointer user)
{
  Dial *dial = user;

  dial->look = NULL;
  if (why != 0 || found == NULL)
    dial_fail (dial, far_dial_name_error (dial->host, dial->port, why != 0 ? why : EAI_NONAME));
  else
    dial_begin (dial, interleave (found));
  if (found != NULL)
    freeaddrinfo (found);
}

static void
dial_too_late (gpointer data)
{
  Dial *dial = data;

  dial_fail (dial, dial->targets == NULL ? far_dial_name_error (dial->host, dial->port, 0)
                                         : far_dial_error (dial->host, dial->port, dial->tried));
}

void
far_dial (const char *host, guint16 port, FarRequest *req)
{
  FAR_ON_MAIN ();
  Target number;
  GError *error = NULL;
  Dial *dial;

  if (far_request_ended (req))
    return;
  dial = g_new0 (Dial, 1);
  dial->req = req;
  dial->host = g_strdup (host);
  dial->port = port;
  dial->tried = g_array_new (FALSE, FALSE, sizeof (FarTried));
  g_array_set_clear_func (dial->tried, tried_clear);
  dial->attempts = g_ptr_array_new_with_free_func (attempt_free);
  far_request_set_ended (req, dial_free, dial);
  dial->limit = far_loop_timer (far_loop_main (),
                                far_clock_boottime_us () + FAR_DIAL_SECONDS * (gint64) G_USEC_PER_SEC,
                                dial_too_late, dial);
  if (far_address_number (host, port, &number.address, &number.size))
    dial_begin (dial, targets_new (&number));
  else if ((dial->look = far_look_up (host, port, looked_up, dial, &error)) == NULL)
    dial_fail (dial, error);
}
