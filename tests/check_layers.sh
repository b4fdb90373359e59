#!/usr/bin/env bash
# Fails if a file includes something that its room may not know: the picture of docs/architecture.md as a table.
#   check_layers.sh [ROOT]    checks the tree
#   check_layers.sh --test    checks this script: it must find violations planted in a tree of its own
set -euo pipefail
export LC_ALL=C

# A path belongs to the room whose name is its longest prefix here. It may include its own room and
# whatever begins with one of the prefixes after the colon.
ground="engine/files/ engine/task.h data/parallel.h data/random.h"
dataset="$ground data/images/ data/storage/ data/dataset.h data/dataset_spec.h"
below="engine/ models/ data/"
rooms="
kernels/:
engine/files/: kernels/device/error.h kernels/device/bfloat16.h
engine/task.h: engine/files/
engine/: engine/ kernels/
models/: engine/

data/parallel.h:
data/random.h:
data/images/: $ground
data/tables/: $ground
data/storage/: $ground data/images/ data/tables/
data/metrics/: $ground
data/dataset: $ground data/images/ data/storage/
data/dataset_report: $dataset data/batches/
data/phantoms/: $dataset
data/formats/: $dataset data/tables/ data/phantoms/
data/batches/: $dataset data/metrics/
data/predictions/: $dataset data/tables/ data/metrics/

apps/runs/: $below
apps/command_line/: $below apps/runs/progress.h
apps/inference/: $below apps/runs/
apps/training/: $below apps/command_line/ apps/runs/ apps/inference/
apps/evaluation/: $below apps/command_line/ apps/runs/ apps/inference/
apps/explanation/: $below
apps/report/: $below apps/command_line/ apps/runs/ apps/inference/ apps/evaluation/ apps/explanation/
apps/dataset/: $below apps/command_line/ apps/inference/ apps/training/options/
apps/bench/: $below apps/command_line/ apps/training/ kernels/
apps/bench.cpp: $below apps/ kernels/
apps/: $below apps/
"
# The programs that train, and the preview of what they train on. The others read runs and run networks without it.
training='^apps/(training/|bench|studies/|train\.cpp|distill\.cpp|dataset/preview\.cpp)'
# Headers of devices and of their libraries.
devices='^(cuda|cudnn|cublas|dnnl|oneapi/dnnl|omp\.h|nccl)'

# search PATTERN ROOM...: the lines of C++ and CUDA files that match, as path:line:text.
search() {
  local pattern=$1
  shift
  grep -rnE --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' "$pattern" "$@" || true
}

# Folders that the page does not name.
check_page() {
  local folder broken=0
  for folder in apps/*/ data/*/ engine/*/ models/*/; do
    folder=${folder%/}
    if [[ -d $folder ]] && ! grep -qF "\`$folder\`" docs/architecture.md; then
      echo "$folder:0: is a room that docs/architecture.md does not name"
      broken=1
    fi
  done
  return $broken
}

