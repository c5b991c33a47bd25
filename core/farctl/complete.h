/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This header declares completion: what may stand at the cursor, for the shells' scripts. */
#pragma once
#include "ctl.h"

/* Adds what the slot of a command's words may be: "SESSION", "TERMINAL/DEVICE", "ports|stream". Names come
 * from the node that is asked; it says nothing when it cannot be asked. TRUE: names of files are meant. */
gboolean
ctl_complete_slot (Ctl *ctl, const CtlCommand *command, const char *slot, const char *prefix, GPtrArray *to);
/* A word, once, if it begins so and no shell could take it for anything but text. */
void ctl_complete_add (GPtrArray *to, const char *prefix, const char *word);
