package monitor_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/monitor"
)

// Training data that is replaced under its name is another reference: nothing is
// judged by the old one from then on.
func TestAProfileThatIsReplacedUnderItsNameIsAnotherReference(t *testing.T) {
	against := func(below, between, above int) string {
		return fmt.Sprintf(`{"rules": [{"name": "age", "metric": "age", "period": "1m", "above": 0.5, "drift": {"statistic": "tvd", "reference": {"from": "profile", "profile": "p.json"}}}],
			"profiles": {"p.json": {"metrics": {"age": {"edges": [20, 30], "counts": [%d, %d, %d], "std": 5}}}}}`, below, between, above)
	}
	m := monitor.NewMachine("fraud", "r", policyOf(t, against(100, 0, 0)))
	verdict := func(from, until time.Duration) monitor.Verdict {
		for at := from; at < until; at += 10 * time.Second {
			tickUntil(m, noon.Add(at))
			m.Observe(noon.Add(at), &metric.Event{ModelName: "fraud", ModelVersion: "v1", Metrics: map[string]float64{"age": 10}})
		}
		tickUntil(m, noon.Add(until+time.Minute))
		return m.Status(noon.Add(until + time.Minute)).Versions["v1"].Rules[0].Verdict
	}

	assert.Equal(t, monitor.Healthy, verdict(0, 3*time.Minute))
	m.SetPolicy(noon.Add(4*time.Minute), policyOf(t, against(0, 0, 100)))
	assert.Equal(t, monitor.Breaching, verdict(5*time.Minute, 8*time.Minute))
}
