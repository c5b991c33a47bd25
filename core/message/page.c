/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists in pages (messages.md): which rows stand in one, and where the next begins. */
#include "config.h"

#include <farwatch/message.h>
#include <farwatch/thread.h>

#include <string.h>

#define PAGE_ROOM (FAR_BODY_MAX - 2048) /* for what stands beside the list */

gboolean
far_page_add (json_t *list, gsize *size, json_t *row)
{
  FAR_ON_MAIN ();
  gsize more = json_dumpb (row, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) + 1;

  if (json_array_size (list) > 0 && *size + more > PAGE_ROOM)
    return FALSE;
  *size += more;
  json_array_append (list, row);
  return TRUE;
}

void
far_page_begin (FarPage *page, const FarCall *call, guint most, gsize beside)
{
  FAR_ON_MAIN ();
  const char *limit = json_string_value (json_object_get (call->query, "limit"));
  guint64 fewer;

  *page = (FarPage){ .list = json_array (),
                     .after = json_string_value (json_object_get (call->query, "after")),
                     .limit = most,
                     .size = beside };
  if (limit != NULL && g_ascii_string_to_unsigned (limit, 10, 1, most, &fewer, NULL))
    page->limit = (guint) fewer;
}

/* One that has the place of the row before it belongs to that: between the two no page can end. */
static gboolean
page_goes_on (const FarPage *page, const char *place)
{
  return page->last != NULL && strcmp (page->last, place) == 0;
}

gboolean
far_page_wants (FarPage *page, const char *place)
{
  FAR_ON_MAIN ();
  if (page->next != NULL || (page->after != NULL && strcmp (place, page->after) <= 0))
    return FALSE;
  if (json_array_size (page->list) >= page->limit && !page_goes_on (page, place))
    page->next = page->last;
  return page->next == NULL;
}

void
far_page_take (FarPage *page, const char *place, json_t *row)
{
  FAR_ON_MAIN ();
  if (page_goes_on (page, place))
    json_array_append (page->list, row);
  else if (far_page_add (page->list, &page->size, row))
    page->last = place;
  else
    page->next = page->last;
  json_decref (row);
}
