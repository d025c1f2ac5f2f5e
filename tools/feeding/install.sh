#!/usr/bin/env bash
# Prints a directory that holds what the examples of examples/feeding need, installed
# once outside the tree, of exactly what their lists pin: python/bin/python with the
# SDKs of Temporal and OpenTelemetry, and node/node_modules. Everything but the path
# goes to standard error. Needs Python >= 3.11 and Node >= 20.3.
#
#   PYTHON=python3.12 tools/feeding/install.sh
set -euo pipefail

examples=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../examples/feeding" && pwd)
lists=("$examples"/{python,otlp}/requirements.txt "$examples"/node/package{,-lock}.json)
version() { sed -n "s|^$1==\([^ ]*\).*|\1|p" "$examples/$2/requirements.txt"; }
client=$(sed -n 's|.*"@temporalio/client": "\([0-9.]*\)".*|\1|p' "$examples/node/package.json")
cache="${XDG_CACHE_HOME:-$HOME/.cache}/modelvigil"
home="$cache/feeding-python-$(version temporalio python)-node-$client-otel-$(version opentelemetry-sdk otlp)"

# is_complete: whether what is there was installed to the end, from these very lists.
is_complete() { [[ -f $home/lists ]] && cmp -s "$home/lists" <(cat "${lists[@]}"); }

if ! is_complete; then
  mkdir -p "$cache"
  exec 9>"$cache/feeding.lock"
  flock 9 # whoever else installs is waited for: a virtual environment can't be moved into place
fi
if ! is_complete; then
  echo "Installing the SDKs of Temporal and OpenTelemetry into $home: about 120 MB and half a minute, once." >&2
  rm -rf "$home"
  mkdir -p "$home/node"
  "${PYTHON:-python3}" -m venv "$home/python" >&2
  "$home/python/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement "$examples/python/requirements.txt" --requirement "$examples/otlp/requirements.txt" >&2
  "$home/python/bin/pip" check >&2
  cp "$examples"/node/package{,-lock}.json "$home/node/"
  npm --prefix "$home/node" ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
  cat "${lists[@]}" >"$home/lists" # last: it says that all went well
fi
echo "$home"
