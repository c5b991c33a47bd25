/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A decoder of a protocol of lines: "VERB OBJECT REST". What the person's side says is an operation each
 * line; so is what the device answers. */
#define FAR_PLUGIN_LICENSE "LGPL-2.1-or-later"
#include <farwatch/plugin.h>

#include <string.h>

typedef struct {
  gint64 longest;
} LineOptions;

/* One direction of a flow. */
typedef struct {
  GString *line;   /* what has come of it */
  gboolean opaque; /* what has come is lost or too long: up to the next line's beginning */
} LineHalf;

/* Nothing of an instance is in here, so that none has a struct: what runs on main is core's alone. */
typedef struct {
  FarDecoding *to;
  gsize longest;
  LineHalf half[2];
} LineFlow;

static gpointer
line_open (gconstpointer options, const FarDecoderFlow *flow G_GNUC_UNUSED, FarDecoding *to,
           GError **error G_GNUC_UNUSED)
{
  LineFlow *self = g_new0 (LineFlow, 1);

  self->to = to;
  self->longest = (gsize) ((const LineOptions *) options)->longest;
  self->half[0].line = g_string_new (NULL);
  self->half[1].line = g_string_new (NULL);
  return self;
}

/* "SET valve 40": verb "set", object "valve", detail {"rest": "40"}. */
static void
line_tell (LineFlow *self, gboolean to_device, char *text)
{
  g_auto (GStrv) words = g_strsplit (g_strstrip (text), " ", 3);
  guint n = g_strv_length (words);
  g_autofree char *verb = n > 0 ? g_ascii_strdown (words[0], -1) : NULL;
  json_t *detail = n > 2
                       ? json_pack ("{s:s?}", "rest", g_utf8_validate (words[2], -1, NULL) ? words[2] : NULL)
                       : NULL;
  FarOperation operation = { .to_device = to_device,
                             .verb = to_device ? verb : "answer",
                             .object = to_device ? (n > 1 ? words[1] : NULL) : text,
                             .detail = detail };

  if (n > 0)
    far_decoder_operation (self->to, &operation);
  json_decref (detail);
}

static void
line_end (LineFlow *self, gboolean to_device)
{
  LineHalf *half = &self->half[to_device ? 1 : 0];
  FarOperation unread = { .to_device = to_device, .opaque = TRUE };

  if (half->opaque)
    far_decoder_operation (self->to, &unread);
  else
    line_tell (self, to_device, half->line->str);
  half->opaque = FALSE;
  g_string_truncate (half->line, 0);
}

static void
line_byte (LineFlow *self, gboolean to_device, char byte)
{
  LineHalf *half = &self->half[to_device ? 1 : 0];

  if (byte == '\n')
    line_end (self, to_device);
  else if (half->line->len >= self->longest || byte == '\0')
    half->opaque = TRUE;
  else if (!half->opaque)
    g_string_append_c (half->line, byte);
}

static void
line_bytes (gpointer flow, gboolean to_device, const guint8 *data, gsize size, gint64 time_us G_GNUC_UNUSED)
{
  for (gsize i = 0; i < size; i++)
    line_byte (flow, to_device, (char) data[i]);
}

/* The line that it has torn is lost, and the rest of it, too. */
static void
line_gap (gpointer flow, gboolean to_device, guint64 bytes G_GNUC_UNUSED)
{
  ((LineFlow *) flow)->half[to_device ? 1 : 0].opaque = TRUE;
}

/* What has no end was said all the same. */
static void
line_close (gpointer flow)
{
  LineFlow *self = flow;

  for (gboolean to_device = FALSE; to_device <= TRUE; to_device++) {
    if (self->half[to_device].opaque || self->half[to_device].line->len > 0)
      line_end (self, to_device);
    g_string_free (self->half[to_device].line, TRUE);
  }
  g_free (self);
}

static const FarOption line_options[] = {
  { .name = "longest",
    .type = FAR_OPT_SIZE,
    .flags = FAR_OPT_RELOADABLE, /* for the flows that come */
    .offset = G_STRUCT_OFFSET (LineOptions, longest),
    .fallback = "1KiB",
    .summary = N_ ("longest line that is read"),
    .min = 16,
    .max = 16384 },
  { .type = FAR_OPT_END },
};

static const char *const line_applications[] = { "line", NULL };

static const FarDecoderType line_type = {
  .type = { .kind = FAR_KIND_DECODER,
            .name = "line",
            .summary = N_ ("operations of a protocol of lines"),
            .options_size = sizeof (LineOptions),
            .options = line_options },
  .applications = line_applications,
  .open = line_open,
  .bytes = line_bytes,
  .gap = line_gap,
  .close = line_close,
};

FAR_PLUGIN ("decoder-line", "0.1", "decoder/line", "", &line_type.type)
