/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* GET samples: which series there are (with their newest value if asked for), or the points of one. */
#include "config.h"

#include "intake.h"

#include <math.h>
#include <string.h>

#define ANSWER_SIZE (28 * 1024) /* room for the frame around it */
#define LIMIT_MAX 1000
#define LATEST_TEXT 80
#define LATEST_MAX 64   /* series of one answer with values */
#define LATEST_SIZE 160 /* what such a value takes */

static const char *
query_text (FarCall *call, const char *name)
{
  return json_string_value (json_object_get (call->query, name));
}

/* What a source's values belong to, if they are of no device. */
static char *
source_object (const char *source)
{
  return strcmp (source, far_node_id ()) == 0 ? g_strdup ("node") : g_strconcat ("terminals/", source, NULL);
}

/* Values of a device are for who may see the device, or all that its node measures; others for the latter
 * alone. */
static gboolean
series_visible (const FarPrincipal *principal, const char *source, const char *name)
{
  g_autofree char *whole = source_object (source), *device = far_series_device (name);
  g_autofree char *object = device != NULL ? g_strdup_printf ("terminals/%s/devices/%s", source, device)
                                           : NULL;

  return far_authorize_see (principal, whole) || (object != NULL && far_authorize_see (principal, object));
}

/* Has the principal a right to the source, or to something of it? */
static gboolean
source_visible (const FarPrincipal *principal, const char *source)
{
  g_autofree char *whole = source_object (source), *terminal = g_strconcat ("terminals/", source, NULL);

  return far_authorize_see (principal, whole) || far_visible (principal, terminal);
}

/* ---- points ---- */

/* In lists a long text is cut, between characters. */
static json_t *
text_json (const char *text, gsize max)
{
  g_autofree char *cut = NULL;

  if (strlen (text) <= max)
    return json_string (text);
  cut = g_strndup (text, (gsize) (g_utf8_find_prev_char (text, text + max + 1) - text));
  return json_string (cut);
}

static json_t *
intake_samples_value_json (const FarPoint *point, gsize max)
{
  switch (point->type) {
  case FAR_VALUE_F64:
    return isfinite (point->f64) ? json_real (point->f64)
                                 : json_string (isnan (point->f64) ? "NaN"
                                                : point->f64 > 0   ? "Inf"
                                                                   : "-Inf");
  case FAR_VALUE_I64:
    return json_integer (point->i64);
  case FAR_VALUE_BOOL:
    return json_boolean (point->i64 != 0);
  case FAR_VALUE_TEXT:
    return text_json (point->text, max);
  default:
    return json_null ();
  }
}

static json_t *
point_json (const FarPoint *point, gsize max)
{
  static const char *const qualities[] = { "good", "uncertain", "bad" };
  g_autofree char *time = far_clock_format (point->time_us);

  return json_pack ("{s:s, s:o, s:s}", "time", time, "value", intake_samples_value_json (point, max),
                    "quality", qualities[point->quality]);
}

static gsize
json_size (json_t *value)
{
  return json_dumpb (value, NULL, 0, JSON_COMPACT) + 1;
}

/* The newest, until the answer has as many or is full, oldest first: what stands in the next page is older
 * than the first, to the microsecond. */
static json_t *
points_json (GArray *points, guint limit)
{
  json_t *list = json_array ();
  g_autofree char *next = NULL;
  gsize size = 0;
  gboolean more = FALSE;
  guint i;

  for (i = points->len; i > 0 && !more; i--) {
    const FarPoint *point = &g_array_index (points, FarPoint, i - 1);
    json_t *json = point_json (point, G_MAXUINT16);

    size += json_size (json);
    more = json_array_size (list) > 0 && (size > ANSWER_SIZE || json_array_size (list) >= limit);
    if (!more)
      json_array_insert (list, 0, json);
    json_decref (json);
  }
  if (more) /* the one at i has no room */
    next = g_strdup_printf ("%" G_GINT64_FORMAT, g_array_index (points, FarPoint, i + 1).time_us);
  return json_pack ("{s:o, s:s?}", "points", list, "next", next);
}

