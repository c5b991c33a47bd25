/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection: bytes at an I/O thread, messages on the main context. */
#pragma once
#include <farwatch/plugin.h>

typedef struct _Wire Wire;

typedef struct {
  void (*message) (gpointer owner, FarMessage *message); /* [main] borrowed */
  void (*down) (gpointer owner, const char *cause);      /* [main] once; the wire is gone */
} WireFuncs;

/* Takes fd. [main] */
Wire *wire_new (int fd, const WireFuncs *funcs, gpointer owner);
/* [main] Until down() has been called. */
void wire_send (Wire *wire, const FarMessage *message);
/* [main] Ends it; nothing is told any more. */
void wire_close (Wire *wire);
