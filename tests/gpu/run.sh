#!/usr/bin/env bash
# On a machine with a GPU, without network: builds, tests, sanitizes and measures, and leaves a small folder of results.
#   tests/gpu/run.sh [--dry-run] [section...]
# Sections, each under eight minutes on one GPU (default: all):
#   tests bits sanitizer-1 ... sanitizer-8 bench-28 bench-64 bench-224 bench-resnet50 bench-densenet121 bench-paper
#   bench-distill bench-kernels study
# --dry-run prints the commands and runs none. build/gpu-bundle (bundle.sh) is used if it exists.
# Results: build/gpu-results (or $OUT): summary.md, results.json, one log per command, steps/*.json. Fit to be kept as
# docs/benchmarks/<card>/<date>/.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

shards=8
all=(tests bits)
for shard in $(seq $shards); do all+=("sanitizer-$shard"); done
all+=(bench-28 bench-64 bench-224 bench-resnet50 bench-densenet121 bench-paper bench-distill bench-kernels study)

dry=false
sections=()
for argument in "$@"; do
  if [ "$argument" = --dry-run ]; then
    dry=true
  elif [[ " ${all[*]} " == *" $argument "* ]]; then
    sections+=("$argument")
  else
    echo "run: there is no section $argument; there are ${all[*]}" >&2
    exit 64
  fi
done
[ ${#sections[@]} -gt 0 ] || sections=("${all[@]}")

results=${OUT:-build/gpu-results}
mkdir -p "$results/steps"
rm -f "$results/entries"
failed=0

card=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1) || true
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1) || true
toolkit=$(nvcc --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\).*/\1/p')
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)

# note NAME STATUS SECONDS TEXT: a line of the summary.
note() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4:-}" >> "$results/entries"; }

most_seconds=480 # of a section
section_begin=$SECONDS

# section NAME COMMAND...: runs it as long as the section's time lasts, keeps its output, notes how it ended.
section() {
  local name=$1 begin=$SECONDS left=$((section_begin + most_seconds - SECONDS))
  shift
  echo "== $name: $*" >&2
  if $dry; then
    note "$name" "not run" 0
  elif [ $left -le 0 ]; then
    note "$name" "not run" 0 "the section's time was over"
    return 1
  elif timeout $left "$@" > "$results/$name.log" 2>&1; then
    note "$name" passed $((SECONDS - begin))
  else
    note "$name" FAILED $((SECONDS - begin)) "see $name.log"
    failed=1
    return 1
  fi
}

# answer NAME COMMAND...: a section whose output is one JSON line, kept as steps/NAME.json.
answer() {
  local name=$1
  shift
  section "$name" "$@" || return 0
  $dry || tail -n 1 "$results/$name.log" > "$results/steps/$name.json"
}

