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

typedef struct {
  /* [main] The person's stream holds still: what is in the ring is all. */
  void (*held) (Shell *shell);
  /* [main] The device that was joined has ended; the person's bytes come by the ring again. */
  void (*device_over) (Shell *shell, const char *cause);
} ShellEvents;

/* What both halves hold. */
typedef struct {
  gint refs;
  FarLoop *loop;             /* the person's */
  const ShellEvents *events; /* what outer.c tells the shell by */
  Outer *outer;              /* [loop] NULL: freed */
  Shell *shell;              /* [main] NULL: gone */
} ShellLink;

ShellLink *link_ref (ShellLink *link);
void link_unref (gpointer link);

/* ---- outer.c, [loop] ---- */
/* Makes the person's stream on its loop and ends req with it. ring: that loop's end. [main] */
void outer_make (ShellLink *link, FarStream *ring, FarRequest *req);
/* Takes no more bytes of the person until a device is there (or outer_join with NULL); then events->held().
 * [main] */
void outer_hold (ShellLink *link);
/* The person's bytes go to this stream from now on, these first. Takes device (NULL: back to talking), bytes.
 * target: the device's name, of which a pump between two loops tells. [main] */
void outer_join (ShellLink *link, FarStream *device, const char *session, const char *target, GBytes *first);

/* ---- a shell, all [main] ---- */
struct _Shell {
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

/* ---- talk.c: a shell's life ---- */
void shell_new (Latest *latest, GPtrArray *all, const FarEndpointSpec *spec, FarRequest *req);
void shell_free (Shell *self);

/* ---- say.c: what the shell says to the person and to who has started it ---- */
/* Text for the person; newline becomes what their end wants. */
void shell_print (Shell *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Gives the person's end as much of it as that takes. */
void shell_flush (Shell *self);
/* The one command has failed: its exit status, as a shell's: 1, or 127 when there is no such command. */
void shell_fail (Shell *self, int status);

/* ---- line.c: what is typed becomes lines ---- */
/* The line that this byte ends, an empty one where nothing shall be done but ask again; NULL: none yet. */
char *shell_line_byte (Shell *self, char byte);

/* ---- command.c ---- */
/* Runs a line. State SHELL_OPENING afterwards: self->device is wanted; SHELL_ENDING: the person has left. */
void shell_command (Shell *self, const char *line);

/* ---- latest.c: the newest value of each series ---- */
Latest *latest_new (FarInstance *at);
void latest_free (Latest *latest);
void latest_print (Latest *latest, Shell *to, const char *name);