typedef struct {
  FarCall *call;
  guint limit;
} PointsAnswer;

static void
points_done (FarRequest *req, gpointer data)
{
  g_autofree PointsAnswer *answer = data;
  const GError *error = far_request_error (req);

  if (error != NULL)
    far_call_fail (answer->call, g_error_copy (error));
  else
    far_call_answer (answer->call, 200, points_json (far_request_result (req), answer->limit));
}

static gboolean
query_time (FarCall *call, const char *name, gint64 fallback, gint64 *time_us, GError **error)
{
  const char *text = query_text (call, name);

  *time_us = fallback;
  if (text == NULL || far_clock_parse (text, time_us, error))
    return TRUE;
  g_prefix_error (error, "%s: ", name);
  return FALSE;
}

/* The place of a page of points. */
static gboolean
query_after (FarCall *call, gint64 *before_us, GError **error)
{
  const char *text = query_text (call, "after");

  *before_us = G_MAXINT64;
  if (text == NULL || g_ascii_string_to_signed (text, 10, G_MININT64, G_MAXINT64, before_us, NULL))
    return TRUE;
  g_set_error_literal (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("after: what the page before told as `next`"));
  return FALSE;
}

static gboolean
query_limit (FarCall *call, guint *limit, GError **error)
{
  const char *text = query_text (call, "limit");
  guint64 value = 100;

  if (text != NULL && !g_ascii_string_to_unsigned (text, 10, 1, LIMIT_MAX, &value, NULL)) {
    g_set_error (error, FAR_ERROR, FAR_ERROR_INVALID, _ ("limit: a number from 1 to %d"), LIMIT_MAX);
    return FALSE;
  }
  *limit = (guint) value;
  return TRUE;
}

static const char *
store_of (FarInstance *at)
{
  return ((const IntakeOptions *) far_instance_options (at))->store;
}

/* One more than is asked for tells whether there are others. */
static void
intake_samples_points (FarInstance *at, FarCall *call, const char *source, const char *name)
{
  gint64 from, to, after;
  guint limit;
  GError *error = NULL;
  PointsAnswer *answer;

  if (!query_time (call, "from", G_MININT64, &from, &error) ||
      !query_time (call, "to", G_MAXINT64, &to, &error) || !query_after (call, &after, &error) ||
      !query_limit (call, &limit, &error)) {
    far_call_fail (call, error);
    return;
  }
  answer = g_new (PointsAnswer, 1);
  *answer = (PointsAnswer){ call, limit };
  far_store_samples (store_of (at), source, name, from, MIN (to, after), limit + 1,
                     far_request_of (at, points_done, answer, g_free, 0));
}

/* ---- series ---- */

typedef struct {
  FarInstance *at;
  FarCall *call;
  json_t *list;
  char *next; /* where the next page begins; NULL: this is the last */
  guint open; /* questions for a newest value under way */
} SeriesAnswer;

typedef struct {
  SeriesAnswer *answer;
  json_t *entry; /* borrowed from the list */
} LatestOf;

static void
series_free (gpointer data)
{
  SeriesAnswer *answer = data;

  json_decref (answer->list);
  g_free (answer->next);
  g_free (answer);
}

static void
series_finish (SeriesAnswer *answer)
{
  if (answer->open > 0)
    return;
  far_call_answer (answer->call, 200,
                   json_pack ("{s:O, s:s?}", "series", answer->list, "next", answer->next));
  series_free (answer);
}

static void
latest_dropped (gpointer data)
{
  LatestOf *latest = data;

  if (--latest->answer->open == 0)
    series_free (latest->answer);
  g_free (latest);
}

static void
latest_done (FarRequest *req, gpointer data)
{
  LatestOf *latest = data;
  GArray *points = far_request_error (req) == NULL ? far_request_result (req) : NULL;

  if (points != NULL && points->len > 0)
    json_object_set_new (latest->entry, "latest",
                         point_json (&g_array_index (points, FarPoint, 0), LATEST_TEXT));
  latest->answer->open--;
  series_finish (latest->answer);
  g_free (latest);
}

