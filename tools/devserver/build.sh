#!/usr/bin/env bash
# Prints the path of a `temporal` whose `server start-dev` is this module's server, and
# whose other commands are the CLI's: for tests that run against both. Built once, into
# a cache outside the tree. Everything but the path goes to standard error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|^\s*go.temporal.io/server v\([0-9.]*\).*|\1|p' "$here/go.mod")
cache="${XDG_CACHE_HOME:-$HOME/.cache}/modelvigil/devserver-$version-$(cat "$here"/*.go "$here/go.sum" | sha256sum | cut -c 1-12)"
cli=$("$here/../temporal.sh")

if [[ ! -x $cache/server ]]; then
  echo "Building a Temporal server $version into $cache: about 4 minutes on 2 cores, once." >&2
  mkdir -p "$cache"
  scratch=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  CGO_ENABLED=0 go build -C "$here" -trimpath -ldflags '-s -w' -o "$scratch/server" . >&2
  mv -f "$scratch/server" "$cache/server" # at once: whoever else builds sees all of it or nothing
fi

wrapper=$(mktemp "$cache/temporal.XXXXXX")
cat >"$wrapper" <<END
#!/bin/sh
case "\$1 \$2" in
"server start-dev") exec "$cache/server" "\$@" ;;
*) exec "$cli" "\$@" ;;
esac
END
chmod +x "$wrapper"
mv -f "$wrapper" "$cache/temporal" # at once, too: it is written each time, since the CLI may be another
echo "$cache/temporal"
