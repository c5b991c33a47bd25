/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who reached which terminal, when, and how it ended (spec B13). */
#include "config.h"

#include "access.h"

#define PAGE_MAX 40 /* rows of one answer: a body has its limit */
#define LOOKED_AT_MAX 2000

typedef struct {
  FarCall *call;
  guint limit;
} Asked;

static gboolean
row_visible (json_t *row, const FarPrincipal *principal)
{
  g_autofree char *object = access_terminal_object (access_text (row, "terminal")
                                                        ? access_text (row, "terminal")
                                                        : "",
                                                    access_text (row, "device"));
  g_autofree char *person = far_principal_text (principal);
  gboolean own = g_strcmp0 (access_text (row, "person"), person) == 0,
           refusal = g_strcmp0 (access_text (row, "kind"), "refused") == 0;
  /* who was turned away at the ports concerns whose session it was, and whoever looks after the terminal */
  if (g_strcmp0 (access_text (row, "kind"), "turned-away") == 0)
    return g_strcmp0 (access_text (row, "owner"), person) == 0 || access_manages (principal, object);
  /* a refusal's true cause may tell what the person must not know */
  return refusal ? access_manages (principal, object) : own || far_authorize_see (principal, object);
}

/* FALSE: it has no room in this page. */
static gboolean
history_add (const Asked *asked, json_t *list, gsize *size, const FarRow *row)
{
  json_t *json = json_loads (row->row, 0, NULL);
  gboolean fits = TRUE;
  if (json && row_visible (json, asked->call->principal)) {
    json_object_set_new (json, "key", json_string (row->key));
    fits = far_page_add (list, size, json);
  }
  json_decref (json);
  return fits;
}

static void
history_read (FarRequest *req, gpointer user)
{
  g_autofree Asked *asked = user;
  if (far_request_error (req)) {
    far_call_fail (asked->call, g_error_copy (far_request_error (req)));
    return;
  }
  GPtrArray *rows = far_request_result (req);
  json_t *list = json_array ();
  gsize size = 0;
  guint looked = 0;
  while (looked < rows->len && json_array_size (list) < asked->limit &&
         history_add (asked, list, &size, rows->pdata[looked]))
    looked++;
  /* the last row looked at, shown or not: behind 2000 that the asker may not see there may be one of theirs
   */
  gboolean more = looked < rows->len || rows->len == LOOKED_AT_MAX;
  const FarRow *last = looked > 0 ? rows->pdata[looked - 1] : NULL;
  far_call_answer (asked->call, 200,
                   json_pack ("{s:o, s:s?}", "history", list, "next", more && last ? last->key : NULL));
}

void
access_history_get (gpointer data, FarCall *call)
{
  Access *self = data;
  guint64 limit = PAGE_MAX;
  const char *text = access_text (call->query, "limit");
  if (text && !g_ascii_string_to_unsigned (text, 10, 1, PAGE_MAX, &limit, NULL))
    limit = PAGE_MAX;
  Asked *asked = g_new0 (Asked, 1);
  *asked = (Asked){ call, limit };
  const char *const names[] = { "terminal", "device", "person", "session", "kind" };
  FarFilterTerm filter[G_N_ELEMENTS (names) + 1] = { 0 };
  for (guint i = 0, n = 0; i < G_N_ELEMENTS (names); i++)
    if (access_text (call->query, names[i]))
      filter[n++] = (FarFilterTerm){ names[i], access_text (call->query, names[i]) };
  far_store_rows (access_opts (self)->store, "history", filter, access_text (call->query, "after"),
                  LOOKED_AT_MAX, TRUE, far_request_of (self->at, history_read, asked, g_free, 0));
}
