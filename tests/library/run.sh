#!/usr/bin/env bash
# Runs the programs of docs/library.md: on a small checkpoint, classify must print what preceptor-predict writes and name a
# missing file; the checkpoint of distill must be one that preceptor-predict reads, and be trained.
#   run.sh CLASSIFY DISTILL BIN_DIR
set -euo pipefail
program=$1 distill=$2 bin=$3
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive

"$bin/preceptor-train" --data 'phantom:chest?n=16&val=8&test=8&size=32' --model resnet8 --epochs 1 --batch 8 --bootstrap 0 --out run
{ printf 'P6\n30 20\n255\n'; head -c 1800 "$bin/preceptor-predict"; } > image.ppm

"$program" run/best.safetensors image.ppm > printed.txt
"$bin/preceptor-predict" --checkpoint run/best.safetensors image.ppm > predicted.csv
awk -F, 'NR == 1 { for (i = 2; i <= NF; ++i) name[i] = $i } NR == 2 { for (i = 2; i <= NF; ++i) printf "%s %.4f\n", name[i], $i }' \
  predicted.csv > expected.txt
[ "$(wc -l < expected.txt)" = 5 ]
diff expected.txt printed.txt

if "$program" run/best.safetensors nothing.png 2> error.txt; then exit 1; fi
grep -q '^classify: nothing.png: ' error.txt
echo "printed:" && cat printed.txt

"$distill" > trained.txt
cat trained.txt
[ "$(grep -c 'epoch [123] validation AUC' trained.txt)" = 6 ]
awk '/^test AUC/ { found = $3 > 0.6 } END { exit !found }' trained.txt
"$bin/preceptor-predict" --checkpoint student/best.safetensors image.ppm | head -1 | grep -q 'small,large'
