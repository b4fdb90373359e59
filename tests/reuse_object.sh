#!/usr/bin/env bash
# A compiler launcher for a copy of the tree: objects that LIST names are taken from BUILD, all others are compiled.
#   reuse_object.sh BUILD LIST compiler ... -MF DEPENDENCIES ... -o OBJECT
set -euo pipefail
build=$1 list=$2
shift 2
object="" words=("$@")
for ((i = 0; i + 1 < ${#words[@]}; ++i)); do
  case ${words[i]} in
    -MF) dependencies=${words[i + 1]} ;;
    -o) object=${words[i + 1]} ;;
  esac
done
[[ -n $object ]] && grep -qxF -- "$object" "$list" || exec "$@"

echo "$object:" > "$dependencies"
# The lines that nvcc printed about its kernels, printed again (kernels/device/cuda/keep_resources.sh).
if [[ -e $build/$object.resources ]]; then sed 1d "$build/$object.resources" >&2; fi
exec cp "$build/$object" "$object"
