package certify_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/certify"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/internal/patience"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

var monday = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// process makes a series, reading by reading.
type process func(random *rand.Rand) func(i int) float64

func autoregressive(phi float64) process {
	return func(random *rand.Rand) func(int) float64 {
		x := random.NormFloat64()
		return func(int) float64 {
			x = phi*x + math.Sqrt(1-phi*phi)*random.NormFloat64()
			return x
		}
	}
}

func weekly(random *rand.Rand) func(int) float64 {
	return func(i int) float64 { return math.Sin(2*math.Pi*float64(i)/168) + 0.7*random.NormFloat64() }
}

func skewed(random *rand.Rand) func(int) float64 {
	return func(int) float64 { return -random.ExpFloat64() * random.ExpFloat64() }
}

// recorded is a recording of hourly readings of a metric.
func recorded(makes process, n int, seed uint64) *certify.Model {
	random := rand.New(rand.NewPCG(seed, 21))
	next := makes(random)
	model := &certify.Model{Name: "m", Events: make([]metric.Event, n)}
	for i := range model.Events {
		model.Events[i] = metric.Event{
			Timestamp: monday.Add(time.Duration(i)*time.Hour + 30*time.Minute), ModelName: "m", ModelVersion: "v1", Metrics: map[string]float64{"score": next(i)},
		}
	}
	return model
}

// happening is how many alarms a policy raises over a long stream of the process, per
// 90 days.
func happening(t *testing.T, makes process, wanted policy.Policy, n int) float64 {
	model := recorded(makes, n, 999)
	recorder := recording.Recorder{}
	for i := range model.Events {
		recorder.Add(&model.Events[i])
	}
	results, err := backtest.Run(t.Context(), recorder.Recording(), []backtest.Policy{{Label: "p", Policy: wanted}}, backtest.Options{Training: backtest.TrainingAccepted})
	require.NoError(t, err)
	return float64(results[0].Retrainings.Requested) / (float64(n) / 24 / 90)
}

func decoded(t testing.TB, text string) policy.Policy {
	t.Helper()
	p, err := policy.Decode([]byte(text))
	require.NoError(t, err)
	return p
}

// The false alarms that are certified are held against those that happen on long
// streams of the same process. Each recording has 4,000 datapoints, half a year of
// hours; CERTIFY_RECORDINGS says how many of them.
func TestTheLongRunRateIsInTheIntervalAsOftenAsPromised(t *testing.T) {
	patience.Long(t)
	recordings := 60
	if text := os.Getenv("CERTIFY_RECORDINGS"); text != "" {
		var err error
		recordings, err = strconv.Atoi(text)
		require.NoError(t, err)
	}

	for _, c := range []struct {
		name  string
		makes process
		below float64 // of which one datapoint in a dozen or so is
		least float64 // share of recordings
	}{
		{"independent", autoregressive(0), -1.2, 0.85},
		{"autocorrelated 0.5", autoregressive(0.5), -1.5, 0.85},
		{"autocorrelated 0.9", autoregressive(0.9), -1.7, 0.75},
		{"weekly", weekly, -1.3, 0.85},
		{"skewed", skewed, -2.2, 0.85},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wanted := decoded(t, fmt.Sprintf(`{"rules": [{"name": "low", "metric": "score", "stat": "mean", "period": "1h", "below": %v, "datapoints": {"breaching": 2, "of": 3}}], "cooldown": "12h"}`, c.below))
			rate := happening(t, c.makes, wanted, 400_000)
			covered, means := 0, 0.0
			for seed := range recordings {
				certificate, err := certify.Run(t.Context(), recorded(c.makes, 4_000, uint64(seed)), backtest.Policy{Policy: wanted},
					certify.Options{Per: 90 * 24 * time.Hour, Samples: 100, Seed: uint64(seed)})
				require.NoError(t, err)
				means += certificate.FalseAlarms.Mean / float64(recordings)
				if certificate.FalseAlarms.Low <= rate && rate <= certificate.FalseAlarms.High {
					covered++
				}
				if seed == 0 {
					t.Logf("block %v, season %v", certificate.Block, certificate.Season)
				}
			}
			share := float64(covered) / float64(recordings)
			t.Logf("%s: %.1f alarms in 90 days happen, %.1f are certified on average; in the interval %.1f %%", c.name, rate, means, 100*share)
			assert.GreaterOrEqual(t, share, c.least)
		})
	}
}
