#!/usr/bin/env bash
# On a machine with a GPU, without network: builds, tests, sanitizes and measures, and leaves a small folder of results.
# Usage: tests/gpu/run.sh [section...]    sections: tests bits sanitizer bench-step bench-kernels (default: all)
# Results: build/gpu-results (or $OUT): summary.md and one log per section.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

results=${OUT:-build/gpu-results}
mkdir -p "$results"
sections=("$@")
[ ${#sections[@]} -gt 0 ] || sections=(tests bits sanitizer bench-step bench-kernels)
failed=0

card=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null || echo "no GPU found")
toolkit=$(nvcc --version 2>/dev/null | tail -n 1 || echo "no nvcc")
{
  echo "# Results of $(date --utc +%Y-%m-%d)"
  echo
  echo "- commit: $(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
  echo "- card and driver: $card"
  echo "- toolkit: $toolkit"
  echo "- processor: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores"
  echo
} > "$results/summary.md"

# section NAME COMMAND...: runs it, keeps its output, notes how it ended.
section() {
  local name=$1
  shift
  echo "== $name: $*" >&2
  if "$@" > "$results/$name.log" 2>&1; then
    echo "- $name: passed" >> "$results/summary.md"
  else
    echo "- $name: FAILED, see $name.log" >> "$results/summary.md"
    failed=1
  fi
}

# note NAME TEXT: a section that has nothing to run, said so and not passed over.
note() { echo "- $1: $2" >> "$results/summary.md"; }

has_torch() { python3 -c 'import torch, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null; }

# Only for the card that is here; without one the usual architectures, to see that they build.
architectures=native
nvidia-smi >/dev/null 2>&1 || architectures='80;90;100'
section configure cmake --preset release -Wno-dev -DPRECEPTOR_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$architectures"
section build cmake --build --preset release --parallel "$(nproc)"
tests=build/release/tests

for name in "${sections[@]}"; do
  case $name in
    tests)
      # A test that finds no card fails here.
      section tests env REQUIRE_DEVICE=cuda ctest --preset release --parallel "$(nproc)" --output-on-failure
      ;;
    bits)
      # Which results the card shares with the emulated device, to the last bit. exp() and its like round otherwise there.
      for device in emulated cuda; do
        rm -f "$results/$device.digests"
        section "bits-$device" env REQUIRE_DEVICE=$device PRECEPTOR_DIGESTS="$results/$device.digests" \
          $tests/test_kernels --gtest_filter="*/$device"
      done
      if tests/gpu/compare_digests.sh "$results/emulated.digests" "$results/cuda.digests" > "$results/bits.md"; then
        note bits "$(tail -n 1 "$results/bits.md"), see bits.md"
      else
        note bits "not yet measured: nothing to compare"
      fi
      ;;
    sanitizer)
      if command -v compute-sanitizer >/dev/null; then
        for tool in memcheck racecheck synccheck initcheck; do
          section "$tool-vocabulary" env REQUIRE_DEVICE=cuda compute-sanitizer --tool $tool --error-exitcode 1 $tests/test_cuda_vocabulary
          section "$tool-kernels" env REQUIRE_DEVICE=cuda compute-sanitizer --tool $tool --error-exitcode 1 \
            $tests/test_kernels --gtest_filter='*/cuda'
        done
        # Whole training steps, once: every kernel in the sizes that networks give it.
        section memcheck-steps env REQUIRE_DEVICE=cuda compute-sanitizer --tool memcheck --error-exitcode 1 \
          $tests/test_models --gtest_filter='*ReplayEqualsEager*/cuda'
      else
        note sanitizer "not yet measured: compute-sanitizer is not on the path"
      fi
      ;;
    bench-step)
      for size in 28 64 224; do
        for device in cpu cuda; do
          section "bench-step-$size-$device" build/release/bin/preceptor-bench step --model resnet18 --stem imagenet --size $size \
            --batch 32 --device $device --json
        done
        if python3 -c 'import torch, torchvision' 2>/dev/null; then
          section "torch-step-$size" python3 tests/peers/torch_step.py --model resnet18 --size $size --batch 32 --threads "$(nproc)" --memory-format channels_last
        fi
      done
      ;;
    bench-kernels)
      section bench-kernels build/release/bin/preceptor-bench kernels --device cuda --batch 256 --size 224 --json
      if has_torch; then
        section torch-kernels python3 tests/peers/torch_kernels.py --batch 256 --size 224
      else
        note torch-kernels "not yet measured: python3 here has no torch with CUDA"
      fi
      ;;
    *)
      echo "there is no section $name" >&2
      exit 64
      ;;
  esac
done

cat "$results/summary.md"
exit $failed
