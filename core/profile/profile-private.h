/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How profile.c is cut: sections that core reads itself, instances, references. */
#pragma once
#include "profile/option-check.h"
#include "profile/profile.h"

/* A section; NULL where it is not written or empty. */
const FarYaml *far_profile_section (const FarProfile *profile, const char *name);
/* node: and plugins: */
void far_profile_read_node (FarProfile *profile, const char *state, GPtrArray *faults);
void far_profile_read_plugins (FarProfile *profile, GPtrArray *faults);
/* devices: and rights:; refs are added. */
void far_profile_read_devices (FarProfile *profile, GPtrArray *refs, GPtrArray *faults);
void far_profile_read_rights (FarProfile *profile, GPtrArray *faults);
/* The sections of the kinds. refs: FarRef in the order of instances, `owner` told by its index. */
void far_profile_read_instances (FarProfile *profile, GPtrArray *refs, GPtrArray *faults);

/* Loads the type and checks the options of one. */
void far_profile_read_instance (FarProfile *profile, FarConfigured *configured, GPtrArray *refs,
                                GPtrArray *faults);

/* "service 'fleet' (type fleet)", for messages; caller frees. */
char *far_profile_what (FarKind kind, const char *name, const char *type);

/* What older profiles say otherwise is brought into today's form, in the profile's tree, with a warning (a
 * FORMER fault) for each. In the section of a kind, before its instances are read: options of what has become
 * a type of its own go to the instance of that, which is added if there is none. */
void far_profile_former_splits (FarProfile *profile, FarKind kind, GPtrArray *faults);
/* In one instance, before its options are checked: keys that have another name now. */
void far_profile_former_keys (FarProfile *profile, FarConfigured *configured, GPtrArray *faults);

/* Two services that answer the same request, in the order of the file. */
void far_profile_check_requests (const FarProfile *profile, GPtrArray *faults);

/* Options of several services that must agree (FAR_OPT_SAME), in the order of the file. */
void far_profile_check_same (const FarProfile *profile, GPtrArray *faults);

/* Who refers: an instance, or NULL for a device. */
typedef struct {
  FarConfigured *owner;
  char *what;
  GPtrArray *refs; /* of FarRef */
} FarRefs;
FarRefs *far_refs_new (FarConfigured *owner, const char *what);
void far_refs_free (FarRefs *refs);
/* No path leads to what something else writes; instances have their options. */
void far_profile_check_paths (const FarProfile *profile, GPtrArray *faults);
/* Resolves names, finds loops, sorts the instances. */
void far_profile_resolve (FarProfile *profile, GPtrArray *refs, GPtrArray *faults);
