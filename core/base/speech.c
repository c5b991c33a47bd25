/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file sets the language of a program: a program that a person started speaks the person's, a daemon
 * speaks none but that of its message ids. Both calls are made before the first thread. */
#include "config.h"

#include "base/speech.h"

#include <locale.h>
#include <stdlib.h>

#include <farwatch/i18n.h>

void
far_locale_of_person (void)
{
  const char *folder = secure_getenv ("FARWATCH_LOCALE_DIR");

  setlocale (LC_ALL, "");
  bindtextdomain (FAR_GETTEXT_DOMAIN, folder != NULL ? folder : FAR_LOCALE_DIR);
}

void
far_locale_of_daemon (void)
{
  setlocale (LC_ALL, "C");
  setlocale (LC_CTYPE, "");
}
