/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures: what a sensor sees, with the time and the quality of a reading. They go to who listens, who keeps
 * the bytes (blobs by their hash, farwatch/store.h) or passes them on. */
#pragma once
#include <farwatch/sample.h>

G_BEGIN_DECLS

#define FAR_PICTURE_MAX (4 * 1024 * 1024) /* bytes; a larger one is told as bad, for "too large" */

/* Borrowed for the call; image may be kept by a reference of one's own. */
typedef struct {
  const char *source; /* node id */
  /* "gate.front": instance name, dot, channel; of a device: "devices/DEVICE/gate.front" */
  const char *name;
  const char *content_type; /* "image/jpeg"; NULL where there is no image */
  GBytes *image;            /* NULL with FAR_QUALITY_BAD: there should be one, and is none */
  gint64 time_us;           /* wall, UTC */
  FarQuality quality;
  const char *reason; /* NULL, or why not good, e.g. "timeout", "stale", "black" */
} FarPicture;

/* A picture of this instance. image: kept by a reference as long as needed; NULL with FAR_QUALITY_BAD.
 * time_us 0: the tick that is being read, else now. What is too large, or of a content type that is no
 * "type/subtype" of 64 bytes at most, is told as a bad one without an image. [main] */
void far_picture_push (FarInstance *at, const char *channel, GBytes *image, const char *content_type,
                       gint64 time_us, FarQuality quality, const char *reason);

typedef void (*FarPictureFunc) (const FarPicture *picture, gpointer user);
/* Listener for all pictures of this node. [main] It is at's, and ends with it before its stop(); at NULL:
 * nobody's. Returns an id for far_picture_unlisten(); an id that has ended is fine. */
guint far_picture_listen (FarInstance *at, FarPictureFunc func, gpointer user);
void far_picture_unlisten (guint id);

G_END_DECLS
