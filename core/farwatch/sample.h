/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples. They cross as a group: {time, quality, n × (series handle, tagged value)}. A handle is got once
 * per series and is valid for the life of the process. The scheduled tick is the time of a cyclic group.
 * (spec B2)
 * Functions are [any thread] unless their comment says otherwise. */
#pragma once
#include <farwatch/instance.h>

G_BEGIN_DECLS

typedef guint32 FarSeries; /* 0: none */

typedef enum { FAR_VALUE_NONE, FAR_VALUE_F64, FAR_VALUE_I64, FAR_VALUE_BOOL, FAR_VALUE_TEXT } FarValueType;
typedef enum { FAR_QUALITY_GOOD, FAR_QUALITY_UNCERTAIN, FAR_QUALITY_BAD } FarQuality;

typedef struct {
  FarSeries series;
  FarValueType type; /* NONE with FAR_QUALITY_BAD: a failed reading */
  /* text borrowed for the call, UTF-8, at most 4 KiB */
  union {
    double f64;
    gint64 i64;
    gboolean boolean;
    const char *text;
  } value;
} FarSample;

typedef struct {
  /* wall clock, UTC; 0 in far_sample_push(): core puts the scheduled tick (cyclic), else now */
  gint64 time_us;
  FarQuality quality;
  /* NULL, or why not good, e.g. "timeout": borrowed for the call, at most 64 bytes */
  const char *reason;
  guint n;
  const FarSample *samples;
} FarReading;

typedef struct {
  char *source; /* node id the sample came from */
  /* "host.load1": instance name, dot, channel; of a device: "devices/DEVICE/host.load1" */
  char *name;
  char *unit; /* UCUM: "Cel", "%", "By", "s", "1" */
} FarSeriesInfo;

/* Handle for a channel of this instance. unit: UCUM. [main] */
FarSeries far_series (FarInstance *at, const char *channel, const char *unit);
/* Handle for a series of any source (intake); 0 when the source has its 4096 already. [any thread] */
FarSeries far_series_of (const char *source, const char *name, const char *unit);
const FarSeriesInfo *far_series_info (FarSeries series); /* [any thread]; NULL: unknown */
/* The device whose values a series has, by its name; caller frees. NULL: they are the node's own. [any
 * thread] */
char *far_series_device (const char *name);

/* A group from a sensor (through its filters to all listeners). [main] */
void far_sample_push (FarInstance *at, const FarReading *group);
/* Filter output, to the next. [main] */
void far_filter_emit (FarInstance *at, const FarReading *group);

typedef void (*FarReadingFunc) (const FarReading *group, gpointer user);
/* Listener for all groups of this node (uplink, intake). [main] It is at's, and ends with it before its
 * stop(); at NULL: nobody's. Returns an id for far_sample_unlisten(), which is for who wants to hear no more
 * before that; an id that has ended is fine. */
guint far_sample_listen (FarInstance *at, FarReadingFunc func, gpointer user);
void far_sample_unlisten (guint id);

/* Batch: many groups as bytes, the body of an uplink message and of apply(). Format in doc/formats.md, with
 * vectors. [any thread] */
typedef struct _FarBatchBuilder FarBatchBuilder;
FarBatchBuilder *far_batch_builder_new (void);
void far_batch_builder_add (FarBatchBuilder *builder, const FarReading *group);
/* All groups of another batch, unchanged. FAR_ERROR_PROTOCOL on bad bytes; nothing is added then. */
gboolean far_batch_builder_merge (FarBatchBuilder *builder, GBytes *batch, GError **error);
/* The same batch with its times moved, and no quality better than worst. FAR_ERROR_PROTOCOL: it is no batch.
 * [any thread] */
GBytes *far_batch_shift (GBytes *batch, gint64 by_us, FarQuality worst, GError **error);
gsize far_batch_builder_size (FarBatchBuilder *builder);  /* bytes so far */
GBytes *far_batch_builder_end (FarBatchBuilder *builder); /* frees the builder */
/* Calls func for every group; series are resolved by far_series_of(source, …) (samples that get no handle are
 * left out). FAR_ERROR_PROTOCOL on bad bytes; nothing is called then. */
gboolean
far_batch_foreach (GBytes *batch, const char *source, FarReadingFunc func, gpointer user, GError **error);
/* The same without handles, for stores: samples[i].series is the number of the series in this batch,
 * series[number - 1] what it is (source NULL). func NULL: only checks the bytes. Everything is borrowed for
 * the call. */
typedef void (*FarBatchFunc) (const FarReading *group, const FarSeriesInfo *series, guint n_series,
                              gpointer user);
gboolean far_batch_read (GBytes *batch, FarBatchFunc func, gpointer user, GError **error);
guint32 far_batch_crc (GBytes *batch); /* CRC-32C over the bytes */

/* Every cyclic sensor has these options; S is its options struct with `gint64 interval;` and `char
 * **filters;`. */
#define FAR_SENSOR_OPTIONS(S)                                                                                \
  { .name = "interval",                                                                                      \
    .type = FAR_OPT_DURATION,                                                                                \
    .flags = FAR_OPT_RELOADABLE,                                                                             \
    .offset = G_STRUCT_OFFSET (S, interval),                                                                 \
    .fallback = "10s",                                                                                       \
    .summary = N_ ("cycle of readings"),                                                                     \
    .min = 100000,                                                                                           \
    .max = G_GINT64_CONSTANT (86400000000) },                                                                \
  {                                                                                                          \
    .name = "filters", .type = FAR_OPT_REFS, .offset = G_STRUCT_OFFSET (S, filters),                         \
    .summary = N_ ("filters the samples pass, in this order"), .ref_kind = FAR_KIND_FILTER                   \
  }

/* For a sensor that may measure a device: char *device of its options struct S. Its series name the device,
 * so that a right to the device shows them. */
#define FAR_SENSOR_DEVICE(S)                                                                                 \
  {                                                                                                          \
    .name = "device", .type = FAR_OPT_STRING, .offset = G_STRUCT_OFFSET (S, device),                         \
    .summary = N_ ("device of this node that is measured: who has a right to it sees the values; none: "     \
                   "they are the node's own")                                                                \
  }

G_END_DECLS
