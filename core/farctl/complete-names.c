/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names for completion, as the node shows them to who asks. */
#include "config.h"

#include "complete.h"

#include <string.h>

#include "ctl-support/shared.h"

#define NAMES_MAX 2000

void
ctl_complete_add (GPtrArray *to, const char *prefix, const char *word)
{
  gboolean plain = word != NULL && word[0] != '\0' &&
                   strspn (word, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "._-@:/,+") == strlen (word);

  if (plain && g_str_has_prefix (word, prefix) &&
      !g_ptr_array_find_with_equal_func (to, word, g_str_equal, NULL))
    g_ptr_array_add (to, g_strdup (word));
}

static void
add_joined (GPtrArray *to, const char *prefix, const char *front, const char *name, const char *behind)
{
  g_autofree char *word = g_strconcat (front, name, behind, NULL);

  ctl_complete_add (to, prefix, word);
}

/* A text, or each of a list of texts. */
static void
add_value (GPtrArray *to, const char *prefix, const char *front, json_t *value, const char *behind)
{
  size_t i;
  json_t *one;

  if (json_is_string (value))
    add_joined (to, prefix, front, json_string_value (value), behind);
  json_array_foreach (value, i, one)
    if (json_is_string (one))
      add_joined (to, prefix, front, json_string_value (one), behind);
}

/* Field of each row of a list. */
static void
add_list (Ctl *ctl, const char *resource, const char *key, const char *field, const char *front,
          const char *behind, const char *prefix, GPtrArray *to)
{
  json_t *all = ctl_list (ctl, resource, key, "", NAMES_MAX, NULL), *row;
  size_t i;

  json_array_foreach (json_object_get (all, key), i, row)
    add_value (to, prefix, front, json_object_get (row, field), behind);
  json_decref (all);
}

/* "t1/": the devices of t1. */
static void
add_devices (Ctl *ctl, const char *prefix, gsize terminal, const char *front, GPtrArray *to)
{
  const char *name = prefix + strlen (front);
  g_autofree char *id = g_strndup (name, terminal), *resource = ctl_path (NULL, "terminals", id, NULL),
                  *before = g_strndup (prefix, strlen (front) + terminal + 1);

  if (resource != NULL)
    add_list (ctl, resource, "devices", "device", before, "", prefix, to);
}

static void
add_terminals (Ctl *ctl, const char *prefix, const char *behind, GPtrArray *to)
{
  const char *slash = strchr (prefix, '/');

  if (slash != NULL)
    add_devices (ctl, prefix, (gsize) (slash - prefix), "", to);
  else
    add_list (ctl, "terminals", "terminals", "terminal", "", behind, prefix, to);
}

static void
add_groups (Ctl *ctl, const char *prefix, GPtrArray *to)
{
  add_list (ctl, "users", "users", "groups", "", "", prefix, to);
  add_list (ctl, "terminals", "terminals", "groups", "", "", prefix, to);
}

/* Where the names of a family of objects are. */
static const struct {
  const char *family, *resource, *key, *field;
} named[] = {
  { "terminals/", "terminals", "terminals", "terminal" },
  { "sites/", "terminals", "terminals", "site" },
  { "groups/", "users", "users", "groups" },
  { "groups/", "terminals", "terminals", "groups" },
  { "users/", "users", "users", "name" },
  { "nodes/", "nodes", "nodes", "node" },
};

static gboolean
is_named (const char *family)
{
  gsize n = strlen (family);

  for (guint i = 0; i < G_N_ELEMENTS (named); i++)
    if (strncmp (named[i].family, family, n) == 0 && strcmp (named[i].family + n, "/") == 0)
      return TRUE;
  return FALSE;
}

/* The families that core takes in rights; behind a "/" the names of its objects. */
static void
add_objects (Ctl *ctl, const char *prefix, GPtrArray *to)
{
  g_autofree char *joined = far_right_families ("|");
  g_auto (GStrv) families = g_strsplit (joined, "|", -1);

  for (guint i = 0; strchr (prefix, '/') != NULL && i < G_N_ELEMENTS (named); i++)
    if (g_str_has_prefix (prefix, named[i].family))
      add_list (ctl, named[i].resource, named[i].key, named[i].field, named[i].family, "", prefix, to);
  for (guint i = 0; strchr (prefix, '/') == NULL && families[i] != NULL; i++)
    if (is_named (families[i]))
      add_joined (to, prefix, families[i], "/", "");
    else
      ctl_complete_add (to, prefix, families[i]);
}

