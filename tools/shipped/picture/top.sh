#!/usr/bin/env bash
# Makes docs/top.png: a small fleet, as modelvigil top shows it. Needs a Chromium and
# tmux on PATH; `make picture` calls it.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
. "$root/tools/shipped/picture/fleet.sh"
# Some values, so that there is a trend to see.
for drift in 0.051 0.053 0.052 0.056 0.055 0.061 0.064 0.072; do
	publish ranking r41 0.93 140 $drift
	publish forecast f9 0.95 70 0.0$((RANDOM % 20 + 60))
	sleep 5
done &
values=$!
tmux -L "modelvigil-$$" -f /dev/null new-session -d -x 132 -y 13 \
	"TEMPORAL_ADDRESS=$TEMPORAL_ADDRESS LC_ALL=C.UTF-8 $root/bin/modelvigil top --by ada"
wait $values
sleep 6
tmux -L "modelvigil-$$" capture-pane -e -p >"$scratch/top"
tmux -L "modelvigil-$$" kill-server
cd "$root/tools/shipped/picture"
go run . -terminal "$scratch/top" -width 1150 -height 285 -out "$root/docs/top.png"
