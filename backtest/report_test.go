package backtest_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/backtest"
	"github.com/modelvigil/modelvigil/backtest/recording"
	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// report writes one about events, and returns it and the data within.
func report(t *testing.T, policy policy.Policy, events ...metric.Event) (page string, data map[string]any) {
	t.Helper()
	recorded := recording.Of(events...)
	policies := []backtest.Policy{{Label: "</script><b>&.yaml", Policy: policy}}
	results, err := backtest.Run(t.Context(), recorded, policies, backtest.Options{Drifts: []backtest.Drift{{At: noon}}, Datapoints: true})
	require.NoError(t, err)
	swept := &backtest.Swept{Grid: backtest.Grid{{Parameter: "cooldown", Values: []string{"1h", "2h"}}}}
	swept.Results, err = backtest.RunSweep(t.Context(), recorded, policies, swept.Grid, backtest.Options{})
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, backtest.WriteReport(&out, recorded, policies, results, swept))
	page = out.String()
	text := regexp.MustCompile(`(?s)<script type="application/json" id="data">(.*?)</script>`).FindStringSubmatch(page)
	require.NotNil(t, text)
	require.NoError(t, json.Unmarshal([]byte(text[1]), &data))
	return page, data
}

func TestAReportNeedsNothingBesideItself(t *testing.T) {
	page, data := report(t, policy.Policy{}, event(noon, 0.5, 100), event(at(30), 0.95, 100))
	assert.NotRegexp(t, `https?://`, page)
	assert.NotRegexp(t, `(src|href)="[^d]`, page)
	assert.NotContains(t, page, "@import")
	assert.NotContains(t, page, "{{")
	assert.Contains(t, page, "default-src 'none'")
	assert.Contains(t, page, "Copyright (c) 2022 Leon Sorokin", "as uPlot's licence asks")
	assert.Contains(t, page, "Open loop")
	assert.Equal(t, 3, strings.Count(page, "</script>"), "what a label holds ends no script")
	result := data["results"].([]any)[0].(map[string]any)
	assert.Equal(t, "</script><b>&.yaml", result["policy"])
	assert.Equal(t, []any{[]any{float64(noon.Unix()), float64(at(60).Unix())}}, result["cooldowns"])
	assert.Len(t, result["decisions"], 2)
	assert.Len(t, data["sweep"], 2)
}

func TestAReportKeepsTheExtremesOfManyEvents(t *testing.T) {
	var events []metric.Event
	for i := range 50_000 {
		e := event(noon.Add(time.Duration(i)*time.Second), 0.95, 100)
		e.Metrics = map[string]float64{"auc": 0.9}
		events = append(events, e)
	}
	events[33_333].LatencyMS = metric.Some(999.0)
	page, data := report(t, policy.Policy{}, events...)
	assert.Less(t, len(page), 1<<20)
	series := data["models"].([]any)[0].(map[string]any)["series"].([]any)
	require.Len(t, series, 2, "nothing is about auc")
	latency := series[1].(map[string]any)
	assert.Equal(t, "latency_ms", latency["metric"])
	assert.Contains(t, latency["max"], 999.0)
	assert.LessOrEqual(t, len(latency["at"].([]any)), 1201)
}

func TestAReportOfAStormLeavesOutSuppressionsFirst(t *testing.T) {
	var events []metric.Event
	for i := range 3000 { // a trigger, a success, two suppressions
		for j := range 3 {
			events = append(events, event(at(float64(i)).Add(time.Duration(j)*time.Second), 0.5, 100))
		}
	}
	_, data := report(t, policy.Policy{}.WithCooldown(time.Minute), events...)
	result := data["results"].([]any)[0].(map[string]any)
	assert.Len(t, result["decisions"], 5000)
	assert.InDelta(t, 7000, result["omitted"], 0)
	for _, d := range result["decisions"].([]any) {
		assert.NotEqual(t, "suppressed", d.(map[string]any)["kind"])
	}
}
