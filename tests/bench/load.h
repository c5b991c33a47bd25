/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the modes of load share: sockets, time, the device's side. */
#pragma once
#include <glib.h>
#include <unistd.h>

#define LOAD_BUFFER (256 * 1024)

gint64 load_now_us (void);
gint64 load_now_ns (void);
void load_sleep_until (gint64 us);
/* Connects without delay and sends the byte that says what the connection is for; -1 on failure. */
int load_dial (const char *host, int port, char mode);
void load_timeouts (int fd, int seconds);
gboolean load_would_block (void);
void load_reset (int fd);
/* Sends size bytes and waits for as many. */
gboolean load_exchange (int fd, char *message, gsize size);
int load_complain (const char *what);
/* The device; never returns unless it cannot listen. */
int load_serve (const char *host, int port);
