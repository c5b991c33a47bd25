/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file runs one program once: it starts it in a process group of its own, gathers its output up to a
 * limit, and ends the whole group when its time is over. What the output means is perfdata.c. */
#include "config.h"

#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERRORS_MAX 4096
#define LINGER_US 100000 /* for the pipes after the program's end: a child of its own may hold them */

typedef struct {
  Run *run;
  int fd;
  guint source;
  GString *text;
  gsize max;
} Pipe;

struct _Run {
  FarInstance *at;
  pid_t pid;
  Pipe out, errors;
  guint child; /* watch */
  gboolean exited, timed_out;
  int status;
  FarInstanceTimer *timer;
  void (*done) (const RunResult *result, gpointer user);
  gpointer user;
};

static void
pipe_close (Pipe *pipe)
{
  if (pipe->source != 0)
    g_source_remove (pipe->source);
  pipe->source = 0;
  if (pipe->fd >= 0)
    close (pipe->fd);
  pipe->fd = -1;
}

static void
run_free (Run *run)
{
  pipe_close (&run->out);
  pipe_close (&run->errors);
  if (run->child != 0)
    g_source_remove (run->child);
  g_string_free (run->out.text, TRUE);
  g_string_free (run->errors.text, TRUE);
  far_instance_timer_stop (&run->timer);
  g_free (run);
}

/* Whatever it started goes as well. */
static void
kill_group (Run *run)
{
  if (run->pid > 0)
    kill (-run->pid, SIGKILL);
}

static void
run_end (Run *run)
{
  RunResult result = { run->timed_out, run->status, run->out.text->str, run->out.text->len,
                       run->errors.text->str };

  if (run->out.fd >= 0 ||
      run->errors.fd >=
          0) /* held by what it started; else nobody of the group may be left, and its number be another's */
    kill_group (run);
  run->done (&result, run->user);
  run_free (run);
}

static void
run_check (Run *run)
{
  if (run->exited && run->out.fd < 0 && run->errors.fd < 0)
    run_end (run);
}

static void
run_timer (gpointer data)
{
  Run *run = data;

  run->timed_out |= !run->exited;
  kill_group (run);
  if (run->exited)
    run_end (run);
  /* Else the child watch comes now. */
}

static void
run_go_on (gpointer data)
{
  Run *run = data;

  if (run->timed_out)
    run_end (run);
  else {
    far_instance_timer (run->at, &run->timer, far_clock_boottime_us () + LINGER_US, run_timer, run);
    run_check (run);
  }
}

static void
run_exited (GPid pid, int status, gpointer data)
{
  Run *run = data;

  run->child = 0;
  run->exited = TRUE;
  run->status = status;
  g_spawn_close_pid (pid);
  far_instance_call (run->at, run_go_on, run);
}

static void
run_check_all (gpointer data)
{
  run_check (data);
}

/* What is more than the limit is read and forgotten: the program must not hang on a full pipe. */
static gboolean
pipe_ready (int fd, GIOCondition condition G_GNUC_UNUSED, gpointer data)
{
  Pipe *pipe = data;
  char bytes[4096];
  gssize n = read (fd, bytes, sizeof bytes);

  if (n > 0 && pipe->text->len < pipe->max)
    g_string_append_len (pipe->text, bytes, (gssize) MIN ((gsize) n, pipe->max - pipe->text->len));
  if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
    return G_SOURCE_CONTINUE;
  pipe->source = 0;
  close (pipe->fd);
  pipe->fd = -1;
  far_instance_call (pipe->run->at, run_check_all, pipe->run);
  return G_SOURCE_REMOVE;
}

static void
pipe_open (Pipe *pipe, Run *run, int fd, gsize max)
{
  pipe->run = run;
  pipe->fd = fd;
  pipe->text = g_string_new (NULL);
  pipe->max = max;
  pipe->source = g_unix_fd_add (fd, G_IO_IN | G_IO_HUP | G_IO_ERR, pipe_ready, pipe);
}

/* ---- starting ---- */

static int
spawn (pid_t *pid, char *const *argv, int out, int errors)
{
  static const char *const environment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "LANG=C", NULL
  };
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t all, none;
  int code;

  sigfillset (&all);
  sigemptyset (&none);
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_addopen (&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2 (&actions, out, 1);
  posix_spawn_file_actions_adddup2 (&actions, errors, 2);
  posix_spawn_file_actions_addclosefrom_np (&actions, 3);
  posix_spawnattr_init (&attributes);
  posix_spawnattr_setflags (&attributes,
                            POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setpgroup (&attributes, 0);
  posix_spawnattr_setsigdefault (&attributes, &all);
  posix_spawnattr_setsigmask (&attributes, &none);
  code = posix_spawn (pid, argv[0], &actions, &attributes, argv, (char *const *) environment);
  posix_spawnattr_destroy (&attributes);
  posix_spawn_file_actions_destroy (&actions);
  return code;
}

static gboolean
make_pipes (int fds[4], GError **error)
{
  if (pipe2 (fds, O_CLOEXEC) == 0) {
    if (pipe2 (fds + 2, O_CLOEXEC) == 0) {
      fcntl (fds[0], F_SETFL, O_NONBLOCK);
      fcntl (fds[2], F_SETFL, O_NONBLOCK);
      return TRUE;
    }
    close (fds[0]);
    close (fds[1]);
  }
  g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE, _ ("no pipe for a program: %s"), g_strerror (errno));
  return FALSE;
}

Run *
run_start (FarInstance *at, char *const *argv, gint64 timeout_us,
           void (*done) (const RunResult *result, gpointer user), gpointer user, GError **error)
{
  int fds[4], code;
  pid_t pid = 0;
  Run *run;

  if (!make_pipes (fds, error))
    return NULL;
  code = spawn (&pid, argv, fds[1], fds[3]);
  close (fds[1]);
  close (fds[3]);
  if (code != 0) {
    close (fds[0]);
    close (fds[2]);
    g_set_error (error, FAR_ERROR, FAR_ERROR_UNAVAILABLE,
                 _ ("cannot run %s: %s; install it, or correct `command`"), argv[0], g_strerror (code));
    return NULL;
  }
  run = g_new0 (Run, 1);
  run->at = at;
  run->pid = pid;
  run->done = done;
  run->user = user;
  pipe_open (&run->out, run, fds[0], RUN_OUTPUT_MAX);
  pipe_open (&run->errors, run, fds[2], ERRORS_MAX);
  run->child = g_child_watch_add (pid, run_exited, run);
  far_instance_timer (at, &run->timer, far_clock_boottime_us () + timeout_us, run_timer, run);
  return run;
}

static void
reap (GPid pid, int status G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
  g_spawn_close_pid (pid);
}

void
run_stop (Run *run)
{
  if (run == NULL)
    return;
  kill_group (run);
  if (!run->exited) {
    g_source_remove (run->child);
    run->child = 0;
    g_child_watch_add (run->pid, reap, NULL);
  }
  run_free (run);
}
