#compdef farctl
# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of farctl. The words come from farctl itself, so that they are those of the version that is installed.
# The program is the one of PATH: what was typed may be a file of somebody else's folder, and nobody has started it yet.
_farctl() {
  local text
  local -a reply
  integer found
  text=$(command farctl --complete "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)
  found=$?
  if (( found == 1 )); then
    _files
    return
  fi
  reply=("${(@f)text}")
  reply=(${reply:#})
  (( $#reply )) || return 1
  compadd -S '' -- ${(M)reply:#*/}
  compadd -- ${reply:#*/}
}
if [ "$funcstack[1]" = _farctl ]; then
  _farctl "$@"
else
  compdef _farctl farctl
fi
