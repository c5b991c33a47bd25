/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What holds for each table of handlers, and for each router that finds in them: whoever writes another one
 * calls these. */
#pragma once
#include "message/router.h"
#include "unit/core-help.h"

/* ---- a router ---- */

typedef struct {
  void (*add) (const FarHandler *handlers, gpointer self);
  void (*remove) (const FarHandler *handlers, gpointer self);
  /* The handler of this request, whose it is, and what stood for {…}, caller frees; NULL: none. *known: the
   * path is there with another method. */
  const FarHandler *(*find) (const char *method, const char *path, gpointer *self, GStrv *values,
                             gboolean *known);
  /* The request of a verb, as far_message_from_verb() says. */
  FarMessage *(*from_verb) (const char *verb, const char *const *names, json_t *body, GError **error);
} RouterWays;

static inline void
conform_handle (gpointer self, FarCall *call)
{
}

static const FarHandler conform_wide[] = {
  { "GET", "things/{t}", .handle = conform_handle },
  { "PUT", "things/{t}", .handle = conform_handle },
  { "GET", "things/{t}/{part}", .handle = conform_handle, .verb = "look" },
  { "GET", "{any}/fixed/end", .handle = conform_handle },
  { NULL },
};
static const FarHandler conform_narrow[] = {
  { "GET", "things", .handle = conform_handle, .verb = "list" },
  { "GET", "things/own", .handle = conform_handle },
  { "GET", "things/{t}/size", .handle = conform_handle },
  { "GET", "things/own/{part}", .handle = conform_handle },
  { "GET", "things/fixed/{part}", .handle = conform_handle },
  { NULL },
};

typedef struct {
  const char *method, *path, *pattern, *values;
  gboolean known;
} ConformRow;

/* The one that writes out the first part in which two differ, of those with the method that was asked for. */
static const ConformRow conform_rows[] = {
  { "GET", "things", "things", "", TRUE },
  { "GET", "things/a", "things/{t}", "a", TRUE },
  { "GET", "things/own", "things/own", "", TRUE },
  { "PUT", "things/own", "things/{t}", "own", TRUE },
  { "GET", "things/a/b", "things/{t}/{part}", "a,b", TRUE },
  { "GET", "things/a/size", "things/{t}/size", "a", TRUE },
  { "GET", "things/own/size", "things/own/{part}", "size", TRUE },
  { "GET", "things/fixed/end", "things/fixed/{part}", "end", TRUE },
  { "GET", "other/fixed/end", "{any}/fixed/end", "other", TRUE },
  { "POST", "things/a", NULL, NULL, TRUE },
  { "GET", "things/a/b/c", NULL, NULL, FALSE },
  { "GET", "other", NULL, NULL, FALSE },
};

static inline void
conform_check_row (const RouterWays *ways, const ConformRow *row, gpointer wide, gpointer narrow)
{
  gboolean known = FALSE;
  gpointer self = NULL;
  g_auto (GStrv) values = NULL;
  const FarHandler *found = ways->find (row->method, row->path, &self, &values, &known);
  g_autofree char *joined = values != NULL ? g_strjoinv (",", values) : NULL;

  ck_assert_msg (g_strcmp0 (found != NULL ? found->pattern : NULL, row->pattern) == 0, "%s %s: to %s",
                 row->method, row->path, found != NULL ? found->pattern : "nobody");
  ck_assert_msg (g_strcmp0 (joined, row->values) == 0, "%s %s: {…} is %s", row->method, row->path, joined);
  ck_assert_msg (known == row->known, "%s %s: known %d", row->method, row->path, known);
  if (found != NULL)
    ck_assert_ptr_eq (self, found >= conform_wide && found < conform_wide + G_N_ELEMENTS (conform_wide)
                                ? wide
                                : narrow);
}

static inline void
conform_check_all (const RouterWays *ways, gpointer wide, gpointer narrow)
{
  for (guint i = 0; i < G_N_ELEMENTS (conform_rows); i++)
    conform_check_row (ways, &conform_rows[i], wide, narrow);
}

typedef struct {
  const char *verb, *names, *request; /* names with , between them; NULL: none */
  int code;                           /* where there is no request */
} ConformVerb;

static const ConformVerb conform_verbs[] = {
  { "list", NULL, "GET things", 0 },
  { "look", "a,b", "GET things/a/b", 0 },
  { "look", "a", NULL, FAR_ERROR_INVALID },
  { "look", "a,b,c", NULL, FAR_ERROR_INVALID },
  { "look", "a,b/c", NULL, FAR_ERROR_INVALID },
  { "look", "..,b", NULL, FAR_ERROR_INVALID },
  { "look", NULL, NULL, FAR_ERROR_INVALID },
  { "list", "a", NULL, FAR_ERROR_INVALID },
  { "LIST", NULL, NULL, FAR_ERROR_NOT_FOUND },
  { "", NULL, NULL, FAR_ERROR_NOT_FOUND },
};

static inline void
conform_check_verb (const RouterWays *ways, const ConformVerb *row)
{
  g_auto (GStrv) names = row->names != NULL ? g_strsplit (row->names, ",", -1) : NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (FarMessage)
      message = ways->from_verb (row->verb, (const char *const *) names, json_pack ("{s:i}", "n", 1), &error);
  g_autofree char *text = message != NULL ? g_strconcat (message->method, " ", message->resource, NULL)
                                          : NULL;

  ck_assert_msg (g_strcmp0 (text, row->request) == 0, "%s %s: %s", row->verb, row->names, text);
  ck_assert_msg (error == NULL ? row->code == 0 : error->code == row->code, "%s %s: %s", row->verb,
                 row->names, error != NULL ? error->message : "");
  ck_assert (message == NULL || (message->id != NULL && g_bytes_get_size (message->body) == 7));
}

