# SPDX-License-Identifier: LGPL-2.1-or-later

# FAR_CC_FLAGS(variable, flags): appends each flag that the compiler knows.
AC_DEFUN([FAR_CC_FLAGS], [
  for far_flag in m4_normalize([$2]); do
    far_saved=$CFLAGS
    CFLAGS="$CFLAGS -Werror $far_flag"
    AC_MSG_CHECKING([whether $CC knows $far_flag])
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
      [AC_MSG_RESULT([yes]); $1="$$1 $far_flag"], [AC_MSG_RESULT([no])])
    CFLAGS=$far_saved
  done
  AC_SUBST([$1])
])

# Warnings, hardening, sanitizers, coverage, fuzzers. They go into variables of their own: CFLAGS stays the user's.
AC_DEFUN([FAR_FLAGS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [warnings are errors])], [], [enable_werror=no])
  AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers], [address and undefined behaviour sanitizers; --enable-sanitizers=thread: the one of threads])],
    [], [enable_sanitizers=no])
  AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [count executed lines (gcov)])], [], [enable_coverage=no])
  AC_ARG_ENABLE([fuzzers], [AS_HELP_STRING([--enable-fuzzers], [fuzz targets with libFuzzer (needs clang); without it they replay their corpus])],
    [], [enable_fuzzers=no])

  WARN_CFLAGS= HARDEN_CPPFLAGS= HARDEN_CFLAGS= HARDEN_LDFLAGS= FUZZ_CFLAGS= FUZZ_LDFLAGS= DEFS_LDFLAGS=
  FAR_CC_FLAGS([WARN_CFLAGS], [-Wall -Wextra -Wshadow -Wmissing-prototypes -Wpointer-arith -Wwrite-strings
    -Wformat=2 -Wundef -Wvla -Wno-unused-parameter -Wno-missing-field-initializers])
  AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])

  FAR_CC_FLAGS([HARDEN_CFLAGS], [-fstack-protector-strong -fno-strict-aliasing])
  HARDEN_LDFLAGS="-Wl,-z,relro -Wl,-z,now"
  AS_IF([test "$enable_fuzzers" = yes], [
    enable_sanitizers=yes
    FAR_CC_FLAGS([FUZZ_CFLAGS], [-fsanitize=fuzzer-no-link])
    AS_IF([test -z "$FUZZ_CFLAGS"], [AC_MSG_ERROR([--enable-fuzzers needs clang: apt install clang, then ./configure CC=clang])])
    FUZZ_LDFLAGS=-fsanitize=fuzzer])
  AS_CASE([$enable_sanitizers], [yes|no|thread], [],
    [AC_MSG_ERROR([--enable-sanitizers=$enable_sanitizers: it takes no value (address and undefined behaviour), or 'thread'])])
  AS_IF([test "$enable_sanitizers" = thread], [
    HARDEN_CFLAGS="$HARDEN_CFLAGS -fsanitize=thread -fno-omit-frame-pointer -DFAR_THREAD_SANITIZER"
    HARDEN_CFLAGS="$HARDEN_CFLAGS -include `cd "$srcdir" && pwd`/build-aux/tsan-glib.h"
    HARDEN_LDFLAGS="$HARDEN_LDFLAGS -fsanitize=thread"
    AC_DEFINE([FAR_SANITIZED], [1], [built with sanitizers: memory and time limits of tests are wider])
  ], [test "$enable_sanitizers" = yes], [
    HARDEN_CFLAGS="$HARDEN_CFLAGS -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
    HARDEN_LDFLAGS="$HARDEN_LDFLAGS -fsanitize=address,undefined"
    AC_DEFINE([FAR_SANITIZED], [1], [built with sanitizers: memory and time limits of tests are wider])
  ], [
    DEFS_LDFLAGS=-Wl,-z,defs
    AS_CASE([" $CPPFLAGS $CFLAGS "], [*_FORTIFY_SOURCE*|*" -O0 "*], [], [HARDEN_CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])
  ])
  AS_IF([test "$enable_coverage" = yes], [
    HARDEN_CFLAGS="$HARDEN_CFLAGS --coverage -O0"
    HARDEN_LDFLAGS="$HARDEN_LDFLAGS --coverage"
    HARDEN_CPPFLAGS=])
  AC_SUBST([HARDEN_CPPFLAGS]) AC_SUBST([HARDEN_LDFLAGS]) AC_SUBST([DEFS_LDFLAGS])
  AC_SUBST([FUZZ_CFLAGS]) AC_SUBST([FUZZ_LDFLAGS])
  AM_CONDITIONAL([FUZZERS], [test "$enable_fuzzers" = yes])
  AS_IF([test "$enable_sanitizers" != no],
    [AC_DEFINE([FAR_CHECK_THREADS], [1], [each function of the public headers asserts that its thread tag holds])])
  AM_CONDITIONAL([SANITIZERS], [test "$enable_sanitizers" = yes])
])

# The oldest time the program can believe: SOURCE_DATE_EPOCH, the commit's time, or that of configure. Never the time of the build.
AC_DEFUN([FAR_BUILD_EPOCH], [
  AS_IF([test -n "$SOURCE_DATE_EPOCH"], [BUILD_EPOCH=$SOURCE_DATE_EPOCH],
    [BUILD_EPOCH=`git -c "safe.directory=*" -C "$srcdir" log -1 --format=%ct -- configure.ac core 2>/dev/null`])
  AS_IF([test -z "$BUILD_EPOCH"], [BUILD_EPOCH=`date -r "$srcdir/configure.ac" +%s`])
  AC_SUBST([BUILD_EPOCH])
])

# FAR_DIR(option, default, conditional): the variable has the option's name. Below the prefix, where systemd and bash look too
# (/usr, /usr/local), so that an installation into a prefix of one's own needs no root.
AC_DEFUN([FAR_DIR], [
  AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1=DIR], [default $2; no = not installed])], [], [with_$1=yes])
  AS_CASE([$with_$1], [no], [$1=], [yes|''], [$1='$2'], [$1=$with_$1])
  AC_SUBST([$1])
  AM_CONDITIONAL([$3], [test -n "$$1"])
])
AC_DEFUN([FAR_DIRS], [
  FAR_DIR([systemdsystemunitdir], [${prefix}/lib/systemd/system], [WITH_SYSTEMD])
  FAR_DIR([sysusersdir], [${prefix}/lib/sysusers.d], [WITH_SYSUSERS])
  FAR_DIR([tmpfilesdir], [${prefix}/lib/tmpfiles.d], [WITH_TMPFILES])
  FAR_DIR([bashcompletiondir], [${datadir}/bash-completion/completions], [WITH_COMPLETION])
  FAR_DIR([zshcompletiondir], [${datadir}/zsh/site-functions], [WITH_ZSH_COMPLETION])
  FAR_DIR([fishcompletiondir], [${datadir}/fish/vendor_completions.d], [WITH_FISH_COMPLETION])
])
