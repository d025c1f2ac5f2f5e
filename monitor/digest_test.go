package monitor_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/internal/toll"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

func TestEveryFaultOfADigestIsNamedWithItsPath(t *testing.T) {
	for fault, spoil := range map[string]func(*metric.Digest){
		"model_version: must be 0 to 200 bytes":                    func(d *metric.Digest) { d.ModelVersion = strings.Repeat("v", 201) },
		"events: must be 1 to 1000000000000, got 0":                func(d *metric.Digest) { d.Events = 0 },
		"events: must be 1 to 1000000000000, got 9223372036854":    func(d *metric.Digest) { d.Events = math.MaxInt64 },
		"first: is missing":                                        func(d *metric.Digest) { d.First = time.Time{} },
		"folded_until: is missing":                                 func(d *metric.Digest) { d.FoldedUntil = time.Time{} },
		"last: 2026-03-01T13:00:00Z is more than 10m0s ahead":      func(d *metric.Digest) { d.Last = noon.Add(time.Hour) },
		"last must not be before first":                            func(d *metric.Digest) { d.Last = d.First.Add(-1) },
		"nor folded_until before folded_from":                      func(d *metric.Digest) { d.FoldedUntil = d.FoldedFrom.Add(-1) },
		"metrics.accuracy: must be an object, got null":            func(d *metric.Digest) { d.Metrics["accuracy"] = nil },
		"metrics.accuracy: count: must be 1 to the 1 events":       func(d *metric.Digest) { d.Metrics["accuracy"].Count = 2 },
		"metrics.accuracy: max: must be a finite number":           func(d *metric.Digest) { d.Metrics["accuracy"].Max = math.Inf(1) },
		"metrics.accuracy: min: must not exceed max, got 1 and 0":  func(d *metric.Digest) { d.Metrics["accuracy"].Min, d.Metrics["accuracy"].Max = 1, 0 },
		"metrics.accuracy: sum: must be what 1 readings from 0.9 ": func(d *metric.Digest) { d.Metrics["accuracy"].Sum = 1 },
		"metrics.accuracy: sum: must be what 1 readings":           func(d *metric.Digest) { d.Metrics["accuracy"].Sum = math.NaN() },
		"metrics.: must be 1 to 100 bytes":                         func(d *metric.Digest) { d.Metrics[""] = d.Metrics["accuracy"] },
	} {
		t.Run(fault, func(t *testing.T) {
			d := metrictest.DigestOf(event(noon, 0.9, 100, 0), noon)
			require.NoError(t, d.Validate(noon))
			spoil(d)
			require.ErrorContains(t, d.Validate(noon), fault)
		})
	}
}

func TestASumMayBeOffByRounding(t *testing.T) {
	summary := metric.Summary{}
	for range 1_000_000 {
		summary.Add(0.1, noon)
	}
	require.NotEqual(t, 0.1*1e6, summary.Sum)
	d := metrictest.DigestOf(event(noon, 0.9, 100, 0), noon)
	d.Events, d.Metrics["accuracy"] = summary.Count, &summary
	require.NoError(t, d.Validate(noon))
}

func TestEveryFaultOfABatchIsNamedWithItsPath(t *testing.T) {
	_, err := metric.DecodeBatch([]byte(`{"version":3,"model_name":"","publisher":"` + strings.Repeat("p", 65) + `","sequence":0,"digests":[null]}`))
	for _, fault := range []string{
		"version: this worker reads version 1 or 2, got 3", "model_name: must be 1 to 200 bytes", "publisher: must be 1 to 64 bytes",
		"sequence: must be 1 to 1000000000000, got 0", "digests[0]: must be an object, got null",
	} {
		require.ErrorContains(t, err, fault)
	}
	_, err = metric.DecodeBatch([]byte(`{"version":1,"model_name":"m","publisher":"p","sequence":9223372036854775807}`))
	require.ErrorContains(t, err, "sequence: must be 1 to")
	for payload, fault := range map[string]string{
		"": "not JSON", `{"version":1`: "not JSON", `[]`: "must be an object, got a list", `{"digests":7}`: "must be a list, got a number",
	} {
		_, err = metric.DecodeBatch([]byte(payload))
		require.ErrorContains(t, err, fault, payload)
	}
}

func TestABatchSurvivesTheWire(t *testing.T) {
	d := metrictest.DigestOf(event(noon, 0.9, 100, 0), noon)
	summary := &metric.Summary{}
	summary.Add(0.9, noon)
	d.Metrics["auc"] = summary
	sent := encode(t, &metric.Batch{Version: 1, ModelName: "m", Publisher: "p", Sequence: 3, Closed: true, Digests: []*metric.Digest{d}})
	received, err := metric.DecodeBatch([]byte(sent))
	require.NoError(t, err)
	require.Equal(t, sent, encode(t, received))
}

