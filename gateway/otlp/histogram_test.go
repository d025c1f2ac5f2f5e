package otlp_test

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/gateway/otlp"
)

// histogram is a request of one point of the metric size.
func histogram(kind string, temporality int, point string) string {
	return of(fmt.Sprintf(`{"name": "size", %q: {"aggregationTemporality": %d, "dataPoints": [{%s, %s}]}}`, kind, temporality, fraud, point))
}

func (h *hub) sizes() (sizes []float64) {
	for _, e := range h.events {
		sizes = append(sizes, e.Metrics["size"])
	}
	slices.Sort(sizes)
	return sizes
}

func TestAHistogramBecomesAsManyEventsAsItHasObservations(t *testing.T) {
	for name, c := range map[string]struct {
		kind, point string
		want        []float64
	}{
		"one is its sum":                       {"histogram", `"count": "1", "sum": 7`, []float64{7}},
		"two are min and max":                  {"histogram", `"count": "2", "sum": 9, "min": 2, "max": 7`, []float64{2, 7}},
		"others have what is left of the sum":  {"histogram", `"count": "4", "sum": 20, "min": 2, "max": 8`, []float64{2, 5, 5, 8}},
		"without a sum they lie in the middle": {"histogram", `"count": "3", "min": 2, "max": 8`, []float64{2, 5, 8}},
		"in buckets they keep to them": {
			"histogram", `"count": "5", "sum": 36, "min": 1, "max": 20, "explicitBounds": [4, 10], "bucketCounts": ["2", "2", "1"]`,
			[]float64{1, 2.2, 6.4, 6.4, 20},
		},
		"the open bucket has what the others leave": {
			"histogram", `"count": "3", "sum": 106, "explicitBounds": [4, 10], "bucketCounts": ["2", "0", "1"]`, []float64{2, 2, 102},
		},
		"and is above its bound at least": {
			"histogram", `"count": "2", "explicitBounds": [4, 10], "bucketCounts": ["1", "0", "1"]`, []float64{2, math.Nextafter(10, 11)},
		},
		"without anything but a sum all are the mean": {"histogram", `"count": "2", "sum": 9, "bucketCounts": ["2"]`, []float64{4.5, 4.5}},
		"exponential, both sides and zero": {
			"exponentialHistogram", `"count": "4", "sum": 3, "min": -2, "max": 4, "scale": 0, "zeroCount": "1",
			 "positive": {"offset": 0, "bucketCounts": ["1", "1"]}, "negative": {"offset": 0, "bucketCounts": ["1"]}`,
			[]float64{-2, 0, 1, 4},
		},
		"none is none": {"histogram", `"count": "0", "sum": 0`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHub(otlp.Mapping{})
			code, partial, _ := h.export(t, histogram(c.kind, 1, c.point))
			require.Equal(t, http.StatusOK, code)
			require.Nil(t, partial)
			require.Len(t, h.events, len(c.want))
			for i, size := range h.sizes() {
				assert.InDelta(t, c.want[i], size, 1e-9)
			}
		})
	}
}

func TestAHistogramThatMakesNoSenseIsRejected(t *testing.T) {
	for point, fault := range map[string]string{
		`"count": "2"`: "tells neither a sum nor buckets",
		`"count": "2", "sum": 4, "explicitBounds": [1], "bucketCounts": ["1", "2"]`:                                            "must add up to its count",
		`"count": "2", "sum": 4, "explicitBounds": [1], "bucketCounts": ["18446744073709551615", "3"]`:                         "must add up to its count",
		`"count": "2", "sum": 4, "explicitBounds": [1], "bucketCounts": ["2", "0"], "min": "NaN", "max": 1, "sum": "Infinity"`: "not an Export",
	} {
		h := newHub(otlp.Mapping{})
		code, _, refusal := h.export(t, histogram("histogram", 1, point))
		assert.Equal(t, http.StatusBadRequest, code)
		assert.Contains(t, refusal.GetMessage(), fault, point)
	}
}

