/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <farwatch/version.h>

const char *
far_version (void)
{
  return PACKAGE_VERSION;
}
