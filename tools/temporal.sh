#!/usr/bin/env bash
# Prints the path of a Temporal CLI: the one on PATH where it is new enough, else
# one built from the version that tools/go.mod pins, once, into a cache outside
# the tree. Everything but the path goes to standard error.
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|^\s*github.com/temporalio/cli v\([0-9.]*\).*|\1|p' "$tools/go.mod")
cache="${XDG_CACHE_HOME:-$HOME/.cache}/modelvigil/$version"

# is_new_enough PATH: whether it says of itself that it is the pinned version or later.
is_new_enough() {
  local has
  has=$("$1" --version 2>/dev/null | sed -n 's/^temporal version \([0-9][0-9.]*\).*/\1/p')
  [[ -n $has && $(printf '%s\n' "$version" "$has" | sort -V | head -n 1) == "$version" ]]
}

if found=$(command -v temporal) && is_new_enough "$found"; then
  echo "$found"
  exit
fi

if [[ ! -x $cache/temporal ]]; then
  echo "Building the Temporal CLI $version into $cache: about 4 minutes on 2 cores, once." >&2
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  CGO_ENABLED=0 go build -C "$tools" -o "$scratch/temporal" \
    -ldflags "-s -w -X github.com/temporalio/cli/temporalcli.Version=$version" \
    github.com/temporalio/cli/cmd/temporal >&2
  mv -f "$scratch/temporal" "$cache/temporal" # at once: whoever else builds sees all of it or nothing
fi
echo "$cache/temporal"
