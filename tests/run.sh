#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test; with --all also under the address, undefined-behaviour and
# thread sanitizers, and the emulated device's kernels under its race detector.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

all=false
for argument in "$@"; do
  case $argument in
    --all) all=true ;;
    *)
      echo "usage: tests/run.sh [--all]" >&2
      exit 64
      ;;
  esac
done

jobs=$(nproc)
# Tests that run side by side share the cores; waiting threads must not spin on them.
export OMP_WAIT_POLICY=passive

# build PRESET [cmake --build arguments]
build() {
  local preset=$1
  shift
  cmake --preset "$preset" -Wno-dev
  cmake --build --preset "$preset" --parallel "$jobs" "$@"
}

./tests/install_packages.sh
build release
ctest --preset release --parallel "$jobs"
$all || exit 0

# The sanitizers of GCC 12 and 13 map fixed addresses, which newer kernels may already use when they randomise the
# address space with 32 bits.
fixed_addresses=()
if setarch "$(uname -m)" --addr-no-randomize true 2>/dev/null; then
  fixed_addresses=(setarch "$(uname -m)" --addr-no-randomize)
fi

# Also the emulated device's memory build.
build asan
ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1 \
  "${fixed_addresses[@]}" ctest --preset asan --parallel "$jobs" --label-exclude slow

# Threads of our own are in data: the loader, phantoms, bootstrap. libgomp is not built for this sanitizer and its
# barriers would look like races.
build tsan --target test_data
OMP_NUM_THREADS=1 TSAN_OPTIONS=halt_on_error=1 \
  "${fixed_addresses[@]}" ctest --preset tsan --parallel "$jobs" --label-regex data

# The emulated device's race build. What it compiles as release does, all but kernel source and tests, it begins with: ninja
# compares commands and times, and compiles what differs.
if [[ ! -e build/emulated-race ]]; then
  mkdir build/emulated-race
  cp -a build/release/{.ninja_log,.ninja_deps,kernels,engine,models} build/emulated-race
fi
build emulated-race --target test_kernels test_emulator test_models softened-kl-ladder
ctest --preset emulated-race --parallel "$jobs"