// What rules see of a histogram: count, sum, min and max exactly, every quantile
// in its bucket.
func TestUnfoldingKeepsCountSumAndExtremes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 2000), 1, 200).Draw(r, "values")
		slices.Sort(values)
		bounds := []float64{5, 10, 25, 50, 100, 250, 500, 1000}
		counts := make([]int, len(bounds)+1)
		sum := 0.0
		bucketOf := func(v float64) int { i, _ := slices.BinarySearch(bounds, v); return i }
		for _, v := range values {
			counts[bucketOf(v)]++
			sum += v
		}
		text := func(list any) string { return strings.Join(strings.Fields(fmt.Sprint(list)), ", ") }
		h := newHub(otlp.Mapping{})
		_, partial, _ := h.export(t, histogram("histogram", 1, fmt.Sprintf(`"count": "%d", "sum": %v, "min": %v, "max": %v, "explicitBounds": %s, "bucketCounts": %s`,
			len(values), sum, values[0], values[len(values)-1], text(bounds), text(counts))))
		require.Nil(r, partial)
		got := h.sizes()
		require.Len(r, got, len(values))
		total := 0.0
		for i, v := range got {
			total += v
			require.Equal(r, bucketOf(values[i]), bucketOf(v), "observation %d of %v became %v", i, values[i], v)
		}
		require.InDelta(r, sum, total, 1e-6*(1+sum))
		require.InDelta(r, values[0], got[0], 1e-9)
		require.InDelta(r, values[len(values)-1], got[len(got)-1], 1e-9)
	})
}

func TestAHugeHistogramBecomesAtMostTenThousandEvents(t *testing.T) {
	h := newHub(otlp.Mapping{})
	_, partial, _ := h.export(t, histogram("histogram", 1, `"count": "4000000000000", "sum": 8000000000000, "min": 0, "max": 9,
	  "explicitBounds": [1, 5], "bucketCounts": ["1000000000000", "2999999999999", "1"]`))
	require.Nil(t, partial)
	assert.InDelta(t, 10_000, len(h.events), 10)
	sizes := h.sizes()
	assert.Equal(t, 0.0, sizes[0])
	assert.Equal(t, 9.0, sizes[len(sizes)-1])
	below := slices.IndexFunc(sizes, func(v float64) bool { return v > 1 })
	assert.InDelta(t, 2_500, below, 5)
}

// A process exports the same cumulative streams again and again.
func TestOfACumulativeStreamOnlyWhatIsNewCounts(t *testing.T) {
	h := newHub(otlp.Mapping{})
	start := time.Now().Add(time.Second)
	export := func(kind, point string, start, at time.Time) []float64 {
		h.events = nil
		code, _, refusal := h.export(t, histogram(kind, 2, fmt.Sprintf(`"startTimeUnixNano": "%d", "timeUnixNano": "%d", %s`, start.UnixNano(), at.UnixNano(), point)))
		require.Equal(t, http.StatusOK, code, refusal)
		return h.sizes()
	}
	first := `"count": "2", "sum": 6, "min": 2, "max": 4, "explicitBounds": [5], "bucketCounts": ["2", "0"]`
	second := `"count": "3", "sum": 13, "min": 2, "max": 7, "explicitBounds": [5], "bucketCounts": ["2", "1"]`
	later := start.Add(time.Second)
	assert.Equal(t, []float64{2, 4}, export("histogram", first, start, start))
	assert.Empty(t, export("histogram", first, start, start), "a redelivery")
	assert.Equal(t, []float64{7}, export("histogram", second, start, later))
	assert.Empty(t, export("histogram", first, start, start), "an older one that comes late")
	assert.Equal(t, []float64{2, 4}, export("histogram", first, later, later), "the process began anew")

	before := start.Add(-time.Hour)
	assert.Empty(t, export("histogram", first, before, start), "it is not known what of it somebody else has counted")
	assert.Equal(t, []float64{7}, export("histogram", second, before, later))

	assert.Equal(t, []float64{2, 4}, export("exponentialHistogram", `"count": "2", "sum": 6, "min": 2, "max": 4, "scale": 1, "positive": {"offset": 1, "bucketCounts": ["1", "0", "1"]}`, start, start))
	got := export("exponentialHistogram", `"count": "4", "sum": 26, "min": 2, "max": 15, "scale": 0, "positive": {"offset": 0, "bucketCounts": ["1", "1", "1", "1"]}`, start, later)
	require.Len(t, got, 2)
	assert.InDelta(t, 5, got[0], 1e-9)
	assert.Equal(t, 15.0, got[1])

	total := func(value int, at time.Time) []float64 {
		h.events = nil
		_, _, _ = h.export(t, of(fmt.Sprintf(`{"name": "size", "sum": {"isMonotonic": true, "aggregationTemporality": 2, "dataPoints": [{%s, "asInt": "%d",
		  "startTimeUnixNano": "%d", "timeUnixNano": "%d"}]}}`, fraud, value, start.UnixNano(), at.UnixNano())))
		return h.sizes()
	}
	assert.Equal(t, []float64{5}, total(5, start))
	assert.Equal(t, []float64{3}, total(8, later))
	assert.Empty(t, total(2, later.Add(time.Second)), "it began anew and did not say so")
	assert.Equal(t, []float64{1}, total(3, later.Add(2*time.Second)))
}
