package monitor_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

func TestAFreezeCoversWhatItSays(t *testing.T) {
	tests := map[string]struct {
		freeze      monitor.Freeze
		model, team string
		covers      bool
	}{
		"all":                         {monitor.Freeze{}, "fraud", "", true},
		"its team":                    {monitor.Freeze{Teams: []string{"payments"}}, "fraud", "payments", true},
		"another team":                {monitor.Freeze{Teams: []string{"payments"}}, "fraud", "search", false},
		"no team":                     {monitor.Freeze{Teams: []string{"payments"}}, "fraud", "", false},
		"a pattern that fits":         {monitor.Freeze{Models: []string{"fraud-*"}}, "fraud-eu", "", true},
		"a pattern that doesn't":      {monitor.Freeze{Models: []string{"fraud-*"}}, "churn", "", false},
		"a team, or else the pattern": {monitor.Freeze{Teams: []string{"search"}, Models: []string{"fraud-*"}}, "fraud-eu", "payments", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.covers, test.freeze.Covers(test.model, test.team)) })
	}
	require.ErrorContains(t, (&monitor.Freeze{Models: []string{"[", "a"}}).Validate(), `models[0]: must be a pattern such as fraud-*, got "["`)
}

func TestFreezesAreLiftedByTheirScope(t *testing.T) {
	var f monitor.Fleet
	all, payments := monitor.Freeze{}, monitor.Freeze{Teams: []string{"payments"}}
	require.NoError(t, f.Add(noon, all))
	require.NoError(t, f.Add(noon, payments))
	require.NoError(t, f.Add(noon.Add(time.Hour), monitor.Freeze{Teams: []string{"payments"}, By: "ada", Reason: "bad labels"}))
	require.Len(t, f.Freezes, 2, "one of the same scope is replaced")
	assert.Equal(t, 1, f.Lift(noon, payments))
	assert.NotNil(t, monitor.Frozen(f.Freezes, "fraud", "payments"), "all are frozen still")
	require.NoError(t, f.Add(noon, payments))
	assert.Equal(t, 2, f.Lift(noon, monitor.Freeze{}), "all ends all")
	assert.Nil(t, monitor.Frozen(f.Freezes, "fraud", "payments"))
}

func TestTheBrakeHoldsTheFleetWhenTooManyAskAtOnce(t *testing.T) {
	brake := monitor.Brake{Share: 0.2, Within: policy.Duration(10 * time.Minute), Monitors: 100}
	var f monitor.Fleet
	ask := func(minute, model int) *monitor.Freeze {
		text, err := json.Marshal(f) // as through continue-as-new
		require.NoError(t, err)
		f = monitor.Fleet{}
		require.NoError(t, json.Unmarshal(text, &f))
		return f.Permit(noon.Add(time.Duration(minute)*time.Minute), fmt.Sprint("model-", model), "", brake)
	}
	for i := range 60 { // 20 in any 10 minutes, the same ones again and again
		require.Nil(t, ask(i, i%20))
	}
	for i := range 20 {
		require.Nil(t, ask(100, i), "a fifth is allowed")
	}
	require.Nil(t, ask(101, 7), "a model that asks again is the same model")
	held := ask(102, 20)
	require.NotNil(t, held)
	assert.Equal(t, "21 of 100 models asked for a retraining within 10m, more than 20 %", held.Reason)
	assert.Equal(t, monitor.BrakeName, held.By)
	assert.NotNil(t, ask(1000, 1), "until somebody lifts it")
	f.Lift(noon, monitor.Freeze{})
	assert.Nil(t, ask(1001, 1))

	brake.Monitors = 5
	f = monitor.Fleet{}
	for i := range 5 {
		assert.Nil(t, ask(i, i), "so few are no fleet")
	}
}

