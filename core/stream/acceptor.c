/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is the one accept loop of all listeners (farwatch/acceptor.h): limits, rates and PROXY headers
 * are applied here once, so that no transport has an accept loop of its own. */
#include "config.h"

#include "stream/acceptor-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <farwatch/clock.h>
#include <farwatch/i18n.h>

#define PAUSE_US ((gint64) G_USEC_PER_SEC)

struct _FarAcceptor {
  guint refs; /* the owner's, and one for each call under way: came() may free it */
  gboolean over;
  FarLoop *loop;
  int fd;
  FarInstance *at;
  char *name;
  FarGate *gate;
  GStrv proxies;
  FarRate *rate; /* NULL: none */
  double per_second;
  gboolean nodelay;
  guint user_timeout_ms;
  void (*came) (int fd, const struct sockaddr *address, const char *from, FarPass *pass, gpointer user);
  gpointer user;
  FarFdWatch *watch; /* NULL: paused */
  FarLoopTimer *pause;
  FarProxyWait *waiting;
};

static void acceptor_begin (FarAcceptor *acceptor);

static void
acceptor_unref (FarAcceptor *acceptor)
{
  if (--acceptor->refs > 0)
    return;
  far_proxy_wait_free (acceptor->waiting);
  far_gate_free (acceptor->gate);
  g_strfreev (acceptor->proxies);
  g_free (acceptor->rate);
  g_free (acceptor->name);
  g_free (acceptor);
}

/* ---- complaints ---- */

/* One key for all peers of a listener: with keys of their choice they would fill the log. */
static void
complain (FarAcceptor *acceptor, const char *key, const char *text)
{
  if (acceptor->at != NULL) {
    far_log_limited (acceptor->at, key, "%s", text);
    return;
  }
  g_autofree char *own_key = g_strconcat (acceptor->name, ":", key, NULL);
  far_log_limited (NULL, own_key, "%s: %s", acceptor->name, text);
}

static void
complain_refused (FarAcceptor *acceptor, const char *key, const char *from, const char *cause)
{
  g_autofree char *text = g_strdup_printf (_ ("connection from %s refused: %s"), from, cause);
  complain (acceptor, key, text);
}

/* ---- one connection ---- */

static void
acceptor_reset_fd (int fd)
{
  struct linger at_once = { 1, 0 };
  setsockopt (fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close (fd);
}

static gboolean
is_too_fast (FarAcceptor *acceptor, const struct sockaddr *address)
{
  if (acceptor->rate == NULL || (acceptor->gate != NULL && far_gate_knows (acceptor->gate, address)))
    return FALSE;
  return !far_rate_take (acceptor->rate, address, far_clock_boottime_us ());
}

static gboolean
may_enter (FarAcceptor *acceptor, int fd, const struct sockaddr *address, const char *from, FarPass **pass)
{
  g_autoptr (GError) error = NULL;
  if (is_too_fast (acceptor, address)) {
    g_autofree char *cause = g_strdup_printf (_ ("more than %g a second of this address"),
                                              acceptor->per_second);
    far_count ("connections that came too fast", 1);
    complain_refused (acceptor, "rate", from, cause);
    return FALSE;
  }
  if (acceptor->gate == NULL)
    return TRUE;
  *pass = far_gate_enter (acceptor->gate, fd, address, &error);
  if (*pass == NULL)
    complain_refused (acceptor, "gate", from, error->message);
  return *pass != NULL;
}

/* Unix sockets do not know these. */
static void
acceptor_set_options (const FarAcceptor *acceptor, int fd)
{
  const int on = 1;
  if (acceptor->nodelay)
    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (acceptor->user_timeout_ms > 0)
    setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &acceptor->user_timeout_ms,
                sizeof acceptor->user_timeout_ms);
}

static void
admit (int fd, const struct sockaddr_storage *address, gpointer user)
{
  FarAcceptor *acceptor = user;
  const struct sockaddr *peer = (const struct sockaddr *) address;
  g_autofree char *from = far_address_text (peer);
  FarPass *pass = NULL;
  if (!may_enter (acceptor, fd, peer, from, &pass)) {
    acceptor_reset_fd (fd);
    return;
  }
  acceptor_set_options (acceptor, fd);
  acceptor->came (fd, peer, from, pass, acceptor->user);
}

static gboolean
is_proxy (const FarAcceptor *acceptor, const struct sockaddr_storage *peer)
{
  if (acceptor->proxies == NULL || acceptor->proxies[0] == NULL)
    return FALSE;
  g_autofree char *from = far_address_text ((const struct sockaddr *) peer);
  for (guint i = 0; acceptor->proxies[i] != NULL; i++)
    if (far_address_in (from, acceptor->proxies[i], NULL))
      return TRUE;
  return FALSE;
}

/* From a header that came later than its connection. */
static void
proxied (int fd, const struct sockaddr_storage *address, gpointer user)
{
  FarAcceptor *acceptor = user;
  acceptor->refs++;
  admit (fd, address, acceptor);
  acceptor_unref (acceptor);
}

