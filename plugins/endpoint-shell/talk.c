/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file is the shell's end of a shell session, on the main context: it reads lines, has
 * them run, and joins a device by asking outer.c to hold still. The commands themselves are command.c. */
#include "config.h"

#include "shell.h"

#include <string.h>

#define OPEN_MS 30000

static void shell_read (Shell *self);

/* ---- lines and their commands ---- */

static void
shell_prompt (Shell *self)
{
  if (self->command != NULL)
    self->state = SHELL_ENDING;
  else
    shell_print (self, "%s> ", far_node_id ());
}

static void shell_join (Shell *self);

static void
shell_run (Shell *self, const char *line)
{
  shell_command (self, line);
  if (self->state == SHELL_OPENING)
    shell_join (self);
  else if (self->state == SHELL_TALK)
    shell_prompt (self);
}

/* ---- life ---- */

static void
shell_talk_free_at_loop (gpointer stream)
{
  far_stream_free (stream);
}

void
shell_free (Shell *self)
{
  FarRequest *opening = g_steal_pointer (&self->opening);

  g_ptr_array_remove_fast (self->all, self);
  self->link->shell = NULL;
  if (opening != NULL)
    far_request_cancel (opening);
  g_clear_pointer (&opening, far_request_unref);
  if (self->opened != NULL)
    far_loop_post (self->opened->loop, shell_talk_free_at_loop, self->opened);
  if (self->device != NULL)
    far_device_unlock (self->device, self->session);
  far_stream_free (self->stream);
  link_unref (self->link);
  g_string_free (self->line, TRUE);
  g_byte_array_unref (self->out);
  g_free (self->session);
  g_free (self->person);
  g_free (self->from);
  g_free (self->only);
  g_free (self->command);
  g_free (self->device);
  if (self->status != NULL)
    g_atomic_rc_box_release (self->status);
  g_free (self);
}

/* ---- input ---- */

static void
shell_take_byte (Shell *self, char byte)
{
  g_autofree char *line = shell_line_byte (self, byte);

  if (line != NULL)
    shell_run (self, line);
}

/* Byte by byte, so that what follows `join X` stays in the ring for the device. */
static gsize
shell_take (Shell *self, const guint8 *data, gsize size)
{
  gsize taken = 0;

  while (taken < size && self->state == SHELL_TALK && self->out->len < SHELL_OUT_MAX / 2)
    shell_take_byte (self, (char) data[taken++]);
  return taken;
}

static gboolean
shell_read_some (Shell *self)
{
  FarBurst burst;
  gsize taken = 0;

  self->stream->klass->peek (self->stream, &burst);
  self->eof = burst.eof;
  for (guint i = 0; i < burst.n; i++) {
    gsize took = shell_take (self, burst.frames[i].data, burst.frames[i].size);

    taken += took;
    if (took < burst.frames[i].size)
      break;
  }
  if (taken > 0)
    self->stream->klass->consume (self->stream, taken);
  shell_flush (self);
  return taken > 0;
}

static void
shell_read (Shell *self)
{
  while (self->state == SHELL_TALK && shell_read_some (self))
    continue;
  if (self->state == SHELL_TALK && self->eof && self->out->len < SHELL_OUT_MAX / 2)
    self->state = SHELL_ENDING;
  shell_flush (self);
  if (self->state == SHELL_ENDING && self->out->len == 0)
    shell_free (self); /* what is in the ring still arrives, then its end */
}

static void
shell_ready (FarStream *stream G_GNUC_UNUSED, guint ready, gpointer user)
{
  Shell *self = user;

  if ((ready & FAR_READY_CLOSED) != 0) {
    shell_free (self);
    return;
  }
  shell_flush (self);
  shell_read (self);
}

/* ---- joining a device ---- */

static void
shell_talk_join_opened (FarRequest *req, gpointer user)
{
  Shell *self = user;
  const GError *error = far_request_error (req);

  if (self->opening == NULL)
    return; /* the shell is being freed */
  g_clear_pointer (&self->opening, far_request_unref);
  if (error == NULL) {
    self->opened = far_request_steal (req);
    self->state = SHELL_HOLDING;
    outer_hold (self->link);
    return;
  }
  shell_print (self, "%s\n", error->message);
  shell_fail (self, 1);
  g_clear_pointer (&self->device, g_free);
  self->state = SHELL_TALK;
  shell_prompt (self);
  shell_read (self);
}