has_torch() { $dry || python3 -c 'import torch, torchvision, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; }

bin=build/release/bin
tests=build/release/tests

# steps NAME "FLAGS OF BOTH" "FLAGS OF OURS": our step, torch's in every mode, and the ratio to its fastest.
steps() {
  local name=$1 both ours=()
  read -ra both <<< "$2"
  read -ra ours <<< "${3:-}"
  answer "$name" $bin/preceptor-bench step "${both[@]}" "${ours[@]}" --device cuda --json
  if ! has_torch; then
    note "$name-torch" "not yet measured" 0 "python3 here has no torch with CUDA"
    return
  fi
  local peers=() mode
  for mode in eager graph compile; do
    answer "$name-torch-$mode" python3 tests/peers/torch_step.py "${both[@]}" --device cuda --memory-format channels_last \
      --mode $mode --fused-optimizer --repeats 30
    [ -s "$results/steps/$name-torch-$mode.json" ] && peers+=("$results/steps/$name-torch-$mode.json")
  done
  if $dry; then return; fi
  if [ ${#peers[@]} -gt 0 ] && [ -s "$results/steps/$name.json" ] &&
    python3 tests/peers/step_ratio.py "$results/steps/$name.json" "${peers[@]}" > "$results/steps/$name-ratio.json" 2> "$results/$name-ratio.log"; then
    note "$name-ratio" measured 0 "$(cat "$results/steps/$name-ratio.json")"
  else
    note "$name-ratio" refused 0 "$(cat "$results/$name-ratio.log" 2>/dev/null)"
  fi
}

if [ -d build/gpu-bundle ] && ! $dry; then
  [ -d build/gpu-prefix ] || tests/gpu/bundle.sh unpack build/gpu-bundle build/gpu-prefix || exit 70
  eval "$(tests/gpu/bundle.sh environment build/gpu-prefix)"
fi
# Only for the card of this machine; without one the usual architectures, to check that they build.
architectures=native
[ -n "$card" ] || architectures='80;90;100'
section configure cmake --preset release -Wno-dev -DPRECEPTOR_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$architectures"
# A build alone may take more than a section.
echo "== build" >&2
if $dry; then
  note build "not run" 0
elif begin=$SECONDS && cmake --build --preset release --parallel "$(nproc)" > "$results/build.log" 2>&1; then
  note build passed $((SECONDS - begin))
else
  note build FAILED $((SECONDS - begin)) "see build.log"
  failed=1
fi

# Tests run side by side: each context takes a part of the card, not nine tenths of its free memory.
export DEVICE_MEMORY_MIB=${DEVICE_MEMORY_MIB:-2048}
for name in "${sections[@]}"; do
  section_begin=$SECONDS
  case $name in
    tests)
      # A test that finds no card fails here.
      section tests env REQUIRE_DEVICE=cuda ctest --preset release --parallel 4 --output-on-failure --label-exclude slow
      ;;
    bits)
      # Results that the card shares with the emulated device, bit for bit. exp() and its like round differently there.
      for device in emulated cuda; do
        rm -f "$results/$device.digests"
        section "bits-$device" env REQUIRE_DEVICE=$device PRECEPTOR_DIGESTS="$results/$device.digests" \
          $tests/test_kernels --gtest_filter="*/$device"
      done
      if $dry; then
        note bits "not run" 0
      elif tests/gpu/compare_digests.sh "$results/emulated.digests" "$results/cuda.digests" > "$results/bits.md"; then
        note bits compared 0 "$(tail -n 1 "$results/bits.md"), see bits.md"
      else
        note bits "not yet measured" 0 "nothing to compare"
      fi
      ;;
    sanitizer-*)
      shard=$((${name#sanitizer-} - 1))
      if $dry || command -v compute-sanitizer >/dev/null; then
        for tool in memcheck racecheck synccheck initcheck; do
          section "$tool-kernels-$((shard + 1))" env REQUIRE_DEVICE=cuda GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard \
            compute-sanitizer --tool $tool --error-exitcode 1 $tests/test_kernels --gtest_filter='*/cuda'
        done
        if [ "$shard" = 0 ]; then
          section memcheck-vocabulary env REQUIRE_DEVICE=cuda compute-sanitizer --tool memcheck --error-exitcode 1 $tests/test_cuda_vocabulary
          section memcheck-streams env REQUIRE_DEVICE=cuda compute-sanitizer --tool memcheck --error-exitcode 1 \
            $tests/test_engine --gtest_filter='*StreamOn*/cuda'
        elif [ "$shard" = 1 ]; then
          # Whole training steps, once: every kernel in the sizes that networks give it.
          section memcheck-steps env REQUIRE_DEVICE=cuda compute-sanitizer --tool memcheck --error-exitcode 1 \
            $tests/test_models --gtest_filter='*ReplayEqualsEager*/cuda'
        fi
      else
        note "$name" "not yet measured" 0 "compute-sanitizer is not on the path"
      fi
      ;;
    bench-28 | bench-64 | bench-224)
      unset DEVICE_MEMORY_MIB
      size=${name#bench-}
      batch=256
      if [ "$size" = 28 ]; then batch=128; fi
      steps "resnet18-$size" "--model resnet18 --size $size --batch $batch"
      steps "resnet18-$size-inference" "--model resnet18 --size $size --batch $batch --inference"
      ;;
    bench-resnet50 | bench-densenet121)
      unset DEVICE_MEMORY_MIB
      steps "${name#bench-}-224" "--model ${name#bench-} --size 224 --batch 256"
      ;;
    bench-paper)
      unset DEVICE_MEMORY_MIB
      steps densenet121-paper "--model densenet121 --size 256 --batch 24"
      ;;
    bench-distill)
      unset DEVICE_MEMORY_MIB
      both="--model resnet18 --teacher resnet50 --size 224 --batch 128"
      steps distill "$both"
      answer distill-branch $bin/preceptor-bench step $both --teacher-stream --device cuda --json
      answer distill-eager $bin/preceptor-bench step $both --graph off --device cuda --json
      # The two halves alone.
      answer distill-teacher $bin/preceptor-bench step --model resnet50 --size 224 --batch 128 --inference --device cuda --json
      answer distill-student $bin/preceptor-bench step --model resnet18 --size 224 --batch 128 --device cuda --json
      ;;
    bench-kernels)
      unset DEVICE_MEMORY_MIB
      section bench-kernels $bin/preceptor-bench kernels --device cuda --batch 256 --size 224 --json
      if has_torch; then
        section torch-kernels python3 tests/peers/torch_kernels.py --batch 256 --size 224
      else
        note torch-kernels "not yet measured" 0 "python3 here has no torch with CUDA"
      fi
      ;;
    study)
      unset DEVICE_MEMORY_MIB
      if $dry || [ -f "${PNEUMONIAMNIST:-}" ]; then
        rm -rf build/gpu-study
        section study $bin/preceptor-train --data "medmnist:${PNEUMONIAMNIST:-pneumoniamnist.npz}" --model resnet18 --epochs 100 \
          --batch 128 --lr 1e-3 --device cuda --out build/gpu-study
        if [ -f build/gpu-study/result.json ]; then cp build/gpu-study/result.json "$results/study.json"; fi
      else
        note study "not yet measured" 0 "PNEUMONIAMNIST=FILE.npz names no file"
      fi
      ;;
  esac
