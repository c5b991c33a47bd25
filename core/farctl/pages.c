/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists come in pages (messages.md): asks for them one after the other. */
#include "config.h"

#include "ctl.h"

#include <string.h>

/* The resource with where the next page begins, NULL: there is none. */
static char *
pages_next (const char *resource, json_t *page)
{
  g_autofree char *after = ctl_query ("after", json_string_value (json_object_get (page, "next")));

  return after[0] != '\0' ? g_strconcat (resource, strchr (resource, '?') != NULL ? "&" : "?", after, NULL) : NULL;
}

gboolean
ctl_pages (Ctl *ctl, const char *resource, CtlPage take, gpointer user, GError **error)
{
  g_autofree char *asked = g_strdup (resource);

  do {
    json_t *page = ctl_call (ctl, "GET", asked, NULL, error);
    g_autofree char *before = g_steal_pointer (&asked);
    gboolean more = page != NULL && take (page, user);

    if (page == NULL)
      return FALSE;
    asked = more ? pages_next (resource, page) : NULL;
    json_decref (page);
    if (g_strcmp0 (asked, before) == 0 && asked != NULL) {
      g_set_error (error, FAR_ERROR, FAR_ERROR_INTERNAL, _("%s: the node sends the same page again and again; what follows it cannot be shown: look at its log"), resource);
      return FALSE;
    }
  } while (asked != NULL);
  return TRUE;
}

typedef struct {
  const char *key;
  guint limit;     /* 0: all */
  json_t *answer;  /* the first page, with the rows of the others */
} Whole;

static gboolean
whole_take (json_t *page, gpointer user)
{
  Whole *whole = user;
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
  Whole whole = { key, limit, NULL };

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
