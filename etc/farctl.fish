# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of farctl. The words come from farctl itself, so that they are those of the version that is installed.
function __farctl_complete
    set -l words (commandline -opc)
    set -l cursor (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    $program --complete $words "$cursor" 2>/dev/null
    if test $status -eq 1
        __fish_complete_path "$cursor"
    end
end
complete -c farctl -f -a '(__farctl_complete)'
