package monitor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/modelvigil/modelvigil/metric"
	"github.com/modelvigil/modelvigil/metric/metrictest"
	"github.com/modelvigil/modelvigil/policy"
)

// What was folded before the cooldown's end is in the cooldown; but a clock that is
// further behind than a delivery takes does not hold breaches back for ever.
func TestAClockThatIsFarBehindHoldsNoBreachBack(t *testing.T) {
	for behind, triggers := range map[time.Duration]int64{
		0:                   48,
		48 * time.Hour:      1,
		48*time.Hour + 1:    48,
		30 * 24 * time.Hour: 48,
		-9 * time.Minute:    48,
	} {
		t.Run(behind.String(), func(t *testing.T) {
			m := newMachine(policy.Policy{})
			for i := range 48 * 60 {
				now := noon.Add(time.Duration(i) * time.Minute)
				m.Tick(now)
				land(m, now)
				theirs := now.Add(-behind)
				digest := metrictest.DigestOf(event(theirs, 0.5, 100, 0), theirs)
				m.ObserveBatch(now, &metric.Batch{Version: 1, ModelName: "fraud", Publisher: "p", Sequence: int64(i + 1), Digests: []*metric.Digest{digest}})
			}
			assert.Equal(t, triggers, m.Status(noon).Retrainings.Requested)
		})
	}
}
