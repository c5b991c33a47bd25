/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* YAML as profiles use it: maps, lists, scalars. Every node keeps file, line and column for life, so that an
 * error hours later still names the line. No aliases, anchors, tags, second documents; bounded in bytes,
 * nodes and depth. */
#pragma once
#include <glib.h>

#define FAR_YAML_BYTES_MAX (1024 * 1024)
#define FAR_YAML_NODES_MAX 20000
#define FAR_YAML_DEPTH_MAX 32

/* A file that was read; counted, since each node refers to it. */
typedef struct {
  gint refs;
  guint rank; /* order of reading: 0 the profile, 1… the drop-ins */
  char *path; /* as it is shown */
  char *text;
  gsize size;
  GArray *open; /* guint64: line << 32 | column of values that are no secrets, NULL: none */
} FarSource;

typedef enum { FAR_YAML_SCALAR, FAR_YAML_LIST, FAR_YAML_MAP } FarYamlKind;

typedef struct _FarYaml FarYaml;
struct _FarYaml {
  FarYamlKind kind;
  gboolean plain;     /* a scalar without quotes */
  guint line, column; /* one-based, in characters */
  FarSource *source;  /* NULL: made by core (a fallback) */
  char *text;         /* of a scalar */
  GPtrArray *keys;    /* of a map: scalars, same order as items */
  GPtrArray *items;   /* of a map or list */
};

FarSource *far_source_new (const char *path, guint rank);
FarSource *far_source_ref (FarSource *source);
void far_source_unref (FarSource *source);
/* The value at the node may be shown behind a key that promises a secret: it is the name of something. */
void far_source_open (const FarYaml *node);
gboolean far_source_is_open (const FarSource *source, guint line, guint column);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarSource, far_source_unref)

/* Reads and parses; NULL when not even a tree came out. Faults are added. */
FarYaml *far_yaml_read (FarSource *source, GPtrArray *faults);
/* The same from memory: text is copied into source. */
FarYaml *far_yaml_parse (FarSource *source, const char *text, gsize size, GPtrArray *faults);
/* A plain scalar without a place. */
FarYaml *far_yaml_scalar (const char *text);
void far_yaml_free (FarYaml *node);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarYaml, far_yaml_free)

/* Value of a key, and the key's own node; NULL: not there (or no map). */
FarYaml *far_yaml_get (const FarYaml *map, const char *key);
FarYaml *far_yaml_key (const FarYaml *map, const char *key);
/* No value was written: an empty place, "~" or "null". */
gboolean far_yaml_is_nothing (const FarYaml *node);
gboolean far_yaml_equal (const FarYaml *a, const FarYaml *b); /* places do not count; NULL equals NULL */
/* Puts over into base: maps key by key, anything else is replaced; an empty value leaves a map as it is.
 * Takes over. */
void far_yaml_merge (FarYaml *base, FarYaml *over);
/* The whole below it, with its places. Caller frees. */
FarYaml *far_yaml_copy (const FarYaml *node);
/* Adds a key that the map does not have; takes both. */
void far_yaml_add (FarYaml *map, FarYaml *key, FarYaml *value);
/* Takes a key and its value out. FALSE: it is not there. */
gboolean far_yaml_take (FarYaml *map, const char *key, FarYaml **key_out, FarYaml **value_out);
/* As it may be written into one line: a, [a, b], {a: b}. Caller frees. */
char *far_yaml_flow (const FarYaml *node);
/* "a map", "a list", "text" */
const char *far_yaml_kind_name (const FarYaml *node);
/* "file:line", caller frees; "" for a node without a place. */
char *far_yaml_place (const FarYaml *node);
