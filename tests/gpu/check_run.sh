#!/usr/bin/env bash
# A dry run of tests/gpu/run.sh names a command for every section, each of them of a file that there is, and leaves both
# summaries; an unknown section is refused.
#   check_run.sh BUILD_DIR
set -euo pipefail
build=$1
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
fail() {
  echo "$1"
  cat "$folder/commands"
  exit 1
}

OUT=$folder tests/gpu/run.sh --dry-run > /dev/null 2> "$folder/commands" || fail "the dry run failed"
for word in ctest bits-cuda racecheck-kernels-8 memcheck-steps resnet18-28-torch-graph densenet121-paper distill-branch torch-kernels study; do
  grep -qF -- "$word" "$folder/commands" || fail "no command of $word"
done
# Only targets that need nvcc are missing from some builds.
for program in $(grep -oE '(build/release/(bin|tests)|tests/(peers|gpu))/[a-z_]+(-[a-z]+)?(\.py|\.sh)?' "$folder/commands" | sort -u); do
  here=${program/#build\/release/$build}
  [[ -e $here || $program == */test_cuda_vocabulary ]] || fail "there is no $program"
done
lines=$(grep -c '^| .* | not run | 0 |' "$folder/summary.md")
names=$(grep -c '"status": "not run"' "$folder/results.json")
[[ $lines -gt 60 && $lines -eq $names ]] || fail "$lines rows in summary.md, $names in results.json"
if command -v python3 > /dev/null; then python3 -m json.tool "$folder/results.json" > /dev/null || fail "no JSON"; fi

status=0
OUT=$folder tests/gpu/run.sh --dry-run nosuch > /dev/null 2> "$folder/commands" || status=$?
[[ $status -eq 64 ]] || fail "a wrong section gave $status"
grep -qF 'there is no section nosuch; there are tests bits' "$folder/commands" || fail "a wrong section was not named"
OUT=$folder tests/gpu/run.sh --dry-run bits > /dev/null 2> "$folder/commands"
grep -q torch "$folder/commands" && fail "bits alone runs more"
echo "the commands of $names sections are there"
