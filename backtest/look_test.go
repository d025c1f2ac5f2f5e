package backtest_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/policy"
)

// drifting is a report of many minutes in which an input moves at half of them. Its
// names are what no page may take for its own.
func drifting(t *testing.T, minutes int) (page string, rule map[string]any) {
	t.Helper()
	var wanted policy.Policy
	require.NoError(t, json.Unmarshal([]byte(`{"rules": [{"name": "<b>inputs", "metrics": ["</script>"], "categories": ["land"], "period": "1m", "above": 0.4,
		"drift": {"statistic": "tvd", "reference": {"from": "first", "samples": 100}}}]}`), &wanted))
	var events []metric.Event
	for i := range 10 * minutes {
		at := noon.Add(time.Duration(i) * 6 * time.Second)
		e := metric.Event{Timestamp: at, ModelName: "m", ModelVersion: "v1", Metrics: map[string]float64{"</script>": float64(i % 10)}, Categories: map[string]string{"land": "<i>DE"}}
		if i >= 5*minutes {
			e.Metrics["</script>"] += 5
		}
		events = append(events, e)
	}
	page, data := report(t, wanted, events...)
	rules := data["results"].([]any)[0].(map[string]any)["drifts"].([]any)
	require.Len(t, rules, 1)
	return page, rules[0].(map[string]any)
}

func TestAReportShowsWhatADriftRuleHasSeen(t *testing.T) {
	page, rule := drifting(t, 40)
	assert.NotContains(t, page, "<b>inputs", "a name is no markup")
	assert.NotContains(t, page, "<i>DE", "nor is a value")
	assert.Equal(t, "<b>inputs", rule["rule"])
	assert.Equal(t, "tvd", rule["statistic"])
	assert.Equal(t, "the first 100", rule["reference"])
	assert.Len(t, rule["looks"], 40)
	shapes := rule["shapes"].([]any)
	assert.Len(t, shapes, 2, "a reference that stays is there once")

	last := rule["looks"].([]any)[39].(map[string]any)
	assert.Equal(t, true, last["breach"])
	assert.InDelta(t, 0.5, last["value"], 1e-9)
	assert.InDelta(t, 0.4, last["threshold"], 1e-9)
	assert.InDelta(t, last["start"].(float64)+60, last["end"], 0)
	features := last["features"].([]any)
	require.Len(t, features, 2)
	moved := features[0].(map[string]any)
	assert.Equal(t, "</script>", moved["name"], "the furthest beyond its bound comes first")
	shape := shapes[int(moved["shape"].(float64))].(map[string]any)
	assert.Len(t, moved["counts"], len(shape["bins"].([]any)))
	assert.Len(t, shape["counts"], len(shape["bins"].([]any)))
	assert.InDelta(t, 10, sum(moved["counts"]), 0)
	assert.InDelta(t, 100, sum(shape["counts"]), 0)
	assert.Contains(t, shapes[int(features[1].(map[string]any)["shape"].(float64))].(map[string]any)["bins"], "<i>DE")
}

func TestAReportKeepsSomePeriodsOfManyEvenly(t *testing.T) {
	page, rule := drifting(t, 3000)
	looks := rule["looks"].([]any)
	assert.LessOrEqual(t, len(looks), 1200)
	assert.GreaterOrEqual(t, len(looks), 600)
	assert.InDelta(t, 3000-len(looks), rule["omitted"], 0)
	assert.Less(t, len(page), 1<<20)
	breaching := 0
	for i, l := range looks {
		if i > 0 {
			assert.Greater(t, l.(map[string]any)["start"], looks[i-1].(map[string]any)["start"])
		}
		if l.(map[string]any)["breach"] == true {
			breaching++
		}
	}
	assert.Greater(t, breaching, 299)
	assert.Greater(t, len(looks)-breaching, 299)
}

func sum(all any) (total float64) {
	for _, x := range all.([]any) {
		total += x.(float64)
	}
	return total
}