done

# JSON strings here hold no control characters; quotes and backslashes are marked.
quoted() { sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$/"/' <<< "$1"; }
{
  printf '{"date": %s, "commit": %s, "card": %s, "driver": %s, "toolkit": %s, "processor": %s, "cores": %d,\n "sections": [' \
    "$(quoted "$(date --utc +%Y-%m-%d)")" "$(quoted "$commit")" "$(quoted "$card")" "$(quoted "$driver")" "$(quoted "$toolkit")" \
    "$(quoted "$processor")" "$(nproc)"
  comma=
  while IFS=$'\t' read -r name status seconds text; do
    printf '%s\n  {"name": %s, "status": %s, "seconds": %d, "text": %s}' "$comma" "$(quoted "$name")" "$(quoted "$status")" \
      "$seconds" "$(quoted "$text")"
    comma=,
  done < "$results/entries"
  printf '\n ]}\n'
} > "$results/results.json"
{
  echo "# ${card:-No GPU}, $(date --utc +%Y-%m-%d)"
  echo
  echo "- commit: $commit"
  echo "- driver: ${driver:-none}; toolkit: ${toolkit:-none}"
  echo "- processor: $processor, $(nproc) cores"
  echo
  echo "| section | outcome | seconds | |"
  echo "|---|---|---|---|"
  while IFS=$'\t' read -r name status seconds text; do echo "| $name | $status | $seconds | $text |"; done < "$results/entries"
} > "$results/summary.md"
rm "$results/entries"
cat "$results/summary.md"
exit $failed
