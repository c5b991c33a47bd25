/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A damaged store is not guessed about: who judges by rights and revocations must not do so by what is left of them unless a person says so. */
#include "config.h"

#include "damage.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include <farwatch/home.h>
#include <farwatch/i18n.h>
#include <farwatch/store.h>

#include "instance-private.h"

#define NOTES "damaged"

static char *
note_path (const char *state, const char *store)
{
  return g_build_filename (state, NOTES, store, NULL);
}

char *
far_damage_note (const char *state, const char *store)
{
  g_autofree char *path = note_path (state, store), *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return g_file_test (path, G_FILE_TEST_EXISTS) ? g_strdup (_("it was found damaged")) : NULL;
  g_strdelimit (text, "\n", ' ');
  return g_utf8_make_valid (g_strchomp (text), -1);
}

GStrv
far_damage_stores (const char *state)
{
  g_autofree char *folder = g_build_filename (state, NOTES, NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (name[0] != '.')
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_add (names, NULL);
  return (GStrv) g_ptr_array_steal (names, NULL);
}

gboolean
far_damage_accept (const char *state, const char *store, GError **error)
{
  g_autofree char *path = note_path (state, store);

  if (g_unlink (path) == 0 || errno == ENOENT)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, _("%s cannot be taken away: %s"), path, g_strerror (errno));
  return FALSE;
}

gboolean
far_damage_refuse (const char *note, GError **error)
{
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG, _("store damaged: %s; farctl restore FILE, or farctl restore --begin-empty to go on with what could be read"), note);
  return FALSE;
}

/* ---- told by a driver ---- */

typedef struct {
  FarInstance *at;
  GError *error;
} Held;

static void
hold (gpointer data)
{
  Held *held = data;

  far_instance_fail (held->at, g_steal_pointer (&held->error));
  far_instance_unref (held->at);
  g_free (held);
}

static void
note_write (const char *store, const char *what)
{
  g_autofree char *path = note_path (far_node_state_dir (), store), *folder = g_path_get_dirname (path);
  g_autoptr (GError) error = NULL;

  g_mkdir_with_parents (folder, 0700);
  if (!g_file_set_contents_full (path, what, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &error))
    far_log (NULL, G_LOG_LEVEL_CRITICAL, _("that a store is damaged cannot be kept over a restart: %s"), error->message);
}

void
far_store_damage_begin (FarInstance *at, const char *what)
{
  note_write (far_instance_name (at), what);
}

gboolean
far_store_damaged (FarInstance *at, const char *what, GError **error)
{
  Held *held = g_new0 (Held, 1);

  note_write (far_instance_name (at), what);
  far_log (at, G_LOG_LEVEL_CRITICAL, "%s", what);
  held->at = far_instance_ref (at);
  far_damage_refuse (what, &held->error);
  if (error != NULL)
    g_propagate_error (error, g_error_copy (held->error));
  far_home_post (far_home_main (), hold, held);
  return FALSE;
}
