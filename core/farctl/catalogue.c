/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The msgids of the catalogue in the person's language (GNU gettext manual, "The Format of GNU MO Files"):
 * which texts there are can only be read from the file, as libintl answers for texts that are known. It is
 * the system's own file, and read as if it were not. */
#include "config.h"

#include "translate.h"

#include <inttypes.h>
#include <libintl.h>
#include <string.h>

#include <farwatch/i18n.h>

#define MAGIC 0x950412deu
#define SWAPPED 0xde120495u
#define ENTRIES_MAX 100000u
#define END 0xffffffffu /* behind the last segment of a text */

typedef struct {
  const char *data;
  gsize size;
  gboolean swapped, good;
} Mo;

static guint32
mo_number (Mo *mo, gsize at)
{
  guint32 number;

  if (at > mo->size || mo->size - at < sizeof number) {
    mo->good = FALSE;
    return 0;
  }
  memcpy (&number, mo->data + at, sizeof number);
  return mo->swapped ? GUINT32_SWAP_LE_BE (number) : number;
}

/* `size` bytes that a NUL follows. */
static char *
mo_text (Mo *mo, gsize at, gsize size)
{
  if (at >= mo->size || mo->size - at <= size || mo->data[at + size] != '\0') {
    mo->good = FALSE;
    return NULL;
  }
  return g_strndup (mo->data + at, size);
}

/* Texts that are the same everywhere. One with a plural has a NUL inside, and counts by its singular. */
static void
mo_plain (Mo *mo, GPtrArray *msgids)
{
  guint32 n = MIN (mo_number (mo, 8), ENTRIES_MAX), table = mo_number (mo, 12);

  for (guint32 i = 0; i < n && mo->good; i++) {
    char *text = mo_text (mo, mo_number (mo, table + 8 * (gsize) i + 4),
                          mo_number (mo, table + 8 * (gsize) i));

    if (text != NULL)
      g_ptr_array_add (msgids, text);
  }
}

/* "PRId64" as this machine's printf() has it. */
static const char *
mo_system (const char *name)
{
  static const struct {
    const char *name, *text;
  } known[] = { { "PRId64", PRId64 }, { "PRIu64", PRIu64 }, { "PRIi64", PRIi64 }, { "PRIx64", PRIx64 } };

  for (guint i = 0; name != NULL && i < G_N_ELEMENTS (known); i++)
    if (strcmp (known[i].name, name) == 0)
      return known[i].text;
  return NULL;
}

static const char *
mo_segment (Mo *mo, guint32 which)
{
  gsize at = mo_number (mo, 32) + 8 * (gsize) which;
  guint32 size = mo_number (mo, at);
  g_autofree char *name = which < mo_number (mo, 28) && size > 0
                              ? mo_text (mo, mo_number (mo, at + 4), size - 1)
                              : NULL;

  return mo_system (name);
}

/* A text with holes, each for what its system has. NULL: one that is not known here. */
static char *
mo_joined (Mo *mo, gsize at)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gsize from = mo_number (mo, at);

  for (at += 4; mo->good; at += 8) {
    gsize size = mo_number (mo, at);
    guint32 which = mo_number (mo, at + 4);
    const char *hole = which != END ? mo_segment (mo, which) : "";

    if (hole == NULL || from > mo->size || mo->size - from < size)
      return NULL;
    g_string_append_len (text, mo->data + from, (gssize) size);
    g_string_append (text, hole);
    from += size;
    if (which == END)
      break;
  }
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/* Minor revision 1: texts that have such a hole. */
static void
mo_holed (Mo *mo, GPtrArray *msgids)
{
  guint32 n = (mo_number (mo, 4) & 0xffff) == 0 ? 0 : MIN (mo_number (mo, 36), ENTRIES_MAX),
          table = n > 0 ? mo_number (mo, 40) : 0;

  for (guint32 i = 0; i < n && mo->good; i++) {
    char *text = mo_joined (mo, mo_number (mo, table + 4 * (gsize) i));

    if (text != NULL)
      g_ptr_array_add (msgids, text);
  }
}

static gboolean
catalogue_read (const char *path, GPtrArray *msgids)
{
  g_autofree char *data = NULL;
  Mo mo = { .good = TRUE };
  guint32 magic;

  if (!g_file_get_contents (path, &data, &mo.size, NULL))
    return FALSE; /* lint: allow silent: no catalogue in this language */
  mo.data = data;
  magic = mo_number (&mo, 0);
  mo.swapped = magic == SWAPPED;
  if (magic == MAGIC || magic == SWAPPED) {
    mo_plain (&mo, msgids);
    mo_holed (&mo, msgids);
  }
  return TRUE;
}

GPtrArray *
ctl_catalogue (void)
{
  const char *folder = bindtextdomain (FAR_GETTEXT_DOMAIN, NULL);
  const char *const *languages = g_get_language_names_with_category ("LC_MESSAGES");
  GPtrArray *msgids = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; folder != NULL && languages[i] != NULL && strcmp (languages[i], "C") != 0; i++) {
    g_autofree char *path = g_strdup_printf ("%s/%s/LC_MESSAGES/%s.mo", folder, languages[i],
                                             FAR_GETTEXT_DOMAIN);

    if (catalogue_read (path, msgids))
      break;
  }
  return msgids;
}
