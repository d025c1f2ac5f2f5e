#!/usr/bin/env bash
# A small fleet on a dev server, in all phases, for pictures. Sourced with $root set;
# leaves $temporal, $ui and TEMPORAL_ADDRESS, and ends all when the shell does.
temporal=$("$root/tools/temporal.sh")
scratch=$(mktemp -d)
port=$((20000 + RANDOM % 10000))
export TEMPORAL_ADDRESS=127.0.0.1:$port
ui=http://127.0.0.1:$((port + 1))
"$temporal" server start-dev --ip 127.0.0.1 --port "$port" --ui-port "$((port + 1))" --log-level error >"$scratch/server.log" 2>&1 &
server=$!
# Retrainings that nobody works at stay under way.
MODELOPS_TEMPORAL_WORKFLOW_TYPE=Train MODELOPS_TEMPORAL_TASK_QUEUE=gpu LISTEN_ADDRESS=127.0.0.1:0 \
	"$root/bin/modelvigil-worker" >"$scratch/worker.log" 2>&1 &
worker=$!
trap 'kill $worker $server 2>/dev/null; wait || true; rm -rf "$scratch"' EXIT
modelvigil() { "$root/bin/modelvigil" "$@" >>"$scratch/modelvigil.log"; }
until modelvigil list 2>/dev/null; do
	kill -0 $server && kill -0 $worker
	sleep 0.2
done

cat >"$scratch/policies.yaml" <<'POLICIES'
defaults: {models: ["*"]}
rules:
  - {name: accuracy, metric: accuracy, below: 0.90}
  - {name: slow, metric: latency_ms, stat: p99, above: 250, period: 5s, datapoints: {breaching: 2, of: 3}}
  - {name: drift, metric: drift_score, above: 0.05, severity: warning}
cooldown: 6h
---
model_name: fraud-eu
team: payments
---
model_name: fraud-us
team: payments
retraining: {backend: temporal}
---
model_name: churn
team: growth
approval: {required: true, timeout: 4h}
---
model_name: ranking
team: search
---
model_name: query-intent
team: search
retraining: {backend: temporal}
---
model_name: forecast
team: supply
---
model_name: pricing
team: supply
dry_run: true
POLICIES
modelvigil apply "$scratch/policies.yaml"
publish() { # model, version, accuracy, latency, drift
	modelvigil publish --model "$1" --version "$2" --accuracy "$3" --latency-ms "$4" --drift-score "${5:-0.07}"
}
publish fraud-eu v7 0.94 110
publish fraud-us v7 0.87 115
publish churn 2026-11 0.81 90
publish ranking r41 0.93 140
publish query-intent q3 0.88 60
publish forecast f9 0.95 70
publish pricing p2 0.86 80
modelvigil pause forecast --by ada --reason "labels are being mended"
sleep 6 # a period of the policy
publish fraud-eu v7 0.88 120
sleep 2
publish fraud-eu v7 0.86 125
sleep 2

