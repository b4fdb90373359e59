#!/usr/bin/env bash
# Every transfer method for one teacher and one student: trains a teacher on all images, students on few of them, and compares.
#   apps/studies/methods.sh --data FORMAT:PATH --out DIR [--few 500] [--teacher resnet20] [--student resnet8] [--seeds "0 1 2"]
#       [--methods "kd at ..."] [-- options of preceptor-distill, for teacher and students alike]
# Run again it goes on where it stopped; what is finished is kept. Results: DIR/comparison.txt and .json, DIR/report.html.
set -euo pipefail
bin=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../build/release/bin" && pwd)

usage() {
  sed -n '3,4s/^# *//p' "${BASH_SOURCE[0]}" >&2
  exit 64
}
data='' out='' few=500 teacher=resnet20 student=resnet8 seeds='0 1 2'
# All methods under a teacher, and the other readings of at. dml needs peers instead.
methods="$("$bin/preceptor-distill" --list-methods | cut -f 1 | grep -vx dml) at:reading=author at:reading=paper"
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  [ $# -gt 1 ] || usage
  case $1 in
    --data) data=$2 ;;
    --out) out=$2 ;;
    --few) few=$2 ;;
    --teacher) teacher=$2 ;;
    --student) student=$2 ;;
    --seeds) seeds=$2 ;;
    --methods) methods=$2 ;;
    *) usage ;;
  esac
  shift 2
done
[ $# -eq 0 ] || shift
[ -n "$data" ] && [ -n "$out" ] || usage
joint='?'
[[ $data != *\?* ]] || joint='&'

# run FOLDER PROGRAM OPTION...: trains, goes on with, or keeps what is in the folder.
run() {
  local folder=$1 program=$2
  shift 2
  [ ! -e "$folder/result.json" ] || return 0
  local resume=()
  [ ! -d "$folder" ] || resume=(--resume)
  "$bin/$program" "$@" --out "$folder" "${resume[@]}"
}

run "$out/teacher" preceptor-train --data "$data" --model "$teacher" --seed 0 "$@"
runs=() refused=()
for seed in $seeds; do
  run "$out/scratch-$seed" preceptor-train --data "$data${joint}n=$few" --model "$student" --seed "$seed" "$@"
  runs+=("$out/scratch-$seed")
done
for method in $methods; do
  for seed in $seeds; do
    folder=$out/$(tr ':=,/' '----' <<<"$method")-$seed
    status=0
    run "$folder" preceptor-distill --data "$data${joint}n=$few" --model "$student" --teacher "$out/teacher/best.safetensors" \
      --method "$method" --seed "$seed" "$@" || status=$?
    case $status in
      0) runs+=("$folder") ;;
      # Not for this task or this pair of networks; the line above says why.
      64)
        refused+=("$method")
        break
        ;;
      *) exit $status ;;
    esac
  done
done
"$bin/preceptor-compare" "${runs[@]}" --json > "$out/comparison.json"
"$bin/preceptor-report" "${runs[@]}" --out "$out/report.html"
"$bin/preceptor-compare" "${runs[@]}" | tee "$out/comparison.txt"
[ ${#refused[@]} -eq 0 ] || echo "refused: ${refused[*]}" | tee -a "$out/comparison.txt"
