/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A store that was made is expected from then on: STATE/.made/NAME says where. One that is gone (deleted, on
 * a disk that is not mounted, under another path) would begin empty: revocations that are missing let in, so
 * it waits until it is back or a person says that it begins empty. STATE/missing/NAME is there meanwhile, for
 * `farctl restore --begin-empty`. */
#include "config.h"

#include "data/damage.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include <farwatch/i18n.h>
#include <farwatch/store.h>

#include "base/node-identity.h"
#include "base/small-file.h"
#include "life/instance-private.h"

#define MADE FAR_NOTES_MADE
#define MISSING FAR_NOTES_MISSING

/* Where it was made; NULL: never, or with an error that the note of it is there and cannot be read, which
 * says nothing of the kind. */
static char *
made_place (const char *state, const char *store, GError **error)
{
  g_autofree char *path = g_build_filename (state, MADE, store, NULL);
  char *place = far_small_file_read (path, FAR_NOTE_MAX);

  if (place == NULL && errno != ENOENT && errno != ENOTDIR)
    g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
                 _ ("%s, which says where the store was made, cannot be read: %s"), path, g_strerror (errno));
  return place != NULL ? g_strchomp (place) : NULL;
}

/* A full disk may have kept the note away: then by what is not where it was made. */
char *
far_missing_note (const char *state, const char *store)
{
  char *note = far_damage_read (state, MISSING, store);
  g_autoptr (GError) unread = NULL;
  g_autofree char *place = note == NULL ? made_place (state, store, &unread) : NULL;
  struct stat st;

  if (unread != NULL)
    note = g_strdup (unread->message);
  if (place != NULL && lstat (place, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
    note = g_strdup_printf (_ ("%s was there and is gone"), place);
  return note;
}

gboolean
far_missing_accept (const char *state, const char *store, GError **error)
{
  g_autofree char *note = far_missing_note (state, store);

  return note == NULL ||
         (far_damage_remove (state, MADE, store, error) && far_damage_remove (state, MISSING, store, error));
}

void
far_store_made (FarInstance *at, const char *path)
{
  g_autofree char *known = made_place (far_node_state_dir (), far_instance_name (at), NULL),
                  *note = far_missing_note (far_node_state_dir (), far_instance_name (at));
  g_autoptr (GError) error = NULL;

  if (far_node_state_dir () == NULL)
    return;
  if (g_strcmp0 (known, path) != 0 &&
      !far_damage_write (far_node_state_dir (), MADE, far_instance_name (at), path, &error))
    far_log_limited (
        at, "made",
        _ ("it cannot be noted that %s was made, so nobody is told should it be gone one day: %s"), path,
        error->message);
  if (note != NULL)
    far_damage_remove (far_node_state_dir (), MISSING, far_instance_name (at), NULL);
}

static char *
missing_text (const char *known, const char *path)
{
  char *shown = g_utf8_make_valid (known, -1), *text;

  g_strdelimit (shown, "\n", ' ');
  text = strcmp (known, path) == 0
             ? g_strdup_printf (_ ("%s was there and is gone"), path)
             : g_strdup_printf (_ ("it was made as %s, and nothing is at %s"), shown, path);
  g_free (shown);
  return text;
}

static void
missing_refuse (FarInstance *at, const char *text, GError **error)
{
  const char *words = far_node_words ();
  g_autoptr (GError) unkept = NULL;

  if (!far_damage_write (far_node_state_dir (), MISSING, far_instance_name (at), text, &unkept))
    far_log_limited (
        at, "missing",
        _ ("that %s is missing cannot be noted for `farctl restore --begin-empty %s %s`: %s; make "
           "room, then restart"),
        far_instance_path (at), words, far_instance_name (at), unkept->message);
  g_set_error (error, FAR_ERROR, FAR_ERROR_CONFIG,
               _ ("store missing: %s; put it back (is its disk mounted?), or stop farwatchd, then as root "
                  "`farctl restore --replace %s FILE` puts a backup "
                  "back, or `farctl restore --begin-empty %s %s` begins with an empty one"),
               text, words, words, far_instance_name (at));
}

/* Why it is not made at path; NULL: it may be. That it is missing holds until a person has decided, also when
 * the note of where it was made goes meanwhile. */
static char *
expected_text (const char *state, const char *store, const char *path)
{
  g_autoptr (GError) unread = NULL;
  g_autofree char *known = made_place (state, store, &unread);

  if (known != NULL)
    return missing_text (known, path);
  return unread != NULL ? g_strdup (unread->message) : far_damage_read (state, MISSING, store);
}

gboolean
far_store_expected (FarInstance *at, const char *path, gboolean there, gboolean go_on, GError **error)
{
  g_autofree char *text = there ? NULL : expected_text (far_node_state_dir (), far_instance_name (at), path);

  if (text == NULL)
    return TRUE;
  if (!go_on) {
    missing_refuse (at, text, error);
    return FALSE;
  }
  far_log (at, G_LOG_LEVEL_CRITICAL, _ ("%s; it begins empty"), text);
  return TRUE;
}

gboolean
far_store_gone (FarInstance *at, const char *path, GError **error)
{
  g_autofree char *text = missing_text (path, path);
  GError *cause = NULL;

  missing_refuse (at, text, &cause);
  far_log (at, G_LOG_LEVEL_CRITICAL, "%s", cause->message);
  g_propagate_error (error, g_error_copy (cause));
  far_damage_hold (at, cause);
  return FALSE;
}
