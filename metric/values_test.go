package metric_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
)

func TestAnEventsCategoriesAreRefusedForTheirFaults(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	many := map[string]string{}
	for i := range metric.MaxCategories + 1 {
		many[fmt.Sprint("c", i)] = "x"
	}

	for name, test := range map[string]struct {
		metrics    map[string]float64
		categories map[string]string
		fault      string // none: it is valid
	}{
		"a value on one line is taken":               {nil, map[string]string{"country": "DE"}, ""},
		"200 bytes are taken":                        {nil, map[string]string{"country": strings.Repeat("ä", 100)}, ""},
		"201 bytes are refused":                      {nil, map[string]string{"country": strings.Repeat("x", 201)}, "categories.country: must be 1 to 200 bytes of UTF-8, got 201 bytes"},
		"nothing is refused":                         {nil, map[string]string{"country": ""}, "categories.country: must be 1 to 200 bytes of UTF-8, is missing or empty"},
		"two lines are refused":                      {nil, map[string]string{"country": "D\nE"}, `categories.country: must be one line, got "D\nE"`},
		"what is no UTF-8 is refused":                {nil, map[string]string{"country": "\xff"}, `categories.country: must be 1 to 200 bytes of UTF-8, got "\xff"`},
		"64 are taken, 65 refused":                   {nil, many, "categories: must be at most 64, got 65"},
		"a name that is a metric's, too, is refused": {map[string]float64{"x": 1}, map[string]string{"x": "1"}, "categories.x: is in metrics, too; a name stands for a number or for a category, give it once"},
		"the event's own metrics are no categories":  {nil, map[string]string{"accuracy": "good"}, "categories.accuracy: is a number, and a field of the event itself; set it there"},
	} {
		t.Run(name, func(t *testing.T) {
			event := metric.Event{ModelName: "fraud", Metrics: test.metrics, Categories: test.categories}
			err := event.Validate(now)
			assert.Equal(t, test.fault == "", event.IsValid(now))
			if test.fault == "" {
				assert.NoError(t, err)
				return
			}
			assert.EqualError(t, err, test.fault)
		})
	}
}

func TestTheHundredMostFrequentValuesAreCountedByNameAndTheRestTogether(t *testing.T) {
	var values metric.Values
	for i := range 150 {
		values.Add(fmt.Sprintf("v%03d", i), int64(1+i))
	}
	values.Trim()

	assert.Len(t, values.Counts, metric.MaxValues)
	assert.NotContains(t, values.Counts, "v049")
	assert.Equal(t, int64(51), values.Counts["v050"])
	assert.Equal(t, int64(50*51/2), values.Other)
	assert.Equal(t, int64(150*151/2), values.Count())
}

func TestADigestTellsOfNoMoreValuesThanItMayHowEverManyWereFolded(t *testing.T) {
	var values metric.Values
	for i := range 150 {
		values.Add(fmt.Sprintf("v%03d", i), int64(1+i))
	}

	encoded, err := json.Marshal(&values)

	require.NoError(t, err)
	var read metric.Values
	require.NoError(t, json.Unmarshal(encoded, &read))
	assert.Len(t, read.Counts, metric.MaxValues)
	assert.Equal(t, values.Count(), read.Count())
	assert.Len(t, values.Counts, 150, "what is folded stays as it is")
}

// However many values come, in whatever order, none is lost, few are kept, and what is
// kept by name is never more than it was.
func TestNoReadingOfACategoryIsLostAndFewAreTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		came := map[string]int64{}
		var values, others metric.Values
		total := int64(0)
		for range rapid.IntRange(0, 2000).Draw(t, "readings") {
			value := fmt.Sprint(rapid.IntRange(0, 600).Draw(t, "value"))
			into := rapid.SampledFrom([]*metric.Values{&values, &others}).Draw(t, "into")
			into.Add(value, 1)
			came[value]++
			total++
		}
		values.Merge(&others)
		assert.LessOrEqual(t, len(values.Counts), 2*metric.MaxValues)
		values.Trim()

		assert.LessOrEqual(t, len(values.Counts), metric.MaxValues)
		assert.Equal(t, total, values.Count())
		for value, count := range values.Counts {
			assert.LessOrEqual(t, count, came[value])
		}
	})
}

// Whoever sums up what each value adds knows what all of them take, how many of them there
// may be, and however often they were counted together.
func TestWhatValuesGrowByIsWhatTheyTake(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var values metric.Values
		grown := values.Bytes()
		trimmed := rapid.SampledFrom([]int{50, 130, 170, 10_000}).Draw(t, "trimmed after so many")
		for i := range rapid.IntRange(0, 2000).Draw(t, "readings") {
			value := fmt.Sprint(rapid.SampledFrom([]int{i, i % 7, -i % 250}).Draw(t, "value"))
			grown += values.Add(value, 1)
			if i%trimmed == trimmed-1 {
				grown -= values.Trim()
			}
			require.Equal(t, values.Bytes(), grown)
		}
	})
}

func TestADigestsCategoriesComeThroughABatch(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	event := metric.Event{Timestamp: now, ModelName: "fraud", Categories: map[string]string{"country": "DE"}}
	digest := metrictest.DigestOf(&event, now)
	other := metrictest.DigestOf(&metric.Event{Timestamp: now, ModelName: "fraud", Categories: map[string]string{"country": "FR", "plan": "a"}}, now)
	digest.Merge(other)
	digest.Categories["country"].Other = 0
	payload, err := json.Marshal(metric.Batch{ModelName: "fraud", Publisher: "p", Sequence: 1, Digests: []*metric.Digest{digest}})
	require.NoError(t, err)
	assert.Contains(t, string(payload), `"categories":{"country":{"counts":{"DE":1,"FR":1}},"plan":{"counts":{"a":1}}}`)

	batch, err := metric.DecodeBatch(payload)

	require.NoError(t, err)
	require.NoError(t, batch.Digests[0].Validate(now))
	assert.True(t, batch.Digests[0].IsValid(now))
	assert.Equal(t, digest.Categories, batch.Digests[0].Categories)
}

func TestCategoriesOfADigestAreRefusedForTheirFaults(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	many := map[string]int64{}
	for i := range metric.MaxValues + 1 {
		many[fmt.Sprint(i)] = 1
	}

	for fault, values := range map[string]*metric.Values{
		"categories.c: must be an object, got null":                                                                    nil,
		"categories.c: counts: must be of at most 100 values, the others in other, got 101":                            {Counts: many},
		"categories.c: counts.a: must be at least 1, and with all others at most the 1000 events of the digest, got 0": {Counts: map[string]int64{"a": 0}},
		"categories.c: other: must be at least 0, and with all others at most the 1000 events of the digest, got 999":  {Counts: map[string]int64{"a": 2}, Other: 999},
		`categories.c: counts.a` + "\n" + `b: must be one line, got "a\nb"`:                                            {Counts: map[string]int64{"a\nb": 1}},
	} {
		digest := &metric.Digest{
			Events: 1000, First: now, Last: now, FoldedFrom: now, FoldedUntil: now,
			Categories: map[string]*metric.Values{"c": values},
		}
		assert.EqualError(t, digest.Validate(now), fault)
		assert.False(t, digest.IsValid(now))
	}
}
