#!/usr/bin/env bash
# Builds the readers of weight files, images and tables with clang's libFuzzer and sanitizers, and feeds them random files.
#   tests/fuzz/run.sh [EXECUTIONS] [TARGET...]   1,000,000 of each target by default; needs clang++
# A finding ends it with an error and leaves the file in build/fuzz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
executions=${1:-1000000}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(pickle torch_file zip_archive legacy_torch safetensors image png dicom table npz image_cache row_file predictions)
out=build/fuzz
mkdir -p "$out"

flags=(-std=c++20 -O1 -g -I. -DPRECEPTOR_DICOM -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION -fno-sanitize-recover=all)
sources=(engine/{zip_archive,pickle,torch_container,torch_file,weight_file,checkpoint,safetensors_header,element_type,shape}.cpp
  data/{csv,table,predictions,prediction_cells,plain_predictions}.cpp data/metrics/*.cpp
  data/{image,png,png_rows,jpeg,pnm,resize,grey_window,dicom,jpeg2000,npy,npz,mapped_file,image_cache,row_file,image_source,image_hash}.cpp)
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
  echo "$target: $executions executions"
  "$out/$target" -runs="$executions" -max_len=4096 -rss_limit_mb=2048 -timeout=10 -print_final_stats=1 -verbosity=0 -print_funcs=0 \
    -artifact_prefix="$out/$target-" "$out/corpus/$target" "$out/seeds/$target"
done
