# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Completion of farctl. The words come from farctl itself, so that they are those of the version that is installed.
# The program is the one of PATH: what was typed may be a file of somebody else's folder, and nobody has started it yet.
_farctl() {
  local words=() word=${COMP_WORDS[COMP_CWORD]} whole reply i status=0
  # bash takes HOST:PORT and --option=VALUE apart
  for ((i = 1; i <= COMP_CWORD; i++)); do
    if ((${#words[@]})) && [[ ${COMP_WORDS[i]} == [:=]* || ${words[-1]} == *[:=] ]]; then
      words[-1]+=${COMP_WORDS[i]}
    else
      words+=("${COMP_WORDS[i]}")
    fi
  done
  whole=${words[-1]}
  [[ $word != [:=] ]] || word=
  reply=$(command farctl --complete "${words[@]}" 2>/dev/null) || status=$?
  COMPREPLY=()
  if [ "$status" -eq 1 ]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  elif [ -n "$reply" ]; then
    mapfile -t COMPREPLY <<<"$reply"
    COMPREPLY=("${COMPREPLY[@]#"${whole%"$word"}"}")
    [[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != */ ]] || compopt -o nospace 2>/dev/null
  fi
}
complete -F _farctl farctl
