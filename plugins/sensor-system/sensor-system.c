/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of the machine itself. Files of procfs stay open and are read again from their start; that does not
 * block. File systems are asked elsewhere (disks.c): their values come a moment later, or not at all, and
 * hold up nothing. */
#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <farwatch/plugin.h>

#include "disks.h"
#include "parse.h"

#define NET_MAX 32

typedef struct {
  gint64 interval;
  char **filters;
  char **read;
  char **disks;
  char **interfaces;
} SystemOptions;

typedef enum { FILE_STAT, FILE_LOAD, FILE_MEMORY, FILE_NET, FILE_UPTIME, FILE_HEAT, N_FILES } SystemFile;

static const char *const system_paths[N_FILES] = {
  "/proc/stat",    "/proc/loadavg", "/proc/meminfo",
  "/proc/net/dev", "/proc/uptime",  "/sys/class/thermal/thermal_zone0/temp",
};

typedef struct {
  char name[16];
  guint64 rx, tx;
  FarSeries rx_series, tx_series;
} NetState;

typedef struct {
  FarInstance *at;
  int fds[N_FILES];
  SystemCpu cpu;   /* of the last reading */
  gint64 net_us;   /* boottime of the last reading; 0: none */
  GArray *nets;    /* NetState */
  GArray *samples; /* FarSample of this reading */
  gboolean asking; /* file systems are being asked */
} System;

/* ---- one reading ---- */

static void
put_double (System *self, const char *channel, const char *unit, double value)
{
  FarSample sample = { far_series (self->at, channel, unit), FAR_VALUE_F64, { .f64 = value } };

  g_array_append_val (self->samples, sample);
}

static void
put_int (System *self, const char *channel, const char *unit, gint64 value)
{
  FarSample sample = { far_series (self->at, channel, unit), FAR_VALUE_I64, { .i64 = value } };

  g_array_append_val (self->samples, sample);
}

/* NULL: the file is not there; said once in a while. Caller frees. */
static char *
read_again (System *self, SystemFile file)
{
  char *text;

  if (self->fds[file] < 0)
    self->fds[file] = open (system_paths[file], O_RDONLY | O_CLOEXEC);
  text = self->fds[file] < 0 ? NULL : system_read_whole (self->fds[file]);
  if (text == NULL)
    far_log_limited (self->at, system_paths[file], "cannot read %s", system_paths[file]);
  return text;
}

static void
read_cpu (System *self)
{
  g_autofree char *text = read_again (self, FILE_STAT);
  SystemCpu now;

  if (text == NULL || !system_parse_cpu (text, &now))
    return;
  if (self->cpu.total > 0 && now.total > self->cpu.total && now.busy >= self->cpu.busy)
    put_double (self, "cpu", "%",
                100.0 * (double) (now.busy - self->cpu.busy) / (double) (now.total - self->cpu.total));
  self->cpu = now;
}

static void
read_load (System *self)
{
  g_autofree char *text = read_again (self, FILE_LOAD);
  double value;

  if (text != NULL && system_parse_double (text, &value))
    put_double (self, "load1", "1", value);
}

static void
read_memory (System *self)
{
  g_autofree char *text = read_again (self, FILE_MEMORY);
  SystemMemory memory;

  if (text == NULL || !system_parse_memory (text, &memory))
    return;
  put_int (self, "memory.used", "By", memory.used);
  put_int (self, "memory.available", "By", memory.available);
  put_int (self, "swap.used", "By", memory.swap_used);
}

static void
read_uptime (System *self)
{
  g_autofree char *text = read_again (self, FILE_UPTIME);
  double value;

  if (text != NULL && system_parse_double (text, &value))
    put_double (self, "uptime", "s", value);
}

static void
read_temperature (System *self)
{
  g_autofree char *text = read_again (self, FILE_HEAT);
  double value;

  if (text != NULL && system_parse_double (text, &value))
    put_double (self, "temperature", "Cel", value / 1000.0);
}

/* ---- disks ---- */

