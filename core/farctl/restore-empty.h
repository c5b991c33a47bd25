/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Only with what is there, which may be nothing. */
#pragma once
#include "ctl.h"

/* path: the profile, only asked where the state is; state: elsewhere, or NULL; only: one store, NULL for all.
 * Returns the exit code. */
int restore_begin_empty (Ctl *ctl, const char *path, const char *state, const char *only);
