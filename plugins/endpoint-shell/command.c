/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands. Nobody gets a program of the machine here: only what the terminal itself knows, and its
 * devices. */
#include "config.h"

#include "shell.h"

#include <string.h>

#include <farwatch/version.h>

typedef struct {
  const char *name, *args, *summary;
  void (*run) (Shell *self, const char *arg);
} ShellCommand;

static const ShellCommand commands[];

static void
do_help (Shell *self, const char *arg G_GNUC_UNUSED)
{
  for (const ShellCommand *command = commands; command->name != NULL; command++) {
    g_autofree char *form = g_strdup_printf ("%s %s", command->name, command->args);

    shell_print (self, "  %-16s %s\n", form, _ (command->summary));
  }
}

static void
print_running (Shell *self, FarKind kind)
{
  g_autoptr (GPtrArray) list = far_instance_list (kind);
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < list->len; i++)
    g_string_append_printf (names, "%s%s", i > 0 ? ", " : "", far_instance_name (list->pdata[i]));
  if (list->len > 0)
    shell_print (self, "%-15s %s\n", far_kind_plural (kind), names->str);
}

static void
do_status (Shell *self, const char *arg G_GNUC_UNUSED)
{
  g_autofree char *up = far_format_duration (far_clock_boottime_us () / G_USEC_PER_SEC * G_USEC_PER_SEC);

  shell_print (self, _ ("%-15s %s, farwatch %s\n"), _ ("node"), far_node_id (), far_version ());
  shell_print (self, "%-15s %s\n", _ ("up"), up);
  for (FarKind kind = FAR_KIND_TRANSPORT; kind < FAR_N_KINDS; kind++)
    print_running (self, kind);
}

static void
do_samples (Shell *self, const char *arg)
{
  latest_print (self->latest, self, arg);
}

static gboolean
device_allowed (Shell *self, const char *name)
{
  return self->only == NULL || strcmp (self->only, name) == 0;
}

static void
do_devices (Shell *self, const char *arg G_GNUC_UNUSED)
{
  static const char *const weights[] = { N_ ("watch"), N_ ("light"), N_ ("heavy") };
  g_autoptr (GPtrArray) list = far_device_list ();
  guint shown = 0;

  for (guint i = 0; i < list->len; i++) {
    const FarDevice *device = list->pdata[i];
    const char *holder = far_device_holder (device->name, NULL);

    if (!device_allowed (self, device->name))
      continue;
    shell_print (self, "%-24s %-8s %-8s %s%s\n", device->name, device->endpoint,
                 _ (weights[CLAMP (device->weight, 0, 2)]), holder != NULL ? _ ("in use by ") : _ ("free"),
                 holder != NULL ? holder : "");
    shown++;
  }
  if (shown == 0)
    shell_print (self, "%s\n", _ ("no devices here"));
}

static void
shell_command_do_join (Shell *self, const char *arg)
{
  if (arg != NULL && far_device_find (arg) != NULL && device_allowed (self, arg)) {
    self->device = g_strdup (arg);
    self->state = SHELL_OPENING;
    return;
  }
  if (arg == NULL)
    shell_print (self, "%s\n", _ ("join which device? see: devices"));
  else
    shell_print (self, _ ("no device '%s' here; see: devices\n"), arg);
  shell_fail (self, 1);
}

static void
do_whoami (Shell *self, const char *arg G_GNUC_UNUSED)
{
  shell_print (self, _ ("%s from %s, session %s\n"), self->person != NULL ? self->person : _ ("nobody"),
               self->from != NULL && *self->from != '\0' ? self->from : _ ("an unknown address"),
               self->session != NULL ? self->session : "-");
}

static void
do_time (Shell *self, const char *arg G_GNUC_UNUSED)
{
  g_autofree char *now = far_clock_format (far_clock_wall_us ());
  gint64 left = self->deadline_us > 0 ? MAX (self->deadline_us - far_clock_boottime_us (), 0) / G_USEC_PER_SEC
                                      : 0;

  shell_print (self, "%s\n", now);
  if (self->deadline_us > 0)
    shell_print (self, _ ("this session ends in %d:%02d minutes\n"), (int) (left / 60), (int) (left % 60));
}

static void
do_exit (Shell *self, const char *arg G_GNUC_UNUSED)
{
  self->state = SHELL_ENDING;
}

static const ShellCommand commands[] = {
  { "help", "", N_ ("this list"), do_help },
  { "status", "", N_ ("what runs here"), do_status },
  { "samples", "[NAME]", N_ ("newest values, all or those whose name begins so"), do_samples },
  { "devices", "", N_ ("devices that can be joined"), do_devices },
  { "join", "DEVICE", N_ ("your bytes go to the device, its bytes to you, until it closes"),
    shell_command_do_join },
  { "whoami", "", N_ ("who you are here"), do_whoami },
  { "time", "", N_ ("time here, and what is left of this session"), do_time },
  { "exit", "", N_ ("ends the session"), do_exit },
  { NULL },
};

static void
run_word (Shell *self, const char *word, const char *arg)
{
  for (const ShellCommand *command = commands; command->name != NULL; command++)
    if (strcmp (command->name, word) == 0) {
      command->run (self, arg);
      return;
    }
  shell_print (self, "%s\n", _ ("unknown command; try: help"));
  shell_fail (self, 127);
}

void
shell_command (Shell *self, const char *line)
{
  g_auto (GStrv) words = g_strsplit_set (line, " \t", -1);
  const char *given[3] = { NULL };
  guint n = 0;

  for (guint i = 0; words[i] != NULL && n < G_N_ELEMENTS (given); i++)
    if (*words[i] != '\0')
      given[n++] = words[i];
  if (n > 2) {
    shell_print (self, "%s\n", _ ("too many words; try: help"));
    shell_fail (self, 1);
  } else if (n > 0) {
    run_word (self, given[0], given[1]);
  }
}
