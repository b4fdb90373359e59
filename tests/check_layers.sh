#!/usr/bin/env bash
# Fails when a file includes what its layer may not know (docs/architecture.md, "Layers").
set -euo pipefail
root=$(cd "${1:-$(dirname "$0")/..}" && pwd)
cd "$root"
broken=0

# forbid FOLDER PATTERN: no file below FOLDER includes a path that starts with PATTERN.
forbid() {
  local hits
  hits=$(grep -rnE --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' "#include *[\"<]($2)" "$1" || true)
  if [ -n "$hits" ]; then
    echo "$1 may not include this:"
    echo "$hits"
    broken=1
  fi
}

forbid kernels 'engine/|models/|data/|apps/'
forbid engine 'models/|data/|apps/'
forbid models 'data/|apps/|kernels/'
forbid data 'models/|apps/|kernels/'
for folder in engine models data apps; do
  forbid $folder 'cuda|cudnn|cublas|dnnl|oneapi/dnnl|omp\.h|nccl'
done

files=$(find kernels engine models data apps -name '*.h' -o -name '*.cpp' | wc -l)
echo "$files files looked at"
[ "$files" -gt 0 ] || broken=1
exit $broken
