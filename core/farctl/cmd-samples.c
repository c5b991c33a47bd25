/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values: which there are with their newest, or the points of one, as lines or as a curve. */
#include "config.h"

#include "ctl.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "plot.h"

#define PAGE 1000

typedef struct {
  char *from, *to;
  int limit;
  gboolean plot;
} SamplesOptions;

/* ---- which there are ---- */

static json_t *
series_all (Ctl *ctl, const char *source, GError **error)
{
  g_autofree char *where = ctl_query ("source", source),
                  *query = g_strdup_printf ("latest=1%s%s", where[0] != '\0' ? "&" : "", where);

  return ctl_list (ctl, "samples", "series", query, 0, error);
}

/* For the table: the newest value's fields beside the name. */
static json_t *
series_rows (json_t *list)
{
  json_t *rows = json_array ();

  for (gsize i = 0; i < json_array_size (list); i++) {
    json_t *row = json_copy (json_array_get (list, i)), *latest = json_object_get (row, "latest");

    if (json_is_object (latest))
      json_object_update_missing (row, latest);
    json_array_append_new (rows, row);
  }
  return rows;
}

/* A terminal that has sent nothing yet is known all the same. */
static gboolean
source_known (Ctl *ctl, const char *source, GError **error)
{
  g_autofree char *resource = ctl_path (error, "terminals", source, NULL);
  g_autoptr (GError) why = NULL;
  json_t *found = resource != NULL ? ctl_call (ctl, "GET", resource, NULL, &why) : NULL;

  if (resource != NULL && found == NULL)
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("no values of '%s', and no terminal of that name; `farctl samples` lists what there is"),
                 source);
  json_decref (found);
  return why == NULL && resource != NULL;
}

/* FALSE: nobody has sent such a value. */
static gboolean
series_known (Ctl *ctl, const char *source, const char *name, GError **error)
{
  json_t *all = series_all (ctl, source, error), *list = json_object_get (all, "series"), *one;
  gboolean known = FALSE;
  gsize i;

  json_array_foreach (list, i, one)
    known = known || name == NULL || g_strcmp0 (json_string_value (json_object_get (one, "name")), name) == 0;
  if (all != NULL && json_array_size (list) == 0)
    known = source_known (ctl, source, error);
  else if (all != NULL && !known)
    g_set_error (error, FAR_ERROR, FAR_ERROR_NOT_FOUND,
                 _ ("'%s' has no value '%s'; `farctl samples %s` lists those it has"), source, name, source);
  json_decref (all);
  return known;
}

static int
samples_series (Ctl *ctl, const char *source)
{
  static const CtlColumn columns[] = {
    { N_ ("SOURCE"), "source", CTL_TEXT }, { N_ ("NAME"), "name", CTL_TEXT },
    { N_ ("VALUE"), "value", CTL_VALUE },  { N_ ("QUALITY"), "quality", CTL_TEXT },
    { N_ ("TIME"), "time", CTL_TIME },     { NULL, NULL, 0 }
  };
  GError *error = NULL;
  json_t *all = series_all (ctl, source, &error), *rows;

  if (all != NULL && source != NULL && json_array_size (json_object_get (all, "series")) == 0 &&
      !series_known (ctl, source, NULL, &error))
    g_clear_pointer (&all, json_decref);
  if (all == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json) {
    ctl_json (all);
  } else {
    rows = series_rows (json_object_get (all, "series"));
    ctl_table (rows, columns, _ ("no values yet"));
    json_decref (rows);
  }
  json_decref (all);
  return CTL_OK;
}

/* ---- one ---- */

typedef struct {
  json_t *list;
  gsize limit;
} Points;

/* Pages come newest first, the points of each oldest first. */
static gboolean
points_take (json_t *page, gpointer user)
{
  Points *points = user;
  json_t *older = json_copy (json_object_get (page, "points"));

  if (older == NULL)
    return FALSE;
  json_array_extend (older, points->list);
  json_decref (points->list);
  points->list = older;
  while (json_array_size (older) > points->limit)
    json_array_remove (older, 0);
  return json_array_size (older) < points->limit;
}

static json_t *
points_all (Ctl *ctl, const char *source, const char *name, const SamplesOptions *options, GError **error)
{
  g_autofree char *q_source = ctl_query ("source", source), *q_name = ctl_query ("name", name);
  g_autofree char *q_from = ctl_query ("from", options->from), *q_to = ctl_query ("to", options->to);
  g_autofree char *resource = g_strdup_printf ("samples?%s&%s&limit=%d&%s&%s", q_source, q_name,
                                               CLAMP (options->limit, 1, PAGE), q_from, q_to);
  Points points = { json_array (), (gsize) MAX (options->limit, 0) };

  if (!ctl_pages (ctl, resource, points_take, &points, error))
    g_clear_pointer (&points.list, json_decref);
  return points.list;
}

