/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares the judgement of plugins, apart from the loader, which finds them. [main] */
#pragma once
#include "profile/loader.h"

/* Before its code runs: ABI and name = file name. Sets plugin->error. */
void far_plugin_validate_note (FarPlugin *plugin);
/* dlopen, the table against the note, resident. NULL: error. */
const FarPluginInfo *far_plugin_validate_load (const char *path, const FarElfNote *note, GError **error);
/* Sets why no plugin that is installed has the type: another kind has it, a name that is nearly the same, a
 * plugin of that name that holds other types, or the package to be installed. */
void far_plugin_validate_absent (FarKind kind, const char *name, GError **error);
