#!/usr/bin/env bash
# Feeds and asks monitors through the temporal CLI:
#
#   feed.sh publish MODEL < events.ndjson     events of this model, one to a line
#   feed.sh status MODEL                      as JSON
#   feed.sh pause MODEL REASON                and resume, retrain, approve, reject, cancel, stop
#
# TEMPORAL_ADDRESS and the like say where the cluster is. Lines are not looked at:
# one that is no JSON spoils its batch, which the monitor counts as one rejection.
set -euo pipefail

batch=1000   # events of a signal: a monitor reads 10,000, the server takes 2 MB
interval=0.2 # seconds: a monitor takes about 5 signals a second, of all its publishers

# workflow_id MODEL: bytes outside 0x21..0x7E, and %, are percent-encoded.
workflow_id() {
  local LC_ALL=C model=$1 id=model-monitor/ i c
  for ((i = 0; i < ${#model}; i++)); do
    c=${model:i:1}
    case $c in
      [$'\x21'-$'\x24'$'\x26'-$'\x7e']) id+=$c ;;
      *) printf -v c '%%%02X' "$(($(printf '%d' "'$c") & 255))" && id+=$c ;;
    esac
  done
  echo "$id"
}

publish() {
  local id published=0 answer lines
  id=$(workflow_id "$1")
  while mapfile -t -n "$batch" lines && ((${#lines[@]})); do
    until answer=$(temporal workflow signal-with-start --type MonitorWorkflow --workflow-id "$id" \
      --task-queue "${TASK_QUEUE:-model-monitor}" --id-reuse-policy AllowDuplicateFailedOnly \
      --signal-name metric --signal-input-file <(IFS=,; echo "[${lines[*]}]") 2>&1); do
      case $answer in
        *"already started"* | *"already finished successfully"*)
          echo "feed.sh: monitor stopped: $1; \`modelvigil apply\` starts it anew" >&2 && return 1 ;;
        *nvalid* | *ermission* | *NotFound* | *"not found"*)
          [[ $answer == *"workflow execution limit for signal"* ]] || { echo "feed.sh: $answer" >&2 && return 1; } ;;
      esac
      echo "feed.sh: ${#lines[@]} events wait: $answer" >&2
      sleep 5
    done
    published=$((published + ${#lines[@]}))
    sleep "$interval"
  done
  echo "published $published events"
}

# quoted TEXT: as a JSON string.
quoted() {
  local text=${1//\\/\\\\}
  text=${text//\"/\\\"}
  echo "\"${text//[[:cntrl:]]/ }\""
}

case "${1-} $#" in
  "publish 2") publish "$2" ;;
  "status 2") temporal workflow query --workflow-id "$(workflow_id "$2")" --name status --output json ;;
  "pause 3" | "resume 3" | "retrain 3" | "approve 3" | "reject 3" | "cancel 3" | "stop 3")
    temporal workflow update execute --workflow-id "$(workflow_id "$2")" --name "$1" \
      --input "{\"by\": $(quoted "$(id -un)"), \"reason\": $(quoted "$3")}" >&2
    echo "$1: $2" ;;
  *) sed -n '2,/^$/s/^#//p' "$0" >&2 && exit 2 ;;
esac
