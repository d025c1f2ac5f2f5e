package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTuneFindsThresholds(t *testing.T) {
	// Every 50th hour is at 0.85: 43 in 90 days.
	files := map[string]string{"policy.yaml": "rules: [{metric: accuracy, below: 0.9}]\ncooldown: 0s\n", "metrics.csv": hours()}
	args := []string{"tune", "policy.yaml", "--events", "metrics.csv", "--samples", "40", "--false-alarms", "5", "--change", "accuracy=-0.12", "--sweep", "accuracy.below=0.80:0.94:0.02"}
	code, out, stderr := inFolder(t, files, "", append(args, "-o", "json")...)
	require.Zero(t, code, stderr)
	var tuned struct {
		Values      map[string]string
		FalseAlarms struct{ Mean float64 } `json:"false_alarms"`
		TunedPolicy any                    `json:"tuned_policy"`
		Folds       []any
	}
	require.NoError(t, json.Unmarshal([]byte(out), &tuned), out)
	assert.Equal(t, map[string]string{"accuracy.below": "0.84"}, tuned.Values, "higher ones are too often breached, and lower ones find nothing")
	assert.Zero(t, tuned.FalseAlarms.Mean)
	assert.Len(t, tuned.Folds, 4)

	code, out, stderr = inFolder(t, files, "", args...)
	require.Zero(t, code, stderr)
	for _, part := range []string{"# policy.yaml over fraud: at most 5 false alarms per 90d wanted", "# tuned", "# as it was", "model_name: fraud"} {
		assert.Contains(t, out, part)
	}
	code, _, stderr = inFolder(t, map[string]string{"tuned.yaml": out}, "", "validate", "tuned.yaml")
	require.Zero(t, code, stderr)
}

func TestTuneNamesEveryFault(t *testing.T) {
	files := map[string]string{"policy.yaml": "{}", "metrics.csv": hours()}
	for want, args := range map[string][]string{
		"flag --false-alarms: must be above 0":   {"--false-alarms", "0"},
		"flag --sweep: must be PARAMETER=VALUE":  {"--sweep", "accuracy.below"},
		"flag --change: must be METRIC=CHANGE":   {"--change", "accuracy"},
		"flag --sweep: policy.yaml: speed.above": {"--sweep", "speed.above=1,2"},
	} {
		code, _, stderr := inFolder(t, files, "", append([]string{"tune", "policy.yaml", "--events", "metrics.csv"}, args...)...)
		assert.Equal(t, exitUsage, code, want)
		assert.Contains(t, strings.Join(strings.Fields(stderr), " "), want)
	}
}
