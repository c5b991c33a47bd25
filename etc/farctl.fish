# SPDX-License-Identifier: LGPL-2.1-or-later
# Completion of farctl. The words come from farctl itself, so that they are those of the version that is installed.
# The program is the one of PATH: what was typed may be a file of somebody else's folder, and nobody has started it yet.
function __farctl_complete
    set -l words (commandline -opc)
    set -l cursor (commandline -ct)
    set -e words[1]
    command farctl --complete $words "$cursor" 2>/dev/null
    if test $status -eq 1
        __fish_complete_path "$cursor"
    end
end
complete -c farctl -f -a '(__farctl_complete)'