static void
add_who (Ctl *ctl, const char *prefix, GPtrArray *to)
{
  add_list (ctl, "users", "users", "name", "", "", prefix, to);
  add_list (ctl, "users", "users", "groups", "@", "", prefix, to);
}

static void
add_commands (const char *prefix, GPtrArray *to)
{
  for (const CtlCommand *command = ctl_commands; command->name != NULL; command++) {
    g_autofree char *word = g_strndup (command->name, strcspn (command->name, " "));

    if (command->summary != NULL)
      ctl_complete_add (to, prefix, word);
  }
}

/* A slot whose words are names out of one list. command: the first word of those it is for; NULL: any. */
static const struct {
  const char *command, *slot, *resource, *key, *field;
} lists[] = {
  { NULL, "TERMINAL", "terminals", "terminals", "terminal" },
  { NULL, "T", "terminals", "terminals", "terminal" },
  { NULL, "NODE", "terminals", "terminals", "terminal" },
  { NULL, "SESSION", "sessions", "sessions", "session" },
  { NULL, "S", "sessions", "sessions", "session" },
  { NULL, "P", "users", "users", "name" },
  { "user", "NAME", "users", "users", "name" },
  { NULL, "RIGHT", "rights", "rights", "id" },
  { NULL, "NUMBER", "enrollments", "enrollments", "number" },
  { NULL, "TYPE", "plugins", "plugins", "types" },
  { NULL, "SOURCE", "samples", "series", "source" },
};

static gboolean
add_from_list (Ctl *ctl, const CtlCommand *command, const char *slot, const char *prefix, GPtrArray *to)
{
  gsize first = strcspn (command->name, " ");

  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    if (strcmp (lists[i].slot, slot) == 0 &&
        (lists[i].command == NULL ||
         (strlen (lists[i].command) == first && strncmp (command->name, lists[i].command, first) == 0))) {
      add_list (ctl, lists[i].resource, lists[i].key, lists[i].field, "", "", prefix, to);
      return TRUE;
    }
  return FALSE;
}

static void
add_words (const char *words, const char *prefix, GPtrArray *to)
{
  g_auto (GStrv) all = g_strsplit (words, "|", -1);

  for (guint i = 0; all[i] != NULL; i++)
    ctl_complete_add (to, prefix, all[i]);
}

static void
add_actions (const char *prefix, GPtrArray *to)
{
  g_autofree char *actions = far_right_actions ("|");

  add_words (actions, prefix, to);
}

gboolean
ctl_complete_slot (Ctl *ctl, const CtlCommand *command, const char *slot, const char *prefix, GPtrArray *to)
{
  static const char *const files[] = { "FILE", "DIR", "PROFILE", "PATH", "CA", NULL };

  if (strcmp (slot, "-") == 0 || g_ascii_islower (slot[0]))
    add_words (slot, prefix, to);
  else if (strcmp (slot, "TERMINAL/DEVICE") == 0 || strcmp (slot, "TERMINAL[/DEVICE]") == 0)
    add_terminals (ctl, prefix, strchr (slot, '[') != NULL ? "" : "/", to);
  else if (strcmp (slot, "WHO") == 0)
    add_who (ctl, prefix, to);
  else if (strcmp (slot, "GROUP") == 0)
    add_groups (ctl, prefix, to);
  else if (strcmp (slot, "ACTION") == 0)
    add_actions (prefix, to);
  else if (strcmp (slot, "OBJECT") == 0)
    add_objects (ctl, prefix, to);
  else if (strcmp (slot, "METHOD") == 0)
    add_words ("GET|POST|PUT|DELETE|WATCH", prefix, to);
  else if (strcmp (slot, "COMMAND") == 0)
    add_commands (prefix, to);
  else if (!add_from_list (ctl, command, slot, prefix, to))
    return g_strv_contains (files, slot);
  return FALSE;
}
