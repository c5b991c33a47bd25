/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* This file has the version of the library in one place that configure fills; programs ask it instead of
 * having a copy of their own. */
#include "config.h"

#include <farwatch/version.h>

const char *
far_version (void)
{
  return PACKAGE_VERSION;
}
