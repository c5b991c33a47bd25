/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A shell session has two halves. The person's stream (outer.c) lives at the person's loop. While they talk
 * to the shell it is the end of a ring whose other end the shell (talk.c) has on the main context; while a
 * device is joined it is the device's stream, and no byte passes main. */
#pragma once
#include <farwatch/plugin.h>

#define SHELL_LINE_MAX 1024
#define SHELL_OUT_MAX (64 * 1024)

typedef struct _Shell Shell;
typedef struct _Outer Outer;
typedef struct _Latest Latest;

/* What both halves hold. */
typedef struct {
  gint refs;
  FarLoop *loop; /* the person's */
  Outer *outer;  /* [loop] NULL: freed */
  Shell *shell;  /* [main] NULL: gone */
} ShellLink;

ShellLink *link_ref (ShellLink *link);
void link_unref (gpointer link);

/* ---- outer.c, [loop] ---- */
/* Makes the person's stream on its loop and ends req with it. ring: that loop's end. [main] */
void outer_make (ShellLink *link, FarStream *ring, FarRequest *req);
/* Takes no more bytes of the person until a device is there (or outer_join with NULL); then shell_held().
 * [main] */
void outer_hold (ShellLink *link);
/* The person's bytes go to this stream from now on, these first. Takes device (NULL: back to talking), bytes.
 * [main] */
void outer_join (ShellLink *link, FarStream *device, GBytes *first);

/* ---- talk.c, [main] ---- */
struct _Shell {
  FarInstance *at;
  Latest *latest; /* of the instance */
  GPtrArray *all; /* of the instance: its shells */
  ShellLink *link;
  FarStream *stream; /* main's end of the ring */
  char *session, *person, *from, *only, *command;
  gint *status; /* the caller's box; NULL: none */
  gboolean pty;
  gint64 deadline_us;
  enum { SHELL_TALK, SHELL_OPENING, SHELL_HOLDING, SHELL_JOINED, SHELL_ENDING } state;
  GString *line;   /* being typed */
  GByteArray *out; /* not yet written */
  gboolean eof, after_cr;
  guint escape; /* inside an escape sequence */
  char *device; /* being opened or joined */
  FarRequest *opening;
  FarStream *opened; /* waits for the hold */
};

void
shell_new (FarInstance *at, Latest *latest, GPtrArray *all, const FarEndpointSpec *spec, FarRequest *req);
void shell_free (Shell *self);
void shell_held (Shell *self);
void shell_device_over (Shell *self, const char *cause);
/* Text for the person; newline becomes what their end wants. */
void shell_print (Shell *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
void shell_join (Shell *self, const char *device);
void shell_end (Shell *self);
/* The one command has failed: its exit status, as a shell's: 1, or 127 when there is no such command. */
void shell_fail (Shell *self, int status);

/* ---- line.c: what is typed becomes lines ---- */
void shell_byte (Shell *self, char byte);
/* ---- command.c ---- */
void shell_command (Shell *self, const char *line);

/* ---- latest.c: the newest value of each series ---- */
Latest *latest_new (FarInstance *at);
void latest_free (Latest *latest);
void latest_print (Latest *latest, Shell *to, const char *name);
