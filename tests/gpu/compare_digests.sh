#!/usr/bin/env bash
# Lists the results of tests that have the same bits in two files of PRECEPTOR_DIGESTS (tests/support/digests.h).
#   compare_digests.sh FIRST SECOND   fails if there is nothing to compare; different bits are a finding, not a failure
set -euo pipefail
sort -u "$1" | awk -v first="$1" -v second="$2" '
  { digest[$1 " " $2] = $3; count[$1 " " $2] = $4 }
  function say(list, text) { lists[list] = lists[list] "- " text "\n"; ++sizes[list] }
  function print_list(list) { if (sizes[list]) printf "## %s\n\n%s\n", list, lists[list] }
  END {
    sorted = "sort -u " second
    while ((sorted | getline line) > 0) {
      split(line, word, " ")
      key = word[1] " " word[2]
      if (!(key in digest)) say("Only in " second, key)
      else if (count[key] != word[4]) say("Of different numbers of values", key ": " count[key] " and " word[4])
      else if (digest[key] == word[3]) say("Same bits", key)
      else say("Differ", key)
      seen[key] = 1
    }
    for (key in digest) if (!(key in seen)) say("Only in " first, key)
    print_list("Same bits"); print_list("Differ"); print_list("Of different numbers of values")
    print_list("Only in " first); print_list("Only in " second)
    printf "%d results of the same bits, %d differ, %d not comparable\n", sizes["Same bits"], sizes["Differ"],
           sizes["Of different numbers of values"] + sizes["Only in " first] + sizes["Only in " second]
    exit !(sizes["Same bits"] + sizes["Differ"])
  }'
