#!/usr/bin/env bash
# Runs nvcc -Xptxas -v and keeps what ptxas says of each kernel beside the object, in OBJECT.resources; all else is let through.
#   keep_resources.sh [other launchers] nvcc ... -c SOURCE -o OBJECT
set -uo pipefail
words=("$@")
for ((i = 0; i + 1 < ${#words[@]}; ++i)); do
  case ${words[i]} in
    -c) source=${words[i + 1]} ;;
    -o) object=${words[i + 1]} ;;
  esac
done
messages=$object.messages
of_ptxas='^ptxas info |^ +[0-9]+ bytes stack frame'

"$@" 2> "$messages"
status=$?
grep -Ev "$of_ptxas" "$messages" >&2
{
  echo "source $source"
  grep -E "$of_ptxas" "$messages"
} > "$object.resources"
rm "$messages"
exit $status
