package monitor_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/modelops"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

// cut hands a machine on as continue-as-new does.
func cut(t require.TestingT, m *monitor.Machine) *monitor.Machine {
	encoded, err := json.Marshal(m.State())
	require.NoError(t, err)
	state, err := monitor.DecodeState(encoded)
	require.NoError(t, err)
	return monitor.Restore(state)
}

// A value near a threshold more often than not, and often on it.
func near(t *rapid.T, label string, threshold float64) float64 {
	return threshold * rapid.SampledFrom([]float64{0.5, 0.9, 1, 1, 1.1, 2}).Draw(t, label)
}

func encode(t require.TestingT, value any) string {
	encoded, err := json.Marshal(value)
	require.NoError(t, err)
	return string(encoded)
}

// 5: whatever is thrown at it, a state stays small, and so does a status.
func TestStateAndStatusStayBounded(t *testing.T) {
	long := func(prefix string, i, n int) string {
		name := fmt.Sprintf("%s%d", prefix, i)
		return name + strings.Repeat("\x01", n-len(name)) // six bytes each in JSON
	}
	rules := make([]policy.Rule, 50)
	for i := range rules {
		rules[i] = policy.Below(long("rule", i, metric.MaxNameBytes), 1)
	}
	params := map[string]json.RawMessage{"blob": json.RawMessage(`"` + strings.Repeat("x", 16_000) + `"`)}
	policy := policy.Policy{Rules: rules, Retraining: policy.Retraining{Params: params}}.WithCooldown(0)
	require.NoError(t, policy.Validate())
	model := long("model", 0, metric.MaxModelNameBytes)
	m := monitor.NewMachine(model, contract.WorkflowID(model)+"/run", policy)
	for i := range 3000 {
		now := noon.Add(time.Duration(i) * time.Minute)
		metrics := map[string]float64{}
		for j := range 20 {
			metrics[long("rule", (i*20+j)%1000, metric.MaxNameBytes)] = 0
		}
		e := &metric.Event{ModelName: model, ModelVersion: long("v", i, metric.MaxModelVersionBytes), Metrics: metrics}
		m.ObserveBatch(now, &metric.Batch{
			Version: 1, ModelName: model, Publisher: long("p", i, 64), Sequence: 1,
			Digests: []*metric.Digest{metrictest.DigestOf(e, now)},
		})
		if flight := m.Wants(now).Schedule; flight != nil {
			m.TakeJob(now, flight.RequestID, modelops.Job{Backend: "b", ID: strings.Repeat("\x01", 5000), StatusURL: strings.Repeat("u", 5000), Followed: true})
			m.TakeRefusal(now, flight.RequestID, strings.Repeat("\x02", 10_000))
		}
		m.Reject(now, "metric", fmt.Errorf("%s", strings.Repeat("\x03", 10_000)), make([]byte, 10_000))
		m.Remember(time.Time{}, long("u", i, 200), monitor.UpdateResult{RequestID: long("r", i, 600)})
		if i%500 == 0 {
			require.LessOrEqual(t, len(encode(t, m.Status(now))), monitor.MaxStateBytes)
		}
	}
	require.LessOrEqual(t, len(encode(t, m.Status(noon))), monitor.MaxStateBytes)
	require.LessOrEqual(t, len(encode(t, m.State())), monitor.MaxStateBytes)
}

func TestADigestDecidesAsItsEventsOneByOneHoweverItIsMerged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "events")
		breaches := false
		parts := make([]*metric.Digest, n)
		for i := range parts {
			at := noon.Add(time.Duration(rapid.IntRange(0, 5).Draw(t, "at")) * time.Second)
			e := &metric.Event{ModelName: "fraud", Timestamp: at}
			for i, reading := range []*metric.Reading{&e.Accuracy, &e.LatencyMS, &e.DriftScore} {
				if rapid.Bool().Draw(t, "measured") {
					*reading = metric.Some(near(t, "value", []float64{0.9, 200, 0.1}[i]))
				}
			}
			parts[i] = metrictest.DigestOf(e, at)
			breaches = breaches || breachesByDefault(parts[i])
		}
		left, right := merged(parts), merged(rapid.Permutation(parts).Draw(t, "order"))
		middle := rapid.IntRange(0, n).Draw(t, "middle")
		cutInTwo := merged([]*metric.Digest{merged(parts[:middle]), merged(parts[middle:])})
		for _, other := range []*metric.Digest{right, cutInTwo} {
			for name, metric := range left.Metrics {
				require.InDelta(t, metric.Sum, other.Metrics[name].Sum, 1e-9)
				other.Metrics[name].Sum = metric.Sum
			}
			require.Equal(t, encode(t, left), encode(t, other))
		}
		require.Equal(t, breaches, breachesByDefault(left))
		require.NoError(t, left.Validate(noon.Add(time.Minute)))
	})
}

// breachesByDefault says that a digest breaches under the default policy.
func breachesByDefault(d *metric.Digest) bool {
	m := newMachine(policy.Policy{})
	m.ObserveBatch(d.FoldedUntil, &metric.Batch{ModelName: "fraud", Publisher: "p", Sequence: 1, Digests: []*metric.Digest{d}})
	return m.Status(d.FoldedUntil).Breaches > 0
}

// merged folds copies of digests, which may be none, into one.
func merged(parts []*metric.Digest) *metric.Digest {
	var sum *metric.Digest
	for _, part := range parts {
		if part == nil {
			continue
		}
		if sum == nil {
			sum = &metric.Digest{ModelVersion: part.ModelVersion, First: part.First, Last: part.Last, FoldedFrom: part.FoldedFrom, FoldedUntil: part.FoldedUntil}
		}
		sum.Merge(part)
	}
	return sum
}
