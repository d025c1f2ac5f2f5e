#!/usr/bin/env bash
# Measures what monitors cost: disk of the database and processor time of server,
# database and worker, for each monitor, each signal and each retraining, and the
# memory of a worker that has them in its cache. For docs/scaling.md:
#
#   tools/with-compose.sh tools/sizing.sh [MODELS [ROUNDS [DURATION [PACES]]]]    PostgreSQL
#   tools/with-server.sh tools/sizing.sh [MODELS [ROUNDS [DURATION [PACES]]]]     the dev server's SQLite
#
# At last it lets as many models be healthy for DURATION, once for each of PACES, which
# are values of report_every ("10s 1m"), and says what that costs the server beside what
# `modelvigil bench --cost` counts, and what the server takes while nothing happens.
#
# Wants bin/modelvigil-worker and bin/modelvigil (make build), and psql for PostgreSQL.
set -euo pipefail

models=${1:-100} rounds=${2:-20} duration=${3:-5m} paces=${4:-10s 1m}
scratch=$(mktemp -d)
export TASK_QUEUE=sizing
LISTEN_ADDRESS=127.0.0.1:0 LOG_LEVEL=error bin/modelvigil-worker &
worker=$! measured=$!
trap 'kill $worker 2>/dev/null || true; wait $worker 2>/dev/null || true; rm -rf "$scratch"' EXIT

sql() { psql --no-psqlrc -qAtX -d "$1" -c "$2"; } # DATABASE STATEMENT
disk() { # bytes of tables and their indexes, as they are
  if [[ -n ${PGHOST:-} ]]; then
    echo $(($(sql temporal 'select pg_database_size(current_database())') + $(sql temporal_visibility 'select pg_database_size(current_database())')))
  else
    stat -c %s "$SERVER_DATABASE"
  fi
}
# Of that what stays until the namespace's retention ends: histories, and rows of lists, with
# their indexes. All else is rewritten in place. SQLite would be locked meanwhile, and isn't asked.
staying() {
  [[ -z ${PGHOST:-} ]] || echo $(($(sql temporal "select pg_total_relation_size('history_node') + pg_total_relation_size('history_tree')") +
    $(sql temporal_visibility 'select pg_database_size(current_database())')))
}
history() { [[ -z ${PGHOST:-} ]] || sql temporal 'select sum(length(data)) from history_node'; }
signals() { # of all monitors, by ten of them
  local i
  for ((i = 0; i < 10; i++)); do bin/modelvigil status "size-$((i * models / 10))" -o json; done |
    awk -v models="$models" '/^ *"signals":/ {total += $2} END {printf "%d\n", total * models / 10}'
}
ticks() { # of processor time, of the server's processes and of what they have started
  local total=0 pid all
  for pid in $SERVER_PIDS; do
    read -r -a all < <(sed 's/.*) //' "/proc/$pid/stat")
    total=$((total + all[11] + all[12] + all[13] + all[14]))
  done
  for pid in $(pgrep -P "${SERVER_PIDS// /,}"); do
    read -r -a all < <(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) && total=$((total + all[11] + all[12]))
  done
  echo "$total"
}
publish() { # ACCURACY: 50 events of each model, of which a digest or two are made
  awk -v models="$models" -v accuracy="$1" 'BEGIN {
    srand()
    for (i = 0; i < 50*models; i++)
      printf "{\"model_name\": \"size-%d\", \"model_version\": \"v1\", \"accuracy\": %s, \"latency_ms\": %.1f, \"drift_score\": %.4f}\n",
        i % models, accuracy, 60 + 80*rand(), 0.02 + 0.04*rand()}' >"$scratch/events"
  bin/modelvigil publish --timeout 10m --file "$scratch/events" >/dev/null
}
worked() { # processor time of the process that works
  local all
  read -r -a all < <(sed 's/.*) //' "/proc/$measured/stat")
  echo $((all[11] + all[12]))
}
look() { own=$(worked) used=$(ticks) bytes=$(disk) stay=$(staying) kept=$(history); }
say() { # WHAT COUNT: what has grown since the last look, for each of COUNT
  local b=$bytes s=$stay k=$kept u=$used o=$own hz
  hz=$(getconf CLK_TCK)
  look
  awk -v what="$1" -v n="$2" -v bytes=$((bytes - b)) -v stay=$((stay - s)) -v kept=$((kept - k)) -v ms=$((1000 * (used - u) / hz)) -v own=$((1000 * (own - o) / hz)) \
    'BEGIN {printf "%6d %-12s each %6.0f bytes of disk, %6.0f of them stay, history %6.0f; server %5.2f ms of processors, worker %5.2f ms\n", n, what, bytes/n, stay/n, kept/n, ms/n, own/n}'
}

until bin/modelvigil list >/dev/null 2>&1; do sleep 0.2; done
look
publish 0.95
say monitors "$models"
before=$(signals)
for ((round = 0; round < rounds; round++)); do publish 0.95; done
say signals $(($(signals) - before))
sleep 60
say 'idle s' 60
publish 0.5
until ! bin/modelvigil list -o json | grep -q '"watching"'; do sleep 0.2; done
say retrainings "$models"
echo "worker: $(awk '/VmRSS/ {print int($2/1024)}' "/proc/$worker/status") MiB with $models monitors"
if [[ -n ${PGHOST:-} ]]; then
  sql temporal "select relname, pg_total_relation_size(relid) from pg_stat_user_tables where pg_total_relation_size(relid) > 1000000 order by 2 desc" | sed 's/^/  /'
  sql temporal_visibility "select relname, pg_total_relation_size(relid) from pg_stat_user_tables where pg_total_relation_size(relid) > 1000000 order by 2 desc" | sed 's/^/  visibility: /'
fi

for pace in $paces; do
  echo "report_every: $pace" >"$scratch/policy.yaml"
  mkfifo "$scratch/said"
  bin/modelvigil bench --cost --policy "$scratch/policy.yaml" --models "$models" --duration "$duration" >"$scratch/cost" 2>"$scratch/said" &
  measured=$! # it has a worker and two hubs
  while read -r line; do
    case $line in
      counting*) look ;;
      counted) say "by $pace" $((models + 1)) ;;
    esac
  done <"$scratch/said"
  wait "$measured"
  cat "$scratch/cost"
  rm "$scratch/said"
done
