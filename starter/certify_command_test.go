package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hours is a recording of a month, of which every 50th hour is below 0.9.
func hours() string {
	var text strings.Builder
	text.WriteString("timestamp,model_name,accuracy\n")
	for hour := range 30 * 24 {
		accuracy := 0.95
		if hour%50 == 49 {
			accuracy = 0.85
		}
		fmt.Fprintf(&text, "%s,fraud,%v\n", time.Date(2026, 3, 1, hour, 0, 0, 0, time.UTC).Format(time.RFC3339), accuracy)
	}
	return text.String()
}

func TestCertifySaysHowOftenAPolicyCriesWolf(t *testing.T) {
	files := map[string]string{"policy.yaml": "{}", "week.yaml": "rules: [{metric: accuracy, stat: mean, period: 24h, below: 0.94}]\n", "metrics.csv": hours()}
	code, out, stderr := inFolder(t, files, "", "certify", "policy.yaml", "--events", "metrics.csv", "--samples", "100", "--change", "accuracy=-0.06", "-o", "json")
	require.Zero(t, code, stderr)
	var c struct {
		Policy      string
		Per         string
		FalseAlarms struct{ Mean, Low, High float64 } `json:"false_alarms"`
		Always      any
		Changes     []struct {
			Change   string
			Found    float64
			DelayP50 float64 `json:"delay_p50"`
			DelayP95 float64 `json:"delay_p95"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &c), out)
	assert.Equal(t, []string{"policy.yaml", "90d"}, []string{c.Policy, c.Per})
	chance := 90 * 24 / 50.
	assert.InEpsilon(t, chance, c.FalseAlarms.Mean, 0.1)
	assert.Less(t, c.FalseAlarms.Low, chance)
	assert.Greater(t, c.FalseAlarms.High, chance)
	require.Len(t, c.Changes, 1)
	assert.Equal(t, "accuracy=-0.06", c.Changes[0].Change)
	assert.InDelta(t, 1, c.Changes[0].Found, 0)
	assert.LessOrEqual(t, c.Changes[0].DelayP50, 3600.)
	assert.NotNil(t, c.Always)

	code, out, stderr = inFolder(t, files, "", "certify", "policy.yaml", "week.yaml", "--events", "metrics.csv", "--samples", "40", "--change", "accuracy=-1%")
	require.Zero(t, code, stderr)
	for _, part := range []string{"week.yaml over fraud: 40 resamples of 30d", "false alarms per 90d", "accuracy=-1% found", "the default policy", "at every look", "Rule latency has judged nothing"} {
		assert.Contains(t, out, part)
	}
}

func TestCertifyMakesAPage(t *testing.T) {
	files := map[string]string{"policy.yaml": "{}", "metrics.csv": hours()}
	code, out, stderr := inFolder(t, files, "", "certify", "policy.yaml", "--events", "metrics.csv", "--samples", "40", "--change", "accuracy=-0.06", "-o", "html")
	require.Zero(t, code, stderr)
	assert.Contains(t, out, "accuracy=-0.06: delay against false alarms")
	code, _, stderr = inFolder(t, files, "", "backtest", "policy.yaml", "--events", "metrics.csv", "-o", "html")
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, stderr, "must be text or json")
}

func TestCertifyFailsAPolicyThatCriesWolf(t *testing.T) {
	files := map[string]string{"policy.yaml": "{}", "metrics.csv": hours()}
	args := []string{"certify", "policy.yaml", "--events", "metrics.csv", "--samples", "40", "--min-false-alarm-interval"}
	code, out, stderr := inFolder(t, files, "", append(args, "60d")...)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out, "A false alarm every 2d", "the answer is there nevertheless")
	assert.Contains(t, stderr, "policy.yaml over fraud: a false alarm every 2d")
	code, _, stderr = inFolder(t, files, "", append(args, "1d")...)
	assert.Zero(t, code, stderr)
}

func TestCertifyNamesEveryFault(t *testing.T) {
	files := map[string]string{"policy.yaml": "{}", "metrics.csv": hours(), "other.yaml": "model_name: other\n"}
	code, _, stderr := inFolder(t, files, "", "certify", "policy.yaml", "--events", "metrics.csv",
		"--per", "0s", "--block", "long", "--min-false-alarm-interval", "soon", "--change", "accuracy", "--samples", "1")
	assert.Equal(t, exitUsage, code)
	for _, part := range []string{"flag --per: must be 1s or more", "flag --block: must be a duration", "flag --min-false-alarm-interval: ", "flag --change: must be METRIC=CHANGE", "flag --samples: must be 40 to"} {
		assert.Contains(t, stderr, part)
	}
	code, _, stderr = inFolder(t, files, "", "certify", "other.yaml", "--events", "metrics.csv")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, `other.yaml: there are no events of model "other"; they are of "fraud"`)
	code, _, stderr = inFolder(t, files, "", "certify", "policy.yaml", "--events", "metrics.csv", "--change", "auc=-1")
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "the recording has no reading of auc")
}
