#!/usr/bin/env bash
# Builds the readers of weight files, images and tables with clang's libFuzzer and sanitizers, and feeds them random files.
#   tests/fuzz/run.sh [EXECUTIONS] [TARGET...]   1,000,000 of each target by default; needs clang++ and python3
# It starts from made-up files and from tests/fuzz/corpus. A finding ends it with an error and leaves the file in build/fuzz.
# SAVE=1: writes what reaches the most code with the fewest bytes to tests/fuzz/corpus, which every test run replays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
executions=${1:-1000000}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(pickle torch_file zip_archive legacy_torch safetensors image png dicom table npz image_cache row_file predictions)
out=build/fuzz
mkdir -p "$out"

# keep FOLDER ARCHIVE: without the files' times, so that the same files give the same archive.
keep() {
  python3 - "$@" <<'END'
import pathlib, sys, zipfile
folder, archive = map(pathlib.Path, sys.argv[1:])
with zipfile.ZipFile(archive, "w") as out:
    for file in sorted(folder.iterdir()):
        out.writestr(zipfile.ZipInfo(file.name), file.read_bytes(), zipfile.ZIP_DEFLATED, 9)
END
}

flags=(-std=c++20 -O1 -g -I. -DPRECEPTOR_DICOM -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -fno-sanitize-recover=all)
sources=(engine/files/*.cpp data/{images,storage,tables,predictions,metrics}/*.cpp)
libraries=(-lzip -lz -lturbojpeg -ldeflate -ldcmimage -ldcmimgle -ldcmjpls -ldcmjpeg -ldcmdata -loflog -lofstd -lopenjp2)
for source in "${sources[@]}"; do
  object=$out/$(basename "$source" .cpp).o
  clang++ "${flags[@]}" $(pkg-config --cflags libopenjp2) -fsanitize=fuzzer-no-link,address,undefined -c "$source" -o "$object"
  objects+=("$object")
done
for writer in write_seeds write_image_seeds write_data_seeds; do
  clang++ "${flags[@]}" $(pkg-config --cflags libopenjp2) -fsanitize=address,undefined "tests/fuzz/$writer.cpp" "${objects[@]}" "${libraries[@]}" -o "$out/$writer"
  "$out/$writer" "$out/seeds"
done
for target in "${targets[@]}"; do
  clang++ "${flags[@]}" -fsanitize=fuzzer,address,undefined "tests/fuzz/${target}_fuzzer.cpp" "${objects[@]}" "${libraries[@]}" -o "$out/$target"
  mkdir -p "$out/corpus/$target"
  # A new target has none.
  [ ! -e "tests/fuzz/corpus/$target.zip" ] || python3 -m zipfile -e "tests/fuzz/corpus/$target.zip" "$out/corpus/$target"
  echo "$target: $executions executions"
  "$out/$target" -runs="$executions" -max_len=4096 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 -verbosity=0 -print_funcs=0 \
    -artifact_prefix="$out/$target-" "$out/corpus/$target" "$out/seeds/$target"
  if [ "${SAVE:-0}" = 1 ]; then
    rm -rf "$out/merged"
    mkdir -p "$out/merged" tests/fuzz/corpus
    "$out/$target" -merge=1 -max_len=4096 -verbosity=0 "$out/merged" "$out/corpus/$target" "$out/seeds/$target"
    keep "$out/merged" "tests/fuzz/corpus/$target.zip"
  fi
done
