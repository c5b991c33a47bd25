/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plugins: found by their notes, judged, loaded at first use, resident for life. [main] */
#pragma once
#include <farwatch/plugin.h>
#include <jansson.h>

#include "profile/elf-note.h"

/* plugins: of a profile */
typedef struct {
  GStrv deny, allow; /* globs of plugin names; allow NULL or empty: all */
} FarLoaderRules;

typedef struct {
  char *path;                /* as found */
  char *file;                /* name of the resolved file less ".so" */
  FarElfNote *note;          /* NULL: it has none that can be read */
  GError *error;             /* judged bad, or does not load; NULL: good so far */
  const FarPluginInfo *info; /* loaded */
} FarPlugin;

/* Reads the notes of all files again; loaded plugins stay as they are. */
void far_loader_scan (void);
/* Where plugins are looked for: $FARWATCH_PLUGIN_DIR (a list with colons, not in a setuid program) or the
 * installed folder. */
GStrv far_loader_dirs (void);
/* Loads the plugin if need be. FAR_ERROR_NOT_FOUND: not installed; FAR_ERROR_CONFIG: it is, and cannot be
 * used. Texts name the package. */
const FarType *far_loader_type (FarKind kind, const char *name, const FarLoaderRules *rules, GError **error);
/* Plugin that brings a type, by its note; NULL: none. */
const FarPlugin *far_loader_find (FarKind kind, const char *name);
/* All found, by name; borrowed until the next scan. */
GPtrArray *far_loader_plugins (void);
/* Types of a kind that are installed, by their notes; container to be freed, words borrowed until the next
 * scan. */
GPtrArray *far_loader_types (FarKind kind);
/* "farwatch-plugin-sensor-modbus"; caller frees. */
char *far_loader_package (FarKind kind, const char *name);
/* [{"name","path","version","abi","types","libs","state":"loaded|found|bad","cause"}] */
json_t *far_loader_json (void);
