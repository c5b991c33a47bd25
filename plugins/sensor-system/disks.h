/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Room of file systems. Any of them may hang (a server that is gone, a dying disk), so they are asked on a
 * executor, never on main. */
#pragma once
#include <farwatch/plugin.h>

#define DISKS_MAX 16

typedef struct {
  char *mount;
  char *fault; /* why there are no numbers; NULL: there are */
  double used; /* percent, as df says */
  gint64 free; /* bytes that others than root can still write */
} DiskReading;

/* Result: GPtrArray of DiskReading. executor: one for each sensor, so that one that hangs holds up no other.
 * [main] */
void disks_ask (const char *executor, char *const *mounts, FarRequest *req);