static void
series_ask_latest (SeriesAnswer *answer)
{
  json_t *entry;
  size_t i;

  answer->open = 1; /* ours, so that no early answer ends it */
  json_array_foreach (answer->list, i, entry) {
    LatestOf *latest = g_new (LatestOf, 1);

    latest->answer = answer;
    latest->entry = entry;
    answer->open++;
    far_store_samples (store_of (answer->at), json_string_value (json_object_get (entry, "source")),
                       json_string_value (json_object_get (entry, "name")), G_MININT64, G_MAXINT64, 1,
                       far_request_of (answer->at, latest_done, latest, latest_dropped, 0));
  }
  answer->open--;
  series_finish (answer);
}

/* Its place in the order of the list. */
static char *
series_place (const FarSeriesInfo *info)
{
  return g_strconcat (info->source, "/", info->name, NULL);
}

static int
intake_samples_series_order (gconstpointer a, gconstpointer b)
{
  g_autofree char *x = series_place (*(const FarSeriesInfo *const *) a),
                  *y = series_place (*(const FarSeriesInfo *const *) b);

  return strcmp (x, y);
}

static json_t *
series_json (const FarSeriesInfo *info)
{
  g_autofree char *device = far_series_device (info->name);

  return json_pack ("{s:s, s:s, s:s, s:s*}", "source", info->source, "name", info->name, "unit", info->unit,
                    "device", device);
}

static void
series_fill (SeriesAnswer *answer, GPtrArray *infos, gboolean latest)
{
  g_autoptr (GPtrArray) places = g_ptr_array_new_with_free_func (g_free);
  FarPage page;

  g_ptr_array_sort (infos, intake_samples_series_order);
  far_page_begin (&page, answer->call, latest ? LATEST_MAX : G_MAXUINT16,
                  latest ? LATEST_MAX * LATEST_SIZE : 0);
  for (guint i = 0; i < infos->len && page.next == NULL; i++) {
    const FarSeriesInfo *info = infos->pdata[i];
    char *place = series_place (info);

    g_ptr_array_add (places, place);
    if (series_visible (answer->call->principal, info->source, info->name) && far_page_wants (&page, place))
      far_page_take (&page, place, series_json (info));
  }
  answer->list = page.list;
  answer->next = g_strdup (page.next);
}

static void
series_done (FarRequest *req, gpointer data)
{
  SeriesAnswer *answer = data;
  const GError *error = far_request_error (req);
  gboolean latest = query_text (answer->call, "latest") != NULL;

  if (error != NULL) {
    far_call_fail (answer->call, g_error_copy (error));
    series_free (answer);
    return;
  }
  series_fill (answer, far_request_result (req), latest);
  if (latest)
    series_ask_latest (answer);
  else
    series_finish (answer);
}

static void
intake_samples_series (FarInstance *at, FarCall *call, const char *source)
{
  SeriesAnswer *answer = g_new0 (SeriesAnswer, 1);

  answer->at = at;
  answer->call = call;
  far_store_series (store_of (at), source, far_request_of (at, series_done, answer, series_free, 0));
}

void
intake_samples (gpointer data, FarCall *call)
{
  FarInstance *at = ((Intake *) data)->at;
  const char *source = query_text (call, "source"), *name = query_text (call, "name");

  if (source != NULL && !source_visible (call->principal, source))
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND,
                       _ ("no terminal '%s' (or you may not see it); see: farctl terminals"), source);
  else if (name == NULL)
    intake_samples_series (at, call, source);
  else if (source != NULL && !series_visible (call->principal, source, name))
    far_call_fail_new (call, FAR_ERROR_NOT_FOUND, _ ("no series '%s' of '%s', or no right to see it"), name,
                       source);
  else if (source != NULL)
    intake_samples_points (at, call, source, name);
  else
    far_call_fail_new (call, FAR_ERROR_INVALID, _ ("samples: name wants source too"));
}
