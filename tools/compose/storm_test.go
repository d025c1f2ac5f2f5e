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
	starter(t, s, "apply", policyFile)
	starter(t, s, "publish", "--file", eventFile)
	require.Eventually(t, func() bool { return len(training.asked()) >= models }, 3*time.Minute, 200*time.Millisecond, "every model is retrained")

	asked, once := training.asked(), map[string]bool{}
	firsts, others, most := 0, 0, 0 // sums of places; the most in 5 s
	for place, r := range asked {
		once[r.model] = true
		if isFirst(r.model) {
			firsts += place
		} else {
			others += place
		}
		n := 0
		for _, next := range asked[place:] {
			if next.at.Sub(r.at) < 5*time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	t.Logf("%d retrainings within %v, at most %d in any 5 s; place on average: %d of those of the first priority, %d of the others",
		len(asked), asked[len(asked)-1].at.Sub(asked[0].at).Round(100*time.Millisecond), most, firsts/(models/10), others/(models-models/10))
	assert.LessOrEqual(t, most, 7*rate, "each partition lets some go at once")
	assert.Less(t, 2*firsts/(models/10), others/(models-models/10))
	assert.Len(t, asked, models)
	assert.Len(t, once, models, "each once")
}
