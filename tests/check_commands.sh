#!/usr/bin/env bash
# Runs the commands of a page and looks for the output that the page shows.
#   check_commands.sh PAGE PATTERN   only commands that match the pattern (grep -E), from the project's root
# In a block ```console a line that starts with "$ " is a command; the lines below it are what it prints: each must be part
# of a line of its output, in this order (several may share a line); a line "..." stands for anything. A command below which
# nothing stands must succeed.
set -uo pipefail
page=$1 pattern=$2
cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=0 ran=0
command="" expected=()

check() {
  [ -n "$command" ] || return 0
  if grep -qE -- "$pattern" <<< "$command"; then
    local output status=0 at=0 lines wanted found i
    output=$(bash -c "$command" 2>&1) || status=$?
    ran=$((ran + 1))
    if [ ${#expected[@]} = 0 ] && [ $status != 0 ]; then
      printf 'FAILED: %s\n  ended with %d\n  printed:\n%s\n' "$command" $status "$output"
      failed=1
    fi
    mapfile -t lines <<< "$output"
    for wanted in "${expected[@]}"; do
      found=0
      for ((i = at; i < ${#lines[@]}; ++i)); do
        if [[ ${lines[i]} == *"$wanted"* ]]; then
          found=1 at=$i
          break
        fi
      done
      if [ $found = 0 ]; then
        printf 'FAILED: %s\n  lacks: %s\n  printed:\n%s\n' "$command" "$wanted" "$output"
        failed=1
        break
      fi
    done
    printf 'ran: %s\n' "$command"
  fi
  command="" expected=()
}

inside=0
while IFS= read -r line; do
  if [ $inside = 0 ]; then
    [[ $line == '```console' ]] && inside=1
  elif [[ $line == '```' ]]; then
    check
    inside=0
  elif [[ $line == '$ '* ]]; then
    check
    command=${line#\$ }
  elif [[ $command == *\\ ]]; then
    command=${command%\\}$line
  elif [[ $line != ... && -n ${line// /} ]]; then
    expected+=("$line")
  fi
done < "$page"
echo "$ran commands of $page"
[ $ran -gt 0 ] || { echo "no command matches"; failed=1; }
exit $failed
