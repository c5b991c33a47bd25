/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to a device over TCP: by address, by name without holding up the main context, and what is said
 * when nobody answers. */
#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "node-help.h"

static int
listener (guint16 *port, int backlog)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof at;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  ck_assert_int_eq (bind (fd, (struct sockaddr *) &at, sizeof at), 0);
  ck_assert_int_eq (listen (fd, backlog), 0);
  ck_assert_int_eq (getsockname (fd, (struct sockaddr *) &at, &size), 0);
  *port = ntohs (at.sin_port);
  return fd;
}

static void
begin (void)
{
  g_autofree char *dir = node_fresh_dir ();

  node_open (dir, "term-1", "endpoints:\n  lan: { type: tcp, connect-timeout: 300ms }\n");
}

static gpointer
open_address (const char *address, GError **error)
{
  FarEndpointSpec spec = { .address = address };
  Wait *wait = wait_new ();

  far_endpoint_open ("lan", &spec, wait->req);
  return wait_result (wait, error);
}

static void
free_stream (gpointer stream)
{
  far_stream_free (stream);
}

static void
end (FarStream *stream)
{
  if (stream != NULL)
    far_loop_post (stream->loop, free_stream, stream);
  node_for_ms (20);
  node_close ();
}

/* A name goes through the resolver, in a thread of its own. */
START_TEST (reaches_an_address_and_a_name)
{
  static const char *const hosts[] = { "127.0.0.1", "localhost" };
  g_autofree char *address = NULL;
  FarStream *stream;
  guint16 port;
  int at = listener (&port, 5), got;

  begin ();
  address = g_strdup_printf ("%s:%u", hosts[_i], port);
  stream = open_address (address, NULL);
  ck_assert_ptr_nonnull (stream);
  got = accept (at, NULL, NULL);
  ck_assert_int_ge (got, 0);
  end (stream);
  close (got);
  close (at);
}
END_TEST

START_TEST (says_that_nobody_listens)
{
  g_autofree char *address = NULL;
  GError *error = NULL;
  guint16 port;
  int at = listener (&port, 5);

  close (at);
  begin ();
  address = g_strdup_printf ("127.0.0.1:%u", port);
  ck_assert_ptr_null (open_address (address, &error));
  ck_assert (g_error_matches (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE));
  ck_assert_ptr_nonnull (strstr (error->message, address));
  g_error_free (error);
  end (NULL);
}
END_TEST

/* A full accept queue: the kernel drops what comes, as a device that is switched off does. */
START_TEST (gives_up_after_connect_timeout)
{
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  g_autofree char *address = NULL;
  GError *error = NULL;
  int waiting[8];
  guint16 port;
  int at = listener (&port, 0);

  to.sin_port = htons (port);
  for (guint i = 0; i < G_N_ELEMENTS (waiting); i++) {
    waiting[i] = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect (waiting[i], (struct sockaddr *) &to, sizeof to) == 0)
      continue;
  }
  begin ();
  address = g_strdup_printf ("127.0.0.1:%u", port);
  ck_assert_ptr_null (open_address (address, &error));
  ck_assert_ptr_nonnull (strstr (error->message, "no answer in 300ms"));
  g_error_free (error);
  end (NULL);
  for (guint i = 0; i < G_N_ELEMENTS (waiting); i++)
    close (waiting[i]);
  close (at);
}
END_TEST

START_TEST (wants_an_address)
{
  static const char *const bad[] = { NULL, "nowhere", "127.0.0.1:0", "127.0.0.1:99999", ":80" };
  GError *error = NULL;

  begin ();
  ck_assert_ptr_null (open_address (bad[_i], &error));
  ck_assert_ptr_nonnull (error);
  g_error_free (error);
  end (NULL);
}
END_TEST

int
main (void)
{
  Suite *suite = suite_create ("endpoint-tcp");
  TCase *tcase = tcase_create ("endpoint-tcp");
  SRunner *runner = srunner_create (suite);
  int failed;

  tcase_set_timeout (tcase, 60);
  tcase_add_checked_fixture (tcase, NULL, node_remove_dirs);
  tcase_add_loop_test (tcase, reaches_an_address_and_a_name, 0, 2);
  tcase_add_test (tcase, says_that_nobody_listens);
  tcase_add_test (tcase, gives_up_after_connect_timeout);
  tcase_add_loop_test (tcase, wants_an_address, 0, 5);
  suite_add_tcase (suite, tcase);
  srunner_run_all (runner, CK_NORMAL);
  failed = srunner_ntests_failed (runner);
  srunner_free (runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
