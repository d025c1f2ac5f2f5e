package monitor_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/contract"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

func TestAnEventReadsAndWritesTheWireContract(t *testing.T) {
	const wire = `{"timestamp":"2026-03-01T12:00:00Z","model_name":"fraud","model_version":"v1","accuracy":0.8,"latency_ms":150,"drift_score":0.05,"metrics":{"auc":0.91}}`
	var e metric.Event
	require.NoError(t, json.Unmarshal([]byte(wire), &e))
	assert.Equal(t, noon, e.Timestamp)
	assert.Equal(t, metric.Some(0.8), e.Accuracy)
	assert.InDelta(t, 0.91, e.Metrics["auc"], 0)
	assert.JSONEq(t, wire, encode(t, e))

	assert.JSONEq(t, `{"model_name":"m","accuracy":0}`, encode(t, metric.Event{ModelName: "m", Accuracy: metric.Some(0.0)}),
		"a zero was measured, the others were not")
	require.NoError(t, json.Unmarshal([]byte(`{"model_name":"m","accuracy":null,"metrics":{"auc":null}}`), &e))
	assert.Equal(t, metric.Event{ModelName: "m"}, e, "null was not measured")
}

func TestSenselessEventsAreRefusedWithEveryFault(t *testing.T) {
	for payload, faults := range map[string][]string{
		`{"model_name":"m","acuracy":1,"latency":2}`:           {"acuracy: unknown field", "latency: unknown field"},
		`{"model_name":"m","accuracy":"0.9","latency_ms":[1]}`: {"accuracy: must be a number, got a string", "latency_ms: must be a number, got a list"},
		`{"model_name":"m","accuracy":1e999}`:                  {"accuracy: number 1e999 is out of range"},
		`{"model_name":"m","accuracy":1e101,"latency_ms":-1e101}`: {
			"accuracy: must be a finite number of magnitude at most 1e+100", "latency_ms: must be a finite number",
		},
		`{"model_name":"m","accuracy":NaN}`:                     {"not JSON"},
		`{"accuracy":1}`:                                        {"model_name: must be 1 to 200 bytes"},
		`{"model_name":"m","timestamp":"yesterday"}`:            {"timestamp: must be an RFC 3339 time"},
		`{"model_name":"m","timestamp":"2026-03-02T00:00:00Z"}`: {"timestamp: 2026-03-02T00:00:00Z is more than 10m0s ahead of the clock"},
		`{"model_name":"m","metrics":{"accuracy":1}}`:           {"metrics.accuracy: is a field of the event itself"},
		`{"model_name":"m"}{"model_name":"m"}`:                  {"not JSON"},
		`7`:                                                     {"must be a JSON object"},
		``:                                                      {"not JSON"},
	} {
		t.Run(payload, func(t *testing.T) {
			events, refused := monitor.DecodeEvents([]byte(payload), noon)
			assert.Empty(t, events)
			require.Len(t, refused, 1)
			for _, fault := range faults {
				assert.ErrorContains(t, refused[0].Err, fault)
			}
		})
	}
}

func TestOneBadEventSpoilsNoOther(t *testing.T) {
	events, refused := monitor.DecodeEvents([]byte(`[{"model_name":"m"},{"model_name":""},{"model_name":"m"}]`), noon)
	assert.Len(t, events, 2)
	require.Len(t, refused, 1)
	assert.Equal(t, 1, refused[0].Index)
}

func TestThePoliciesDefaults(t *testing.T) {
	const wire = `{"rules":[{"name":"accuracy","metric":"accuracy","below":0.9},{"name":"latency","metric":"latency_ms","above":200},` +
		`{"name":"drift","metric":"drift_score","above":0.1}],"cooldown":"1h","retraining":{"timeout":"24h"}}`
	assert.JSONEq(t, `{}`, encode(t, policy.Policy{}))
	wanted, err := policy.Decode([]byte(`{}`))
	require.NoError(t, err)
	assert.JSONEq(t, wire, encode(t, wanted.WithDefaults()))
	again, err := policy.Decode([]byte(wire))
	require.NoError(t, err)
	assert.JSONEq(t, wire, encode(t, again))
	none, err := policy.Decode([]byte(`{"cooldown":"0s"}`))
	require.NoError(t, err)
	assert.Equal(t, metric.Some(policy.Duration(0)), none.WithDefaults().Cooldown, "no cooldown is not the default one")
}

func TestAPolicyNamesEveryFault(t *testing.T) {
	_, err := policy.Decode([]byte(`{"colour":"red","cooldown":"-1h","rules":[
		{"metric":"accuracy"},{"metric":"auc","below":1,"above":2},{"metric":"","above":1},{"metric":"a","above":1e101},
		{"metric":"a","above":1},{"metric":"b","abov":1}],"retraining":{"timeout":"soon","retries":3}}`))
	for _, fault := range []string{
		"colour: unknown field; the fields are approval, blackout, budget, certificate, cooldown, dry_run, keep_distributions, max_failures, notify, owner, profiles, report_every, retraining, rules, superseded, team, verify",
		"cooldown: must be 0s to 8760h, got -1h",
		"rules[0]: must have exactly one of below and above", "rules[1]: must have exactly one of below and above",
		"rules[2].metric: must be 1 to 100 bytes", "rules[3].above: must be a finite number",
		`rules[4].name: must be unique, "a" is rules[3]'s too`, "rules[5].abov: unknown field",
		`retraining.timeout: must be a duration such as "90s"`, "retraining.retries: unknown field",
	} {
		assert.ErrorContains(t, err, fault)
	}
	_, err = policy.Decode([]byte(`{"rules":[]}`))
	require.ErrorContains(t, err, "rules: must not be empty; leave the field out")
	require.ErrorContains(t, policy.Policy{}.With(policy.Below("auc", math.NaN())).Validate(), "rules[3].below: must be a finite number")
}

