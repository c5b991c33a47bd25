/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header is the inside of the registry: its entries and its listeners. [main] */
#pragma once
#include <farwatch/registry.h>

G_BEGIN_DECLS

typedef struct {
  FarRegistryNode seen; /* what readers see; it points at the rest */
  char *id, *object, *from, *nonce;
  GStrv carriers;
  GHashTable *ways; /* of registry-way.c: kind of carrier → what became of it; NULL: none failed */
  gboolean stale;   /* of the writer before: not put again yet */
  GHashTable *old;  /* names of devices of the writer before, not put again yet; NULL: none */
} FarRegistryHeld;

/* NULL: not registered (id NULL ok). */
FarRegistryHeld *far_registry_held (const char *id);
/* The same, for a change by at. NULL: at is not the writer. */
FarRegistryHeld *far_registry_own (FarInstance *at, const char *id);
void far_registry_tell (FarRegistryHeld *held, FarRegistryEventKind kind, const char *device);
/* Devices of the writer before that were not put again go. */
void far_registry_devices_settle (FarRegistryHeld *held);
/* At the daemon's end: all entries go, and nobody is told. */
void far_registry_forget (void);
/* A link of any transport has come or gone. */
void far_registry_link (const char *transport, const char *peer, gboolean up, const char *from);

G_END_DECLS
