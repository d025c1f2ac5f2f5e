#!/usr/bin/env bash
# Prints the directory of PostgreSQL's programs: the newest of Debian's packages,
# else of the one on PATH.
set -euo pipefail

found=$(find /usr/lib/postgresql -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
if [[ -z $found ]] && ! found=$(command -v initdb); then
  echo "no PostgreSQL: install it (Debian: apt-get install postgresql)" >&2
  exit 1
fi
dirname "$found"
