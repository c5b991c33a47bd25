/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include <farwatch/version.h>

int
main (int argc, char **argv)
{
  if (argc == 2 && strcmp (argv[1], "--version") == 0) {
    g_print ("farctl %s\n", far_version ());
    return 0;
  }
  g_printerr ("usage: farctl --version\n");
  return 64;
}
