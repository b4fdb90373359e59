#!/usr/bin/env bash
# Fails if clang-format would change a C++ or CUDA file. Versions of clang-format differ, so one is chosen: 14, of Debian 12.
# Without it exits 77, which ctest shows as skipped.
#   check_format.sh [ROOT]    checks the tree
#   check_format.sh --test    checks this script: it must find a violation planted in a tree of its own
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

format=""
for candidate in clang-format-14 clang-format; do
  if [[ $("$candidate" --version 2>/dev/null) == *"version 14."* ]]; then
    format=$candidate
    break
  fi
done
if [[ -z $format ]]; then
  echo "SKIPPED: needs clang-format 14"
  exit 77
fi

check() {
  cd "$1"
  local files
  mapfile -t files < <(find apps data engine kernels models tests -name '*.h' -o -name '*.cpp' -o -name '*.cu' -o -name '*.cuh')
  printf '%s\n' "${files[@]}" | xargs --max-procs "$(nproc)" --max-args 40 "$format" --dry-run --Werror --ferror-limit=1 || return 1
  echo "${#files[@]} files are formatted"
}

if [[ ${1:-} == --test ]]; then
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  mkdir "$tree"/{apps,data,engine,kernels,models,tests}
  cp "$here/../../.clang-format" "$tree"
  echo 'int f() { return 1; }' > "$tree/apps/good.h"
  check "$tree"
  echo 'int f()   {return 1;}' > "$tree/kernels/bad.cu"
  if (check "$tree") 2> "$tree/errors"; then
    echo "the planted violation was not found"
    exit 1
  fi
  grep -q 'kernels/bad.cu:1' "$tree/errors"
  echo "1 planted violation found"
else
  check "${1:-$here/../..}"
fi