static gboolean
plot_value (json_t *value, double *to)
{
  if (json_is_boolean (value))
    *to = json_is_true (value) ? 1 : 0;
  else if (json_is_number (value))
    *to = json_number_value (value);
  else
    return FALSE;
  return isfinite (*to);
}

static void
samples_plot (json_t *points)
{
  g_autoptr (GArray) curve = g_array_new (FALSE, FALSE, sizeof (CtlPoint));
  struct winsize window = { .ws_col = 80, .ws_row = 24 };
  g_autofree char *text = NULL;

  if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col < 40)
    window = (struct winsize){ .ws_col = 80, .ws_row = 24 };
  for (gsize i = 0; i < json_array_size (points); i++) {
    json_t *point = json_array_get (points, i);
    g_autoptr (GDateTime)
        time = g_date_time_new_from_iso8601 (json_string_value (json_object_get (point, "time")), NULL);
    CtlPoint at;

    if (time == NULL || !plot_value (json_object_get (point, "value"), &at.value))
      continue;
    at.time = (double) g_date_time_to_unix (time) + g_date_time_get_microsecond (time) / 1e6;
    g_array_append_val (curve, at);
  }
  if (curve->len == 0) {
    puts (_ ("nothing to draw: no numbers in this time"));
    return;
  }
  text = ctl_plot ((const CtlPoint *) (void *) curve->data, curve->len, window.ws_col - 18u,
                   MIN (window.ws_row, 20) - 4u, "");
  fputs (text, stdout);
}

/* The points carry no unit: that of their series, for the table. */
static void
points_unit (Ctl *ctl, json_t *points, const char *source, const char *name)
{
  json_t *all = series_all (ctl, source, NULL), *one, *point;
  const char *unit = NULL;
  gsize i;

  json_array_foreach (json_object_get (all, "series"), i, one)
    if (g_strcmp0 (json_string_value (json_object_get (one, "name")), name) == 0)
      unit = json_string_value (json_object_get (one, "unit"));
  json_array_foreach (points, i, point)
    if (unit != NULL)
      json_object_set_new (point, "unit", json_string (unit));
  json_decref (all);
}

static int
samples_points (Ctl *ctl, const char *source, const char *name, const SamplesOptions *options)
{
  static const CtlColumn columns[] = {
    { N_ ("TIME"), "time", CTL_TIME },
    { N_ ("VALUE"), "value", CTL_VALUE },
    { N_ ("QUALITY"), "quality", CTL_TEXT },
    { NULL, NULL, 0 },
  };
  GError *error = NULL;
  json_t *points = points_all (ctl, source, name, options, &error);

  if (points != NULL && json_array_size (points) == 0 && !series_known (ctl, source, name, &error))
    g_clear_pointer (&points, json_decref);
  if (points == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json) {
    json_t *answer = json_pack ("{s:s, s:s, s:O}", "source", source, "name", name, "points", points);

    ctl_json (answer);
    json_decref (answer);
  } else if (options->plot) {
    samples_plot (points);
  } else {
    points_unit (ctl, points, source, name);
    ctl_table (points, columns, _ ("no values in this time"));
  }
  json_decref (points);
  return CTL_OK;
}

int
ctl_samples (Ctl *ctl, int argc, char **argv)
{
  g_autofree char *from = NULL, *to = NULL;
  GError *error = NULL;
  SamplesOptions options = { .limit = -1 };
  const GOptionEntry entries[] = {
    { "from", 0, 0, G_OPTION_ARG_STRING, &from,
      N_ ("2026-01-02T03:04:05Z, a day, or a length back from now: 2h"), N_ ("TIME") },
    { "to", 0, 0, G_OPTION_ARG_STRING, &to, N_ ("likewise"), N_ ("TIME") },
    { "limit", 0, 0, G_OPTION_ARG_INT, &options.limit, N_ ("so many, the newest"), N_ ("N") },
    { "plot", 0, 0, G_OPTION_ARG_NONE, &options.plot, N_ ("draw a curve"), NULL },
    { NULL, 0, 0, 0, NULL, NULL, NULL },
  };

  if (!ctl_args (ctl, entries, &argc, &argv, 0, 2))
    return ctl->status;
  if (!ctl_time (&from, &error) || !ctl_time (&to, &error))
    return ctl_fail (ctl, error);
  if (argc < 3)
    return samples_series (ctl, argc > 1 ? argv[1] : NULL);
  options.from = from;
  options.to = to;
  if (options.limit < 0)
    options.limit = from != NULL || options.plot ? 10000 : 100;
  return samples_points (ctl, argv[1], argv[2], &options);
}
