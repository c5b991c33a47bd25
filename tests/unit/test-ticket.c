/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stream tickets: for whom, how often, until when. */
#include "config.h"

#include <sys/socket.h>

#include <farwatch/stream.h>

#include "auth/ticket.h"
#include "unit/door-help.h"

typedef struct {
  guint n;
  char *from;
} Came;

static void
free_stream (gpointer stream)
{
  far_stream_free (stream);
}

static void
came (FarStream *stream, const char *from, gpointer user)
{
  Came *to = user;

  to->n++;
  g_free (to->from);
  to->from = g_strdup (from);
  far_loop_post (stream->loop, free_stream, stream);
}

/* A stream, and the other end of it. */
static FarStream *
stream_pair (int *other)
{
  int pair[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  *other = pair[1];
  return far_stream_fd_new (far_loop_pick (), pair[0]);
}

/* The stream was freed: its other end sees the end. */
static gboolean
is_shut (int fd)
{
  char byte;
  gssize n = recv (fd, &byte, 1, 0);

  close (fd);
  return n == 0;
}

static FarPrincipal *alice, *bob;
static Came to;

static void
setup (void)
{
  g_setenv ("FARWATCH_TEST_CLOCK", "1", TRUE);
  to = (Came){ 0 };
  alice = person ("alice", "");
  bob = person ("bob", "");
}

static void
teardown (void)
{
  far_ticket_clear ();
  far_principal_unref (alice);
  far_principal_unref (bob);
  g_free (to.from);
}

static char *
ticket_for (gboolean reusable, gint64 seconds)
{
  return far_ticket_new (NULL, alice, reusable, far_clock_boottime_us () + seconds * G_USEC_PER_SEC, came,
                         &to);
}

START_TEST (a_ticket_is_for_its_principal)
{
  g_autofree char *ticket = ticket_for (FALSE, 60);
  g_autoptr (FarPrincipal) local = far_principal_new (FAR_PRINCIPAL_LOCAL, "alice", NULL, ""),
                           claim = person ("alice", ""), again = person ("alice", "192.0.2.1");

  claim->via = g_strdup ("front");
  ck_assert_uint_eq (strlen (ticket), 32);
  ck_assert (far_ticket_valid (ticket, alice));
  ck_assert (far_ticket_valid (ticket, again));
  ck_assert (far_ticket_valid (ticket, NULL));
  ck_assert (!far_ticket_valid (ticket, bob));
  ck_assert (!far_ticket_valid (ticket, local));
  ck_assert (!far_ticket_valid (ticket, claim));
  ck_assert (!far_ticket_valid ("", alice));
  ck_assert (!far_ticket_valid ("x", NULL));
}
END_TEST

START_TEST (once_is_once)
{
  g_autofree char *ticket = ticket_for (FALSE, 60);
  int first, second;

  far_ticket_redeem (ticket, stream_pair (&first), "192.0.2.1");
  ck_assert_uint_eq (to.n, 1);
  ck_assert_str_eq (to.from, "192.0.2.1");
  ck_assert (!far_ticket_valid (ticket, alice));
  far_ticket_redeem (ticket, stream_pair (&second), "192.0.2.1");
  ck_assert_uint_eq (to.n, 1);
  ck_assert (is_shut (first) && is_shut (second));
}
END_TEST

START_TEST (reusable_until_it_ends)
{
  g_autofree char *ticket = ticket_for (TRUE, 60);
  int fds[3];

  for (guint i = 0; i < 3; i++) {
    far_ticket_redeem (ticket, stream_pair (&fds[i]), "");
    ck_assert_uint_eq (to.n, i + 1);
    ck_assert (is_shut (fds[i]));
  }
  forward (61);
  ck_assert (!far_ticket_valid (ticket, alice));
  far_ticket_redeem (ticket, stream_pair (&fds[0]), "");
  ck_assert_uint_eq (to.n, 3);
  ck_assert (is_shut (fds[0]));
  ck_assert_uint_eq (far_ticket_count (), 0);
}
END_TEST

START_TEST (revoked_is_over)
{
  g_autofree char *ticket = ticket_for (TRUE, 60);

  far_ticket_revoke (ticket);
  far_ticket_revoke (ticket);
  ck_assert (!far_ticket_valid (ticket, alice));
}
END_TEST

START_TEST (tickets_are_bounded)
{
  g_autofree char *first = ticket_for (TRUE, 60);

  for (guint i = 0; i < FAR_TICKETS; i++)
    g_free (ticket_for (TRUE, 60));
  ck_assert_uint_le (far_ticket_count (), FAR_TICKETS);
  ck_assert (!far_ticket_valid (first, alice)); /* the oldest went */
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("ticket");
  TCase *tc = tcase_create ("ticket");

  tcase_add_checked_fixture (tc, setup, teardown);
  tcase_add_test (tc, a_ticket_is_for_its_principal);
  tcase_add_test (tc, once_is_once);
  tcase_add_test (tc, reusable_until_it_ends);
  tcase_add_test (tc, revoked_is_over);
  tcase_add_test (tc, tickets_are_bounded);
  suite_add_tcase (suite, tc);
  return run_suite (suite);
}
