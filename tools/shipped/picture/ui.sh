#!/usr/bin/env bash
# Makes docs/ui/*.png: a small fleet on a dev server, as the Temporal UI shows it.
# Needs a Chromium on PATH; `make picture` calls it.
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
. "$root/tools/shipped/picture/fleet.sh"

cd "$root/tools/shipped/picture"
picture() { go run . "$@"; }
mkdir -p "$root/docs/ui"
run=$("$temporal" workflow describe -w model-monitor/fraud-eu -o json | grep -o '"runId": "[^"]*"' | head -1 | cut -d'"' -f4)
picture -width 1560 -height 640 -wait fraud-eu -out "$root/docs/ui/fleet.png" \
	-columns "Workflow ID,MonitorPhase,Team,ModelVersion,LastDecision,LastDecisionAt,Backend" \
	-url "$ui/namespaces/default/workflows?query=WorkflowType%3D%22MonitorWorkflow%22%20AND%20ExecutionStatus%3D%22Running%22"
picture -width 1500 -height 1000 -wait 'Current Details' -out "$root/docs/ui/monitor.png" \
	-url "$ui/namespaces/default/workflows/model-monitor%2Ffraud-eu/$run/user-metadata"
picture -width 1400 -height 1250 -wait 'cooldown of' -out "$root/docs/ui/timeline.png" \
	-url "$ui/namespaces/default/workflows/model-monitor%2Ffraud-eu/$run/history"
