/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One batch at a time, until the other end says it is durable. Its number is {epoch, seq}: sent again it is a
 * duplicate there, never counted twice. */
#include "config.h"

#include "uplink.h"

#define ANSWER_MS 30000
#define LANE_SAMPLES 2

/* TRUE: on at once. */
static gboolean
verdict_taken (Uplink *self, const char *verdict)
{
  if (g_strcmp0 (verdict, "durable") == 0 || g_strcmp0 (verdict, "duplicate") == 0) {
    self->lost -= self->told;
    self->told = 0;
    uplink_head_done (self);
    return TRUE;
  }
  if (g_strcmp0 (verdict, "gap") == 0 && self->head->seq > 1) {
    far_log (self->at, G_LOG_LEVEL_MESSAGE,
             "the other end has not what was acknowledged before: numbers start over");
    uplink_head_renumber (self);
    return TRUE;
  }
  if (g_strcmp0 (verdict, "bad") == 0) {
    uplink_lose (self, self->head->groups, "the other end cannot read a batch");
    uplink_head_done (self);
    return TRUE;
  }
  far_log_limited (self->at, "full", "the other end cannot record: samples wait here");
  return FALSE;
}

static gboolean
answer_taken (Uplink *self, const FarMessage *answer, GError **error)
{
  json_t *body;
  gboolean next;

  if (!far_message_check (answer, error))
    return FALSE;
  body = far_message_json (answer, error);
  if (body == NULL)
    return FALSE;
  next = verdict_taken (self, json_string_value (json_object_get (body, "verdict")));
  json_decref (body);
  return next;
}

static guint64
batches_waiting (Uplink *self)
{
  guint64 records = self->head->record > 0 && self->newest >= self->head->record
                        ? self->newest - self->head->record
                        : 0;

  return 1 + records + self->unwritten.length;
}

static void
send_done (FarRequest *req, gpointer data)
{
  Uplink *self = data;
  g_autoptr (GError) error = NULL;
  gboolean next = FALSE;

  self->sending = FALSE;
  if (far_request_error (req) != NULL)
    error = g_error_copy (far_request_error (req));
  else
    next = answer_taken (self, far_request_result (req), &error);
  if (error != NULL)
    far_log_limited (self->at, "send", "%" G_GUINT64_FORMAT " batches wait: %s", batches_waiting (self),
                     error->message);
  if (next)
    uplink_send (self); /* else the timer or the next link-up tries again */
}

static FarMessage *
batch_message (Uplink *self, const UplinkBatch *batch)
{
  g_autofree char *resource = g_strdup_printf ("batches?lane=%d&epoch=%" G_GUINT64_FORMAT
                                               "&seq=%" G_GUINT64_FORMAT "&crc=%08x",
                                               LANE_SAMPLES, batch->epoch, batch->seq,
                                               far_batch_crc (batch->bytes));
  FarMessage *message = far_message_request ("POST", resource, NULL);

  message->content_type = g_strdup (FAR_TYPE_BATCH);
  message->body = g_bytes_ref (batch->bytes);
  self->told = self->lost;
  if (self->lost > 0) {
    g_autofree char *lost = g_strdup_printf ("%" G_GUINT64_FORMAT, self->lost);

    far_message_set_header (message, "gap", lost);
  }
  return message;
}

void
uplink_send (Uplink *self)
{
  const char *transport = uplink_options (self)->link;
  g_autoptr (FarMessage) message = NULL;

  if (self->sending || self->busy || !far_peer_connected (transport, "") || !uplink_head_find (self) ||
      !uplink_head_mend (self))
    return;
  self->sending = TRUE;
  message = batch_message (self, self->head);
  far_peer_send (transport, "", message, far_request_of (self->at, send_done, self, NULL, ANSWER_MS));
}
