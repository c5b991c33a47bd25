/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* farctl restore --begin-empty: a person has seen what of a damaged store could be read, or that one is
 * missing, and the node goes on. */
#include "config.h"

#include "restore-empty.h"

#include "ctl.h"

#include <stdio.h>
#include <string.h>

#include "ctl-support/shared.h"

static int
begin_store (Ctl *ctl, const char *state, const char *store)
{
  g_autofree char *damaged = far_damage_note (state, store), *missing = far_missing_note (state, store);
  GError *error = NULL;

  if (damaged == NULL && missing == NULL)
    return ctl_fail_new (ctl, FAR_ERROR_NOT_FOUND, _ ("stores.%s was not found damaged or missing"), store);
  if (!far_damage_accept (state, store, &error))
    return ctl_fail (ctl, error);
  ctl_say ("stores.%s: %s", store, damaged != NULL ? damaged : missing);
  return CTL_OK;
}

/* The profile is only asked where the state is. */
int
restore_begin_empty (Ctl *ctl, const char *path, const char *state, const char *only)
{
  g_autoptr (GPtrArray) faults = far_faults_new ();
  g_autoptr (FarProfile) profile = far_profile_load (path, state, faults);
  g_autofree char *text = far_faults_text (faults);
  g_auto (GStrv) stores = NULL;
  GError *error = NULL;
  CtlOwner owner;
  int status = CTL_OK;

  if (only != NULL && !ctl_name_ok (only, &error))
    return ctl_fail (ctl, error);
  if (profile == NULL) {
    fputs (text, stderr);
    return CTL_PROFILE;
  }
  if (!ctl_become_owner (profile->node->state, &owner,
                         &error)) /* the notes are taken away by whose they are */
    return ctl_fail (ctl, error);
  stores = only != NULL ? g_strsplit (only, " ", 1) : far_damage_stores (profile->node->state);
  for (guint i = 0; stores[i] != NULL && status == CTL_OK; i++)
    status = begin_store (ctl, profile->node->state, stores[i]);
  ctl_become_self ();
  if (status != CTL_OK)
    return status;
  if (stores[0] == NULL)
    return ctl_fail_new (ctl, FAR_ERROR_NOT_FOUND, "%s", _ ("no store was found damaged or missing"));
  return ctl_done (ctl, json_object (), "%s",
                   _ ("what is there is what counts from now on; start the daemon anew, then look at rights, "
                      "terminals and revocations"));
}
