#!/usr/bin/env bash
# The emulated device in two orders has the same digests, and a digest that is changed or missing is named.
#   check_digests.sh TEST_KERNELS
set -euo pipefail
kernels=$1
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$(dirname "${BASH_SOURCE[0]}")"

for order in forward reverse; do
  PRECEPTOR_ORDER=$order PRECEPTOR_DIGESTS=$folder/$order "$kernels" --gtest_filter='On/Optimizer.*/emulated' > /dev/null
done
# expect TEXT: what the comparison of the two must print.
expect() {
  ./compare_digests.sh "$folder/forward" "$folder/reverse" > "$folder/printed" || true
  if ! grep -qF -- "$1" "$folder/printed"; then
    printf 'lacks: %s\nprinted:\n' "$1"
    cat "$folder/printed"
    exit 1
  fi
}
expect " results of the same bits, 0 differ, 0 not comparable"

victim=$(head -n 1 "$folder/reverse" | cut -d ' ' -f 1,2)
sed -i '1s/ [0-9a-f]\{16\} / 0123456789abcdef /' "$folder/reverse"
expect " 1 differ, 0 not comparable"
expect "- $victim"
sed -i 1d "$folder/reverse"
expect " 0 differ, 1 not comparable"
: > "$folder/reverse"
expect "0 results of the same bits, 0 differ"
echo "digests are compared"
