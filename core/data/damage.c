/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A damaged store is not guessed about: who judges by rights and revocations must not do so by what is left
 * of them unless a person says so. */
#include "config.h"

#include "data/damage.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include <farwatch/loop.h>
#include <farwatch/i18n.h>
#include <farwatch/store.h>

#include "base/node-identity.h"
#include "base/small-file.h"
#include "life/instance-private.h"

#define NOTES FAR_NOTES_DAMAGED

/* ---- notes: STATE/FOLDER/STORE ---- */

static char *
note_path (const char *state, const char *folder, const char *store)
{
  return g_build_filename (state, folder, store, NULL);
}

char *
far_damage_read (const char *state, const char *folder, const char *store)
{
  g_autofree char *path = state != NULL ? note_path (state, folder, store) : NULL, *text = NULL;

  if (path == NULL)
    return NULL;
  text = far_small_file_read (path, FAR_NOTE_MAX);
  if (text == NULL)
    return errno != ENOENT && errno != ENOTDIR ? g_strdup (_ ("it was found damaged")) : NULL;
  g_strdelimit (text, "\n", ' ');
  return g_utf8_make_valid (g_strchomp (text), -1);
}

/* What is there and was never a note is somebody's, a store's perhaps: nothing takes its place, and nobody
 * deletes it. */
static gboolean
is_no_others (const char *path, GError **error)
{
  g_autofree char *text = far_small_file_read (path, FAR_NOTE_MAX);

  if (text != NULL || errno == ENOENT || errno == ENOTDIR)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFLICT, _ ("%s is no note of farwatch; move it away"), path);
  return FALSE;
}

gboolean
far_damage_write (const char *state, const char *folder, const char *store, const char *text, GError **error)
{
  g_autofree char *path = note_path (state, folder, store), *above = g_path_get_dirname (path);

  g_mkdir_with_parents (above, 0700);
  return is_no_others (path, error) &&
         g_file_set_contents_full (path, text, -1,
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, error);
}

gboolean
far_damage_remove (const char *state, const char *folder, const char *store, GError **error)
{
  g_autofree char *path = note_path (state, folder, store);

  if (!is_no_others (path, error))
    return FALSE;
  if (g_unlink (path) == 0 || errno == ENOENT || errno == ENOTDIR)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_FULL, _ ("%s cannot be taken away: %s"), path, g_strerror (errno));
  return FALSE;
}

char *
far_damage_note (const char *state, const char *store)
{
  return far_damage_read (state, NOTES, store);
}

static void
damage_stores_in (const char *state, const char *folder, GPtrArray *names)
{
  g_autofree char *path = g_build_filename (state, folder, NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (name[0] != '.' && !g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL))
      g_ptr_array_add (names, g_strdup (name));
}

GStrv
far_damage_stores (const char *state)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  damage_stores_in (state, NOTES, names);
  damage_stores_in (state, FAR_NOTES_MISSING, names);
  g_ptr_array_add (names, NULL);
  return (GStrv) g_ptr_array_steal (names, NULL);
}

gboolean
far_damage_accept (const char *state, const char *store, GError **error)
{
  return far_damage_remove (state, NOTES, store, error) && far_missing_accept (state, store, error);
}

gboolean
far_damage_refuse (const char *store, const char *note, GError **error)
{
  const char *words = far_node_words ();

  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("store damaged: %s; stop farwatchd, then as root `farctl restore --replace %s FILE` puts a "
                  "backup back, or "
                  "`farctl restore --begin-empty %s %s` goes on with what could be read"),
               note, words, words, store);
  return FALSE;
}

/* ---- told by a driver ---- */

typedef struct {
  FarInstance *at;
  GError *error;
} Held;

static void
damage_hold_down (gpointer data)
{
  Held *held = data;

  far_instance_fail (held->at, g_steal_pointer (&held->error));
  far_instance_unref (held->at);
  g_free (held);
}

static void
note_write (const char *store, const char *what)
{
  g_autoptr (GError) error = NULL;

  if (!far_damage_write (far_node_state_dir (), NOTES, store, what, &error))
    far_log (NULL, G_LOG_LEVEL_CRITICAL, _ ("that a store is damaged cannot be kept over a restart: %s"),
             error->message);
}

void
far_store_damage_begin (FarInstance *at, const char *what)
{
  note_write (far_instance_name (at), what);
}

void
far_damage_hold (FarInstance *at, GError *error)
{
  Held *held = g_new (Held, 1);

  *held = (Held){ far_instance_ref (at), error };
  far_loop_post (far_loop_main (), damage_hold_down, held);
}

gboolean
far_store_damaged (FarInstance *at, const char *what, GError **error)
{
  GError *cause = NULL;

  note_write (far_instance_name (at), what);
  far_log (at, G_LOG_LEVEL_CRITICAL, "%s", what);
  far_damage_refuse (far_instance_name (at), what, &cause);
  if (error != NULL)
    g_propagate_error (error, g_error_copy (cause));
  far_damage_hold (at, cause);
  return FALSE;
}
