#!/usr/bin/env bash
# Prints the path of the schemathesis that tests the gateway, installed once into a
# virtual environment outside the tree, of exactly what requirements.txt pins.
# Everything but the path goes to standard error.
#
#   PYTHON=python3.12 tools/schemathesis/install.sh
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|^schemathesis==\([^ ]*\).*|\1|p' "$tools/requirements.txt")
cache="${XDG_CACHE_HOME:-$HOME/.cache}/modelvigil"
venv="$cache/schemathesis-$version"

# is_complete: whether what is there was installed to the end, from this very list.
is_complete() {
  [[ -x $venv/bin/schemathesis ]] && cmp -s "$venv/requirements.txt" "$tools/requirements.txt"
}

if ! is_complete; then
  mkdir -p "$cache"
  exec 9>"$cache/schemathesis.lock"
  flock 9 # whoever else installs is waited for: a virtual environment can't be moved into place
fi
if ! is_complete; then
  rm -rf "$venv"
  "${PYTHON:-python3}" -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$tools/requirements.txt" >&2
  "$venv/bin/pip" check >&2
  cp "$tools/requirements.txt" "$venv/requirements.txt" # last: it says that all went well
fi
echo "$venv/bin/schemathesis"
