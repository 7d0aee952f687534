#!/usr/bin/env bash
# Links as rustc asks, but so that nothing follows the place of the build, and with a map.
#
# A PDB keeps the linker's command line and the path of all that it read, and the image keeps a hash
# of its PDB. So the linker is told paths from the workspace on, where rustc runs it for members, and
# takes the workspace for /ntwatch. The exports' definitions, which rustc writes to a directory with a
# random name, get a name of their own.
#
# N.B. cargo does not notice a change here. Link anew by touching a source of each image.
set -euo pipefail

arguments=("${@//"$PWD/"/}")
for argument in "${arguments[@]}"; do
    if [[ $argument == /OUT:* ]]; then
        definitions=${argument#/OUT:}.def
    fi
done
for i in "${!arguments[@]}"; do
    if [[ ${arguments[i]} == /DEF:* ]]; then
        cp "${arguments[i]#/DEF:}" "$definitions"
        arguments[i]=/DEF:$definitions
    fi
done
exec -a lld-link "$NTWATCH_LLD" "${arguments[@]}" /MAP /PDBSOURCEPATH:/ntwatch
