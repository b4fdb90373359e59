#!/usr/bin/env bash
# Installs what is missing, builds, and runs the main job: a teacher, and students that learned with and without it.
# Arguments go to preceptor-quickstart, for example: apps/quickstart.sh --fast
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./tests/install_packages.sh
cmake --preset release -Wno-dev >&2
cmake --build --preset release --parallel "$(nproc)" --target preceptor-quickstart >&2
exec build/release/bin/preceptor-quickstart "$@"
