# SPDX-License-Identifier: LGPL-2.1-or-later
#
# FAR_LIBSSH: sets far_missing when what TRANSPORT_SSH_LIBS links is not libssh on libgcrypt.
# Debian's two flavours have the same headers and the same libssh.pc, so only what the linker takes tells which it is.

AC_DEFUN([FAR_LIBSSH], [
  AC_CACHE_CHECK([which libssh is linked], [far_cv_libssh], [
    far_save_CPPFLAGS=$CPPFLAGS far_save_LIBS=$LIBS
    CPPFLAGS="$CPPFLAGS $TRANSPORT_SSH_CFLAGS" LIBS="$TRANSPORT_SSH_LIBS $LIBS"
    far_cv_libssh=none
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <libssh/libssh.h>]], [[return ssh_init ();]])],
      [far_cv_libssh=`readelf -d conftest$EXEEXT | sed -n 's/.*NEEDED.*\@<:@\(libssh.*\)\@:>@.*/\1/p'`])
    CPPFLAGS=$far_save_CPPFLAGS LIBS=$far_save_LIBS])
  AS_CASE([$far_cv_libssh], [libssh-gcrypt.so.*], [], [far_missing="libssh on libgcrypt, linked is $far_cv_libssh"])
])
