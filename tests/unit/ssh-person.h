/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stock programs as people and nodes use them, run beside the main context. */
#pragma once
#include "unit/ssh-help.h"

#include <fcntl.h>
#include <signal.h>

/* A program found in the usual places, not only in PATH; NULL: not installed. */
static inline char *
program_path (const char *name)
{
  static const char *const folders[] = { "/usr/bin", "/usr/sbin", "/bin", "/sbin" };
  for (guint i = 0; i < G_N_ELEMENTS (folders); i++) {
    g_autofree char *path = g_build_filename (folders[i], name, NULL);
    if (g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
      return g_steal_pointer (&path);
  }
  return NULL;
}

/* Prints the password: what ssh runs to ask for one. */
static inline char *
askpass_make (const char *password)
{
  g_autofree char *name = g_strdup_printf ("askpass-%s", password);
  g_autofree char *text = g_strdup_printf ("#!/bin/sh\necho '%s'\n", password);
  write_file (ssh_folder, name, text, -1);
  char *path = g_build_filename (ssh_folder, name, NULL);
  ck_assert_int_eq (g_chmod (path, 0700), 0);
  return path;
}

typedef struct {
  GPid pid;
  int in, out;     /* non-blocking */
  GString *output; /* stdout and stderr */
  gboolean ended;
  int status; /* exit status, -1: killed */
} Program;

static inline void
in_child (gpointer data)
{
  setsid (); /* no terminal to ask at */
  dup2 (1, 2);
}

static inline void
program_start (Program *program, const char *askpass, const char *const *argv)
{
  g_auto (GStrv) environment = g_get_environ ();
  g_autoptr (GError) error = NULL;
  *program = (Program){ .output = g_string_new (NULL) };
  environment = g_environ_setenv (environment, "SSH_ASKPASS", askpass != NULL ? askpass : "/bin/false", TRUE);
  environment = g_environ_setenv (environment, "SSH_ASKPASS_REQUIRE", "force", TRUE);
  environment = g_environ_setenv (environment, "DISPLAY", ":none", TRUE);
  environment = g_environ_setenv (environment, "HOME", ssh_folder, TRUE);
  environment = g_environ_unsetenv (environment, "SSH_AUTH_SOCK");
  ck_assert_msg (g_spawn_async_with_pipes (ssh_folder, (char **) argv, environment,
                                           G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, in_child,
                                           NULL, &program->pid, &program->in, &program->out, NULL, &error),
                 "%s", error != NULL ? error->message : "");
  fcntl (program->out, F_SETFL, O_NONBLOCK);
}

/* Reads what there is; TRUE: it has ended. */
static inline gboolean
program_look (Program *program)
{
  char text[4096];
  gssize got;
  int status;
  while ((got = read (program->out, text, sizeof text)) > 0)
    g_string_append_len (program->output, text, got);
  if (!program->ended && waitpid (program->pid, &status, WNOHANG) == program->pid) {
    program->ended = TRUE;
    program->status = WIFEXITED (status) ? WEXITSTATUS (status) : -1;
    while ((got = read (program->out, text, sizeof text)) > 0)
      g_string_append_len (program->output, text, got);
  }
  return program->ended;
}

/* Until it has said text (NULL: until it ends). */
static inline gboolean
program_wait (Program *program, const char *text)
{
  gint64 end = g_get_monotonic_time () + SECONDS (20);
  while (!program_look (program) && (text == NULL || strstr (program->output->str, text) == NULL) &&
         g_get_monotonic_time () < end)
    if (!g_main_context_iteration (NULL, FALSE))
      g_usleep (500);
  return text != NULL ? strstr (program->output->str, text) != NULL : program->ended;
}

static inline void
program_say (Program *program, const char *text)
{
  ck_assert_int_eq (write (program->in, text, strlen (text)), (int) strlen (text));
}

static inline void
program_end_input (Program *program)
{
  if (program->in >= 0)
    close (program->in);
  program->in = -1;
}

static inline void
program_end (Program *program)
{
  program_end_input (program);
  if (!program->ended) {
    kill (program->pid, SIGKILL);
    waitpid (program->pid, NULL, 0);
  }
  close (program->out);
  g_spawn_close_pid (program->pid);
  g_string_free (program->output, TRUE);
  *program = (Program){ 0 };
}

static inline guint16
free_port (void)
{
  struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t size = sizeof at;
  int fd = socket (AF_INET, SOCK_STREAM, 0);
  ck_assert_int_eq (bind (fd, (struct sockaddr *) &at, sizeof at), 0);
  ck_assert_int_eq (getsockname (fd, (struct sockaddr *) &at, &size), 0);
  close (fd);
  return ntohs (at.sin_port);
}
