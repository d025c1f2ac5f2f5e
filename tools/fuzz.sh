#!/usr/bin/env bash
# Fuzzes every target of the main module, one after the other and each for so long:
# tools/fuzz.sh 10m. All are fuzzed, and it fails in the end where one has failed: go
# test has put its input into the package's testdata/fuzz then, to be kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for_so_long=${1:?say for how long, such as 10m}
failed=()

for folder in $(grep --recursive --files-with-matches --include='*_test.go' '^func Fuzz' . | xargs --max-args=1 dirname | sort --unique); do
  for target in $(go test -list '^Fuzz' "$folder" | grep '^Fuzz'); do
    echo "fuzz: $target in $folder"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$for_so_long" "$folder" || failed+=("$target in $folder")
  done
done

if ((${#failed[@]} > 0)); then
  printf 'fuzz: FAILED: %s\n' "${failed[@]}"
  exit 1
fi