static void
put_disk (System *self, const DiskReading *reading)
{
  g_autofree char *used = g_strconcat ("disk.used:", reading->mount, NULL),
                  *left = g_strconcat ("disk.free:", reading->mount, NULL);

  if (reading->fault != NULL) {
    far_log_limited (self->at, reading->mount, "%s", reading->fault);
    return;
  }
  put_double (self, used, "%", reading->used);
  put_int (self, left, "By", reading->free);
}

static void
push_samples (System *self, gint64 time_us)
{
  FarReading group = { .time_us = time_us,
                       .quality = FAR_QUALITY_GOOD,
                       .n = self->samples->len,
                       .samples = (const FarSample *) (gpointer) self->samples->data };

  if (group.n > 0)
    far_sample_push (self->at, &group);
}

/* Their time is the tick, as that of the rest; if they took long, the newest one that is over. */
static void
disks_read (FarRequest *req, gpointer user)
{
  System *self = user;
  GPtrArray *readings = far_request_error (req) == NULL ? far_request_result (req) : NULL;
  gint64 interval;

  self->asking = FALSE;
  interval = ((const SystemOptions *) far_instance_options (self->at))->interval;
  g_array_set_size (self->samples, 0);
  for (guint i = 0; readings != NULL && i < readings->len; i++)
    put_disk (self, readings->pdata[i]);
  push_samples (self, far_clock_wall_us () / interval * interval);
}

static void
read_disks (System *self, const SystemOptions *options)
{
  if (options->disks == NULL || options->disks[0] == NULL)
    return;
  if (self->asking) {
    far_log_limited (self->at, "disks",
                     "a file system of `disks` does not answer: no values of any until it does");
    return;
  }
  self->asking = TRUE;
  disks_ask (far_instance_path (self->at), options->disks,
             far_request_of (self->at, disks_read, self, NULL, 0));
}

/* ---- interfaces ---- */

/* Without a list: what has ever carried a byte. */
static gboolean
net_wanted (const SystemOptions *options, const char *name, const SystemNet *net)
{
  if (options->interfaces == NULL || options->interfaces[0] == NULL)
    return strcmp (name, "lo") != 0 && (net->rx > 0 || net->tx > 0);
  return g_strv_contains ((const char *const *) options->interfaces, name);
}

static NetState *
net_state (System *self, const char *name)
{
  NetState fresh = { 0 };
  g_autofree char *rx = NULL, *tx = NULL;

  for (guint i = 0; i < self->nets->len; i++)
    if (strcmp (g_array_index (self->nets, NetState, i).name, name) == 0)
      return &g_array_index (self->nets, NetState, i);
  if (self->nets->len >= NET_MAX)
    return NULL;
  rx = g_strconcat ("network.rx:", name, NULL);
  tx = g_strconcat ("network.tx:", name, NULL);
  g_strlcpy (fresh.name, name, sizeof fresh.name);
  fresh.rx = fresh.tx = G_MAXUINT64;
  fresh.rx_series = far_series (self->at, rx, "By/s");
  fresh.tx_series = far_series (self->at, tx, "By/s");
  g_array_append_val (self->nets, fresh);
  return &g_array_index (self->nets, NetState, self->nets->len - 1);
}

static void
net_rate (System *self, FarSeries series, guint64 before, guint64 now, double seconds)
{
  FarSample sample = { series, FAR_VALUE_F64, { .f64 = (double) (now - before) / seconds } };

  if (now >= before && seconds > 0)
    g_array_append_val (self->samples, sample);
}

static void
read_net_line (System *self, const SystemOptions *options, const SystemNet *net, double seconds)
{
  char name[16] = "";
  NetState *state;

  if (net->name_size >= sizeof name)
    return;
  memcpy (name, net->name, net->name_size);
  state = net_wanted (options, name, net) ? net_state (self, name) : NULL;
  if (state == NULL)
    return;
  net_rate (self, state->rx_series, state->rx, net->rx, seconds);
  net_rate (self, state->tx_series, state->tx, net->tx, seconds);
  state->rx = net->rx;
  state->tx = net->tx;
}

static void
read_network (System *self, const SystemOptions *options)
{
  g_autofree char *text = read_again (self, FILE_NET);
  gint64 now_us = far_clock_boottime_us ();
  const char *at = text;
  double seconds = self->net_us > 0 ? (double) (now_us - self->net_us) / G_USEC_PER_SEC : 0;
  SystemNet net;

  while (at != NULL && system_parse_net (&at, &net))
    read_net_line (self, options, &net, seconds);
  self->net_us = now_us;
}

