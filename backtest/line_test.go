package backtest_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
)

// reportLines are the lines of a report about readings of latency, one a minute, by
// rules.
func reportLines(t *testing.T, rules string, latencies ...float64) (page string, lines []any, series []any) {
	t.Helper()
	page, data := report(t, decoded(t, `{"cooldown": "1h", "rules": [`+rules+`]}`), measured(latencies...)...)
	lines, _ = data["results"].([]any)[0].(map[string]any)["lines"].([]any)
	return page, lines, data["models"].([]any)[0].(map[string]any)["series"].([]any)
}

// ends are when minutes are over, as a page has it.
func ends(minutes ...float64) (all []any) {
	for _, minute := range minutes {
		all = append(all, float64(at(minute).Unix()))
	}
	return all
}

func TestAReportDrawsWhatEachPeriodCameTo(t *testing.T) {
	breach := func(point int, value any) map[string]any {
		return map[string]any{"point": float64(point), "value": value}
	}
	for name, c := range map[string]struct {
		rule     string
		readings []float64
		want     map[string]any
	}{
		"a period without a reading is a gap": {
			rule: `"above": 200, "missing": "ok"`, readings: []float64{100, 300, -1, 250},
			want: map[string]any{
				"at": ends(1, 2, 3, 4), "mean": []any{100.0, 300.0, nil, 250.0},
				"threshold": []any{200.0, 200.0, 200.0, 200.0}, "breaches": []any{breach(1, 300.0), breach(3, 250.0)},
			},
		},
		"so are periods of which nothing is said": {
			rule: `"above": 200`, readings: []float64{100, -1, -1, 100, 250},
			want: map[string]any{
				"at": ends(1, 3, 4, 5), "mean": []any{100.0, nil, 100.0, 250.0},
				"threshold": []any{200.0, nil, 200.0, 200.0}, "breaches": []any{breach(3, 250.0)},
			},
		},
		"one that breaches without a reading has a mark and no value": {
			rule: `"above": 200, "missing": "breaching"`, readings: []float64{100, -1, 100},
			want: map[string]any{
				"at": ends(1, 2, 3), "mean": []any{100.0, nil, 100.0},
				"threshold": []any{200.0, 200.0, 200.0}, "breaches": []any{breach(1, nil)},
			},
		},
		"one that could not be judged is a gap, and its threshold is not known": {
			rule: `"above_baseline_by": "50%", "baseline": {"samples": 3}`, readings: []float64{100, 100, 100, 200},
			want: map[string]any{
				"at": ends(1, 2, 3, 4), "mean": []any{nil, 100.0, 100.0, 200.0},
				"threshold": []any{nil, 150.0, 150.0, 150.0}, "breaches": []any{breach(3, 200.0)},
			},
		},
		"a threshold is what it was then": {
			rule: `"above_baseline_by": 50, "baseline": {"from": "trailing", "periods": 1}`, readings: []float64{100, 120, 110},
			want: map[string]any{
				"at": ends(1, 2, 3), "mean": []any{nil, 120.0, 110.0}, "threshold": []any{nil, 150.0, 170.0}, "breaches": []any{},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, lines, series := reportLines(t, `{"name": "r", "metric": "latency_ms", "stat": "mean", "period": "1m", `+c.rule+`}`, c.readings...)
			require.Len(t, lines, 1)
			line := lines[0].(map[string]any)
			c.want["rule"] = "r"
			c.want["words"] = line["words"]
			assert.Equal(t, c.want, line)
			assert.NotEmpty(t, line["words"])
			assert.Empty(t, series, "its readings are not drawn beside")
		})
	}
}

func TestAReportDrawsReadingsForRulesWithoutAPeriodAlone(t *testing.T) {
	_, lines, series := reportLines(t, `{"name": "r", "metric": "latency_ms", "above": 200}, {"metric": "accuracy", "stat": "mean", "period": "1m", "below": 0.5}`, 100, 300)
	assert.Empty(t, lines, "nothing measured accuracy, nor could a period of it be judged")
	require.Len(t, series, 1)
	assert.Equal(t, "latency_ms", series[0].(map[string]any)["metric"])
}

// What a line of many periods holds is held against the readings themselves, each of
// which is a period's.
func TestALineOfManyPeriodsKeepsTheExtremesAndTheBreachesOfAll(t *testing.T) {
	for _, side := range []string{"above", "below"} {
		random := rand.New(rand.NewPCG(1, 2))
		readings := make([]float64, 3000)
		for i := range readings {
			readings[i] = 100 + 10*random.Float64()
			if random.IntN(50) == 0 {
				readings[i] = -1
			}
		}
		limit := map[string]string{"above": "109.9", "below": "100.1"}[side]
		page, lines, _ := reportLines(t, `{"name": "r", "metric": "latency_ms", "stat": "mean", "period": "1m", "`+side+`": `+limit+`}`, readings...)

		require.Len(t, lines, 1)
		assert.Less(t, len(page), 1<<20)
		line := lines[0].(map[string]any)
		points := line["at"].([]any)
		require.LessOrEqual(t, len(points), 2402, "with gaps between")
		require.Greater(t, len(points), 900)
		breaching := map[int]float64{}
		for _, b := range line["breaches"].([]any) {
			breaching[int(b.(map[string]any)["point"].(float64))] = b.(map[string]any)["value"].(float64)
		}

		next, marked := 0, 0
		for i := range points {
			var known, beyond []float64
			for ; next < len(readings) && float64(at(float64(next+1)).Unix()) <= points[i].(float64); next++ {
				switch reading := readings[next]; {
				case reading < 0:
				case side == "above" && reading > 109.9, side == "below" && reading < 100.1:
					beyond = append(beyond, reading)
					fallthrough
				default:
					known = append(known, reading)
				}
			}

			if len(known) == 0 {
				assert.Nil(t, line["mean"].([]any)[i])
				continue
			}
			assert.InDelta(t, slices.Min(known), line["min"].([]any)[i], 1e-3)
			assert.InDelta(t, slices.Max(known), line["max"].([]any)[i], 1e-3)
			if len(beyond) > 0 {
				furthest := slices.Max(beyond)
				if side == "below" {
					furthest = slices.Min(beyond)
				}
				assert.InDelta(t, furthest, breaching[i], 1e-3)
				marked++
			}
		}
		assert.Equal(t, len(readings), next, "each period is in some point")
		assert.Len(t, breaching, marked)
		assert.Positive(t, marked)
	}
}

func TestVersionsThatAreJudgedForOnePeriodShareAPoint(t *testing.T) {
	wanted := decoded(t, `{"rules": [{"name": "r", "metric": "latency_ms", "stat": "mean", "period": "1m", "above": 200}]}`)
	var events []metric.Event
	for i, version := range []string{"v1", "v2", "v1", "v2"} {
		e := event(noon.Add(time.Duration(i)*20*time.Second), 0.9, float64(100*(i+1)))
		e.ModelVersion = version
		events = append(events, e)
	}

	_, data := report(t, wanted, events...)
	line := data["results"].([]any)[0].(map[string]any)["lines"].([]any)[0].(map[string]any)

	assert.Equal(t, ends(1, 2), line["at"])
	assert.Equal(t, []any{200.0, 400.0}, line["mean"], "v1's 200 and v2's 200; v2's 400")
	assert.Equal(t, []any{200.0, 400.0}, line["max"])
}
