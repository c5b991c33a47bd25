/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POST batches: what terminals send up. Main looks at the key only; the store's thread checks, decodes and
 * keeps. Whose samples they are says the link, never the message. */
#include "config.h"

#include "intake.h"

static const char *const verdict_words[] = { "durable", "duplicate", "gap", "full", "bad" };

/* One number of the query. */
static gboolean
query_number (FarCall *call, const char *name, guint base, guint64 max, guint64 *value)
{
  const char *text = json_string_value (json_object_get (call->query, name));

  return text != NULL && g_ascii_string_to_unsigned (text, base, 0, max, value, NULL);
}

static void
batches_answer (FarCall *call, const FarApplied *applied)
{
  far_call_answer (call, 200,
                   json_pack ("{s:s, s:I}", "verdict", verdict_words[applied->verdict], "expected",
                              (json_int_t) applied->expected));
}

static void
batches_done (FarRequest *req, gpointer data)
{
  FarCall *call = data;
  const GError *error = far_request_error (req);
  FarApplied full = { FAR_APPLY_FULL, 0 };

  if (error == NULL)
    batches_answer (call, far_request_result (req));
  else if (g_error_matches (error, FAR_ERROR, FAR_ERROR_FULL))
    batches_answer (call, &full);
  else
    far_call_fail (call, g_error_copy (error));
}

/* What a node had to drop is said where its samples are missed. */
static void
batches_gap (Intake *self, FarCall *call)
{
  const char *gap = far_message_header (call->message, "gap");
  g_autofree char *node = far_principal_text (call->principal);
  guint64 groups;

  if (gap != NULL && g_ascii_string_to_unsigned (gap, 10, 1, G_MAXUINT64, &groups, NULL))
    far_log_limited (self->at, node,
                     "%s had to drop %" G_GUINT64_FORMAT " groups of samples: a gap in its curves", node,
                     groups);
}

void
intake_batches (gpointer data, FarCall *call)
{
  FarInstance *at = ((Intake *) data)->at;
  const IntakeOptions *options = far_instance_options (at);
  FarBatchKey key = { .source = call->principal->name };
  FarPart part = { .kind = FAR_PART_SAMPLES, .samples = call->bytes };
  guint64 lane, crc;

  if (call->bytes == NULL || !query_number (call, "lane", 10, 4, &lane) ||
      !query_number (call, "crc", 16, G_MAXUINT32, &crc) ||
      !query_number (call, "epoch", 10, G_MAXINT64, &key.epoch) ||
      !query_number (call, "seq", 10, G_MAXINT64, &key.seq) || key.seq == 0) {
    far_call_fail_new (call, FAR_ERROR_INVALID,
                       _ ("batches: wants lane 0 to 4, epoch, seq from 1, crc in hex, and a batch as body"));
    return;
  }
  key.lane = (guint) lane;
  key.crc = (guint32) crc;
  batches_gap (data, call);
  far_store_apply (options->store, &key, &part, 1, far_request_of (at, batches_done, call, NULL, 0));
}
