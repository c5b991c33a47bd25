/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon looks at itself (GET doctor); what cannot be asked because it does not run is looked at from
 * here. */
#include "config.h"

#include "ctl.h"
#include "translate.h"

#include <stdio.h>
#include <string.h>

#include <farwatch/clock.h>

#include "ctl-support/shared.h"

static gboolean
doctor_is_bad (json_t *findings)
{
  for (gsize i = 0; i < json_array_size (findings); i++)
    if (g_strcmp0 (json_string_value (json_object_get (json_array_get (findings, i), "level")), "bad") == 0)
      return TRUE;
  return FALSE;
}

static void
doctor_print (json_t *findings)
{
  for (gsize i = 0; i < json_array_size (findings); i++) {
    json_t *finding = json_array_get (findings, i);
    const char *next = ctl_translated (json_string_value (json_object_get (finding, "next")));

    ctl_print (stdout, "%-5s %-14s %s%s%s\n", json_string_value (json_object_get (finding, "level")),
               json_string_value (json_object_get (finding, "what")),
               ctl_translated (json_string_value (json_object_get (finding, "text"))),
               next != NULL ? "; " : "", next != NULL ? next : "");
  }
}

int
ctl_doctor (Ctl *ctl, int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  json_t *answer, *findings;
  gboolean bad, reached;

  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  answer = ctl_call (ctl, "GET", "doctor", NULL, &error);
  reached = answer != NULL;
  if (!reached) {
    answer = json_object ();
    findings = json_array ();
    far_doctor_add (findings, FAR_DOCTOR_BAD, "daemon", error->message, NULL);
    far_doctor_machine (findings);
    json_object_set_new (answer, "findings", findings);
  }
  findings = json_object_get (answer, "findings");
  bad = doctor_is_bad (findings);
  if (ctl->json)
    ctl_json (answer);
  else
    doctor_print (findings);
  json_decref (answer);
  if (!reached && ctl->fd < 0)
    return CTL_UNREACHABLE;
  return bad ? CTL_FAILED : CTL_OK;
}
