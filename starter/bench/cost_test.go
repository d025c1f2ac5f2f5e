package bench_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
	"github.com/modelvigil/modelvigil/starter/bench"
)

// reportedEvery is the default policy, reported so often.
func reportedEvery(every time.Duration) policy.Policy {
	return policy.Policy{ReportEvery: metric.Some(policy.Duration(every))}
}

func TestTheCostOfAModelIsCountedInItsHistory(t *testing.T) {
	patience.Long(t)
	server := startServer(t)

	cost, err := bench.RunCost(t.Context(), server, reportedEvery(time.Second), bench.Options{
		Duration: 6 * time.Second, Models: 3, Progress: t.Output(),
	})
	require.NoError(t, err)

	assert.Equal(t, 1, cost.One.Models)
	assert.Equal(t, 3, cost.Fleet.Models)
	for _, share := range []bench.Share{cost.One, cost.Fleet} {
		counted := share.Counted
		assert.Positive(t, counted.Signals)
		assert.LessOrEqual(t, counted.Signals, float64(share.Models)*(cost.Seconds+1), "one in each second, whatever is published")
		assert.Positive(t, counted.HistoryBytes)
		assert.GreaterOrEqual(t, counted.HistoryEvents, counted.Signals)
		assert.Zero(t, counted.Runs, "those that were there before are not counted")
		assert.InDelta(t, counted.Signals+counted.Queries+counted.Timers+counted.Upserts+counted.Activities+counted.Updates, counted.Actions, 1e-9)
		assert.InEpsilon(t, counted.Signals/float64(share.Models)*86400/cost.Seconds, share.Day.Signals, 1e-9)
	}

	var printed bytes.Buffer
	require.NoError(t, cost.Print(&printed))
	assert.Contains(t, printed.String(), "billed as actions")
	t.Log(printed.String())
}

func TestACostIsNotCountedInATimeThatIsTooShortForIt(t *testing.T) {
	_, err := bench.RunCost(t.Context(), nil, reportedEvery(time.Hour), bench.Options{Duration: time.Hour})

	assert.ErrorContains(t, err, "give --duration 2h0m0s or more")
}
