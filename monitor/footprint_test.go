package monitor_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/modelvigil/modelvigil/monitor"
)

func TestAPolicyThatWouldOutgrowTheStateIsRefused(t *testing.T) {
	rules := []monitor.Rule{}
	for i := range 30 {
		rules = append(rules, monitor.Rule{
			Name: fmt.Sprintf("slow%d", i), Metric: "latency_ms", Stat: "p99", Period: monitor.Some(monitor.Duration(time.Minute)), Above: monitor.Some(1.0),
		})
	}
	rules[7].Datapoints = &monitor.Datapoints{Breaching: 50, Of: 100}
	err := monitor.Policy{Rules: rules}.Validate()
	require.ErrorContains(t, err, `"slow7" takes most`)
	require.NoError(t, monitor.Policy{Rules: rules[:2]}.Validate())
}

// The largest policies that are taken, filled to the brim by four versions.
func TestNoPolicyThatIsTakenOutgrowsTheState(t *testing.T) {
	for name, rule := range map[string]monitor.Rule{
		"percentiles": {Metric: "latency_ms", Stat: "p99", Above: monitor.Some(1e9)},
		"datapoints":  {Metric: "latency_ms", Stat: "mean", Above: monitor.Some(1e9), Datapoints: &monitor.Datapoints{Breaching: 20, Of: 20}},
		"baselines":   {Metric: "latency_ms", Stat: "p50", AboveBaselineBy: monitor.Some(monitor.Margin{Value: 1e9}), Baseline: &monitor.Baseline{Samples: 1e9}},
		"detectors":   {Metric: "latency_ms", Stat: "mean", Change: &monitor.Change{}},
	} {
		t.Run(name, func(t *testing.T) {
			rule.Period, rule.Grace = monitor.Some(monitor.Duration(time.Second)), monitor.Some(monitor.Duration(2*time.Second))
			policy := monitor.Policy{}.WithCooldown(0)
			for i := 0; ; i++ {
				rule.Name = fmt.Sprintf("rule %d", i)
				more := policy
				more.Rules = append(append([]monitor.Rule{}, policy.Rules...), rule)
				if more.Validate() != nil {
					break
				}
				policy = more
			}
			t.Logf("%d rules", len(policy.Rules))
			m := newMachine(policy)
			random := rand.New(rand.NewPCG(1, 2))
			for i := range 400 {
				now := noon.Add(time.Duration(i) * time.Second)
				tickUntil(m, now)
				for v := range 4 {
					e := reading(now, fmt.Sprintf("v%d", v), monitor.LatencyMS, 0)
					digest := monitor.DigestOf(e, now)
					digest.Metrics[monitor.LatencyMS] = &monitor.MetricDigest{}
					for range 600 {
						digest.Metrics[monitor.LatencyMS].Add(math.Exp(random.Float64()*10), now)
					}
					digest.Events = 600
					m.ObserveBatch(now, &monitor.Batch{Version: 1, ModelName: "fraud", Publisher: "p", Sequence: int64(4*i + v + 1), Digests: []*monitor.Digest{digest}})
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