static void
shell_join (Shell *self)
{
  FarEndpointSpec spec = { .session = self->session,
                           .person = self->person,
                           .from = self->from,
                           .device = self->device,
                           .want_loop = self->link->loop,
                           .deadline_us = self->deadline_us };

  self->opening = far_request_ref (far_request_new (shell_talk_join_opened, self, OPEN_MS));
  far_device_open (&spec, self->opening);
}

/* The person's end holds still: what is in the ring is all, and it is the device's. */
static GBytes *
rest_of_ring (Shell *self)
{
  GByteArray *rest = g_byte_array_new ();
  FarBurst burst;

  for (self->stream->klass->peek (self->stream, &burst); burst.n > 0;
       self->stream->klass->peek (self->stream, &burst)) {
    for (guint i = 0; i < burst.n; i++)
      g_byte_array_append (rest, burst.frames[i].data, (guint) burst.frames[i].size);
    self->stream->klass->consume (self->stream, burst.bytes);
  }
  self->eof = burst.eof;
  return g_byte_array_free_to_bytes (rest);
}

/* The line end of the command itself is not the device's. */
static GBytes *
without_line_end (Shell *self, GBytes *rest)
{
  gsize size;
  const char *data = g_bytes_get_data (rest, &size);
  GBytes *less;

  if (!self->after_cr || size == 0 || data[0] != '\n')
    return rest;
  less = g_bytes_new_from_bytes (rest, 1, size - 1);
  g_bytes_unref (rest);
  return less;
}

static void
shell_held (Shell *self)
{
  if (self->state != SHELL_HOLDING)
    return;
  if (self->command == NULL)
    shell_print (self, _ ("joined %s\n"), self->device);
  shell_flush (self);
  self->state = SHELL_JOINED;
  outer_join (self->link, g_steal_pointer (&self->opened), self->session, self->device,
              without_line_end (self, rest_of_ring (self)));
  self->after_cr = FALSE;
}

/* What the person had typed for the device is not taken for commands. */
static void
shell_device_over (Shell *self, const char *cause)
{
  if (self->state != SHELL_JOINED)
    return;
  far_device_unlock (self->device, self->session);
  g_bytes_unref (rest_of_ring (self));
  if (self->command == NULL)
    shell_print (self, _ ("\n%s: %s\n"), self->device, cause);
  g_clear_pointer (&self->device, g_free);
  self->state = SHELL_TALK;
  shell_prompt (self);
  shell_read (self);
}

static const ShellEvents shell_events = { shell_held, shell_device_over };

/* ---- a new one ---- */

static void
shell_begin (gpointer data)
{
  ShellLink *link = data;
  Shell *self = link->shell;

  link_unref (link);
  if (self == NULL)
    return;
  if (self->command != NULL)
    shell_run (self, self->command);
  else
    shell_prompt (self);
  shell_read (self);
}

void
shell_new (Latest *latest, GPtrArray *all, const FarEndpointSpec *spec, FarRequest *req)
{
  Shell *self = g_new0 (Shell, 1);
  FarStream *ring;

  self->latest = latest;
  self->all = all;
  self->session = g_strdup (spec->session);
  self->person = g_strdup (spec->person);
  self->from = g_strdup (spec->from);
  self->only = g_strdup (spec->device);
  self->command = spec->command != NULL ? g_strndup (spec->command, SHELL_LINE_MAX) : NULL;
  self->status = spec->status != NULL && spec->command != NULL ? g_atomic_rc_box_acquire (spec->status)
                                                               : NULL;
  self->pty = spec->pty && spec->command == NULL;
  self->deadline_us = spec->deadline_us;
  self->line = g_string_new (NULL);
  self->out = g_byte_array_new ();
  self->link = g_new0 (ShellLink, 1);
  self->link->refs = 1;
  self->link->events = &shell_events;
  self->link->loop = spec->want_loop != NULL ? spec->want_loop : far_loop_pick ();
  self->link->shell = self;
  g_ptr_array_add (all, self);
  far_ring_pair (far_loop_main (), self->link->loop, &self->stream, &ring);
  far_stream_take (self->stream, shell_ready, self);
  outer_make (self->link, ring, req);
  far_loop_post (far_loop_main (), shell_begin, link_ref (self->link));
}