func TestWhatIsHeldIsJudgedAgainBeforeItStarts(t *testing.T) {
	begin := func() (*monitor.Machine, string) {
		m := newMachine(policyOf(t, `{"rules": [{"metric": "accuracy", "below": 0.9}], "retraining": {"timeout": "10m"}}`))
		m.Observe(noon, reading(noon, "v1", metric.Accuracy, 0.8))
		m.Tick(noon)
		id := m.Wants(noon).Schedule.RequestID
		m.Hold(noon, id, "all models frozen since …: bad data")
		m.Tick(noon)
		return m, id
	}
	isScheduled := func(m *monitor.Machine, at time.Time) bool {
		m.Tick(at)
		return m.Wants(at).Schedule != nil
	}
	t.Run("it waits, and is asked for again as the same retraining", func(t *testing.T) {
		m, id := begin()
		assert.False(t, isScheduled(m, noon))
		assert.Equal(t, monitor.HeldFreeze, m.Glance(noon).Waits)
		assert.False(t, isScheduled(m, noon.Add(59*time.Second)))
		next, ok := m.NextWake()
		assert.True(t, ok)
		assert.Equal(t, noon.Add(time.Minute), next)
		require.True(t, isScheduled(m, next))
		assert.Equal(t, id, m.Wants(next).Schedule.RequestID)
		for i := range 30 { // far beyond its timeout
			m.Hold(noon.Add(time.Duration(1+i)*time.Minute), id, "still")
			require.True(t, isScheduled(m, noon.Add(time.Duration(2+i)*time.Minute)))
		}
		assert.Len(t, kindsOf(m.Status(noon).Decisions, policy.Held), 1, "once said is enough")
		m.Scheduled(noon.Add(time.Hour), id, modelops.Job{ID: "job", Backend: "b", Followed: true})
		m.Hold(noon.Add(time.Hour), id, "too late")
		assert.NotNil(t, m.Wants(noon.Add(time.Hour)).Await)
	})
	t.Run("it is dropped when it breaches no more", func(t *testing.T) {
		m, _ := begin()
		m.Observe(noon.Add(30*time.Second), reading(noon.Add(30*time.Second), "v1", metric.Accuracy, 0.95))
		assert.False(t, isScheduled(m, noon.Add(time.Minute)))
		s := m.Status(noon.Add(time.Minute))
		assert.Equal(t, contract.PhaseWatching, s.Phase, "nothing went out, so that no cooldown has begun")
		last := s.Decisions[len(s.Decisions)-1]
		assert.Equal(t, policy.Cancelled, last.Kind)
		assert.Equal(t, "it was held, and breaches no more", last.Reason)
		assert.EqualValues(t, 1, s.Retrainings.Cancelled)
	})
	t.Run("one by hand is not judged", func(t *testing.T) {
		m := newMachine(policyOf(t, `{}`))
		id := m.Retrain(noon, monitor.Control{By: "ada", Force: true})
		m.Hold(noon, id, "frozen")
		assert.True(t, isScheduled(m, noon.Add(time.Minute)))
	})
	t.Run("and can be cancelled", func(t *testing.T) {
		m, _ := begin()
		m.Cancel(noon, monitor.Control{By: "ada"})
		assert.False(t, isScheduled(m, noon.Add(time.Hour)))
	})
}

// What is in force is in a memo, of which the server takes 2 MiB.
func TestFreezesAreBounded(t *testing.T) {
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprint("team-", i)
	}
	require.EqualError(t, (&monitor.Freeze{Teams: many}).Validate(), "teams: must be at most 100, got 101")
	require.EqualError(t, (&monitor.Freeze{Models: many}).Validate(), "models: must be at most 100 patterns, got 101")
	require.EqualError(t, (&monitor.Freeze{Models: []string{strings.Repeat("*", 201)}}).Validate(), "models[0]: must be at most 200 bytes, got 201")

	var f monitor.Fleet
	refused := 0
	for i := range 100 {
		wide := monitor.Freeze{Models: slices.Clone(many[:100])}
		for j := range wide.Models {
			wide.Models[j] = fmt.Sprint(strings.Repeat("x", 190), i, "-", j)
		}
		require.NoError(t, wide.Validate())
		if err := f.Add(noon, wide); err != nil {
			require.ErrorContains(t, err, "lift some, or use patterns that fit more")
			refused++
		}
		f.Address("fleet", []string{"chat", "pager"})
	}
	text, err := json.Marshal(f)
	require.NoError(t, err)
	assert.Less(t, len(text), 512<<10, "handed on by continue-as-new")
	assert.Positive(t, refused)
	frozen := len(f.Freezes)
	require.Error(t, f.Add(noon, monitor.Freeze{Models: append(slices.Clone(f.Freezes[0].Models[:99]), strings.Repeat("y", 200))}))
	assert.Len(t, f.Freezes, frozen, "one that is refused changes nothing")
}