func TestReadingsMayBeAddedToWhateverIsThere(t *testing.T) {
	single := metrictest.DigestOf(event(noon, 0.8, 100, 0), noon).Metrics["accuracy"]
	single.Add(0.95, noon.Add(time.Second))
	assert.Equal(t, metric.Summary{Count: 2, Sum: 1.75, Min: 0.8, Max: 0.95, MinAt: noon, MaxAt: noon.Add(time.Second)}, *single,
		"no distribution is made up for the first reading")

	folded := &metric.Summary{}
	folded.Add(0.8, noon)
	into := &metric.Digest{}
	into.Merge(&metric.Digest{Events: 1, Metrics: map[string]*metric.Summary{"accuracy": folded}})
	var received metric.Summary
	require.NoError(t, json.Unmarshal([]byte(encode(t, folded)), &received))
	for name, m := range map[string]*metric.Summary{"merged": into.Metrics["accuracy"], "received": &received} {
		m.Add(0.4, noon)
		median, err := m.Sketch.AtRank(2)
		require.NoError(t, err, name)
		assert.InDelta(t, 0.8, median, 0.008, name)
		lowest, err := m.Sketch.AtRank(1)
		require.NoError(t, err, name)
		assert.InDelta(t, 0.4, lowest, 0.004, name)
	}
	median, err := folded.Sketch.AtRank(1)
	require.NoError(t, err)
	assert.InDelta(t, 0.8, median, 0.008, "the one merged from is as it was")
}

func TestMergingWithNoDistributionLeavesNone(t *testing.T) {
	folded := &metric.Summary{}
	folded.Add(0.8, noon)
	folded.Merge(metrictest.DigestOf(event(noon, 0.7, 100, 0), noon).Metrics["accuracy"])
	assert.Nil(t, folded.Sketch)
	assert.EqualValues(t, 2, folded.Count)
}

func TestASketchOfBrokenBytesIsRefusedAndBreaksNothing(t *testing.T) {
	for name, encoded := range map[string]string{
		"no bytes a sketch has":    "\x00\xff\xff\xff",
		"bins beyond all readings": "\a000\x92\x92\x92\x9200",
	} {
		t.Run(name, func(t *testing.T) {
			var broken metric.Sketch
			require.NoError(t, json.Unmarshal([]byte(`"`+base64.StdEncoding.EncodeToString([]byte(encoded))+`"`), &broken))
			_, err := broken.AtRank(1)
			require.ErrorContains(t, err, "decode sketch")
			broken.Add(1)
			whole := metric.NewSketch()
			whole.Add(1)
			require.Error(t, whole.Merge(&broken))
		})
	}
}

// FuzzSketch holds that whatever a publisher sends for a sketch, it is an error
// at worst.
func FuzzSketch(f *testing.F) {
	sketch := metric.NewSketch()
	for i := range 100 {
		sketch.Add(float64(i) - 50)
	}
	var text string
	encoded, err := json.Marshal(sketch)
	require.NoError(f, err)
	require.NoError(f, json.Unmarshal(encoded, &text))
	seed, err := base64.StdEncoding.DecodeString(text)
	require.NoError(f, err)
	f.Add(seed)
	f.Add([]byte("\a000\x92\x92\x92\x9200")) // panicked in a merge
	f.Fuzz(func(t *testing.T, data []byte) {
		var s metric.Sketch
		var err error
		text := []byte(`"` + base64.StdEncoding.EncodeToString(data) + `"`)
		most := toll.Most{BytesPerByte: 1000, Bytes: 1 << 20, WorkPerByte: 10_000, Work: 64 << 20}
		most.Hold(t, len(text), func() {
			s = metric.Sketch{}
			err = json.Unmarshal(text, &s)
			if err == nil {
				_, _ = s.Clone().AtRank(1)
			}
		})
		if err != nil {
			return
		}
		_, err = s.AtRank(1)
		whole := metric.NewSketch()
		whole.Add(1)
		if merged := whole.Merge(&s); merged == nil {
			top, readErr := whole.Clone().AtRank(math.MaxInt64)
			require.NoError(t, readErr)
			require.False(t, math.IsNaN(top) || math.IsInf(top, 0))
		} else if err != nil {
			require.Contains(t, fmt.Sprint(merged), "decode sketch")
		}
	})
}

func TestEventsAndPoliciesSurviveTheWire(t *testing.T) {
	reading := rapid.Float64Range(-metric.MaxMagnitude, metric.MaxMagnitude)
	maybe := func(t *rapid.T, label string) (r metric.Reading) {
		if rapid.Bool().Draw(t, label+" taken") {
			r = metric.Some(reading.Draw(t, label))
		}
		return r
	}
	rapid.Check(t, func(t *rapid.T) {
		e := metric.Event{
			Timestamp: noon.Add(time.Duration(rapid.Int64Range(-1e18, 0).Draw(t, "age"))),
			ModelName: rapid.StringN(1, 50, metric.MaxModelNameBytes).Draw(t, "name"), ModelVersion: rapid.StringN(0, 50, metric.MaxModelVersionBytes).Draw(t, "version"),
			Accuracy: maybe(t, "accuracy"), LatencyMS: maybe(t, "latency"), DriftScore: maybe(t, "drift"),
		}
		if rapid.Bool().Draw(t, "further") {
			e.Metrics = map[string]float64{rapid.StringN(1, 20, metric.MaxNameBytes).Draw(t, "metric"): reading.Draw(t, "value")}
		}
		events, faults := monitor.DecodeEvents([]byte(encode(t, e)), noon)
		require.Empty(t, faults)
		require.Equal(t, []metric.Event{e}, events)

		p := policy.Policy{}.WithCooldown(time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "cooldown")))
		for i := range rapid.IntRange(0, 5).Draw(t, "rules") {
			p = p.With(policy.Above(fmt.Sprint("metric", i), reading.Draw(t, "above")))
		}
		again, err := policy.Decode([]byte(encode(t, p)))
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}
