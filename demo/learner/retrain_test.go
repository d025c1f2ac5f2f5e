package learner_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/demo/learner"
	"github.com/modelvigil/modelvigil/demo/stream"
	"github.com/modelvigil/modelvigil/e2e/elec2"
)

// TestRetrainingPaysOnSEA serves whole streams, watches accuracy in windows as a
// monitor would, and on a breach fits the samples that come after it.
func TestRetrainingPaysOnSEA(t *testing.T) {
	const streams = 10
	var all tally
	for seed := range uint64(streams) {
		got := serveSEA(t, seed)
		require.Equal(t, 3, got.refits, "seed %d: one for each drift, none by chance", seed)
		require.Greater(t, got.refitted, got.static+0.02, "seed %d", seed)
		all.static += got.static / streams
		all.refitted += got.refitted / streams
	}
	t.Logf("%d streams: static %.3f, refitted at each of three breaches %.3f; no model can pass %.3f",
		streams, all.static, all.refitted, 1-stream.DefaultNoise)
	// Not all can be won back: each drift costs a window or two until it is seen, and
	// two more until there are samples to learn from.
	require.Greater(t, all.refitted, all.static+0.025)
}

// tally holds the shares of a stream that a model fitted once, and one refitted
// on breaches, predict right.
type tally struct {
	static, refitted float64
	refits           int
}

func serveSEA(t *testing.T, seed uint64) tally {
	t.Helper()
	const (
		samples = 50_000
		window  = 1_000
		fresh   = 2 * window
		// A model of the current concept gets about 0.888 of a window right, with a
		// standard deviation of 0.01; one of the concept before at most 0.795.
		minAccuracy = 0.84
	)
	sea := seaOf(t, stream.Config{Seed: seed})
	static, err := learner.Fit(sea.Take(fresh), learner.Options{Version: "v1"})
	require.NoError(t, err)

	var all tally
	windows, current := 0.0, static
	var recent []stream.Sample // since the breach
	for breached := false; sea.Index() < samples; windows++ {
		concept, served := sea.Concept(), sea.Take(window)
		got := accuracy(t, current, served)
		all.static += accuracy(t, static, served)
		all.refitted += got
		if !breached {
			breached = got < minAccuracy
			continue
		}
		if recent = append(recent, served...); len(recent) >= fresh {
			current, err = learner.Fit(recent, learner.Options{Version: "next"})
			require.NoError(t, err)
			if seed == 0 {
				t.Logf("seed 0, concept %d: refitted at sample %d: the window before it %.3f, then %.3f",
					concept, sea.Index(), got, accuracy(t, current, served))
			}
			all.refits, breached, recent = all.refits+1, false, nil
		}
	}
	all.static /= windows
	all.refitted /= windows
	return all
}

// TestRetrainingPaysOnELEC2 judges each week by the model of the week before it,
// on a real market, and shows what was gained and what would have been gained by
// simpler means.
func TestRetrainingPaysOnELEC2(t *testing.T) {
	samples := market(t)
	const (
		week        = elec2.Week
		training    = 8 * week
		minAccuracy = 0.75
		cooldown    = 4 // weeks
	)
	never := func(float64, int) bool { return false }
	onBreach := func(got float64, since int) bool { return got < minAccuracy && since >= cooldown }
	static, _ := serveWeeks(t, samples, training, never)
	refitted, refits := serveWeeks(t, samples, training, onBreach)
	scheduled, schedules := serveWeeks(t, samples, training, func(_ float64, since int) bool { return since >= 7 })
	weekly, _ := serveWeeks(t, samples, training, func(float64, int) bool { return true })
	same, up := 0.0, 0.0
	for i := training; i < len(samples); i++ {
		if samples[i].Y == samples[i-1].Y {
			same++
		}
		if samples[i].Y {
			up++
		}
	}
	rest := float64(len(samples) - training)
	t.Logf("%d weeks after %d of training: static %.3f; refitted below %.2f with a cooldown of %d weeks, %d times: %.3f",
		(len(samples)-training)/week, training/week, static, minAccuracy, cooldown, refits, refitted)
	t.Logf("for comparison: refitted every 7 weeks, %d times: %.3f; refitted every week: %.3f", schedules, scheduled, weekly)
	t.Logf("for comparison: always the commoner class %.3f; always the class before %.3f", 1-up/rest, same/rest)
	require.Greater(t, refitted, static+0.05)
	require.Less(t, refits, 25)
}

// serveWeeks returns the share of samples predicted right after the training, and
// how often the model was refitted on the newest samples of the same number. due
// is asked after each week, with its accuracy and the weeks since the last fit.
func serveWeeks(t *testing.T, samples []stream.Sample, training int, due func(accuracy float64, since int) bool) (float64, int) {
	t.Helper()
	model, err := learner.Fit(samples[:training], learner.Options{Version: "v1"})
	require.NoError(t, err)
	right, weeks, refits, since := 0.0, 0.0, 0, 1_000
	for from := training; from+elec2.Week <= len(samples); from += elec2.Week {
		to := from + elec2.Week
		got := accuracy(t, model, samples[from:to])
		right += got
		weeks++
		since++
		if due(got, since) {
			model, err = learner.Fit(samples[to-training:to], learner.Options{Version: "next"})
			require.NoError(t, err)
			refits, since = refits+1, 0
		}
	}
	return right / weeks, refits
}

// market reads the stream from the directory in MODELVIGIL_DATA, or else from
// shared/data beside the checkout, and skips the test where it isn't there.
func market(t *testing.T) []stream.Sample {
	t.Helper()
	directory := os.Getenv("MODELVIGIL_DATA")
	if directory == "" {
		directory = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	path := filepath.Join(directory, "elec.csv.gz")
	samples, err := elec2.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the ELEC2 data are not there: %s is missing; set MODELVIGIL_DATA to the directory that holds elec.csv.gz", path)
	}
	require.NoError(t, err)
	return samples
}
