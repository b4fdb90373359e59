#!/usr/bin/env bash
# Installs a build, builds the programs of docs/library.md as a project of their own against that, and runs them.
#   install_and_run.sh BUILD_DIR PLACE BIN_DIR   (PLACE/project holds the page's files)
set -euo pipefail
build=$1 place=$2 bin=$3
rm -rf "$place/installed" "$place/build"
cmake --install "$build" --prefix "$place/installed" > "$place/install.log"
cmake -S "$place/project" -B "$place/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$place/installed"
cmake --build "$place/build"
# The package says nothing of the source tree it came from.
if grep -rl "$(cd "$(dirname "$0")/../.." && pwd)" "$place/installed/lib/cmake" "$place/installed/include"; then exit 1; fi
"$(dirname "$0")/run.sh" "$place/build/classify" "$place/build/distill" "$bin"
