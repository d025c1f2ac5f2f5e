package metric_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123_456_789, time.UTC)

// folded is a digest that has something in every field.
func folded(random *rand.Rand) *metric.Digest {
	d := &metric.Digest{
		ModelVersion: "v7", Events: 1000, Late: random.IntN(2) == 0,
		FoldedFrom: noon, FoldedUntil: noon.Add(time.Duration(random.Int64N(int64(time.Hour)))),
		First: noon.Add(-time.Duration(random.Int64N(int64(365 * 24 * time.Hour)))), Last: noon.Add(time.Nanosecond),
		Metrics: map[string]*metric.Summary{}, Categories: map[string]*metric.Values{"country": {Counts: map[string]int64{"DE": 3, "fr\"": 1}, Other: 2}},
	}
	for i := range 1 + random.IntN(3) {
		m := &metric.Summary{}
		for range 1 + random.IntN(50) {
			m.Add(math.Exp(20*random.NormFloat64())*float64(random.IntN(3)-1), noon.Add(time.Duration(random.Int64N(1000))))
		}
		if random.IntN(3) == 0 {
			m.MinAt, m.MaxAt = time.Time{}, time.Time{}
		}
		if m.Count > 1 { // one reading alone is counted by its value
			m.Bins = []metric.Bins{{Edges: "e1", Counts: metric.Counts{m.Count - 1, 0, 1}}, {Edges: "é2", Counts: metric.Counts{m.Count}}}
		}
		d.Metrics[fmt.Sprintf("m%d", i)] = m
	}
	return d
}

func TestABatchOfEitherVersionSaysTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		batch := metric.Batch{ModelName: "fraud", Publisher: "p", Sequence: 9, Closed: random.IntN(2) == 0, Digests: []*metric.Digest{folded(random), folded(random)}}
		if random.IntN(10) == 0 { // what 64 bits of nanoseconds don't hold
			batch.Digests[1].First = time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)
		}
		var read []*metric.Batch
		for _, batch.Version = range metric.BatchVersions() {
			encoded, err := json.Marshal(&batch)
			require.NoError(t, err)
			decoded, err := metric.DecodeBatch(encoded)
			require.NoError(t, err, string(encoded))
			require.Equal(t, batch.Version, decoded.Version)
			decoded.Version = 0
			read = append(read, decoded)
		}
		require.Equal(t, read[0], read[1])
	}
}

// A field that one form has and the other lacks would be lost on the way.
func TestTheExampleOfABatchHasSomethingInEveryField(t *testing.T) {
	d := folded(rand.New(rand.NewPCG(3, 4)))
	d.Late = true
	summary := d.Metrics[slices.Sorted(maps.Keys(d.Metrics))[0]]
	summary.MinAt, summary.MaxAt = noon, noon
	for _, value := range []any{*d, *summary} {
		for i := range reflect.TypeOf(value).NumField() {
			assert.False(t, reflect.ValueOf(value).Field(i).IsZero(), reflect.TypeOf(value).Field(i).Name)
		}
	}
}

func TestABatchOfVersionTwoIsShort(t *testing.T) {
	event := metric.NewEvent("fraud", "v7", 0.95, 120, 0.02)
	event.Timestamp = noon
	batch := metric.Batch{ModelName: "fraud", Publisher: "4TGZKJ3MZ5Q6XV2L7R8N9PYWHC", Sequence: 12, Digests: []*metric.Digest{metrictest.DigestOf(&event, noon)}}
	size := map[int]int{}
	for _, batch.Version = range metric.BatchVersions() {
		encoded, err := json.Marshal(&batch)
		require.NoError(t, err)
		size[batch.Version] = len(encoded)
	}
	t.Logf("bytes by version: %v", size)
	assert.Less(t, size[2], size[1]/2)
}

func TestWhatIsNoBatchOfVersionTwoIsRefused(t *testing.T) {
	for name, digest := range map[string]string{
		"three times":             `{"n":1,"t":[1,2,3]}`,
		"five times":              `{"n":1,"t":[1,2,3,4,5]}`,
		"a time that is a text":   `{"n":1,"t":["1",2,3,4]}`,
		"three values":            `{"n":1,"t":[1,2,3,4],"m":{"a":{"v":[1,2,3]}}}`,
		"a count that is broken":  `{"n":1,"t":[1,2,3,4],"m":{"a":{"v":[1.5,2,3,4]}}}`,
		"one time of extremes":    `{"n":1,"t":[1,2,3,4],"m":{"a":{"v":[1,2,2,2],"t":[1]}}}`,
		"edges without counts":    `{"n":1,"t":[1,2,3,4],"m":{"a":{"v":[1,2,2,2],"b":["e"]}}}`,
		"broken counts":           `{"n":1,"t":[1,2,3,4],"m":{"a":{"v":[1,2,2,2],"b":["AQ e"]}}}`,
		"counts below nought":     `{"n":1,"t":[1,2,3,4],"m":{"a":{"v":[1,2,2,2],"b":["AQSY e"]}}}`,
		"counts that are no text": `{"n":1,"t":[1,2,3,4],"m":{"a":{"v":[1,2,2,2],"b":[1]}}}`,
		"values that are none":    `{"n":1,"t":[1,2,3,4],"m":{"a":{"v":null}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := metric.DecodeBatch([]byte(`{"version":2,"model_name":"fraud","publisher":"p","sequence":1,"digests":[` + digest + `]}`))
			require.Error(t, err)
		})
	}
}
