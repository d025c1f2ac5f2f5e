package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/monitor"
)

// Two teams share a backend's rate. The models of one breach by the hundred, and then
// a handful of the other's: on a server that knows fairness they need not wait until
// the hundred have had their turn. All are queued before the pace is let up.
func TestOneTeamsBurstDoesNotStarveAnothersModels(t *testing.T) {
	const queue, many, few = "fairness", 150, 6
	const long = "of-a-department-whose-name-is-longer-than-the-64-bytes-that-a-server-takes" // in a task, which it refuses
	address := freeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	start(t, temporalPath, []string{
		"server", "start-dev", "--headless", "--port", port, "--log-level", "error", "--dynamic-config-value", "matching.enableFairness=true",
	})
	c := dialEventually(t, address)
	defer c.Close()
	at := "TEMPORAL_ADDRESS=" + address
	backend := startStormBackend(t)
	worker := func(rate string) *process {
		return startWorker(t, queue, at, "MODELOPS_BACKEND=webhook", "MODELOPS_WEBHOOK_URL="+backend.URL, "MODELOPS_RATE="+rate)
	}
	isOfFew := func(model string) bool { return strings.HasPrefix(model, "few-") }
	breach := func(team string, models int) {
		var policies, events strings.Builder
		for i := range models {
			fmt.Fprintf(&policies, "---\nmodel_name: %s-%d\nteam: %s-%s\n", team, i, team, long)
			fmt.Fprintf(&events, "{\"model_name\": \"%s-%d\", \"model_version\": \"v1\", \"accuracy\": 0.5}\n", team, i)
		}
		starterWith(t, queue, policies.String(), []string{at}, "apply", "-")
		starterWith(t, queue, events.String(), []string{at}, "publish", "--file", "-")
		for i := range models {
			patience.Until(t, "its retraining is asked for", func() bool {
				var s monitor.Status
				answer, err := c.QueryWorkflow(t.Context(), contract.WorkflowID(fmt.Sprint(team, "-", i)), "", contract.QueryStatus)
				return err == nil && answer.Get(&s) == nil && s.Retrainings.Requested == 1
			})
		}
	}

	hesitant := worker("0.1")
	breach("many", many)
	breach("few", few)
	require.Zero(t, hesitant.terminate(t))

	_, before := backend.soFar()
	worker("20")
	patience.Until(t, "all are retrained", func() bool {
		_, asked := backend.soFar()
		return len(asked) >= many+few
	})

	_, asked := backend.soFar()
	queued := asked[len(before):]
	fews, others := places(queued, isOfFew)
	t.Logf("place in the queue, on average: %.1f of those of the small team, %.1f of the others", fews, others)
	assert.Less(t, 2*fews, others, "in turn with the others, and not behind them; three calls in ten fail, and are tried again later")
	slices.Sort(asked)
	assert.Len(t, slices.Compact(asked), many+few, "each once")
}