check() {
  local broken=0
  cd "$1"
  check_page || broken=1
  {
    search '^ *# *include *["<]' kernels engine models data apps
    search '\bkernels::|\bnamespace (preceptor::)?kernels\b' models data apps
  } | awk -v rooms="$rooms" -v training="$training" -v devices="$devices" '
    function room_of(path,   size) {
      for (size = length(path); size > 0 && !(substr(path, 1, size) in allowed); --size) continue
      return substr(path, 1, size)
    }
    function may_include(own, path,   count, prefixes, i) {
      if (room_of(path) == own) return 1
      count = split(allowed[own], prefixes, " ")
      for (i = 1; i <= count; ++i)
        if (index(path, prefixes[i]) == 1) return 1
      return 0
    }
    function complain(reason) { print place ": " reason; broken = 1 }
    BEGIN {
      count = split(rooms, lines, "\n")
      for (i = 1; i <= count; ++i)
        if (split(lines[i], sides, ":") == 2) allowed[sides[1]] = sides[2]
    }
    {
      split($0, parts, ":")
      path = parts[1]
      place = path ":" parts[2]
    }
    !/# *include *["<]/ {
      if (path !~ /^apps\/bench/) complain("kernels:: belongs to engine/ and the bench")
      next
    }
    {
      ++includes
      included = $0
      sub(/^[^"<]*["<]/, "", included)
      sub(/[">].*/, "", included)
      if (included ~ /^CLI\//) cli[path] = place
      else if (included ~ devices && path !~ /^kernels\//) complain("only kernels/ may include " included)
      else if (included ~ /^(apps|data|engine|kernels|models|tests)\//) {
        if (included ~ /^apps\/training\// && path !~ training) complain(path " trains nothing and includes " included)
        else if (!may_include(room_of(path), included)) complain(room_of(path) " may not include " included)
      }
    }
    END {
      for (path in cli) ++users
      for (path in cli) {
        place = cli[path]
        if (users > 1 || path !~ /\.cpp$/) complain("CLI11 is included by one .cpp alone")
      }
      print includes + 0 " includes looked at"
      exit broken || !includes
    }' || broken=1
  return $broken
}

# plant PATH LINE: one more line of a file below the current folder.
plant() {
  mkdir -p "$(dirname "$1")"
  printf '%s\n' "$2" >> "$1"
}

# Every line with // BAD must be found, and no other.
check_itself() {
  local tree wanted found
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' RETURN
  cd "$tree"
  plant kernels/x/x.cu '#include "engine/tensor.h"  // BAD'
  plant kernels/x/x.cu '#include <cuda_runtime.h>'
  plant engine/files/check.h '#include "kernels/device/error.h"'
  plant engine/files/check.h '#include "kernels/device/device.h"  // BAD'
  plant engine/files/check.h '#include "engine/tensor.h"  // BAD'
  plant engine/task.h '#include "engine/tensor.h"  // BAD'
  plant engine/ops/x.cpp '#include "kernels/x/x.h"'
  plant engine/ops/x.cpp '#include <omp.h>  // BAD'
  plant models/network.h '#include "data/dataset.h"  // BAD'
  plant models/network.h 'kernels::Copy copy;  // BAD'
  plant data/dataset.h '#include "data/images/image.h"'
  plant data/dataset.h '#include "data/formats/formats.h"  // BAD'
  plant data/formats/formats.h '#include "data/dataset.h"'
  plant data/formats/formats.h '#include "engine/task.h"'
  plant data/formats/formats.h '#include "engine/context.h"  // BAD'
  plant data/metrics/subgroup.h '#include "data/predictions/predictions.h"  // BAD'
  plant data/metrics/subgroup.h '#include "data/random.h"'
  plant data/storage/cache.h '#include "data/dataset.h"  // BAD'
  plant data/images/image.h '#include "data/storage/npy.h"  // BAD'
  plant apps/runs/log.h '#include "apps/inference/prediction.h"  // BAD'
  plant apps/report/page.h '#include "apps/training/training.h"  // BAD'
  plant apps/report/page.h 'namespace kernels { struct Card; }  // BAD'
  plant apps/evaluate.cpp '#include "apps/training/training.h"  // BAD'
  plant apps/evaluate.cpp '#include "apps/evaluation/assessment.h"'
  plant apps/train.cpp '#include "apps/training/training.h"'
  plant apps/train.cpp '#include "kernels/device/device.h"  // BAD'
  plant apps/bench/x.cpp '#include "kernels/x/x.h"'
  plant apps/bench/x.cpp 'kernels::X<float> x;'
  plant apps/bench/x.cpp '#include "tests/support/compare.h"  // BAD'
  plant apps/command_line/options.cpp '#include <CLI/CLI.hpp>  // BAD'
  plant apps/inspect.cpp '#include "CLI/CLI.hpp"  // BAD'
  plant docs/architecture.md '`engine/files` `engine/ops` `data/dataset` `data/formats` `data/metrics` `data/storage` `data/images`'
  plant docs/architecture.md '`apps/runs` `apps/report` `apps/bench` `apps/command_line`'
  mkdir models/unknown
  wanted=$({
    echo models/unknown:0
    grep -rn '// BAD' . | sed 's#^\./##' | cut -d: -f1,2
  } | sort)
  found=$( (check . || true) | sed '$d' | cut -d: -f1,2 | sort)
  if [[ $wanted != "$found" ]]; then
    echo "planted and not found (<), or found and not planted (>):"
    diff <(echo "$wanted") <(echo "$found")
    return 1
  fi
  echo "$(wc -l <<< "$wanted") planted violations found"
}

if [[ ${1:-} == --test ]]; then
  check_itself
else
  check "${1:-$(dirname "$0")/..}"
fi
