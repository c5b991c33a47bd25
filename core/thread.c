/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <farwatch/home.h>

#include <signal.h>

/* A new thread inherits the mask of the one that makes it. */
GThread *
far_thread_new (const char *name, GThreadFunc func, gpointer data)
{
  sigset_t all, before;
  sigfillset (&all);
  pthread_sigmask (SIG_SETMASK, &all, &before);
  GThread *thread = g_thread_new (name, func, data);
  pthread_sigmask (SIG_SETMASK, &before, NULL);
  return thread;
}