/* ---- the type ---- */

static void
system_read (System *self, const SystemOptions *options)
{
  static const struct {
    const char *word;
    void (*read) (System *self);
  } plain[] = {
    { "cpu", read_cpu },
    { "load", read_load },
    { "memory", read_memory },
    { "uptime", read_uptime },
    { "temperature", read_temperature },
  };
  const char *const *wanted = (const char *const *) options->read;

  for (guint i = 0; i < G_N_ELEMENTS (plain); i++)
    if (g_strv_contains (wanted, plain[i].word))
      plain[i].read (self);
  if (g_strv_contains (wanted, "disk"))
    read_disks (self, options);
  if (g_strv_contains (wanted, "network"))
    read_network (self, options);
}

static void
system_sample (gpointer data, FarRequest *req)
{
  System *self = data;
  const SystemOptions *options = far_instance_options (self->at);

  g_array_set_size (self->samples, 0);
  system_read (self, options);
  push_samples (self, 0);
  far_request_done (req, NULL, NULL);
}

static gboolean
system_init (gpointer data, FarInstance *at, GError **error G_GNUC_UNUSED)
{
  System *self = data;

  self->at = at;
  self->nets = g_array_new (FALSE, FALSE, sizeof (NetState));
  self->samples = g_array_new (FALSE, FALSE, sizeof (FarSample));
  for (guint i = 0; i < N_FILES; i++)
    self->fds[i] = -1;
  return TRUE;
}

static gboolean
system_start (gpointer data, GError **error)
{
  static const char *const known[] = { "cpu",     "load",   "memory",      "disk",
                                       "network", "uptime", "temperature", NULL };
  System *self = data;
  const SystemOptions *options = far_instance_options (self->at);

  for (guint i = 0; options->read != NULL && options->read[i] != NULL; i++)
    if (!g_strv_contains (known, options->read[i])) {
      g_set_error (
          error, FAR_ERROR, FAR_ERROR_CONFIG,
          _ ("read: unknown word '%s'; one of cpu, load, memory, disk, network, uptime, temperature"),
          options->read[i]);
      return FALSE;
    }
  far_instance_ready (self->at);
  return TRUE;
}

static void
system_stop (gpointer data)
{
  System *self = data;

  for (guint i = 0; i < N_FILES; i++) {
    if (self->fds[i] >= 0)
      close (self->fds[i]);
    self->fds[i] = -1;
  }
}

static void
system_fini (gpointer data)
{
  System *self = data;

  g_array_unref (self->nets);
  g_array_unref (self->samples);
}

static const FarOption system_options[] = {
  FAR_SENSOR_OPTIONS (SystemOptions),
  { .name = "read",
    .type = FAR_OPT_LIST,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (SystemOptions, read),
    .fallback = "[cpu, load, memory, disk, network, uptime]",
    .summary = N_ ("what is read: cpu, load, memory, disk, network, uptime, temperature") },
  { .name = "disks",
    .type = FAR_OPT_LIST,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (SystemOptions, disks),
    .fallback = "[/]",
    .summary = N_ ("mount points of local file systems, at most 16") },
  { .name = "interfaces",
    .type = FAR_OPT_LIST,
    .flags = FAR_OPT_RELOADABLE,
    .offset = G_STRUCT_OFFSET (SystemOptions, interfaces),
    .fallback = "[]",
    .summary = N_ ("network interfaces; empty: all in use but lo, at most 32") },
  { .type = FAR_OPT_END },
};

static const FarSensorType system_type = {
  .type = {
    .kind = FAR_KIND_SENSOR,
    .name = "system",
    .summary = N_ ("values of the machine itself: processor, memory, disks, network"),
    .instance_size = sizeof (System),
    .options_size = sizeof (SystemOptions),
    .options = system_options,
    .init = system_init,
    .start = system_start,
    .stop = system_stop,
    .fini = system_fini,
  },
  .sample = system_sample,
};

FAR_PLUGIN ("sensor-system", "0.1", "sensor/system", "", &system_type.type)
