#!/usr/bin/env bash
# Fails if clang-tidy, with the checks of .clang-tidy, finds something in the C++ files that differ from the branch's base:
# the merge base with main, or the commit before HEAD if HEAD is main itself. A changed header is seen through the .cpp
# of its name. Exits 77, which ctest shows as skipped, without clang-tidy, git or compile commands.
#   check_tidy.sh BUILD [SECONDS]   looks at files until the seconds are over (default 120) and says how many are left
#   check_tidy.sh --test            checks this script: it must find violations planted in a file of its own
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export deadline build left

skip() {
  echo "SKIPPED: $*"
  exit 77
}

# look_at FILE, or note that there was no time for it.
look_at() {
  if [[ $(date +%s) -ge $deadline ]]; then
    echo "$1" >> "$left"
  else
    clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option -p "$build" "$1" 2> /dev/null
  fi
}
export -f look_at

# changed: paths from the root, one a line.
changed() {
  local base main
  main=$(git rev-parse --verify --quiet origin/main || git rev-parse --verify --quiet main || git rev-parse HEAD)
  base=$(git merge-base HEAD "$main")
  [[ $base != "$(git rev-parse HEAD)" ]] || base=$(git rev-parse HEAD~1)
  {
    git diff --name-only --diff-filter=d "$base"
    git ls-files --others --exclude-standard
  } | sed -nE 's#^((apps|data|engine|kernels|models|tests)/.*)\.(cpp|h)$#\1.cpp#p' | sort -u
}

command -v clang-tidy > /dev/null || skip "needs clang-tidy"

if [[ ${1:-} == --test ]]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cp "$root/.clang-tidy" "$folder"
  cat > "$folder/planted.cpp" << 'END'
#include <string>
#include <utility>
struct Base {
  virtual ~Base() = default;
  virtual std::string text(std::string value) { return value; }
};
struct Derived : Base {
  virtual std::string text(std::string value) {
    std::string moved = std::move(value);
    return moved + value;
  }
};
const char* null() { return 0; }
END
  clang-tidy --quiet "$folder/planted.cpp" -- -std=c++20 > "$folder/found" 2>&1 && exit 1
  for check in modernize-use-override bugprone-use-after-move modernize-use-nullptr; do
    grep -q "$check" "$folder/found" || { cat "$folder/found"; exit 1; }
  done
  echo "3 planted violations found"
  exit 0
fi

build=$(cd "$1" && pwd)
deadline=$(($(date +%s) + ${2:-120}))
[[ -e $build/compile_commands.json ]] || skip "$build has no compile_commands.json"
cd "$root"
git rev-parse --verify --quiet HEAD~1 > /dev/null || skip "needs the history of a git checkout"

files=()
while read -r file; do
  if grep -qF "/$file\"" "$build/compile_commands.json"; then files+=("$file"); fi
done < <(changed)
left=$(mktemp)
trap 'rm -f "$left"' EXIT
if [[ ${#files[@]} -gt 0 ]]; then
  printf '%s\n' "${files[@]}" | xargs --max-procs "$(nproc)" -I{} bash -c 'look_at {}'
fi
echo "${#files[@]} files have changed; no time was left for $(wc -l < "$left") of them"