/* The header was due because the connection's own address is one of proxies. */
static void
not_proxied (const struct sockaddr_storage *peer, gpointer user)
{
  g_autofree char *from = far_address_text ((const struct sockaddr *) peer);
  far_count ("connections without a PROXY header", 1);
  complain_refused (user, "proxy", from,
                    _ ("no PROXY header of version 2 came first; let the proxy send one (HAProxy: "
                       "send-proxy-v2), or take its address out of proxy-protocol"));
}

/* ---- the loop ---- */

static void
pause_over (gpointer data)
{
  acceptor_begin (data);
}

static const char *
accept_hint (int code)
{
  switch (code) {
  case EMFILE:
    return _ ("; raise LimitNOFILE= in the unit");
  case ENFILE:
    return _ ("; raise fs.file-max");
  default:
    return "";
  }
}

static void
pause_for (FarAcceptor *acceptor, const char *cause, const char *hint)
{
  gint64 until = far_clock_boottime_us () + PAUSE_US;
  g_autofree char *text = g_strdup_printf (_ ("accepting connections failed, next try in a second: %s%s"),
                                           cause, hint);
  complain (acceptor, "accept", text);
  g_clear_pointer (&acceptor->watch, far_fd_watch_free);
  if (acceptor->pause == NULL)
    acceptor->pause = far_loop_timer (acceptor->loop, until, pause_over, acceptor);
  else
    far_loop_timer_set (acceptor->pause, until);
}

/* Errors of one connection that had arrived, or of the network (accept(2)): the next one may be good. */
static gboolean
concerns_one (int code)
{
  switch (code) {
  case EINTR:
  case ECONNABORTED:
  case ENETDOWN:
  case EPROTO:
  case ENOPROTOOPT:
  case EHOSTDOWN:
  case ENONET:
  case EHOSTUNREACH:
  case EOPNOTSUPP:
  case ENETUNREACH:
    return TRUE;
  default:
    return FALSE;
  }
}

/* FALSE: nobody else waits, or it is paused. */
static gboolean
accept_one (FarAcceptor *acceptor)
{
  struct sockaddr_storage peer = { 0 };
  socklen_t size = sizeof peer;
  int fd = accept4 (acceptor->fd, (struct sockaddr *) &peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0 && concerns_one (errno))
    return TRUE;
  if (fd < 0) {
    if (errno != EAGAIN)
      pause_for (acceptor, g_strerror (errno), accept_hint (errno));
    return FALSE;
  }
  if (is_proxy (acceptor, &peer))
    far_proxy_wait_add (acceptor->waiting, fd, &peer);
  else
    admit (fd, &peer, acceptor);
  return !acceptor->over;
}

static void
acceptable (int fd, guint ready, gpointer data)
{
  FarAcceptor *acceptor = data;
  acceptor->refs++;
  if (ready == FAR_READY_CLOSED)
    pause_for (acceptor, _ ("the listening socket cannot be watched"),
               _ ("; raise fs.epoll.max_user_watches"));
  for (guint n = 0; ready != FAR_READY_CLOSED && n < FAR_ACCEPT_BATCH && accept_one (acceptor); n++)
    continue;
  acceptor_unref (acceptor);
}

static void
acceptor_begin (FarAcceptor *acceptor)
{
  acceptor->watch = far_fd_watch_new (acceptor->loop, acceptor->fd, FAR_READY_READ, acceptable, acceptor);
}

/* ---- life ---- */

FarAcceptor *
far_acceptor_new (FarLoop *loop, int listen_fd, const FarAcceptorSpec *spec)
{
  FarAcceptor *acceptor = g_new0 (FarAcceptor, 1);
  acceptor->refs = 1;
  acceptor->loop = loop;
  acceptor->fd = listen_fd;
  acceptor->at = spec->at;
  acceptor->name = g_strdup (spec->name != NULL ? spec->name : "listener");
  acceptor->gate = spec->gate != NULL ? far_gate_ref (spec->gate) : NULL;
  acceptor->proxies = g_strdupv ((char **) spec->proxies);
  acceptor->per_second = spec->per_second;
  acceptor->rate = spec->per_second > 0 ? far_rate_new (spec->per_second) : NULL;
  acceptor->nodelay = spec->nodelay;
  acceptor->user_timeout_ms = spec->user_timeout_ms;
  acceptor->came = spec->came;
  acceptor->user = spec->user;
  acceptor->waiting = far_proxy_wait_new (loop, proxied, not_proxied, acceptor);
  acceptor_begin (acceptor);
  return acceptor;
}

void
far_acceptor_set_proxies (FarAcceptor *acceptor, const char *const *proxies)
{
  g_strfreev (acceptor->proxies);
  acceptor->proxies = g_strdupv ((char **) proxies);
}

void
far_acceptor_free (FarAcceptor *acceptor)
{
  if (acceptor == NULL)
    return;
  acceptor->over = TRUE;
  g_clear_pointer (&acceptor->watch, far_fd_watch_free);
  g_clear_pointer (&acceptor->pause, far_loop_timer_free);
  acceptor_unref (acceptor);
}
