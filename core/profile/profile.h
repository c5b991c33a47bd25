/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A profile: one YAML file and its drop-ins (FILE.d, files NAME.yaml in lexical order, later wins per key),
 * checked whole against the option tables of the plugins. It keeps its tree for life, so whatever goes wrong
 * later can name file and line. [main] */
#pragma once
#include <farwatch/plugin.h>
#include <jansson.h>

#include "profile/fault.h"
#include "profile/loader.h"
#include "profile/tree.h"

/* One instance as it is written. */
typedef struct {
  FarKind kind;
  char *name, *path;        /* "boiler", "sensors.boiler" */
  const FarYaml *key, *map; /* of the profile's tree */
  const char *type_name;    /* "" if it was not written */
  const FarType *type;      /* NULL: the type is missing */
  char *missing;            /* why */
  gboolean on_demand;       /* start: on-demand */
  gconstpointer options;    /* filled; NULL without type */
  GPtrArray *refs;          /* of FarConfigured *: what its options name */
} FarConfigured;

typedef struct {
  char *id, *state, *control; /* state is absolute */
  gboolean trim;
} FarNodeOptions;

typedef struct {
  gint refs;
  char *path;
  GPtrArray *sources; /* of FarSource */
  FarYaml *tree;      /* drop-ins merged */
  const FarNodeOptions *node;
  gboolean state_given; /* the state is not that of the file */
  /* plugins of on-demand instances were not loaded: their options are not checked */
  gboolean lazy;
  gboolean has_on_demand;
  FarLoaderRules rules;
  /* of FarConfigured, in the order of starting: what is referred to comes first */
  GPtrArray *instances;
  GPtrArray *devices; /* of FarDevice */
  json_t *rights;     /* list of objects, each with an id */
  GStrv former;       /* "FILE:LINE: message" of what is written as older profiles were */
} FarProfile;

/* Reads and checks. Faults are added, in the order of files and lines; NULL if there was an error among them.
 * state: replaces node.state. */
FarProfile *far_profile_load (const char *path, const char *state, GPtrArray *faults);
/* The same, but plugins that only on-demand instances need are left out of memory. For a profile that was
 * checked whole before, by another process. */
FarProfile *far_profile_load_lazy (const char *path, const char *state, GPtrArray *faults);
/* Type and options of an on-demand instance of a lazy profile; FAR_ERROR_CONFIG with the first fault. */
gboolean far_profile_complete (FarProfile *profile, FarConfigured *configured, GError **error);
/* Only checks. TRUE: it may be started. */
gboolean far_profile_check (const char *path, GPtrArray *faults);
FarProfile *far_profile_ref (FarProfile *profile);
void far_profile_unref (FarProfile *profile);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FarProfile, far_profile_unref)

/* Tables that a service may not repeat, ending with NULL; borrowed. */
void far_profile_set_own_requests (const FarHandler *const *tables);

FarConfigured *far_profile_find (const FarProfile *profile, const char *path);
/* [{"path","type","package"}]: what the role lacks. */
json_t *far_profile_missing (const FarProfile *profile);
/* {"sensors.boiler.interval": {"value":…, "origin":"file:line" | "default"}} */
json_t *far_profile_effective (const FarProfile *profile);
/* Summary, options and so on of a type, for `farctl describe`. */
json_t *far_type_json (const FarType *type);
