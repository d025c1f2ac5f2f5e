#!/usr/bin/env bash
# Prints a directory that holds prometheus, promtool and alertmanager, built from
# the versions that go.mod and alertmanager/go.mod pin, once, into a cache outside
# the tree. They have no web pages, which their modules don't come with, and
# Prometheus discovers no clouds. Everything but the path goes to standard error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# pinned MODULE FILE: the module's version in a go.mod.
pinned() { sed -n "s|^\(require \)\?\s*$1 v\([0-9.]*\).*|\2|p" "$here/$2"; }
prometheus=$(pinned github.com/prometheus/prometheus go.mod)
alertmanager=$(pinned github.com/prometheus/alertmanager alertmanager/go.mod)
cache="${XDG_CACHE_HOME:-$HOME/.cache}/modelvigil/prometheus-$prometheus-alertmanager-$alertmanager"
programs=(prometheus promtool alertmanager)

is_built() {
  local program
  for program in "${programs[@]}"; do [[ -x $cache/$program ]] || return 1; done
}

# build MODULE VERSION ARGUMENT…: packages of a module here, into the scratch directory.
build() {
  local module=$1 version=$2
  shift 2
  CGO_ENABLED=0 go build -C "$module" -trimpath -tags netgo,remove_all_sd -o "$scratch/built/" \
    -ldflags "-s -w -X github.com/prometheus/common/version.Version=$version" "$@" >&2
}

if ! is_built; then
  echo "Building ${programs[*]} into $cache: about 4 minutes on 2 cores, once." >&2
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT

  build "$here" "$prometheus" github.com/prometheus/prometheus/cmd/{prometheus,promtool}

  # Alertmanager embeds web pages that its module lacks: an empty one lets it compile.
  cp "$here/alertmanager/"go.{mod,sum} "$scratch/"
  go mod download -C "$here/alertmanager" github.com/prometheus/alertmanager >&2
  cp -r --no-preserve=mode "$(go list -C "$here/alertmanager" -m -f '{{.Dir}}' github.com/prometheus/alertmanager)" "$scratch/alertmanager"
  mkdir -p "$scratch/alertmanager/ui/app/dist"
  echo '<!doctype html><title>built without its web pages</title>' >"$scratch/alertmanager/ui/app/dist/index.html"
  go mod edit -replace "github.com/prometheus/alertmanager=$scratch/alertmanager" "$scratch/go.mod"
  build "$here/alertmanager" "$alertmanager" -modfile="$scratch/go.mod" github.com/prometheus/alertmanager/cmd/alertmanager

  for program in "${programs[@]}"; do
    mv -f "$scratch/built/$program" "$cache/$program" # at once: whoever else builds sees all of it or nothing
  done
fi
echo "$cache"
