#!/usr/bin/env bash
# Prints a directory that holds temporal-server, temporal-sql-tool and the server
# image's entrypoint.sh, of the version that go.mod pins and docker-compose.yml
# runs, built once into a cache outside the tree. Everything but the path goes to
# standard error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
module=go.temporal.io/server
version=$(sed -n "s|^\(require \)\?\s*$module v\([0-9.]*\).*|\2|p" "$here/go.mod")
cache="${XDG_CACHE_HOME:-$HOME/.cache}/modelvigil/temporal-server-$version"
programs=(entrypoint.sh temporal-sql-tool temporal-server)

is_built() {
  local program
  for program in "${programs[@]}"; do [[ -x $cache/$program ]] || return 1; done
}

if ! is_built; then
  echo "Building ${programs[*]} $version into $cache: about 5 minutes on 2 cores, once." >&2
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  for program in cmd/server:temporal-server cmd/tools/sql:temporal-sql-tool; do
    CGO_ENABLED=0 go build -C "$here" -trimpath -tags disable_grpc_modules -ldflags '-s -w' \
      -o "$scratch/${program##*:}" "$module/${program%%:*}" >&2
  done
  install -m 755 "$(go list -C "$here" -m -f '{{.Dir}}' $module)/docker/scripts/sh/entrypoint.sh" "$scratch/"
  for program in "${programs[@]}"; do
    mv -f "$scratch/$program" "$cache/$program" # at once: whoever else builds sees all of it or nothing
  done
fi
echo "$cache"
