package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// Something upstream breaks: an operator freezes a team, one model recovers and one
// does not, and after the freeze only the one that still breaches is retrained.
func TestAFreezeHoldsRetrainingsAndEachIsJudgedAgain(t *testing.T) {
	t.Parallel()
	const queue = "freeze"
	trainer := startPipeline(t)
	startWorker(t, queue, "MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL="+trainer.URL+"/retrainings", "MODELOPS_POLL_INTERVAL=100ms")
	mustStarter(t, queue, "model_name: freeze-sick\nteam: a\n---\nmodel_name: freeze-cured\nteam: a\n---\nmodel_name: freeze-other\nteam: b\n", "apply", "-")
	assert.Contains(t, mustStarter(t, queue, "", "freeze", "--team", "a", "--by", "ada", "--reason", "bad features"), "team a: frozen")
	assert.Contains(t, mustStarter(t, queue, "", "list"), "by ada: bad features")
	breach := func(model, accuracy string) {
		mustStarter(t, queue, "", "publish", "--model", model, "--version", "v1", "--accuracy", accuracy)
	}
	for _, model := range []string{"freeze-sick", "freeze-cured", "freeze-other"} {
		breach(model, "0.5")
	}
	patience.Until(t, "the other team's model is retrained", func() bool { return len(trainer.asked()) == 1 })
	held := until(t, "freeze-sick", "it is held", func(s monitor.Status) bool { return s.Current != nil && s.Current.IsFrozen })
	last := held.Decisions[len(held.Decisions)-1]
	assert.Equal(t, policy.Held, last.Kind)
	assert.Regexp(t, `^team a frozen since .+ by ada: bad features$`, last.Reason)
	patience.Until(t, "the list shows it", func() bool { return listed(t, queue, "freeze-sick", " held ") == 1 })
	until(t, "freeze-cured", "it is held", func(s monitor.Status) bool { return s.Current != nil && s.Current.IsFrozen })
	breach("freeze-cured", "0.95")

	_, stderr, code := starter(t, queue, "", "unfreeze", "--team", "b")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "no freeze of team b is in force")
	assert.Contains(t, mustStarter(t, queue, "", "unfreeze", "--team", "a"), "1 freeze lifted")
	patience.Until(t, "the sick model is retrained", func() bool { return len(trainer.asked()) == 2 })
	cured := until(t, "freeze-cured", "its retraining is dropped", func(s monitor.Status) bool { return s.Current == nil })
	assert.EqualValues(t, 1, cured.Retrainings.Cancelled)
	assert.Len(t, trainer.asked(), 2)
}

// A broken upstream makes a whole fleet breach: the brake lets a few start, and
// holds the rest until somebody has looked.
func TestTheFleetBrakeStopsAStampede(t *testing.T) {
	t.Parallel()
	const queue, models = "brake", 40
	trainer := startPipeline(t)
	startWorker(t, queue, "MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL="+trainer.URL+"/retrainings", "FLEET_BRAKE=1%/1h")
	var events strings.Builder
	for i := range models {
		fmt.Fprintf(&events, "{\"model_name\": \"brake-%d\", \"model_version\": \"v1\", \"accuracy\": 0.5}\n", i)
	}
	mustStarter(t, queue, events.String(), "publish", "--file", "-")
	started := 0
	patience.Until(t, "each is retrained or held", func() bool {
		started = len(trainer.asked())
		return started+listed(t, queue, "brake-", " held ") == models
	})
	assert.Regexp(t, `all models frozen since .+ by the fleet brake: \d+ of \d+ models asked for a retraining within 1h, more than 1 %`, mustStarter(t, queue, "", "list"))
	assert.GreaterOrEqual(t, started, 9)
	assert.Less(t, started, 15)
	require.Contains(t, mustStarter(t, queue, "", "unfreeze"), "1 freeze lifted")
}

// listed counts the lines of `modelvigil list` that are of certain models and say something.
func listed(t *testing.T, queue, models, text string) (n int) {
	t.Helper()
	for line := range strings.Lines(mustStarter(t, queue, "", "list", "--all")) {
		if strings.HasPrefix(line, models) && strings.Contains(line, text) {
			n++
		}
	}
	return n
}
