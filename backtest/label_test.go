package backtest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/metric"
)

func TestDriftsAreReadAsPeopleHaveThem(t *testing.T) {
	want := []backtest.Drift{{At: at(0), Until: at(60)}, {At: at(120), Until: at(180)}}
	for name, text := range map[string]string{
		"a beginning and an end to a line": "from,until\n2026-03-01T14:00:00Z,2026-03-01T15:00:00Z\n# a comment\n2026-03-01 12:00:00,2026-03-01 13:00:00\n",
		"windows of the Numenta Anomaly Benchmark": `{"realKnownCause/other.csv": [], "realKnownCause/cpu.csv": [
			["2026-03-01 12:00:00.000000", "2026-03-01 13:00:00.000000"], ["2026-03-01 14:00:00.000000", "2026-03-01 15:00:00.000000"]]}`,
		"a list": `[["2026-03-01 12:00:00", "2026-03-01 13:00:00"], ["2026-03-01 14:00:00", "2026-03-01 15:00:00"]]`,
	} {
		drifts, err := backtest.ReadDrifts([]byte(text), []string{"data/cpu.csv.gz"}, time.UTC)
		require.NoError(t, err, name)
		assert.Equal(t, want, drifts, name)
	}

	drifts, err := backtest.ReadDrifts([]byte(`{"cpu.csv": ["2026-03-01 12:00:00"]}`), nil, time.UTC)
	require.NoError(t, err)
	assert.Equal(t, []backtest.Drift{{At: noon}}, drifts, "labels without an end")
	drifts, err = backtest.ParseDrifts("2026-03-01T14:00:00Z/2026-03-01T15:00:00Z, 2026-03-01 12:00:00/2026-03-01 13:00:00", time.UTC)
	require.NoError(t, err)
	assert.Equal(t, want, drifts)

	for text, want := range map[string]string{
		"at\n":                           "holds no timestamp",
		"2026-03-01\nsoon":               "line 2: timestamp: must be RFC 3339",
		`{"a.csv": [], "b.csv": []}`:     "holds labels of a.csv, b.csv",
		`[["2026-03-02", "2026-03-01"]]`: "label 1: a drift must not end before it begins",
		`{"a.csv": [["1", "2", "3"]]}`:   "a label must be an instant, or a pair",
	} {
		_, err := backtest.ReadDrifts([]byte(text), []string{"c.csv"}, time.UTC)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestAnAlarmAfterADriftsEndIsNoDetection(t *testing.T) {
	bad := func(minute float64) metric.Event { return event(at(minute), 0.5, 100) }
	options := backtest.Options{Drifts: []backtest.Drift{{At: at(10), Until: at(20)}, {At: at(100), Until: at(110)}}}
	d := replay(t, decoded(t, `{"cooldown": "0s"}`), options, bad(20), bad(21), bad(111)).Detection
	assert.Equal(t, []int{1, 1, 2, 0}, []int{d.Detected, d.Missed, d.FalseAlarms, d.Repeated})
	assert.Equal(t, at(20), d.Points[0].DetectedAt, "at its end is in time")
}
