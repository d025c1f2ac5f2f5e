package window

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// riverSeries is one series and where river detects a change in it.
type riverSeries struct {
	Name       string    `json:"name"` // with Values
	Values     []float64 `json:"values"`
	Column     string    `json:"column"` // of ELEC2, in place of Values
	Each       string    `json:"each"`   // half-hour, or day: the mean of 48
	Detections []struct {
		Delta   float64 `json:"delta"`
		Indices []int   `json:"indices"`
		End     *struct {
			Width    int64   `json:"width"`
			Total    float64 `json:"total"`
			Variance float64 `json:"variance"`
		} `json:"end"` // river's window after the last value; nil if that is a detection
	} `json:"detections"`
}

// riverVectors reads what testdata/adwin/make.py wrote.
func riverVectors(t testing.TB, name string) (vectors []riverSeries) {
	data, err := os.ReadFile(filepath.Join("testdata", "adwin", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.NotEmpty(t, vectors)
	return vectors
}

// elec2Column is a column of ELEC2 by half-hours, of which the project ships no copy.
func elec2Column(t *testing.T, column string) (values []float64) {
	t.Helper()
	dir := os.Getenv("MODELVIGIL_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	file, err := os.Open(filepath.Join(dir, "elec.csv.gz"))
	if err != nil {
		t.Skipf("the ELEC2 data is missing: %v; set MODELVIGIL_DATA to the folder that holds elec.csv.gz", err)
	}
	defer func() { assert.NoError(t, file.Close()) }()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	rows, err := csv.NewReader(unzipped).ReadAll()
	require.NoError(t, err)
	at := slices.Index(rows[0], column)
	require.GreaterOrEqual(t, at, 0, column)
	for _, row := range rows[1:] {
		value, err := strconv.ParseFloat(row[at], 64)
		require.NoError(t, err)
		values = append(values, value)
	}
	return values
}

// dailyMeans is the mean of each 48 half-hours, added up in order as make.py does.
func dailyMeans(halfHours []float64) (days []float64) {
	for day := range slices.Chunk(halfHours, 48) {
		total := 0.0
		for _, value := range day {
			total += value
		}
		days = append(days, total/48)
	}
	return days
}

// requireAsRiver holds the detector against river on one series.
func requireAsRiver(t *testing.T, s riverSeries) {
	for _, river := range s.Detections {
		t.Run(fmt.Sprintf("delta %g", river.Delta), func(t *testing.T) {
			var a ADWIN
			detected := []int{}
			for i, value := range s.Values {
				if change, _, _ := a.Add(value, river.Delta); change {
					detected = append(detected, i)
				}
			}
			assert.Equal(t, river.Indices, detected)
			if river.End != nil {
				assert.Equal(t, river.End.Width, a.width())
				assert.Equal(t, river.End.Total, a.Total, "to the last bit")
				assert.Equal(t, river.End.Variance, a.Variance, "to the last bit")
			}
		})
	}
}

func TestADWINDetectsWhereRiverDoes(t *testing.T) {
	for _, s := range riverVectors(t, "generated.json") {
		t.Run(s.Name, func(t *testing.T) { requireAsRiver(t, s) })
	}
}

func TestADWINDetectsWhereRiverDoesInARealMarket(t *testing.T) {
	for _, s := range riverVectors(t, "elec2.json") {
		t.Run(s.Column+" by "+s.Each, func(t *testing.T) {
			if s.Values = elec2Column(t, s.Column); s.Each == "day" {
				s.Values = dailyMeans(s.Values)
			}
			requireAsRiver(t, s)
		})
	}
}

// requireCutsChangeNothing runs one detector through, and another that is
// encoded and decoded after every datapoint.
func requireCutsChangeNothing(t require.TestingT, values []float64, delta float64) {
	var whole, cut ADWIN
	for i, value := range values {
		change, before, after := whole.Add(value, delta)
		cutChange, cutBefore, cutAfter := cut.Add(value, delta)
		require.Equal(t, change, cutChange, i)
		require.Equal(t, math.Float64bits(before), math.Float64bits(cutBefore), i)
		require.Equal(t, math.Float64bits(after), math.Float64bits(cutAfter), i)
		encoded, err := json.Marshal(cut)
		require.NoError(t, err)
		cut = ADWIN{}
		require.NoError(t, json.Unmarshal(encoded, &cut))
	}
	require.Equal(t, whole, cut)
}

func TestADWINIsTheSameWhereverItsSeriesIsCut(t *testing.T) {
	for _, s := range riverVectors(t, "generated.json") {
		t.Run(s.Name, func(t *testing.T) { requireCutsChangeNothing(t, s.Values, 0.05) })
	}
	t.Run("with any values", rapid.MakeCheck(func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-metric.MaxMagnitude, metric.MaxMagnitude), 0, 200).Draw(t, "values")
		requireCutsChangeNothing(t, values, rapid.Float64Range(policy.MinDelta, 0.999).Draw(t, "delta"))
	}))
}

func TestADWINTellsTheDirectionOfAChangeAndAboutItsMeans(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after float64
		noise         float64
	}{
		{"a rise", 0.05, 0.15, 0.03},
		{"a fall", 0.92, 0.80, 0.05},
		{"a rise through zero", -0.2, 0.2, 0.1},
		{"a fall far from zero", 2000, 1900, 20},
		{"a step without noise", 0.25, 0.75, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			for seed := range uint64(50) {
				rng := rand.New(rand.NewPCG(seed, 1))
				var a ADWIN
				for range 400 {
					change, _, _ := a.Add(test.before+test.noise*rng.NormFloat64(), 1e-6)
					require.False(t, change)
				}
				changed := false
				for range 400 {
					change, before, after := a.Add(test.after+test.noise*rng.NormFloat64(), 1e-6)
					if !change {
						continue
					}
					apart := test.after - test.before
					assert.InDelta(t, 0, (before-test.before)/apart, 0.2, "seed %d", seed)
					// A side has five datapoints at least, which fewer new ones may give away.
					assert.InDelta(t, 1, (after-test.before)/apart, 0.6, "seed %d", seed)
					assert.Equal(t, ADWIN{}, a, "a detection empties the window")
					changed = true
					break
				}
				require.True(t, changed, "seed %d", seed)
			}
		})
	}
}

func TestADWINDetectsNothingInItsFirstDatapoints(t *testing.T) {
	var a ADWIN
	for i := range adwinGrace {
		change, _, _ := a.Add(float64(i/5*1000), 0.999)
		assert.False(t, change, i)
	}
}

func TestADWINStaysSmall(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var a ADWIN
	most := 0
	for i := range 1 << 20 {
		a.insert(-1e99 * (1 + rng.Float64())) // as long as numbers get
		if i > 1<<20-1000 {
			encoded, err := json.Marshal(a)
			require.NoError(t, err)
			most = max(most, len(encoded))
		}
	}
	buckets := 0
	for _, row := range a.Rows {
		buckets += len(row)
	}
	assert.EqualValues(t, 1<<20, a.width())
	assert.LessOrEqual(t, buckets, 88)
	assert.LessOrEqual(t, most, 2400)
}

// BenchmarkADWIN is one datapoint into a window of 2^20 and more without a change.
func BenchmarkADWIN(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	var a ADWIN
	for range 1 << 20 {
		a.insert(0.9 + 0.01*rng.NormFloat64())
	}
	b.ReportAllocs()
	for b.Loop() {
		a.Add(0.9+0.01*rng.NormFloat64(), policy.MinDelta)
	}
}
