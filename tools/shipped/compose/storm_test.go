package compose

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A fleet breaches at once. Task queues have several partitions, which share the
// rate, and know priorities without being told to.
func TestAFleetThatBreachesAtOnceIsRetrainedAtTheBackendsPace(t *testing.T) {
	const models, rate = 100, 10
	training := startTraining(t)
	s := up(t, "MODELOPS_BACKEND=webhook", "MODELOPS_RATE="+strconv.Itoa(rate), "FLEET_BRAKE=",
		"MODELOPS_WEBHOOK_URL=http://host.docker.internal:"+training.port()+"/retrainings")

	isFirst := func(model string) bool { return strings.HasSuffix(model, "9") }
	var policies, events strings.Builder
	for i := range models {
		model, priority := fmt.Sprintf("storm-%d", i), 5
		if isFirst(model) {
			priority = 1
		}
		fmt.Fprintf(&policies, "---\nmodel_name: %s\nretraining: {priority: %d}\n", model, priority)
		fmt.Fprintf(&events, `{"model_name": %q, "model_version": "v1", "accuracy": 0.5}`+"\n", model)
	}
	policyFile, eventFile := filepath.Join(t.TempDir(), "policies.yaml"), filepath.Join(t.TempDir(), "events.ndjson")
	require.NoError(t, os.WriteFile(policyFile, []byte(policies.String()), 0o600))
	require.NoError(t, os.WriteFile(eventFile, []byte(events.String()), 0o600))
	pace := func(limit string) { // in place of the workers'
		cli(t, s, "task-queue", "config", "set", "--task-queue", "model-monitor-retraining", "--task-queue-type", "activity", "--queue-rps-limit", limit)
	}
	pace("0.1") // until all are queued, so that their order is the queue's
	starter(t, s, "apply", policyFile)
	starter(t, s, "publish", "--file", eventFile)
	eventually(t, "every monitor asks for a retraining", func() bool {
		list := starter(t, s, "list")
		return strings.Count(list, " queued ")+strings.Count(list, " retraining ") == models
	})
	pace("default")
	began := time.Now()
	eventually(t, "every model is retrained", func() bool { return len(training.asked()) >= models })
	took := time.Since(began)

	asked, once := training.asked(), map[string]bool{}
	firsts, others := 0, 0 // sums of places
	for place, r := range asked {
		once[r.model] = true
		if isFirst(r.model) {
			firsts += place
		} else {
			others += place
		}
	}
	t.Logf("%d retrainings within %v; place on average: %d of those of the first priority, %d of the others",
		len(asked), took.Round(100*time.Millisecond), firsts/(models/10), others/(models-models/10))
	const burst = 4 * rate // each of four partitions lets some go at once
	assert.GreaterOrEqual(t, took, time.Duration(len(asked)-burst)*time.Second/rate, "no sooner than the pace allows")
	assert.Less(t, 2*firsts/(models/10), others/(models-models/10))
	assert.Len(t, asked, models)
	assert.Len(t, once, models, "each once")
}
