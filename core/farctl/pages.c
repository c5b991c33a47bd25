/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists come in pages (messages.md): asks for them one after the other. */
#include "config.h"

#include "ctl.h"

#include <string.h>

/* Does it say that there is more, but not by `next`? So did nodes before that was the one word for it. */
static gboolean
pages_unknown (json_t *page)
{
  gboolean more = json_is_string (json_object_get (page, "after")) ||
                  json_is_true (json_object_get (page, "more"));

  return more && !json_is_string (json_object_get (page, "next"));
}

/* The resource with where the next page begins, NULL: there is none. */
static char *
pages_next (const char *resource, json_t *page)
{
  g_autofree char *after = ctl_query ("after", json_string_value (json_object_get (page, "next")));

  return after[0] != '\0' ? g_strconcat (resource, strchr (resource, '?') != NULL ? "&" : "?", after, NULL)
                          : NULL;
}

/* From one page to the next: asked is what to ask for then, NULL: nothing. FALSE: what follows cannot be
 * asked for. */
static gboolean
pages_turn (const char *resource, json_t *page, char **asked, GError **error)
{
  g_autofree char *before = g_steal_pointer (asked);

  if (pages_unknown (page)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_PROTOCOL,
                 _ ("%s: the node has more than it sent, but is of another version and does not say where "
                    "that begins: use the farctl of the node's version"),
                 resource);
    return FALSE;
  }
  *asked = pages_next (resource, page);
  if (*asked == NULL || g_strcmp0 (*asked, before) != 0)
    return TRUE;
  g_set_error (error, FAR_ERROR, FAR_ERROR_INTERNAL,
               _ ("%s: the node sends the same page again and again; what follows it cannot be shown: look "
                  "at its log"),
               resource);
  return FALSE;
}

gboolean
ctl_pages (Ctl *ctl, const char *resource, CtlPage take, gpointer user, GError **error)
{
  g_autofree char *asked = g_strdup (resource);
  gboolean good = TRUE, more = TRUE;

  while (good && more && asked != NULL) {
    json_t *page = ctl_call (ctl, "GET", asked, NULL, error);

    more = page != NULL && take (page, user);
    good = page != NULL && (!more || pages_turn (resource, page, &asked, error));
    json_decref (page);
  }
  return good;
}

typedef struct {
  const char *key;
  guint limit;    /* 0: all */
  json_t *answer; /* the first page, with the rows of the others */
} PagesWhole;

static gboolean
whole_take (json_t *page, gpointer user)
{
  PagesWhole *whole = user;
  json_t *list;

  if (whole->answer == NULL)
    whole->answer = json_incref (page);
  else
    json_array_extend (json_object_get (whole->answer, whole->key), json_object_get (page, whole->key));
  list = json_object_get (whole->answer, whole->key);
  while (whole->limit != 0 && json_array_size (list) > whole->limit)
    json_array_remove (list, json_array_size (list) - 1);
  return whole->limit == 0 || json_array_size (list) < whole->limit;
}

static json_t *
whole_get (Ctl *ctl, const char *resource, const char *key, guint limit, GError **error)
{
  PagesWhole whole = { key, limit, NULL };

  if (!ctl_pages (ctl, resource, whole_take, &whole, error))
    g_clear_pointer (&whole.answer, json_decref);
  json_object_del (whole.answer, "next");
  return whole.answer;
}

json_t *
ctl_whole (Ctl *ctl, const char *resource, const char *key, GError **error)
{
  return whole_get (ctl, resource, key, 0, error);
}

json_t *
ctl_list (Ctl *ctl, const char *resource, const char *key, const char *query, guint limit, GError **error)
{
  g_autofree char *asked = query[0] != '\0' ? g_strconcat (resource, "?", query, NULL) : g_strdup (resource);
  json_t *whole = whole_get (ctl, asked, key, limit, error), *list = json_object_get (whole, key), *all;

  if (whole == NULL)
    return NULL;
  all = json_pack ("{s:o}", key, json_is_array (list) ? json_incref (list) : json_array ());
  json_decref (whole);
  return all;
}
