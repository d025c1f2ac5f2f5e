package monitor_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/drift"
	"github.com/modelvigil/modelvigil/monitor"
)

// learning is a policy of one drift rule with a reference of its own.
func learning(t *testing.T, reference string) *monitor.Machine {
	return monitor.NewMachine("fraud", "r", policyOf(t, fmt.Sprintf(
		`{"rules": [{"name": "inputs", "metrics": ["age"], "categories": ["country"], "period": "1m", "above": 1, "drift": {"statistic": "js", "reference": %s}}]}`, reference)))
}

// feedAges publishes ages from one on, each a second after the one before; every fourth
// event has no country, and every tenth no age.
func feedAges(m *monitor.Machine, begin time.Time, version string, from, count int) {
	for i := range count {
		at := begin.Add(time.Duration(i) * time.Second)
		tickUntil(m, at)
		event := &metric.Event{ModelName: "fraud", ModelVersion: version, Metrics: map[string]float64{}, Categories: map[string]string{}}
		if i%10 != 9 {
			event.Metrics["age"] = float64(from + i)
		}
		if i%4 != 3 {
			event.Categories["country"] = []string{"DE", "DE", "FR"}[i%3]
		}
		m.Observe(at, event)
	}
}

func TestWhatIsLearntIsHandedOutAsAProfile(t *testing.T) {
	for reference, c := range map[string]struct{ learnt, missing int64 }{
		`{"from": "first", "samples": 45}`:    {45, 4},
		`{"from": "previous", "samples": 45}`: {45, 4},
		`{"from": "trailing", "periods": 2}`:  {81, 9}, // of the last 90 events
	} {
		t.Run(reference, func(t *testing.T) {
			m := learning(t, reference)
			feedAges(m, noon, "v1", 100, 150)
			tickUntil(m, noon.Add(10*time.Minute))

			answer, err := m.Profile(monitor.ProfileAsked{})
			require.NoError(t, err)
			assert.Equal(t, "v1", answer.ModelVersion)
			assert.Empty(t, answer.Awaited)
			require.NoError(t, answer.Profile.Validate())
			age := answer.Profile.Metrics["age"]
			assert.Equal(t, c.learnt, drift.Counts(age.Counts).Total())
			assert.Equal(t, c.missing, age.Missing)
			assert.Equal(t, int64(0), answer.Profile.Categories["country"].Other)
			assert.Greater(t, answer.Profile.Categories["country"].Counts["DE"], answer.Profile.Categories["country"].Counts["FR"])
			if c.learnt == 45 { // 100 to 148 without 109, 119, …
				assert.InDelta(t, (124*49-109-119-129-139)/45.0, age.Mean, 1e-9)
				assert.InDelta(t, 14.2, age.Std, 0.3)
			}
		})
	}
}

// What one version has learnt holds another, as training data would: the same readings
// are no distance from it.
func TestAVersionIsHeldAgainstWhatAnotherHasLearnt(t *testing.T) {
	m := learning(t, `{"from": "first", "samples": 45}`)
	feedAges(m, noon, "v1", 100, 60)
	answer, err := m.Profile(monitor.ProfileAsked{})
	require.NoError(t, err)
	encoded, err := json.Marshal(answer.Profile)
	require.NoError(t, err)

	again := monitor.NewMachine("fraud", "r", policyOf(t, fmt.Sprintf(`{"profiles": {"p.json": %s}, "rules": [{"name": "inputs", "metric": "age",
		"period": "1m", "above": 0.5, "drift": {"statistic": "ks", "reference": {"from": "profile", "profile": "p.json"}}}]}`, encoded)))
	feedAges(again, noon, "v2", 100, 60)
	tickUntil(again, noon.Add(2*time.Minute))
	value, known := again.Status(noon.Add(2 * time.Minute)).Versions["v2"].Rules[0].Value.Get()
	require.True(t, known)
	assert.Less(t, value, 0.25) // 60 seconds of which the first 50 were learnt
	_, err = again.Profile(monitor.ProfileAsked{})
	assert.ErrorContains(t, err, "no rule of its policy learns a distribution")
}

func TestWhatIsMissingOfAProfileIsNamedWithWhatToDo(t *testing.T) {
	none := monitor.NewMachine("fraud", "r", policyOf(t, `{}`))
	empty := learning(t, `{"from": "first"}`)
	few := learning(t, `{"from": "first", "samples": 45}`)
	feedAges(few, noon, "v1", 100, 20)
	some := learning(t, `{"from": "trailing", "periods": 2}`)
	feedAges(some, noon, "v1", 100, 100)
	two := learning(t, `{"from": "first", "samples": 5}`)
	for i, version := range []string{"v1", "v2", "v3"} {
		feedAges(two, noon.Add(time.Duration(i)*time.Minute), version, 100, 20)
	}
	gone := "v1"

	for name, c := range map[string]struct {
		machine *monitor.Machine
		version *string
		fault   string
	}{
		"no rule learns":        {none, nil, "no rule of its policy learns a distribution: drift rules do whose reference is from first, previous or trailing; apply a policy that has one, or make the profile of training data"},
		"nothing has come":      {empty, nil, "no event has come yet that a drift rule learns from"},
		"too few readings":      {few, nil, `nothing is learnt of version "v1" yet: rule inputs has 18 of 45 readings of age; ask again when it has them`},
		"too few periods":       {some, nil, `nothing is learnt of version "v1" yet: rule inputs has 1 of 2 periods of age; ask again when it has them`},
		"a version long gone":   {two, &gone, `distributions are kept of the versions heard of last, "v2" and "v3", and not of "v1"`},
		"a version never heard": {few, new(string), `distributions are kept of the versions heard of last, "v1", and not of ""`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.machine.Profile(monitor.ProfileAsked{ModelVersion: c.version})
			assert.EqualError(t, err, c.fault)
		})
	}
}

// Of what is learnt the profile has all there is, and what it lacks is told.
func TestAProfileIsOfThoseThatAreLearntAndNamesTheOthers(t *testing.T) {
	m := learning(t, `{"from": "first", "samples": 18}`)
	feedAges(m, noon, "v1", 100, 20)

	answer, err := m.Profile(monitor.ProfileAsked{})
	require.NoError(t, err)
	assert.Equal(t, []string{"age"}, answer.Profile.Names(false))
	require.Len(t, answer.Awaited, 1)
	assert.Equal(t, "country", answer.Awaited[0].Name)
	assert.Equal(t, "15 of 18 readings", answer.Awaited[0].Has)
}

// Readings that a sketch does not tell apart are one bin, which status says.
func TestAMetricWhoseReferenceIsOneBinIsNamed(t *testing.T) {
	for _, c := range []struct {
		name    string
		reading func(i int) float64
		isOne   bool
	}{
		{"near to each other", func(i int) float64 { return 1000 + math.Sin(float64(i)) }, true},
		{"always the same", func(int) float64 { return 1000 }, false},
		{"apart", func(i int) float64 { return 1 + math.Sin(float64(i)) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := monitor.NewMachine("fraud", "r", policyOf(t, `{"rules": [{"name": "balance", "metric": "balance", "period": "1m", "above": 1,
				"drift": {"statistic": "ks", "reference": {"from": "first", "samples": 40}}}]}`))
			for i := range 50 {
				m.Observe(noon.Add(time.Duration(i)*time.Second), reading(noon.Add(time.Duration(i)*time.Second), "v1", "balance", c.reading(i)))
			}
			named := m.Status(noon.Add(time.Minute)).Versions["v1"].Rules[0].OneBin
			assert.Equal(t, c.isOne, len(named) == 1, named)
		})
	}
}
