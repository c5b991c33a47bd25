/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values of the machine itself. Files of procfs stay open and are read again from their start; that and statvfs() of a local file system do
 * not block. Network file systems can hang, so they are not read. */
#include "config.h"

#include <fcntl.h>
#include <mntent.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <farwatch/plugin.h>

#include "parse.h"

#define TEXT_SIZE 8192
#define NET_MAX 32
#define DISK_MAX 16

typedef struct {
  gint64 interval;
  char **filters;
  char **read;
  char **disks;
  char **interfaces;
} SystemOptions;

typedef enum { FILE_STAT, FILE_LOAD, FILE_MEMORY, FILE_NET, FILE_UPTIME, FILE_HEAT, N_FILES } SystemFile;

static const char *const system_paths[N_FILES] = {
  "/proc/stat", "/proc/loadavg", "/proc/meminfo", "/proc/net/dev", "/proc/uptime", "/sys/class/thermal/thermal_zone0/temp",
};

typedef struct {
  char name[16];
  guint64 rx, tx;
  FarSeries rx_series, tx_series;
} NetState;

typedef struct {
  FarInstance *at;
  int fds[N_FILES];
  SystemCpu cpu;              /* of the last reading */
  gint64 net_us;              /* boottime of the last reading; 0: none */
  GArray *nets;               /* NetState */
  GArray *samples;            /* FarSample of this reading */
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

/* NULL: the file is not there; said once in a while. */
static const char *
read_again (System *self, SystemFile file, char text[TEXT_SIZE])
{
  gssize size;

  if (self->fds[file] < 0)
    self->fds[file] = open (system_paths[file], O_RDONLY | O_CLOEXEC);
  size = self->fds[file] < 0 ? -1 : pread (self->fds[file], text, TEXT_SIZE - 1, 0);
  if (size < 0) {
    far_complain (self->at, system_paths[file], "cannot read %s", system_paths[file]);
    return NULL;
  }
  text[size] = '\0';
  return text;
}

static void
read_cpu (System *self)
{
  char text[TEXT_SIZE];
  SystemCpu now;

  if (read_again (self, FILE_STAT, text) == NULL || !system_parse_cpu (text, &now))
    return;
  if (self->cpu.total > 0 && now.total > self->cpu.total && now.busy >= self->cpu.busy)
    put_double (self, "cpu", "%", 100.0 * (double) (now.busy - self->cpu.busy) / (double) (now.total - self->cpu.total));
  self->cpu = now;
}

static void
read_load (System *self)
{
  char text[TEXT_SIZE];
  double value;

  if (read_again (self, FILE_LOAD, text) != NULL && system_parse_double (text, &value))
    put_double (self, "load1", "1", value);
}

static void
read_memory (System *self)
{
  char text[TEXT_SIZE];
  SystemMemory memory;

  if (read_again (self, FILE_MEMORY, text) == NULL || !system_parse_memory (text, &memory))
    return;
  put_int (self, "memory.used", "By", memory.used);
  put_int (self, "memory.available", "By", memory.available);
  put_int (self, "swap.used", "By", memory.swap_used);
}

static void
read_uptime (System *self)
{
  char text[TEXT_SIZE];
  double value;

  if (read_again (self, FILE_UPTIME, text) != NULL && system_parse_double (text, &value))
    put_double (self, "uptime", "s", value);
}

static void
read_temperature (System *self)
{
  char text[TEXT_SIZE];
  double value;

  if (read_again (self, FILE_HEAT, text) != NULL && system_parse_double (text, &value))
    put_double (self, "temperature", "Cel", value / 1000.0);
}

/* ---- disks ---- */

static void
read_disk (System *self, const char *mount)
{
  g_autofree char *used = g_strconcat ("disk.used:", mount, NULL);
  g_autofree char *left = g_strconcat ("disk.free:", mount, NULL);
  struct statvfs stat;
  double total;

  if (statvfs (mount, &stat) != 0 || stat.f_blocks == 0) {
    far_complain (self->at, mount, "cannot read the file system at %s", mount);
    return;
  }
  /* as df: what only root may still use counts as gone */
  total = (double) (stat.f_blocks - stat.f_bfree + stat.f_bavail);
  put_double (self, used, "%", total > 0 ? 100.0 * (double) (stat.f_blocks - stat.f_bfree) / total : 100.0);
  put_int (self, left, "By", (gint64) (stat.f_bavail * stat.f_frsize));
}

static gboolean
may_hang (const char *type)
{
  static const char *const remote[] = { "nfs", "cifs", "smb", "fuse", "9p", "ceph", "afs", "glusterfs", NULL };

  for (guint i = 0; remote[i] != NULL; i++)
    if (g_str_has_prefix (type, remote[i]))
      return TRUE;
  return FALSE;
}

/* Type of the file system mounted at the path, "" if none is: taken from the list, which never hangs. */
static char *
mount_type (const char *mount)
{
  FILE *mounts = setmntent ("/proc/self/mounts", "re");
  struct mntent entry;
  char text[2048];
  char *type = g_strdup ("");

  while (mounts != NULL && getmntent_r (mounts, &entry, text, sizeof text) != NULL)
    if (strcmp (entry.mnt_dir, mount) == 0) {
      g_free (type);
      type = g_strdup (entry.mnt_type);
    }
  if (mounts != NULL)
    endmntent (mounts);
  return type;
}

static void
read_disks (System *self, const SystemOptions *options)
{
  for (guint i = 0; options->disks != NULL && options->disks[i] != NULL && i < DISK_MAX; i++) {
    g_autofree char *type = mount_type (options->disks[i]);

    if (may_hang (type))
      far_complain (self->at, options->disks[i], "%s is a %s file system, which can hang: not read; take it out of `disks`",
                    options->disks[i], type);
    else
      read_disk (self, options->disks[i]);
  }
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
  char text[TEXT_SIZE];
  gint64 now_us = far_clock_boottime_us ();
  const char *at = read_again (self, FILE_NET, text);
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
  static const struct { const char *word; void (*read) (System *self); } plain[] = {
    { "cpu", read_cpu }, { "load", read_load }, { "memory", read_memory }, { "uptime", read_uptime }, { "temperature", read_temperature },
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
  FarGroup group = { .quality = FAR_QUALITY_GOOD };

  g_array_set_size (self->samples, 0);
  system_read (self, options);
  group.n = self->samples->len;
  group.samples = (const FarSample *) (gpointer) self->samples->data;
  if (group.n > 0)
    far_sample_push (self->at, &group);
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
  static const char *const known[] = { "cpu", "load", "memory", "disk", "network", "uptime", "temperature", NULL };
  System *self = data;
  const SystemOptions *options = far_instance_options (self->at);

  for (guint i = 0; options->read != NULL && options->read[i] != NULL; i++)
    if (!g_strv_contains (known, options->read[i])) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                   _("read: unknown word '%s'; one of cpu, load, memory, disk, network, uptime, temperature"), options->read[i]);
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
  { .name = "read", .type = FAR_OPT_LIST, .flags = FAR_OPT_RELOADABLE, .offset = G_STRUCT_OFFSET (SystemOptions, read),
    .fallback = "[cpu, load, memory, disk, network, uptime]", .summary = N_ ("what is read: cpu, load, memory, disk, network, uptime, temperature") },
  { .name = "disks", .type = FAR_OPT_LIST, .flags = FAR_OPT_RELOADABLE, .offset = G_STRUCT_OFFSET (SystemOptions, disks),
    .fallback = "[/]", .summary = N_ ("mount points of local file systems, at most 16") },
  { .name = "interfaces", .type = FAR_OPT_LIST, .flags = FAR_OPT_RELOADABLE, .offset = G_STRUCT_OFFSET (SystemOptions, interfaces),
    .fallback = "[]", .summary = N_ ("network interfaces; empty: all in use but lo, at most 32") },
  { .type = FAR_OPT_END }
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
