/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include "loader.h"

/* Before its code runs: ABI and name = file name. Sets plugin->error. */
void far_judge_note (FarPlugin *plugin);
/* dlopen, the table against the note, resident. NULL: error. */
const FarPluginInfo *far_judge_load (const char *path, const FarNote *note, GError **error);
