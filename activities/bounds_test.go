package activities_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/modelvigil/modelvigil/activities"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
)

func TestBoundsAreFoundForAllSizesAndFromWhereTheLastAttemptEnded(t *testing.T) {
	nulls := []drift.Null{
		{Statistic: drift.TVD, Counts: metric.Counts{30, 30}, Level: 0.02},
		{Statistic: drift.TVD, Counts: metric.Counts{10, 50}, Level: 0.02},
	}
	find := func(before ...any) (bounds []drift.Bounds) {
		env := (&testsuite.WorkflowTestSuite{}).NewTestActivityEnvironment()
		env.RegisterActivity(&activities.Bounds{})
		for _, details := range before {
			env.SetHeartbeatDetails(details)
		}
		var b *activities.Bounds
		value, err := env.ExecuteActivity(b.FindBounds, nulls)
		require.NoError(t, err)
		require.NoError(t, value.Get(&bounds))
		return bounds
	}

	all := find()
	require.Len(t, all, 2)
	for _, size := range []int64{1, 50, 1000, 12_345, 1 << 40} {
		bound, known := all[1].At(drift.TVD, size, 60)
		assert.True(t, known)
		alone, _ := nulls[1].Find(size).At(drift.TVD, size, 60)
		assert.InDelta(t, alone, bound, 0)
	}

	given := nulls[0].Find(1)
	assert.Equal(t, []drift.Bounds{given, all[1]}, find([]drift.Bounds{given}))
	assert.Equal(t, all, find("of another release"))
}
