/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file knows which decoders run, opens flows by the application that they know, and brings their
 * operations, within bounds, to who feeds them. Flows are opened by the threads of taps, so what a flow needs
 * of a decoder is kept under a lock: its type, which is resident, and its options, which are counted. */
#include "config.h"

#include "reach/decoder.h"

#include <farwatch/plugin.h>

#include <string.h>

#include "base/node-part.h"

/* One that runs. */
typedef struct {
  const FarInstance *at; /* only to find it again */
  const FarDecoderType *type;
  gconstpointer options; /* a reference; NULL: it has none */
} ReadyDecoder;

typedef struct {
  GMutex lock;
  GPtrArray *ready; /* of ReadyDecoder, in the order in which they came; NULL: none */
} DecoderPart;

struct _FarDecoding {
  const FarDecoderType *type;
  gpointer flow;
  char *application;
  FarOperationFunc func;
  gpointer user;
  gint64 time_us; /* of the bytes that are being decoded */
};

static void
ready_decoder_free (gpointer data)
{
  ReadyDecoder *ready = data;

  far_options_unref (ready->options);
  g_free (ready);
}

static void
decoder_part_clear (gpointer part)
{
  DecoderPart *self = part;
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  g_clear_pointer (&self->ready, g_ptr_array_unref);
}

static DecoderPart *
decoder_part (void)
{
  static const FarNodePart part = { FAR_PART_DECODER, sizeof (DecoderPart), NULL, decoder_part_clear };

  return far_node_part (&part);
}

/* ---- those that run ---- */

/* Lock held. */
static ReadyDecoder *
ready_decoder_of (DecoderPart *self, const FarInstance *at)
{
  for (guint i = 0; self->ready != NULL && i < self->ready->len; i++) {
    ReadyDecoder *ready = self->ready->pdata[i];

    if (ready->at == at)
      return ready;
  }
  return NULL;
}

/* Lock held. */
static ReadyDecoder *
ready_decoder_add (DecoderPart *self, FarInstance *at)
{
  ReadyDecoder *ready = g_new0 (ReadyDecoder, 1);

  ready->at = at;
  ready->type = (const FarDecoderType *) far_instance_type (at);
  if (self->ready == NULL)
    self->ready = g_ptr_array_new_with_free_func (ready_decoder_free);
  g_ptr_array_add (self->ready, ready);
  return ready;
}

void
far_decoder_came (FarInstance *at)
{
  DecoderPart *self = decoder_part ();
  gconstpointer options = far_instance_options (at);
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  ReadyDecoder *ready = ready_decoder_of (self, at);

  if (ready == NULL)
    ready = ready_decoder_add (self, at);
  far_options_unref (ready->options);
  ready->options = options != NULL ? far_options_ref (options) : NULL;
}

void
far_decoder_goes (FarInstance *at)
{
  DecoderPart *self = decoder_part ();
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  ReadyDecoder *ready = ready_decoder_of (self, at);

  if (ready != NULL)
    g_ptr_array_remove (self->ready, ready);
}

/* The type of the first one that knows the application, and its options with a reference; NULL: none. */
static const FarDecoderType *
decoder_for (const char *application, gconstpointer *options)
{
  DecoderPart *self = decoder_part ();
  g_autoptr (GMutexLocker) locked G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  for (guint i = 0; application != NULL && self->ready != NULL && i < self->ready->len; i++) {
    const ReadyDecoder *ready = self->ready->pdata[i];

    if (ready->type->applications == NULL || !g_strv_contains (ready->type->applications, application))
      continue;
    *options = ready->options != NULL ? far_options_ref (ready->options) : NULL;
    return ready->type;
  }
  return NULL;
}

/* ---- flows ---- */

/* A plugin that says no and not why. */
static void
decoder_blame_silence (const char *application, GError **error)
{
  if (error != NULL && *error == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_INTERNAL,
                 _ ("application '%s': its decoder failed without saying why"), application);
}

FarDecoding *
far_decoding_open (const FarDecoderFlow *flow, FarOperationFunc func, gpointer user, GError **error)
{
  gconstpointer options = NULL;
  const FarDecoderType *type = decoder_for (flow->application, &options);
  FarDecoding *self;

  if (type == NULL) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("application '%s': no decoder that runs knows it; add one to the profile"),
                 flow->application != NULL ? flow->application : "");
    return NULL;
  }
  self = g_new0 (FarDecoding, 1);
  self->type = type;
  self->application = g_strdup (flow->application);
  self->func = func;
  self->user = user;
  self->flow = type->open (options, flow, self, error);
  far_options_unref (options);
  if (self->flow != NULL)
    return self;
  decoder_blame_silence (self->application, error);
  g_free (self->application);
  g_free (self);
  return NULL;
}

void
far_decoding_bytes (FarDecoding *flow, gboolean to_device, const guint8 *data, gsize size, gint64 time_us)
{
  flow->time_us = time_us;
  flow->type->bytes (flow->flow, to_device, data, size, time_us);
}

void
far_decoding_gap (FarDecoding *flow, gboolean to_device, guint64 bytes, gint64 time_us)
{
  flow->time_us = time_us;
  if (flow->type->gap != NULL)
    flow->type->gap (flow->flow, to_device, bytes);
}

void
far_decoding_close (FarDecoding *flow)
{
  if (flow == NULL)
    return;
  flow->type->close (flow->flow);
  g_free (flow->application);
  g_free (flow);
}

/* ---- operations ---- */

/* Valid and of at most max bytes: text itself where it is, else *own, which the caller frees. */
static const char *
operation_text (const char *text, gsize max, char **own)
{
  if (text == NULL || (strlen (text) <= max && g_utf8_validate (text, -1, NULL)))
    return text;
  *own = g_utf8_make_valid (text, (gssize) MIN (strlen (text), max));
  if (strlen (*own) > max)
    *g_utf8_find_prev_char (*own, *own + max + 1) = '\0';
  return *own;
}

static json_t *
operation_detail (json_t *detail)
{
  return json_is_object (detail) && json_dumpb (detail, NULL, 0, JSON_COMPACT) <= FAR_OPERATION_DETAIL_MAX
             ? detail
             : NULL;
}

void
far_decoder_operation (FarDecoding *to, const FarOperation *operation)
{
  g_autofree char *application = NULL, *verb = NULL, *object = NULL;
  FarOperation told = *operation;

  told.time_us = told.time_us != 0 ? told.time_us : to->time_us;
  told.application = operation_text (told.application != NULL ? told.application : to->application,
                                     FAR_OPERATION_WORD_MAX, &application);
  told.verb = operation_text (told.verb != NULL ? told.verb : "opaque", FAR_OPERATION_WORD_MAX, &verb);
  told.object = operation_text (told.object, FAR_OPERATION_OBJECT_MAX, &object);
  told.detail = operation_detail (told.detail);
  told.severity = MIN (told.severity, FAR_SEVERITY_CRITICAL);
  to->func (&told, to->user);
}
