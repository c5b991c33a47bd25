/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file brings pictures from sensors to who listens, within their bounds. */
#include "config.h"

#include <farwatch/i18n.h>
#include <farwatch/picture.h>
#include <farwatch/thread.h>

#include <string.h>

#include "base/node-part.h"
#include "data/listener.h"
#include "data/sample-private.h"

#define TYPE_MAX 64

static void
picture_listeners_clear (gpointer part)
{
  far_listeners_clear (part);
}

static FarListeners *
picture_listeners (void)
{
  static const FarNodePart part = { FAR_PART_PICTURE, sizeof (FarListeners), NULL, picture_listeners_clear };

  return far_node_part (&part);
}

guint
far_picture_listen (FarInstance *at, FarPictureFunc func, gpointer user)
{
  FAR_ON_MAIN ();
  return far_listeners_add (picture_listeners (), at, (FarListenerFunc) func, user);
}

void
far_picture_unlisten (guint id)
{
  FAR_ON_MAIN ();
  far_listeners_remove (picture_listeners (), id);
}

static void
picture_listener_call (FarListenerFunc func, gconstpointer picture, gpointer user)
{
  ((FarPictureFunc) func) (picture, user);
}

/* "type/subtype", as RFC 6838 has them. */
static gboolean
picture_type_ok (const char *type)
{
  const char *slash = type != NULL ? strchr (type, '/') : NULL;
  gsize n = type != NULL
                ? strspn (type, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&^_.+-/")
                : 0;

  return slash != NULL && slash > type && slash[1] != '\0' && strchr (slash + 1, '/') == NULL &&
         n <= TYPE_MAX && type[n] == '\0';
}

/* What is wrong with it, as the word that stands as its reason; NULL: nothing. */
static const char *
picture_fault (const FarPicture *picture)
{
  if (picture->image == NULL)
    return picture->quality == FAR_QUALITY_BAD ? NULL : "no image";
  if (g_bytes_get_size (picture->image) == 0)
    return "empty";
  if (g_bytes_get_size (picture->image) > FAR_PICTURE_MAX)
    return "too large";
  return picture_type_ok (picture->content_type) ? NULL : "content type";
}

void
far_picture_push (FarInstance *at, const char *channel, GBytes *image, const char *content_type,
                  gint64 time_us, FarQuality quality, const char *reason)
{
  FAR_ON_MAIN ();
  g_autofree char *name = far_series_name (at, channel);
  FarPicture picture = { .source = far_node_id (),
                         .name = name,
                         .content_type = content_type,
                         .image = image,
                         .time_us = time_us != 0 ? time_us : far_sensor_tick_us (at),
                         .quality = quality,
                         .reason = reason };
  const char *fault = picture_fault (&picture);

  if (fault != NULL) {
    far_log_limited (at, "picture",
                     _ ("a picture of '%s' is left out: %s (at most %d KiB, with its content type)"), channel,
                     fault, FAR_PICTURE_MAX / 1024);
    picture.image = NULL;
    picture.quality = FAR_QUALITY_BAD;
    picture.reason = fault;
  }
  if (picture.image == NULL)
    picture.content_type = NULL;
  far_listeners_tell (picture_listeners (), picture_listener_call, &picture);
}
