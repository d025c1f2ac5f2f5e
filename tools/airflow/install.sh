#!/usr/bin/env bash
# Prints the path of the Airflow that the tests run against, installed once into a
# virtual environment outside the tree, of exactly what requirements.txt pins.
# Everything but the path goes to standard error.
#
#   PYTHON=python3.12 tools/airflow/install.sh
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|^apache-airflow==\([^ ]*\).*|\1|p' "$tools/requirements.txt")
cache="${XDG_CACHE_HOME:-$HOME/.cache}/modelvigil"
venv="$cache/airflow-$version"
python=${PYTHON:-python3}

# is_complete: whether what is there was installed to the end, from this very list.
is_complete() {
  [[ -x $venv/bin/airflow ]] && cmp -s "$venv/requirements.txt" "$tools/requirements.txt"
}

if ! is_complete; then
  mkdir -p "$cache"
  exec 9>"$cache/airflow.lock"
  flock 9 # whoever else installs is waited for: a virtual environment can't be moved into place
fi
if ! is_complete; then
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' ||
    { echo "Airflow $version needs Python 3.11 to 3.14, and this is $("$python" --version); set PYTHON to such a one." >&2; exit 1; }
  echo "Installing Airflow $version into $venv: about 300 MB and a minute, once." >&2
  rm -rf "$venv"
  "$python" -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$tools/requirements.txt" >&2
  "$venv/bin/pip" check >&2
  cp "$tools/requirements.txt" "$venv/requirements.txt" # last: it says that all went well
fi
echo "$venv/bin/airflow"