/* A verb is found as long as its table is there. */
static inline void
conform_check_verbs (const RouterWays *ways)
{
  g_autoptr (FarMessage) gone = NULL;
  int at;

  ways->add (conform_wide, &at);
  ways->add (conform_narrow, &at);
  for (guint i = 0; i < G_N_ELEMENTS (conform_verbs); i++)
    conform_check_verb (ways, &conform_verbs[i]);
  ways->remove (conform_narrow, &at);
  gone = ways->from_verb ("list", NULL, NULL, NULL);
  ck_assert_ptr_null (gone);
  conform_check_verb (ways, &conform_verbs[1]);
  ways->remove (conform_wide, &at);
}

/* In whatever order the tables came; and what was taken out is not found any more, the other's rows are. */
static inline void
router_conforms (const RouterWays *ways)
{
  int wide, narrow;
  gboolean known;
  gpointer self;
  g_auto (GStrv) values = NULL;

  ways->add (conform_wide, &wide);
  ways->add (conform_narrow, &narrow);
  conform_check_all (ways, &wide, &narrow);
  ways->remove (conform_wide, &wide);
  ck_assert_ptr_null (ways->find ("GET", "things/a", &self, &values, &known));
  ways->add (conform_wide, &wide);
  conform_check_all (ways, &wide, &narrow);
  ways->remove (conform_narrow, &narrow);
  ck_assert_str_eq (ways->find ("GET", "things/own", &self, &values, &known)->pattern, "things/{t}");
  ways->remove (conform_wide, &wide);
  g_clear_pointer (&values, g_strfreev);
  ck_assert_ptr_null (ways->find ("GET", "things/own", &self, &values, &known));
  ck_assert (!known);
  conform_check_verbs (ways);
}

/* ---- a table ---- */

static inline gboolean
conform_body_has (const FarHandler *row, const char *name)
{
  for (const FarField *field = row->fields; field != NULL && field->name != NULL; field++)
    if (strcmp (field->name, name) == 0)
      return TRUE;
  return FALSE;
}

/* "{t}" must stand in the pattern, "{body.f}" in the body's fields. */
static inline gboolean
conform_object_ok (const FarHandler *row)
{
  g_auto (GStrv) parts = g_strsplit (row->object != NULL ? row->object : row->pattern, "/", -1),
                 pattern = g_strsplit (row->pattern, "/", -1);

  for (guint i = 0; parts[i] != NULL; i++) {
    g_autofree char *field = g_str_has_prefix (parts[i], "{body.")
                                 ? g_strndup (parts[i] + 6, strlen (parts[i]) - 7)
                                 : NULL;

    if (field != NULL ? !conform_body_has (row, field)
                      : parts[i][0] == '{' && !g_strv_contains ((const char *const *) pattern, parts[i]))
      return FALSE;
  }
  return TRUE;
}

static inline gboolean
conform_pattern_ok (const char *pattern)
{
  g_auto (GStrv) parts = g_strsplit (pattern, "/", -1);

  for (guint i = 0; parts[i] != NULL; i++) {
    gsize length = strlen (parts[i]);
    gboolean open = parts[i][0] == '{' && length > 2 && parts[i][length - 1] == '}';
    g_autofree char *name = open ? g_strndup (parts[i] + 1, length - 2) : g_strdup (parts[i]);

    if (!far_field_name_ok (name))
      return FALSE;
  }
  return g_strv_length (parts) >= 1 && g_strv_length (parts) <= 8;
}

/* "*" stands alone, gets what has no form here, and judges who has logged in at least. */
static inline gboolean
conform_upstream_ok (const FarHandler *row)
{
  return strcmp (row->pattern, FAR_UPSTREAM) == 0 && row->action != FAR_ACTION_ANYONE &&
         row->fields == NULL && row->content == NULL && row->resolve == NULL && row->verb == NULL &&
         (row->object == NULL || strchr (row->object, '{') == NULL);
}

static inline gboolean
conform_types_ok (const char *const *types)
{
  for (guint i = 0; types != NULL && types[i] != NULL; i++)
    if (strchr (types[i], '/') == NULL || strchr (types[i], ' ') != NULL)
      return FALSE;
  return types == NULL || types[0] != NULL;
}

/* What is wrong with each row, appended to wrong. */
static inline void
handlers_conform (const char *of, const FarHandler *table, GString *wrong)
{
  static const char *const methods[] = { "GET", "POST", "PUT", "DELETE", "WATCH", NULL };

  for (const FarHandler *row = table; row != NULL && row->method != NULL; row++) {
    gboolean upstream = far_handler_is_upstream (row);
    const char *what = upstream && !conform_upstream_ok (row)    ? "is no upstream hook"
                       : upstream && row->handle != NULL         ? NULL
                       : !g_strv_contains (methods, row->method) ? "is no method"
                       : !conform_pattern_ok (row->pattern)      ? "is no pattern of a path"
                       : !conform_object_ok (row)
                           ? "has an object with a {…} that neither pattern nor body has"
                       : !conform_types_ok (row->content)              ? "takes what is no type of a body"
                       : row->verb != NULL && !far_verb_ok (row->verb) ? "has a verb that is none"
                       : row->handle == NULL || row->summary == NULL || !*row->summary
                           ? "lacks its handler or its summary"
                           : NULL;

    for (const FarHandler *before = table; before < row && what == NULL; before++)
      what = far_handler_same (before, row)                                  ? "stands twice"
             : row->verb != NULL && g_strcmp0 (before->verb, row->verb) == 0 ? "has a verb that stands twice"
                                                                             : NULL;
    if (what != NULL)
      g_string_append_printf (wrong, "\n  %s: %s %s %s", of, row->method, row->pattern, what);
  }
}
