#!/usr/bin/env bash
# Runs a command against the database and the server of docker-compose.yml, run
# as processes without containers, which end with it:
#
#   tools/with-compose.sh bin/modelvigil bench
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
MODELVIGIL_TEMPORAL=$("$tools/temporal.sh")
MODELVIGIL_SERVER=$("$tools/server/build.sh")
MODELVIGIL_POSTGRESQL=$("$tools/postgresql.sh")
export MODELVIGIL_TEMPORAL MODELVIGIL_SERVER MODELVIGIL_POSTGRESQL

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
go build -C "$tools/shipped" -o "$scratch/with" ./compose/with
"$scratch/with" "$tools/../docker-compose.yml" "$@"