func TestWorkflowIDs(t *testing.T) {
	for name, id := range map[string]string{
		"fraud": "model-monitor/fraud", "a/b": "model-monitor/a/b", "100% ü": "model-monitor/100%25%20%C3%BC", "~\x7f\n": "model-monitor/~%7F%0A",
	} {
		assert.Equal(t, id, contract.WorkflowID(name))
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringN(1, 50, metric.MaxModelNameBytes).Draw(t, "name")
		id := contract.WorkflowID(name)
		for _, c := range []byte(id) {
			require.True(t, c >= 0x21 && c <= 0x7e)
		}
		back, err := contract.ModelName(id)
		require.NoError(t, err)
		require.Equal(t, name, back)
	})
	for _, id := range []string{"fraud", "model-monitor/", "model-monitor/%", "model-monitor/%66raud", "model-monitor/%c3%bc", "model-monitor/%FF"} {
		_, err := contract.ModelName(id)
		require.Error(t, err, id)
	}
}

func TestDurationsAreShort(t *testing.T) {
	for d, text := range map[time.Duration]string{
		0: "0s", time.Hour: "1h", 90 * time.Minute: "1h30m", 90 * time.Second: "1m30s", 24 * time.Hour: "24h", 10 * time.Minute: "10m", 20 * time.Second: "20s", time.Hour + time.Second: "1h0m1s",
	} {
		assert.Equal(t, text, policy.Duration(d).String())
	}
}

func TestASketchKeepsItsPromiseThroughWireAndMerge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	one, two := metric.NewSketch(), metric.NewSketch()
	var values []float64
	for i := range 20_000 {
		value := math.Exp(random.NormFloat64()) * float64(1-2*(i%2)) // both signs
		values = append(values, value)
		[]*metric.Sketch{one, two}[i%3%2].Add(value)
	}
	slices.Sort(values)
	var read metric.Sketch
	require.NoError(t, json.Unmarshal([]byte(encode(t, two)), &read))
	require.NoError(t, one.Merge(&read))
	for _, q := range []float64{0, 0.01, 0.25, 0.5, 0.9, 0.99, 1} {
		rank := int(q * float64(len(values)-1))
		exact := values[rank]
		estimate, err := one.AtRank(int64(rank) + 1)
		require.NoError(t, err)
		assert.InDelta(t, exact, estimate, math.Abs(exact)*metric.SketchAccuracy*1.001, "quantile %v", q)
	}
	require.Error(t, json.Unmarshal([]byte(`"`+strings.Repeat("A", 1<<20)+`"`), &read))
}

func BenchmarkSketchAdd(b *testing.B) {
	sketch := metric.NewSketch()
	for i := range b.N {
		sketch.Add(float64(50 + i%100))
	}
}

func BenchmarkObserve(b *testing.B) {
	m := newMachine(policy.Policy{})
	e := event(noon, 0.95, 120, 0.02)
	for range b.N {
		m.Observe(noon, e)
	}
}

// BenchmarkObserveWindows is a year of an event a second, replayed: three rules
// over periods, one of them a percentile.
func BenchmarkObserveWindows(b *testing.B) {
	m := newMachine(policyOf(b, `{"rules": [
		{"name": "slow", "metric": "latency_ms", "stat": "p99", "above": 1000, "period": "5m", "datapoints": {"breaching": 3, "of": 5}},
		{"name": "decay", "metric": "accuracy", "stat": "mean", "below": 0.5, "period": "1h"},
		{"name": "drift", "metric": "drift_score", "stat": "max", "above": 0.9, "period": "1m", "missing": "breaching"}]}`))
	e := event(noon, 0.95, 120, 0.02)
	now := noon
	var next time.Time
	b.ReportAllocs()
	for i := range b.N {
		now = now.Add(time.Second)
		e.Timestamp, e.LatencyMS = now, metric.Some(100+float64(i%997))
		if !next.IsZero() && !next.After(now) {
			tickUntil(m, now)
		}
		m.Observe(now, e)
		next, _ = m.Tick(now)
	}
}

func BenchmarkObserveBatch(b *testing.B) {
	m := newMachine(policy.Policy{})
	digest := metrictest.DigestOf(event(noon, 0.95, 120, 0.02), noon)
	batch := &metric.Batch{Version: 1, ModelName: "fraud", Publisher: "p", Digests: []*metric.Digest{digest}}
	for range b.N {
		batch.Sequence++
		m.ObserveBatch(noon, batch)
	}
}

func BenchmarkDecodeEvents(b *testing.B) {
	payload := []byte(`{"timestamp":"2026-03-01T12:00:00Z","model_name":"fraud","model_version":"v1","accuracy":0.8,"latency_ms":150,"drift_score":0.05}`)
	for range b.N {
		monitor.DecodeEvents(payload, noon)
	}
}
