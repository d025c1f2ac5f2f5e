package monitor_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/monitor"
	"github.com/modelvigil/modelvigil/policy"
)

func TestAPolicyThatWouldOutgrowTheStateIsRefused(t *testing.T) {
	rules := []policy.Rule{}
	for i := range 30 {
		rules = append(rules, policy.Rule{
			Name: fmt.Sprintf("slow%d", i), Metric: "latency_ms", Stat: "p99", Period: metric.Some(policy.Duration(time.Minute)), Above: metric.Some(1.0),
		})
	}
	rules[7].Datapoints = &policy.Datapoints{Breaching: 50, Of: 100}
	err := policy.Policy{Rules: rules}.Validate()
	require.ErrorContains(t, err, `"slow7" takes most`)
	require.NoError(t, policy.Policy{Rules: rules[:2]}.Validate())
}

// The largest policies that are taken, filled to the brim by four versions.
func TestNoPolicyThatIsTakenOutgrowsTheState(t *testing.T) {
	for name, rule := range map[string]policy.Rule{
		"percentiles": {Metric: "latency_ms", Stat: "p99", Above: metric.Some(1e9)},
		"datapoints":  {Metric: "latency_ms", Stat: "mean", Above: metric.Some(1e9), Datapoints: &policy.Datapoints{Breaching: 20, Of: 20}},
		"baselines":   {Metric: "latency_ms", Stat: "p50", AboveBaselineBy: metric.Some(policy.Margin{Value: 1e9}), Baseline: &policy.Baseline{Samples: 1e9}},
		"weeks":       {Metric: "latency_ms", Stat: "mean", AboveBaselineBy: metric.Some(policy.Margin{Value: 1e9}), Baseline: &policy.Baseline{From: policy.BaselineTrailing, Periods: 4, Season: metric.Some(policy.Duration(10 * time.Second))}},
		"replaced":    {Metric: "latency_ms", Stat: "mean", AboveBaselineBy: metric.Some(policy.Margin{Value: 1e9}), Baseline: &policy.Baseline{From: policy.BaselineReplaced}},
		"sums":        {Metric: "latency_ms", Stat: "mean", Change: &policy.Change{Detector: policy.DetectorCUSUM, Samples: 20}},
		"detectors":   {Metric: "latency_ms", Stat: "mean", Change: &policy.Change{}},
	} {
		t.Run(name, func(t *testing.T) {
			rule.Period, rule.Grace = metric.Some(policy.Duration(time.Second)), metric.Some(policy.Duration(2*time.Second))
			wanted := policy.Policy{}.WithCooldown(0)
			for i := 0; ; i++ {
				rule.Name = fmt.Sprintf("rule %d", i)
				more := wanted
				more.Rules = append(append([]policy.Rule{}, wanted.Rules...), rule)
				if more.Validate() != nil {
					break
				}
				wanted = more
			}
			t.Logf("%d rules", len(wanted.Rules))
			m := newMachine(wanted)
			random := rand.New(rand.NewPCG(1, 2))
			for i := range 400 {
				now := noon.Add(time.Duration(i) * time.Second)
				tickUntil(m, now)
				for v := range 4 {
					e := reading(now, fmt.Sprintf("v%d", v), metric.LatencyMS, 0)
					digest := metrictest.DigestOf(e, now)
					digest.Metrics[metric.LatencyMS] = &metric.Summary{}
					for range 600 {
						digest.Metrics[metric.LatencyMS].Add(math.Pow(10, 20*random.Float64()-10), now)
					}
					digest.Events = 600
					m.ObserveBatch(now, &metric.Batch{Version: 1, ModelName: "fraud", Publisher: "p", Sequence: int64(4*i + v + 1), Digests: []*metric.Digest{digest}})
				}
			}
			// Before State drops anything: what the footprint promised is enough.
			status := m.Status(noon)
			require.Len(t, status.Versions, 4)
			encoded := encode(t, m.State())
			t.Logf("%d KiB", len(encoded)>>10)
			assert.Less(t, len(encoded), monitor.MaxStateBytes)
			assert.Len(t, m.Status(noon).Versions, 4, "nothing had to go")
		})
	}
}
