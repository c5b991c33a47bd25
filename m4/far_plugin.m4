# SPDX-License-Identifier: LGPL-2.1-or-later
#
# FAR_PLUGIN(name, default, modules, text, [debian packages], [further test])
# One switch per plugin folder: --enable-NAME=auto|yes|no. The further test sets far_missing to what it did not find.
# Gives the conditional PLUGIN_NAME and the variables NAME_CFLAGS, NAME_LIBS (upper case, '-' as '_').

AC_DEFUN([FAR_ALL_PLUGINS], [
  AC_ARG_ENABLE([all-plugins],
    [AS_HELP_STRING([--enable-all-plugins], [build every plugin, fail where something is missing])
AS_HELP_STRING([--disable-all-plugins], [build only the plugins asked for by name])],
    [], [enable_all_plugins=auto])
  far_plugin_rows=
])

AC_DEFUN([FAR_PLUGIN], [
  AC_REQUIRE([FAR_ALL_PLUGINS])
  m4_pushdef([far_upper], m4_toupper(m4_translit([$1], [-], [_])))
  AC_ARG_ENABLE([$1], [AS_HELP_STRING([--enable-$1=auto|yes|no], [$4 (default: $2)])],
    [far_want=$enableval],
    [AS_CASE([$enable_all_plugins], [yes|no], [far_want=$enable_all_plugins], [far_want=$2])])
  AS_CASE([$far_want], [yes|no|auto], [], [AC_MSG_ERROR([--enable-$1 takes auto, yes or no, not '$far_want'])])
  far_missing= far_why='switched off'
  AS_IF([test "$far_want" != no], [
    m4_ifnblank([$3], [PKG_CHECK_MODULES(far_upper, [$3], [], [far_missing="$3"])])
    m4_ifnblank([$6], [AS_IF([test -z "$far_missing"], [$6])])
    AS_IF([test -n "$far_missing"], [far_why="missing: $far_missing[]m4_ifnblank([$5], [ (apt install $5)])"])
    AS_IF([test "$far_want$far_missing" = "yes$far_missing" && test -n "$far_missing"],
      [AC_MSG_ERROR([$1 was asked for, but $far_why])])])
  AS_IF([test "$far_want" != no && test -z "$far_missing"], [far_built=yes far_why='$4'], [far_built=no])
  AC_SUBST(far_upper[_CFLAGS])
  AC_SUBST(far_upper[_LIBS])
  AM_CONDITIONAL([PLUGIN_]far_upper, [test "$far_built" = yes])
  far_plugin_rows="$far_plugin_rows
$1|$far_built|$far_why"
  m4_popdef([far_upper])
])

# Ends configure: the plugins by kind, each with what it does or why it is not built.
AC_DEFUN([FAR_SUMMARY], [
  AS_ECHO(["
$PACKAGE_NAME $PACKAGE_VERSION
  prefix $prefix, plugins $plugindir
  sanitizers $enable_sanitizers, coverage $enable_coverage, fuzzers $enable_fuzzers, unit tests $have_check`test "$have_check" = yes || echo " (apt install check)"`
  plugins:"])
  AS_ECHO(["$far_plugin_rows"]) | awk -F'|' '
    NF == 3 { kind = [$]1; sub(/-.*/, "", kind)
              if (kind != last) { print "    " kind; last = kind }
              printf "      %-22s %-4s %s\n", [$]1, [$]2, [$]3 }'
])
