/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accounts that are registered at a SIP registrar. */
#include "config.h"

#include "ctl.h"

int
ctl_registrations (Ctl *ctl, int argc, char **argv)
{
  static const CtlColumn columns[] = {
    { N_ ("ACCOUNT"), "account", CTL_TEXT },
    { N_ ("TRANSPORT"), "transport", CTL_TEXT },
    { N_ ("FROM"), "address", CTL_TEXT },
    { N_ ("SINCE"), "since", CTL_TIME },
    { N_ ("SEEN"), "seen", CTL_TIME },
    { N_ ("EXPIRES"), "expires", CTL_TIME },
    { NULL, NULL, 0 },
  };
  GError *error = NULL;
  json_t *list;
  if (!ctl_words (ctl, &argc, &argv, 0, 0))
    return ctl->status;
  list = ctl_list (ctl, "registrations", "registrations", "", 0, &error);
  if (list == NULL)
    return ctl_fail (ctl, error);
  if (ctl->json)
    ctl_json (list);
  else
    ctl_table (json_object_get (list, "registrations"), columns, _ ("no registrations"));
  json_decref (list);
  return CTL_OK;
}
