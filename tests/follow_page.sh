#!/usr/bin/env bash
# Follows a page of docs/ to the letter, from top to bottom, in a copy of the tree: writes its files, makes its edits, runs
# its commands.
#   follow_page.sh NAME BUILD PATTERN   docs/NAME.md; only commands that match PATTERN (grep -E); BUILD: a current build
# A line `path`: names the block below it: in a ```diff block lines after + are added and those after - taken away, the others
# are there already, and ... stands between two places; any other block is the whole file.
set -euo pipefail
name=$1 build=$2 pattern=$3
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
page=$root/docs/$name.md
copy=$build/$name

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# edit FILE LINE...: the lines of one place.
edit() {
  local file=$copy/$1 before=$'\n' after=$'\n' line content rest
  shift
  for line in "$@"; do
    case $line in
      +*) after+=${line:1}$'\n' ;;
      -*) before+=${line:1}$'\n' ;;
      *) before+=${line:1}$'\n' after+=${line:1}$'\n' ;;
    esac
  done
  content=$'\n'$(cat "$file")$'\n'
  rest=${content#*"$before"}
  [[ $rest != "$content" ]] || fail "$file has no lines$before"
  [[ $'\n'$rest != *"$before"* ]] || fail "$file has more than once$before"
  content=${content%"$before$rest"}$after$rest
  printf '%s' "${content#$'\n'}" > "$file"
}

# write PATH LANGUAGE LINE...: one block of the page.
write() {
  local path=$1 language=$2 line lines=()
  shift 2
  changed+=("$path")
  if [[ $language != diff ]]; then
    [[ ! -e $copy/$path ]] || fail "$path is there already"
    mkdir -p "$(dirname "$copy/$path")"
    printf '%s\n' "$@" > "$copy/$path"
    return
  fi
  [[ -e $copy/$path ]] || fail "there is no $path"
  for line in "$@" ...; do
    if [[ $line == ... ]]; then
      edit "$path" "${lines[@]}"
      lines=()
    else
      lines+=("$line")
    fi
  done
}

rm -rf "$copy"
mode=$(basename "$build")
mkdir -p "$copy/build/$mode"
find "$root" -mindepth 1 -maxdepth 1 ! -name build ! -name runs ! -name '.*' -exec cp -a {} "$copy" \;

# The copy is built as BUILD is, in the same mode. Objects that none of the changed files went into are taken from there, but
# for those with a generated list (.inc), which a new file changes.
grep -E '^(PRECEPTOR_[A-Z_]+|CMAKE_CUDA_ARCHITECTURES):' "$build/CMakeCache.txt" > "$copy/build/$mode/CMakeCache.txt"
reuse="$root/tests/reuse_object.sh;$build;$copy/unchanged.txt"
export CMAKE_CXX_COMPILER_LAUNCHER="$reuse${CMAKE_CXX_COMPILER_LAUNCHER:+;$CMAKE_CXX_COMPILER_LAUNCHER}"
export CMAKE_CUDA_COMPILER_LAUNCHER="$reuse${CMAKE_CUDA_COMPILER_LAUNCHER:+;$CMAKE_CUDA_COMPILER_LAUNCHER}"

# run LINE...: the commands of a block that match the pattern, with the files as they are by then.
ran=0
run() {
  printf '%s\n' '```console' "$@" '```' > "$copy/block.md"
  grep -E '^\$ ' "$copy/block.md" | grep -qE -- "$pattern" || return 0
  touch "$copy/unchanged.txt"
  mv "$copy/unchanged.txt" "$copy/before.txt"
  ninja -C "$build" -t deps | awk -v list="${changed[*]}" '
    BEGIN { count = split(list, changed, " ") }
    /^[^ ]/ { if (object && same) print object; object = $1; sub(/:$/, "", object); same = /VALID/ }
    /\.inc$/ { same = 0 }
    /^ / { for (i = 1; i <= count; ++i) if (substr("/" $1, length($1) + 1 - length(changed[i])) == "/" changed[i]) same = 0 }
    END { if (object && same) print object }' > "$copy/unchanged.txt"
  # Ninja does not know what went into an object that was taken over.
  (cd "$copy/build/$mode" && { grep -vxFf "$copy/unchanged.txt" "$copy/before.txt" || true; } | xargs -r rm -f)
  "$copy/tests/check_commands.sh" "$copy/block.md" "$pattern"
  ran=$((ran + 1))
}

changed=() block=() path="" inside=0 language=""
while IFS= read -r line <&3; do
  if [[ $inside = 1 ]]; then
    if [[ $line == '```' ]]; then
      if [[ -n $path ]]; then
        write "$path" "$language" "${block[@]}"
      elif [[ $language == console ]]; then
        run "${block[@]}"
      fi
      inside=0 path=""
    else
      block+=("$line")
    fi
  elif [[ $line == '```'* ]]; then
    inside=1 language=${line#'```'} block=()
  elif [[ $line =~ ^\`([^\`]+)\`:$ ]]; then
    path=${BASH_REMATCH[1]}
  elif [[ -n $line ]]; then
    path=""
  fi
done 3< "$page"
echo "wrote ${changed[*]}"
((ran > 0)) || fail "no command matches"
rm -rf "$copy"
